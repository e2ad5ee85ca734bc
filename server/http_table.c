/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_table.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/check.h"
#include "base/mem.h"

#define TABLE_PHASE_BITS 3
#define TABLE_PHASE_MASK ((UINT64_C(1) << TABLE_PHASE_BITS) - 1)
#define TABLE_SWEEP_MS_LEAST 10
#define TABLE_SWEEP_MS_MOST 250
#define TABLE_SWEEP_MS_EMPTY 60000
#define TABLE_EVICT_TRIES 8
#define TABLE_UNSTICK_MOST 16
#define TABLE_NEVER INT64_MAX
#define TABLE_ADDRESSES_MAX 1000000 /* above any limit of connections */

static uint64_t state_of(enum cleat_http_phase phase, int64_t since_ms)
{
    return (uint64_t)since_ms << TABLE_PHASE_BITS | (uint64_t)phase;
}

static enum cleat_http_phase state_phase(uint64_t state)
{
    return (enum cleat_http_phase)(state & TABLE_PHASE_MASK);
}

static int64_t state_since_ms(uint64_t state)
{
    return (int64_t)(state >> TABLE_PHASE_BITS);
}

void cleat_http_table_init(struct cleat_http_table *table,
                           const struct cleat_http_table_options *options)
{
    *table = (struct cleat_http_table){.options = *options,
                                       .listen_fd = -1,
                                       .stuck_at = UINT64_MAX,
                                       .draining_since_ms = TABLE_NEVER};
    cleat_lock_init(&table->lock, CLEAT_LOCK_HTTP);
    cleat_cond_init(&table->emptied);
    cleat_map_init(&table->addresses, TABLE_ADDRESSES_MAX);
}

void cleat_http_table_fini(struct cleat_http_table *table)
{
    cleat_assert(table->count == 0);
    cleat_map_fini(&table->addresses);
    cleat_cond_fini(&table->emptied);
    cleat_lock_fini(&table->lock);
}

void cleat_http_address_of(const struct sockaddr *address, uint8_t ret[CLEAT_HTTP_ADDRESS_BYTES])
{
    memset(ret, 0, CLEAT_HTTP_ADDRESS_BYTES);
    if (address && address->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, address, sizeof(six));
        memcpy(ret, &six.sin6_addr, CLEAT_HTTP_ADDRESS_BYTES);
    } else if (address && address->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof(four));
        ret[10] = ret[11] = 0xff;
        memcpy(ret + 12, &four.sin_addr, 4);
    }
}

static struct cleat_str address_key(const uint8_t bytes[CLEAT_HTTP_ADDRESS_BYTES])
{
    return (struct cleat_str){(const char *)bytes, CLEAT_HTTP_ADDRESS_BYTES};
}

/* That of @bytes, made where there is none; NULL without memory. */
static struct cleat_http_address *address_take(struct cleat_http_table *table,
                                               const uint8_t bytes[CLEAT_HTTP_ADDRESS_BYTES])
{
    struct cleat_http_address *address = cleat_map_get(&table->addresses, address_key(bytes));
    if (!address) {
        address = cleat_mem_zalloc(1, sizeof(*address));
        if (!address)
            return NULL;
        memcpy(address->bytes, bytes, sizeof(address->bytes));
        if (cleat_map_set(&table->addresses, address_key(address->bytes), address) < 0)
            return cleat_mem_free(address);
    }
    address->entries++;
    address->open++;
    return address;
}

static void address_give(struct cleat_http_table *table, struct cleat_http_address *address)
{
    if (--address->entries > 0)
        return;
    (void)cleat_map_remove(&table->addresses, address_key(address->bytes)); /* it is @address */
    cleat_mem_free(address);
}

static bool fd_unsent(int fd)
{
    int bytes = 0;
    return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

/* Ends a connection whose state is still @seen: its thread finds the socket shut. What its client
 * hasn't read isn't kept for it where it had the time. */
static bool entry_cut(struct cleat_http_table *table, struct cleat_http_entry *entry, uint64_t seen,
                      bool had_time)
{
    cleat_assert(cleat_lock_held(&table->lock));
    if (!atomic_compare_exchange_strong(&entry->state, &seen, state_of(CLEAT_HTTP_CUT, 0)))
        return false;
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (had_time && fd_unsent(entry->fd))
        (void)setsockopt(entry->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)); /* only a help */
    (void)shutdown(entry->fd, SHUT_RDWR); /* an error: the client has ended it already */
    entry->address->open--;
    table->open--;
    return true;
}

