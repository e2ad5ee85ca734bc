/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring and the events side, turned by hand: what joins, what comes first, who is told what.
 */
#include <stdatomic.h>

#include "base/thread.h"
#include "store_fixture.h"
#include "support/suite.h"
#include "support/wait.h"

/* A script of changes: "+x" put, "-x" removed, "." the events side gets a turn. Each put has the
 * next version. */
static void run_script(struct store_fixture *f, uint16_t feed, const char *script,
                       unsigned *version)
{
    char copy[256];
    (void)snprintf(copy, sizeof(copy), "%s", script);
    for (char *save = NULL, *word = strtok_r(copy, " ", &save); word;
         word = strtok_r(NULL, " ", &save)) {
        char key[32], text[16], more[32];
        (void)snprintf(key, sizeof(key), "a/%s", word + 1);
        (void)snprintf(text, sizeof(text), "%u", *version);
        (void)snprintf(more, sizeof(more), "\"n\":%u", *version);
        if (word[0] == '.')
            store_fixture_turn(f);
        else if (word[0] == '-')
            ck_assert_int_eq(store_fixture_remove(f, feed, key), STORE_REMOVED);
        else
            ck_assert_int_gt(store_fixture_put(f, feed, key, text, more), STORE_SAME);
        *version += word[0] == '+';
    }
}

START_TEST(test_changes_of_a_key_join)
{
    static const struct {
        const char *script, *told;
    } cases[] = {
        {"+x .", "+a/x@1 "},
        {"+x +x .", "+a/x@2 "},
        {"+x -x .", "-a/x@1 "}, /* who made it hears that it's gone */
        {"+x -x +x .", "+a/x@2 "},
        {"+x -x +x -x .", "-a/x@2 "},
        {"+x . +x +x .", "+a/x@1 ~a/x@1>3 "},
        {"+x . +x -x .", "+a/x@1 -a/x@1 "},
        {"+x . -x +x .", "+a/x@1 ~a/x@1>2 "},
        {"+x . -x +x -x .", "+a/x@1 -a/x@1 "},
        {"+x . -x +x -x +x .", "+a/x@1 ~a/x@1>3 "},
        {"+x +y -x .", "-a/x@1 +a/y@2 "},
        {"+x +y +x .", "+a/x@3 +a/y@2 "}, /* in the order of the first change */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_fixture f;
        struct cleat_handler *handler = NULL;
        unsigned version = 1;
        store_fixture_init(&f);
        uint16_t feed = store_fixture_feed(&f, NULL, NULL);
        ck_assert_int_eq(cleat_store_handler(f.store, store_fixture_tell, f.told, &handler, NULL),
                         0);
        store_fixture_turn(&f);
        run_script(&f, feed, cases[i].script, &version);
        ck_assert_str_eq(store_fixture_told(f.told), cases[i].told);
        handler = cleat_handler_remove(handler);
        store_fixture_fini(&f);
    }
}
END_TEST

START_TEST(test_another_object_of_the_name_is_an_end_and_a_beginning)
{
    struct store_fixture f;
    struct cleat_handler *handler = NULL;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_eq(cleat_store_handler(f.store, store_fixture_tell, f.told, &handler, NULL), 0);
    (void)!store_fixture_put(&f, feed, "a/x", "1",
                             "\"metadata\":{\"namespace\":\"a\",\"name\":\"x\",\"uid\":\"first\"}");
    store_fixture_turn(&f);
    ck_assert_str_eq(store_fixture_told(f.told), "*a/x@1 ");
    (void)!store_fixture_put(
        &f, feed, "a/x", "5",
        "\"metadata\":{\"namespace\":\"a\",\"name\":\"x\",\"uid\":\"second\"}");
    store_fixture_turn(&f);
    ck_assert_str_eq(store_fixture_told(f.told), "-a/x@1 +a/x@5 ");
    handler = cleat_handler_remove(handler);
    store_fixture_fini(&f);
}
END_TEST

