/* SPDX-License-Identifier: Apache-2.0 */
/* Series, limits and forgetting, on times by hand. */
#include "controller/event_book.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/chaos.h"
#include "support/suite.h"

#define MINUTE_MS (60 * INT64_C(1000))
#define QUEUE_MAX 100

struct fixture {
    struct event_book book;
    int64_t now_ms;
};

static void fixture_open(struct fixture *f)
{
    *f = (struct fixture){.now_ms = 1000000};
    cleat__event_book_init(&f->book, QUEUE_MAX);
}

static void fixture_close(struct fixture *f)
{
    cleat__event_book_fini(&f->book);
}

/* One occurrence of @key of @object. */
static int note(struct fixture *f, const char *key, const char *object)
{
    int outcome =
        (int)cleat__event_book_repeat(&f->book, cleat_str_of(key), f->now_ms, f->now_ms + 7);
    if (outcome != EVENT_NEW)
        return outcome;
    char *body = cleat_mem_strdup("{");
    struct event_entry *entry =
        cleat__event_entry_new_take(cleat_str_of(key), CLEAT_STR("ns"), "name", body, 1);
    if (!entry)
        return -ENOMEM;
    outcome =
        cleat__event_book_add(&f->book, entry, cleat_str_of(object), f->now_ms, f->now_ms + 7);
    if (outcome != EVENT_QUEUED)
        cleat__event_entry_free(entry);
    return outcome;
}

/* Sends the first of the queue; how often it has happened, 0: nothing is queued. */
static uint64_t send_one(struct fixture *f)
{
    struct event_entry *entry = cleat__event_book_take(&f->book);
    if (!entry)
        return 0;
    uint64_t count = entry->count;
    cleat__event_book_sent(&f->book, entry, count, f->now_ms);
    return count;
}

START_TEST(test_series)
{
    struct fixture f;
    fixture_open(&f);
    ck_assert_int_eq(note(&f, "a", "o"), EVENT_QUEUED);
    ck_assert_uint_eq(send_one(&f), 1);
    ck_assert_uint_eq(send_one(&f), 0);
    f.now_ms += 5 * MINUTE_MS;
    ck_assert_int_eq(note(&f, "a", "o"), EVENT_QUEUED); /* a series begins: told at once */
    ck_assert_uint_eq(send_one(&f), 2);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(note(&f, "a", "o"), EVENT_COUNTED); /* told later */
    ck_assert_uint_eq(send_one(&f), 0);
    /* Refreshed half an hour after it was told last, while it goes on. */
    for (int i = 1; i <= 29; i++) {
        f.now_ms += MINUTE_MS;
        ck_assert_int_eq(note(&f, "a", "o"), EVENT_COUNTED);
        ck_assert(!cleat__event_book_tick(&f.book, f.now_ms));
    }
    f.now_ms += MINUTE_MS;
    ck_assert(cleat__event_book_tick(&f.book, f.now_ms));
    ck_assert_uint_eq(send_one(&f), 41);
    /* Ended by six idle minutes; the last count is told before it's forgotten. */
    ck_assert_int_eq(note(&f, "a", "o"), EVENT_COUNTED);
    f.now_ms += 6 * MINUTE_MS;
    ck_assert(cleat__event_book_tick(&f.book, f.now_ms));
    ck_assert_uint_eq(send_one(&f), 42);
    ck_assert_uint_eq(f.book.entries.map.count, 1);
    ck_assert(!cleat__event_book_tick(&f.book, f.now_ms));
    ck_assert_uint_eq(f.book.entries.map.count, 0);
    ck_assert_int_eq(note(&f, "a", "o"), EVENT_QUEUED); /* a new one */
    ck_assert_uint_eq(send_one(&f), 1);
    fixture_close(&f);
}
END_TEST

/* What happens again after more than six minutes is a new event, also before any tick. */
START_TEST(test_over)
{
    struct fixture f;
    fixture_open(&f);
    ck_assert_int_eq(note(&f, "a", "o"), EVENT_QUEUED);
    ck_assert_uint_eq(send_one(&f), 1);
    f.now_ms += 6 * MINUTE_MS;
    ck_assert_int_eq(note(&f, "a", "o"), EVENT_QUEUED); /* just within */
    ck_assert_uint_eq(send_one(&f), 2);
    f.now_ms += 6 * MINUTE_MS + 1;
    ck_assert_int_eq(note(&f, "a", "o"), EVENT_QUEUED);
    ck_assert_uint_eq(send_one(&f), 1);
    fixture_close(&f);
}
END_TEST

