/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/queue_order.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define GROUPS_PER_CHUNK 64
#define SHARES_GROUPS_MAX 4096

int cleat__queue_order_init(struct queue_order *order, int64_t ageing_ms, bool unfair)
{
    memset(order, 0, sizeof(*order));
    order->ageing_ns = ageing_ms < 0 ? -1 : ageing_ms * 1000000;
    order->unfair = unfair;
    order->level_memory = cleat_mem_zalloc(CLEAT__QUEUE_LEVELS_MAX, sizeof(*order->level_memory));
    if (!order->level_memory)
        return -ENOMEM;
    for (size_t i = 0; i < CLEAT__QUEUE_LEVELS_MAX; i++) {
        order->level_memory[i].unused_next = order->unused_levels;
        order->unused_levels = &order->level_memory[i];
    }
    return cleat__queue_order_reserve(order);
}

void cleat__queue_order_fini(struct queue_order *order)
{
    for (size_t i = 0; i < order->group_chunk_count; i++)
        cleat_mem_free(order->group_chunks[i]);
    cleat_mem_free(order->group_chunks);
    cleat_mem_free(order->level_memory);
    cleat__queue_table_fini(&order->groups);
    memset(order, 0, sizeof(*order));
}

static int groups_grow(struct queue_order *order)
{
    size_t count = order->group_chunk_count;
    struct queue_group *chunk = cleat_mem_zalloc(GROUPS_PER_CHUNK, sizeof(*chunk));
    struct queue_group **chunks =
        cleat_mem_realloc(order->group_chunks, (count + 1) * sizeof(struct queue_group *));
    if (chunks)
        order->group_chunks = chunks;
    if (!chunk || !chunks) {
        cleat_mem_free(chunk);
        return -ENOMEM;
    }
    order->group_chunks[count] = chunk;
    order->group_chunk_count++;
    for (size_t i = 0; i < GROUPS_PER_CHUNK; i++) {
        chunk[i].next = order->unused_groups;
        order->unused_groups = &chunk[i];
    }
    return 0;
}

int cleat__queue_order_reserve(struct queue_order *order)
{
    if (!order->unused_groups && groups_grow(order) < 0)
        return -ENOMEM;
    return cleat__queue_table_reserve(&order->groups);
}

/* Where @priority stands, or would be put in: the first level that isn't below it. */
static size_t level_place(const struct queue_order *order, int priority)
{
    size_t at = order->level_count;
    while (at > 0 && order->levels[at - 1]->priority >= priority)
        at--;
    return at;
}

static struct queue_level *level_take(struct queue_order *order, int priority)
{
    size_t at = level_place(order, priority);
    if (at < order->level_count && order->levels[at]->priority == priority)
        return order->levels[at];
    if (order->level_count == CLEAT__QUEUE_LEVELS_MAX)
        return order->levels[at > 0 ? at - 1 : 0];
    struct queue_level *level = order->unused_levels;
    order->unused_levels = level->unused_next;
    *level = (struct queue_level){.priority = priority};
    memmove(&order->levels[at + 1], &order->levels[at],
            (order->level_count - at) * sizeof(struct queue_level *));
    order->levels[at] = level;
    order->level_count++;
    return level;
}

static void level_release(struct queue_order *order, struct queue_level *level)
{
    size_t at = level_place(order, level->priority);
    cleat_assert(order->levels[at] == level);
    order->level_count--;
    memmove(&order->levels[at], &order->levels[at + 1],
            (order->level_count - at) * sizeof(struct queue_level *));
    level->unused_next = order->unused_levels;
    order->unused_levels = level;
}

static uint64_t group_hash(const struct queue_level *level, uint64_t class_hash)
{
    uint64_t mixed = class_hash ^ ((uint64_t)(uint32_t)level->priority * 0x9fb21c651e98df25U);
    return mixed ^ (mixed >> 29);
}

static struct queue_group *group_take(struct queue_order *order, struct queue_level *level,
                                      uint64_t class_hash)
{
    uint64_t hash = group_hash(level, class_hash);
    size_t at = 0;
    struct queue_group *group = NULL;
    while ((group = cleat__queue_table_find(&order->groups, hash, &at)))
        if (group->level == level && group->class_hash == class_hash)
            return group;
    group = order->unused_groups;
    cleat_assert(group);
    order->unused_groups = group->next;
    *group = (struct queue_group){.level = level, .class_hash = class_hash, .hash = hash};
    cleat__queue_table_add(&order->groups, hash, group);
    /* The new class comes last in the round: right before the one whose turn it is. */
    if (level->turn) {
        group->next = level->turn;
        group->prev = level->turn->prev;
        group->prev->next = group;
        group->next->prev = group;
    } else {
        group->next = group;
        group->prev = group;
        level->turn = group;
    }
    return group;
}

