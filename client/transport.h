/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to and from the API server. Two users: unary requests on the caller's own thread, and streams (lists and
 * watches) driven by one loop per cluster on the `ingest` thread. Only transport_*.c knows libcurl.
 */
#ifndef CLEAT_CLIENT_TRANSPORT_H
#define CLEAT_CLIENT_TRANSPORT_H

#include <cleat/buffer.h>
#include <cleat/client.h>
#include <cleat/err.h>

/* A loop: a curl multi handle with a thread of its own that the owner provides by calling run. */
struct cleat_transport_loop;

struct cleat_transport_stream;

/* What a stream tells; all called on the loop's thread. */
struct cleat_transport_stream_ops {
    /* The status line and headers are there. @err has reason and Retry-After where @code >= 400. */
    void (*on_head)(void *arg, int code, const struct cleat_err *err);
    /* Body bytes as they come. Negative: cut the stream. */
    int (*on_bytes)(void *arg, const char *bytes, size_t length);
    /* The stream ended: 0 cleanly, else @err says why. The stream is gone afterwards. */
    void (*on_end)(void *arg, int result, const struct cleat_err *err);
    void *arg;
};

struct cleat_transport_stream_options {
    const char *path_and_query; /* copied */
    const char *accept;         /* NULL: application/json */
    bool gzip;                  /* ask for a compressed answer: lists, not watches */
    int64_t stall_ms;           /* no byte for so long: cut; 0: never */
    int64_t timeout_ms;         /* in all; 0: never */
};

int cleat_transport_loop_new(struct cleat_client *client, struct cleat_transport_loop **ret,
                             struct cleat_err *err) CLEAT_MUST_CHECK;
struct cleat_transport_loop *cleat_transport_loop_free(struct cleat_transport_loop *loop);
/** Drives all streams and timers until @timeout_ms passed or something happened; the loop's thread only. */
int cleat_transport_loop_run(struct cleat_transport_loop *loop, int64_t timeout_ms, struct cleat_err *err)
    CLEAT_MUST_CHECK;
/** Wakes cleat_transport_loop_run; any thread. */
void cleat_transport_loop_wake(struct cleat_transport_loop *loop);
/** Starts a stream; the loop's thread only. @ret is borrowed until on_end. */
int cleat_transport_stream_start(struct cleat_transport_loop *loop,
                                 const struct cleat_transport_stream_options *options,
                                 const struct cleat_transport_stream_ops *ops,
                                 struct cleat_transport_stream **ret, struct cleat_err *err)
    CLEAT_MUST_CHECK;
/** Ends a stream without calling on_end; the loop's thread only. */
void cleat_transport_stream_cut(struct cleat_transport_stream *stream);

/** Marks the calling thread as one on which unary calls are refused with -EDEADLK. */
void cleat_transport_forbid_blocking(void);

#endif
