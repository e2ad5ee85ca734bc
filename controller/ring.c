/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariants: every record is in exactly one of fifo, a stage, done, free, or in the events
 * thread's hands; a record that isn't cancelled and waits in fifo or a stage is in the table. Only
 * the ingest thread adds to the table, so that what it prepared stays prepared. A record that was
 * pulled leaves a cancelled one in its place.
 */
#include "controller/ring.h"

#include <errno.h>

#include "base/check.h"
#include "base/mem.h"

/* Delivered records above which the ingest thread is woken to give up their holds. */
#define RING_DONE_WAKE 4096

static const struct ring_stage stage_empty = CLEAT__RING_STAGE_INIT;

static struct ring_record *ring_at(const struct cleat__ring *ring, uint32_t id)
{
    return (struct ring_record *)cleat__cells_at(&ring->records, id);
}

static void stage_push(struct cleat__ring *ring, struct ring_stage *stage, uint32_t id)
{
    ring_at(ring, id)->next = CLEAT__STORE_NONE;
    if (stage->tail == CLEAT__STORE_NONE)
        stage->head = id;
    else
        ring_at(ring, stage->tail)->next = id;
    stage->tail = id;
    stage->count++;
}

static uint32_t stage_pop(struct cleat__ring *ring, struct ring_stage *stage)
{
    uint32_t id = stage->head;
    if (id == CLEAT__STORE_NONE)
        return id;
    stage->head = ring_at(ring, id)->next;
    if (stage->head == CLEAT__STORE_NONE)
        stage->tail = CLEAT__STORE_NONE;
    stage->count--;
    return id;
}

void cleat__ring_init(struct cleat__ring *ring, struct cleat__lender *lender)
{
    *ring = (struct cleat__ring){.lender = lender,
                                 .records.cell_bytes = sizeof(struct ring_record),
                                 .fifo = stage_empty,
                                 .free = stage_empty,
                                 .done = stage_empty};
    cleat_lock_init(&ring->lock, CLEAT_LOCK_RING);
    cleat_cond_init(&ring->work);
    cleat_cond_init(&ring->idle);
}

static void ring_give_up(struct cleat__ring *ring, struct ring_record *record)
{
    cleat__lender_drop(ring->lender, record->root);
    cleat__lender_drop(ring->lender, record->old_root);
    if (record->root != CLEAT_REF_ABSENT)
        cleat__lender_version_drop(ring->lender, ring_version(record, false));
    if (record->old_root != CLEAT_REF_ABSENT)
        cleat__lender_version_drop(ring->lender, ring_version(record, true));
    if (record->name != CLEAT_REF_ABSENT)
        cleat_pool_drop(ring->lender->heap, record->name);
    record->root = record->old_root = record->name = CLEAT_REF_ABSENT;
    record->flags = RING_CANCELLED;
}

void cleat__ring_fini(struct cleat__ring *ring)
{
    for (uint32_t i = 0; i < ring->records.count; i++)
        ring_give_up(ring, ring_at(ring, i));
    cleat__table_fini(&ring->table);
    cleat__cells_fini(&ring->records);
    cleat_cond_fini(&ring->idle);
    cleat_cond_fini(&ring->work);
    cleat_lock_fini(&ring->lock);
}

static uint32_t ring_hash(uint16_t store, uint32_t namespace_, uint32_t name)
{
    uint64_t mixed = ((uint64_t)name << 32 | namespace_) ^ (uint64_t)store << 48;
    mixed = (mixed ^ mixed >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32);
}

struct ring_probe {
    const struct cleat__ring *ring;
    uint32_t namespace_;
    uint32_t name;
    uint16_t store;
};

static bool ring_match(const void *arg, uint32_t id)
{
    const struct ring_probe *probe = arg;
    const struct ring_record *record = ring_at(probe->ring, id);
    return record->name == probe->name && record->namespace_ == probe->namespace_ &&
           record->store == probe->store;
}

/* Names are strings of the pool that the record holds: equal where the reference is. */
static uint32_t ring_find(const struct cleat__ring *ring, uint16_t store, uint32_t namespace_,
                          uint32_t name)
{
    const struct ring_probe probe = {ring, namespace_, name, store};
    return cleat__table_find(&ring->table, ring_hash(store, namespace_, name), ring_match, &probe);
}

int cleat__ring_prepare(struct cleat__ring *ring, uint16_t store, uint32_t namespace_,
                        uint32_t name)
{
    int r = 0;
    cleat_lock_take(&ring->lock);
    if (ring_find(ring, store, namespace_, name) == CLEAT__STORE_NONE)
        r = cleat__table_reserve(&ring->table, ring_hash(store, namespace_, name));
    if (r == 0 && ring->free.count == 0) {
        uint32_t id;
        r = cleat__cells_extend(&ring->records, &id);
        if (r == 0) {
            ring_at(ring, id)->flags = RING_CANCELLED;
            stage_push(ring, &ring->free, id);
        }
    }
    cleat_lock_release(&ring->lock);
    return r;
}

