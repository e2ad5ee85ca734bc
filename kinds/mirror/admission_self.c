/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission of Mirrors. Both handlers let by what leaves spec as it was and what is being deleted:
 * whoever only labels or deletes a Mirror needs no right to what it copies, and the garbage
 * collector is never in its way.
 */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "kinds/mirror/access.h"
#include "kinds/mirror/consent.h"
#include "kinds/mirror/never.h"
#include "kinds/mirror/overlap.h"
#include "kinds/mirror/state.h"

#define SELF_VERBS_MAX 3

/* True where there is nothing to judge. */
static bool self_is_free(const struct cleat_review *review)
{
    struct cleat_value metadata = cleat_value_get(review->object, "metadata");
    if (review->subresource.length > 0)
        return true;
    if (review->operation != CLEAT_OPERATION_UPDATE)
        return review->operation != CLEAT_OPERATION_CREATE;
    /* A null isn't a time, and nothing is made deleted. */
    return cleat_value_type(cleat_value_get(metadata, "deletionTimestamp")) == CLEAT_TYPE_STRING ||
           cleat_value_equal(cleat_value_get(review->object, "spec"),
                             cleat_value_get(review->old_object, "spec"));
}

/* ---- mutating ---- */

/* True where apiVersion and kind as they are name something; negative where nobody could say. */
static int self_is_served(struct cleat_discovery *discovery, struct cleat_str api_version,
                          struct cleat_str kind, struct cleat_err *err)
{
    struct cleat_gvk gvk;
    struct cleat_resource resource;
    if (cleat_gvk_parse(&gvk, api_version, kind, NULL) < 0)
        return 0;
    int rc = cleat_discovery_kind(discovery, &gvk, &resource, err);
    if (rc > 0)
        cleat_err_clear(err);
    return rc < 0 ? rc : rc == 0;
}

/* Positive where apiVersion has to be derived: there is none, or it is left over from another
 * kind. */
static int self_needs_version(struct cleat_discovery *discovery, const struct cleat_review *review,
                              struct cleat_err *err)
{
    struct cleat_scratch version_scratch, kind_scratch, old_scratch;
    struct cleat_value source = cleat_value_find(review->object, "spec.source");
    struct cleat_value old = cleat_value_find(review->old_object, "spec.source");
    struct cleat_str version =
        cleat_value_text(cleat_value_get(source, "apiVersion"), &version_scratch);
    struct cleat_str kind = cleat_value_text(cleat_value_get(source, "kind"), &kind_scratch);
    if (version.length == 0)
        return 1;
    if (review->operation != CLEAT_OPERATION_UPDATE ||
        cleat_value_is_str(cleat_value_get(old, "kind"), kind) ||
        !cleat_str_equal(cleat_value_text(cleat_value_get(old, "apiVersion"), &old_scratch),
                         version))
        return 0;
    int served = self_is_served(discovery, version, kind, err);
    return served < 0 ? served : !served;
}

int cleat__mirror_mutate(void *arg, const struct cleat_review *review,
                         struct cleat_verdict *verdict, struct cleat_err *err)
{
    struct cleat_discovery *discovery = cleat_manager_discovery(cleat__mirror_of(arg)->manager);
    struct cleat_value kind_value = cleat_value_find(review->object, "spec.source.kind");
    struct cleat_scratch scratch;
    struct cleat_str kind;
    struct cleat_resource resource;
    char api_version[CLEAT_API_VERSION_BYTES_MAX];
    struct cleat_draft *draft = NULL;
    cleat_verdict_allow(verdict);
    if (self_is_free(review) || cleat_value_str(kind_value, &scratch, &kind) != 0)
        return 0; /* a spec without a kind is the schema's to refuse */
    int rc = self_needs_version(discovery, review, err);
    if (rc <= 0)
        return rc;
    struct cleat_err found = CLEAT_ERR_INIT;
    rc = cleat_discovery_find(discovery, kind.data, &resource, &found);
    if (rc < 0)
        return cleat_err_set(err, rc, "kind %.*s: %s", CLEAT_STR_ARG(kind), cleat_err_text(&found));
    if (rc > 0) {
        if (rc == CLEAT_DISCOVERY_UNKNOWN)
            cleat_verdict_deny(verdict, 422, "Invalid", "spec.source.kind: %s",
                               cleat_err_text(&found));
        else
            cleat_verdict_deny(verdict, 422, "Invalid", "spec.source.apiVersion: %s; give it",
                               cleat_err_text(&found));
        return 0;
    }
    rc = cleat_verdict_draft(verdict, review, &draft, err);
    return rc == 0 ? cleat_draft_set_text(draft, "spec.source.apiVersion",
                                          cleat_gvk_api_version(&resource.gvk, api_version), err)
                   : rc;
}

/* ---- validating ---- */

/* One judgement; the steps return 0 to go on, 1 once the verdict is a denial, or negative. */
struct self_judge {
    struct cleat_mirror *mirror;
    const struct cleat_review *review;
    struct cleat_verdict *verdict;
    struct mirror_spec spec;
    struct cleat_resource resource;
};

