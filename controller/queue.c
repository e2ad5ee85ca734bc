/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work queue's face: adding, taking and ending under one lock. Invariants: an item that is
 * handed out is never in the order; an item that is idle and not handed out has failures, or it's
 * dropped; a sleeper is signalled at most once for each key that became ready.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"
#include "controller/queue.h"

#define QUEUE_AGEING_MS 10000
#define QUEUE_AFTER_MS_MAX (INT64_C(1000) * 3600 * 24 * 366)
/* Steps of ageing and of the heap of delays in one critical section. */
#define QUEUE_AGE_BUDGET 8
#define QUEUE_DUE_BUDGET 256
/* Idle keys whose failures are remembered; the oldest are forgotten first. */
#define QUEUE_REMEMBERED_MAX 100000
#define NS_PER_MS INT64_C(1000000)
#define QUEUE_NAP_MS 1
#define QUEUE_NAP_GAP_NS (QUEUE_NAP_MS * NS_PER_MS / 2)
/* A backlog that wakes others in spite of a nap. */
#define QUEUE_NAP_BACKLOG 64
#define QUEUE_GAP_WEIGHT 8

static int queue_set_up(struct cleat_queue *queue, const struct cleat_queue_options *options,
                        struct cleat_err *err)
{
    int64_t ageing_ms = options->ageing_ms ? options->ageing_ms : QUEUE_AGEING_MS;
    queue->clock = options->clock ? options->clock : cleat_clock_system();
    queue->items_max = options->items_max ? options->items_max : CLEAT_QUEUE_ITEMS_MAX;
    queue->class_of = options->class_of;
    queue->name = cleat_mem_strdup(options->name ? options->name : "");
    cleat__queue_limit_init(&queue->limit, options->backoff_base_ms, options->backoff_max_ms,
                            options->bucket_per_s, options->bucket_burst,
                            cleat_clock_mono_ns(queue->clock));
    if (!queue->name || cleat__queue_order_init(&queue->order, ageing_ms, options->unfair) < 0) {
        return cleat_err_set(err, -ENOMEM, "queue %s: out of memory",
                             options->name ? options->name : "");
    }
    return cleat__queue_metrics_init(queue, options->metrics, err);
}

int cleat_queue_new(const struct cleat_queue_options *options, struct cleat_queue **ret,
                    struct cleat_err *err)
{
    struct cleat_queue *queue = cleat_mem_zalloc(1, sizeof(*queue));
    if (!queue)
        return cleat_err_set(err, -ENOMEM, "queue: out of memory");
    queue->magic = CLEAT__QUEUE_MAGIC;
    cleat_lock_init(&queue->lock, CLEAT_LOCK_QUEUE);
    cleat_cond_init(&queue->sleep.work);
    cleat_cond_init(&queue->sleep.timer);
    cleat_cond_init(&queue->sleep.nap);
    queue->sleep.gap_ns = NS_PER_MS * 1000;
    int rc = queue_set_up(queue, options, err);
    if (rc < 0) {
        cleat_queue_free(queue);
        return rc;
    }
    *ret = queue;
    return 0;
}

struct cleat_queue *cleat_queue_free(struct cleat_queue *queue)
{
    if (!queue)
        return NULL;
    cleat_assert(queue->magic == CLEAT__QUEUE_MAGIC);
    cleat_assert(queue->sleep.sleepers == 0 && !queue->sleep.keeper && !queue->sleep.napping);
    cleat__queue_delay_fini(&queue->delay);
    cleat__queue_order_fini(&queue->order);
    cleat__queue_items_fini(&queue->items);
    cleat_cond_fini(&queue->sleep.nap);
    cleat_cond_fini(&queue->sleep.timer);
    cleat_cond_fini(&queue->sleep.work);
    cleat_lock_fini(&queue->lock);
    cleat_mem_free(queue->name);
    queue->magic = 0;
    return cleat_mem_free(queue);
}

/* ---- sleeping and waking ---- */

/* Notes that one more key is ready: a sleeper is to be woken, where there is one that wasn't yet.
 */
