/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/event_book.h"

#include <errno.h>
#include <string.h>

#include <cleat/buffer.h>

#include "base/check.h"
#include "base/mem.h"

/* ---- the least recently used ---- */

static void lru_unlink(struct event_lru *lru, struct event_recent *recent)
{
    if (recent->older)
        recent->older->newer = recent->newer;
    else
        lru->oldest = recent->newer;
    if (recent->newer)
        recent->newer->older = recent->older;
    else
        lru->newest = recent->older;
    recent->older = recent->newer = NULL;
}

static void lru_append(struct event_lru *lru, struct event_recent *recent)
{
    recent->older = lru->newest;
    recent->newer = NULL;
    if (lru->newest)
        lru->newest->newer = recent;
    else
        lru->oldest = recent;
    lru->newest = recent;
}

static void lru_use(struct event_lru *lru, struct event_recent *recent)
{
    lru_unlink(lru, recent);
    lru_append(lru, recent);
}

static bool key_copy(struct cleat_str key, struct cleat_str *ret)
{
    char *copy = cleat_mem_strndup(key.data, key.length);
    *ret = (struct cleat_str){copy, copy ? key.length : 0};
    return copy != NULL;
}

/* ---- entries ---- */

struct event_entry *cleat__event_entry_new_take(struct cleat_str key, struct cleat_str namespace_,
                                                const char *name, char *body, size_t body_bytes)
{
    struct event_entry *entry = cleat_mem_zalloc(1, sizeof(*entry));
    if (!entry) {
        cleat_free(body);
        return NULL;
    }
    entry->body = body;
    entry->body_bytes = body_bytes;
    entry->namespace_ = cleat_mem_strndup(namespace_.data, namespace_.length);
    entry->name = cleat_mem_strdup(name);
    if (!key_copy(key, &entry->key) || !entry->namespace_ || !entry->name || !body) {
        cleat__event_entry_free(entry);
        return NULL;
    }
    return entry;
}

void cleat__event_entry_free(struct event_entry *entry)
{
    if (!entry)
        return;
    cleat_mem_free((char *)entry->key.data);
    cleat_mem_free(entry->namespace_);
    cleat_mem_free(entry->name);
    cleat_free(entry->body);
    cleat_mem_free(entry);
}

static struct event_entry *entry_of(struct event_recent *recent)
{
    return (struct event_entry *)recent; /* its first member */
}

static void entry_forget(struct event_book *book, struct event_entry *entry)
{
    void *removed = cleat_map_remove(&book->entries.map, entry->key);
    cleat_assert(removed == entry && !entry->queued);
    lru_unlink(&book->entries, &entry->recent);
    cleat__event_entry_free(entry);
}

/* True where the server doesn't know how often it happened. */
static bool entry_behind(const struct event_entry *entry)
{
    return entry->count > entry->sent_count;
}

/* ---- the queue ---- */

static bool queue_push(struct event_book *book, struct event_entry *entry)
{
    if (entry->queued || book->queued >= book->queue_max)
        return false;
    entry->queued = true;
    entry->tries = 0;
    entry->next = NULL;
    if (book->last)
        book->last->next = entry;
    else
        book->first = entry;
    book->last = entry;
    book->queued++;
    return true;
}

static void queue_left(struct event_book *book, struct event_entry *entry)
{
    cleat_assert(entry->queued);
    entry->queued = false;
    book->queued--;
}

struct event_entry *cleat__event_book_take(struct event_book *book)
{
    struct event_entry *entry = book->first;
    if (entry) {
        book->first = entry->next;
        book->last = book->first ? book->last : NULL;
        entry->next = NULL;
    }
    return entry;
}

void cleat__event_book_again(struct event_book *book, struct event_entry *entry)
{
    cleat_assert(entry->queued);
    entry->next = book->first;
    book->first = entry;
    book->last = book->last ? book->last : entry;
}

void cleat__event_book_sent(struct event_book *book, struct event_entry *entry, uint64_t count,
                            int64_t mono_ms)
{
    bool alone = count == 1; /* nobody has heard of a series yet */
    queue_left(book, entry);
    entry->sent_count = count;
    entry->sent_mono_ms = mono_ms;
    if ((alone || book->flushing) && entry_behind(entry))
        (void)queue_push(book, entry); /* a full queue: the next tick sees to it */
}

void cleat__event_book_drop(struct event_book *book, struct event_entry *entry)
{
    queue_left(book, entry);
    entry_forget(book, entry);
}

/* ---- what an object may say ---- */

static struct event_bucket *bucket_of(struct event_recent *recent)
{
    return (struct event_bucket *)recent; /* its first member */
}

static void bucket_forget(struct event_book *book, struct event_bucket *bucket)
{
    (void)cleat_map_remove(&book->buckets.map, bucket->key); /* it's there */
    lru_unlink(&book->buckets, &bucket->recent);
    cleat_mem_free((char *)bucket->key.data);
    cleat_mem_free(bucket);
}

static struct event_bucket *bucket_make(struct event_book *book, struct cleat_str object,
                                        int64_t mono_ms)
{
    if (book->buckets.map.count >= CLEAT__EVENT_KEYS_MAX)
        bucket_forget(book, bucket_of(book->buckets.oldest));
    struct event_bucket *bucket = cleat_mem_zalloc(1, sizeof(*bucket));
    if (!bucket)
        return NULL;
    if (!key_copy(object, &bucket->key) ||
        cleat_map_set(&book->buckets.map, bucket->key, bucket) < 0) {
        cleat_mem_free((char *)bucket->key.data);
        cleat_mem_free(bucket);
        return NULL;
    }
    bucket->tokens = CLEAT__EVENT_BURST;
    bucket->filled_mono_ms = mono_ms;
    lru_append(&book->buckets, &bucket->recent);
    return bucket;
}