/* True where a connection in that state waits for its client. */
static bool state_waits(uint64_t state)
{
    return state_phase(state) != CLEAT_HTTP_BUSY && state_phase(state) != CLEAT_HTTP_CUT;
}

static bool state_idle(uint64_t state)
{
    return state_phase(state) == CLEAT_HTTP_IDLE || state_phase(state) == CLEAT_HTTP_OPENING;
}

static bool fd_readable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 0) > 0;
}

/* True where @entry is rather to go than @other: its address holds more, or it has waited longer.
 */
static bool entry_before(const struct cleat_http_entry *entry, uint64_t state,
                         const struct cleat_http_entry *other, uint64_t other_state)
{
    if (!other || entry->address->open != other->address->open)
        return !other || entry->address->open > other->address->open;
    return state_since_ms(state) < state_since_ms(other_state);
}

/*
 * Cuts the connection that has waited longest: of @address, or, where that is NULL, of the address
 * with most connections. One that has just been written to isn't idle, and one that came just now
 * gives way only where its address would still hold more than the newcomer's, which holds
 * @newcomer. False where there is none. Entries stand in the order of their coming, so that few are
 * better than all before them.
 */
static bool table_evict_once(struct cleat_http_table *table,
                             const struct cleat_http_address *address, unsigned newcomer,
                             bool *ret_moved)
{
    int64_t before_ms = cleat_clock_mono_ms(table->options.clock) - table->options.patience_ms;
    struct cleat_http_entry *victim = NULL;
    uint64_t victim_state = 0;
    for (struct cleat_http_entry *entry = table->first; entry; entry = entry->next) {
        uint64_t state = atomic_load(&entry->state);
        if (!state_waits(state) || (address && entry->address != address) ||
            (state_since_ms(state) > before_ms && entry->address->open <= newcomer + 1) ||
            !entry_before(entry, state, victim, victim_state) ||
            (state_idle(state) && fd_readable(entry->fd)))
            continue;
        victim = entry;
        victim_state = state;
    }
    bool done = victim && entry_cut(table, victim, victim_state, false);
    *ret_moved = victim && !done;
    return done;
}

/* One that is found may begin to move: then another one is looked for. */
static bool table_evict(struct cleat_http_table *table, const struct cleat_http_address *address,
                        unsigned newcomer)
{
    bool moved = true, done = false;
    for (int i = 0; i < TABLE_EVICT_TRIES && moved && !done; i++)
        done = table_evict_once(table, address, newcomer, &moved);
    if (!done)
        return false;
    table->evicted++;
    cleat_series_add(table->options.stats->evicted, 1);
    return true;
}

bool cleat_http_table_admit(struct cleat_http_table *table,
                            const uint8_t address[CLEAT_HTTP_ADDRESS_BYTES])
{
    const struct cleat_http_stats *stats = table->options.stats;
    struct cleat_series *reason = NULL;
    bool admitted = true;
    cleat_lock_take(&table->lock);
    struct cleat_http_address *known = cleat_map_get(&table->addresses, address_key(address));
    table->admitted++;
    if (known && known->open >= table->options.connections_per_address_max) {
        admitted = table_evict(table, known, known->open);
        reason = stats->refused_address;
    } else if (table->open >= table->options.connections_max) {
        admitted = table_evict(table, NULL, known ? known->open : 0);
        reason = stats->refused_full;
    }
    table->refused += !admitted;
    cleat_lock_release(&table->lock);
    if (!admitted)
        cleat_series_add(reason, 1);
    return admitted;
}

int cleat_http_table_enter(struct cleat_http_table *table, struct cleat_http_entry *entry, int fd,
                           const uint8_t address[CLEAT_HTTP_ADDRESS_BYTES])
{
    int64_t now_ms = cleat_clock_mono_ms(table->options.clock);
    cleat_lock_take(&table->lock);
    entry->address = address_take(table, address);
    bool taken = entry->address != NULL;
    if (taken) {
        entry->fd = fd;
        atomic_store(&entry->state, state_of(CLEAT_HTTP_OPENING, now_ms));
        entry->next = NULL;
        entry->previous = table->last;
        if (table->last)
            table->last->next = entry;
        else
            table->first = entry;
        table->last = entry;
        table->count++;
        table->open++;
    } else {
        table->refused++;
        cleat_series_add(table->options.stats->refused_memory, 1);
    }
    int only = table->count == 1;
    cleat_lock_release(&table->lock);
    if (taken)
        cleat_series_add(table->options.stats->connections, 1);
    return taken ? only : -ENOMEM;
}

