/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drafts: changing a frozen value by copy-on-write. Untouched subtrees are shared with the base, and the
 * diff skips what is shared. The base's holder must outlive the draft and everything read from it.
 * One thread at a time.
 */
#ifndef CLEAT_DRAFT_H
#define CLEAT_DRAFT_H

#include <cleat/document.h>
#include <cleat/err.h>
#include <cleat/path.h>
#include <cleat/value.h>

CLEAT_BEGIN

struct cleat_draft;

/** Starts a draft over @base (absent: an empty object). @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_new(struct cleat_value base, struct cleat_draft **ret,
                                                  struct cleat_err *err);
CLEAT_EXPORT struct cleat_draft *cleat_draft_free(struct cleat_draft *draft);

/*
 * Setters: @path as in path.h; missing objects on the way are made; setting through a scalar, beyond an
 * array's end, or into what wasn't kept is -EINVAL. Beyond the limits of depth and size: -E2BIG.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set(struct cleat_draft *draft, const char *path,
                                                  struct cleat_value value, struct cleat_err *err);
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_text(struct cleat_draft *draft, const char *path,
                                                       const char *text, struct cleat_err *err);
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_str(struct cleat_draft *draft, const char *path,
                                                      struct cleat_str text, struct cleat_err *err);
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_int(struct cleat_draft *draft, const char *path,
                                                      int64_t number, struct cleat_err *err);
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_bool(struct cleat_draft *draft, const char *path,
                                                       bool flag, struct cleat_err *err);
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_null(struct cleat_draft *draft, const char *path,
                                                       struct cleat_err *err);
/** Sets a value written as JSON. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_json(struct cleat_draft *draft, const char *path,
                                                       const char *json, struct cleat_err *err);
/** Appends to the array at @path (made where absent). The value is copied unless it's part of the base. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_append(struct cleat_draft *draft, const char *path,
                                                     struct cleat_value value, struct cleat_err *err);
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_append_json(struct cleat_draft *draft, const char *path,
                                                          const char *json, struct cleat_err *err);
/** Removes what is at @path; nothing there is fine. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_remove(struct cleat_draft *draft, const char *path,
                                                     struct cleat_err *err);
/* The same with a parsed path, for keys that come from data. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_at(struct cleat_draft *draft,
                                                     const struct cleat_path *path,
                                                     struct cleat_value value, struct cleat_err *err);
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_set_str_at(struct cleat_draft *draft,
                                                         const struct cleat_path *path,
                                                         struct cleat_str text, struct cleat_err *err);
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_draft_remove_at(struct cleat_draft *draft,
                                                        const struct cleat_path *path,
                                                        struct cleat_err *err);

/** The draft as it stands, frozen: valid until the next change of @draft or its end. */
CLEAT_EXPORT struct cleat_value cleat_draft_value(struct cleat_draft *draft);
CLEAT_EXPORT struct cleat_value cleat_draft_base(const struct cleat_draft *draft);
/** True where it differs from its base. */
CLEAT_EXPORT bool cleat_draft_changed(struct cleat_draft *draft);

static inline void cleat_draft_freep(struct cleat_draft **draft)
{
    *draft = cleat_draft_free(*draft);
}

CLEAT_END

#endif
