/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of kinds and resources. A gvk names what an object is, a resource what the API server
 * serves it as (from discovery). Fixed-size, copied by value; any thread.
 */
#ifndef CLEAT_GVK_H
#define CLEAT_GVK_H

#include <stdbool.h>
#include <cleat/err.h>
#include <cleat/macro.h>
#include <cleat/str.h>

CLEAT_BEGIN

#define CLEAT_GROUP_BYTES_MAX 254
#define CLEAT_VERSION_BYTES_MAX 64
#define CLEAT_KIND_BYTES_MAX 64

struct cleat_gvk {
    char group[CLEAT_GROUP_BYTES_MAX]; /* "" is core */
    char version[CLEAT_VERSION_BYTES_MAX];
    char kind[CLEAT_KIND_BYTES_MAX];
};

/** One resource as discovery lists it. */
struct cleat_resource {
    struct cleat_gvk gvk;
    char plural[CLEAT_KIND_BYTES_MAX];
    char singular[CLEAT_KIND_BYTES_MAX];
    bool namespaced;
    unsigned verbs; /* CLEAT_VERB_… */
};

enum cleat_verb {
    CLEAT_VERB_GET = 1 << 0,
    CLEAT_VERB_LIST = 1 << 1,
    CLEAT_VERB_WATCH = 1 << 2,
    CLEAT_VERB_CREATE = 1 << 3,
    CLEAT_VERB_UPDATE = 1 << 4,
    CLEAT_VERB_PATCH = 1 << 5,
    CLEAT_VERB_DELETE = 1 << 6,
    CLEAT_VERB_DELETECOLLECTION = 1 << 7,
};

/** A gvk from its parts; -ENAMETOOLONG. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_gvk_make(struct cleat_gvk *ret, const char *group,
                                                 const char *version, const char *kind);
/** A gvk from "apps/v1" or "v1" and a kind. -EINVAL for more than one slash or an empty part. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_gvk_parse(struct cleat_gvk *ret,
                                                  struct cleat_str api_version,
                                                  struct cleat_str kind, struct cleat_err *err);
/** True where group, version and kind are the same. */
CLEAT_EXPORT bool cleat_gvk_equal(const struct cleat_gvk *a, const struct cleat_gvk *b);
/** Group and kind only. */
CLEAT_EXPORT bool cleat_gvk_same_kind(const struct cleat_gvk *a, const struct cleat_gvk *b);

#define CLEAT_API_VERSION_BYTES_MAX (CLEAT_GROUP_BYTES_MAX + CLEAT_VERSION_BYTES_MAX)
/** Writes "group/version", or "version" for core, with its NUL; returns @text. */
CLEAT_EXPORT const char *cleat_gvk_api_version(const struct cleat_gvk *gvk,
                                               char text[CLEAT_API_VERSION_BYTES_MAX]);

CLEAT_END

#endif
