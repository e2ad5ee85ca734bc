/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for one's own writes: whoever waits looks at the store, and again after each change.
 *
 * A change that happens between the look and the wait isn't missed: the writer changes the store
 * first and then counts a turn under the lock, the waiter reads the turn before it looks. `waiters`
 * only saves the writer the lock: it is raised before the first look (sequentially consistent, as
 * is the writer's reading after its change), so that either the writer sees it, or the look sees
 * the change.
 */
#include <errno.h>

#include "client/transport.h"
#include "controller/store.h"
#include "kube/meta.h"

void cleat__store_notify(struct cleat_store *store)
{
    if (atomic_load(&store->waiters) == 0)
        return;
    cleat_lock_take(&store->wait_lock);
    store->wait_turns++;
    cleat_lock_release(&store->wait_lock);
    cleat_cond_broadcast(&store->wait_cond);
}

struct store_wanted {
    struct cleat_str namespace_;
    struct cleat_str name;
    struct cleat_str uid;
    struct cleat_str version;
};

/* True where every feed that covers the key has passed @version. Takes the lock. */
static bool store_passed(struct cleat_store *store, const struct store_wanted *wanted)
{
    uint64_t number = 0;
    bool covered = false, passed = true;
    if (!cleat_resource_version_is_valid(wanted->version) || wanted->version.length > 19)
        return false;
    for (size_t i = 0; i < wanted->version.length; i++)
        number = number * 10 + (uint64_t)(wanted->version.data[i] - '0');
    cleat_rwlock_read(&store->lock);
    for (size_t i = 0; i < store->feed_count; i++) {
        const struct store_feed *feed = &store->feeds[i];
        bool covers = feed->used &&
                      (!feed->namespace_ || cleat_str_is(wanted->namespace_, feed->namespace_)) &&
                      (!feed->name || cleat_str_is(wanted->name, feed->name));
        covered = covered || covers;
        passed = passed && (!covers || feed->seen >= number);
    }
    cleat_rwlock_read_release(&store->lock);
    return covered && passed;
}

static bool version_reached(struct cleat_str have, struct cleat_str wanted)
{
    int order = 0;
    if (cleat_resource_version_compare(have, wanted, &order) == 0)
        return order >= 0;
    return cleat_str_equal(have, wanted);
}

/* 0 or an outcome; -EAGAIN where it isn't there yet. */
static int store_look(struct cleat_store *store, const struct store_wanted *wanted)
{
    struct cleat_object *object = NULL;
    /* Before the look: what is passed now is in the store now. */
    bool passed = store_passed(store, wanted);
    int r = cleat_store_lookup(store, wanted->namespace_, wanted->name, &object);
    if (r < 0)
        return r;
    if (r != 0)
        return passed && r == CLEAT_STORE_MISSING ? CLEAT_WAIT_DELETED : -EAGAIN;
    bool same = cleat_str_equal(cleat_object_uid(object), wanted->uid);
    bool reached = version_reached(cleat_object_resource_version(object), wanted->version);
    (void)cleat_object_unref(object);
    if (same)
        return reached || passed ? 0 : -EAGAIN;
    return reached || passed ? CLEAT_WAIT_DELETED : -EAGAIN;
}

/* Waits for a turn after @turns. False: the time is over. */
static bool store_next_turn(struct cleat_store *store, uint64_t turns, int64_t until_mono_ms)
{
    bool in_time = true;
    cleat_lock_take(&store->wait_lock);
    while (in_time && store->wait_turns == turns) {
        int64_t left_ms = until_mono_ms - cleat_clock_mono_ms(cleat_clock_system());
        in_time = left_ms > 0 &&
                  (cleat_cond_wait_ms(&store->wait_cond, &store->wait_lock, left_ms) == 0 ||
                   store->wait_turns != turns);
    }
    cleat_lock_release(&store->wait_lock);
    return in_time;
}

int cleat_store_wait(struct cleat_store *store, struct cleat_str namespace_, struct cleat_str name,
                     struct cleat_str uid, struct cleat_str resource_version, int64_t timeout_ms)
{
    const struct store_wanted wanted = {namespace_, name, uid, resource_version};
    int r = cleat_transport_may_block("waiting for a version", NULL);
    if (r < 0)
        return r;
    int64_t until_ms = cleat_clock_mono_ms(cleat_clock_system()) + timeout_ms;
    bool in_time = true;
    atomic_fetch_add(&store->waiters, 1);
    do {
        cleat_lock_take(&store->wait_lock);
        uint64_t turns = store->wait_turns;
        cleat_lock_release(&store->wait_lock);
        r = store_look(store, &wanted);
        if (r == -EAGAIN)
            in_time = store_next_turn(store, turns, until_ms);
    } while (r == -EAGAIN && in_time);
    atomic_fetch_sub(&store->waiters, 1);
    return r == -EAGAIN ? CLEAT_WAIT_TIMEOUT : r;
}
