/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <cleat/binding.h>
#include <cleat/path.h>
#include "base/mem.h"
#include "value/place.h"

#define BINDING_BLOCK_BYTES 1024

/* Blocks of the scratch: the newest first, which alone is filled. */
struct binding_block {
    struct binding_block *next;
    size_t used;
    size_t capacity;
    char bytes[];
};

/* One field on its way out. */
struct binding_field {
    const struct cleat_binding *binding;
    struct cleat_value value;
    char *out;
    struct cleat_binding_scratch *scratch;
    struct cleat_err *err;
};

void cleat_binding_scratch_fini(struct cleat_binding_scratch *scratch)
{
    struct binding_block *next;

    for (struct binding_block *block = scratch->blocks; block; block = next) {
        next = block->next;
        cleat_mem_free(block);
    }
    scratch->blocks = NULL;
}

static char *scratch_take(struct cleat_binding_scratch *scratch, size_t size)
{
    struct binding_block *block = scratch->blocks;

    if (!block || block->capacity - block->used < size) {
        size_t capacity = size > BINDING_BLOCK_BYTES ? size : BINDING_BLOCK_BYTES;
        block = cleat_mem_alloc(sizeof(*block) + capacity);
        if (!block)
            return NULL;
        *block = (struct binding_block){scratch->blocks, 0, capacity};
        scratch->blocks = block;
    }
    block->used += size;
    return block->bytes + block->used - size;
}

/* Copies what lives in a getter's scratch, with its NUL, to where it stays. */
static int binding_keep(struct binding_field *field, struct cleat_str *text)
{
    char *copy;

    if (!field->scratch)
        return cleat_err_set(field->err, -EINVAL, "%s can't be bound without a scratch",
                             field->binding->path);
    copy = scratch_take(field->scratch, text->length + 1);
    if (!copy)
        return cleat_err_set(field->err, -ENOMEM, "out of memory for %s", field->binding->path);
    memcpy(copy, text->data, text->length);
    copy[text->length] = '\0';
    text->data = copy;
    return 0;
}

/* -- one field -- */

static int binding_str(struct binding_field *field)
{
    struct cleat_scratch scratch;
    struct cleat_str text = {NULL, 0};
    int r = cleat_value_str(field->value, &scratch, &text);

    if (r != 0)
        return r;
    if ((uintptr_t)text.data >= (uintptr_t)&scratch &&
        (uintptr_t)text.data < (uintptr_t)(&scratch + 1)) {
        r = binding_keep(field, &text);
        if (r < 0)
            return r;
    }
    memcpy(field->out, &text, sizeof(text));
    return 0;
}

static int binding_int(struct binding_field *field)
{
    int64_t number = 0;
    int r = cleat_value_int(field->value, &number);

    if (r == 0)
        memcpy(field->out, &number, sizeof(number));
    return r;
}

static int binding_bool(struct binding_field *field)
{
    bool flag = false;
    int r = cleat_value_bool(field->value, &flag);

    if (r == 0)
        memcpy(field->out, &flag, sizeof(flag));
    return r;
}

static int binding_double(struct binding_field *field)
{
    double number = 0;
    int r = cleat_value_double(field->value, &number);

    if (r == 0)
        memcpy(field->out, &number, sizeof(number));
    return r;
}

static int binding_value(struct binding_field *field)
{
    memcpy(field->out, &field->value, sizeof(field->value));
    return 0;
}

static const struct binding_kind {
    int (*read)(
        struct binding_field *field); /* 0, a value's outcome, or a negative errno with its text */
    size_t size;
    enum cleat_value_type type;
} binding_kinds[] = {
    [CLEAT_BIND_STR] = {binding_str, sizeof(struct cleat_str), CLEAT_TYPE_STRING},
    [CLEAT_BIND_INT] = {binding_int, sizeof(int64_t), CLEAT_TYPE_NUMBER},
    [CLEAT_BIND_BOOL] = {binding_bool, sizeof(bool), CLEAT_TYPE_BOOL},
    [CLEAT_BIND_DOUBLE] = {binding_double, sizeof(double), CLEAT_TYPE_NUMBER},
    [CLEAT_BIND_VALUE] = {binding_value, sizeof(struct cleat_value), CLEAT_TYPE_ABSENT},
};

static int binding_refuse(const struct binding_field *field, int outcome)
{
    const char *path = field->binding->path;
    const struct binding_kind *kind = &binding_kinds[field->binding->type];

    if (outcome == CLEAT_VALUE_NOT_KEPT)
        return cleat_err_set(field->err, -ENODATA, "%s wasn't kept by the projection", path);
    if (outcome == CLEAT_VALUE_RANGE)
        return cleat_err_set(field->err, -EINVAL, "%s is a number that doesn't fit%s", path,
                             field->binding->type == CLEAT_BIND_INT ? " an integer of 64 bits"
                                                                    : "");
    return cleat_err_set(field->err, -EINVAL, "%s is %s, not %s", path,
                         cleat_value_type_name(cleat_value_type(field->value)),
                         cleat_value_type_name(kind->type));
}

