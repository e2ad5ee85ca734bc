/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How one feed is kept true: list, then watch, and what to do when either fails. A state machine
 * without sockets, clocks or threads of its own: heads, bytes and ends of streams go in, requests
 * to start and moments to wait for come out, objects go to the owner's functions.
 *
 *   next ─► REQUEST ─► (owner: stream) ─► on_head, on_bytes …, on_end ─► next ─► …
 *
 *   loading by stream (sendInitialEvents) ─► end mark ─► the same stream goes on as the watch
 *   loading by list (pages)               ─► last page ─► watch from the list's version
 *   watch ended: again from the last version; 410: load again, first at least at the last version,
 *   then the newest; 429 and refused connections: wait, and go on as before
 *
 * Source: API Concepts, "efficient detection of changes", "streaming lists", "410 Gone"; the rules
 * of client-go's reflector.
 */
#ifndef CLEAT_CONTROLLER_REFLECTOR_H
#define CLEAT_CONTROLLER_REFLECTOR_H

#include <cleat/cache.h>
#include <cleat/status.h>
#include "value/parser.h"

#define CLEAT__REFLECTOR_BACKOFF_MIN_MS 800
#define CLEAT__REFLECTOR_BACKOFF_MAX_MS 30000
#define CLEAT__REFLECTOR_BACKOFF_RESET_MS 120000
/* Until the first load is complete others wait for it: sooner, and never long. */
#define CLEAT__REFLECTOR_FIRST_MIN_MS 200
#define CLEAT__REFLECTOR_FIRST_MAX_MS 2500
#define CLEAT__REFLECTOR_WATCH_MIN_S 300
#define CLEAT__REFLECTOR_WATCH_MARGIN_MS 30000
#define CLEAT__REFLECTOR_LIST_STALL_MS 60000
/* A server that takes the request of a watch and doesn't answer. */
#define CLEAT__REFLECTOR_WATCH_HEAD_MS 30000
/* A watch that is silent for so long, where bookmarks come every minute. */
#define CLEAT__REFLECTOR_WATCH_STALL_MS 180000
/* A streaming list that says nothing for so long never ends: list instead. */
#define CLEAT__REFLECTOR_MARK_MS 15000
#define CLEAT__REFLECTOR_SHORT_MS 1000

enum reflector_what {
    REFLECTOR_PUT,
    REFLECTOR_DELETE,
    REFLECTOR_BROKEN, /* can't be read; the name may be empty */
};

struct reflector_ops {
    /* Negative: the stream is given up with that. */
    int (*on_item)(void *arg, enum reflector_what what, const struct cleat_parser_item *item);
    /* A load begins: nothing was shown yet. */
    void (*on_begin)(void *arg);
    /* Everything was shown that there was at @version. Negative: the load has failed. */
    int (*on_loaded)(void *arg, struct cleat_str version);
    /* A load that had begun is given up; what was shown stays true. */
    void (*on_broken_off)(void *arg);
    /* The stream has passed @version. */
    void (*on_seen)(void *arg, struct cleat_str version);
    /* NULL: all is well again; else what went wrong, once per failure. */
    void (*on_state)(void *arg, const struct cleat_err *err);
    void *arg;
    /* A consistent load was of a lower version than one before: the server isn't what it was (put
     * back from a backup, made anew). Versions of what was shown mean nothing any more; everything
     * is shown again. May be NULL. */
    void (*on_history_lost)(void *arg);
};

struct reflector_options {
    const struct cleat_clock *clock;
    const struct cleat_resource *resource; /* borrowed */
    const char *namespace_;                /* NULL: all. These three are copied */
    const char *label_selector;
    const char *field_selector;
    bool metadata_only;
    bool no_watch_list;
    struct cleat_heap *heap;                   /* borrowed: the pool */
    const struct cleat_projection *projection; /* borrowed */
    struct reflector_ops ops;
};

/* A stream to start; borrowed until the next call. */
struct reflector_request {
    const char *path_and_query;
    const char *accept;
    bool gzip;
    int64_t stall_ms;
    int64_t head_ms;
    int64_t timeout_ms;
};

enum reflector_step {
    REFLECTOR_WAIT = 1, /* until *@ret_due_mono_ms (INT64_MAX: for what the stream brings) */
    REFLECTOR_REQUEST,  /* start that stream */
    REFLECTOR_CUT,      /* end the stream, without on_end, and ask again */
};

struct cleat__reflector;

int cleat__reflector_new(const struct reflector_options *options, struct cleat__reflector **ret,
                         struct cleat_err *err) CLEAT_MUST_CHECK;
/** NULL is fine; returns NULL. Not from its own functions. */
struct cleat__reflector *cleat__reflector_free(struct cleat__reflector *reflector);
/** What to do now. An enum reflector_step, or -ENOMEM: ask again later. */
int cleat__reflector_next(struct cleat__reflector *reflector, struct reflector_request *ret,
                          int64_t *ret_due_mono_ms) CLEAT_MUST_CHECK;
/** The stream couldn't even be started. */
void cleat__reflector_refused(struct cleat__reflector *reflector, int result,
                              const struct cleat_err *err);
void cleat__reflector_head(struct cleat__reflector *reflector, int code);
/** 0, or negative: cut the stream, and tell on_end that result. */
int cleat__reflector_bytes(struct cleat__reflector *reflector, const char *bytes,
                           size_t length) CLEAT_MUST_CHECK;
void cleat__reflector_end(struct cleat__reflector *reflector, int result,
                          const struct cleat_err *err);
/** Load again, as after 410; a running stream is to be cut (next says so). */
void cleat__reflector_reload(struct cleat__reflector *reflector);
/** The last version that the stream has passed; "" before the first load. Borrowed. */
struct cleat_str cleat__reflector_version(const struct cleat__reflector *reflector);

#endif
