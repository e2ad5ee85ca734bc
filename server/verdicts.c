/* SPDX-License-Identifier: Apache-2.0 */
#include "server/verdicts.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* All under the lock. */
struct verdict_entry {
    bool used;
    bool asking;                 /* somebody is out with it; it stays, as where somebody waits */
    bool known;                  /* its last answer that was one was ALLOWED, however old */
    unsigned waiters;            /* that haven't read the round's result yet */
    int kept;                    /* the last answer, or negative: the last round failed */
    int64_t until_mono_ms;       /* the answer counts before then */
    struct cleat_object *object; /* owned reference */
    struct cleat_digest digest;
};

int cleat_verdicts_init(struct cleat_verdicts *verdicts, const struct cleat_clock *clock,
                        int64_t allowed_ms, int64_t refused_ms, int64_t wait_ms)
{
    *verdicts = (struct cleat_verdicts){
        .clock = clock, .allowed_ms = allowed_ms, .refused_ms = refused_ms, .wait_ms = wait_ms};
    cleat_lock_init(&verdicts->lock, CLEAT_LOCK_SERVER);
    cleat_cond_init(&verdicts->changed);
    verdicts->entries = cleat_mem_zalloc(CLEAT_VERDICTS_MAX, sizeof(struct verdict_entry));
    return verdicts->entries ? 0 : -ENOMEM;
}

void cleat_verdicts_fini(struct cleat_verdicts *verdicts)
{
    if (!verdicts->clock)
        return;
    for (size_t i = 0; verdicts->entries && i < CLEAT_VERDICTS_MAX; i++) {
        cleat_assert(!verdicts->entries[i].asking && verdicts->entries[i].waiters == 0);
        (void)cleat_object_unref(verdicts->entries[i].object);
    }
    verdicts->entries = cleat_mem_free(verdicts->entries);
    cleat_cond_fini(&verdicts->changed);
    cleat_lock_fini(&verdicts->lock);
    verdicts->clock = NULL;
}

static struct verdict_entry *verdicts_find(struct cleat_verdicts *verdicts,
                                           const struct cleat_digest *digest)
{
    for (size_t i = 0; i < CLEAT_VERDICTS_MAX; i++) {
        struct verdict_entry *entry = &verdicts->entries[i];
        if (entry->used && memcmp(&entry->digest, digest, sizeof(*digest)) == 0)
            return entry;
    }
    return NULL;
}

/* True where @entry is better given away than @other: strangers first, then by age. */
static bool entry_worse(const struct verdict_entry *entry, const struct verdict_entry *other)
{
    if (!other || entry->used != other->used)
        return !other || !entry->used;
    if (entry->known != other->known)
        return !entry->known;
    return entry->until_mono_ms < other->until_mono_ms;
}

/* A place for @digest; NULL where all are being asked about. */
static struct verdict_entry *verdicts_place(struct cleat_verdicts *verdicts,
                                            const struct cleat_digest *digest)
{
    struct verdict_entry *place = NULL;
    for (size_t i = 0; i < CLEAT_VERDICTS_MAX; i++) {
        struct verdict_entry *entry = &verdicts->entries[i];
        if (!entry->asking && entry->waiters == 0 && entry_worse(entry, place))
            place = entry;
    }
    if (!place)
        return NULL;
    (void)cleat_object_unref(place->object);
    *place = (struct verdict_entry){.used = true, .digest = *digest};
    return place;
}

static int entry_read(const struct verdict_entry *entry, struct cleat_object **ret,
                      struct cleat_err *err)
{
    if (entry->kept < 0)
        return cleat_err_set(err, entry->kept, "the same question of another failed");
    *ret = entry->object ? cleat_object_ref(entry->object) : NULL;
    return entry->kept;
}

