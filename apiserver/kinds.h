/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources: what the server serves, built in (kinds.def) or from a CustomResourceDefinition. A
 * resource has one storage and one or more versions. Built-in ones are static rows turned into
 * resources at the start.
 */
#ifndef CLEAT_APISERVER_KINDS_H
#define CLEAT_APISERVER_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>
#include <cleat/str.h>

/* What is special about a resource. */
enum cleat_api_flag {
    CLEAT_API_NAMESPACED = 1 << 0,
    CLEAT_API_STATUS = 1 << 1, /* has the status subresource; the main one ignores status */
    CLEAT_API_SCALE = 1 << 2,  /* has the scale subresource */
    CLEAT_API_GENERATION =
        1 << 3, /* metadata.generation counts changes outside metadata and status */
    CLEAT_API_OVERWRITE = 1 << 4,   /* PUT without resourceVersion overwrites */
    CLEAT_API_UPSERT = 1 << 5,      /* PUT creates what isn't there */
    CLEAT_API_REVIEW = 1 << 6,      /* only create, and nothing is stored */
    CLEAT_API_CUSTOM = 1 << 7,      /* from a CustomResourceDefinition */
    CLEAT_API_LABEL_NAMES = 1 << 8, /* names are DNS labels */
    CLEAT_API_PATH_NAMES = 1 << 9,  /* names are path segments (RBAC) */
    CLEAT_API_ORPHANS = 1 << 10,    /* the default propagation is orphan (batch/v1 jobs) */
};

/** One row of kinds.def. */
struct cleat_api_kind {
    const char *group;
    const char *version;
    const char *kind;
    const char *plural;
    const char *singular;
    const char *short_names; /* "po" or "rs,rset"; "" */
    const char *categories;  /* "all"; "" */
    unsigned flags;
};

/** The rows; @ret_count of them. Static. */
const struct cleat_api_kind *cleat_api_kinds(size_t *ret_count);

#endif
