/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to the API server about who somebody is and what they may do: authentication.k8s.io/v1
 * and authorization.k8s.io/v1. They are POSTs that change nothing, so that neither dry run nor the
 * fence's rule for writes applies.
 */
#include "client/client.h"

#include <errno.h>
#include <stdio.h>

#define REVIEW_AUTHORIZATION "/apis/authorization.k8s.io/v1/"
#define REVIEW_AUTHENTICATION "/apis/authentication.k8s.io/v1/"

static void review_member(struct cleat_buffer *body, bool *first, const char *key,
                          const char *value)
{
    if (value && value[0]) {
        cleat_buffer_text(body, *first ? "" : ",");
        *first = false;
        cleat_write_string(body, cleat_str_of(key));
        cleat_buffer_byte(body, ':');
        cleat_write_string(body, cleat_str_of(value));
    }
}

static int review_value(struct cleat_buffer *body, const char *key, struct cleat_value value,
                        struct cleat_err *err)
{
    if (!cleat_value_is_present(value))
        return 0;
    cleat_buffer_byte(body, ',');
    cleat_write_string(body, cleat_str_of(key));
    cleat_buffer_byte(body, ':');
    return cleat_write_json(body, value, err);
}

static void review_attributes(struct cleat_buffer *body,
                              const struct cleat_access_question *question)
{
    bool first = true;
    if (question->path) {
        cleat_buffer_text(body, "\"nonResourceAttributes\":{");
        review_member(body, &first, "path", question->path);
        review_member(body, &first, "verb", question->verb);
    } else {
        cleat_buffer_text(body, "\"resourceAttributes\":{");
        review_member(body, &first, "namespace", question->namespace_);
        review_member(body, &first, "verb", question->verb);
        review_member(body, &first, "group", question->group);
        review_member(body, &first, "version", question->version);
        review_member(body, &first, "resource", question->plural);
        review_member(body, &first, "subresource", question->subresource);
        review_member(body, &first, "name", question->name);
    }
    cleat_buffer_byte(body, '}');
}

static int review_access_body(struct cleat_buffer *body,
                              const struct cleat_access_question *question, struct cleat_err *err)
{
    cleat_buffer_format(body,
                        "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"%s\",\"spec\":{",
                        question->user ? "SubjectAccessReview" : "SelfSubjectAccessReview");
    review_attributes(body, question);
    int result = 0;
    if (question->user) {
        bool first = false;
        review_member(body, &first, "user", question->user);
        review_member(body, &first, "uid", question->uid);
        result = review_value(body, "groups", question->groups, err);
        if (result == 0)
            result = review_value(body, "extra", question->extra, err);
    }
    cleat_buffer_text(body, "}}");
    return result < 0 ? result : body->failed;
}

static void review_reason(struct cleat_value status, char ret_reason[256])
{
    struct cleat_scratch scratch;
    struct cleat_str reason = cleat_value_text(cleat_value_get(status, "reason"), &scratch);
    if (reason.length == 0)
        reason = cleat_value_text(cleat_value_get(status, "evaluationError"), &scratch);
    (void)snprintf(ret_reason, 256, "%.*s", CLEAT_STR_ARG(reason));
}

int cleat_client_access(struct cleat_client *client, const struct cleat_access_question *question,
                        int64_t deadline_mono_ms, bool *ret_allowed, char ret_reason[256],
                        struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *review = NULL;
    struct client_send send;
    cleat__client_send_init(&send, "POST", NULL);
    send.deadline_mono_ms = deadline_mono_ms;
    cleat_buffer_text(&send.path, question->user ? REVIEW_AUTHORIZATION "subjectaccessreviews"
                                                 : REVIEW_AUTHORIZATION "selfsubjectaccessreviews");
    int result = review_access_body(&send.body, question, err);
    if (result == 0)
        result = cleat__client_send(client, &send, &review, err);
    cleat__client_send_fini(&send);
    if (result < 0)
        return result;
    struct cleat_value status = cleat_value_get(cleat_document_root(review), "status");
    bool allowed = false;
    if (cleat_value_bool(cleat_value_get(status, "allowed"), &allowed) != 0)
        return cleat_err_set(err, -EPROTO, "access review: answer without status.allowed");
    /* A denial overrules: the API server never sets both, others might. */
    *ret_allowed = allowed && !cleat_value_is_true(cleat_value_get(status, "denied"));
    if (ret_reason)
        review_reason(status, ret_reason);
    return 0;
}

int cleat_client_token_review(struct cleat_client *client, const char *token,
                              struct cleat_object **ret, struct cleat_err *err)
{
    struct client_send send;
    cleat__client_send_init(&send, "POST", NULL);
    cleat_buffer_text(&send.path, REVIEW_AUTHENTICATION "tokenreviews");
    cleat_buffer_text(&send.body, "{\"apiVersion\":\"authentication.k8s.io/v1\","
                                  "\"kind\":\"TokenReview\",\"spec\":{\"token\":");
    cleat_write_string(&send.body, cleat_str_of(token));
    cleat_buffer_text(&send.body, "}}");
    int result = cleat__client_send_object(client, &send, ret, err);
    cleat__client_send_fini(&send);
    return result;
}

int cleat_client_whoami(struct cleat_client *client, struct cleat_object **ret,
                        struct cleat_err *err)
{
    struct client_send send;
    cleat__client_send_init(&send, "POST", NULL);
    cleat_buffer_text(&send.path, REVIEW_AUTHENTICATION "selfsubjectreviews");
    cleat_buffer_text(&send.body, "{\"apiVersion\":\"authentication.k8s.io/v1\","
                                  "\"kind\":\"SelfSubjectReview\"}");
    int result = cleat__client_send_object(client, &send, ret, err);
    cleat__client_send_fini(&send);
    return result;
}
