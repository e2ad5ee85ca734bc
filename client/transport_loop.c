/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All lists and watches of a cluster on one thread: epoll around curl's multi handles.
 *
 * curl's own timers run on the system's clock, stall limits and deadlines on the client's. A stream
 * that has to wait (for the credentials' plugin) is tried again at short intervals.
 */
#include "client/transport_loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

#define LOOP_MAGIC 0x100bca11u
#define LOOP_EVENTS_MAX 64
#define LOOP_PENDING_MS 20
#define LOOP_CREDENTIALS_MS 10000
#define LOOP_WAKE_ID UINT32_MAX
#define LOOP_NAP_MS 5
#define LOOP_NAP_NS (LOOP_NAP_MS * INT64_C(1000000))
/* Turns with more than this aren't followed by a nap. */
#define LOOP_NAP_BYTES_MAX ((size_t)128 << 10)
#define LOOP_GAP_WEIGHT 8
#define LOOP_GAP_NS_MAX (4 * LOOP_NAP_NS)

static uint64_t loop_key(uint32_t lane, int fd)
{
    return ((uint64_t)lane << 32) | (uint32_t)fd;
}

static int64_t loop_real_ms(void)
{
    return cleat_clock_mono_ms(cleat_clock_system());
}

/* curl may close a descriptor and get the same number again before it tells: both ways are tried.
 */
static int lane_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    (void)easy;
    (void)unused;
    const struct transport_lane *lane = arg;
    int epoll = lane->loop->epoll;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    struct epoll_event event = {.events = 0, .data.u64 = loop_key(lane->id, fd)};
    event.events |= what & CURL_POLL_IN ? EPOLLIN : 0u;
    event.events |= what & CURL_POLL_OUT ? EPOLLOUT : 0u;
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT)
        return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -1 : 0;
    return 0;
}

static int lane_on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    struct transport_lane *lane = arg;
    lane->timer_mono_ms = timeout_ms < 0 ? -1 : loop_real_ms() + timeout_ms;
    return 0;
}

static CURLMcode lane_set(struct transport_lane *lane)
{
    CURLM *multi = lane->multi;
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, lane_on_socket);
    if (code == CURLM_OK)
        code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, lane);
    if (code == CURLM_OK)
        code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, lane_on_timer);
    if (code == CURLM_OK)
        code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, lane);
    if (code == CURLM_OK) {
        code = curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS,
                                 (long)CLEAT_WATCHES_PER_CONNECTION_MAX);
    }
    return code;
}

static struct transport_lane *lane_free(struct transport_lane *lane)
{
    if (lane->multi)
        (void)curl_multi_cleanup(lane->multi);
    cleat_mem_free(lane);
    return NULL;
}

static int lane_new(struct cleat_transport_loop *loop, const struct cleat_credentials_set *set,
                    struct transport_lane **ret)
{
    struct transport_lane *lane = cleat_mem_zalloc(1, sizeof(*lane));
    if (!lane)
        return -ENOMEM;
    lane->loop = loop;
    lane->id = loop->lane_next_id++;
    lane->generation = set->generation;
    lane->tls_generation = set->tls_generation;
    lane->timer_mono_ms = -1;
    lane->multi = curl_multi_init();
    if (!lane->multi || lane_set(lane) != CURLM_OK) {
        lane_free(lane);
        return -ENOMEM;
    }
    lane->next = loop->lanes;
    loop->lanes = lane;
    *ret = lane;
    return 0;
}

/* Connections made with another certificate or CA mustn't go on. */
static void loop_close_others(struct cleat_transport_loop *loop, uint64_t tls_generation)
{
    for (struct cleat_transport_stream *stream = loop->streams; stream; stream = stream->next) {
        if (stream->lane && !stream->dead && stream->lane->tls_generation != tls_generation) {
            struct cleat_err err = CLEAT_ERR_INIT;
            int result = cleat_err_set(
                &err, -ECONNRESET, "GET %s%.*s: closed because certificate or CA have changed",
                loop->transport->endpoint.display, (int)strcspn(stream->path, "?"), stream->path);
            cleat__transport_stream_end(stream, result, &err);
        }
    }
}