void cleat_http_table_leave(struct cleat_http_table *table, struct cleat_http_entry *entry)
{
    if (!entry->address)
        return;
    cleat_lock_take(&table->lock);
    if (cleat_http_entry_phase(entry) != CLEAT_HTTP_CUT) {
        entry->address->open--;
        table->open--;
    }
    address_give(table, entry->address);
    entry->address = NULL;
    if (entry->next)
        entry->next->previous = entry->previous;
    else
        table->last = entry->previous;
    if (entry->previous)
        entry->previous->next = entry->next;
    else
        table->first = entry->next;
    if (--table->count == 0)
        cleat_cond_broadcast(&table->emptied);
    cleat_lock_release(&table->lock);
    cleat_series_add(table->options.stats->connections, -1);
}

bool cleat_http_table_move(struct cleat_http_table *table, struct cleat_http_entry *entry,
                           enum cleat_http_phase phase)
{
    uint64_t seen = atomic_load(&entry->state);
    uint64_t state = state_of(phase, cleat_clock_mono_ms(table->options.clock));
    do {
        if (state_phase(seen) == CLEAT_HTTP_CUT)
            return false;
    } while (!atomic_compare_exchange_weak(&entry->state, &seen, state));
    return true;
}

bool cleat_http_table_move_body(struct cleat_http_table *table, struct cleat_http_entry *entry,
                                int64_t limit_ms)
{
    atomic_store_explicit(&entry->body_ms, limit_ms, memory_order_relaxed);
    return cleat_http_table_move(table, entry, CLEAT_HTTP_BODY);
}

enum cleat_http_phase cleat_http_entry_phase(const struct cleat_http_entry *entry)
{
    return state_phase(atomic_load(&entry->state));
}

/* When the phase must be over, TABLE_NEVER: it needn't. */
static int64_t entry_deadline_ms(const struct cleat_http_table *table,
                                 const struct cleat_http_entry *entry, uint64_t state)
{
    const struct cleat_http_table_options *options = &table->options;
    int64_t limit_ms = TABLE_NEVER;
    switch (state_phase(state)) {
    case CLEAT_HTTP_OPENING:
    case CLEAT_HTTP_HEAD: limit_ms = options->head_ms; break;
    case CLEAT_HTTP_IDLE: limit_ms = options->idle_ms; break;
    case CLEAT_HTTP_BODY:
        limit_ms = atomic_load_explicit(&entry->body_ms, memory_order_relaxed);
        break;
    case CLEAT_HTTP_WRITE: limit_ms = options->write_ms; break;
    case CLEAT_HTTP_BUSY:
    case CLEAT_HTTP_CUT:
    case CLEAT_HTTP_PHASE_COUNT: break;
    }
    return limit_ms == TABLE_NEVER ? TABLE_NEVER : state_since_ms(state) + limit_ms;
}

/* At the end: nothing was asked for the time of grace, and nothing is on its way as far as we see.
 */
static bool entry_done(const struct cleat_http_table *table, const struct cleat_http_entry *entry,
                       uint64_t state, int64_t now_ms)
{
    int64_t before_ms = now_ms - table->options.grace_ms;
    bool idle = state_phase(state) == CLEAT_HTTP_IDLE || state_phase(state) == CLEAT_HTTP_OPENING;
    return table->closing && idle && table->draining_since_ms <= before_ms &&
           state_since_ms(state) <= before_ms && !fd_readable(entry->fd);
}

static void count_deadline(const struct cleat_http_stats *stats, enum cleat_http_phase phase)
{
    struct cleat_series *const series[CLEAT_HTTP_PHASE_COUNT] = {
        [CLEAT_HTTP_OPENING] = stats->deadline_head, [CLEAT_HTTP_HEAD] = stats->deadline_head,
        [CLEAT_HTTP_IDLE] = stats->deadline_idle,    [CLEAT_HTTP_BODY] = stats->deadline_body,
        [CLEAT_HTTP_WRITE] = stats->deadline_write,
    };
    cleat_series_add(series[phase], 1);
}

