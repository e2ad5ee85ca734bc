/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/owner.h>

#include <errno.h>
#include <stdio.h>
#include <cleat/write.h>

#define FINALIZER_BYTES_MAX 1024
#define FINALIZER_PATH "metadata.finalizers"

/* The finalizers, or absent. */
static struct cleat_value finalizer_array(struct cleat_value root)
{
    struct cleat_value array = cleat_value_get(cleat_value_get(root, "metadata"), "finalizers");
    return cleat_value_type(array) == CLEAT_TYPE_ARRAY ? array : CLEAT_VALUE_NONE;
}

/* Where @finalizer stands, or the count. */
static size_t finalizer_index(struct cleat_value array, const char *finalizer)
{
    size_t count = cleat_value_count(array);
    size_t index = 0;
    while (index < count && !cleat_value_is(cleat_value_at(array, index), finalizer))
        index++;
    return index;
}

bool cleat_finalizer_has(struct cleat_value root, const char *finalizer)
{
    struct cleat_value array = finalizer_array(root);
    return finalizer_index(array, finalizer) < cleat_value_count(array);
}

int cleat_finalizer_add(struct cleat_draft *draft, const char *finalizer, struct cleat_err *err)
{
    struct cleat_buffer json = CLEAT_BUFFER_INIT(FINALIZER_BYTES_MAX);
    struct cleat_value root = CLEAT_VALUE_NONE;
    if (!finalizer || !finalizer[0])
        return cleat_err_set(err, -EINVAL, "a finalizer needs a name");
    int r = cleat_draft_freeze(draft, &root, err); /* lacking memory mustn't look like none */
    if (r < 0)
        return r;
    if (cleat_finalizer_has(root, finalizer))
        return CLEAT_OWNER_UNCHANGED;
    cleat_write_string(&json, cleat_str_of(finalizer));
    r = json.failed;
    if (r < 0)
        (void)cleat_err_set(err, r, "finalizer doesn't fit %d bytes", FINALIZER_BYTES_MAX);
    else
        r = cleat_draft_append_json(draft, FINALIZER_PATH, json.data, err);
    cleat_buffer_fini(&json);
    return r;
}

int cleat_finalizer_remove(struct cleat_draft *draft, const char *finalizer, struct cleat_err *err)
{
    struct cleat_value root = CLEAT_VALUE_NONE;
    int result = CLEAT_OWNER_UNCHANGED;
    int r = cleat_draft_freeze(draft, &root, err);
    if (r < 0)
        return r;
    for (size_t i = cleat_value_count(finalizer_array(root)); i-- > 0;) {
        char path[64];
        r = cleat_draft_freeze(draft, &root, err);
        if (r < 0)
            return r;
        struct cleat_value array = finalizer_array(root);
        if (!cleat_value_is(cleat_value_at(array, i), finalizer))
            continue;
        if (cleat_value_count(array) == 1)
            snprintf(path, sizeof(path), FINALIZER_PATH);
        else
            snprintf(path, sizeof(path), FINALIZER_PATH "[%zu]", i);
        result = cleat_draft_remove(draft, path, err);
        if (result < 0)
            return result;
    }
    return result;
}
