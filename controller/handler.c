/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/handler.h"

#include <errno.h>

#include "base/check.h"
#include "base/mem.h"

#define HANDLER_MAGIC 0x68616e64u
/* How long the events thread waits before it asks for memory again. */
#define EVENTS_MEMORY_MS 100

static _Thread_local struct cleat__events *events_here; /* whose thread this is */

/* A record in the events thread's hands, with its objects. */
struct events_item {
    struct ring_record record;
    uint32_t id;
    struct cleat_object *old;
    struct cleat_object *now;
    struct lender_object *lent; /* walks: what the walk found */
    bool pulled;
};

void cleat__events_init(struct cleat__events *events, struct cleat__lender *lender,
                        const struct cleat_clock *clock, int64_t resync_period_ms)
{
    *events = (struct cleat__events){.clock = clock, .resync_period_ms = resync_period_ms};
    cleat__ring_init(&events->ring, lender);
}

void cleat__events_fini(struct cleat__events *events)
{
    cleat__ring_fini(&events->ring);
    cleat_mem_free(events->stores);
    events->stores = NULL;
    events->store_count = 0;
}

int cleat__events_add(struct cleat__events *events, struct cleat_store *store)
{
    int r = 0;
    cleat_lock_take(&events->ring.lock);
    if (events->store_count == events->store_capacity) {
        size_t capacity = events->store_capacity ? events->store_capacity * 2 : 8;
        struct cleat_store **stores =
            cleat_mem_realloc(events->stores, capacity * sizeof(struct cleat_store *));
        r = stores ? 0 : -ENOMEM;
        events->stores = stores ? stores : events->stores;
        events->store_capacity = stores ? capacity : events->store_capacity;
    }
    if (r == 0) {
        cleat_assert(store->number == events->store_count);
        events->stores[events->store_count++] = store;
    }
    cleat_lock_release(&events->ring.lock);
    return r;
}

bool cleat__events_here(void)
{
    return events_here != NULL;
}

/* Handlers. */

int cleat_store_handler(struct cleat_store *store, cleat_event_fn fn, void *arg,
                        struct cleat_handler **ret, struct cleat_err *err)
{
    cleat_assert(store->magic == CLEAT__STORE_MAGIC && store->ring && fn);
    struct cleat_handler *handler = cleat_mem_zalloc(1, sizeof(*handler));
    if (!handler)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    *handler = (struct cleat_handler){
        .magic = HANDLER_MAGIC, .store = store, .fn = fn, .arg = arg, .state = HANDLER_NEW};
    cleat_rwlock_write(&store->lock);
    cleat_lock_take(&store->ring->lock);
    store->observed = true;
    struct cleat_handler **at = &store->handlers;
    while (*at)
        at = &(*at)->next;
    *at = handler;
    store->joining = true;
    store->ring->attention = true;
    cleat_lock_release(&store->ring->lock);
    cleat_rwlock_write_release(&store->lock);
    cleat_cond_broadcast(&store->ring->work);
    *ret = handler;
    return 0;
}

bool cleat_handler_synced(const struct cleat_handler *handler)
{
    struct cleat_handler *own = (struct cleat_handler *)(uintptr_t)handler; /* to latch it */
    struct cleat_store *store = handler->store;
    bool loaded = cleat_store_synced(store);
    cleat_lock_take(&store->ring->lock);
    own->synced = own->synced || (loaded && handler->state == HANDLER_LIVE &&
                                  store->ring->delivered >= store->sync_mark);
    bool synced = own->synced;
    cleat_lock_release(&store->ring->lock);
    return synced;
}

/* Nobody wants events any more: from now on none are posted. */
static void store_unobserve(struct cleat_store *store)
{
    cleat_rwlock_write(&store->lock);
    cleat_lock_take(&store->ring->lock);
    store->observed = store->handlers != NULL;
    cleat_lock_release(&store->ring->lock);
    cleat_rwlock_write_release(&store->lock);
}

struct cleat_handler *cleat_handler_remove(struct cleat_handler *handler)
{
    if (!handler)
        return NULL;
    cleat_assert(handler->magic == HANDLER_MAGIC && !cleat__events_here());
    struct cleat_store *store = handler->store;
    struct cleat__ring *ring = store->ring;
    cleat_lock_take(&ring->lock);
    while (ring->running == handler)
        cleat_cond_wait(&ring->idle, &ring->lock);
    struct cleat_handler **at = &store->handlers;
    while (*at && *at != handler)
        at = &(*at)->next;
    cleat_assert(*at);
    *at = handler->next;
    bool last = store->handlers == NULL;
    cleat_lock_release(&ring->lock);
    if (last)
        store_unobserve(store);
    handler->magic = 0;
    return cleat_mem_free(handler);
}

