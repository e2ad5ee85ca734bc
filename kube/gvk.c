/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/gvk.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* Copies @text with its NUL into @room bytes; false where it doesn't fit or holds a NUL. */
static bool gvk_copy(char *out, size_t room, struct cleat_str text)
{
    if (text.length >= room || (text.length && memchr(text.data, '\0', text.length)))
        return false;
    if (text.length)
        memcpy(out, text.data, text.length);
    memset(out + text.length, 0, room - text.length);
    return true;
}

int cleat_gvk_make(struct cleat_gvk *ret, const char *group, const char *version, const char *kind)
{
    struct cleat_gvk gvk;
    cleat_assert(ret);
    if (!gvk_copy(gvk.group, sizeof(gvk.group), cleat_str_of(group)) ||
        !gvk_copy(gvk.version, sizeof(gvk.version), cleat_str_of(version)) ||
        !gvk_copy(gvk.kind, sizeof(gvk.kind), cleat_str_of(kind)))
        return -ENAMETOOLONG;
    *ret = gvk;
    return 0;
}

int cleat_gvk_parse(struct cleat_gvk *ret, struct cleat_str api_version, struct cleat_str kind,
                    struct cleat_err *err)
{
    struct cleat_gvk gvk;
    struct cleat_str group = {"", 0};
    struct cleat_str version = api_version;
    const char *slash =
        api_version.length ? memchr(api_version.data, '/', api_version.length) : NULL;
    cleat_assert(ret);
    if (slash) {
        group = (struct cleat_str){api_version.data, (size_t)(slash - api_version.data)};
        version = (struct cleat_str){slash + 1, api_version.length - group.length - 1};
    }
    if (version.length == 0 || (slash && group.length == 0) ||
        memchr(version.data, '/', version.length))
        return cleat_err_set(err, -EINVAL, "apiVersion \"%.*s\" isn't version or group/version",
                             CLEAT_STR_ARG(api_version));
    if (kind.length == 0)
        return cleat_err_set(err, -EINVAL, "kind is empty (apiVersion \"%.*s\")",
                             CLEAT_STR_ARG(api_version));
    if (!gvk_copy(gvk.group, sizeof(gvk.group), group) ||
        !gvk_copy(gvk.version, sizeof(gvk.version), version) ||
        !gvk_copy(gvk.kind, sizeof(gvk.kind), kind))
        return cleat_err_set(err, -EINVAL, "apiVersion or kind is too long or holds a NUL");
    *ret = gvk;
    return 0;
}

bool cleat_gvk_same_kind(const struct cleat_gvk *a, const struct cleat_gvk *b)
{
    return strcmp(a->kind, b->kind) == 0 && strcmp(a->group, b->group) == 0;
}

bool cleat_gvk_equal(const struct cleat_gvk *a, const struct cleat_gvk *b)
{
    return cleat_gvk_same_kind(a, b) && strcmp(a->version, b->version) == 0;
}

const char *cleat_gvk_api_version(const struct cleat_gvk *gvk,
                                  char text[CLEAT_API_VERSION_BYTES_MAX])
{
    int length = snprintf(text, CLEAT_API_VERSION_BYTES_MAX, "%s%s%s", gvk->group,
                          gvk->group[0] ? "/" : "", gvk->version);
    cleat_assert(length >= 0 && (size_t)length < CLEAT_API_VERSION_BYTES_MAX);
    return text;
}
