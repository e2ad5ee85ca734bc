/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/projection.h>

#include <errno.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/mem.h"
#include "value/projection_node.h"

struct cleat_projection {
    atomic_uint count; /* references: relaxed up, release down, acquire before freeing */
    struct projection_node root;
};

static const struct projection_node node_all = {.keep = true};
static const struct projection_node node_none = {.keep = false};

const struct projection_node *cleat__projection_root(const struct cleat_projection *projection)
{
    return projection ? &projection->root : &node_all;
}

static struct projection_node *node_child(const struct projection_node *node, struct cleat_str key)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct projection_child *child = &node->children[i];
        if (cleat_str_equal((struct cleat_str){child->key, child->key_length}, key))
            return child->node;
    }
    return NULL;
}

const struct projection_node *cleat__projection_member(const struct projection_node *node,
                                                       struct cleat_str key)
{
    const struct projection_node *child = node_child(node, key);
    return child ? child : node->keep ? &node_all : &node_none;
}

const struct projection_node *cleat__projection_element(const struct projection_node *node)
{
    return node->each ? node->each : node->keep ? &node_all : &node_none;
}

/* Frees what is below @node. Recursion is as deep as paths are long. */
static void node_clear(struct projection_node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        node_clear(node->children[i].node);
        (void)cleat_mem_free(node->children[i].node);
        (void)cleat_mem_free(node->children[i].key);
    }
    node->children = cleat_mem_free(node->children);
    node->count = 0;
    if (node->each) {
        node_clear(node->each);
        node->each = cleat_mem_free(node->each);
    }
}

/* Adds a child, which keeps what its parent does. NULL where memory is short. */
static struct projection_node *node_add(struct projection_node *node, struct cleat_str key)
{
    struct projection_child *children =
        cleat_mem_realloc(node->children, (node->count + 1) * sizeof(*children));
    if (!children)
        return NULL;
    node->children = children;
    struct projection_child child = {.key_length = key.length};
    child.key = cleat_mem_strndup(key.data ? key.data : "", key.length);
    child.node = cleat_mem_zalloc(1, sizeof(*child.node));
    if (!child.key || !child.node) {
        (void)cleat_mem_free(child.key);
        (void)cleat_mem_free(child.node);
        return NULL;
    }
    child.node->keep = node->keep;
    children[node->count++] = child;
    return child.node;
}

/* Finds or adds the node that @segment leads to. */
static struct projection_node *node_step(struct projection_node *node,
                                         const struct cleat_path_segment *segment)
{
    if (segment->type == CLEAT_SEGMENT_KEY) {
        struct projection_node *child = node_child(node, segment->key);
        return child ? child : node_add(node, segment->key);
    }
    if (!node->each) {
        node->each = cleat_mem_zalloc(1, sizeof(*node->each));
        if (node->each)
            node->each->keep = node->keep;
    }
    return node->each;
}

/* Keeps everything at @path. */
static int node_keep(struct projection_node *root, const struct cleat_path *path)
{
    struct projection_node *node = root;
    for (size_t i = 0; i < path->count && !projection_keeps_all(node); i++) {
        node = node_step(node, &path->segments[i]);
        if (!node)
            return -ENOMEM;
    }
    node_clear(node);
    node->keep = true;
    return 0;
}

static int node_keep_text(struct projection_node *root, const char *text, struct cleat_err *err)
{
    struct cleat_path path;
    int r = cleat_path_parse(text, &path, err);
    for (size_t i = 0; r == 0 && i < path.count; i++) {
        if (path.segments[i].type == CLEAT_SEGMENT_INDEX) {
            r = cleat_err_set(err, -EINVAL, "path \"%s\": a projection takes [*], no single index",
                              text);
        }
    }
    return r == 0 ? node_keep(root, &path) : r;
}

static int node_keep_always(struct projection_node *root)
{
    static const char *const always[] = {"apiVersion",    "kind",
                                         "metadata.name", "metadata.namespace",
                                         "metadata.uid",  "metadata.resourceVersion"};
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(always) / sizeof(always[0]); i++)
        r = node_keep_text(root, always[i], NULL);
    return r;
}

static struct cleat_projection *projection_alloc(bool keep)
{
    struct cleat_projection *projection = cleat_mem_zalloc(1, sizeof(*projection));
    if (projection) {
        atomic_init(&projection->count, 1);
        projection->root.keep = keep;
    }
    return projection;
}

/* Hands @projection out, or frees it where @r is a failure. */
static int projection_finish(struct cleat_projection *projection, int r,
                             struct cleat_projection **ret)
{
    if (r != 0) {
        (void)cleat_projection_unref(projection);
        return r;
    }
    *ret = projection;
    return 0;
}

/* Drops metadata.managedFields below @root, which keeps or drops the rest. */
static int node_keep_metadata(struct projection_node *root)
{
    struct projection_node *metadata = node_add(root, CLEAT_STR("metadata"));
    if (!metadata)
        return -ENOMEM;
    metadata->keep = true;
    struct projection_node *managed = node_add(metadata, CLEAT_STR("managedFields"));
    if (!managed)
        return -ENOMEM;
    managed->keep = false;
    return 0;
}

