/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Would two Mirrors write the same object? Answered from the cache; any thread.
 */
#ifndef CLEAT_KINDS_MIRROR_OVERLAP_H
#define CLEAT_KINDS_MIRROR_OVERLAP_H

#include <cleat/cache.h>
#include <cleat/err.h>
#include "kinds/mirror/spec.h"

/* What a spec runs into. */
struct mirror_overlap {
    char mirror[256];    /* "": nothing */
    char namespace_[64]; /* where */
    bool source;         /* the spec's source is a copy of that Mirror; else both write there */
};

/**
 * Looks for a Mirror other than @name that writes the same kind and name as @spec into a common
 * namespace, or writes @spec's source. 0 with what was found in @ret; -EAGAIN where a store isn't
 * synced; -ENOMEM.
 */
int cleat__mirror_overlap_find(struct cleat_store *mirrors, struct cleat_store *namespaces,
                               const char *own_namespace, const struct mirror_spec *spec,
                               struct cleat_str name, struct mirror_overlap *ret,
                               struct cleat_err *err) CLEAT_MUST_CHECK;
/** The same of two specs alone; @namespaces (may be NULL) gives those that exist. True where found.
 */
int cleat__mirror_overlap_of(struct cleat_store *namespaces, const char *own_namespace,
                             const struct mirror_spec *a, const struct mirror_spec *b,
                             char ret_namespace[64]);

#endif
