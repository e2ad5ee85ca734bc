/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/condition.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cleat/time.h>

#include "base/utf8.h"

#define CONDITION_TYPE_BYTES_MAX 316
#define CONDITION_REASON_BYTES_MAX 1024
#define CONDITION_MESSAGE_BYTES_MAX 32768
#define CONDITIONS_PATH "status.conditions"

/* Where @type stands in the array, or its count. */
static size_t condition_index(struct cleat_value conditions, const char *type)
{
    size_t count = cleat_value_count(conditions);
    for (size_t i = 0; i < count; i++)
        if (cleat_value_is(cleat_value_get(cleat_value_at(conditions, i), "type"), type))
            return i;
    return count;
}

struct cleat_value cleat_condition_get(struct cleat_value conditions, const char *type)
{
    if (cleat_value_type(conditions) != CLEAT_TYPE_ARRAY)
        return CLEAT_VALUE_NONE;
    return cleat_value_at(conditions, condition_index(conditions, type));
}

static bool condition_is_status(const char *status)
{
    return strcmp(status, "True") == 0 || strcmp(status, "False") == 0 ||
           strcmp(status, "Unknown") == 0;
}

/* metav1.Condition: ^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$ */
static bool condition_is_reason(const char *reason)
{
    size_t length = strlen(reason);
    if (length == 0 || length > CONDITION_REASON_BYTES_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = reason[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool inner = (c >= '0' && c <= '9') || c == '_';
        bool middle = c == ',' || c == ':';
        if (!letter && (i == 0 || !(inner || (middle && i + 1 < length))))
            return false;
    }
    return true;
}

static int condition_check(const struct cleat_condition *condition, struct cleat_err *err)
{
    if (!condition->type || !condition->type[0] ||
        strlen(condition->type) > CONDITION_TYPE_BYTES_MAX)
        return cleat_err_set(err, -EINVAL, "a condition needs a type of at most %d bytes",
                             CONDITION_TYPE_BYTES_MAX);
    if (!condition->status || !condition_is_status(condition->status))
        return cleat_err_set(err, -EINVAL, "condition %s: status is True, False or Unknown",
                             condition->type);
    if (!condition->reason || !condition_is_reason(condition->reason))
        return cleat_err_set(err, -EINVAL, "condition %s: reason \"%s\" isn't CamelCase",
                             condition->type, condition->reason ? condition->reason : "");
    return 0;
}

/* What of the element at hand is the same already; settled before the draft changes. */
struct condition_same {
    bool status;
    bool time; /* there is one, and the status is the same */
    bool reason;
    bool message;
    bool generation;
};

static struct condition_same condition_compare(struct cleat_value old,
                                               const struct cleat_condition *condition,
                                               struct cleat_str message)
{
    struct cleat_value generation = cleat_value_get(old, "observedGeneration");
    struct cleat_value time = cleat_value_get(old, "lastTransitionTime");
    struct condition_same same = {
        .status = cleat_value_is(cleat_value_get(old, "status"), condition->status),
        .reason = cleat_value_is(cleat_value_get(old, "reason"), condition->reason),
        .message = cleat_value_is_str(cleat_value_get(old, "message"), message),
    };
    same.time = same.status && cleat_value_type(time) == CLEAT_TYPE_STRING;
    same.generation = condition->observed_generation == 0
                          ? !cleat_value_is_present(generation)
                          : cleat_value_int_or(generation, 0) == condition->observed_generation;
    return same;
}

static bool condition_all_same(struct condition_same same)
{
    return same.status && same.time && same.reason && same.message && same.generation;
}

/* The path of a member of element @index. */
static const char *condition_path(char path[96], size_t index, const char *member)
{
    snprintf(path, 96, CONDITIONS_PATH "[%zu].%s", index, member);
    return path;
}

/* Writes what isn't the same. */
static int condition_write(struct cleat_draft *draft, size_t index, struct condition_same same,
                           const struct cleat_condition *condition, struct cleat_str message,
                           const char *time, struct cleat_err *err)
{
    char path[96];
    int r = 0;
    if (!same.status)
        r = cleat_draft_set_text(draft, condition_path(path, index, "status"), condition->status,
                                 err);
    if (r == 0 && !same.time)
        r = cleat_draft_set_text(draft, condition_path(path, index, "lastTransitionTime"), time,
                                 err);
    if (r == 0 && !same.reason)
        r = cleat_draft_set_text(draft, condition_path(path, index, "reason"), condition->reason,
                                 err);
    if (r == 0 && !same.message)
        r = cleat_draft_set_str(draft, condition_path(path, index, "message"), message, err);
    if (r < 0 || same.generation)
        return r;
    condition_path(path, index, "observedGeneration");
    if (condition->observed_generation == 0)
        return cleat_draft_remove(draft, path, err);
    return cleat_draft_set_int(draft, path, condition->observed_generation, err);
}

/* The conditions as the draft stands; lacking memory mustn't look like an absence. */
static int condition_list(struct cleat_draft *draft, struct cleat_value *ret, struct cleat_err *err)
{
    struct cleat_value root = CLEAT_VALUE_NONE;
    int r = cleat_draft_freeze(draft, &root, err);
    if (r == 0)
        *ret = cleat_value_find(root, CONDITIONS_PATH);
    return r;
}

/* Appends an element with only its type. */
static int condition_append(struct cleat_draft *draft, const char *type, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *element = NULL;
    struct cleat_value value = CLEAT_VALUE_NONE;
    int r = cleat_draft_new(CLEAT_VALUE_NONE, &element, err);
    if (r == 0)
        r = cleat_draft_set_text(element, "type", type, err);
    if (r == 0)
        r = cleat_draft_freeze(element, &value, err);
    return r == 0 ? cleat_draft_append(draft, CONDITIONS_PATH, value, err) : r;
}

/* The index of the element of that type, appended where there was none. */
static int condition_ensure(struct cleat_draft *draft, const char *type, size_t *ret_index,
                            struct cleat_err *err)
{
    struct cleat_value conditions = CLEAT_VALUE_NONE;
    int r = condition_list(draft, &conditions, err);
    if (r < 0)
        return r;
    enum cleat_value_type found = cleat_value_type(conditions);
    *ret_index = 0;
    if (found == CLEAT_TYPE_ARRAY) {
        *ret_index = condition_index(conditions, type);
        if (*ret_index < cleat_value_count(conditions))
            return 0;
    }
    if (found == CLEAT_TYPE_NULL) {
        r = cleat_draft_remove(draft, CONDITIONS_PATH, err);
        if (r < 0)
            return r;
    }
    return condition_append(draft, type, err);
}

int cleat_condition_set(struct cleat_draft *draft, const struct cleat_condition *condition,
                        const struct cleat_clock *clock, struct cleat_err *err)
{
    char time[CLEAT_TIME_BYTES];
    size_t index = 0;
    int r = condition_check(condition, err);
    if (r < 0)
        return r;
    struct cleat_str message = cleat_str_of(condition->message ? condition->message : "");
    message.length = cleat_utf8_cut(message, CONDITION_MESSAGE_BYTES_MAX);
    struct cleat_value conditions = CLEAT_VALUE_NONE;
    r = condition_ensure(draft, condition->type, &index, err);
    if (r == 0)
        r = condition_list(draft, &conditions, err);
    if (r < 0)
        return r;
    struct condition_same same =
        condition_compare(cleat_value_at(conditions, index), condition, message);
    if (condition_all_same(same))
        return 1;
    cleat_time_write(cleat_clock_wall_ms(clock), time);
    return condition_write(draft, index, same, condition, message, time, err);
}

int cleat_condition_remove(struct cleat_draft *draft, const char *type, struct cleat_err *err)
{
    char path[64];
    struct cleat_value conditions = CLEAT_VALUE_NONE;
    int r = condition_list(draft, &conditions, err);
    if (r < 0 || cleat_value_type(conditions) != CLEAT_TYPE_ARRAY)
        return r;
    size_t index = condition_index(conditions, type);
    if (index == cleat_value_count(conditions))
        return 0;
    snprintf(path, sizeof(path), CONDITIONS_PATH "[%zu]", index);
    return cleat_draft_remove(draft, path, err);
}
