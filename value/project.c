/* SPDX-License-Identifier: Apache-2.0 */
/* Copying with a projection, for the rare object that was read before it was known where it goes.
 */
#include <errno.h>

#include "base/mem.h"
#include "value/parser_state.h"

static int project_at(struct cleat_heap *heap, struct cleat_value value,
                      const struct projection_node *projection, int level, uint32_t *ret);

/* Members that are kept beside the root: of the object itself, and of its metadata. */
static bool left_out(struct cleat_str key, int level)
{
    return level == 0   ? cleat_str_is(key, "apiVersion") || cleat_str_is(key, "kind")
           : level == 1 ? cleat_str_is(key, "resourceVersion")
                        : false;
}

static int project_array(struct cleat_heap *heap, struct cleat_value value,
                         const struct projection_node *projection, uint32_t *ret)
{
    size_t count = cleat_value_count(value);
    const struct projection_node *element = cleat__projection_element(projection);
    CLEAT_CLEANUP(cleat_mem_freep)
    uint32_t *refs = cleat_mem_alloc(count * sizeof(*refs));
    int r = refs ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = project_at(heap, cleat_value_at(value, i), element, -1, &refs[i]);
    return r == 0 ? cleat_heap_array(heap, refs, count, ret) : r;
}

static int project_object(struct cleat_heap *heap, struct cleat_value value,
                          const struct projection_node *projection, int level, uint32_t *ret)
{
    size_t count = cleat_value_count(value), kept = 0;
    CLEAT_CLEANUP(cleat_mem_freep)
    struct cleat_member *members = cleat_mem_alloc(count * sizeof(*members));
    int r = members ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct cleat_str key;
        struct cleat_value child = cleat_value_member(value, i, &key);
        if (left_out(key, level))
            continue;
        int below = level == 0 && cleat_str_is(key, "metadata") ? 1 : -1;
        members[kept].key = key;
        r = project_at(heap, child, cleat__projection_member(projection, key), below,
                       &members[kept++].ref);
    }
    return r == 0 ? cleat_heap_object(heap, members, kept, ret) : r;
}

/* Recursion is as deep as the value, which was parsed within the limit. */
static int project_at(struct cleat_heap *heap, struct cleat_value value,
                      const struct projection_node *projection, int level, uint32_t *ret)
{
    if (projection_drops(projection)) {
        *ret = REF_NOT_KEPT;
        return 0;
    }
    switch (cleat_value_type(value)) {
    case CLEAT_TYPE_ARRAY: return project_array(heap, value, projection, ret);
    case CLEAT_TYPE_OBJECT: return project_object(heap, value, projection, level, ret);
    default: return cleat_heap_copy(heap, value, ret);
    }
}

int cleat__project(struct cleat_heap *heap, struct cleat_value root,
                   const struct cleat_projection *projection, uint32_t *ret)
{
    return project_at(heap, root, cleat__projection_root(projection), 0, ret);
}