START_TEST(test_same_content_in_a_new_version_is_no_event)
{
    struct store_fixture f;
    struct cleat_handler *handler = NULL;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_eq(cleat_store_handler(f.store, store_fixture_tell, f.told, &handler, NULL), 0);
    ck_assert_int_eq(store_fixture_put(&f, feed, "a/x", "1", "\"n\":1"), STORE_ADDED);
    ck_assert_int_eq(store_fixture_put(&f, feed, "a/x", "2", "\"n\":1"), STORE_SAME);
    ck_assert_str_eq(store_fixture_version(&f, "a/x"), "2");
    store_fixture_turn(&f);
    ck_assert_str_eq(store_fixture_told(f.told), "*a/x@2 ");
    ck_assert_int_eq(store_fixture_put(&f, feed, "a/x", "3", "\"n\":1"), STORE_SAME);
    store_fixture_turn(&f);
    ck_assert_str_eq(store_fixture_told(f.told), "");
    handler = cleat_handler_remove(handler);
    store_fixture_fini(&f);
}
END_TEST

START_TEST(test_late_handler_is_given_the_store)
{
    struct store_fixture f;
    struct cleat_handler *first = NULL, *late = NULL;
    char late_told[8192] = "";
    unsigned version = 1;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_eq(cleat_store_handler(f.store, store_fixture_tell, f.told, &first, NULL), 0);
    store_fixture_turn(&f);
    run_script(&f, feed, "+x +y +z . -y", &version);
    (void)store_fixture_told(f.told);
    /* x is known to the first only, w to nobody, y's end still waits. */
    run_script(&f, feed, "+x +w", &version);
    ck_assert_int_eq(cleat_store_handler(f.store, store_fixture_tell, late_told, &late, NULL), 0);
    ck_assert(!cleat_handler_synced(late));
    store_fixture_turn(&f);
    ck_assert_str_eq(store_fixture_told(f.told), "-a/y@2 ~a/x@1>4 +a/w@5 ");
    const char *told = store_fixture_told(late_told);
    ck_assert_ptr_nonnull(strstr(told, "*a/x@4 "));
    ck_assert_ptr_nonnull(strstr(told, "*a/z@3 "));
    ck_assert_ptr_nonnull(strstr(told, "*a/w@5 "));
    ck_assert_uint_eq(strlen(told), 3 * strlen("*a/x@4 ")); /* each once, and no end of y */
    run_script(&f, feed, "+x .", &version);
    ck_assert_str_eq(store_fixture_told(f.told), "~a/x@4>6 ");
    ck_assert_str_eq(store_fixture_told(late_told), "~a/x@4>6 ");
    cleat__store_feed_synced(f.store, feed, true, false);
    ck_assert(cleat_handler_synced(late));
    first = cleat_handler_remove(first);
    late = cleat_handler_remove(late);
    store_fixture_fini(&f);
}
END_TEST

/* While a walk is under way, changes before and behind the place where it stands. */
START_TEST(test_changes_during_a_replay_are_told_once)
{
    struct store_fixture f;
    struct cleat_handler *first = NULL, *late = NULL;
    static char late_told[8192];
    store_fixture_init(&f);
    late_told[0] = '\0';
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_eq(cleat_store_handler(f.store, store_fixture_tell, f.told, &first, NULL), 0);
    for (unsigned i = 0; i < 100; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "a/k%02u", i);
        (void)!store_fixture_put(&f, feed, key, "1", "\"n\":1");
    }
    store_fixture_turn(&f);
    (void)store_fixture_told(f.told);
    ck_assert_int_eq(cleat_store_handler(f.store, store_fixture_tell, late_told, &late, NULL), 0);
    ck_assert(cleat__events_turn(&f.events)); /* one batch: 64 */
    ck_assert_ptr_nonnull(strstr(late_told, "*a/k63@1 "));
    ck_assert_ptr_null(strstr(late_told, "k64"));
    (void)!store_fixture_put(&f, feed, "a/k10", "2", "\"n\":2"); /* was shown */
    (void)!store_fixture_put(&f, feed, "a/k80", "3", "\"n\":3"); /* is still to be shown */
    ck_assert_int_eq(store_fixture_remove(&f, feed, "a/k11"), STORE_REMOVED);
    ck_assert_int_eq(store_fixture_remove(&f, feed, "a/k81"), STORE_REMOVED);
    (void)!store_fixture_put(&f, feed, "a/new", "4", "\"n\":4"); /* in a place that was passed */
    store_fixture_turn(&f);
    ck_assert_str_eq(store_fixture_told(f.told),
                     "~a/k10@1>2 ~a/k80@1>3 -a/k11@1 -a/k81@1 +a/new@4 ");
    ck_assert_ptr_nonnull(strstr(late_told, "~a/k10@1>2 "));
    ck_assert_ptr_nonnull(strstr(late_told, "*a/k80@3 "));
    ck_assert_ptr_null(strstr(late_told, "~a/k80"));
    ck_assert_ptr_nonnull(strstr(late_told, "-a/k11@1 "));
    ck_assert_ptr_null(strstr(late_told, "k81"));
    ck_assert_ptr_nonnull(strstr(late_told, "a/new@4 "));
    first = cleat_handler_remove(first);
    late = cleat_handler_remove(late);
    store_fixture_fini(&f);
}
END_TEST