static void group_release(struct queue_order *order, struct queue_group *group)
{
    struct queue_level *level = group->level;
    cleat__queue_table_remove(&order->groups, group->hash, group);
    if (group->next == group) {
        level->turn = NULL;
    } else {
        group->prev->next = group->next;
        group->next->prev = group->prev;
        if (level->turn == group)
            level->turn = group->next;
    }
    group->next = order->unused_groups;
    order->unused_groups = group;
}

static void age_append(struct queue_level *level, struct queue_item *item)
{
    item->age_next = NULL;
    item->age_prev = level->newest;
    if (level->newest)
        level->newest->age_next = item;
    else
        level->oldest = item;
    level->newest = item;
}

static void age_remove(struct queue_level *level, struct queue_item *item)
{
    if (item->age_prev)
        item->age_prev->age_next = item->age_next;
    else
        level->oldest = item->age_next;
    if (item->age_next)
        item->age_next->age_prev = item->age_prev;
    else
        level->newest = item->age_prev;
}

/* Without memory for another class the key joins the one whose turn it is at the top: out of order
 * is better than lost. There is one, because all the memory that there is for classes is in use. */
static struct queue_group *order_group(struct queue_order *order, int priority,
                                       const struct queue_item *item)
{
    if (!order->unused_groups || order->groups.count + 1 >= order->groups.capacity) {
        cleat_assert(order->level_count > 0);
        return order->levels[order->level_count - 1]->turn;
    }
    struct queue_level *level = level_take(order, priority);
    return group_take(order, level, order->unfair ? 0 : item->class_hash);
}

static void order_put(struct queue_order *order, struct queue_item *item, int priority,
                      int64_t now_ns)
{
    struct queue_group *group = order_group(order, priority, item);
    struct queue_level *level = group->level;
    item->next = NULL;
    item->prev = group->tail;
    if (group->tail)
        group->tail->next = item;
    else
        group->head = item;
    group->tail = item;
    item->group = group;
    group->count++;
    item->lift_ns = order->ageing_ns < 0 ? INT64_MAX : now_ns + order->ageing_ns;
    age_append(level, item);
    level->count++;
    order->count++;
}

void cleat__queue_order_push(struct queue_order *order, struct queue_item *item, int64_t now_ns)
{
    cleat_assert(item->state == QUEUE_IDLE && !item->working);
    item->state = QUEUE_READY;
    order_put(order, item, item->priority, now_ns);
}

void cleat__queue_order_remove(struct queue_order *order, struct queue_item *item)
{
    struct queue_group *group = item->group;
    struct queue_level *level = group->level;
    cleat_assert(item->state == QUEUE_READY);
    if (item->prev)
        item->prev->next = item->next;
    else
        group->head = item->next;
    if (item->next)
        item->next->prev = item->prev;
    else
        group->tail = item->prev;
    age_remove(level, item);
    item->group = NULL;
    item->state = QUEUE_IDLE;
    order->count--;
    level->count--;
    group->count--;
    if (!group->head)
        group_release(order, group);
    if (level->count == 0)
        level_release(order, level);
}

struct queue_item *cleat__queue_order_pop(struct queue_order *order)
{
    if (order->level_count == 0)
        return NULL;
    struct queue_level *level = order->levels[order->level_count - 1];
    struct queue_group *group = level->turn;
    struct queue_item *item = group->head;
    level->turn = group->next;
    cleat__queue_order_remove(order, item);
    return item;
}

/* Lifts the oldest of a level that isn't the highest; false where it isn't due. */
static bool level_lift(struct queue_order *order, struct queue_level *level, int64_t now_ns)
{
    struct queue_item *item = level->oldest;
    int top = order->levels[order->level_count - 1]->priority;
    if (item->lift_ns > now_ns || cleat__queue_order_reserve(order) < 0)
        return false;
    int64_t lifted = (int64_t)level->priority + CLEAT__QUEUE_LIFT;
    cleat__queue_order_remove(order, item);
    item->state = QUEUE_READY;
    order_put(order, item, lifted < top ? (int)lifted : top, now_ns);
    return true;
}

void cleat__queue_order_age(struct queue_order *order, int64_t now_ns, size_t budget)
{
    size_t i = 0;
    if (order->ageing_ns < 0)
        return;
    /* A level that a lift empties gives its place to the next; one that it makes stands above. */
    while (i + 1 < order->level_count && budget > 0)
        if (level_lift(order, order->levels[i], now_ns))
            budget--;
        else
            i++;
}

void cleat__queue_order_shares(const struct queue_order *order, struct queue_shares *ret)
{
    size_t left = SHARES_GROUPS_MAX;
    *ret = (struct queue_shares){.classes = order->groups.count, .since_ns = INT64_MAX};
    for (size_t i = order->level_count; i > 0; i--) {
        const struct queue_level *level = order->levels[i - 1];
        const struct queue_group *group = level->turn;
        if (level->oldest->ready_ns < ret->since_ns)
            ret->since_ns = level->oldest->ready_ns;
        do {
            ret->deepest = group->count > ret->deepest ? group->count : ret->deepest;
            group = group->next;
        } while (group != level->turn && --left > 0);
        if (left == 0)
            break;
    }
}
