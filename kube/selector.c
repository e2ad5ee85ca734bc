/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building and matching label selectors. Requirements are sorted by key, values within one sorted
 * and without doubles, so that matching against many values is a binary search and equal selectors
 * have one text.
 */
#include "kube/selector_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cleat/name.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"

/* Up to so many values a linear scan is faster than a search. */
#define SELECTOR_SCAN_MAX 8

struct cleat_selector *cleat_selector_free(struct cleat_selector *selector)
{
    if (!selector)
        return NULL;
    for (size_t i = 0; i < selector->count; i++)
        cleat_mem_free(selector->requirements[i].values);
    cleat_mem_free(selector->requirements);
    cleat_mem_free(selector->bytes);
    return cleat_mem_free(selector);
}

int cleat__selector_new(size_t bytes, struct cleat_selector **ret)
{
    struct cleat_selector *selector = cleat_mem_zalloc(1, sizeof(*selector));
    if (!selector)
        return -ENOMEM;
    selector->size = bytes;
    selector->bytes = cleat_mem_alloc(bytes);
    if (!selector->bytes) {
        cleat_selector_free(selector);
        return -ENOMEM;
    }
    *ret = selector;
    return 0;
}

/* Copies @text into the selector's bytes, which were sized for all of them. */
static struct cleat_str selector_keep(struct cleat_selector *selector, struct cleat_str text)
{
    cleat_assert(text.length <= selector->size - selector->used);
    struct cleat_str kept = {selector->bytes + selector->used, text.length};
    if (text.length)
        memcpy(selector->bytes + selector->used, text.data, text.length);
    selector->used += text.length;
    return kept;
}

/* Makes room for one more of @size bytes in an array. */
static int selector_grow(void **array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return 0;
    size_t larger = *capacity ? *capacity * 2 : 4;
    void *grown = cleat_mem_realloc(*array, larger * size);
    if (!grown)
        return -ENOMEM;
    *array = grown;
    *capacity = larger;
    return 0;
}

int cleat__selector_require(struct cleat_selector *selector, struct cleat_str key,
                            enum selector_operator operator_, bool exact, struct cleat_err *err)
{
    if (!cleat_name_is_label_key(key))
        return cleat_err_set(err, -EINVAL, "label key \"%.*s\" isn't valid", CLEAT_STR_ARG(key));
    if (selector->count >= CLEAT_SELECTOR_REQUIREMENTS_MAX)
        return cleat_err_set(err, -E2BIG, "selector has more than %d requirements",
                             CLEAT_SELECTOR_REQUIREMENTS_MAX);
    void *array = selector->requirements;
    int r = selector_grow(&array, selector->count, &selector->capacity,
                          sizeof(selector->requirements[0]));
    selector->requirements = array;
    if (r < 0)
        return cleat_err_set(err, r, "out of memory");
    selector->requirements[selector->count++] = (struct selector_requirement){
        .key = selector_keep(selector, key), .operator_ = operator_, .exact = exact};
    return 0;
}

int cleat__selector_value(struct cleat_selector *selector, struct cleat_str value,
                          struct cleat_err *err)
{
    cleat_assert(selector->count > 0);
    struct selector_requirement *last = &selector->requirements[selector->count - 1];
    if (!cleat_name_is_label_value(value))
        return cleat_err_set(err, -EINVAL, "label value \"%.*s\" of %.*s isn't valid",
                             CLEAT_STR_ARG(value), CLEAT_STR_ARG(last->key));
    if (selector->value_count >= CLEAT_SELECTOR_VALUES_MAX)
        return cleat_err_set(err, -E2BIG, "selector has more than %d values",
                             CLEAT_SELECTOR_VALUES_MAX);
    void *array = last->values;
    int r = selector_grow(&array, last->value_count, &last->value_capacity, sizeof(value));
    last->values = array;
    if (r < 0)
        return cleat_err_set(err, r, "out of memory");
    last->values[last->value_count++] = selector_keep(selector, value);
    selector->value_count++;
    return 0;
}