START_TEST(test_relist_tells_ends_first)
{
    struct store_fixture f;
    struct cleat_handler *handler = NULL;
    struct ring_stage stage = CLEAT__RING_STAGE_INIT;
    struct store_bits seen = {0};
    unsigned version = 1;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_eq(cleat_store_handler(f.store, store_fixture_tell, f.told, &handler, NULL), 0);
    run_script(&f, feed, "+old +keeps .", &version);
    (void)store_fixture_told(f.told);
    f.stage = &stage;
    (void)!store_fixture_put(&f, feed, "a/new", "9", "\"n\":9");
    ck_assert_int_eq(cleat__bits_set(&seen, f.entry), 0);
    (void)!store_fixture_put(&f, feed, "a/keeps", "8", "\"n\":8");
    ck_assert_int_eq(cleat__bits_set(&seen, f.entry), 0);
    store_fixture_turn(&f);
    ck_assert_str_eq(store_fixture_told(f.told), ""); /* the list isn't over */
    ck_assert_int_eq(cleat__store_sweep(f.store, feed, &seen, CLEAT_STR("9")), 0);
    cleat__ring_release(&f.events.ring, &stage);
    store_fixture_turn(&f);
    ck_assert_str_eq(store_fixture_told(f.told), "?a/old@1 +a/new@9 ~a/keeps@2>8 ");
    handler = cleat_handler_remove(handler);
    cleat__bits_fini(&seen);
    store_fixture_fini(&f);
}
END_TEST

START_TEST(test_resync_gives_everything_once_more)
{
    struct store_fixture f;
    struct cleat_handler *handler = NULL;
    unsigned version = 1;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_eq(cleat_store_handler(f.store, store_fixture_tell, f.told, &handler, NULL), 0);
    store_fixture_turn(&f);
    run_script(&f, feed, "+x +y .", &version);
    (void)store_fixture_told(f.told);
    cleat_fake_clock_advance_ms(&f.clock, 899000); /* the period is 1000 s ± 10 % */
    store_fixture_turn(&f);
    ck_assert_str_eq(store_fixture_told(f.told), "");
    cleat_fake_clock_advance_ms(&f.clock, 202000);
    store_fixture_turn(&f);
    ck_assert_str_eq(store_fixture_told(f.told), "=a/x@1 =a/y@2 ");
    store_fixture_turn(&f);
    ck_assert_str_eq(store_fixture_told(f.told), "");
    handler = cleat_handler_remove(handler);
    store_fixture_fini(&f);
}
END_TEST

/* A handler that waits inside, and one that is removed while it runs. */
struct slow {
    _Atomic(bool) inside;
    _Atomic(bool) go;
    _Atomic(bool) removed;
    _Atomic(unsigned) calls;
    struct cleat_handler *handler;
};

static void slow_handler(void *arg, const struct cleat_event *event)
{
    struct slow *slow = arg;
    atomic_store(&slow->inside, true);
    ck_assert(!atomic_load(&slow->removed));
    while (!atomic_load(&slow->go))
        cleat_wait_moment();
    atomic_fetch_add(&slow->calls, 1);
    atomic_store(&slow->inside, false);
}

static void *run_events(void *arg)
{
    cleat__events_run(arg);
    return NULL;
}

static void *remove_handler(void *arg)
{
    struct slow *slow = arg;
    slow->handler = cleat_handler_remove(slow->handler);
    atomic_store(&slow->removed, true);
    return NULL;
}

