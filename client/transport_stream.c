/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One list or watch on the loop. A stream is never paused: what curl gives is handed on at once. It
 * ends exactly once, by on_end or by a cut, and is freed only where curl isn't on the stack.
 */
#include "client/transport_loop.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define STREAM_MAGIC 0x57e4a001u
#define STREAM_BUFFER_BYTES (512L * 1024)
#define STREAM_URL_BYTES_MAX (64 * CLEAT_KIB)

static void stream_observe(struct cleat_transport_stream *stream)
{
    const struct cleat_transport *transport = stream->loop->transport;
    if (stream->observed)
        return;
    stream->observed = true;
    cleat__client_metrics_try(&transport->metrics, "GET", transport->endpoint.host,
                              stream->head.code);
    if (transport->observe) {
        transport->observe(transport->observe_arg, "GET", transport->endpoint.host,
                           stream->head.code,
                           cleat_clock_mono_ns(transport->clock) - stream->began_ns);
    }
}

/* A list has ended; how long a watch lasts says nothing. */
static void stream_observe_end(const struct cleat_transport_stream *stream)
{
    const struct cleat_transport *transport = stream->loop->transport;
    if (!strstr(stream->path, "watch="))
        cleat__client_metrics_done(&transport->metrics, "GET", transport->endpoint.host,
                                   cleat_clock_mono_ns(transport->clock) - stream->began_ns, 0,
                                   stream->bytes);
}

static void stream_tell_head(struct cleat_transport_stream *stream)
{
    stream_observe(stream);
    if (!stream->ops.on_head)
        return;
    if (stream->head.code < 300) {
        stream->ops.on_head(stream->ops.arg, stream->head.code, NULL);
        return;
    }
    struct cleat_err err = CLEAT_ERR_INIT;
    (void)cleat__transport_refuse(stream->loop->transport, "GET", stream->path, &stream->head,
                                  (struct cleat_str){NULL, 0}, &err);
    stream->ops.on_head(stream->ops.arg, stream->head.code, &err);
}

static size_t stream_on_header(char *line, size_t size, size_t count, void *arg)
{
    struct cleat_transport_stream *stream = arg;
    cleat_assert(stream->magic == STREAM_MAGIC);
    if (stream->dead)
        return 0;
    size_t length = size * count;
    bool complete = stream->head.complete;
    stream->sink = cleat__transport_head_line(&stream->head, stream->loop->transport, line, length);
    stream->heard_mono_ms = cleat_clock_mono_ms(stream->loop->transport->clock);
    if (stream->sink == 0 && stream->head.complete && !complete)
        stream_tell_head(stream);
    return stream->sink < 0 || stream->dead ? 0 : length;
}

static size_t stream_on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct cleat_transport_stream *stream = arg;
    cleat_assert(stream->magic == STREAM_MAGIC);
    if (stream->dead)
        return 0;
    size_t length = size * count;
    stream->heard_mono_ms = cleat_clock_mono_ms(stream->loop->transport->clock);
    stream->loop->pace.turn_bytes += length;
    stream->loop->pace.turn_pieces++;
    stream->bytes += length;
    if (stream->head.code >= 300) {
        /* What doesn't fit makes the Status unreadable; the code still says what happened. */
        (void)cleat_buffer_append(&stream->refusal, bytes, length);
        return length;
    }
    stream->sink = stream->ops.on_bytes(stream->ops.arg, bytes, length);
    return stream->sink < 0 || stream->dead ? 0 : length;
}

static CURLcode stream_set_functions(struct cleat_transport_stream *stream)
{
    CURL *easy = stream->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, stream_on_header);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, stream);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, stream_on_body);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, stream);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_PRIVATE, stream);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, stream->message);
    return code;
}

