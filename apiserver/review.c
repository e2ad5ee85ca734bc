/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/review.h"

#include <cleat/path.h>
#include <cleat/time.h>
#include <cleat/write.h>
#include <errno.h>
#include <stdio.h>

#include "apiserver/rbac.h"
#include "apiserver/verbs.h"
#include "base/limits.h"

/* One question with room for its strings. */
struct review_question {
    struct cleat_api_attributes attributes;
    struct cleat_api_user *user; /* reference */
    struct cleat_scratch scratch[10];
    char verb[64];
};

static struct cleat_str review_text(struct cleat_value root, const char *path,
                                    struct cleat_scratch *scratch)
{
    return cleat_value_text(cleat_value_find(root, path), scratch);
}

static void review_json(struct cleat_buffer *out, struct cleat_value value)
{
    int result = cleat_write_json(out, value, NULL);
    if (result != 0 && !out->failed)
        out->failed = result;
}

/* {"kind":…,"apiVersion":…,"metadata":{…},"spec":…,"status": */
static void review_begin(const struct cleat_api_request *request, struct cleat_value body,
                         struct cleat_buffer *answer)
{
    struct cleat_value spec = cleat_value_get(body, "spec");
    cleat_buffer_format(answer, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{",
                        request->resource->kind, request->api_version);
    if (request->namespace_.length) {
        cleat_buffer_text(answer, "\"namespace\":");
        cleat_write_string(answer, request->namespace_);
    }
    cleat_buffer_text(answer, "},");
    if (cleat_value_type(spec) == CLEAT_TYPE_OBJECT) {
        cleat_buffer_text(answer, "\"spec\":");
        review_json(answer, spec);
        cleat_buffer_byte(answer, ',');
    }
    cleat_buffer_text(answer, "\"status\":");
}

static int review_invalid(const struct cleat_api_request *request, const char *reason,
                          const char *field, const char *detail, struct cleat_api_failure *failure)
{
    return cleat_api_fail_invalid(failure, request->resource, CLEAT_STR(""), reason, field, "%s",
                                  detail);
}

static int review_add_extra(struct cleat_api_user *user, struct cleat_value extra)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < cleat_value_count(extra); i++) {
        struct cleat_str key;
        struct cleat_value values = cleat_value_member(extra, i, &key);
        for (size_t j = 0; result == 0 && j < cleat_value_count(values); j++) {
            struct cleat_scratch scratch;
            result = cleat_api_user_add_extra(
                user, key, cleat_value_text(cleat_value_at(values, j), &scratch));
        }
    }
    return result;
}

/* The user of a SubjectAccessReview's spec. */
static int review_user(const struct cleat_api_request *request, struct cleat_value spec,
                       struct cleat_api_user **ret, struct cleat_api_failure *failure)
{
    struct cleat_scratch scratch[3];
    struct cleat_api_user *user = NULL;
    struct cleat_str name = review_text(spec, "user", &scratch[0]);
    struct cleat_value groups = cleat_value_get(spec, "groups");
    if (!name.length && !cleat_value_count(groups))
        return review_invalid(request, "FieldValueInvalid", "spec.user",
                              "Invalid value: \"\": at least one of user or group must be "
                              "specified",
                              failure);
    int result = cleat_api_user_new(name, review_text(spec, "uid", &scratch[1]), &user);
    for (size_t i = 0; result == 0 && i < cleat_value_count(groups); i++)
        result = cleat_api_user_add_group(user,
                                          cleat_value_text(cleat_value_at(groups, i), &scratch[2]));
    if (result == 0)
        result = review_add_extra(user, cleat_value_get(spec, "extra"));
    if (result != 0) {
        (void)cleat_api_user_unref(user);
        return cleat_api_fail(failure, result == -ENOMEM ? 500 : 400, NULL,
                              "the user of the review has too many groups or extra values");
    }
    *ret = user;
    return 0;
}