void cleat__store_free_handlers(struct cleat_store *store)
{
    while (store->handlers) {
        struct cleat_handler *next = store->handlers->next;
        store->handlers->magic = 0;
        cleat_mem_free(store->handlers);
        store->handlers = next;
    }
}

/* Calling them. */

enum audience {
    TO_SEEING,  /* all but those who haven't met the key */
    TO_OLD,     /* all but those who are being given the store */
    TO_WALKING, /* only those */
    TO_LIVE,
};

static bool handler_listens(const struct cleat_handler *handler, enum audience audience,
                            bool unseen)
{
    bool of_cohort = handler->cohort == handler->store->cohort;
    switch (audience) {
    case TO_SEEING: return handler->state != HANDLER_NEW && !(unseen && of_cohort);
    case TO_OLD: return handler->state == HANDLER_LIVE;
    case TO_WALKING: return handler->state == HANDLER_WALKING;
    default: return handler->state == HANDLER_LIVE;
    }
}

/* Calls each that listens. The one that runs can't be removed, so that its next is good. */
static void events_call(struct cleat__events *events, const struct cleat_store *store,
                        const struct cleat_event *event, enum audience audience, bool unseen)
{
    struct cleat__ring *ring = &events->ring;
    cleat_lock_take(&ring->lock);
    for (struct cleat_handler *handler = store->handlers; handler; handler = handler->next) {
        if (!handler_listens(handler, audience, unseen))
            continue;
        ring->running = handler;
        cleat_lock_release(&ring->lock);
        handler->fn(handler->arg, event);
        cleat_lock_take(&ring->lock);
        ring->running = NULL;
        cleat_cond_broadcast(&ring->idle);
    }
    cleat_lock_release(&ring->lock);
}

static struct cleat_str store_namespace_name(struct cleat_store *store, uint32_t number)
{
    cleat_rwlock_read(&store->lock);
    const struct store_namespace *space = store->namespaces[number]; /* stays */
    cleat_rwlock_read_release(&store->lock);
    return (struct cleat_str){space->name, space->length};
}

/* Tells what a record says. Where another object has taken the name, the old one's end comes
 * first. */
static void events_tell(struct cleat__events *events, struct cleat_store *store,
                        const struct events_item *item, enum audience audience)
{
    struct cleat_scratch scratch;
    const struct ring_record *record = &item->record;
    struct cleat_value name = {store->lender->heap, record->name};
    struct cleat_event event = {
        .type =
            record->type == RING_GONE ? CLEAT_EVENT_DELETED : (enum cleat_event_type)record->type,
        .initial = record->type == CLEAT_EVENT_ADDED && (record->flags & RING_INITIAL) != 0,
        .state_unknown = (record->flags & RING_UNKNOWN) != 0,
        .resource = &store->resource,
        .namespace_ = store_namespace_name(store, record->namespace_),
        .name = cleat_value_text(name, &scratch),
        .old_object = item->old,
        .object = item->now,
    };
    bool unseen = (record->flags & RING_UNSEEN) != 0;
    if (event.type == CLEAT_EVENT_UPDATED && item->old && item->now &&
        !cleat_str_equal(cleat_object_uid(item->old), cleat_object_uid(item->now))) {
        event.type = CLEAT_EVENT_DELETED;
        event.object = NULL;
        events_call(events, store, &event, audience, unseen);
        event.type = CLEAT_EVENT_ADDED;
        event.state_unknown = false;
        event.old_object = NULL;
        event.object = item->now;
    }
    events_call(events, store, &event, audience, unseen);
}

/* Makes the object of one side of a record, whose hold keeps the root. */
static int item_object(const struct cleat_store *store, const struct ring_record *record, bool old,
                       struct cleat_object **ret)
{
    struct lender_object *lent = NULL;
    uint32_t root = old ? record->old_root : record->root;
    bool partial = (record->flags & (old ? RING_OLD_PARTIAL : RING_PARTIAL)) != 0;
    if (root == CLEAT_REF_ABSENT || *ret)
        return 0;
    int r = cleat__lender_lend(store->lender, root, ring_version(record, old), partial, &lent);
    return r < 0 ? r : cleat__lender_settle_take(lent, store->kind, ret);
}

/* There is no memory, and an event must not be lost: waits a moment. False: it's time to stop. */
static bool events_wait_memory(struct cleat__events *events)
{
    cleat_lock_take(&events->ring.lock);
    if (!events->ring.stop)
        (void)cleat_cond_wait_ms(&events->ring.work, &events->ring.lock, EVENTS_MEMORY_MS);
    bool stop = events->ring.stop;
    cleat_lock_release(&events->ring.lock);
    return !stop;
}