static int selector_compare_values(const void *a, const void *b)
{
    return cleat_str_compare(*(const struct cleat_str *)a, *(const struct cleat_str *)b);
}

static int selector_compare_keys(const void *a, const void *b)
{
    const struct selector_requirement *left = a;
    const struct selector_requirement *right = b;
    int order = cleat_str_compare(left->key, right->key);
    if (order == 0)
        order = (int)left->operator_ - (int)right->operator_;
    for (size_t i = 0; order == 0 && i < left->value_count && i < right->value_count; i++)
        order = cleat_str_compare(left->values[i], right->values[i]);
    if (order == 0)
        order = (left->value_count > right->value_count) - (left->value_count < right->value_count);
    return order;
}

/* Decimal digits as int64. A label's value begins with a letter or digit, so that there is no sign
 * to read. */
static bool selector_number(struct cleat_str text, int64_t *ret)
{
    uint64_t number = 0;
    if (text.length == 0 || text.length > 63)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        unsigned digit = (unsigned)(text.data[i] - '0');
        if (number > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret = (int64_t)number;
    return true;
}

int cleat__selector_finish(struct cleat_selector *selector, struct cleat_err *err)
{
    struct selector_requirement *last = &selector->requirements[selector->count - 1];
    bool wants_values = last->operator_ == SELECTOR_IN || last->operator_ == SELECTOR_NOT_IN;
    bool wants_number = last->operator_ == SELECTOR_GREATER || last->operator_ == SELECTOR_LESS;
    if (wants_values && last->value_count == 0)
        return cleat_err_set(err, -EINVAL, "requirement on %.*s needs at least one value",
                             CLEAT_STR_ARG(last->key));
    if (!wants_values && !wants_number && last->value_count > 0)
        return cleat_err_set(err, -EINVAL, "requirement on %.*s takes no values",
                             CLEAT_STR_ARG(last->key));
    if (wants_number &&
        (last->value_count != 1 || !selector_number(last->values[0], &last->number)))
        return cleat_err_set(err, -EINVAL, "requirement on %.*s needs one whole number",
                             CLEAT_STR_ARG(last->key));
    if (last->value_count < 2)
        return 0;
    qsort(last->values, last->value_count, sizeof(last->values[0]), selector_compare_values);
    size_t kept = 1;
    for (size_t i = 1; i < last->value_count; i++)
        if (!cleat_str_equal(last->values[i], last->values[kept - 1]))
            last->values[kept++] = last->values[i];
    last->value_count = kept;
    return 0;
}

void cleat__selector_seal(struct cleat_selector *selector)
{
    if (selector->count > 1)
        qsort(selector->requirements, selector->count, sizeof(selector->requirements[0]),
              selector_compare_keys);
}

/* LabelSelector objects */

static int selector_expect(struct cleat_value value, enum cleat_value_type type, const char *what,
                           struct cleat_err *err)
{
    enum cleat_value_type found = cleat_value_type(value);
    if (found == type)
        return 0;
    return cleat_err_set(err, -EINVAL, "label selector: %s is %s instead of %s", what,
                         cleat_value_type_name(found), cleat_value_type_name(type));
}

/* Absent and null count as empty. */
static bool selector_is_empty(struct cleat_value value)
{
    enum cleat_value_type type = cleat_value_type(value);
    return type == CLEAT_TYPE_ABSENT || type == CLEAT_TYPE_NULL;
}

/* Bytes of all strings (keys too) in @value, to size the selector's own. */
static size_t selector_bytes(struct cleat_value value)
{
    struct cleat_scratch scratch;
    enum cleat_value_type type = cleat_value_type(value);
    if (type == CLEAT_TYPE_STRING)
        return cleat_value_text(value, &scratch).length;
    size_t bytes = 0;
    for (size_t i = 0; i < cleat_value_count(value); i++) {
        struct cleat_str key = {NULL, 0};
        struct cleat_value child = type == CLEAT_TYPE_ARRAY ? cleat_value_at(value, i)
                                                            : cleat_value_member(value, i, &key);
        bytes += key.length + selector_bytes(child);
    }
    return bytes;
}

/* A typo ("matchlabels") must not become a selector of everything: what isn't known is refused. */
static int selector_check_members(struct cleat_value object, const char *const *known,
                                  const char *what, struct cleat_err *err)
{
    for (size_t i = 0; i < cleat_value_count(object); i++) {
        struct cleat_str key = {NULL, 0};
        (void)cleat_value_member(object, i, &key); /* only its key counts */
        size_t at = 0;
        while (known[at] && !cleat_str_is(key, known[at]))
            at++;
        if (!known[at])
            return cleat_err_set(err, -EINVAL, "label selector: unknown member %.*s in %s",
                                 CLEAT_STR_ARG(key), what);
    }
    return 0;
}

static int selector_add_labels(struct cleat_selector *selector, struct cleat_value labels,
                               struct cleat_err *err)
{
    if (selector_is_empty(labels))
        return 0;
    int r = selector_expect(labels, CLEAT_TYPE_OBJECT, "matchLabels", err);
    for (size_t i = 0; r == 0 && i < cleat_value_count(labels); i++) {
        struct cleat_str key = {NULL, 0};
        struct cleat_scratch scratch;
        struct cleat_value value = cleat_value_member(labels, i, &key);
        r = selector_expect(value, CLEAT_TYPE_STRING, "a value of matchLabels", err);
        if (r == 0)
            r = cleat__selector_require(selector, key, SELECTOR_IN, true, err);
        if (r == 0)
            r = cleat__selector_value(selector, cleat_value_text(value, &scratch), err);
        if (r == 0)
            r = cleat__selector_finish(selector, err);
    }
    return r;
}

static int selector_operator_of(struct cleat_value value, enum selector_operator *ret,
                                struct cleat_err *err)
{
    static const struct {
        const char *name;
        enum selector_operator operator_;
    } names[] = {{"In", SELECTOR_IN},
                 {"NotIn", SELECTOR_NOT_IN},
                 {"Exists", SELECTOR_EXISTS},
                 {"DoesNotExist", SELECTOR_NOT_EXISTS}};
    struct cleat_scratch scratch;
    struct cleat_str text = cleat_value_text(value, &scratch);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!cleat_str_is(text, names[i].name))
            continue;
        *ret = names[i].operator_;
        return 0;
    }
    return cleat_err_set(err, -EINVAL, "label selector: operator \"%.*s\" isn't known",
                         CLEAT_STR_ARG(text));
}