static void record_set_now(struct cleat__ring *ring, struct ring_record *record,
                           const struct ring_state *state)
{
    record->root = state->root;
    record->version = state->version.number;
    record->flags &= (uint8_t) ~(RING_TEXT | RING_PARTIAL);
    record->flags |=
        (uint8_t)((state->version.is_text ? RING_TEXT : 0) | (state->partial ? RING_PARTIAL : 0));
    if (state->root != CLEAT_REF_ABSENT) {
        cleat_pool_hold(ring->lender->heap, state->root);
        cleat__lender_version_hold(ring->lender, state->version);
    }
}

static void record_set_old(struct cleat__ring *ring, struct ring_record *record,
                           const struct ring_state *state)
{
    record->old_root = state->root;
    record->old_version = state->version.number;
    record->flags |= (uint8_t)((state->version.is_text ? RING_OLD_TEXT : 0) |
                               (state->partial ? RING_OLD_PARTIAL : 0));
    if (state->root != CLEAT_REF_ABSENT) {
        cleat_pool_hold(ring->lender->heap, state->root);
        cleat__lender_version_hold(ring->lender, state->version);
    }
}

static void ring_new(struct cleat__ring *ring, const struct ring_post *post)
{
    uint32_t id = stage_pop(ring, &ring->free);
    cleat_assert(id != CLEAT__STORE_NONE); /* prepared */
    struct ring_record *record = ring_at(ring, id);
    *record = (struct ring_record){.name = post->name,
                                   .namespace_ = post->namespace_,
                                   .hash = ring_hash(post->store, post->namespace_, post->name),
                                   .store = post->store,
                                   .type = (uint8_t)post->type,
                                   .flags = (uint8_t)post->flags};
    cleat_pool_hold(ring->lender->heap, post->name);
    record_set_now(ring, record, &post->now);
    record_set_old(ring, record, &post->old);
    int r = cleat__table_add(&ring->table, record->hash, id);
    cleat_assert(r == 0); /* prepared */
    stage_push(ring, post->stage ? post->stage : &ring->fifo, id);
    ring->pushed += post->stage ? 0 : 1;
}

/*
 * What a record has become after one more change. What came and went before anybody was told isn't
 * nothing: whoever made it counts on hearing that it's gone.
 */
static unsigned ring_joined(unsigned before, enum cleat_event_type change)
{
    bool untold = before == CLEAT_EVENT_ADDED || before == RING_GONE;
    if (change == CLEAT_EVENT_RESYNC)
        return before;
    if (change == CLEAT_EVENT_DELETED)
        return untold ? RING_GONE : CLEAT_EVENT_DELETED;
    return untold ? CLEAT_EVENT_ADDED : CLEAT_EVENT_UPDATED;
}

/* Gives up the old state, which nobody was told. */
static void record_forget_old(struct cleat__ring *ring, struct ring_record *record)
{
    struct ring_record forgotten = {.old_root = record->old_root,
                                    .old_version = record->old_version,
                                    .flags = record->flags & RING_OLD_TEXT};
    ring_give_up(ring, &forgotten);
    record->old_root = CLEAT_REF_ABSENT;
    record->flags &= (uint8_t) ~(RING_OLD_TEXT | RING_OLD_PARTIAL);
}

static void ring_join(struct cleat__ring *ring, uint32_t id, const struct ring_post *post)
{
    struct ring_record *record = ring_at(ring, id);
    unsigned type = ring_joined(record->type, post->type);
    struct ring_record replaced = {
        .root = record->root, .version = record->version, .flags = record->flags & RING_TEXT};
    record_set_now(ring, record, &post->now);
    ring_give_up(ring, &replaced);
    if (record->type == RING_GONE && type != RING_GONE)
        record_forget_old(ring, record);
    else if (record->type != RING_GONE && type == RING_GONE)
        record_set_old(ring, record, &post->old);
    record->type = (uint8_t)type;
    record->flags &= (uint8_t)~RING_UNKNOWN;
    record->flags |= (uint8_t)(post->flags & RING_UNKNOWN);
}

void cleat__ring_post(struct cleat__ring *ring, const struct ring_post *post)
{
    cleat_lock_take(&ring->lock);
    uint32_t id = ring_find(ring, post->store, post->namespace_, post->name);
    if (id == CLEAT__STORE_NONE)
        ring_new(ring, post);
    else
        ring_join(ring, id, post);
    cleat_lock_release(&ring->lock);
    if (++ring->posted % CLEAT__RING_WAKE == 0)
        cleat_cond_signal(&ring->work);
}

