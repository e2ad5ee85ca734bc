/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/contest.h"

#include <stdio.h>

#include "base/mem.h"

#define CONTEST_ENTRIES_MAX 10000
#define CONTEST_KEY_BYTES 160
#define CONTEST_VERSION_BYTES 64

struct contest_entry {
    char key[CONTEST_KEY_BYTES];
    int64_t generation;
    char source_version[CONTEST_VERSION_BYTES];
    int64_t window_mono_ms; /* when the first of @repairs was */
    unsigned repairs;
    int64_t delay_ms; /* of the last holding back; 0: none yet */
    int64_t until_mono_ms;
};

void cleat__mirror_contest_init(struct mirror_contest *contest)
{
    cleat_lock_init(&contest->lock, CLEAT_LOCK_KIND);
    cleat_map_init(&contest->entries, CONTEST_ENTRIES_MAX);
}

static void contest_clear(struct mirror_contest *contest)
{
    size_t cursor = 0;
    void *entry;
    while ((entry = cleat_map_next(&contest->entries, &cursor, NULL)))
        cleat_mem_free(entry);
    cleat_map_fini(&contest->entries);
}

void cleat__mirror_contest_fini(struct mirror_contest *contest)
{
    contest_clear(contest);
    cleat_lock_fini(&contest->lock);
}

static struct cleat_str contest_text(const struct mirror_contest_key *key,
                                     char text[CONTEST_KEY_BYTES])
{
    (void)snprintf(text, CONTEST_KEY_BYTES, "%.*s/%.*s", CLEAT_STR_ARG(key->uid),
                   CLEAT_STR_ARG(key->namespace_));
    return cleat_str_of(text);
}

static bool contest_is_current(const struct contest_entry *entry,
                               const struct mirror_contest_key *key)
{
    return entry->generation == key->generation &&
           cleat_str_is(key->source_version, entry->source_version);
}

int64_t cleat__mirror_contest_wait_ms(struct mirror_contest *contest,
                                      const struct mirror_contest_key *key, int64_t now_mono_ms)
{
    char text[CONTEST_KEY_BYTES];
    int64_t wait_ms = 0;
    struct cleat_str name = contest_text(key, text);
    cleat_lock_take(&contest->lock);
    const struct contest_entry *entry = cleat_map_get(&contest->entries, name);
    if (entry && contest_is_current(entry, key) && entry->until_mono_ms > now_mono_ms)
        wait_ms = entry->until_mono_ms - now_mono_ms;
    cleat_lock_release(&contest->lock);
    return wait_ms;
}

/* Under the lock. A full table is emptied: what is still contested comes back by itself. */
static struct contest_entry *contest_entry(struct mirror_contest *contest, struct cleat_str name)
{
    struct contest_entry *entry = cleat_map_get(&contest->entries, name);
    if (entry)
        return entry;
    if (contest->entries.count == CONTEST_ENTRIES_MAX) {
        contest_clear(contest);
        cleat_map_init(&contest->entries, CONTEST_ENTRIES_MAX);
    }
    entry = cleat_mem_zalloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    (void)snprintf(entry->key, sizeof(entry->key), "%.*s", CLEAT_STR_ARG(name));
    if (cleat_map_set(&contest->entries, cleat_str_of(entry->key), entry) < 0) {
        cleat_mem_free(entry);
        return NULL;
    }
    return entry;
}

static void contest_hold_back(struct contest_entry *entry, int64_t now_mono_ms)
{
    int64_t delay_ms = entry->delay_ms > 0 ? entry->delay_ms * 2 : MIRROR_CONTEST_FIRST_MS;
    entry->delay_ms = delay_ms < MIRROR_CONTEST_MAX_MS ? delay_ms : MIRROR_CONTEST_MAX_MS;
    entry->until_mono_ms = now_mono_ms + entry->delay_ms;
    entry->repairs = 0;
    entry->window_mono_ms = now_mono_ms;
}

void cleat__mirror_contest_note(struct mirror_contest *contest,
                                const struct mirror_contest_key *key, bool differs,
                                int64_t now_mono_ms)
{
    char text[CONTEST_KEY_BYTES];
    struct cleat_str name = contest_text(key, text);
    cleat_lock_take(&contest->lock);
    struct contest_entry *entry = contest_entry(contest, name);
    if (entry && !contest_is_current(entry, key)) {
        entry->generation = key->generation;
        (void)snprintf(entry->source_version, sizeof(entry->source_version), "%.*s",
                       CLEAT_STR_ARG(key->source_version));
        entry->repairs = 0;
        entry->delay_ms = 0;
        entry->until_mono_ms = 0;
    }
    if (entry) {
        if (entry->repairs == 0 || now_mono_ms - entry->window_mono_ms > MIRROR_CONTEST_WINDOW_MS) {
            entry->window_mono_ms = now_mono_ms;
            entry->repairs = 0;
        }
        entry->repairs++;
        if (differs || entry->repairs > MIRROR_CONTEST_REPAIRS_MAX)
            contest_hold_back(entry, now_mono_ms);
    }
    cleat_lock_release(&contest->lock);
}
