/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration cleat-copies has rules for exactly the kinds that Mirrors name now. It is
 * changed with its resourceVersion and only where it differs; never made: while an uninstall takes
 * it away, nothing brings it back.
 */
#include "kinds/mirror/hooks.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cleat/write.h>

#include "base/check.h"
#include "base/mem.h"
#include "kinds/mirror/never.h"
#include "kinds/mirror/state.h"

#define HOOKS_BYTES_MAX (1024 * 1024)
#define HOOKS_KINDS_MAX 512

struct hooks_kinds {
    struct cleat_mirror *mirror;
    struct mirror_hooks_kind *list;
    size_t count;
    struct cleat_err *err;
};

static int kinds_compare(const void *a, const void *b)
{
    const struct mirror_hooks_kind *left = a, *right = b;
    int order = strcmp(left->group, right->group);
    if (order == 0)
        order = strcmp(left->plural, right->plural);
    return order != 0 ? order : strcmp(left->version, right->version);
}

static int kinds_add(struct hooks_kinds *kinds, const struct cleat_resource *resource)
{
    struct mirror_hooks_kind *kind = &kinds->list[kinds->count];
    if (kinds->count == HOOKS_KINDS_MAX)
        return cleat_err_set(kinds->err, -ENOBUFS, "more than %d kinds are mirrored",
                             HOOKS_KINDS_MAX);
    (void)snprintf(kind->group, sizeof(kind->group), "%s", resource->gvk.group);
    (void)snprintf(kind->version, sizeof(kind->version), "%s", resource->gvk.version);
    (void)snprintf(kind->plural, sizeof(kind->plural), "%s", resource->plural);
    for (size_t i = 0; i < kinds->count; i++)
        if (kinds_compare(&kinds->list[i], kind) == 0)
            return 0;
    kinds->count++;
    return 0;
}

/* A kind that can't be mirrored has no copies to be guarded. */
static int kinds_visit(void *arg, struct cleat_object *object)
{
    struct hooks_kinds *kinds = arg;
    struct cleat_discovery *discovery = cleat_manager_discovery(kinds->mirror->manager);
    struct mirror_spec spec;
    struct cleat_gvk gvk;
    struct cleat_resource resource;
    if (cleat_object_deleting(object) ||
        cleat__mirror_spec_read(cleat_object_value(object), &spec, NULL) < 0)
        return 0;
    int rc = CLEAT_DISCOVERY_UNKNOWN;
    if (spec.api_version.length == 0)
        rc = cleat_discovery_find(discovery, spec.kind.data, &resource, kinds->err);
    else if (cleat_gvk_parse(&gvk, spec.api_version, spec.kind, NULL) == 0)
        rc = cleat_discovery_kind(discovery, &gvk, &resource, kinds->err);
    cleat__mirror_spec_fini(&spec);
    if (rc < 0)
        return rc;
    cleat_err_clear(kinds->err);
    return rc == 0 && cleat__mirror_kind_check(&resource, NULL) == 0 ? kinds_add(kinds, &resource)
                                                                     : 0;
}

static void hooks_write_rules(const struct mirror_hooks_kind *kinds, size_t count,
                              struct cleat_buffer *json)
{
    for (size_t i = 0; i < count; i++) {
        cleat_buffer_text(json, i > 0 ? ",{\"apiGroups\":[" : "{\"apiGroups\":[");
        cleat_write_string(json, cleat_str_of(kinds[i].group));
        cleat_buffer_text(json, "],\"apiVersions\":[");
        cleat_write_string(json, cleat_str_of(kinds[i].version));
        cleat_buffer_text(json, "],\"operations\":[\"UPDATE\",\"DELETE\"],\"resources\":[");
        cleat_write_string(json, cleat_str_of(kinds[i].plural));
        cleat_buffer_text(json, "],\"scope\":\"Namespaced\"}");
    }
}

/* Steals @text; NULL is lack of memory, never an empty text. */
static void hooks_write_made(char *text, struct cleat_buffer *json)
{
    if (text)
        cleat_write_string(json, cleat_str_of(text));
    else
        json->failed = -ENOMEM;
    cleat_mem_free(text);
}

static void hooks_write_client(const struct mirror_hooks_where *where, struct cleat_str bundle,
                               struct cleat_buffer *json)
{
    if (where->url) {
        struct cleat_str url = cleat_str_of(where->url);
        while (url.length > 0 && url.data[url.length - 1] == '/')
            url.length--;
        char *text = cleat_mem_format("%.*s%s", CLEAT_STR_ARG(url), CLEAT_MIRROR_COPIES_PATH);
        cleat_buffer_text(json, "{\"url\":");
        hooks_write_made(text, json);
    } else {
        cleat_buffer_text(json, "{\"service\":{\"name\":\"cleat\",\"namespace\":");
        cleat_write_string(json, cleat_str_of(where->namespace_));
        cleat_buffer_text(json, ",\"path\":\"" CLEAT_MIRROR_COPIES_PATH "\",\"port\":443}");
    }
    if (bundle.length > 0) {
        cleat_buffer_text(json, ",\"caBundle\":");
        cleat_write_string(json, bundle);
    }
    cleat_buffer_byte(json, '}');
}