static void queue_wake_one(struct cleat_queue *queue, struct queue_wake *wake)
{
    struct queue_sleep *sleep = &queue->sleep;
    if (sleep->napping && queue->order.count < QUEUE_NAP_BACKLOG)
        return;
    if (sleep->sleepers > sleep->signals) {
        sleep->signals++;
        wake->work++;
    } else if (sleep->keeper && !sleep->keeper_signal) {
        sleep->keeper_signal = true;
        wake->timer = true;
    }
}

/* Notes that the first delayed key is due earlier than the keeper believes; a sleeper becomes it
 * where there's none. */
static void queue_wake_keeper(struct cleat_queue *queue, struct queue_wake *wake)
{
    if (!queue->sleep.keeper) {
        queue_wake_one(queue, wake);
    } else if (!queue->sleep.keeper_signal) {
        queue->sleep.keeper_signal = true;
        wake->timer = true;
    }
}

static void queue_release(struct cleat_queue *queue, const struct queue_wake *wake)
{
    cleat_lock_release(&queue->lock);
    for (size_t i = 0; i < wake->work; i++)
        cleat_cond_signal(&queue->sleep.work);
    if (wake->timer)
        cleat_cond_signal(&queue->sleep.timer);
}

static void queue_wake_all(struct cleat_queue *queue)
{
    queue->sleep.signals = queue->sleep.sleepers;
    queue->sleep.keeper_signal = queue->sleep.keeper;
    cleat_cond_broadcast(&queue->sleep.work);
    cleat_cond_broadcast(&queue->sleep.timer);
    cleat_cond_broadcast(&queue->sleep.nap);
}

void cleat__queue_poke(struct cleat_queue *queue)
{
    cleat_lock_take(&queue->lock);
    queue_wake_all(queue);
    cleat_lock_release(&queue->lock);
}

/* True where keys come so fast that a nap brings several. */
static bool queue_nap_pays(const struct queue_sleep *sleep, int64_t now_ns, int64_t until_ns)
{
    return !sleep->napping && !sleep->nap_wasted && sleep->gap_ns < QUEUE_NAP_GAP_NS &&
           now_ns - sleep->ready_ns < QUEUE_NAP_MS * NS_PER_MS &&
           until_ns - now_ns > QUEUE_NAP_MS * NS_PER_MS;
}

static void queue_nap(struct cleat_queue *queue)
{
    struct queue_sleep *sleep = &queue->sleep;
    sleep->napping = true;
    (void)cleat_cond_wait_ms(&sleep->nap, &queue->lock, QUEUE_NAP_MS); /* the caller looks again */
    sleep->napping = false;
    sleep->nap_wasted = queue->order.count == 0;
}

/* Notes that a key became ready now. */
static void queue_pace(struct queue_sleep *sleep, int64_t now_ns)
{
    sleep->gap_ns += (now_ns - sleep->ready_ns - sleep->gap_ns) / QUEUE_GAP_WEIGHT;
    sleep->ready_ns = now_ns;
    sleep->nap_wasted = false;
}

