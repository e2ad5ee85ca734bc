/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to and from the API server. Two users: unary requests on the caller's own thread, and
 * streams (lists and watches) driven by one loop per cluster on the `ingest` thread. Only
 * transport_*.c knows libcurl.
 *
 * A transport is what clients of one server share: credentials, pooled connections, rate limit. A
 * connection never outlives the set of credentials that it was made with.
 */
#ifndef CLEAT_CLIENT_TRANSPORT_H
#define CLEAT_CLIENT_TRANSPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <cleat/buffer.h>
#include <cleat/client.h>
#include <cleat/err.h>

struct cleat_transport;

/** A transport from a client's options (copied). @ret is new. -EINVAL names what is wrong with the
 * config, -EACCES where it asks for something that isn't allowed. Any thread. */
int cleat_transport_new(const struct cleat_client_options *options, struct cleat_transport **ret,
                        struct cleat_err *err) CLEAT_MUST_CHECK;
struct cleat_transport *cleat_transport_ref(struct cleat_transport *transport);
/** Drops a reference; NULL is fine; returns NULL. */
struct cleat_transport *cleat_transport_unref(struct cleat_transport *transport);
/** The server's URL as configured; borrowed. */
const char *cleat_transport_server(const struct cleat_transport *transport);
/** For tests: waits between tries go to @wait instead of passing. Before the first call. */
void cleat_transport_set_wait(struct cleat_transport *transport,
                              void (*wait)(void *arg, int64_t wait_ms), void *arg);

/* One unary request. Everything is borrowed for the call. */
struct cleat_transport_request {
    const char *method;
    const char *path;         /* path and query, percent-encoded, begins with a slash */
    struct cleat_str body;    /* empty: none */
    const char *content_type; /* of the body; NULL: application/json */
    const char *accept;       /* NULL: application/json */
    bool gzip;                /* ask for a compressed answer: lists */
    bool write;               /* what the fence is told */
    bool watch;               /* neither throttled nor limited in size; no deadline unless given */
    int64_t deadline_mono_ms; /* 0: the transport's timeout from now */
    int (*fence)(void *arg, bool write, struct cleat_err *err); /* NULL: none */
    void *fence_arg;
    const _Atomic(bool) *aborted; /* true: the call ends with -ECANCELED; NULL: never */
    /* Body bytes of a good answer as they come, instead of collecting them. Negative: stop, the
     * call returns that. */
    int (*on_bytes)(void *arg, const char *bytes, size_t length);
    /* Told before the first byte of each answer that on_bytes will get. May be NULL. */
    void (*on_begin)(void *arg);
    void *arg;
};

struct cleat_transport_answer {
    int code; /* HTTP status */
    struct cleat_buffer
        body; /* owned; of a good answer, or of an error for who wants its details */
};

/** Makes @answer empty; fini releases. */
void cleat_transport_answer_init(struct cleat_transport_answer *answer);
void cleat_transport_answer_fini(struct cleat_transport_answer *answer);

/**
 * Sends @request and waits for the answer, with retries where that is safe: any verb on 429 and 5xx
 * that carry Retry-After; GET, and a request whose body wasn't begun, on a refused or broken
 * connection; GET once after 401. 0 for 2xx; else negative with the decoded Status in @err.
 * -EDEADLK on threads that called cleat_transport_forbid_blocking; -ETIMEDOUT; -EMSGSIZE for an
 * answer above 64 MiB; -ECONNREFUSED, -ECONNRESET, -EHOSTUNREACH, -EKEYREJECTED (TLS verification),
 * -EPROTO. @answer must be initialised and empty. Any other thread; blocks.
 */
int cleat_transport_call(struct cleat_transport *transport,
                         const struct cleat_transport_request *request,
                         struct cleat_transport_answer *answer,
                         struct cleat_err *err) CLEAT_MUST_CHECK;

/* A loop: a curl multi handle with a thread of its own that the owner provides by calling run. */
struct cleat_transport_loop;

struct cleat_transport_stream;

/* What a stream tells; all called on the loop's thread, where streams may be started and cut. */
struct cleat_transport_stream_ops {
    /* The status line and headers are there. @err has reason and Retry-After where @code >= 300,
     * else it's NULL. May be NULL. */
    void (*on_head)(void *arg, int code, const struct cleat_err *err);
    /* Body bytes of a good answer as they come. Negative: cut the stream, which then ends with
     * that. */
    int (*on_bytes)(void *arg, const char *bytes, size_t length);
    /* The stream ended: 0 cleanly, else @err says why; for an answer >= 300 it holds the decoded
     * Status. The stream is gone afterwards. */
    void (*on_end)(void *arg, int result, const struct cleat_err *err);
    void *arg;
};

struct cleat_transport_stream_options {
    const char *path_and_query; /* copied */
    const char *accept;         /* NULL: application/json; copied */
    bool gzip;                  /* ask for a compressed answer: lists, not watches */
    int64_t stall_ms;           /* no byte for so long: cut with -ETIMEDOUT; 0: never */
    int64_t head_ms;            /* no head for so long: the same; 0: as stall_ms */
    int64_t timeout_ms;         /* in all; 0: never */
};

/** A loop on @client's server and credentials; keeps a reference to @client. @ret is new. */
int cleat_transport_loop_new(struct cleat_client *client, struct cleat_transport_loop **ret,
                             struct cleat_err *err) CLEAT_MUST_CHECK;
/** Cuts what is left without on_end and frees; not from a callback. NULL is fine; returns NULL. */
struct cleat_transport_loop *cleat_transport_loop_free(struct cleat_transport_loop *loop);
/** Drives all streams and timers until @timeout_ms passed (< 0: for ever) or something happened;
 * the loop's thread only. 0, or negative where the loop itself is broken. */
int cleat_transport_loop_run(struct cleat_transport_loop *loop, int64_t timeout_ms,
                             struct cleat_err *err) CLEAT_MUST_CHECK;
/** Wakes cleat_transport_loop_run; any thread. */
void cleat_transport_loop_wake(struct cleat_transport_loop *loop);
/** Streams that haven't ended; the loop's thread only. */
size_t cleat_transport_loop_streams(const struct cleat_transport_loop *loop);
/** Starts a stream, at the next run; the loop's thread only. @ret (may be NULL) is borrowed until
 * on_end. */
int cleat_transport_stream_start(struct cleat_transport_loop *loop,
                                 const struct cleat_transport_stream_options *options,
                                 const struct cleat_transport_stream_ops *ops,
                                 struct cleat_transport_stream **ret,
                                 struct cleat_err *err) CLEAT_MUST_CHECK;
/** Ends a stream without calling on_end; the loop's thread only; fine in the stream's own
 * callbacks. */
void cleat_transport_stream_cut(struct cleat_transport_stream *stream);

/** Marks the calling thread as one on which unary calls are refused with -EDEADLK. */
void cleat_transport_forbid_blocking(void);
/** 0, or -EDEADLK on a marked thread. */
int cleat_transport_may_block(const char *what, struct cleat_err *err) CLEAT_MUST_CHECK;

/* What the loop needs of a client; defined in client.c. */
struct cleat_transport *cleat__client_transport(const struct cleat_client *client);
int cleat__client_fence(const struct cleat_client *client, bool write, struct cleat_err *err);

#endif