/* Repeats while the first one waits or is on its way cost no place in the queue. */
START_TEST(test_repeats_while_sending)
{
    struct fixture f;
    fixture_open(&f);
    ck_assert_int_eq(note(&f, "a", "o"), EVENT_QUEUED);
    ck_assert_int_eq(note(&f, "a", "o"), EVENT_COUNTED);
    ck_assert_uint_eq(send_one(&f), 2); /* made as a series */
    ck_assert_uint_eq(send_one(&f), 0);
    ck_assert_int_eq(note(&f, "b", "o"), EVENT_QUEUED);
    struct event_entry *entry = cleat__event_book_take(&f.book);
    ck_assert_int_eq(note(&f, "b", "o"), EVENT_COUNTED);
    ck_assert_int_eq(note(&f, "b", "o"), EVENT_COUNTED);
    cleat__event_book_sent(&f.book, entry, 1, f.now_ms);
    ck_assert_uint_eq(send_one(&f), 3); /* the series that began meanwhile */
    ck_assert_uint_eq(send_one(&f), 0);
    ck_assert_uint_eq(f.book.queued, 0);
    fixture_close(&f);
}
END_TEST

START_TEST(test_order_and_again)
{
    struct fixture f;
    fixture_open(&f);
    ck_assert_int_eq(note(&f, "a", "o"), EVENT_QUEUED);
    ck_assert_int_eq(note(&f, "b", "o"), EVENT_QUEUED);
    struct event_entry *first = cleat__event_book_take(&f.book);
    ck_assert(cleat_str_is(first->key, "a"));
    cleat__event_book_again(&f.book, first);
    ck_assert_ptr_eq(cleat__event_book_take(&f.book), first);
    cleat__event_book_drop(&f.book, first);
    struct event_entry *second = cleat__event_book_take(&f.book);
    ck_assert(cleat_str_is(second->key, "b"));
    cleat__event_book_again(&f.book, second); /* into an empty queue */
    ck_assert_int_eq(note(&f, "c", "o"), EVENT_QUEUED);
    ck_assert_ptr_eq(cleat__event_book_take(&f.book), second);
    cleat__event_book_sent(&f.book, second, 1, f.now_ms);
    ck_assert_uint_eq(send_one(&f), 1);
    ck_assert_ptr_null(cleat__event_book_take(&f.book));
    ck_assert_int_eq(note(&f, "a", "o"), EVENT_QUEUED); /* it was forgotten */
    fixture_close(&f);
}
END_TEST

/* 25 at once of one object, then one each five minutes; others aren't touched. */
START_TEST(test_spam)
{
    struct fixture f;
    char key[16];
    int made = 0;
    fixture_open(&f);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        int outcome = note(&f, key, "noisy");
        ck_assert_int_eq(outcome, i < CLEAT__EVENT_BURST ? EVENT_QUEUED : EVENT_SPAM);
        made += outcome == EVENT_QUEUED;
    }
    ck_assert_int_eq(made, CLEAT__EVENT_BURST);
    ck_assert_int_eq(note(&f, "x", "quiet"), EVENT_QUEUED);
    ck_assert_int_eq(note(&f, "k0", "noisy"), EVENT_COUNTED); /* a repeat costs nothing */
    f.now_ms += CLEAT__EVENT_REFILL_MS - 1;
    ck_assert_int_eq(note(&f, "m1", "noisy"), EVENT_SPAM);
    f.now_ms += 1;
    ck_assert_int_eq(note(&f, "m1", "noisy"), EVENT_QUEUED);
    ck_assert_int_eq(note(&f, "m2", "noisy"), EVENT_SPAM);
    f.now_ms += 1000 * CLEAT__EVENT_REFILL_MS;
    while (send_one(&f) > 0) {}
    for (int i = 0; i <= CLEAT__EVENT_BURST; i++) {
        (void)snprintf(key, sizeof(key), "n%d", i);
        ck_assert_int_eq(note(&f, key, "noisy"),
                         i < CLEAT__EVENT_BURST ? EVENT_QUEUED : EVENT_SPAM);
    }
    fixture_close(&f);
}
END_TEST