static int binding_parse(const struct cleat_binding *binding, struct cleat_path *ret,
                         struct cleat_err *err)
{
    int r = cleat_path_parse(binding->path, ret, err);

    for (size_t i = 0; r == 0 && i < ret->count; i++)
        if (ret->segments[i].type == CLEAT_SEGMENT_EACH)
            r = cleat_err_set(err, -EINVAL, "%s names many values, a binding takes one",
                              binding->path);
    return r;
}

static int binding_read(struct binding_field *field)
{
    enum cleat_value_type type = cleat_value_type(field->value);
    int r;

    if (type == CLEAT_TYPE_NOT_KEPT)
        return binding_refuse(field, CLEAT_VALUE_NOT_KEPT);
    if (type == CLEAT_TYPE_ABSENT || type == CLEAT_TYPE_NULL) {
        if (field->binding->required)
            return cleat_err_set(field->err, -EINVAL, "%s is %s, but required",
                                 field->binding->path, cleat_value_type_name(type));
        return field->binding->type == CLEAT_BIND_VALUE ? binding_value(field) : 0;
    }
    r = binding_kinds[field->binding->type].read(field);
    return r > 0 ? binding_refuse(field, r) : r;
}

/* -- all of them -- */

static void binding_zero(const struct cleat_binding *bindings, size_t count, void *out)
{
    for (size_t i = 0; i < count; i++)
        memset((char *)out + bindings[i].offset, 0, binding_kinds[bindings[i].type].size);
}

int cleat_binding_read(const struct cleat_binding *bindings, size_t count, struct cleat_value root,
                       void *out, struct cleat_binding_scratch *scratch, struct cleat_err *err)
{
    int r = 0;

    binding_zero(bindings, count, out);
    for (size_t i = 0; i < count && r == 0; i++) {
        struct cleat_path path;
        struct binding_field field = {&bindings[i], CLEAT_VALUE_NONE,
                                      (char *)out + bindings[i].offset, scratch, err};
        r = binding_parse(&bindings[i], &path, err);
        if (r < 0)
            break;
        field.value = cleat_path_get(&path, root);
        r = binding_read(&field);
    }
    if (r < 0)
        binding_zero(bindings, count, out); /* half a struct is no use, and a trap */
    return r;
}

/* -- projection -- */

static void binding_quote(struct cleat_buffer *text, struct cleat_str key)
{
    (void)cleat_buffer_append(text, "[\"", 2); /* sticky, here and below */
    for (size_t i = 0; i < key.length; i++) {
        if (key.data[i] == '"' || key.data[i] == '\\')
            (void)cleat_buffer_byte(text, '\\');
        (void)cleat_buffer_byte(text, key.data[i]);
    }
    (void)cleat_buffer_append(text, "\"]", 2);
}

/* The path for a projection, which keeps all elements of an array or none. NULL: out of memory. */
static char *binding_path(const struct cleat_path *path)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(SIZE_MAX);
    char *taken;

    for (size_t i = 0; i < path->count; i++)
        if (path->segments[i].type == CLEAT_SEGMENT_KEY)
            binding_quote(&text, path->segments[i].key);
        else
            (void)cleat_buffer_append(&text, "[*]", 3);
    taken = cleat_buffer_take(&text);
    cleat_buffer_fini(&text);
    return taken;
}

static int binding_paths(const struct cleat_binding *bindings, size_t count, char **paths,
                         struct cleat_err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct cleat_path path;
        int r = binding_parse(&bindings[i], &path, err);
        if (r < 0)
            return r;
        paths[i] = binding_path(&path);
        if (!paths[i])
            return cleat_err_set(err, -ENOMEM, "out of memory for a projection");
    }
    return 0;
}

int cleat_binding_projection(const struct cleat_binding *bindings, size_t count,
                             struct cleat_projection **ret, struct cleat_err *err)
{
    char **paths = cleat_mem_zalloc(count + 1, sizeof(*paths));
    int r;

    if (!paths)
        return cleat_err_set(err, -ENOMEM, "out of memory for a projection");
    r = binding_paths(bindings, count, paths, err);
    if (r == 0)
        r = cleat_projection_paths((const char *const *)paths, count, ret, err);
    for (size_t i = 0; i < count; i++)
        cleat_mem_free(paths[i]);
    cleat_mem_free(paths);
    return r;
}