static int self_invalid(struct self_judge *judge, const struct cleat_err *why)
{
    cleat_verdict_deny(judge->verdict, 422, "Invalid", "%s", cleat_err_text(why));
    return 1;
}

static int self_judge_spec(struct self_judge *judge, struct cleat_err *err)
{
    struct cleat_err why = CLEAT_ERR_INIT;
    int rc = cleat__mirror_spec_read(judge->review->object, &judge->spec, &why);
    if (rc == 0)
        rc = cleat__mirror_spec_check(&judge->spec, judge->review->name, &why);
    if (rc == -ENOMEM)
        return cleat_err_set(err, rc, "%s", cleat_err_text(&why));
    return rc < 0 ? self_invalid(judge, &why) : 0;
}

static int self_judge_kind(struct self_judge *judge, struct cleat_err *err)
{
    struct cleat_discovery *discovery = cleat_manager_discovery(judge->mirror->manager);
    struct cleat_err why = CLEAT_ERR_INIT;
    struct cleat_gvk gvk;
    const struct mirror_spec *spec = &judge->spec;
    int rc;
    if (spec->api_version.length == 0)
        rc = cleat_discovery_find(discovery, spec->kind.data, &judge->resource, &why);
    else if (cleat_gvk_parse(&gvk, spec->api_version, spec->kind, &why) < 0)
        return self_invalid(judge, &why);
    else
        rc = cleat_discovery_kind(discovery, &gvk, &judge->resource, &why);
    if (rc < 0)
        return cleat_err_set(err, rc, "kind %.*s: %s", CLEAT_STR_ARG(spec->kind),
                             cleat_err_text(&why));
    if (rc == 0)
        rc = cleat__mirror_kind_check(&judge->resource, &why);
    if (rc != 0)
        cleat_err_prefix(&why, "spec.source.kind");
    return rc != 0 ? self_invalid(judge, &why) : 0;
}

static int self_judge_overlap(struct self_judge *judge, struct cleat_err *err)
{
    const struct mirror_spec *spec = &judge->spec;
    struct mirror_overlap overlap;
    int rc = cleat__mirror_overlap_find(judge->mirror->mirrors, judge->mirror->namespaces,
                                        judge->mirror->own_namespace, spec, judge->review->name,
                                        &overlap, err);
    if (rc < 0 || !overlap.mirror[0])
        return rc;
    if (overlap.source)
        cleat_verdict_deny(
            judge->verdict, 422, "Invalid",
            "spec.source: %.*s %.*s/%.*s is itself a copy that Mirror %s keeps; name "
            "the original",
            CLEAT_STR_ARG(spec->kind), CLEAT_STR_ARG(spec->namespace_), CLEAT_STR_ARG(spec->name),
            overlap.mirror);
    else
        cleat_verdict_deny(judge->verdict, 409, "Conflict",
                           "Mirror %s already copies to %.*s %s/%.*s; choose another copy.name or "
                           "other namespaces",
                           overlap.mirror, CLEAT_STR_ARG(spec->kind), overlap.namespace_,
                           CLEAT_STR_ARG(spec->copy_name));
    return 1;
}

static int self_deny_access(struct self_judge *judge, const struct mirror_question *question)
{
    const struct cleat_review *review = judge->review;
    const char *where = question->namespace_[0] ? " in namespace " : " in all namespaces";
    cleat_verdict_deny(judge->verdict, 403, "Forbidden",
                       "%.*s may not %s %s%s%s%s%s, which this Mirror would do",
                       CLEAT_STR_ARG(review->username), question->verb, judge->resource.plural,
                       question->name[0] ? " " : "", question->name, where, question->namespace_);
    return 1;
}

static struct mirror_question self_question(const char *verb, struct cleat_str namespace_,
                                            struct cleat_str name)
{
    struct mirror_question question = {.verb = verb};
    (void)snprintf(question.namespace_, sizeof(question.namespace_), "%.*s",
                   CLEAT_STR_ARG(namespace_));
    (void)snprintf(question.name, sizeof(question.name), "%.*s", CLEAT_STR_ARG(name));
    return question;
}

static int self_ask(struct self_judge *judge, struct mirror_question *questions, size_t count,
                    struct cleat_err *err)
{
    const struct mirror_access access = {
        .client = cleat_manager_client(judge->mirror->manager),
        .jobs = cleat_manager_jobs(judge->mirror->manager),
        .review = judge->review,
        .resource = &judge->resource,
    };
    return cleat__mirror_access_ask(&access, questions, count, err);
}