/* Waits for who asks already. */
static int verdicts_wait(struct cleat_verdicts *verdicts, struct verdict_entry *entry,
                         struct cleat_object **ret, struct cleat_err *err)
{
    const struct cleat_clock *system = cleat_clock_system(); /* as for every wait */
    int64_t until_ms = cleat_clock_mono_ms(system) + verdicts->wait_ms;
    int64_t left_ms = verdicts->wait_ms;
    entry->waiters++;
    while (entry->asking && !verdicts->stopping && left_ms > 0) {
        (void)cleat_cond_wait_ms(&verdicts->changed, &verdicts->lock, left_ms); /* looks again */
        left_ms = until_ms - cleat_clock_mono_ms(system);
    }
    int r = 0;
    if (verdicts->stopping)
        r = cleat_err_set(err, -ECANCELED, "the server stops");
    else if (entry->asking)
        r = cleat_err_set(err, -ETIMEDOUT, "the same question of another takes too long");
    else
        r = entry_read(entry, ret, err);
    entry->waiters--;
    return r;
}

static void entry_write(const struct cleat_verdicts *verdicts, struct verdict_entry *entry,
                        int kept, struct cleat_object *object)
{
    int64_t now_ms = cleat_clock_mono_ms(verdicts->clock);
    entry->kept = kept;
    entry->until_mono_ms = now_ms;
    if (kept < 0)
        return;
    entry->known = kept == CLEAT_KEPT_ALLOWED;
    entry->until_mono_ms += entry->known ? verdicts->allowed_ms : verdicts->refused_ms;
    (void)cleat_object_unref(entry->object);
    entry->object = object;
}

/* Goes out with the question; the lock is held before and after, and not in between. */
static int verdicts_ask(struct cleat_verdicts *verdicts, struct verdict_entry *entry,
                        cleat_verdicts_ask_fn ask, void *arg, struct cleat_object **ret,
                        struct cleat_err *err)
{
    struct cleat_object *object = NULL;
    bool stranger = !entry->known;
    if (stranger && verdicts->strangers == CLEAT_VERDICTS_STRANGERS_MAX)
        return cleat_err_set(err, -EBUSY, "too many questions of strangers are under way");
    entry->asking = true;
    verdicts->strangers += stranger;
    cleat_lock_release(&verdicts->lock);
    int kept = ask(arg, &object, err);
    cleat_lock_take(&verdicts->lock);
    verdicts->strangers -= stranger;
    entry->asking = false;
    entry_write(verdicts, entry, kept, object);
    cleat_cond_broadcast(&verdicts->changed);
    return kept < 0 ? kept : entry_read(entry, ret, err);
}

int cleat_verdicts_get(struct cleat_verdicts *verdicts, const struct cleat_digest *digest,
                       cleat_verdicts_ask_fn ask, void *arg, struct cleat_object **ret,
                       bool *ret_fresh, struct cleat_err *err)
{
    int r = 0;
    *ret_fresh = false;
    cleat_lock_take(&verdicts->lock);
    struct verdict_entry *entry = verdicts_find(verdicts, digest);
    if (!entry)
        entry = verdicts_place(verdicts, digest);
    if (verdicts->stopping)
        r = cleat_err_set(err, -ECANCELED, "the server stops");
    else if (!entry)
        r = cleat_err_set(err, -EBUSY, "too many questions are under way");
    else if (entry->asking)
        r = verdicts_wait(verdicts, entry, ret, err);
    else if (entry->kept > 0 && cleat_clock_mono_ms(verdicts->clock) < entry->until_mono_ms)
        r = entry_read(entry, ret, err);
    else if ((r = verdicts_ask(verdicts, entry, ask, arg, ret, err)) != 0)
        *ret_fresh = r > 0;
    cleat_lock_release(&verdicts->lock);
    return r;
}

void cleat_verdicts_stop(struct cleat_verdicts *verdicts)
{
    cleat_lock_take(&verdicts->lock);
    verdicts->stopping = true;
    cleat_cond_broadcast(&verdicts->changed);
    cleat_lock_release(&verdicts->lock);
}

unsigned cleat__verdicts_waiting(const struct cleat_verdicts *verdicts)
{
    unsigned count = 0;
    for (size_t i = 0; i < CLEAT_VERDICTS_MAX; i++)
        count += verdicts->entries[i].waiters;
    return count;
}