int cleat__transport_lane(struct cleat_transport_loop *loop,
                          const struct cleat_credentials_set *set, struct transport_lane **ret,
                          struct cleat_err *err)
{
    for (struct transport_lane *lane = loop->lanes; lane; lane = lane->next) {
        if (lane->generation != set->generation) {
            lane->retired = true;
        } else if (!lane->retired && lane->streams < CLEAT_WATCHES_PER_CONNECTION_MAX) {
            *ret = lane;
            return 0;
        }
    }
    loop_close_others(loop, set->tls_generation);
    return lane_new(loop, set, ret);
}

/* One empty lane may stay, for its connection; before it there is none with room. */
static void loop_drop_lanes(struct cleat_transport_loop *loop)
{
    struct transport_lane **at = &loop->lanes;
    bool room = false;
    while (*at) {
        struct transport_lane *lane = *at;
        if (lane->streams == 0 && (lane->retired || room)) {
            *at = lane->next;
            lane_free(lane);
        } else {
            room = room || (!lane->retired && lane->streams < CLEAT_WATCHES_PER_CONNECTION_MAX);
            at = &lane->next;
        }
    }
}

void cleat__transport_loop_sweep(struct cleat_transport_loop *loop)
{
    struct cleat_transport_stream **at = &loop->streams;
    while (*at) {
        struct cleat_transport_stream *stream = *at;
        if (stream->dead) {
            *at = stream->next;
            loop->stream_count--;
            cleat__transport_stream_free(stream);
        } else {
            at = &stream->next;
        }
    }
    loop->sweep = false;
    loop_drop_lanes(loop);
}

int cleat_transport_loop_new(struct cleat_client *client, struct cleat_transport_loop **ret,
                             struct cleat_err *err)
{
    struct cleat_transport_loop *loop = cleat_mem_zalloc(1, sizeof(*loop));
    if (!loop)
        return -ENOMEM;
    loop->magic = LOOP_MAGIC;
    loop->client = cleat_client_ref(client);
    loop->transport = cleat__client_transport(client);
    loop->check_mono_ms = INT64_MAX;
    loop->pace.gap_ns = LOOP_GAP_NS_MAX;
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = loop_key(LOOP_WAKE_ID, loop->wake)};
    if (loop->wake < 0 || loop->epoll < 0 ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) < 0) {
        int result = cleat_err_set(err, -errno, "watch loop: no descriptors: %s", strerror(errno));
        cleat_transport_loop_free(loop);
        return result;
    }
    *ret = loop;
    return 0;
}

struct cleat_transport_loop *cleat_transport_loop_free(struct cleat_transport_loop *loop)
{
    if (!loop)
        return NULL;
    cleat_assert(loop->magic == LOOP_MAGIC && !loop->driving);
    for (struct cleat_transport_stream *stream = loop->streams; stream; stream = stream->next)
        stream->dead = true;
    cleat__transport_loop_sweep(loop);
    while (loop->lanes) {
        struct transport_lane *lane = loop->lanes;
        loop->lanes = lane->next;
        lane_free(lane);
    }
    if (loop->epoll >= 0)
        (void)close(loop->epoll);
    if (loop->wake >= 0)
        (void)close(loop->wake);
    cleat_client_unref(loop->client);
    loop->magic = 0;
    cleat_mem_free(loop);
    return NULL;
}

void cleat_transport_loop_wake(struct cleat_transport_loop *loop)
{
    uint64_t one = 1;
    /* Full means that a wake-up is on its way already. */
    ssize_t written = write(loop->wake, &one, sizeof(one));
    (void)written;
}