START_TEST(test_removal_waits_for_the_call)
{
    struct store_fixture f;
    struct slow slow = {.go = false};
    struct cleat_thread events = CLEAT_THREAD_INIT, remover = CLEAT_THREAD_INIT;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_eq(cleat_store_handler(f.store, slow_handler, &slow, &slow.handler, NULL), 0);
    ck_assert_int_eq(cleat_thread_start(&events, "events", 0, run_events, &f.events, NULL), 0);
    (void)!store_fixture_put(&f, feed, "a/x", "1", "");
    (void)!store_fixture_put(&f, feed, "a/y", "2", "");
    cleat__ring_drain(&f.events.ring); /* wakes */
    CLEAT_WAIT_FOR(atomic_load(&slow.inside), 5000);
    ck_assert_int_eq(cleat_thread_start(&remover, "remover", 0, remove_handler, &slow, NULL), 0);
    for (int i = 0; i < 20; i++)
        cleat_wait_moment();
    ck_assert(!atomic_load(&slow.removed));
    atomic_store(&slow.go, true);
    CLEAT_WAIT_FOR(atomic_load(&slow.removed), 5000);
    (void)!store_fixture_put(&f, feed, "a/z", "3", "");
    cleat_thread_join(&remover);
    cleat__events_stop(&f.events);
    cleat_thread_join(&events);
    ck_assert_uint_le(atomic_load(&slow.calls), 2);
    store_fixture_fini(&f);
}
END_TEST

/* One writer, one events thread, readers: what handlers were told adds up to what there is. */
struct race {
    struct store_fixture f;
    _Atomic(bool) stop;
    char known[64]; /* by object: told as being there */
    _Atomic(unsigned) reads;
};

static void race_handler(void *arg, const struct cleat_event *event)
{
    struct race *race = arg;
    unsigned at = (unsigned)(event->name.data[0] - 'A');
    ck_assert_uint_lt(at, sizeof(race->known));
    if (event->type == CLEAT_EVENT_ADDED)
        ck_assert_int_eq(race->known[at], 0);
    if (event->type == CLEAT_EVENT_UPDATED)
        ck_assert_int_eq(race->known[at], 1);
    race->known[at] = event->type != CLEAT_EVENT_DELETED;
    if (event->object)
        ck_assert(cleat_str_equal(cleat_object_name(event->object), event->name));
}

static int race_read(void *arg, struct cleat_object *object)
{
    struct race *race = arg;
    struct cleat_scratch scratch;
    struct cleat_str text = cleat_value_text(cleat_object_find(object, "spec.text"), &scratch);
    ck_assert_str_eq(text.data, cleat_object_resource_version(object).data);
    atomic_fetch_add(&race->reads, 1);
    return 0;
}

static void *race_reader(void *arg)
{
    struct race *race = arg;
    const struct cleat_store_query query = {.namespace_ = "a"};
    for (unsigned i = 0; !atomic_load(&race->stop); i++) {
        struct cleat_object *object = NULL;
        const char name[] = {(char)('A' + i % 26), '\0'};
        if (cleat_store_lookup(race->f.store, CLEAT_STR("a"), cleat_str_of(name), &object) == 0)
            (void)race_read(race, object);
        (void)cleat_object_unref(object);
        ck_assert_int_eq(cleat_store_each(race->f.store, i % 2 ? &query : NULL, race_read, race),
                         0);
        (void)cleat_store_count(race->f.store, &query);
    }
    return NULL;
}

START_TEST(test_writer_readers_and_handlers_at_once)
{
    static struct race race;
    struct cleat_thread threads[3] = {CLEAT_THREAD_INIT, CLEAT_THREAD_INIT, CLEAT_THREAD_INIT};
    struct cleat_handler *handler = NULL;
    struct store_fixture *f = &race.f;
    uint64_t state = 88172645463325252u;
    store_fixture_init(f);
    uint16_t feed = store_fixture_feed(f, NULL, NULL);
    cleat__store_feed_synced(f->store, feed, true, false);
    ck_assert_int_eq(cleat_store_handler(f->store, race_handler, &race, &handler, NULL), 0);
    ck_assert_int_eq(cleat_thread_start(&threads[0], "events", 0, run_events, &f->events, NULL), 0);
    ck_assert_int_eq(cleat_thread_start(&threads[1], "reader/0", 0, race_reader, &race, NULL), 0);
    ck_assert_int_eq(cleat_thread_start(&threads[2], "reader/1", 0, race_reader, &race, NULL), 0);
    bool there[26] = {false};
    for (unsigned i = 1; i <= 4000; i++) {
        char key[8], version[16], more[160];
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        unsigned at = (unsigned)(state % 26);
        (void)snprintf(key, sizeof(key), "a/%c", 'A' + (int)at);
        (void)snprintf(version, sizeof(version), "%u", i);
        (void)snprintf(more, sizeof(more), "\"spec\":{\"text\":\"%u\"}", i);
        if (there[at] && state >> 32 & 1)
            ck_assert_int_eq(store_fixture_remove(f, feed, key), STORE_REMOVED);
        else
            ck_assert_int_gt(store_fixture_put(f, feed, key, version, more), STORE_SAME);
        there[at] = !(there[at] && state >> 32 & 1);
        cleat__ring_drain(&f->events.ring);
        cleat__lender_drain(f->lender);
    }
    CLEAT_WAIT_FOR(cleat_handler_synced(handler) && atomic_load(&race.reads) > 0, 10000);
    cleat_lock_take(&f->events.ring.lock);
    uint64_t pushed = f->events.ring.pushed;
    cleat_lock_release(&f->events.ring.lock);
    for (bool over = false; !over;) {
        cleat_lock_take(&f->events.ring.lock);
        over = f->events.ring.delivered >= pushed;
        cleat_lock_release(&f->events.ring.lock);
        cleat_wait_moment();
    }
    atomic_store(&race.stop, true);
    cleat__events_stop(&f->events);
    for (size_t i = 0; i < 3; i++)
        cleat_thread_join(&threads[i]);
    for (size_t i = 0; i < 26; i++)
        ck_assert_int_eq(race.known[i], there[i]);
    handler = cleat_handler_remove(handler);
    store_fixture_fini(f);
}
END_TEST