bool cleat__events_wait_memory(void)
{
    return events_here && events_wait_memory(events_here);
}

/* Objects of a record. False: it's time to stop. */
static bool item_objects(struct cleat__events *events, const struct cleat_store *store,
                         struct events_item *item)
{
    bool go_on = true;
    while (go_on && (item_object(store, &item->record, true, &item->old) < 0 ||
                     item_object(store, &item->record, false, &item->now) < 0))
        go_on = events_wait_memory(events);
    return go_on;
}

static void events_deliver(struct cleat__events *events, struct cleat_store *store,
                           struct events_item *item, enum audience audience)
{
    if (item_objects(events, store, item))
        events_tell(events, store, item, audience);
    item->old = cleat_object_unref(item->old);
    item->now = cleat_object_unref(item->now);
}

static bool events_turn_ring(struct cleat__events *events)
{
    struct cleat__ring *ring = &events->ring;
    bool any = false;
    for (unsigned i = 0; i < CLEAT__EVENTS_BATCH; i++) {
        struct events_item item = {.old = NULL};
        cleat_lock_take(&ring->lock);
        bool taken = !ring->stop && cleat__ring_take(ring, &item.record, &item.id);
        struct cleat_store *store = taken ? events->stores[item.record.store] : NULL;
        cleat_lock_release(&ring->lock);
        if (!taken)
            break;
        any = true;
        if (!(item.record.flags & RING_CANCELLED))
            events_deliver(events, store, &item, TO_SEEING);
        cleat_lock_take(&ring->lock);
        cleat__ring_done(ring, item.id, true);
        cleat_lock_release(&ring->lock);
    }
    return any;
}

/* Walks. */

static void walk_begin_replay(struct cleat__events *events, struct cleat_store *store)
{
    cleat_rwlock_write(&store->lock);
    cleat_lock_take(&events->ring.lock);
    store->joining = false;
    store->cohort++;
    for (struct cleat_handler *handler = store->handlers; handler; handler = handler->next) {
        if (handler->state == HANDLER_NEW) {
            handler->state = HANDLER_WALKING;
            handler->cohort = store->cohort;
        }
    }
    cleat__ring_unsee(&events->ring, store->number);
    store->walk_cursor = 0;
    cleat_lock_release(&events->ring.lock);
    cleat_rwlock_write_release(&store->lock);
    store->walk = STORE_REPLAY;
    store->walk_at = 0;
}

static int walk_item(struct cleat__events *events, struct cleat_store *store,
                     struct events_item *item)
{
    const struct store_entry *entry = cleat__store_entry(store, store->walk_at);
    *item = (struct events_item){.old = NULL};
    if (entry->feeds == CLEAT__SET_EMPTY || entry->flags & STORE_UNREADABLE)
        return 0;
    if (store->walk == STORE_RESYNC &&
        cleat__ring_waits(&events->ring, store->number, entry->namespace_, entry->name))
        return 0;
    int r = cleat__lender_lend(store->lender, entry->root, store_entry_version(entry),
                               (entry->flags & STORE_PARTIAL) != 0, &item->lent);
    if (r == 0 && store->walk == STORE_REPLAY)
        item->pulled = cleat__ring_pull(&events->ring, store->number, entry->namespace_,
                                        entry->name, &item->record, &item->id);
    return r < 0 ? r : 1;
}

/*
 * Collects one batch under both locks. How many, or -ENOMEM where there is none: the next turn
 * tries again. *@ret_over at the end of the store.
 */
static int walk_collect(struct cleat__events *events, struct cleat_store *store,
                        struct events_item *items, bool *ret_over)
{
    int count = 0, r = 0;
    cleat_rwlock_read(&store->lock);
    cleat_lock_take(&events->ring.lock);
    for (unsigned i = 0; i < 2 * CLEAT__EVENTS_BATCH && count < (int)CLEAT__EVENTS_BATCH &&
                         store->walk_at < store->entries.count;
         i++) {
        r = walk_item(events, store, &items[count]);
        if (r < 0)
            break;
        count += r > 0;
        store->walk_at++;
    }
    *ret_over = store->walk_at >= store->entries.count;
    if (store->walk == STORE_REPLAY)
        store->walk_cursor = *ret_over ? CLEAT__STORE_NONE : store->walk_at;
    cleat_lock_release(&events->ring.lock);
    cleat_rwlock_read_release(&store->lock);
    return count > 0 || r >= 0 ? count : r;
}