size_t cleat_transport_loop_streams(const struct cleat_transport_loop *loop)
{
    size_t count = 0;
    for (const struct cleat_transport_stream *at = loop->streams; at; at = at->next)
        count += !at->dead;
    return count;
}

/* A stream that fails here ends like any other. */
static void loop_begin_pending(struct cleat_transport_loop *loop)
{
    for (struct cleat_transport_stream *stream = loop->streams; stream && loop->pending > 0;
         stream = stream->next) {
        if (stream->lane || stream->dead)
            continue;
        struct cleat_err err = CLEAT_ERR_INIT;
        int result = cleat__transport_stream_begin(stream, &err);
        if (stream->lane)
            loop->pending--;
        else if (result != -EAGAIN || stream->set)
            cleat__transport_stream_end(stream, result < 0 ? result : -ECANCELED, &err);
    }
}

static int64_t loop_least(int64_t wait_ms, int64_t other_ms)
{
    other_ms = other_ms < 0 ? 0 : other_ms;
    return wait_ms < 0 || other_ms < wait_ms ? other_ms : wait_ms;
}

static int64_t loop_wait_ms(const struct cleat_transport_loop *loop, int64_t timeout_ms)
{
    int64_t wait_ms = loop->pending > 0 ? loop_least(timeout_ms, LOOP_PENDING_MS) : timeout_ms;
    int64_t real_ms = loop_real_ms();
    for (const struct transport_lane *lane = loop->lanes; lane; lane = lane->next)
        if (lane->timer_mono_ms >= 0)
            wait_ms = loop_least(wait_ms, lane->timer_mono_ms - real_ms);
    int64_t now_ms = cleat_clock_mono_ms(loop->transport->clock);
    if (loop->check_mono_ms != INT64_MAX)
        wait_ms = loop_least(wait_ms, loop->check_mono_ms - now_ms);
    if (loop->lanes)
        wait_ms = loop_least(wait_ms, loop->credentials_mono_ms - now_ms);
    return wait_ms > 60000 ? 60000 : wait_ms;
}

static struct transport_lane *loop_lane(const struct cleat_transport_loop *loop, uint32_t id)
{
    struct transport_lane *lane = loop->lanes;
    while (lane && lane->id != id)
        lane = lane->next;
    return lane;
}

static void loop_on_event(struct cleat_transport_loop *loop, const struct epoll_event *event)
{
    uint32_t id = (uint32_t)(event->data.u64 >> 32);
    int fd = (int)(uint32_t)event->data.u64;
    if (id == LOOP_WAKE_ID) {
        uint64_t count = 0;
        ssize_t taken = read(loop->wake, &count, sizeof(count));
        (void)taken; /* nothing to read: another wake-up took it */
        return;
    }
    struct transport_lane *lane = loop_lane(loop, id);
    if (!lane)
        return;
    int running = 0;
    int mask = event->events & EPOLLIN ? CURL_CSELECT_IN : 0;
    mask |= event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
    mask |= event->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0;
    (void)curl_multi_socket_action(lane->multi, fd, mask, &running);
}