/* A generated name that doesn't fit into an object's own room, so that it takes memory to tell. */
#define LONG_NAME                                                                              \
    "a-name-of-a-deployment-that-is-about-as-long-as-such-names-may-become-at-all-in-kubernet" \
    "es-7c9d5b8f6d-x2k4m"

/* Once: an object of the first load was never told where there was no memory for its name. */
START_TEST(test_late_handler_misses_nothing_without_memory)
{
    for (uint64_t nth = 1; nth < 10; nth++) {
        struct store_fixture f;
        struct cleat_handler *handler = NULL;
        store_fixture_init(&f);
        uint16_t feed = store_fixture_feed(&f, NULL, NULL);
        ck_assert_int_gt(store_fixture_put(&f, feed, "a/" LONG_NAME, "1", ""), STORE_SAME);
        ck_assert_int_eq(cleat_store_handler(f.store, store_fixture_tell, f.told, &handler, NULL),
                         0);
        cleat_mem_fail_at(nth, false);
        store_fixture_turn(&f);
        cleat_mem_fail_at(0, false);
        ck_assert_str_eq(store_fixture_told(f.told), "*a/" LONG_NAME "@1 ");
        handler = cleat_handler_remove(handler);
        store_fixture_fini(&f);
    }
}
END_TEST

static void wait_handler(void *arg, const struct cleat_event *event)
{
    atomic_store((_Atomic(int) *)arg, cleat__events_wait_memory() ? 1 : 2);
}

/* What a handler has no memory for may wait on the events thread, and nowhere else. */
START_TEST(test_handlers_may_wait_for_memory)
{
    struct store_fixture f;
    struct cleat_thread thread = CLEAT_THREAD_INIT;
    struct cleat_handler *handler = NULL;
    _Atomic(int) waited = 0;
    store_fixture_init(&f);
    uint16_t feed = store_fixture_feed(&f, NULL, NULL);
    ck_assert_int_gt(store_fixture_put(&f, feed, "a/x", "1", ""), STORE_SAME);
    ck_assert_int_eq(cleat_store_handler(f.store, wait_handler, &waited, &handler, NULL), 0);
    ck_assert_int_eq(cleat_thread_start(&thread, "events", 0, run_events, &f.events, NULL), 0);
    CLEAT_WAIT_FOR(atomic_load(&waited) != 0, 10000);
    ck_assert_int_eq(atomic_load(&waited), 1);
    ck_assert(!cleat__events_wait_memory());
    cleat__events_stop(&f.events);
    cleat_thread_join(&thread);
    handler = cleat_handler_remove(handler);
    store_fixture_fini(&f);
}
END_TEST

CLEAT_SUITE_MAIN("handler", test_changes_of_a_key_join,
                 test_another_object_of_the_name_is_an_end_and_a_beginning,
                 test_same_content_in_a_new_version_is_no_event,
                 test_late_handler_is_given_the_store, test_changes_during_a_replay_are_told_once,
                 test_relist_tells_ends_first, test_resync_gives_everything_once_more,
                 test_removal_waits_for_the_call, test_writer_readers_and_handlers_at_once,
                 test_late_handler_misses_nothing_without_memory, test_handlers_may_wait_for_memory)
