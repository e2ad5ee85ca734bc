/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reflector's inside; for reflector*.c alone.
 */
#ifndef CLEAT_CONTROLLER_REFLECTOR_STATE_H
#define CLEAT_CONTROLLER_REFLECTOR_STATE_H

#include <cleat/buffer.h>
#include "controller/reflector.h"

/* What the next load asks for. */
enum reflector_freshness {
    FRESH_ANY,    /* the first: whatever the server has at hand ("0"; streams: the newest) */
    FRESH_LAST,   /* at least what was seen */
    FRESH_NEWEST, /* "" */
};

enum reflector_phase {
    PHASE_LOAD_STREAM, /* a watch that sends what there is first */
    PHASE_LOAD_LIST,
    PHASE_WATCH,
};

enum reflector_failure {
    FAILURE_GONE,
    FAILURE_TOO_LARGE, /* the server is behind the version that was asked for */
    FAILURE_BUSY,      /* 429, or nobody listens */
    FAILURE_REFUSED,   /* 401, 403, 404 */
    FAILURE_INVALID,   /* other 4xx */
    FAILURE_OTHER,
};

struct cleat__reflector {
    struct reflector_options options; /* strings: owned copies */
    enum reflector_phase phase;
    enum reflector_freshness fresh;
    bool running;      /* a stream is under way */
    bool cut;          /* and is to end */
    bool began;        /* a load has begun and neither ended nor was broken off */
    bool by_list;      /* this round is loaded by lists */
    bool first_paged;  /* the very first list came in pages: so do the later ones */
    bool unpaged;      /* the pages expired: all in one */
    bool synced;       /* was loaded at least once */
    bool well;         /* on_state(NULL) was said last */
    bool bookmarked;   /* the server sends bookmarks: silence means something */
    unsigned unmarked; /* streaming lists that ended before their mark, in a row */
    struct cleat_buffer version;
    struct cleat_buffer next_page; /* continue token; "" on the first page */
    struct cleat_buffer path;
    struct cleat_parser *list;
    struct cleat_parser *watch;
    /* Of the running stream. */
    int code;
    int64_t opened_mono_ms;
    int64_t heard_mono_ms;
    uint64_t frames;
    struct cleat_err in_stream; /* an ERROR frame */
    /* Back-off. */
    int64_t retry_mono_ms; /* 0: at once */
    int64_t backoff_ms;
    int64_t failed_mono_ms;
};

/** Writes path and query of what comes next into reflector->path. 0 or negative. */
int cleat__reflector_query(struct cleat__reflector *reflector,
                           struct reflector_request *ret) CLEAT_MUST_CHECK;
enum reflector_failure cleat__reflector_judge(int result, const struct cleat_err *err);

#endif
