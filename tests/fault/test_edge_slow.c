/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thousand slow connections from five addresses, in each of the ways there are, and they come
 * again whenever they are cut. The table is full all the time; honest callers are answered, each of
 * them.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "fault/edge_world.h"

#define SLOW 1000
#define SLOW_ADDRESSES 5
#define FILES_LEAST 2600
#define DEADLINE_MS 2500
#define ROUNDS_MOST 3000
#define HONEST_LEAST 1000
#define CUT_LEAST 500
#define CROWD_LEAST 700 /* a slow machine has cut some before the last one has come */

/* Answers of these together are more than the kernel keeps. */
#define SCRAPES_2 "GET /metrics HTTP/1.1\r\n" HOST "\r\nGET /metrics HTTP/1.1\r\n" HOST "\r\n"
#define SCRAPES_8 SCRAPES_2 SCRAPES_2 SCRAPES_2 SCRAPES_2

enum slow_way {
    SLOW_HEADERS,
    SLOW_BODY,
    SLOW_LARGE_BODY,
    SLOW_READING,
    SLOW_IDLE,
    SLOW_HANDSHAKE,
    SLOW_WAYS
};

struct slow {
    int fd;
    size_t sent;
};

static struct edge_world world;
static struct slow slow[SLOW];
static unsigned cuts, crowd; /* the most that were open at once */

static const char *const names[SLOW_WAYS] = {"slow headers", "slow body", "slow large body",
                                             "slow reading", "idle",      "slow handshake"};

static void tune(struct cleat_server_options *options)
{
    options->head_ms = options->body_ms = options->idle_ms = options->write_ms = DEADLINE_MS;
}

static void slow_connect(struct slow *one, size_t i)
{
    const int small = 2048;
    struct sockaddr_in own = {.sin_family = AF_INET};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(cleat_server_port(world.server))};
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (unsigned)(i % SLOW_ADDRESSES));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *one = (struct slow){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    ck_assert_int_ge(one->fd, 0);
    ck_assert_int_eq(setsockopt(one->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    ck_assert_int_eq(bind(one->fd, (struct sockaddr *)&own, sizeof(own)), 0);
    ck_assert(connect(one->fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
              errno == EINPROGRESS);
}

/* What is sent at once, and one byte of which follows whenever there is a turn. */
static const char *slow_begin(enum slow_way way)
{
    switch (way) {
    case SLOW_HEADERS: return "POST /allow HTTP/1.1\r\n" HOST "X: ";
    case SLOW_BODY:
        return "POST /allow HTTP/1.1\r\n" HOST JSON "Content-Length: 30000\r\n\r\n{\"a\":\"";
    case SLOW_LARGE_BODY: /* all that may be in flight is claimed, but never sent */
        return "POST /allow HTTP/1.1\r\n" HOST JSON "Content-Length: 200000\r\n\r\n{\"a\":\"";
    case SLOW_READING:
        return SCRAPES_8 SCRAPES_8 SCRAPES_8 SCRAPES_8 SCRAPES_8 SCRAPES_8 SCRAPES_8 SCRAPES_8;
    case SLOW_IDLE: return "GET /metrics HTTP/1.1\r\n" HOST "\r\n";
    case SLOW_HANDSHAKE: return "\x16\x03\x01\x01";
    case SLOW_WAYS: break;
    }
    return "";
}

static bool ended(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

/* A turn of one; false where its connection has ended. */
static bool slow_turn(struct slow *one, enum slow_way way)
{
    const char *begin = slow_begin(way);
    size_t length = strlen(begin);
    bool trickles = way != SLOW_IDLE && way != SLOW_READING;
    char scrap[4096];
    if (one->sent < length) {
        ssize_t got = send(one->fd, begin + one->sent, length - one->sent, MSG_NOSIGNAL);
        one->sent += got > 0 ? (size_t)got : 0;
        return got > 0 || errno == EAGAIN;
    }
    if (trickles && send(one->fd, "a", 1, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
        return false;
    if (way == SLOW_IDLE) /* the answer is read, and then nothing */
        while (recv(one->fd, scrap, sizeof(scrap), MSG_DONTWAIT) > 0)
            continue;
    struct pollfd hup = {.fd = one->fd, .events = POLLRDHUP};
    return way == SLOW_READING ? poll(&hup, 1, 0) == 0 : !ended(one->fd);
}

static void slow_rounds(enum slow_way way)
{
    for (int round = 0; round < ROUNDS_MOST; round++) {
        for (size_t i = 0; i < SLOW; i++) {
            if (slow_turn(&slow[i], way))
                continue;
            cuts++;
            (void)close(slow[i].fd);
            slow_connect(&slow[i], i);
        }
        unsigned all = atomic_load(&world.answered) + atomic_load(&world.lost);
        unsigned open = (unsigned)edge_figure(&world, "cleat_http_connections{");
        crowd = open > crowd ? open : crowd;
        if (all >= HONEST_LEAST && cuts >= CUT_LEAST && crowd >= CROWD_LEAST)
            return;
        for (int i = 0; i < 20; i++)
            cleat_wait_moment();
    }
}

static void run(enum slow_way way)
{
    char note[160];
    struct cleat_tally tally = {.name = "edge-slow", .runs = 1, .least = CUT_LEAST, .note = note};
    files_raise(FILES_LEAST);
    edge_open(&world, way == SLOW_HANDSHAKE, tune);
    cuts = crowd = 0;
    for (size_t i = 0; i < SLOW; i++)
        slow_connect(&slow[i], i);
    honest_start(&world);
    slow_rounds(way);
    honest_join(&world);
    tally.injections = cuts;
    tally.wrong = atomic_load(&world.lost);
    (void)snprintf(note, sizeof(note),
                   "%s: %u open at once; %u honest answered, %u connections, p99 %.1f ms; evicted "
                   "%.0f, too slow %.0f",
                   names[way], crowd, atomic_load(&world.answered), atomic_load(&world.connections),
                   honest_p99_ms(&world),
                   edge_figure(&world, "cleat_http_connections_evicted_total{"),
                   edge_figure(&world, "cleat_http_deadlines_total{"));
    ck_assert_uint_ge(atomic_load(&world.answered), HONEST_LEAST);
    ck_assert_uint_ge(crowd, CROWD_LEAST);
    for (size_t i = 0; i < SLOW; i++)
        (void)close(slow[i].fd);
    CLEAT_WAIT_FOR(edge_figure(&world, "cleat_http_connections{") == 0, 60000);
    edge_close(&world);
    cleat_tally_end(&tally);
}

START_TEST(test_slow_headers)
{
    run(SLOW_HEADERS);
}
END_TEST

START_TEST(test_slow_body)
{
    run(SLOW_BODY);
}
END_TEST

START_TEST(test_slow_large_body)
{
    run(SLOW_LARGE_BODY);
}
END_TEST

START_TEST(test_slow_reading)
{
    run(SLOW_READING);
}
END_TEST

START_TEST(test_idle)
{
    run(SLOW_IDLE);
}
END_TEST

START_TEST(test_slow_handshake)
{
    run(SLOW_HANDSHAKE);
}
END_TEST

CLEAT_SUITE_MAIN("edge_slow", test_slow_headers, test_slow_body, test_slow_large_body,
                 test_slow_reading, test_idle, test_slow_handshake)
