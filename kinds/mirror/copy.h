/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a copy is: the source's content with a Mirror's marks. Making, comparing, knowing one's own.
 * Pure; any thread.
 *
 *   source + spec ─► content (once a pass) ─► compare with what is there ─► body of create or
 * update
 */
#ifndef CLEAT_KINDS_MIRROR_COPY_H
#define CLEAT_KINDS_MIRROR_COPY_H

#include <stdbool.h>
#include <cleat/draft.h>
#include <cleat/err.h>
#include <cleat/gvk.h>
#include <cleat/object.h>
#include "kinds/mirror/spec.h"

/* What all copies of one Mirror carry. */
struct mirror_content {
    struct cleat_draft *draft; /* owned */
    struct cleat_value value;  /* members but apiVersion, kind, metadata, status; in the draft */
    char missing[200];         /* of spec.copy.keys: those that the source lacks; "" */
};

/**
 * The content of copies of the source at @root, which must outlive @ret: the keys that are asked
 * for, a Secret's type where they leave it true, a Service without what is its own. 0 or negative.
 */
int cleat__mirror_content_make(const struct mirror_spec *spec, const struct cleat_gvk *gvk,
                               struct cleat_value root, struct mirror_content *ret,
                               struct cleat_err *err) CLEAT_MUST_CHECK;
/** Frees; repeatable on what was zeroed or made. */
void cleat__mirror_content_fini(struct mirror_content *content);

/* Whose copy it is to be; all borrowed. */
struct mirror_marks {
    const struct cleat_object *mirror;
    const struct mirror_spec *spec;
    const struct cleat_gvk *gvk; /* of source and copies */
};

enum mirror_copy_state {
    MIRROR_COPY_TRUE,  /* nothing to do */
    MIRROR_COPY_FALSE, /* an update mends it */
    MIRROR_COPY_ANEW,  /* only deleting and making it anew does: what differs can't be changed */
};

/** How the object at @root differs from what @marks and @content want. Negative: no memory. */
int cleat__mirror_copy_compare(const struct mirror_marks *marks,
                               const struct mirror_content *content,
                               struct cleat_value root) CLEAT_MUST_CHECK;
/**
 * The body that makes a copy in @namespace_ (of @existing, whose foreign metadata stays; NULL: of
 * nothing). @ret is new; @content and @existing must outlive it.
 */
int cleat__mirror_copy_body(const struct mirror_marks *marks, const struct mirror_content *content,
                            struct cleat_str namespace_, const struct cleat_object *existing,
                            struct cleat_draft **ret, struct cleat_err *err) CLEAT_MUST_CHECK;
/** The body that takes a Mirror's marks off @existing and leaves all else. @ret is new. */
int cleat__mirror_copy_release(const struct cleat_object *existing, struct cleat_draft **ret,
                               struct cleat_err *err) CLEAT_MUST_CHECK;
/**
 * The uid of the Mirror that the object at @root is a copy of, by its controller or its
 * annotation; "" where it isn't one. Lives in @scratch or the object.
 */
struct cleat_str cleat__mirror_copy_uid(struct cleat_value root, struct cleat_scratch *scratch);
/** True where the object at @root is a copy of the Mirror with that uid. */
bool cleat__mirror_copy_is_of(struct cleat_value root, struct cleat_str uid);
/** The Mirror's name as its copy gives it: by owner reference, else by label. */
struct cleat_str cleat__mirror_copy_owner(struct cleat_value root, struct cleat_scratch *scratch);
/** True where both have the same members but metadata, status, apiVersion, kind. */
bool cleat__mirror_same_content(struct cleat_value a, struct cleat_value b);

/* Between content.c and copy.c. */

/** True for core Services. */
bool cleat__mirror_is_service(const struct cleat_gvk *gvk);
/** Takes out of @draft what is a Service's own: its addresses and node ports; @root is what the
 * draft holds. */
int cleat__mirror_strip_service(struct cleat_draft *draft, struct cleat_value root,
                                struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