static int selector_add_values(struct cleat_selector *selector, struct cleat_value values,
                               struct cleat_err *err)
{
    if (selector_is_empty(values))
        return 0;
    int r = selector_expect(values, CLEAT_TYPE_ARRAY, "values", err);
    for (size_t i = 0; r == 0 && i < cleat_value_count(values); i++) {
        struct cleat_scratch scratch;
        struct cleat_value value = cleat_value_at(values, i);
        r = selector_expect(value, CLEAT_TYPE_STRING, "one of values", err);
        if (r == 0)
            r = cleat__selector_value(selector, cleat_value_text(value, &scratch), err);
    }
    return r;
}

static int selector_add_expression(struct cleat_selector *selector, struct cleat_value expression,
                                   struct cleat_err *err)
{
    static const char *const known[] = {"key", "operator", "values", NULL};
    enum selector_operator operator_ = SELECTOR_IN;
    struct cleat_scratch scratch;
    int r = selector_expect(expression, CLEAT_TYPE_OBJECT, "one of matchExpressions", err);
    if (r == 0)
        r = selector_check_members(expression, known, "one of matchExpressions", err);
    if (r == 0)
        r = selector_operator_of(cleat_value_get(expression, "operator"), &operator_, err);
    if (r == 0)
        r = cleat__selector_require(selector,
                                    cleat_value_text(cleat_value_get(expression, "key"), &scratch),
                                    operator_, false, err);
    if (r == 0)
        r = selector_add_values(selector, cleat_value_get(expression, "values"), err);
    if (r == 0)
        r = cleat__selector_finish(selector, err);
    return r;
}