int cleat_projection_default(struct cleat_projection **ret)
{
    struct cleat_projection *projection = projection_alloc(true);
    if (!projection)
        return -ENOMEM;
    return projection_finish(projection, node_keep_metadata(&projection->root), ret);
}

int cleat_projection_all(struct cleat_projection **ret)
{
    struct cleat_projection *projection = projection_alloc(true);
    if (!projection)
        return -ENOMEM;
    return projection_finish(projection, 0, ret);
}

int cleat_projection_metadata(struct cleat_projection **ret)
{
    struct cleat_projection *projection = projection_alloc(false);
    if (!projection)
        return -ENOMEM;
    int r = node_keep_metadata(&projection->root);
    return projection_finish(projection, r == 0 ? node_keep_always(&projection->root) : r, ret);
}

int cleat_projection_paths(const char *const *paths, size_t count, struct cleat_projection **ret,
                           struct cleat_err *err)
{
    struct cleat_projection *projection = projection_alloc(false);
    if (!projection)
        return -ENOMEM;
    int r = node_keep_always(&projection->root);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = node_keep_text(&projection->root, paths[i], err);
    return projection_finish(projection, r, ret);
}

static int node_union(struct projection_node *out, const struct projection_node *a,
                      const struct projection_node *b);

/* Unites what both say about @key, unless @out has it already. */
static int node_union_key(struct projection_node *out, struct cleat_str key,
                          const struct projection_node *a, const struct projection_node *b)
{
    if (node_child(out, key))
        return 0;
    struct projection_node *child = node_add(out, key);
    return child ? node_union(child, cleat__projection_member(a, key),
                              cleat__projection_member(b, key))
                 : -ENOMEM;
}

static int node_union(struct projection_node *out, const struct projection_node *a,
                      const struct projection_node *b)
{
    int r = 0;
    out->keep = a->keep || b->keep;
    if (projection_keeps_all(a) || projection_keeps_all(b))
        return 0;
    for (size_t i = 0; r == 0 && i < a->count + b->count; i++) {
        const struct projection_child *child =
            i < a->count ? &a->children[i] : &b->children[i - a->count];
        r = node_union_key(out, (struct cleat_str){child->key, child->key_length}, a, b);
    }
    if (r == 0 && (a->each || b->each)) {
        out->each = cleat_mem_zalloc(1, sizeof(*out->each));
        r = out->each
                ? node_union(out->each, cleat__projection_element(a), cleat__projection_element(b))
                : -ENOMEM;
    }
    return r;
}

int cleat_projection_union(const struct cleat_projection *a, const struct cleat_projection *b,
                           struct cleat_projection **ret)
{
    struct cleat_projection *projection = projection_alloc(false);
    if (!projection)
        return -ENOMEM;
    return projection_finish(
        projection,
        node_union(&projection->root, cleat__projection_root(a), cleat__projection_root(b)), ret);
}

static bool node_covers(const struct projection_node *a, const struct projection_node *b)
{
    if (projection_keeps_all(a) || projection_drops(b))
        return true;
    if (b->keep && !a->keep)
        return false;
    for (size_t i = 0; i < a->count + b->count; i++) {
        const struct projection_child *child =
            i < a->count ? &a->children[i] : &b->children[i - a->count];
        struct cleat_str key = {child->key, child->key_length};
        if (!node_covers(cleat__projection_member(a, key), cleat__projection_member(b, key)))
            return false;
    }
    return (!a->each && !b->each) ||
           node_covers(cleat__projection_element(a), cleat__projection_element(b));
}

bool cleat_projection_covers(const struct cleat_projection *a, const struct cleat_projection *b)
{
    return node_covers(cleat__projection_root(a), cleat__projection_root(b));
}

bool cleat_projection_keeps(const struct cleat_projection *projection,
                            const struct cleat_path *path)
{
    const struct projection_node *node = cleat__projection_root(projection);
    for (size_t i = 0; i < path->count; i++) {
        node = path->segments[i].type == CLEAT_SEGMENT_KEY
                   ? cleat__projection_member(node, path->segments[i].key)
                   : cleat__projection_element(node);
    }
    return node->keep;
}

struct cleat_projection *cleat_projection_ref(const struct cleat_projection *projection)
{
    /* Counting is no change of what is constant about it. */
    struct cleat_projection *counted = (struct cleat_projection *)(uintptr_t)projection;
    (void)atomic_fetch_add_explicit(&counted->count, 1, memory_order_relaxed);
    return counted;
}

struct cleat_projection *cleat_projection_unref(struct cleat_projection *projection)
{
    if (projection && atomic_fetch_sub_explicit(&projection->count, 1, memory_order_release) == 1) {
        atomic_thread_fence(memory_order_acquire);
        node_clear(&projection->root);
        (void)cleat_mem_free(projection);
    }
    return NULL;
}