/* What isn't ours to guard: our own namespace and that of the cluster's parts. */
static void hooks_write_namespaces(const struct mirror_hooks_where *where,
                                   struct cleat_buffer *json)
{
    cleat_buffer_text(json, "\"namespaceSelector\":{\"matchExpressions\":[{\"key\":"
                            "\"kubernetes.io/metadata.name\",\"operator\":\"NotIn\","
                            "\"values\":[\"kube-system\",");
    cleat_write_string(json, cleat_str_of(where->namespace_));
    cleat_buffer_text(json, "]}]},");
}

/* A call less for each of our own writes. A name that a CEL literal can't hold as it is goes
 * without. */
static void hooks_write_conditions(const struct mirror_hooks_where *where,
                                   struct cleat_buffer *json)
{
    if (!where->username || strpbrk(where->username, "'\\\n\r"))
        return;
    char *text = cleat_mem_format("request.userInfo.username != '%s'", where->username);
    cleat_buffer_text(json, "\"matchConditions\":[{\"name\":\"not-by-cleat\",\"expression\":");
    hooks_write_made(text, json);
    cleat_buffer_text(json, "}],");
}

/* All fields that the API server would fill in are there, so that they compare equal. */
static void hooks_write_own(const struct mirror_hooks_where *where, struct cleat_str bundle,
                            const struct mirror_hooks_kind *kinds, size_t count,
                            struct cleat_buffer *json)
{
    cleat_buffer_text(json, "{\"name\":\"" MIRROR_HOOKS_NAME "\",\"clientConfig\":");
    hooks_write_client(where, bundle, json);
    cleat_buffer_text(json, ",\"rules\":[");
    hooks_write_rules(kinds, count, json);
    cleat_buffer_text(json, "],\"failurePolicy\":\"Ignore\",\"matchPolicy\":\"Equivalent\",");
    hooks_write_namespaces(where, json);
    hooks_write_conditions(where, json);
    cleat_buffer_text(json, "\"objectSelector\":{\"matchExpressions\":[{\"key\":\"" MIRROR_LABEL
                            "\",\"operator\":\"Exists\"}]},\"sideEffects\":\"None\","
                            "\"timeoutSeconds\":5,\"admissionReviewVersions\":[\"v1\"]}");
}

static bool hook_is_own(struct cleat_value hook)
{
    return cleat_value_is(cleat_value_get(hook, "name"), MIRROR_HOOKS_NAME);
}

struct cleat_value cleat__mirror_hooks_own(struct cleat_value hooks)
{
    for (size_t i = 0; i < cleat_value_count(hooks); i++)
        if (hook_is_own(cleat_value_at(hooks, i)))
            return cleat_value_at(hooks, i);
    return CLEAT_VALUE_NONE;
}

static void hooks_write_comma(size_t *written, struct cleat_buffer *json)
{
    if ((*written)++ > 0)
        cleat_buffer_byte(json, ',');
}

int cleat__mirror_hooks_write(const struct mirror_hooks_where *where, struct cleat_str bundle,
                              const struct mirror_hooks_kind *kinds, size_t count,
                              struct cleat_value have, struct cleat_buffer *json)
{
    size_t written = 0;
    bool own = count == 0; /* written, or not to be */
    cleat_buffer_byte(json, '[');
    for (size_t i = 0; i < cleat_value_count(have); i++) {
        struct cleat_value hook = cleat_value_at(have, i);
        if (hook_is_own(hook) && own)
            continue; /* the API server refuses a second of the name anyway */
        hooks_write_comma(&written, json);
        if (hook_is_own(hook)) {
            hooks_write_own(where, bundle, kinds, count, json);
            own = true;
        } else if (cleat_write_json(json, hook, NULL) < 0) {
            json->failed = -ENOMEM;
        }
    }
    if (!own) {
        hooks_write_comma(&written, json);
        hooks_write_own(where, bundle, kinds, count, json);
    }
    cleat_buffer_byte(json, ']');
    return json->failed;
}

/* The bundle that stands there already, or the one that our other configuration has. */
static struct cleat_str hooks_bundle(struct cleat_value have, const struct cleat_object *other,
                                     struct cleat_scratch *scratch)
{
    struct cleat_value others =
        other ? cleat_value_get(cleat_object_value(other), "webhooks") : CLEAT_VALUE_NONE;
    const struct cleat_value hooks[] = {cleat__mirror_hooks_own(have), cleat_value_at(others, 0)};
    for (size_t i = 0; i < 2; i++) {
        struct cleat_value hook = hooks[i];
        struct cleat_value config = cleat_value_get(hook, "clientConfig");
        struct cleat_str bundle = cleat_value_text(cleat_value_get(config, "caBundle"), scratch);
        if (bundle.length > 0)
            return bundle;
    }
    return CLEAT_STR("");
}

