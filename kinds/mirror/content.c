/* SPDX-License-Identifier: Apache-2.0 */
/* What copies carry of their source. */
#include <errno.h>
#include <stdio.h>

#include "kinds/mirror/copy.h"

static bool content_is_outside(struct cleat_str key)
{
    return cleat_str_is(key, "metadata") || cleat_str_is(key, "status") ||
           cleat_str_is(key, "apiVersion") || cleat_str_is(key, "kind");
}

static void content_path(struct cleat_path *path, size_t count, const char *first,
                         struct cleat_str second)
{
    path->count = count;
    path->bytes_used = 0;
    path->segments[0] = (struct cleat_path_segment){CLEAT_SEGMENT_KEY, cleat_str_of(first), 0};
    path->segments[1] = (struct cleat_path_segment){CLEAT_SEGMENT_KEY, second, 0};
}

static int content_take_members(struct cleat_draft *draft, struct cleat_value root,
                                struct cleat_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < cleat_value_count(root); i++) {
        struct cleat_str key;
        struct cleat_path path;
        struct cleat_value value = cleat_value_member(root, i, &key);
        if (content_is_outside(key))
            continue;
        content_path(&path, 1, key.data, key);
        rc = cleat_draft_set_at(draft, &path, value, err);
    }
    return rc;
}

/* Leaves the wanted keys of one map, and no map where none is left, as the API server does. */
static int content_choose(struct cleat_draft *draft, const struct mirror_spec *spec,
                          struct cleat_value root, const char *member, struct cleat_err *err)
{
    struct cleat_value map = cleat_value_get(root, member);
    size_t kept = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < cleat_value_count(map); i++) {
        struct cleat_str key;
        struct cleat_path path;
        struct cleat_scratch scratch;
        (void)cleat_value_text(cleat_value_member(map, i, &key),
                               &scratch); /* only the key counts */
        if (cleat__mirror_list_has(spec->keys, key)) {
            kept++;
            continue;
        }
        content_path(&path, 2, member, key);
        rc = cleat_draft_remove_at(draft, &path, err);
    }
    if (rc == 0 && kept == 0 && cleat_value_is_present(map))
        rc = cleat_draft_remove(draft, member, err);
    return rc;
}

static void content_note_missing(const struct mirror_spec *spec, struct cleat_value root,
                                 struct mirror_content *content)
{
    size_t used = 0;
    for (size_t i = 0; i < cleat_value_count(spec->keys); i++) {
        struct cleat_scratch scratch;
        struct cleat_str key = cleat_value_text(cleat_value_at(spec->keys, i), &scratch);
        if (cleat_value_is_present(cleat_value_get_str(cleat_value_get(root, "data"), key)) ||
            cleat_value_is_present(cleat_value_get_str(cleat_value_get(root, "binaryData"), key)) ||
            used + key.length + 3 > sizeof(content->missing))
            continue;
        used += (size_t)snprintf(content->missing + used, sizeof(content->missing) - used, "%s%.*s",
                                 used > 0 ? ", " : "", CLEAT_STR_ARG(key));
    }
}

/* What Secrets of a type must hold (core validation); @one_of: any of them will do. */
static const struct {
    const char *type;
    const char *keys[2];
    bool one_of;
} content_types[] = {
    {"kubernetes.io/tls", {"tls.crt", "tls.key"}, false},
    {"kubernetes.io/dockerconfigjson", {".dockerconfigjson", NULL}, false},
    {"kubernetes.io/dockercfg", {".dockercfg", NULL}, false},
    {"kubernetes.io/ssh-auth", {"ssh-privatekey", NULL}, false},
    {"kubernetes.io/basic-auth", {"username", "password"}, true},
};

static bool content_type_holds(struct cleat_value type, struct cleat_value data)
{
    for (size_t i = 0; i < sizeof(content_types) / sizeof(content_types[0]); i++) {
        if (!cleat_value_is(type, content_types[i].type))
            continue;
        bool first = cleat_value_is_present(cleat_value_get(data, content_types[i].keys[0]));
        bool second = !content_types[i].keys[1] ||
                      cleat_value_is_present(cleat_value_get(data, content_types[i].keys[1]));
        return content_types[i].one_of ? first || second : first && second;
    }
    return true;
}

