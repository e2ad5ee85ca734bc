/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: two requests where the server knows aggregated discovery (apidiscovery.k8s.io/v2), else
 * one for each group and version. One group's failure is kept beside the others' resources.
 */
#include "client/discovery.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "client/client.h"

#define DISCOVERY_ACCEPT                                                         \
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"      \
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList," \
    "application/json"

struct load {
    struct cleat_client *client;
    struct discovery_table *table;
};

static const struct {
    const char *name;
    unsigned verb;
} load_verbs[] = {
    {"get", CLEAT_VERB_GET},       {"list", CLEAT_VERB_LIST},
    {"watch", CLEAT_VERB_WATCH},   {"create", CLEAT_VERB_CREATE},
    {"update", CLEAT_VERB_UPDATE}, {"patch", CLEAT_VERB_PATCH},
    {"delete", CLEAT_VERB_DELETE}, {"deletecollection", CLEAT_VERB_DELETECOLLECTION},
};

static unsigned load_verb_bits(struct cleat_value verbs)
{
    unsigned bits = 0;
    for (size_t i = 0; i < cleat_value_count(verbs); i++) {
        for (size_t k = 0; k < sizeof(load_verbs) / sizeof(load_verbs[0]); k++)
            if (cleat_value_is(cleat_value_at(verbs, i), load_verbs[k].name))
                bits |= load_verbs[k].verb;
    }
    return bits;
}

/* Copies a string member; false where it's too long or holds NUL. */
static bool load_text(struct cleat_value object, const char *key, char *out, size_t size)
{
    struct cleat_scratch scratch;
    struct cleat_str text = cleat_value_text(cleat_value_get(object, key), &scratch);
    if (text.length >= size || (text.length > 0 && memchr(text.data, '\0', text.length)))
        return false;
    if (text.length > 0)
        memcpy(out, text.data, text.length);
    out[text.length] = '\0';
    return true;
}

static void load_copy(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
}

static int table_add(struct discovery_table *table, const struct cleat_resource *resource)
{
    if (table->count == DISCOVERY_RESOURCES_MAX)
        return -ENOBUFS;
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 128;
        void *longer = cleat_mem_realloc(table->resources, capacity * sizeof(*resource));
        if (!longer)
            return -ENOMEM;
        table->resources = longer;
        table->capacity = capacity;
    }
    table->resources[table->count++] = *resource;
    return 0;
}

static int table_fail(struct discovery_table *table, const char *group, const struct cleat_err *err)
{
    if (table->failure_count == DISCOVERY_FAILURES_MAX)
        return 0;
    size_t bytes = (table->failure_count + 1) * sizeof(*table->failures);
    struct discovery_failure *longer = cleat_mem_realloc(table->failures, bytes);
    if (!longer)
        return -ENOMEM;
    table->failures = longer;
    struct discovery_failure *failure = &longer[table->failure_count++];
    load_copy(failure->group, sizeof(failure->group), group);
    failure->err = *err;
    return 0;
}

/* What isn't there is no failure: its kinds aren't served. Running out of memory ends everything.
 */
static int load_failed(struct load *load, const char *group, int result, struct cleat_err *err)
{
    if (result == -ENOMEM)
        return result;
    err->code = result;
    return err->http_status == 404 ? 0 : table_fail(load->table, group, err);
}

void cleat__discovery_table_fini(struct discovery_table *table)
{
    cleat_mem_free(table->resources);
    cleat_mem_free(table->failures);
    *table = (struct discovery_table){0};
}

