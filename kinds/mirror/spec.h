/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Mirror's spec as a C struct, bound to the object it was read from. Constant after reading.
 */
#ifndef CLEAT_KINDS_MIRROR_SPEC_H
#define CLEAT_KINDS_MIRROR_SPEC_H

#include <stdbool.h>
#include <cleat/binding.h>
#include <cleat/err.h>
#include <cleat/gvk.h>
#include <cleat/selector.h>
#include <cleat/value.h>

#define MIRROR_GROUP "cleat.dev"
#define MIRROR_VERSION "v1alpha1"
#define MIRROR_KIND "Mirror"
#define MIRROR_LABEL "cleat.dev/mirror"
#define MIRROR_SOURCE_ANNOTATION "cleat.dev/source"
#define MIRROR_UID_ANNOTATION "cleat.dev/mirror-uid"
#define MIRROR_REFUSE_KEY "cleat.dev/copies"
#define MIRROR_ALLOWED_ANNOTATION "cleat.dev/allowed-namespaces"
#define MIRROR_OWN_PREFIX "cleat.dev/"
#define MIRROR_NAMESPACES_MAX 256
#define MIRROR_NAME_BYTES_MAX 63

extern const struct cleat_resource mirror_resource;
extern const struct cleat_resource mirror_namespace_resource;

struct mirror_spec {
    /* All borrowed from the object; NUL-terminated; "" where there is none. */
    struct cleat_str api_version, kind, namespace_, name; /* of the source */
    struct cleat_str copy_name;                           /* the source's where not given */
    struct cleat_str on_conflict, on_delete, on_source_missing;
    struct cleat_value selector_value;             /* LabelSelector, or absent */
    struct cleat_value namespaces, excludes, keys; /* arrays of strings, or absent */
    struct cleat_value labels, annotations;        /* objects of strings, or absent */
    /* Derived. */
    bool replace;                    /* onConflict: Replace */
    bool orphan;                     /* onDelete: Orphan */
    bool delete_when_missing;        /* onSourceMissing: Delete */
    struct cleat_selector *selector; /* owned; NULL: no namespace by selector */
    struct cleat_binding_scratch scratch;
};

/**
 * Reads spec of the Mirror at @root, which must outlive @ret. 0; -EINVAL for a missing field, a
 * wrong type or a malformed selector, with the field in @err; -ENOMEM. On a failure nothing is
 * owned.
 */
int cleat__mirror_spec_read(struct cleat_value root, struct mirror_spec *ret,
                            struct cleat_err *err) CLEAT_MUST_CHECK;
/** Frees; repeatable on what was zeroed or read. */
void cleat__mirror_spec_fini(struct mirror_spec *spec);
/**
 * Everything about @spec that can be told without asking anybody: names, labels, keys, globs.
 * @name: the Mirror's. 0 or -EINVAL with the field and the fact.
 */
int cleat__mirror_spec_check(const struct mirror_spec *spec, struct cleat_str name,
                             struct cleat_err *err) CLEAT_MUST_CHECK;
/** True where @array holds the string @text. */
bool cleat__mirror_list_has(struct cleat_value array, struct cleat_str text);
/** True where only some of the source's data keys are copied. */
bool cleat__mirror_spec_has_keys(const struct mirror_spec *spec);
/** True where @text begins with @prefix. */
bool cleat__mirror_begins(struct cleat_str text, const char *prefix);

#endif