/* The verbs that were refused for all namespaces, in each that is listed by name; each once. */
static int self_judge_named(struct self_judge *judge, const struct mirror_question *refused,
                            size_t refused_count, struct cleat_err *err)
{
    struct cleat_value names = judge->spec.namespaces;
    size_t count = 0, name_count = cleat_value_count(names);
    CLEAT_CLEANUP(cleat_mem_freep)
    struct mirror_question *questions =
        cleat_mem_zalloc(name_count * refused_count, sizeof(*questions));
    if (!questions)
        return cleat_err_set(err, -ENOMEM, "access reviews: out of memory");
    for (size_t i = 0; i < name_count; i++) {
        struct cleat_scratch scratch;
        bool seen = false;
        struct cleat_str name = cleat_value_text(cleat_value_at(names, i), &scratch);
        for (size_t j = 0; j < i && !seen; j++)
            seen = cleat_value_is_str(cleat_value_at(names, j), name);
        for (size_t v = 0; v < refused_count && !seen; v++)
            questions[count++] = self_question(
                refused[v].verb, name,
                strcmp(refused[v].verb, "create") == 0 ? CLEAT_STR("") : judge->spec.copy_name);
    }
    int rc = self_ask(judge, questions, count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (!questions[i].allowed)
            return self_deny_access(judge, &questions[i]);
    return rc;
}

/* The requester may do by hand what the Mirror will do. */
static int self_judge_access(struct self_judge *judge, struct cleat_err *err)
{
    const struct mirror_spec *spec = &judge->spec;
    struct mirror_question questions[1 + SELF_VERBS_MAX], refused[SELF_VERBS_MAX];
    size_t count = 0, refused_count = 0;
    bool writes = spec->selector || cleat_value_count(spec->namespaces) > 0;
    questions[count++] = self_question("get", spec->namespace_, spec->name);
    if (writes)
        questions[count++] = self_question("create", CLEAT_STR(""), CLEAT_STR(""));
    if (writes && spec->replace) {
        questions[count++] = self_question("update", CLEAT_STR(""), CLEAT_STR(""));
        questions[count++] = self_question("delete", CLEAT_STR(""), CLEAT_STR(""));
    }
    int rc = self_ask(judge, questions, count, err);
    if (rc < 0)
        return rc;
    if (!questions[0].allowed)
        return self_deny_access(judge, &questions[0]);
    for (size_t i = 1; i < count; i++) {
        if (questions[i].allowed)
            continue;
        if (spec->selector)
            return self_deny_access(judge, &questions[i]);
        refused[refused_count++] = questions[i];
    }
    return refused_count > 0 ? self_judge_named(judge, refused, refused_count, err) : 0;
}

/* The source itself, where it's there and we may read it; each pass looks at it again. */
static int self_judge_source(struct self_judge *judge, struct cleat_err *err)
{
    const struct mirror_spec *spec = &judge->spec;
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *source = NULL;
    const struct cleat_client_target target = {&judge->resource, spec->namespace_.data,
                                               spec->name.data, NULL};
    const struct cleat_client_call call = {.deadline_mono_ms = judge->review->deadline_mono_ms};
    struct cleat_err why = CLEAT_ERR_INIT;
    struct cleat_scratch scratch;
    int rc = cleat_client_get(cleat_manager_client(judge->mirror->manager), &target, &call, &source,
                              &why);
    if (rc == -ENOENT) {
        cleat_verdict_warn(judge->verdict, "%.*s %.*s/%.*s doesn't exist yet",
                           CLEAT_STR_ARG(spec->kind), CLEAT_STR_ARG(spec->namespace_),
                           CLEAT_STR_ARG(spec->name));
        return 0;
    }
    if (rc == -EACCES) {
        cleat_verdict_warn(judge->verdict,
                           "Cleat may not read %s: grant it that kind (cleat "
                           "manifests --allow-kind)",
                           judge->resource.plural);
        return 0;
    }
    if (rc < 0)
        return cleat_err_set(err, rc == -ETIMEDOUT ? -EAGAIN : rc, "source: %s",
                             cleat_err_text(&why));
    if (cleat__mirror_source_check(&judge->resource, cleat_object_value(source), &why) < 0) {
        cleat_err_prefix(&why, "spec.source");
        return self_invalid(judge, &why);
    }
    struct cleat_str globs = cleat_value_text(
        cleat_value_get(cleat_object_annotations(source), MIRROR_ALLOWED_ANNOTATION), &scratch);
    if (cleat__mirror_globs_check(globs, &why) < 0)
        cleat_verdict_warn(judge->verdict, "the source: %s", cleat_err_text(&why));
    return 0;
}

int cleat__mirror_validate(void *arg, const struct cleat_review *review,
                           struct cleat_verdict *verdict, struct cleat_err *err)
{
    struct self_judge judge = {
        .mirror = cleat__mirror_of(arg), .review = review, .verdict = verdict};
    int rc = 0;
    if (!self_is_free(review)) {
        rc = self_judge_spec(&judge, err);
        if (rc == 0)
            rc = self_judge_kind(&judge, err);
        if (rc == 0)
            rc = self_judge_overlap(&judge, err);
        if (rc == 0)
            rc = self_judge_access(&judge, err);
        if (rc == 0)
            rc = self_judge_source(&judge, err);
        cleat__mirror_spec_fini(&judge.spec);
    }
    if (rc == 0)
        cleat_verdict_allow(verdict);
    return rc < 0 ? rc : 0;
}
