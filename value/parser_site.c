/* SPDX-License-Identifier: Apache-2.0 */
/* What the parser has learned: sites and steps. See parser_state.h. */
#include <errno.h>

#include "base/mem.h"
#include "value/parser_state.h"

#define PARSER_BLOCK_BYTES (16 * CLEAT_KIB)

struct parser_block {
    struct parser_block *next;
    size_t size;
    _Alignas(16) char bytes[];
};

void *cleat__parser_memory(struct cleat_parser *parser, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct parser_block *block = parser->blocks;
    if (!block || block->size - parser->block_used < size) {
        size_t room = size > PARSER_BLOCK_BYTES ? size : PARSER_BLOCK_BYTES;
        block = cleat_mem_alloc(sizeof(*block) + room);
        if (!block)
            return NULL;
        block->next = parser->blocks;
        block->size = room;
        parser->blocks = block;
        parser->block_used = 0;
    }
    void *memory = block->bytes + parser->block_used;
    parser->block_used += size;
    return memory;
}

void cleat__parser_memory_free(struct cleat_parser *parser)
{
    while (parser->blocks) {
        struct parser_block *next = parser->blocks->next;
        (void)cleat_mem_free(parser->blocks);
        parser->blocks = next;
    }
}

/* The key as it stands in the source with its quotes and colon, where it needs no escapes there. */
static int site_text(struct cleat_parser *parser, struct site *site, struct cleat_str key)
{
    unsigned flags = 0;
    char *copy = cleat__parser_memory(parser, key.length + 4);
    if (!copy)
        return -ENOMEM;
    copy[0] = '"';
    memcpy(copy + 1, key.data, key.length);
    memcpy(copy + 1 + key.length, "\":", 3);
    site->key = (struct cleat_str){copy + 1, key.length};
    if (scan_special(key.data, key.data + key.length, &flags) == key.data + key.length) {
        site->text = copy;
        site->text_length = (uint32_t)key.length + 3;
    }
    return 0;
}

struct site *cleat__site_new(struct cleat_parser *parser, struct site *parent, struct cleat_str key,
                             const struct projection_node *projection)
{
    struct site *site = cleat__parser_memory(parser, sizeof(*site));
    if (!site)
        return NULL;
    memset(site, 0, offsetof(struct site, copy));
    site->parent = parent;
    site->projection = projection;
    site->dropped = projection_drops(projection);
    if (key.data && site_text(parser, site, key) != 0)
        return NULL;
    parser->site_count++;
    return site;
}

struct site *cleat__site_add(struct cleat_parser *parser, struct site *parent, struct cleat_str key)
{
    struct site *site =
        cleat__site_new(parser, parent, key, cleat__projection_member(parent->projection, key));
    if (site) {
        site->sibling = parent->fields;
        parent->fields = site;
        parent->field_count++;
    }
    return site;
}

struct site *cleat__site_find(const struct site *site, struct cleat_str key)
{
    for (struct site *field = site->fields; field; field = field->sibling)
        if (cleat_str_equal(field->key, key))
            return field;
    return NULL;
}

/* A site for what lies below @site with @projection: new, or the one for everything when there are
 * many. */
static struct site *site_below(struct cleat_parser *parser, struct site *site,
                               const struct projection_node *projection)
{
    struct site *below = NULL;
    bool plain = projection_keeps_all(projection);
    if (parser->site_count < PARSER_SITES_MAX || !plain)
        below = cleat__site_new(parser, site, (struct cleat_str){NULL, 0}, projection);
    return !below && plain ? &parser->anything : below;
}

/* The site of one of the first elements, which tend to differ from each other but not from object
 * to object. */
static struct site *site_element_at(struct cleat_parser *parser, struct site *site, uint32_t index)
{
    if (!site->elements) {
        size_t size = SITE_ELEMENTS * sizeof(*site->elements);
        struct site **elements = cleat__parser_memory(parser, size);
        if (!elements)
            return NULL;
        memset(elements, 0, size);
        site->elements = elements;
    }
    if (!site->elements[index])
        site->elements[index] =
            site_below(parser, site, cleat__projection_element(site->projection));
    return site->elements[index];
}

struct site *cleat__site_element(struct cleat_parser *parser, struct site *site, uint32_t index)
{
    bool apart = parser->seasoned && index > 0 && index < SITE_ELEMENTS &&
                 site != &parser->anything && parser->site_count < PARSER_SITES_MAX / 2;
    if (apart)
        return site_element_at(parser, site, index);

    if (!site->element)
        site->element = site_below(parser, site, cleat__projection_element(site->projection));
    return site->element;
}