static int review_attributes(const struct cleat_api_request *request, struct cleat_value spec,
                             struct review_question *question, struct cleat_api_failure *failure)
{
    struct cleat_api_attributes *asked = &question->attributes;
    struct cleat_value resource = cleat_value_get(spec, "resourceAttributes");
    struct cleat_value other = cleat_value_get(spec, "nonResourceAttributes");
    asked->is_resource = cleat_value_type(resource) == CLEAT_TYPE_OBJECT;
    if (asked->is_resource == (cleat_value_type(other) == CLEAT_TYPE_OBJECT))
        return review_invalid(request, "FieldValueInvalid", "spec.resourceAttributes",
                              "Invalid value: exactly one of nonResourceAttributes or "
                              "resourceAttributes must be specified",
                              failure);
    struct cleat_scratch *scratch = question->scratch;
    struct cleat_value from = asked->is_resource ? resource : other;
    snprintf(question->verb, sizeof(question->verb), "%.*s",
             CLEAT_STR_ARG(review_text(from, "verb", &scratch[0])));
    asked->verb = question->verb;
    asked->group = review_text(resource, "group", &scratch[1]);
    asked->version = review_text(resource, "version", &scratch[2]);
    asked->plural = review_text(resource, "resource", &scratch[3]);
    asked->subresource = review_text(resource, "subresource", &scratch[4]);
    asked->namespace_ = review_text(resource, "namespace", &scratch[5]);
    asked->name = review_text(resource, "name", &scratch[6]);
    asked->path = review_text(other, "path", &scratch[7]);
    return 0;
}

static int review_local(const struct cleat_api_request *request,
                        const struct review_question *question, struct cleat_api_failure *failure)
{
    if (!(request->resource->flags & CLEAT_API_NAMESPACED))
        return 0;
    if (question->attributes.is_resource &&
        cleat_str_equal(question->attributes.namespace_, request->namespace_))
        return 0;
    return review_invalid(request, "FieldValueInvalid", "spec.resourceAttributes.namespace",
                          "Invalid value: must match metadata.namespace", failure);
}

/* SubjectAccessReview, its local form, and (@self) the requester's own. */
static int review_access(struct cleat_api_server *server, struct cleat_api_request *request,
                         struct cleat_value body, struct cleat_buffer *answer, bool self,
                         struct cleat_api_failure *failure)
{
    char reason[256] = "";
    struct review_question question = {{0}};
    struct cleat_value spec = cleat_value_get(body, "spec");
    int result = review_attributes(request, spec, &question, failure);
    if (result == 0)
        result = review_local(request, &question, failure);
    if (result == 0 && self)
        question.user = cleat_api_user_ref(request->user);
    else if (result == 0)
        result = review_user(request, spec, &question.user, failure);
    if (result != 0)
        return result;
    question.attributes.user = question.user;
    int allowed = cleat_api_rbac_authorize(server, &question.attributes, reason);
    review_begin(request, body, answer);
    cleat_buffer_format(answer, "{\"allowed\":%s", allowed == 0 ? "true" : "false");
    if (reason[0]) {
        cleat_buffer_text(answer, allowed < 0 ? ",\"evaluationError\":" : ",\"reason\":");
        cleat_write_string(answer, cleat_str_of(reason));
    }
    cleat_buffer_text(answer, "}}\n");
    (void)cleat_api_user_unref(question.user);
    return 0;
}

struct review_rules {
    struct cleat_buffer resource;
    struct cleat_buffer other;
};

static void review_rule_member(struct cleat_buffer *out, struct cleat_value rule, const char *key)
{
    struct cleat_value value = cleat_value_get(rule, key);
    if (!cleat_value_is_present(value))
        return;
    cleat_buffer_format(out, ",\"%s\":", key);
    review_json(out, value);
}