static int hooks_update(const struct cleat_context *context, struct cleat_object *configuration,
                        const char *json, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    const struct cleat_client_target target = {&mirror_configuration_resource, NULL,
                                               MIRROR_COPIES_CONFIGURATION, NULL};
    struct cleat_client_call call = {.deadline_mono_ms = context->deadline_mono_ms};
    int rc = cleat_draft_new(cleat_object_value(configuration), &draft, err);
    if (rc == 0)
        rc = cleat_draft_remove(draft, "metadata.managedFields", err);
    if (rc == 0)
        rc = cleat_draft_set_json(draft, "webhooks", json, err);
    return rc == 0 ? cleat_client_update_draft(context->client, &target, configuration, draft,
                                               &call, NULL, err)
                   : rc;
}

static bool hooks_same(struct cleat_value have, const char *json)
{
    struct cleat_document *wanted = NULL;
    if (cleat_document_parse(cleat_str_of(json), &wanted, NULL) < 0)
        return false;
    struct cleat_value root = cleat_document_root(wanted);
    bool same = cleat_value_equal(have, root) ||
                (cleat_value_count(have) == 0 && cleat_value_count(root) == 0);
    cleat_document_unref(wanted);
    return same;
}

static int hooks_keep(struct cleat_mirror *mirror, const struct cleat_context *context,
                      struct cleat_object *configuration, struct hooks_kinds *kinds,
                      struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *other = NULL;
    struct cleat_buffer json = CLEAT_BUFFER_INIT(HOOKS_BYTES_MAX);
    struct cleat_scratch scratch;
    const struct mirror_hooks_where where = {
        mirror->webhook_url, mirror->own_namespace,
        atomic_load_explicit(&mirror->own_username, memory_order_acquire)};
    int rc = cleat_store_lookup(mirror->configurations, CLEAT_STR(""),
                                CLEAT_STR(MIRROR_VALIDATING_CONFIGURATION), &other);
    if (rc < 0) /* but where it isn't there, there is no bundle yet */
        return cleat_err_set(err, rc, MIRROR_VALIDATING_CONFIGURATION " can't be read");
    struct cleat_value have = cleat_value_get(cleat_object_value(configuration), "webhooks");
    if (kinds->count > 1)
        qsort(kinds->list, kinds->count, sizeof(*kinds->list), kinds_compare);
    rc = cleat__mirror_hooks_write(&where, hooks_bundle(have, other, &scratch), kinds->list,
                                   kinds->count, have, &json);
    if (rc < 0)
        rc = cleat_err_set(err, rc, MIRROR_COPIES_CONFIGURATION ": out of memory");
    else if (!hooks_same(have, json.data))
        rc = hooks_update(context, configuration, json.data, err);
    cleat_buffer_fini(&json);
    return rc;
}

int cleat__mirror_hooks_reconcile(void *arg, const struct cleat_context *context,
                                  const struct cleat_request *request, struct cleat_result *result,
                                  struct cleat_err *err)
{
    struct cleat_mirror *mirror = cleat__mirror_of(arg);
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *configuration = NULL;
    struct cleat_err local = CLEAT_ERR_INIT;
    struct hooks_kinds kinds = {.mirror = mirror, .err = &local};
    int rc = cleat_store_lookup(mirror->configurations, CLEAT_STR(""),
                                CLEAT_STR(MIRROR_COPIES_CONFIGURATION), &configuration);
    if (rc != 0) /* lack of memory isn't taken for its absence */
        return rc < 0 ? cleat_err_set(err, rc, MIRROR_COPIES_CONFIGURATION " can't be read") : 0;
    kinds.list = cleat_mem_zalloc(HOOKS_KINDS_MAX + 1, sizeof(*kinds.list));
    if (!kinds.list)
        return cleat_err_set(err, -ENOMEM, MIRROR_COPIES_CONFIGURATION ": out of memory");
    rc = cleat_store_each(mirror->mirrors, NULL, kinds_visit, &kinds);
    if (rc == -ENOMEM)
        (void)cleat_err_set(&local, rc, "out of memory"); /* returned below */
    if (rc == 0)
        rc = hooks_keep(mirror, context, configuration, &kinds, &local);
    cleat_mem_free(kinds.list);
    if (rc == -EAGAIN || rc == -ENOENT) {
        result->requeue_after_ms = 1000; /* changed meanwhile; an event tells as well */
        return 0;
    }
    return rc < 0
               ? cleat_err_set(err, rc, MIRROR_COPIES_CONFIGURATION ": %s", cleat_err_text(&local))
               : 0;
}