static CURLcode stream_set_wire(struct cleat_transport_stream *stream)
{
    const struct cleat_transport *transport = stream->loop->transport;
    bool http2 = transport->endpoint.tls && !transport->http1_only;
    long version = http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
    CURLcode code = curl_easy_setopt(stream->easy, CURLOPT_HTTP_VERSION, version);
    if (code == CURLE_OK) {
        /* Waits for a connection that is being made: it may take this stream as well. */
        code = curl_easy_setopt(stream->easy, CURLOPT_PIPEWAIT, http2 ? 1L : 0L);
    }
    if (code == CURLE_OK)
        code = curl_easy_setopt(stream->easy, CURLOPT_BUFFERSIZE, STREAM_BUFFER_BYTES);
    if (code == CURLE_OK) {
        code = curl_easy_setopt(stream->easy, CURLOPT_CONNECTTIMEOUT_MS,
                                (long)transport->connect_timeout_ms);
    }
    if (code == CURLE_OK && stream->gzip && transport->gzip)
        code = curl_easy_setopt(stream->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    return code;
}

static CURLcode stream_set_url(struct cleat_transport_stream *stream)
{
    struct cleat_buffer url = CLEAT_BUFFER_INIT(STREAM_URL_BYTES_MAX);
    cleat_buffer_text(&url, stream->loop->transport->endpoint.base);
    cleat_buffer_text(&url, stream->path);
    CURLcode code = url.failed ? cleat__transport_url_code(url.failed)
                               : curl_easy_setopt(stream->easy, CURLOPT_URL, url.data);
    cleat_buffer_fini(&url);
    return code == CURLE_OK ? curl_easy_setopt(stream->easy, CURLOPT_PATH_AS_IS, 1L) : code;
}

static CURLcode stream_set_lists(struct cleat_transport_stream *stream)
{
    const struct cleat_transport *transport = stream->loop->transport;
    if (cleat__transport_headers(transport, stream->set, stream->accept, NULL, &stream->headers))
        return CURLE_OUT_OF_MEMORY;
    CURLcode code = curl_easy_setopt(stream->easy, CURLOPT_HTTPHEADER, stream->headers);
    if (code != CURLE_OK || !transport->endpoint.connect_to)
        return code;
    stream->connect_to = curl_slist_append(NULL, transport->endpoint.connect_to);
    return stream->connect_to
               ? curl_easy_setopt(stream->easy, CURLOPT_CONNECT_TO, stream->connect_to)
               : CURLE_OUT_OF_MEMORY;
}

static int stream_prepare(struct cleat_transport_stream *stream, struct cleat_err *err)
{
    stream->easy = curl_easy_init();
    if (!stream->easy)
        return -ENOMEM;
    int result = cleat__transport_setup(stream->loop->transport, stream->easy, stream->set, err);
    if (result < 0)
        return result;
    CURLcode code = stream_set_functions(stream);
    if (code == CURLE_OK)
        code = stream_set_wire(stream);
    if (code == CURLE_OK)
        code = stream_set_url(stream);
    if (code == CURLE_OK)
        code = stream_set_lists(stream);
    if (code == CURLE_OUT_OF_MEMORY)
        return -ENOMEM;
    return code == CURLE_OK ? 0
                            : cleat_err_set(err, -EINVAL, "GET %.200s: request can't be made: %s",
                                            stream->path, curl_easy_strerror(code));
}

static void stream_set_clocks(struct cleat_transport_stream *stream)
{
    const struct cleat_clock *clock = stream->loop->transport->clock;
    stream->heard_mono_ms = cleat_clock_mono_ms(clock);
    stream->began_ns = cleat_clock_mono_ns(clock);
    if (stream->timeout_ms > 0)
        stream->deadline_mono_ms = stream->heard_mono_ms + stream->timeout_ms;
    int64_t due = cleat__transport_stream_due(stream);
    if (due < stream->loop->check_mono_ms)
        stream->loop->check_mono_ms = due;
}

int cleat__transport_stream_begin(struct cleat_transport_stream *stream, struct cleat_err *err)
{
    struct cleat_transport_loop *loop = stream->loop;
    struct transport_lane *lane = NULL;
    if (!stream->set) {
        int result =
            cleat_credentials_lookup(loop->transport->credentials, false, &stream->set, err);
        if (result < 0)
            return result;
    }
    int result = cleat__transport_lane(loop, stream->set, &lane, err);
    if (result == 0)
        result = stream_prepare(stream, err);
    if (result == 0)
        result = cleat__client_fence(loop->client, false, err);
    if (result == 0 && curl_multi_add_handle(lane->multi, stream->easy) != CURLM_OK)
        result = -ENOMEM;
    if (result == 0) {
        stream->lane = lane;
        lane->streams++;
        stream_set_clocks(stream);
    }
    return result;
}

void cleat__transport_stream_end(struct cleat_transport_stream *stream, int result,
                                 struct cleat_err *err)
{
    if (stream->dead)
        return;
    stream->dead = true;
    stream->loop->sweep = true;
    if (result < 0 && err->code == 0)
        err->code = result;
    stream_observe(stream);
    stream_observe_end(stream);
    stream->ops.on_end(stream->ops.arg, result, result < 0 ? err : NULL);
}

static int stream_result(struct cleat_transport_stream *stream, CURLcode code,
                         struct cleat_err *err)
{
    struct cleat_transport *transport = stream->loop->transport;
    if (code == CURLE_OK && stream->head.code >= 200 && stream->head.code < 300)
        return 0;
    if (code == CURLE_OK && stream->head.code >= 300) {
        if (stream->head.code == 401)
            cleat_credentials_reject(transport->credentials, stream->set->generation);
        return cleat__transport_refuse(transport, "GET", stream->path, &stream->head,
                                       cleat_buffer_view(&stream->refusal), err);
    }
    struct transport_failure failure = {
        .method = "GET",
        .path = stream->path,
        .code = code == CURLE_OK ? CURLE_GOT_NOTHING : code,
        .message = stream->message,
        .timeout_ms = transport->connect_timeout_ms,
        .sink = stream->sink,
    };
    return cleat__transport_fail(transport, stream->easy, &failure, err);
}

void cleat__transport_stream_done(struct cleat_transport_stream *stream, CURLcode code)
{
    cleat_assert(stream->magic == STREAM_MAGIC);
    if (!stream->dead) {
        struct cleat_err err = CLEAT_ERR_INIT;
        int result = stream_result(stream, code, &err);
        cleat__transport_stream_end(stream, result, &err);
    }
}

/* How long it may be silent now; 0: for ever. */
static int64_t stream_patience_ms(const struct cleat_transport_stream *stream)
{
    return stream->head_ms > 0 && !stream->head.complete ? stream->head_ms : stream->stall_ms;
}

int64_t cleat__transport_stream_due(const struct cleat_transport_stream *stream)
{
    int64_t due = INT64_MAX;
    if (stream->lane && !stream->dead) {
        if (stream_patience_ms(stream) > 0)
            due = stream->heard_mono_ms + stream_patience_ms(stream);
        if (stream->deadline_mono_ms > 0 && stream->deadline_mono_ms < due)
            due = stream->deadline_mono_ms;
    }
    return due;
}

void cleat__transport_stream_check(struct cleat_transport_stream *stream, int64_t now_mono_ms)
{
    if (cleat__transport_stream_due(stream) > now_mono_ms)
        return;
    /* Whatever holds this stream up may hold up its connection: no new ones there. */
    stream->lane->retired = true;
    struct cleat_err err = CLEAT_ERR_INIT;
    bool whole = stream->deadline_mono_ms > 0 && stream->deadline_mono_ms <= now_mono_ms;
    int result = cleat_err_set(
        &err, -ETIMEDOUT, "GET %s%.*s: %s %lld ms", stream->loop->transport->endpoint.display,
        (int)strcspn(stream->path, "?"), stream->path, whole ? "not over within" : "no byte for",
        (long long)(whole ? stream->timeout_ms : stream_patience_ms(stream)));
    cleat__transport_stream_end(stream, result, &err);
}

void cleat__transport_stream_free(struct cleat_transport_stream *stream)
{
    if (stream->lane) {
        (void)curl_multi_remove_handle(stream->lane->multi, stream->easy);
        stream->lane->streams--;
    } else {
        stream->loop->pending--;
    }
    if (stream->easy)
        curl_easy_cleanup(stream->easy);
    curl_slist_free_all(stream->headers);
    curl_slist_free_all(stream->connect_to);
    cleat_credentials_set_unref(stream->set);
    cleat_buffer_fini(&stream->refusal);
    cleat_mem_free(stream->path);
    cleat_mem_free(stream->accept);
    stream->magic = 0;
    cleat_mem_free(stream);
}

int cleat_transport_stream_start(struct cleat_transport_loop *loop,
                                 const struct cleat_transport_stream_options *options,
                                 const struct cleat_transport_stream_ops *ops,
                                 struct cleat_transport_stream **ret, struct cleat_err *err)
{
    cleat_assert(options->path_and_query && options->path_and_query[0] == '/');
    cleat_assert(ops->on_bytes && ops->on_end);
    struct cleat_transport_stream *stream = cleat_mem_zalloc(1, sizeof(*stream));
    if (!stream)
        return -ENOMEM;
    stream->path = cleat_mem_strdup(options->path_and_query);
    stream->accept = options->accept ? cleat_mem_strdup(options->accept) : NULL;
    if (!stream->path || (options->accept && !stream->accept)) {
        cleat_mem_free(stream->path);
        cleat_mem_free(stream->accept);
        cleat_mem_free(stream);
        return -ENOMEM;
    }
    stream->magic = STREAM_MAGIC;
    stream->loop = loop;
    stream->ops = *ops;
    stream->gzip = options->gzip;
    stream->stall_ms = options->stall_ms;
    stream->head_ms = options->head_ms;
    stream->timeout_ms = options->timeout_ms;
    stream->began_ns = cleat_clock_mono_ns(loop->transport->clock);
    cleat_buffer_init(&stream->refusal, TRANSPORT_ERROR_BYTES_MAX);
    stream->next = loop->streams;
    loop->streams = stream;
    loop->stream_count++;
    loop->pending++;
    if (ret)
        *ret = stream;
    return 0;
}

void cleat_transport_stream_cut(struct cleat_transport_stream *stream)
{
    cleat_assert(stream->magic == STREAM_MAGIC);
    struct cleat_transport_loop *loop = stream->loop;
    stream->dead = true;
    loop->sweep = true;
    if (!loop->driving)
        cleat__transport_loop_sweep(loop);
}
