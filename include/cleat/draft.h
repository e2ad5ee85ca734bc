/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drafts: changing a frozen value by copy-on-write. Untouched subtrees are shared with the base,
 * and the diff skips what is shared. The base's holder must outlive the draft and everything read
 * from it. One thread at a time; nothing blocks.
 *
 *   base ─► draft ─► set, append, remove by path ─► value ─► diff, writer, client
 *
 * A change either happens or leaves the draft as it was. Each costs what lies along its path, not
 * what the base holds. A draft takes at most 64 MiB for what was put into it and for the frozen
 * forms of what changed.
 */
#ifndef CLEAT_DRAFT_H
#define CLEAT_DRAFT_H

#include <cleat/document.h>
#include <cleat/err.h>
#include <cleat/path.h>
#include <cleat/value.h>

CLEAT_BEGIN

struct cleat_draft;

/**
 * Starts a draft over @base (absent: an empty object). @ret is new.
 * Returns 0, -EINVAL for a base that wasn't kept, -ENOMEM.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_new(struct cleat_value base, struct cleat_draft **ret,
                                                  struct cleat_err *err);
/** Frees a draft with everything read from it; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_draft *cleat_draft_free(struct cleat_draft *draft);

/*
 * Setters: @path as in path.h, without [*]; missing objects (and nulls) on the way are made
 * objects; setting through a scalar, beyond an array's end, or into what wasn't kept is -EINVAL
 * with the path in @err. What wasn't kept may itself be replaced or removed, because neither needs
 * to know it. More than 128 containers deep, or larger than a draft may be: -E2BIG. Also -ENOMEM.
 */

/**
 * Sets what is at @path. @value is copied unless it lives in the arena of the base or of the draft
 * itself; one that is absent, or of which the projection dropped a part, is -EINVAL.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set(struct cleat_draft *draft, const char *path,
                                                  struct cleat_value value, struct cleat_err *err);
/** Sets a string; @text is copied. -EINVAL where it isn't UTF-8. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_text(struct cleat_draft *draft, const char *path,
                                                       const char *text, struct cleat_err *err);
/** Sets a string that may hold NUL; @text is copied. -EINVAL where it isn't UTF-8. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_str(struct cleat_draft *draft, const char *path,
                                                      struct cleat_str text, struct cleat_err *err);
/** Sets an integer. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_int(struct cleat_draft *draft, const char *path,
                                                      int64_t number, struct cleat_err *err);
/** Sets a boolean. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_bool(struct cleat_draft *draft, const char *path,
                                                       bool flag, struct cleat_err *err);
/** Sets a null, which is not the same as removing: it stays in the written object. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_null(struct cleat_draft *draft, const char *path,
                                                       struct cleat_err *err);
/** Sets a value written as JSON, by the rules of cleat_document_parse. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_json(struct cleat_draft *draft, const char *path,
                                                       const char *json, struct cleat_err *err);
/** Appends to the array at @path (made where absent or null); @value as for cleat_draft_set. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_append(struct cleat_draft *draft, const char *path,
                                                     struct cleat_value value,
                                                     struct cleat_err *err);
/** Appends a string; @text is copied. -EINVAL where it isn't UTF-8. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_append_str(struct cleat_draft *draft,
                                                         const char *path, struct cleat_str text,
                                                         struct cleat_err *err);
/** Appends a value written as JSON, by the rules of cleat_document_parse. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_append_json(struct cleat_draft *draft,
                                                          const char *path, const char *json,
                                                          struct cleat_err *err);
/**
 * Removes what is at @path; nothing there is fine. Later elements of an array move up. -EINVAL for
 * the whole value and for what lies below something that wasn't kept.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_remove(struct cleat_draft *draft, const char *path,
                                                     struct cleat_err *err);

/* The same with a parsed path, for keys that come from data; @path and its bytes are borrowed for
 * the call. */

/** As cleat_draft_set. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_at(struct cleat_draft *draft,
                                                     const struct cleat_path *path,
                                                     struct cleat_value value,
                                                     struct cleat_err *err);
/** As cleat_draft_set_str. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_str_at(struct cleat_draft *draft,
                                                         const struct cleat_path *path,
                                                         struct cleat_str text,
                                                         struct cleat_err *err);
/** As cleat_draft_append. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_append_at(struct cleat_draft *draft,
                                                        const struct cleat_path *path,
                                                        struct cleat_value value,
                                                        struct cleat_err *err);
/** As cleat_draft_remove. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_remove_at(struct cleat_draft *draft,
                                                        const struct cleat_path *path,
                                                        struct cleat_err *err);

/**
 * Freezes the draft as it stands. @ret is borrowed, valid until the end of @draft (a later change
 * makes a new value); it may be called again after more changes. 0, -ENOMEM, -E2BIG.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_freeze(struct cleat_draft *draft,
                                                     struct cleat_value *ret,
                                                     struct cleat_err *err);
/** The same where there is no better way to fail than an absent value, which the writer and the
 * diff refuse. */
CLEAT_EXPORT struct cleat_value cleat_draft_value(struct cleat_draft *draft);
/** What the draft was started over, borrowed; the empty object where that was absent. */
CLEAT_EXPORT struct cleat_value cleat_draft_base(const struct cleat_draft *draft);
/** True where it differs from its base, numbers compared by value. Costs what was touched;
 * allocates nothing. */
CLEAT_EXPORT bool cleat_draft_changed(struct cleat_draft *draft);

/** Cleanup function for owned locals: CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft =
 * NULL. */
static inline void cleat_draft_freep(struct cleat_draft **draft)
{
    *draft = cleat_draft_free(*draft);
}

CLEAT_END

#endif