struct site *cleat__site_plain(struct cleat_parser *parser, struct site *site, struct cleat_str key)
{
    if (!site->has_roles && projection_keeps_all(site->projection)) {
        if (!site->any)
            site->any = site_below(parser, site, site->projection);
        return site->any;
    }
    struct site *field = cleat__site_find(site, key);
    if (field)
        return field;
    const struct projection_node *projection = cleat__projection_member(site->projection, key);
    bool special = projection != cleat__projection_member(site->projection, CLEAT_STR(""));
    if (special)
        return cleat__site_add(parser, site, key); /* as many as the projection has */
    if (!site->any)
        site->any = site_below(parser, site, projection);
    return site->any;
}

/* The field of @key, known or made; NULL where this place is crowded. */
static struct site *site_field(struct cleat_parser *parser, struct site *site, struct cleat_str key)
{
    struct site *field = cleat__site_find(site, key);
    if (!field && site->field_count < SITE_FIELDS_MAX && parser->site_count < PARSER_SITES_MAX)
        field = cleat__site_add(parser, site, key);
    return field;
}

static struct step *step_find(struct step *step, struct cleat_str key)
{
    for (struct step *child = step->children; child; child = child->sibling)
        if (cleat_str_equal(child->field->key, key))
            return child;
    return NULL;
}

static bool step_has(const struct step *step, const struct site *field)
{
    for (; step->field; step = step->parent)
        if (step->field == field)
            return true;
    return false;
}

int cleat__step_take(struct cleat_parser *parser, struct site *site, struct step *step,
                     struct cleat_str key, struct step **ret)
{
    struct step *child = step_find(step, key);
    if (!child) {
        struct site *field = site_field(parser, site, key);
        if (field && step_has(step, field))
            return -EEXIST;
        if (!field || site->step_count >= SITE_STEPS_MAX ||
            parser->step_count >= PARSER_STEPS_MAX) {
            site->crowded = true;
            return -ENOBUFS;
        }
        child = cleat__parser_memory(parser, sizeof(*child));
        if (!child)
            return -ENOMEM;
        *child = (struct step){.field = field, .parent = step, .sibling = step->children};
        child->count = step->count + !field->left_out;
        step->children = child;
        site->step_count++;
        parser->step_count++;
    }
    step->next = child;
    *ret = child;
    return 0;
}

int cleat__site_key(struct cleat_parser *parser, struct site *field, uint32_t *ret)
{
    if (field->key_stamp != parser->target->stamp) {
        int r = cleat__heap_key_kept(parser->target->heap, field->key, &field->key_ref);
        if (r != 0)
            return r;
        field->key_stamp = parser->target->stamp;
    }
    *ret = field->key_ref;
    return 0;
}

/* Puts @order, positions in @fields, in the order of the keys' bytes. There are few. */
static bool step_sort(struct site *const *fields, uint16_t *order, uint32_t count)
{
    bool in_order = true;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        while (at > 0 && cleat_str_compare(fields[order[at - 1]]->key, fields[i]->key) > 0) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = (uint16_t)i;
        in_order = in_order && at == i;
    }
    return in_order;
}

int cleat__step_shape(struct cleat_parser *parser, struct step *step)
{
    struct site *fields[STEP_FIELDS_MAX];
    uint32_t keys[STEP_FIELDS_MAX];
    uint16_t order[STEP_FIELDS_MAX];
    uint32_t count = step->count, at = count;
    bool is_pool = parser->target->heap->is_pool;
    cleat_assert(count <= STEP_FIELDS_MAX);
    for (const struct step *one = step; one->field; one = one->parent)
        if (!one->field->left_out)
            fields[--at] = one->field;
    if (!step->order) {
        step->in_order = step_sort(fields, order, count);
        step->order = cleat__parser_memory(parser, (count + 1) * sizeof(*order));
        if (!step->order)
            return -ENOMEM;
        memcpy(step->order, order, count * sizeof(*order));
    }
    for (uint32_t i = 0; i < count; i++) {
        int r = cleat__site_key(parser, fields[is_pool ? step->order[i] : i], &keys[i]);
        if (r != 0)
            return r;
    }
    int r = cleat__heap_shape(parser->target->heap, keys, step->order, step->in_order, count,
                              &step->shape);
    if (r == 0)
        step->stamp = parser->target->stamp;
    return r;
}

void cleat__site_learn(struct cleat_parser *parser, struct site *site, struct cleat_str raw,
                       uint32_t ref)
{
    bool again = site->last_ref == ref;
    site->last_ref = ref;
    if (!again || raw.length > SITE_RAW_BYTES_MAX || site->has_roles)
        return;
    if (raw.length > site->raw_capacity) {
        uint32_t capacity = (uint32_t)raw.length * 2;
        char *copy = parser->raw_bytes + capacity > PARSER_RAW_BYTES_MAX
                         ? NULL
                         : cleat__parser_memory(parser, capacity);
        if (!copy)
            return;
        parser->raw_bytes += capacity;
        site->raw = copy;
        site->raw_capacity = capacity;
    }
    memcpy(site->raw, raw.data, raw.length);
    site->raw_length = (uint32_t)raw.length;
    site->raw_ref = ref;
    site->raw_mark = *heap_mark_of(parser->target->heap, ref);
}