static int content_keys(const struct mirror_spec *spec, const struct cleat_gvk *gvk,
                        struct cleat_value root, struct mirror_content *content,
                        struct cleat_err *err)
{
    int rc = content_choose(content->draft, spec, root, "data", err);
    if (rc == 0)
        rc = content_choose(content->draft, spec, root, "binaryData", err);
    if (rc == 0)
        content_note_missing(spec, root, content);
    if (rc == 0 && strcmp(gvk->kind, "Secret") == 0) {
        struct cleat_value value = CLEAT_VALUE_NONE;
        rc = cleat_draft_freeze(content->draft, &value, err);
        if (rc == 0 &&
            !content_type_holds(cleat_value_get(root, "type"), cleat_value_get(value, "data")))
            rc = cleat_draft_set_text(content->draft, "type", "Opaque", err);
    }
    return rc;
}

bool cleat__mirror_is_service(const struct cleat_gvk *gvk)
{
    return gvk->group[0] == '\0' && strcmp(gvk->kind, "Service") == 0;
}

int cleat__mirror_strip_service(struct cleat_draft *draft, struct cleat_value root,
                                struct cleat_err *err)
{
    static const char *const own[] = {"spec.externalIPs", "spec.loadBalancerIP",
                                      "spec.healthCheckNodePort"};
    struct cleat_value spec = cleat_value_get(root, "spec");
    bool headless = cleat_value_is(cleat_value_get(spec, "clusterIP"), "None");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(own) / sizeof(own[0]); i++)
        rc = cleat_draft_remove(draft, own[i], err);
    if (rc == 0 && !headless)
        rc = cleat_draft_remove(draft, "spec.clusterIP", err);
    if (rc == 0 && !headless)
        rc = cleat_draft_remove(draft, "spec.clusterIPs", err);
    for (size_t i = 0; rc == 0 && i < cleat_value_count(cleat_value_get(spec, "ports")); i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "spec.ports[%zu].nodePort", i);
        rc = cleat_draft_remove(draft, path, err);
    }
    return rc;
}

int cleat__mirror_content_make(const struct mirror_spec *spec, const struct cleat_gvk *gvk,
                               struct cleat_value root, struct mirror_content *ret,
                               struct cleat_err *err)
{
    *ret = (struct mirror_content){0};
    int rc = cleat_draft_new(CLEAT_VALUE_NONE, &ret->draft, err);
    if (rc == 0)
        rc = content_take_members(ret->draft, root, err);
    if (rc == 0 && cleat__mirror_spec_has_keys(spec))
        rc = content_keys(spec, gvk, root, ret, err);
    if (rc == 0 && cleat__mirror_is_service(gvk))
        rc = cleat__mirror_strip_service(ret->draft, root, err);
    if (rc == 0)
        rc = cleat_draft_freeze(ret->draft, &ret->value, err);
    if (rc < 0)
        cleat__mirror_content_fini(ret);
    return rc;
}

void cleat__mirror_content_fini(struct mirror_content *content)
{
    content->draft = cleat_draft_free(content->draft);
    content->value = CLEAT_VALUE_NONE;
}

/* True where each member of @a that counts is equal in @b; *@ret_count: how many that were. */
static bool content_covers(struct cleat_value a, struct cleat_value b, size_t *ret_count)
{
    *ret_count = 0;
    for (size_t i = 0; i < cleat_value_count(a); i++) {
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(a, i, &key);
        if (content_is_outside(key))
            continue;
        ++*ret_count;
        if (!cleat_value_equal(value, cleat_value_get_str(b, key)))
            return false;
    }
    return true;
}

bool cleat__mirror_same_content(struct cleat_value a, struct cleat_value b)
{
    size_t a_count, b_count = 0;
    if (!content_covers(a, b, &a_count))
        return false;
    for (size_t i = 0; i < cleat_value_count(b); i++) {
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(b, i, &key);
        b_count += cleat_value_is_present(value) && !content_is_outside(key);
    }
    return a_count == b_count;
}
