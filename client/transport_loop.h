/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a loop and its streams; for transport_loop.c and transport_stream.c alone.
 *
 * A lane is a curl multi handle with the connections made by one set of credentials: with HTTP/2
 * one, which is why a lane takes no more streams than a connection may carry. New streams go to a
 * lane of the set of now; older lanes go when their last stream ends.
 */
#ifndef CLEAT_CLIENT_TRANSPORT_LOOP_H
#define CLEAT_CLIENT_TRANSPORT_LOOP_H

#include "client/transport_curl.h"

struct transport_lane {
    CURLM *multi;
    struct cleat_transport_loop *loop;
    uint32_t id;
    uint64_t generation;
    uint64_t tls_generation;
    int64_t timer_mono_ms; /* of the system's clock; < 0: none */
    size_t streams;
    bool retired; /* takes no new streams */
    struct transport_lane *next;
};

struct cleat_transport_stream {
    unsigned magic;
    struct cleat_transport_loop *loop;
    struct cleat_transport_stream *next;
    struct transport_lane *lane; /* NULL: not begun */
    CURL *easy;
    const struct cleat_credentials_set *set; /* owned; its PEM is borrowed by @easy */
    struct curl_slist *headers;
    struct curl_slist *connect_to;
    struct cleat_transport_stream_ops ops;
    char *path;
    char *accept; /* or NULL */
    bool gzip;
    bool dead;     /* cut or ended: no callbacks any more, freed at the next sweep */
    bool observed; /* its answer was reported */
    int sink;
    size_t bytes; /* of the answer's body so far */
    int64_t stall_ms;
    int64_t head_ms; /* the same until the head is there; 0: stall_ms */
    int64_t timeout_ms;
    int64_t deadline_mono_ms; /* 0: none */
    int64_t heard_mono_ms;    /* of the last byte */
    int64_t began_ns;
    struct transport_head head;
    struct cleat_buffer refusal; /* body of an answer >= 300 */
    char message[CURL_ERROR_SIZE];
};

/*
 * How fast the streams' bytes come. While pieces (frames, mostly) come faster than two a nap, the
 * loop looks again only a nap later: one change of threads and few reads for several of them. Large
 * turns are a load's: nobody naps between those.
 */
struct transport_pace {
    int64_t heard_ns;  /* when the last pieces came */
    int64_t gap_ns;    /* between two, on a moving average */
    size_t turn_bytes; /* of this turn, or the last that brought some */
    size_t turn_pieces;
};

struct cleat_transport_loop {
    unsigned magic;
    struct cleat_client *client;
    struct cleat_transport *transport; /* the client's; borrowed */
    int epoll;
    int wake;
    uint32_t lane_next_id;
    struct transport_lane *lanes;
    struct cleat_transport_stream *streams;
    size_t stream_count;
    size_t pending;              /* streams that aren't begun */
    bool driving;                /* inside run: frees are put off */
    bool sweep;                  /* there are dead streams */
    int64_t check_mono_ms;       /* when the next stream may have run out of time */
    int64_t credentials_mono_ms; /* when to look at the credentials next */
    struct transport_pace pace;
};

/** The lane for new streams with @set, made where there is none. */
int cleat__transport_lane(struct cleat_transport_loop *loop,
                          const struct cleat_credentials_set *set, struct transport_lane **ret,
                          struct cleat_err *err) CLEAT_MUST_CHECK;
/** Hands a stream to curl. -EAGAIN: credentials aren't there yet. */
int cleat__transport_stream_begin(struct cleat_transport_stream *stream,
                                  struct cleat_err *err) CLEAT_MUST_CHECK;
/** curl is done with it. */
void cleat__transport_stream_done(struct cleat_transport_stream *stream, CURLcode code);
/** Ends it with on_end. */
void cleat__transport_stream_end(struct cleat_transport_stream *stream, int result,
                                 struct cleat_err *err);
/** When it runs out of time at the earliest; INT64_MAX: never. */
int64_t cleat__transport_stream_due(const struct cleat_transport_stream *stream);
/** Ends it where its time is over. */
void cleat__transport_stream_check(struct cleat_transport_stream *stream, int64_t now_mono_ms);
/** Takes it from curl and frees it. */
void cleat__transport_stream_free(struct cleat_transport_stream *stream);
/** Frees the dead. */
void cleat__transport_loop_sweep(struct cleat_transport_loop *loop);

#endif