static bool review_rule(void *arg, struct cleat_value rule, const char *binding)
{
    struct review_rules *rules = arg;
    bool paths = cleat_value_count(cleat_value_get(rule, "nonResourceURLs")) > 0;
    struct cleat_buffer *out = paths ? &rules->other : &rules->resource;
    cleat_buffer_text(out, out->length ? ",{\"verbs\":" : "{\"verbs\":");
    review_json(out, cleat_value_get(rule, "verbs"));
    static const char *const members[] = {"apiGroups", "resources", "resourceNames",
                                          "nonResourceURLs"};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        review_rule_member(out, rule, members[i]);
    cleat_buffer_byte(out, '}');
    return false;
}

static int review_own_rules(struct cleat_api_server *server, struct cleat_api_request *request,
                            struct cleat_value body, struct cleat_buffer *answer,
                            struct cleat_api_failure *failure)
{
    struct cleat_scratch scratch;
    bool failed = false;
    struct review_rules rules = {CLEAT_BUFFER_INIT(4 * CLEAT_MIB), CLEAT_BUFFER_INIT(CLEAT_MIB)};
    struct cleat_str namespace_ = review_text(body, "spec.namespace", &scratch);
    if (!namespace_.length)
        return review_invalid(request, "FieldValueRequired", "spec.namespace", "Required value",
                              failure);
    (void)cleat_api_rbac_visit(server, request->user, namespace_, review_rule, &rules, &failed);
    review_begin(request, body, answer);
    cleat_buffer_text(answer, "{\"resourceRules\":[");
    cleat_buffer_str(answer, cleat_buffer_view(&rules.resource));
    cleat_buffer_text(answer, "],\"nonResourceRules\":[");
    cleat_buffer_str(answer, cleat_buffer_view(&rules.other));
    failed = failed || rules.resource.failed || rules.other.failed;
    cleat_buffer_format(answer, "],\"incomplete\":%s}}\n", failed ? "true" : "false");
    cleat_buffer_fini(&rules.resource);
    cleat_buffer_fini(&rules.other);
    return 0;
}

static int review_token(struct cleat_api_server *server, struct cleat_api_request *request,
                        struct cleat_value body, struct cleat_buffer *answer,
                        struct cleat_api_failure *failure)
{
    struct cleat_scratch scratch;
    struct cleat_str token = review_text(body, "spec.token", &scratch);
    if (!token.length)
        return review_invalid(request, "FieldValueRequired", "spec.token", "Required value",
                              failure);
    struct cleat_api_user *user = cleat_api_tokens_find(&server->tokens, token);
    review_begin(request, body, answer);
    if (user) {
        cleat_buffer_text(answer, "{\"authenticated\":true,\"user\":");
        cleat_api_user_write(user, answer);
        cleat_buffer_text(answer, "}}\n");
    } else
        cleat_buffer_text(answer, "{\"user\":{},\"error\":\"[invalid bearer token]\"}}\n");
    (void)cleat_api_user_unref(user);
    return 0;
}

static int review_self(struct cleat_api_server *server, struct cleat_api_request *request,
                       struct cleat_value body, struct cleat_buffer *answer)
{
    char now[CLEAT_TIME_BYTES];
    cleat_buffer_format(answer,
                        "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{"
                        "\"creationTimestamp\":\"%s\"},\"status\":{\"userInfo\":",
                        request->resource->kind, request->api_version,
                        cleat_time_write(cleat_clock_wall_ms(server->clock), now));
    cleat_api_user_write(request->user, answer);
    cleat_buffer_text(answer, "}}\n");
    return 0;
}

int cleat_api_review(struct cleat_api_server *server, struct cleat_api_request *request,
                     struct cleat_value body, struct cleat_buffer *answer,
                     struct cleat_api_failure *failure)
{
    const char *kind = request->resource->kind;
    if (strcmp(kind, "TokenReview") == 0)
        return review_token(server, request, body, answer, failure);
    if (strcmp(kind, "SelfSubjectReview") == 0)
        return review_self(server, request, body, answer);
    if (strcmp(kind, "SelfSubjectRulesReview") == 0)
        return review_own_rules(server, request, body, answer, failure);
    bool self = strcmp(kind, "SelfSubjectAccessReview") == 0;
    return review_access(server, request, body, answer, self, failure);
}