static int selector_add_all(struct cleat_selector *selector, struct cleat_value root,
                            struct cleat_err *err)
{
    static const char *const known[] = {"matchLabels", "matchExpressions", NULL};
    struct cleat_value expressions = cleat_value_get(root, "matchExpressions");
    int r = selector_check_members(root, known, "the selector", err);
    if (r == 0)
        r = selector_add_labels(selector, cleat_value_get(root, "matchLabels"), err);
    if (r < 0 || selector_is_empty(expressions))
        return r;
    r = selector_expect(expressions, CLEAT_TYPE_ARRAY, "matchExpressions", err);
    for (size_t i = 0; r == 0 && i < cleat_value_count(expressions); i++)
        r = selector_add_expression(selector, cleat_value_at(expressions, i), err);
    return r;
}

int cleat_selector_of(struct cleat_value label_selector, struct cleat_selector **ret,
                      struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_selector_freep) struct cleat_selector *selector = NULL;
    bool nothing = selector_is_empty(label_selector);
    int r = 0;
    if (!nothing)
        r = selector_expect(label_selector, CLEAT_TYPE_OBJECT, "the selector", err);
    if (r < 0)
        return r;
    size_t bytes = nothing ? 0 : selector_bytes(label_selector);
    if (bytes > CLEAT_SELECTOR_BYTES_MAX)
        return cleat_err_set(err, -E2BIG, "label selector has more than %zu bytes",
                             CLEAT_SELECTOR_BYTES_MAX);
    r = cleat__selector_new(bytes, &selector);
    if (r < 0)
        return cleat_err_set(err, r, "out of memory");
    selector->nothing = nothing;
    if (!nothing)
        r = selector_add_all(selector, label_selector, err);
    if (r < 0)
        return r;
    cleat__selector_seal(selector);
    *ret = selector;
    selector = NULL;
    return 0;
}

/* Matching */

static bool selector_has(const struct selector_requirement *requirement, struct cleat_value label)
{
    if (requirement->value_count == 1)
        return cleat_value_is_str(label, requirement->values[0]);
    struct cleat_scratch scratch;
    struct cleat_str text;
    if (cleat_value_str(label, &scratch, &text) != 0)
        return false;
    if (requirement->value_count > SELECTOR_SCAN_MAX)
        return bsearch(&text, requirement->values, requirement->value_count,
                       sizeof(requirement->values[0]), selector_compare_values) != NULL;
    for (size_t i = 0; i < requirement->value_count; i++)
        if (cleat_str_equal(text, requirement->values[i]))
            return true;
    return false;
}

static bool selector_in_order(const struct selector_requirement *requirement,
                              struct cleat_value label)
{
    struct cleat_scratch scratch;
    int64_t number = 0;
    if (!selector_number(cleat_value_text(label, &scratch), &number))
        return false;
    return requirement->operator_ == SELECTOR_GREATER ? number > requirement->number
                                                      : number < requirement->number;
}

static bool selector_requirement_matches(const struct selector_requirement *requirement,
                                         struct cleat_value labels)
{
    struct cleat_value label = cleat_value_get_str(labels, requirement->key);
    bool present = cleat_value_is_present(label);
    switch (requirement->operator_) {
    case SELECTOR_IN: return present && selector_has(requirement, label);
    case SELECTOR_NOT_IN: return !present || !selector_has(requirement, label);
    case SELECTOR_EXISTS: return present;
    case SELECTOR_NOT_EXISTS: return !present;
    case SELECTOR_GREATER:
    case SELECTOR_LESS: return present && selector_in_order(requirement, label);
    }
    return false;
}

bool cleat_selector_matches(const struct cleat_selector *selector, struct cleat_value labels)
{
    if (selector->nothing)
        return false;
    for (size_t i = 0; i < selector->count; i++)
        if (!selector_requirement_matches(&selector->requirements[i], labels))
            return false;
    return true;
}

bool cleat_selector_is_everything(const struct cleat_selector *selector)
{
    return !selector->nothing && selector->count == 0;
}

bool cleat_selector_is_nothing(const struct cleat_selector *selector)
{
    return selector->nothing;
}