/* Sleeps until woken or @until_ns; the keeper also until the first delayed key is due. */
static void queue_sleep(struct cleat_queue *queue, int64_t now_ns, int64_t until_ns)
{
    struct queue_sleep *sleep = &queue->sleep;
    if (queue_nap_pays(sleep, now_ns, until_ns)) {
        queue_nap(queue);
        return;
    }
    bool keeper = !sleep->keeper;
    int64_t due_ns = INT64_MAX;
    if (keeper && cleat__queue_delay_first(&queue->delay, &due_ns) && due_ns < until_ns)
        until_ns = due_ns;
    int64_t wait_ms = until_ns == INT64_MAX ? -1 : (until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    if (keeper) {
        sleep->keeper = true;
        (void)cleat_cond_wait_ms(&sleep->timer, &queue->lock, wait_ms); /* the caller looks again */
        sleep->keeper = false;
        sleep->keeper_signal = false;
        return;
    }
    sleep->sleepers++;
    (void)cleat_cond_wait_ms(&sleep->work, &queue->lock, wait_ms);
    sleep->sleepers--;
    if (sleep->signals > 0)
        sleep->signals--;
}

/* ---- adding ---- */

static void item_tally(struct cleat_queue *queue, struct queue_item *item)
{
    item->tally = cleat__queue_tally(queue, item->priority);
    item->tally->depth++;
}

static void item_untally(struct queue_item *item)
{
    item->tally->depth--;
    item->tally = NULL;
}

/* An idle item becomes ready, or held where it's handed out. */
static void item_make_ready(struct cleat_queue *queue, struct queue_item *item, int64_t now_ns,
                            struct queue_wake *wake)
{
    item->ready_ns = now_ns;
    item_tally(queue, item);
    queue_pace(&queue->sleep, now_ns);
    if (item->working) {
        item->state = QUEUE_HELD;
        queue->held++;
        return;
    }
    cleat__queue_order_push(&queue->order, item, now_ns);
    queue_wake_one(queue, wake);
}

/* A key that is ready already comes to the end of its new, higher priority. */
static void item_raise(struct cleat_queue *queue, struct queue_item *item, int priority,
                       int64_t now_ns)
{
    item_untally(item);
    if (item->state == QUEUE_READY) {
        cleat__queue_order_remove(&queue->order, item);
        item->priority = priority;
        cleat__queue_order_push(&queue->order, item, now_ns);
    } else {
        item->priority = priority;
    }
    item_tally(queue, item);
}

/* An idle item is delayed; without memory for that it's ready at once, which is early but not lost.
 */
static void item_delay(struct cleat_queue *queue, struct queue_item *item, int64_t now_ns,
                       int64_t after_ns, struct queue_wake *wake)
{
    int64_t first_ns = INT64_MAX;
    (void)cleat__queue_delay_first(&queue->delay, &first_ns); /* none: never */
    if (cleat__queue_delay_add(&queue->delay, item, now_ns + after_ns) < 0)
        item_make_ready(queue, item, now_ns, wake);
    else if (now_ns + after_ns < first_ns)
        queue_wake_keeper(queue, wake);
}

/* How long the key has to wait: the back-off's or the bucket's delay, the longer one, and where the
 * caller gave a delay too, the shorter of both. */
static int64_t item_after_ns(struct cleat_queue *queue, struct queue_item *item,
                             const struct cleat_queue_add *add, int64_t now_ns)
{
    int64_t after_ms = add->after_ms < QUEUE_AFTER_MS_MAX ? add->after_ms : QUEUE_AFTER_MS_MAX;
    int64_t after_ns = after_ms > 0 ? after_ms * NS_PER_MS : 0;
    if (!add->rate_limited)
        return after_ns;
    int64_t delay_ns = cleat__queue_limit_backoff(&queue->limit, item->failures);
    int64_t bucket_ns = cleat__queue_limit_reserve(&queue->limit, now_ns);
    item->failures += item->failures < UINT32_MAX;
    delay_ns = delay_ns > bucket_ns ? delay_ns : bucket_ns;
    return after_ns > 0 && after_ns < delay_ns ? after_ns : delay_ns;
}

static void item_add(struct cleat_queue *queue, struct queue_item *item,
                     const struct cleat_queue_add *add, int64_t now_ns, struct queue_wake *wake)
{
    int priority = add->keep_priority && item->working ? item->taken_priority : add->priority;
    int64_t after_ns = item_after_ns(queue, item, add, now_ns);
    queue->adds++;
    queue->retries += after_ns > 0;
    if (item->state == QUEUE_READY || item->state == QUEUE_HELD) {
        if (priority > item->priority)
            item_raise(queue, item, priority, now_ns);
        return;
    }
    if (item->state == QUEUE_WAITING) {
        item->priority = priority > item->priority ? priority : item->priority;
        if (after_ns > 0) {
            cleat__queue_delay_hasten(&queue->delay, item, now_ns + after_ns);
            if (item->heap_index == 0)
                queue_wake_keeper(queue, wake);
            return;
        }
        cleat__queue_delay_remove(&queue->delay, item);
    } else {
        item->priority = priority;
    }
    if (after_ns > 0)
        item_delay(queue, item, now_ns, after_ns, wake);
    else
        item_make_ready(queue, item, now_ns, wake);
}

/* Room for one more item: remembered failures give way. */
static int queue_make_room(struct cleat_queue *queue)
{
    if (queue->items.table.count < queue->items_max)
        return 0;
    struct queue_item *oldest = queue->items.remembered.head;
    if (!oldest)
        return -ENOBUFS;
    cleat__queue_list_remove(&queue->items.remembered, oldest);
    cleat__queue_item_drop(&queue->items, oldest);
    return 0;
}

static int queue_add_locked(struct cleat_queue *queue, const struct queue_key *key,
                            const struct cleat_queue_add *add, int64_t now_ns,
                            struct queue_wake *wake)
{
    if (queue->stopped)
        return CLEAT_QUEUE_CLOSED;
    if (cleat__queue_order_reserve(&queue->order) < 0)
        return -ENOMEM;
    struct queue_item *item = cleat__queue_item_find(&queue->items, key);
    if (!item) {
        int rc = queue_make_room(queue);
        if (rc < 0)
            return rc;
        item = cleat__queue_item_add(&queue->items, key);
        if (!item)
            return -ENOMEM;
    } else if (item->state == QUEUE_IDLE && !item->working) {
        cleat__queue_list_remove(&queue->items.remembered, item);
    }
    item_add(queue, item, add, now_ns, wake);
    return 0;
}

int cleat_queue_add(struct cleat_queue *queue, const char *cluster, const char *namespace_,
                    const char *name, const struct cleat_queue_add *add)
{
    return cleat__queue_add_str(queue, cleat_str_of(cluster), cleat_str_of(namespace_),
                                cleat_str_of(name), add);
}

int cleat__queue_add_str(struct cleat_queue *queue, struct cleat_str cluster,
                         struct cleat_str namespace_, struct cleat_str name,
                         const struct cleat_queue_add *add)
{
    static const struct cleat_queue_add plain = {0};
    struct queue_wake wake = {0};
    struct queue_key key;
    cleat_assert(queue->magic == CLEAT__QUEUE_MAGIC);
    int rc = cleat__queue_key_make(&key, cluster, namespace_, name);
    if (rc < 0)
        return rc;
    if (queue->class_of) {
        key.class_hash = queue->class_of(key.bytes, key.bytes + key.namespace_offset,
                                         key.bytes + key.name_offset);
    }
    int64_t now_ns = cleat_clock_mono_ns(queue->clock);
    cleat_lock_take(&queue->lock);
    rc = queue_add_locked(queue, &key, add ? add : &plain, now_ns, &wake);
    queue_release(queue, &wake);
    return rc;
}

/* ---- taking ---- */

static void queue_take_due(struct cleat_queue *queue, int64_t now_ns, struct queue_wake *wake)
{
    int64_t due_ns = 0;
    for (size_t i = 0; i < QUEUE_DUE_BUDGET; i++) {
        struct queue_item *item = cleat__queue_delay_first(&queue->delay, &due_ns);
        if (!item || due_ns > now_ns)
            return;
        /* Where this has no memory, push finds the key another place. */
        (void)cleat__queue_order_reserve(&queue->order);
        cleat__queue_delay_remove(&queue->delay, item);
        item_make_ready(queue, item, now_ns, wake);
    }
}

static void queue_hand_out(struct cleat_queue *queue, struct queue_item *item, int64_t now_ns,
                           struct cleat_request *ret)
{
    item_untally(item);
    item->working = true;
    item->taken_ns = now_ns;
    item->taken_priority = item->priority;
    item->handout = ++queue->handouts;
    cleat__queue_list_append(&queue->working, item);
    *ret = (struct cleat_request){
        .cluster = item->key,
        .namespace_ = item->key + item->namespace_offset,
        .name = item->key + item->name_offset,
        .priority = item->priority,
        .retries = item->failures,
        .queued_mono_ms = item->ready_ns / NS_PER_MS,
        .queued_mono_ns = item->ready_ns,
        .id = item->handout,
    };
}

static size_t queue_take_ready(struct cleat_queue *queue, int64_t now_ns, struct cleat_request *ret,
                               size_t max)
{
    size_t count = 0;
    while (count < max) {
        struct queue_item *item = cleat__queue_order_pop(&queue->order);
        if (!item)
            break;
        queue_hand_out(queue, item, now_ns, &ret[count++]);
    }
    return count;
}

/* One look at what is there. 0 with something taken, CLOSED, or TIMEOUT: nothing yet. */
static int queue_look(struct cleat_queue *queue, int64_t now_ns, struct cleat_request *ret,
                      size_t max, size_t *ret_count)
{
    struct queue_wake wake = {0}; /* nobody: the one who looks takes what became due */
    if (!queue->stopped) {
        queue_take_due(queue, now_ns, &wake);
        queue->sleep.signals -= wake.work;
        queue->sleep.keeper_signal = queue->sleep.keeper_signal && !wake.timer;
    }
    cleat__queue_order_age(&queue->order, now_ns, QUEUE_AGE_BUDGET);
    size_t count = queue_take_ready(queue, now_ns, ret, max);
    if (count == 0)
        return queue->stopped ? CLEAT_QUEUE_CLOSED : CLEAT_QUEUE_TIMEOUT;
    *ret_count = count;
    return 0;
}

/* What a worker leaves behind is another's: keys that are ready, or the watch over the delayed
 * ones. */
static void queue_pass_on(struct cleat_queue *queue, struct queue_wake *wake)
{
    if (queue->order.count > 0)
        queue_wake_one(queue, wake);
    else if (queue->delay.count > 0 && !queue->sleep.keeper &&
             queue->sleep.sleepers > queue->sleep.signals)
        queue_wake_one(queue, wake);
}

static void queue_observe_taken(const struct cleat_queue *queue, int64_t now_ns,
                                const struct cleat_request *requests, size_t count)
{
    if (!queue->metrics.queued)
        return;
    for (size_t i = 0; i < count; i++) {
        double queued_s = (double)(now_ns - requests[i].queued_mono_ns) / 1e9;
        cleat_series_observe(queue->metrics.queued, queued_s);
    }
}

int cleat_queue_get_batch(struct cleat_queue *queue, int64_t timeout_ms, struct cleat_request *ret,
                          size_t max, size_t *ret_count)
{
    struct queue_wake wake = {0};
    cleat_assert(queue->magic == CLEAT__QUEUE_MAGIC && max > 0);
    int64_t now_ns = cleat_clock_mono_ns(queue->clock);
    int64_t limit_ms = timeout_ms < QUEUE_AFTER_MS_MAX ? timeout_ms : QUEUE_AFTER_MS_MAX;
    int64_t until_ns = timeout_ms < 0 ? INT64_MAX : now_ns + limit_ms * NS_PER_MS;
    cleat_lock_take(&queue->lock);
    int rc = queue_look(queue, now_ns, ret, max, ret_count);
    while (rc == CLEAT_QUEUE_TIMEOUT && now_ns < until_ns) {
        queue_sleep(queue, now_ns, until_ns);
        now_ns = cleat_clock_mono_ns(queue->clock);
        rc = queue_look(queue, now_ns, ret, max, ret_count);
    }
    queue_pass_on(queue, &wake);
    queue_release(queue, &wake);
    if (rc == 0)
        queue_observe_taken(queue, now_ns, ret, *ret_count);
    return rc;
}

int cleat_queue_get(struct cleat_queue *queue, int64_t timeout_ms, struct cleat_request *ret)
{
    size_t count = 0;
    return cleat_queue_get_batch(queue, timeout_ms, ret, 1, &count);
}

/* ---- ending ---- */

static struct queue_item *request_item(const struct cleat_request *request)
{
    struct queue_item *item = cleat__queue_item_of(request->cluster);
    cleat_assert(item->working && item->handout == request->id); /* ended once, and by its taker */
    return item;
}

/* Nobody wants the key now: it's dropped unless it has failures to be remembered. */
static void item_settle(struct cleat_queue *queue, struct queue_item *item)
{
    if (item->failures == 0 || queue->stopped) {
        cleat__queue_item_drop(&queue->items, item);
        return;
    }
    cleat__queue_list_append(&queue->items.remembered, item);
    if (queue->items.remembered.count > QUEUE_REMEMBERED_MAX) {
        struct queue_item *oldest = queue->items.remembered.head;
        cleat__queue_list_remove(&queue->items.remembered, oldest);
        cleat__queue_item_drop(&queue->items, oldest);
    }
}

static void queue_end(struct cleat_queue *queue, const struct cleat_request *request,
                      const struct cleat_queue_end *end, int64_t now_ns, struct queue_wake *wake)
{
    struct queue_item *item = request_item(request);
    if (end && end->forget)
        item->failures = 0;
    if (end && end->again && !queue->stopped)
        item_add(queue, item, &end->add, now_ns, wake);
    cleat__queue_list_remove(&queue->working, item);
    item->working = false;
    if (item->state == QUEUE_HELD) {
        item->state = QUEUE_IDLE;
        queue->held--;
        /* Where this has no memory, push finds the key another place. */
        (void)cleat__queue_order_reserve(&queue->order);
        cleat__queue_order_push(&queue->order, item, now_ns);
        queue_wake_one(queue, wake);
    } else if (item->state == QUEUE_IDLE) {
        item_settle(queue, item);
    }
}

static void queue_observe_done(const struct cleat_queue *queue, int64_t now_ns,
                               const struct cleat_request *requests, size_t count)
{
    if (!queue->metrics.worked)
        return;
    for (size_t i = 0; i < count; i++) {
        int64_t taken_ns = request_item(&requests[i])->taken_ns;
        cleat_series_observe(queue->metrics.worked, (double)(now_ns - taken_ns) / 1e9);
    }
}

void cleat_queue_done_batch(struct cleat_queue *queue, const struct cleat_request *requests,
                            const struct cleat_queue_end *ends, size_t count)
{
    struct queue_wake wake = {0};
    cleat_assert(queue->magic == CLEAT__QUEUE_MAGIC);
    int64_t now_ns = cleat_clock_mono_ns(queue->clock);
    queue_observe_done(queue, now_ns, requests, count);
    cleat_lock_take(&queue->lock);
    for (size_t i = 0; i < count; i++)
        queue_end(queue, &requests[i], ends ? &ends[i] : NULL, now_ns, &wake);
    queue_release(queue, &wake);
}

void cleat_queue_done(struct cleat_queue *queue, const struct cleat_request *request,
                      const struct cleat_queue_add *again)
{
    struct cleat_queue_end end = {.again = again != NULL};
    if (again)
        end.add = *again;
    cleat_queue_done_batch(queue, request, &end, 1);
}

void cleat_queue_forget(struct cleat_queue *queue, const struct cleat_request *request)
{
    cleat_lock_take(&queue->lock);
    request_item(request)->failures = 0;
    cleat_lock_release(&queue->lock);
}

/* ---- stopping and looking ---- */

static void queue_drop_delayed(struct cleat_queue *queue)
{
    int64_t due_ns = 0;
    struct queue_item *item = NULL;
    while ((item = cleat__queue_delay_first(&queue->delay, &due_ns))) {
        cleat__queue_delay_remove(&queue->delay, item);
        if (!item->working)
            cleat__queue_item_drop(&queue->items, item);
    }
}

static void queue_drop_ready(struct cleat_queue *queue)
{
    struct queue_item *item = NULL;
    while ((item = cleat__queue_order_pop(&queue->order))) {
        item_untally(item);
        cleat__queue_item_drop(&queue->items, item);
    }
    for (item = queue->working.head; item; item = item->next) {
        if (item->state == QUEUE_HELD) {
            item_untally(item);
            item->state = QUEUE_IDLE;
            queue->held--;
        }
    }
}

void cleat_queue_stop(struct cleat_queue *queue, bool drain)
{
    cleat_assert(queue->magic == CLEAT__QUEUE_MAGIC);
    cleat_lock_take(&queue->lock);
    queue->drain = drain && (!queue->stopped || queue->drain);
    queue->stopped = true;
    queue_drop_delayed(queue);
    if (!queue->drain)
        queue_drop_ready(queue);
    queue_wake_all(queue);
    cleat_lock_release(&queue->lock);
}

void cleat__queue_reopen(struct cleat_queue *queue)
{
    cleat_lock_take(&queue->lock);
    cleat_assert(queue->stopped && queue->working.count == 0 && queue->order.count == 0);
    queue->stopped = false;
    queue->drain = false;
    cleat_lock_release(&queue->lock);
}

void cleat_queue_counts(struct cleat_queue *queue, size_t *ret_ready, size_t *ret_waiting,
                        size_t *ret_working)
{
    cleat_lock_take(&queue->lock);
    *ret_ready = queue->order.count + queue->held;
    *ret_waiting = queue->delay.count;
    *ret_working = queue->working.count;
    cleat_lock_release(&queue->lock);
}