/* An entry that names no kind or no plural serves nobody and is left out. */
static int load_add(struct load *load, const char *group, const char *version,
                    struct cleat_resource *resource)
{
    if (!resource->gvk.kind[0] || !resource->plural[0] || strchr(resource->plural, '/'))
        return 0;
    load_copy(resource->gvk.group, sizeof(resource->gvk.group), group);
    load_copy(resource->gvk.version, sizeof(resource->gvk.version), version);
    if (!resource->singular[0]) {
        for (size_t i = 0; resource->gvk.kind[i]; i++) {
            char c = resource->gvk.kind[i];
            resource->singular[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        }
    }
    return table_add(load->table, resource);
}

/* An APIResourceDiscovery. */
static int load_aggregated_resource(struct load *load, const char *group, const char *version,
                                    struct cleat_value entry)
{
    struct cleat_resource resource = {.verbs = load_verb_bits(cleat_value_get(entry, "verbs"))};
    struct cleat_value kind = cleat_value_get(entry, "responseKind");
    if (!load_text(kind, "kind", resource.gvk.kind, sizeof(resource.gvk.kind)) ||
        !load_text(entry, "resource", resource.plural, sizeof(resource.plural)) ||
        !load_text(entry, "singularResource", resource.singular, sizeof(resource.singular)))
        return 0;
    resource.namespaced = cleat_value_is(cleat_value_get(entry, "scope"), "Namespaced");
    return load_add(load, group, version, &resource);
}

static int load_stale(struct load *load, const char *group, const char *version)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    (void)cleat_err_set(&err, -EAGAIN, "discovery: %s/%s is served by nobody at present", group,
                        version);
    return table_fail(load->table, group, &err);
}

static int load_aggregated_version(struct load *load, const char *group, struct cleat_value entry)
{
    char version[CLEAT_VERSION_BYTES_MAX];
    if (!load_text(entry, "version", version, sizeof(version)) || !version[0])
        return 0;
    struct cleat_value resources = cleat_value_get(entry, "resources");
    if (cleat_value_is(cleat_value_get(entry, "freshness"), "Stale") &&
        cleat_value_count(resources) == 0)
        return load_stale(load, group, version);
    int result = 0;
    for (size_t i = 0; result == 0 && i < cleat_value_count(resources); i++)
        result = load_aggregated_resource(load, group, version, cleat_value_at(resources, i));
    return result;
}

/* An APIGroupDiscoveryList: versions in order of preference. */
static int load_aggregated(struct load *load, struct cleat_value root)
{
    int result = 0;
    struct cleat_value groups = cleat_value_get(root, "items");
    for (size_t i = 0; result == 0 && i < cleat_value_count(groups); i++) {
        char group[CLEAT_GROUP_BYTES_MAX];
        struct cleat_value entry = cleat_value_at(groups, i);
        if (!load_text(cleat_value_get(entry, "metadata"), "name", group, sizeof(group)))
            continue;
        struct cleat_value versions = cleat_value_get(entry, "versions");
        for (size_t k = 0; result == 0 && k < cleat_value_count(versions); k++)
            result = load_aggregated_version(load, group, cleat_value_at(versions, k));
    }
    return result;
}

static int load_get(struct load *load, const char *path, const char *accept,
                    struct cleat_document **ret, struct cleat_err *err)
{
    struct client_send send;
    cleat__client_send_init(&send, "GET", NULL);
    send.accept = accept;
    send.gzip = true;
    cleat_buffer_text(&send.path, path);
    int result = cleat__client_send(load->client, &send, ret, err);
    cleat__client_send_fini(&send);
    return result;
}

/* An APIResource of the older form. */
static int load_legacy_resource(struct load *load, const char *group, const char *version,
                                struct cleat_value entry)
{
    struct cleat_resource resource = {.verbs = load_verb_bits(cleat_value_get(entry, "verbs"))};
    if (!load_text(entry, "kind", resource.gvk.kind, sizeof(resource.gvk.kind)) ||
        !load_text(entry, "name", resource.plural, sizeof(resource.plural)) ||
        !load_text(entry, "singularName", resource.singular, sizeof(resource.singular)))
        return 0;
    resource.namespaced = cleat_value_is_true(cleat_value_get(entry, "namespaced"));
    return load_add(load, group, version, &resource);
}