static void bucket_fill(struct event_bucket *bucket, int64_t mono_ms)
{
    int64_t tokens = (mono_ms - bucket->filled_mono_ms) / CLEAT__EVENT_REFILL_MS;
    if (bucket->tokens + tokens >= CLEAT__EVENT_BURST) {
        bucket->tokens = CLEAT__EVENT_BURST;
        bucket->filled_mono_ms = mono_ms;
    } else {
        bucket->tokens += (unsigned)tokens;
        bucket->filled_mono_ms += tokens * CLEAT__EVENT_REFILL_MS;
    }
}

/* The bucket with at least one token; NULL: none, or out of memory as @ret_code says. */
static struct event_bucket *bucket_find(struct event_book *book, struct cleat_str object,
                                        int64_t mono_ms, int *ret_code)
{
    struct event_bucket *bucket = cleat_map_get(&book->buckets.map, object);
    if (bucket)
        lru_use(&book->buckets, &bucket->recent);
    else
        bucket = bucket_make(book, object, mono_ms);
    if (!bucket) {
        *ret_code = -ENOMEM;
        return NULL;
    }
    bucket_fill(bucket, mono_ms);
    *ret_code = EVENT_SPAM;
    return bucket->tokens > 0 ? bucket : NULL;
}

/* ---- the book ---- */

void cleat__event_book_init(struct event_book *book, size_t queue_max)
{
    *book = (struct event_book){.queue_max = queue_max};
    cleat_assert(queue_max < CLEAT__EVENT_KEYS_MAX); /* so that something can be forgotten */
    cleat_map_init(&book->entries.map, CLEAT__EVENT_KEYS_MAX);
    cleat_map_init(&book->buckets.map, CLEAT__EVENT_KEYS_MAX);
}

void cleat__event_book_fini(struct event_book *book)
{
    while (book->entries.oldest) {
        struct event_entry *entry = entry_of(book->entries.oldest);
        lru_unlink(&book->entries, &entry->recent);
        cleat__event_entry_free(entry);
    }
    while (book->buckets.oldest)
        bucket_forget(book, bucket_of(book->buckets.oldest));
    cleat_map_fini(&book->entries.map);
    cleat_map_fini(&book->buckets.map);
}

/* True where an entry is over: what happens now begins a new one. */
static bool entry_over(const struct event_entry *entry, int64_t mono_ms)
{
    return mono_ms - entry->seen_mono_ms > CLEAT__EVENT_IDLE_MS && !entry->queued;
}

enum event_outcome cleat__event_book_repeat(struct event_book *book, struct cleat_str key,
                                            int64_t mono_ms, int64_t wall_ms)
{
    struct event_entry *entry = cleat_map_get(&book->entries.map, key);
    if (entry && entry_over(entry, mono_ms)) {
        entry_forget(book, entry);
        entry = NULL;
    }
    if (!entry)
        return EVENT_NEW;
    lru_use(&book->entries, &entry->recent);
    entry->count++;
    entry->seen_mono_ms = mono_ms;
    entry->seen_wall_ms = wall_ms;
    bool begins = entry->sent_count == 1;
    return begins && queue_push(book, entry) ? EVENT_QUEUED : EVENT_COUNTED;
}

/* Forgets the oldest that isn't about to be sent; there is one, as the queue holds fewer. */
static void book_make_room(struct event_book *book)
{
    struct event_recent *recent = book->entries.oldest;
    while (entry_of(recent)->queued)
        recent = recent->newer;
    entry_forget(book, entry_of(recent));
}

int cleat__event_book_add(struct event_book *book, struct event_entry *entry,
                          struct cleat_str object, int64_t mono_ms, int64_t wall_ms)
{
    int code = 0;
    if (book->queued >= book->queue_max)
        return EVENT_FULL;
    struct event_bucket *bucket = bucket_find(book, object, mono_ms, &code);
    if (!bucket)
        return code;
    if (book->entries.map.count >= CLEAT__EVENT_KEYS_MAX)
        book_make_room(book);
    code = cleat_map_set(&book->entries.map, entry->key, entry);
    if (code < 0)
        return code;
    bucket->tokens--;
    lru_append(&book->entries, &entry->recent);
    entry->count = 1;
    entry->seen_mono_ms = entry->sent_mono_ms = mono_ms;
    entry->seen_wall_ms = wall_ms;
    (void)queue_push(book, entry); /* there is room */
    return EVENT_QUEUED;
}

bool cleat__event_book_tick(struct event_book *book, int64_t mono_ms)
{
    bool queued = false;
    struct event_recent *next = NULL;
    for (struct event_recent *at = book->entries.oldest; at; at = next) {
        struct event_entry *entry = entry_of(at);
        next = at->newer;
        if (entry->queued)
            continue;
        bool idle = mono_ms - entry->seen_mono_ms >= CLEAT__EVENT_IDLE_MS;
        bool due = idle || mono_ms - entry->sent_mono_ms >= CLEAT__EVENT_REFRESH_MS ||
                   entry->sent_count == 1;
        if (due && entry_behind(entry))
            queued = queue_push(book, entry) || queued;
        else if (idle)
            entry_forget(book, entry);
    }
    return queued;
}

void cleat__event_book_flush(struct event_book *book)
{
    book->flushing = true;
    for (struct event_recent *at = book->entries.oldest; at; at = at->newer)
        if (entry_behind(entry_of(at)))
            (void)queue_push(book, entry_of(at)); /* as far as there is room */
}
