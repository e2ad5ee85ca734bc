/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/consent.h"

#include <errno.h>

#include "kinds/mirror/spec.h"

/* The last star is tried again a character further where what follows it doesn't fit: linear in
 * memory, at worst glob × text in time, and both are short. */
bool cleat__mirror_glob_matches(struct cleat_str glob, struct cleat_str text)
{
    size_t g = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.length) {
        if (g < glob.length && glob.data[g] == '*') {
            star = g++;
            mark = t;
        } else if (g < glob.length && glob.data[g] == text.data[t]) {
            g++;
            t++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (g < glob.length && glob.data[g] == '*')
        g++;
    return g == glob.length;
}

/* The next part of @list, trimmed; false at the end. */
static bool globs_next(struct cleat_str *list, struct cleat_str *ret)
{
    if (!list->data)
        return false;
    const char *comma = list->length > 0 ? memchr(list->data, ',', list->length) : NULL;
    size_t length = comma ? (size_t)(comma - list->data) : list->length;
    struct cleat_str part = {list->data, length};
    *list = comma ? (struct cleat_str){comma + 1, list->length - length - 1}
                  : (struct cleat_str){NULL, 0};
    while (part.length > 0 && (part.data[0] == ' ' || part.data[0] == '\t')) {
        part.data++;
        part.length--;
    }
    while (part.length > 0 &&
           (part.data[part.length - 1] == ' ' || part.data[part.length - 1] == '\t'))
        part.length--;
    *ret = part;
    return true;
}

bool cleat__mirror_globs_match(struct cleat_str list, struct cleat_str text)
{
    struct cleat_str part;
    while (globs_next(&list, &part))
        if (part.length > 0 && cleat__mirror_glob_matches(part, text))
            return true;
    return false;
}

int cleat__mirror_globs_check(struct cleat_str list, struct cleat_err *err)
{
    struct cleat_str part;
    while (globs_next(&list, &part))
        for (size_t i = 0; i < part.length; i++) {
            char c = part.data[i];
            if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '*')
                return cleat_err_set(err, -EINVAL,
                                     "\"%.*s\" in annotation " MIRROR_ALLOWED_ANNOTATION
                                     " can't match the name of a namespace",
                                     CLEAT_STR_ARG(part));
        }
    return 0;
}

bool cleat__mirror_source_allows(struct cleat_value annotations, struct cleat_str namespace_)
{
    struct cleat_scratch scratch;
    struct cleat_value list = cleat_value_get(annotations, MIRROR_ALLOWED_ANNOTATION);
    if (!cleat_value_is_present(list))
        return true;
    return cleat__mirror_globs_match(cleat_value_text(list, &scratch), namespace_);
}

bool cleat__mirror_refuses(struct cleat_value marks)
{
    return cleat_value_is(cleat_value_get(marks, MIRROR_REFUSE_KEY), "refuse");
}