static int load_legacy_version(struct load *load, const char *group, const char *version)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *list = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_buffer path = CLEAT_BUFFER_INIT(1024);
    cleat_buffer_text(&path, group[0] ? "/apis/" : "/api");
    cleat_query_escape(&path, cleat_str_of(group));
    cleat_buffer_byte(&path, '/');
    cleat_query_escape(&path, cleat_str_of(version));
    int result = path.failed ? path.failed : load_get(load, path.data, NULL, &list, &err);
    cleat_buffer_fini(&path);
    if (result < 0)
        return load_failed(load, group, result, &err);
    struct cleat_value resources = cleat_value_get(cleat_document_root(list), "resources");
    for (size_t i = 0; result == 0 && i < cleat_value_count(resources); i++)
        result = load_legacy_resource(load, group, version, cleat_value_at(resources, i));
    return result;
}

/* The preferred version first, then the others as they stand. */
static int load_legacy_group(struct load *load, struct cleat_value entry)
{
    char group[CLEAT_GROUP_BYTES_MAX];
    char preferred[CLEAT_VERSION_BYTES_MAX];
    if (!load_text(entry, "name", group, sizeof(group)) ||
        !load_text(cleat_value_get(entry, "preferredVersion"), "version", preferred,
                   sizeof(preferred)))
        return 0;
    int result = preferred[0] ? load_legacy_version(load, group, preferred) : 0;
    struct cleat_value versions = cleat_value_get(entry, "versions");
    for (size_t i = 0; result == 0 && i < cleat_value_count(versions); i++) {
        char version[CLEAT_VERSION_BYTES_MAX];
        if (load_text(cleat_value_at(versions, i), "version", version, sizeof(version)) &&
            version[0] && strcmp(version, preferred) != 0)
            result = load_legacy_version(load, group, version);
    }
    return result;
}

static int load_legacy_core(struct load *load, struct cleat_value root)
{
    struct cleat_value versions = cleat_value_get(root, "versions");
    int result = 0;
    for (size_t i = 0; result == 0 && i < cleat_value_count(versions); i++) {
        struct cleat_scratch scratch;
        struct cleat_str text = cleat_value_text(cleat_value_at(versions, i), &scratch);
        char version[CLEAT_VERSION_BYTES_MAX];
        if (text.length > 0 && text.length < sizeof(version)) {
            (void)snprintf(version, sizeof(version), "%.*s", CLEAT_STR_ARG(text));
            result = load_legacy_version(load, "", version);
        }
    }
    return result;
}

static int load_legacy_groups(struct load *load, struct cleat_value root)
{
    struct cleat_value groups = cleat_value_get(root, "groups");
    int result = 0;
    for (size_t i = 0; result == 0 && i < cleat_value_count(groups); i++)
        result = load_legacy_group(load, cleat_value_at(groups, i));
    return result;
}

static int load_path(struct load *load, const char *path, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *answer = NULL;
    int result = load_get(load, path, DISCOVERY_ACCEPT, &answer, err);
    if (result < 0)
        return result;
    struct cleat_value root = cleat_document_root(answer);
    struct cleat_value kind = cleat_value_get(root, "kind");
    if (cleat_value_is(kind, "APIGroupDiscoveryList"))
        return load_aggregated(load, root);
    if (cleat_value_is(kind, "APIVersions"))
        return load_legacy_core(load, root);
    if (cleat_value_is(kind, "APIGroupList"))
        return load_legacy_groups(load, root);
    return cleat_err_set(err, -EPROTO, "GET %s%s: not a discovery document",
                         cleat_client_server(load->client), path);
}

int cleat__discovery_load(struct cleat_client *client, struct discovery_table *ret,
                          struct cleat_err *err)
{
    struct discovery_table table = {0};
    struct load load = {client, &table};
    struct cleat_err core = CLEAT_ERR_INIT;
    struct cleat_err groups = CLEAT_ERR_INIT;
    int core_result = load_path(&load, "/api", &core);
    int groups_result = load_path(&load, "/apis", &groups);
    int result = core_result < 0 && groups_result < 0 ? groups_result : 0;
    if (result == 0 && core_result < 0)
        result = load_failed(&load, "", core_result, &core);
    if (result == 0 && groups_result < 0)
        result = load_failed(&load, "*", groups_result, &groups);
    if (result < 0) {
        if (err && err->code == 0)
            *err = groups;
        cleat__discovery_table_fini(&table);
        return result;
    }
    *ret = table;
    return 0;
}