/* Looks at one; returns its deadline where it lives on. */
static int64_t entry_sweep(struct cleat_http_table *table, struct cleat_http_entry *entry,
                           int64_t now_ms)
{
    uint64_t state = atomic_load(&entry->state);
    int64_t deadline_ms = entry_deadline_ms(table, entry, state);
    if (deadline_ms <= now_ms) {
        if (entry_cut(table, entry, state, true))
            count_deadline(table->options.stats, state_phase(state));
        return TABLE_NEVER;
    }
    if (entry_done(table, entry, state, now_ms))
        (void)entry_cut(table, entry, state, false); /* or it has come to life */
    return deadline_ms;
}

/*
 * Somebody waits to be accepted, as at the last sweep, and nobody was accepted since: descriptors
 * have run out. Each connection that ends gives one back.
 */
static void table_unstick(struct cleat_http_table *table)
{
    bool waiting = table->listen_fd >= 0 && table->count > 0 && fd_readable(table->listen_fd);
    bool stuck = waiting && table->stuck_at == table->admitted;
    for (int i = 0; stuck && i < TABLE_UNSTICK_MOST; i++)
        stuck = table_evict(table, NULL, UINT_MAX - 1); /* none waits: all are being answered */
    table->stuck_at = waiting ? table->admitted : UINT64_MAX;
}

int64_t cleat_http_table_sweep(struct cleat_http_table *table)
{
    int64_t now_ms = cleat_clock_mono_ms(table->options.clock), nearest_ms = TABLE_NEVER;
    cleat_lock_take(&table->lock);
    for (struct cleat_http_entry *entry = table->first; entry; entry = entry->next) {
        int64_t deadline_ms = entry_sweep(table, entry, now_ms);
        if (deadline_ms < nearest_ms)
            nearest_ms = deadline_ms;
    }
    table_unstick(table);
    bool empty = table->count == 0;
    cleat_lock_release(&table->lock);
    if (empty)
        return TABLE_SWEEP_MS_EMPTY;
    if (nearest_ms - now_ms < TABLE_SWEEP_MS_LEAST)
        return TABLE_SWEEP_MS_LEAST;
    return nearest_ms - now_ms < TABLE_SWEEP_MS_MOST ? nearest_ms - now_ms : TABLE_SWEEP_MS_MOST;
}

void cleat_http_table_listen(struct cleat_http_table *table, int fd)
{
    cleat_lock_take(&table->lock);
    table->listen_fd = fd;
    cleat_lock_release(&table->lock);
}

bool cleat_http_table_awaited(struct cleat_http_table *table)
{
    cleat_lock_take(&table->lock);
    bool awaited = table->listen_fd >= 0 && fd_readable(table->listen_fd);
    cleat_lock_release(&table->lock);
    return awaited;
}

void cleat_http_table_drain(struct cleat_http_table *table)
{
    int64_t now_ms = cleat_clock_mono_ms(table->options.clock);
    cleat_lock_take(&table->lock);
    if (table->draining_since_ms == TABLE_NEVER)
        table->draining_since_ms = now_ms;
    cleat_lock_release(&table->lock);
}

void cleat_http_table_close(struct cleat_http_table *table)
{
    cleat_lock_take(&table->lock);
    table->closing = true;
    cleat_lock_release(&table->lock);
}

bool cleat_http_table_wait(struct cleat_http_table *table, int64_t timeout_ms)
{
    const struct cleat_clock *clock = cleat_clock_system(); /* that of the condition */
    int64_t until_ms = cleat_clock_mono_ms(clock) + timeout_ms;
    cleat_lock_take(&table->lock);
    while (table->count > 0) {
        int64_t left_ms = timeout_ms < 0 ? -1 : until_ms - cleat_clock_mono_ms(clock);
        if ((timeout_ms >= 0 && left_ms <= 0) ||
            cleat_cond_wait_ms(&table->emptied, &table->lock, left_ms) == ETIMEDOUT)
            break;
    }
    bool empty = table->count == 0;
    cleat_lock_release(&table->lock);
    return empty;
}

unsigned cleat_http_table_cut_all(struct cleat_http_table *table)
{
    unsigned busy = 0;
    cleat_lock_take(&table->lock);
    for (struct cleat_http_entry *entry = table->first; entry; entry = entry->next) {
        uint64_t state = atomic_load(&entry->state);
        /* One that moves meanwhile is looked at again. */
        while (state_waits(state) && !entry_cut(table, entry, state, true))
            state = atomic_load(&entry->state);
        busy += state_phase(state) == CLEAT_HTTP_BUSY;
    }
    cleat_lock_release(&table->lock);
    return busy;
}
