/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection table of one server: how many connections there may be, in all and of one address,
 * and how long each may take for what. libmicrohttpd has one inactivity timer; here every phase has
 * a deadline that no trickle of bytes moves.
 *
 *     accept ─► admit ─► enter ─► move, move, move … ─► leave
 *                          sweep ─► shutdown(2) of what is past its deadline
 *
 * Room is made fairly: where the table is full, the address that holds most connections loses the
 * one that has waited for its client the longest; one whose handler runs is never taken, and one
 * that has come only now isn't for an address that holds as much. So one address can't push out
 * another that holds less, and newcomers don't push out each other. Where nobody can give way, the
 * newcomer is closed.
 *
 * Invariants: an entry's socket is open from enter to leave, for libmicrohttpd closes it after it
 * has told us. So whoever holds the lock and finds an entry may shut its socket down. That, and
 * asking whether there is something to read, are the only system calls under the lock; neither
 * waits.
 */
#ifndef CLEAT_SERVER_HTTP_TABLE_H
#define CLEAT_SERVER_HTTP_TABLE_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cleat/clock.h>

#include "base/lock.h"
#include "base/map.h"
#include "server/http_stats.h"

#define CLEAT_HTTP_ADDRESS_BYTES 16

enum cleat_http_phase {
    CLEAT_HTTP_OPENING, /* accepted: handshake and first head are still to come */
    CLEAT_HTTP_IDLE,    /* answered: the next request may come */
    CLEAT_HTTP_HEAD,    /* the line of a further request is here */
    CLEAT_HTTP_BODY,
    CLEAT_HTTP_BUSY, /* a handler runs: nobody waits for the client */
    CLEAT_HTTP_WRITE,
    CLEAT_HTTP_CUT, /* its end */
    CLEAT_HTTP_PHASE_COUNT
};

/* Who is at the other end; all of its connections share one. Guarded by the table's lock. */
struct cleat_http_address {
    uint8_t bytes[CLEAT_HTTP_ADDRESS_BYTES]; /* IPv6; IPv4 is mapped */
    unsigned entries;
    unsigned open; /* of them, those that aren't cut */
};

/* One connection; a member of what the caller keeps of it. */
struct cleat_http_entry {
    struct cleat_http_entry *previous, *next; /* as fd and address: under the table's lock */
    int fd;
    struct cleat_http_address *address; /* NULL: not in the table */
    /* Phase in the low bits, since when in the others. Written by the connection's thread and, to
     * CUT and never from it, by who holds the lock: each with the other's last word before it. */
    _Atomic(uint64_t) state;
    _Atomic(int64_t) body_ms; /* what this body may take; relaxed, before the state */
};

struct cleat_http_table_options {
    const struct cleat_clock *clock; /* borrowed, as stats is */
    struct cleat_http_stats *stats;
    unsigned connections_max;
    unsigned connections_per_address_max;
    int64_t head_ms; /* from the accept, or the line of a further request, to the head's end */
    int64_t idle_ms;
    int64_t write_ms;
    int64_t
        patience_ms;  /* so long, a wait is nobody's fault: it makes room for lighter ones alone */
    int64_t grace_ms; /* of the end: an idle connection is left alone for so long */
};

struct cleat_http_table {
    struct cleat_http_table_options options;
    struct cleat_lock lock; /* of everything below */
    struct cleat_cond emptied;
    struct cleat_http_entry *first, *last; /* in the order of their coming */
    struct cleat_map addresses;
    unsigned count; /* entries */
    unsigned open;  /* of them, those that aren't cut */
    int listen_fd;  /* -1: nobody listens any more */
    uint64_t admitted;
    uint64_t stuck_at; /* admitted, as it was when somebody waited to be accepted */
    uint64_t evicted, refused;
    int64_t draining_since_ms;
    bool closing;
};

void cleat_http_table_init(struct cleat_http_table *table,
                           const struct cleat_http_table_options *options);
/** Empty again. */
void cleat_http_table_fini(struct cleat_http_table *table);
/** The bytes of an IPv4 or IPv6 address; zeros for others. */
void cleat_http_address_of(const struct sockaddr *address, uint8_t ret[CLEAT_HTTP_ADDRESS_BYTES]);
/**
 * True where a connection of this address may come in; where the table is full, another one was cut
 * for it.
 */
bool cleat_http_table_admit(struct cleat_http_table *table,
                            const uint8_t address[CLEAT_HTTP_ADDRESS_BYTES]);
/** Takes in @entry, OPENING. True where it's the only one now; -ENOMEM. @fd stays open until leave.
 */
int cleat_http_table_enter(struct cleat_http_table *table, struct cleat_http_entry *entry, int fd,
                           const uint8_t address[CLEAT_HTTP_ADDRESS_BYTES]) CLEAT_MUST_CHECK;
/** Before its socket is closed. Nothing happens where it isn't in. */
void cleat_http_table_leave(struct cleat_http_table *table, struct cleat_http_entry *entry);
/** The connection's own thread: what it does from now on. False: it's cut, let it end. */
bool cleat_http_table_move(struct cleat_http_table *table, struct cleat_http_entry *entry,
                           enum cleat_http_phase phase);
/** As move to BODY, which may take @limit_ms. */
bool cleat_http_table_move_body(struct cleat_http_table *table, struct cleat_http_entry *entry,
                                int64_t limit_ms);
/** What @entry does now. */
enum cleat_http_phase cleat_http_entry_phase(const struct cleat_http_entry *entry);
/** Cuts what is past its deadline. Returns the pause until it should be called again. */
int64_t cleat_http_table_sweep(struct cleat_http_table *table);
/** True where a client waits to be accepted. */
bool cleat_http_table_awaited(struct cleat_http_table *table);
/** Where accepting is seen to be stuck, sweep makes room. -1: nobody listens any more. */
void cleat_http_table_listen(struct cleat_http_table *table, int fd);
/** Answers close their connections from now on: the time of grace of idle ones begins. Once. */
void cleat_http_table_drain(struct cleat_http_table *table);
/** Idle connections are cut from now on, as their grace ends and nothing more has come. */
void cleat_http_table_close(struct cleat_http_table *table);
/** Waits until it's empty, < 0: for ever. False after @timeout_ms. */
bool cleat_http_table_wait(struct cleat_http_table *table, int64_t timeout_ms);
/** Cuts everything but BUSY; returns how many of these there are. */
unsigned cleat_http_table_cut_all(struct cleat_http_table *table);

#endif