static void loop_run_timers(struct cleat_transport_loop *loop)
{
    int64_t real_ms = loop_real_ms();
    for (struct transport_lane *lane = loop->lanes; lane; lane = lane->next) {
        if (lane->timer_mono_ms >= 0 && lane->timer_mono_ms <= real_ms) {
            int running = 0;
            lane->timer_mono_ms = -1;
            (void)curl_multi_socket_action(lane->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
    }
}

static void loop_take_messages(struct cleat_transport_loop *loop)
{
    for (struct transport_lane *lane = loop->lanes; lane; lane = lane->next) {
        int left = 0;
        const CURLMsg *message = NULL;
        while ((message = curl_multi_info_read(lane->multi, &left)) != NULL) {
            char *private = NULL;
            if (message->msg == CURLMSG_DONE &&
                curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) == CURLE_OK) {
                cleat__transport_stream_done((struct cleat_transport_stream *)(void *)private,
                                             message->data.result);
            }
        }
    }
}

static void loop_check_streams(struct cleat_transport_loop *loop)
{
    int64_t now_ms = cleat_clock_mono_ms(loop->transport->clock);
    if (now_ms < loop->check_mono_ms)
        return;
    loop->check_mono_ms = INT64_MAX;
    for (struct cleat_transport_stream *stream = loop->streams; stream; stream = stream->next) {
        cleat__transport_stream_check(stream, now_ms);
        int64_t due = cleat__transport_stream_due(stream);
        if (due < loop->check_mono_ms)
            loop->check_mono_ms = due;
    }
}

static void loop_check_credentials(struct cleat_transport_loop *loop)
{
    int64_t now_ms = cleat_clock_mono_ms(loop->transport->clock);
    if (!loop->lanes || now_ms < loop->credentials_mono_ms)
        return;
    loop->credentials_mono_ms = now_ms + LOOP_CREDENTIALS_MS;
    CLEAT_CLEANUP(cleat_credentials_set_unrefp) const struct cleat_credentials_set *set = NULL;
    if (cleat_credentials_lookup(loop->transport->credentials, false, &set, NULL) == 0)
        loop_close_others(loop, set->tls_generation);
}

/* Notes what a turn that began at @now_ns has brought. */
static void loop_note_pace(struct transport_pace *pace, int64_t now_ns)
{
    if (pace->turn_pieces == 0)
        return;
    int64_t gap_ns = (now_ns - pace->heard_ns) / (int64_t)pace->turn_pieces;
    gap_ns = gap_ns < LOOP_GAP_NS_MAX ? gap_ns : LOOP_GAP_NS_MAX;
    pace->gap_ns += (gap_ns - pace->gap_ns) / LOOP_GAP_WEIGHT;
    pace->heard_ns = now_ns;
}

/* Lets more come where that pays; a wake-up ends it. */
static void loop_nap(struct cleat_transport_loop *loop, int64_t timeout_ms)
{
    const struct transport_pace *pace = &loop->pace;
    bool pays = pace->turn_pieces > 0 && pace->turn_bytes <= LOOP_NAP_BYTES_MAX &&
                pace->gap_ns < LOOP_NAP_NS / 2;
    int64_t wait_ms = pays && !loop->sweep ? loop_wait_ms(loop, timeout_ms) : 0;
    if (wait_ms < 0 || wait_ms > LOOP_NAP_MS) {
        struct pollfd wake = {.fd = loop->wake, .events = POLLIN};
        (void)poll(&wake, 1, LOOP_NAP_MS); /* however it ends, the descriptors are looked at next */
    }
}

int cleat_transport_loop_run(struct cleat_transport_loop *loop, int64_t timeout_ms,
                             struct cleat_err *err)
{
    cleat_assert(loop->magic == LOOP_MAGIC && !loop->driving);
    struct epoll_event events[LOOP_EVENTS_MAX];
    loop->driving = true;
    loop_begin_pending(loop);
    loop_nap(loop, timeout_ms);
    loop->pace.turn_bytes = loop->pace.turn_pieces = 0;
    int count = epoll_wait(loop->epoll, events, LOOP_EVENTS_MAX,
                           loop->sweep ? 0 : (int)loop_wait_ms(loop, timeout_ms));
    int result = count < 0 && errno != EINTR
                     ? cleat_err_set(err, -errno, "watch loop: %s", strerror(errno))
                     : 0;
    int64_t begin_ns = cleat_clock_mono_ns(cleat_clock_system());
    for (int i = 0; i < count; i++)
        loop_on_event(loop, &events[i]);
    loop_run_timers(loop);
    loop_note_pace(&loop->pace, begin_ns);
    loop_take_messages(loop);
    loop_check_streams(loop);
    loop_check_credentials(loop);
    loop->driving = false;
    if (loop->sweep)
        cleat__transport_loop_sweep(loop);
    return result;
}
