/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label selectors (text and LabelSelector objects) and field selectors. Constant after parsing; any
 * thread. Source: Kubernetes documentation, "Labels and Selectors", "Field Selectors";
 * apimachinery's grammar.
 */
#ifndef CLEAT_SELECTOR_H
#define CLEAT_SELECTOR_H

#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/value.h>

CLEAT_BEGIN

struct cleat_selector;

/** Text: "a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2"; "" selects everything. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_selector_parse(struct cleat_str text,
                                                       struct cleat_selector **ret,
                                                       struct cleat_err *err);
/** A LabelSelector (matchLabels, matchExpressions): absent or null selects nothing, {} everything.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_selector_of(struct cleat_value label_selector,
                                                    struct cleat_selector **ret,
                                                    struct cleat_err *err);
/** Releases the selector; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_selector *cleat_selector_free(struct cleat_selector *selector);
/** True where @labels (an object of strings, or absent) is selected. */
CLEAT_EXPORT bool cleat_selector_matches(const struct cleat_selector *selector,
                                         struct cleat_value labels);
/** True where every object is selected: a selector without requirements. */
CLEAT_EXPORT bool cleat_selector_is_everything(const struct cleat_selector *selector);
/** True where no object ever is. */
CLEAT_EXPORT bool cleat_selector_is_nothing(const struct cleat_selector *selector);
/** Appends the text form, sorted by key: what goes into labelSelector=. A selector of nothing is
 * -EINVAL. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_selector_write(const struct cleat_selector *selector,
                                                       struct cleat_buffer *buffer);

/* Field selectors: "a.b=c,d!=e", backslash escapes backslash, comma and equals sign. */
struct cleat_field_selector;

/** Reads "path=value,path!=value" (also ==). @ret is new. 0, -EINVAL or -ENOMEM. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_field_selector_parse(struct cleat_str text,
                                                             struct cleat_field_selector **ret,
                                                             struct cleat_err *err);
/** Releases the selector; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_field_selector *cleat_field_selector_free(
    struct cleat_field_selector *selector);
/** Compares the scalars at the dotted paths; a path that isn't there counts as "". */
CLEAT_EXPORT bool cleat_field_selector_matches(const struct cleat_field_selector *selector,
                                               struct cleat_value object);
/** The number of requirements; 0 selects everything. */
CLEAT_EXPORT size_t cleat_field_selector_count(const struct cleat_field_selector *selector);
/** Requirement @index: borrowed. */
CLEAT_EXPORT void cleat_field_selector_at(const struct cleat_field_selector *selector, size_t index,
                                          struct cleat_str *ret_path, struct cleat_str *ret_value,
                                          bool *ret_equal);
/** Appends the text form: what goes into fieldSelector=. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_field_selector_write(
    const struct cleat_field_selector *selector, struct cleat_buffer *buffer);

static inline void cleat_selector_freep(struct cleat_selector **selector)
{
    *selector = cleat_selector_free(*selector);
}

static inline void cleat_field_selector_freep(struct cleat_field_selector **selector)
{
    *selector = cleat_field_selector_free(*selector);
}

CLEAT_END

#endif