START_TEST(test_full)
{
    struct fixture f;
    char key[16];
    fixture_open(&f);
    for (int i = 0; i < QUEUE_MAX; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        ck_assert_int_eq(note(&f, key, key), EVENT_QUEUED);
    }
    ck_assert_int_eq(note(&f, "more", "more"), EVENT_FULL);
    ck_assert_uint_eq(send_one(&f), 1);
    ck_assert_int_eq(note(&f, "more", "more"), EVENT_QUEUED);
    /* A series that finds the queue full is told of by a tick. */
    ck_assert_int_eq(note(&f, "k0", "k0"), EVENT_COUNTED);
    while (send_one(&f) > 0) {}
    ck_assert(cleat__event_book_tick(&f.book, f.now_ms));
    ck_assert_uint_eq(send_one(&f), 2);
    fixture_close(&f);
}
END_TEST

/* Keys and objects are bounded: the least recently seen go, but not what is to be sent. */
START_TEST(test_bounded)
{
    struct fixture f;
    char key[32];
    fixture_open(&f);
    ck_assert_int_eq(note(&f, "waits", "o"), EVENT_QUEUED);
    struct event_entry *waits = cleat__event_book_take(&f.book);
    ck_assert_int_eq(note(&f, "old", "o"), EVENT_QUEUED);
    ck_assert_uint_eq(send_one(&f), 1);
    for (int i = 0; i < 2 * CLEAT__EVENT_KEYS_MAX; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        ck_assert_int_eq(note(&f, key, key), EVENT_QUEUED);
        ck_assert_uint_eq(send_one(&f), 1);
    }
    ck_assert_uint_eq(f.book.entries.map.count, CLEAT__EVENT_KEYS_MAX);
    ck_assert_uint_eq(f.book.buckets.map.count, CLEAT__EVENT_KEYS_MAX);
    ck_assert_int_eq(note(&f, "waits", "o"), EVENT_COUNTED);
    cleat__event_book_sent(&f.book, waits, 2, f.now_ms);
    ck_assert_int_eq(note(&f, "old", "o"), EVENT_QUEUED); /* it was forgotten */
    ck_assert_uint_eq(send_one(&f), 1);
    fixture_close(&f);
}
END_TEST

START_TEST(test_flush)
{
    struct fixture f;
    fixture_open(&f);
    ck_assert_int_eq(note(&f, "told", "o"), EVENT_QUEUED);
    ck_assert_uint_eq(send_one(&f), 1);
    ck_assert_int_eq(note(&f, "series", "o"), EVENT_QUEUED);
    ck_assert_int_eq(note(&f, "series", "o"), EVENT_COUNTED);
    ck_assert_uint_eq(send_one(&f), 2);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(note(&f, "series", "o"), EVENT_COUNTED);
    cleat__event_book_flush(&f.book);
    struct event_entry *entry = cleat__event_book_take(&f.book);
    ck_assert_int_eq(note(&f, "series", "o"), EVENT_COUNTED);
    cleat__event_book_sent(&f.book, entry, 5, f.now_ms); /* and what came meanwhile */
    ck_assert_uint_eq(send_one(&f), 6);
    ck_assert_uint_eq(send_one(&f), 0);
    fixture_close(&f);
}
END_TEST

static int make(void *arg)
{
    struct fixture f;
    fixture_open(&f);
    int rc = note(&f, "a", "o");
    fixture_close(&f);
    return rc == EVENT_QUEUED ? 0 : rc;
}

START_TEST(test_out_of_memory)
{
    ck_assert_uint_ge(cleat_chaos_sweep(make, NULL), 6);
}
END_TEST

CLEAT_SUITE_MAIN("event_book", test_series, test_over, test_repeats_while_sending,
                 test_order_and_again, test_spam, test_full, test_bounded, test_flush,
                 test_out_of_memory)