static void walk_tell(struct cleat__events *events, struct cleat_store *store,
                      struct events_item *item)
{
    struct cleat_object *object = NULL;
    bool resync = store->walk == STORE_RESYNC;
    if (item->pulled)
        events_deliver(events, store, item, TO_OLD);
    while (cleat__lender_settle(item->lent, store->kind, &object) < 0) {
        if (!events_wait_memory(events)) {
            cleat__lender_return(item->lent);
            return;
        }
    }
    const struct cleat_event event = {
        .type = resync ? CLEAT_EVENT_RESYNC : CLEAT_EVENT_ADDED,
        .initial = !resync,
        .resource = &store->resource,
        .namespace_ = cleat_object_namespace(object),
        .name = cleat_object_name(object),
        .old_object = resync ? object : NULL,
        .object = object,
    };
    events_call(events, store, &event, resync ? TO_LIVE : TO_WALKING, false);
    (void)cleat_object_unref(object);
}

static void walk_end(struct cleat__events *events, struct cleat_store *store)
{
    cleat_lock_take(&events->ring.lock);
    if (store->walk == STORE_REPLAY)
        for (struct cleat_handler *handler = store->handlers; handler; handler = handler->next)
            if (handler->state == HANDLER_WALKING)
                handler->state = HANDLER_LIVE;
    cleat_lock_release(&events->ring.lock);
    store->walk = STORE_STILL;
}

static void walk_turn(struct cleat__events *events, struct cleat_store *store)
{
    struct events_item items[CLEAT__EVENTS_BATCH];
    bool over = false;
    int count = walk_collect(events, store, items, &over);
    if (count < 0)
        (void)events_wait_memory(events); /* a turn more finds out whether to stop */
    for (int i = 0; i < count; i++)
        walk_tell(events, store, &items[i]);
    if (over)
        walk_end(events, store);
}

/* Plans the next resync of a store: the period ± 10 %. True where one is due. */
static bool events_resync_due(struct cleat__events *events, struct cleat_store *store)
{
    if (events->resync_period_ms < 0)
        return false;
    int64_t now_ms = cleat_clock_mono_ms(events->clock);
    bool due = store->resync_mono_ms != 0 && now_ms >= store->resync_mono_ms;
    if (due || store->resync_mono_ms == 0) {
        int64_t tenth = events->resync_period_ms / 10;
        store->resync_mono_ms =
            now_ms + events->resync_period_ms - tenth +
            (int64_t)cleat_clock_random_below(events->clock, (uint64_t)tenth * 2 + 1);
    }
    return due;
}

static bool events_turn_store(struct cleat__events *events, struct cleat_store *store, bool joining,
                              bool heard)
{
    bool resync = events_resync_due(events, store) && heard;
    if (store->walk == STORE_STILL && joining) {
        walk_begin_replay(events, store);
    } else if (store->walk == STORE_STILL && resync) {
        store->walk = STORE_RESYNC;
        store->walk_at = 0;
    }
    if (store->walk == STORE_STILL)
        return false;
    walk_turn(events, store);
    return true;
}

bool cleat__events_turn(struct cleat__events *events)
{
    bool any = events_turn_ring(events);
    for (size_t i = 0;; i++) {
        cleat_lock_take(&events->ring.lock);
        struct cleat_store *store =
            i < events->store_count && !events->ring.stop ? events->stores[i] : NULL;
        bool joining = store && store->joining;
        bool heard = store && store->handlers;
        cleat_lock_release(&events->ring.lock);
        if (!store)
            break;
        any = events_turn_store(events, store, joining, heard) || any;
    }
    return any;
}

/* Until the next resync of any store; < 0: for ever. The ring's lock is held. */
static int64_t events_wait_ms(const struct cleat__events *events)
{
    int64_t wait_ms = -1;
    int64_t now_ms = cleat_clock_mono_ms(events->clock);
    for (size_t i = 0; events->resync_period_ms >= 0 && i < events->store_count; i++) {
        int64_t left_ms = events->stores[i]->resync_mono_ms - now_ms;
        left_ms = left_ms > 0 ? left_ms : 0;
        wait_ms = wait_ms < 0 || left_ms < wait_ms ? left_ms : wait_ms;
    }
    return wait_ms;
}

void cleat__events_run(struct cleat__events *events)
{
    struct cleat__ring *ring = &events->ring;
    events_here = events;
    for (bool stop = false; !stop;) {
        bool any = cleat__events_turn(events);
        cleat_lock_take(&ring->lock);
        if (!any && !ring->stop && !ring->attention && ring->fifo.count == 0)
            (void)cleat_cond_wait_ms(&ring->work, &ring->lock, events_wait_ms(events));
        ring->attention = false;
        stop = ring->stop;
        cleat_lock_release(&ring->lock);
    }
    events_here = NULL;
}

void cleat__events_stop(struct cleat__events *events)
{
    cleat_lock_take(&events->ring.lock);
    events->ring.stop = true;
    cleat_lock_release(&events->ring.lock);
    cleat_cond_broadcast(&events->ring.work);
}
