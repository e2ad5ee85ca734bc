/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which namespaces a Mirror reaches. Pure; any thread.
 */
#ifndef CLEAT_KINDS_MIRROR_TARGET_H
#define CLEAT_KINDS_MIRROR_TARGET_H

#include <stdbool.h>
#include <cleat/str.h>
#include <cleat/value.h>
#include "kinds/mirror/spec.h"

/* What stands between a namespace and its copy. */
enum mirror_target {
    MIRROR_TARGET_NONE,        /* neither selected nor named */
    MIRROR_TARGET_WANTED,      /* should hold a copy */
    MIRROR_TARGET_TERMINATING, /* being deleted: nothing can be made there */
    MIRROR_TARGET_REFUSED,     /* the namespace refuses copies */
};

struct mirror_namespace {
    struct cleat_str name;
    struct cleat_value labels; /* object, or absent */
    bool deleting;
};

/** True where @name is one that no selector reaches: the cluster's own and ours. */
bool cleat__mirror_namespace_is_reserved(struct cleat_str name, const char *own_namespace);
/** True where the spec names or selects the namespace, whatever the namespace says to it. */
bool cleat__mirror_target_reaches(const struct mirror_spec *spec,
                                  const struct mirror_namespace *namespace_,
                                  const char *own_namespace);
/** What becomes of a namespace that exists. */
enum mirror_target cleat__mirror_target_of(const struct mirror_spec *spec,
                                           const struct mirror_namespace *namespace_,
                                           const char *own_namespace);
/**
 * The name of a namespace that both specs list by name, whether or not it exists; "" where there
 * is none. Lives in @scratch or the specs.
 */
struct cleat_str cleat__mirror_target_common(const struct mirror_spec *a,
                                             const struct mirror_spec *b,
                                             struct cleat_scratch *scratch);

#endif