void cleat__ring_release(struct cleat__ring *ring, struct ring_stage *stage)
{
    if (stage->count == 0)
        return;
    cleat_lock_take(&ring->lock);
    if (ring->fifo.tail == CLEAT__STORE_NONE)
        ring->fifo.head = stage->head;
    else
        ring_at(ring, ring->fifo.tail)->next = stage->head;
    ring->fifo.tail = stage->tail;
    ring->fifo.count += stage->count;
    ring->pushed += stage->count;
    *stage = stage_empty;
    cleat_lock_release(&ring->lock);
    ring->posted++;
}

void cleat__ring_drain(struct cleat__ring *ring)
{
    cleat_lock_take(&ring->lock);
    struct ring_stage done = ring->done;
    ring->done = stage_empty;
    bool wake = ring->posted > 0 && ring->fifo.count > 0;
    cleat_lock_release(&ring->lock);
    ring->posted = 0;
    if (wake)
        cleat_cond_signal(&ring->work);
    if (done.count == 0)
        return;
    /* Nobody else knows these records now. */
    for (uint32_t id = done.head; id != CLEAT__STORE_NONE; id = ring_at(ring, id)->next)
        ring_give_up(ring, ring_at(ring, id));
    cleat_lock_take(&ring->lock);
    while (done.count > 0)
        stage_push(ring, &ring->free, stage_pop(ring, &done));
    cleat_lock_release(&ring->lock);
}

bool cleat__ring_take(struct cleat__ring *ring, struct ring_record *ret, uint32_t *ret_id)
{
    cleat_assert(cleat_lock_held(&ring->lock));
    uint32_t id = stage_pop(ring, &ring->fifo);
    if (id == CLEAT__STORE_NONE)
        return false;
    struct ring_record *record = ring_at(ring, id);
    if (!(record->flags & RING_CANCELLED))
        cleat__table_remove(&ring->table, record->hash, id);
    *ret = *record;
    *ret_id = id;
    return true;
}

bool cleat__ring_pull(struct cleat__ring *ring, uint16_t store, uint32_t namespace_, uint32_t name,
                      struct ring_record *ret, uint32_t *ret_id)
{
    cleat_assert(cleat_lock_held(&ring->lock));
    uint32_t id = ring_find(ring, store, namespace_, name);
    if (id == CLEAT__STORE_NONE)
        return false;
    struct ring_record *record = ring_at(ring, id);
    cleat__table_remove(&ring->table, record->hash, id);
    *ret = *record;
    *ret_id = id;
    /* It stays in its place, cancelled, and keeps its holds until it comes to the head. */
    record->flags |= RING_CANCELLED;
    return true;
}

bool cleat__ring_waits(const struct cleat__ring *ring, uint16_t store, uint32_t namespace_,
                       uint32_t name)
{
    cleat_assert(cleat_lock_held(&ring->lock));
    return ring_find(ring, store, namespace_, name) != CLEAT__STORE_NONE;
}

void cleat__ring_done(struct cleat__ring *ring, uint32_t id, bool counts)
{
    cleat_assert(cleat_lock_held(&ring->lock));
    if (!counts)
        return;
    stage_push(ring, &ring->done, id);
    ring->delivered++;
    if (ring->done.count == RING_DONE_WAKE && ring->lender->wake)
        ring->lender->wake(ring->lender->wake_arg);
}

struct ring_unsee {
    struct cleat__ring *ring;
    uint16_t store;
};

static void ring_unsee_one(void *arg, uint32_t id)
{
    const struct ring_unsee *unsee = arg;
    struct ring_record *record = ring_at(unsee->ring, id);
    if (record->store == unsee->store)
        record->flags |= RING_UNSEEN;
}

void cleat__ring_unsee(struct cleat__ring *ring, uint16_t store)
{
    struct ring_unsee unsee = {ring, store};
    cleat_assert(cleat_lock_held(&ring->lock));
    cleat__table_each(&ring->table, ring_unsee_one, &unsee);
}

void cleat__ring_wake(struct cleat__ring *ring)
{
    cleat_lock_take(&ring->lock);
    ring->attention = true;
    cleat_lock_release(&ring->lock);
    cleat_cond_broadcast(&ring->work);
}

size_t cleat__ring_bytes(struct cleat__ring *ring)
{
    cleat_lock_take(&ring->lock);
    size_t bytes = cleat__cells_bytes(&ring->records) + cleat__table_bytes(&ring->table);
    cleat_lock_release(&ring->lock);
    return bytes;
}
