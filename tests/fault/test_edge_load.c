/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Too much at once: 64 clients, each with a body of 7 MiB that is 77 times as large where it is
 * parsed without care; and more clients than there are descriptors. Memory stays bounded, honest
 * callers are answered, and afterwards all is as before.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "fault/edge_world.h"

#define LARGE_CLIENTS 64
#define LARGE_ROUNDS 3
#define LARGE_BYTES ((size_t)7 * CLEAT_MIB)
#define GROWTH_KIB_MOST (256 * 1024)
#define HONEST_LEAST 200
#define CROWD 200
#define CROWD_FILES 40

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_OURS false /* a sanitizer's own is more */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MEMORY_IS_OURS false
#endif
#endif
#ifndef MEMORY_IS_OURS
#define MEMORY_IS_OURS true
#endif

static struct edge_world world;
static char *large_bodies[2];   /* what is often sent, and what grows most */
static atomic_uint statuses[3]; /* 200, 503, cut before the answer was read */

/* A line of /proc/self/status in KiB. */
static long status_kib(const char *name)
{
    char line[128];
    long value = 0;
    FILE *file = fopen("/proc/self/status", "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    (void)fclose(file);
    return value;
}

/* The peak begins anew. */
static void peak_reset(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "5", 1), 1);
    (void)close(fd);
}

/* A review of 7 MiB: its object is a list of @item. */
static char *large_make(const char *item)
{
    static const char head[] =
        "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{\"uid\":"
        "\"u-1\",\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},\"resource\":{"
        "\"group\":\"\",\"version\":\"v1\",\"resource\":\"pods\"},\"operation\":\"CREATE\","
        "\"object\":{\"x\":[0";
    static const char tail[] = "]}}}";
    size_t length = sizeof(head) - 1, more = strlen(item);
    char *body = cleat_mem_alloc(LARGE_BYTES + 1);
    ck_assert_ptr_nonnull(body);
    memcpy(body, head, length);
    for (; length + sizeof(tail) + more <= LARGE_BYTES; length += more)
        memcpy(body + length, item, more);
    memset(body + length, ' ', LARGE_BYTES - length - (sizeof(tail) - 1));
    memcpy(body + LARGE_BYTES - (sizeof(tail) - 1), tail, sizeof(tail));
    return body;
}

static void *large_main(void *arg)
{
    struct http_client *client = cleat_mem_zalloc(1, sizeof(*client));
    struct http_reply *reply = cleat_mem_zalloc(1, sizeof(*reply));
    char head[256];
    (void)snprintf(head, sizeof(head),
                   "POST /allow HTTP/1.1\r\n" HOST JSON "Content-Length: %zu\r\n\r\n", LARGE_BYTES);
    const char *body = arg;
    for (int i = 0; i < LARGE_ROUNDS; i++) {
        if (http_client_open(client, cleat_server_port(world.server), world.tls) &&
            http_client_text(client, head))
            (void)http_client_send(client, body, LARGE_BYTES); /* or it is refused */
        http_client_read(client, reply, false);
        ck_assert(reply->status == 200 || reply->status == 503 || reply->status == 0);
        atomic_fetch_add(&statuses[reply->status == 200 ? 0 : reply->status == 503 ? 1 : 2], 1);
        http_client_close(client);
    }
    cleat_mem_free(reply);
    cleat_mem_free(client);
    return NULL;
}

START_TEST(test_large_bodies)
{
    static struct cleat_thread clients[LARGE_CLIENTS];
    char note[200];
    struct cleat_tally tally = {
        .name = "edge-load", .runs = 1, .least = LARGE_CLIENTS, .note = note};
    files_raise(1024);
    large_bodies[0] =
        large_make(",{\"name\":\"LOG_LEVEL\",\"value\":\"a value of some length here\"}");
    large_bodies[1] = large_make(",{}");
    edge_open(&world, true, NULL);
    honest_start(&world);
    CLEAT_WAIT_FOR(atomic_load(&world.answered) >= HONEST_LEAST, 60000);
    peak_reset();
    long before_kib = status_kib("VmRSS:");
    for (int i = 0; i < LARGE_CLIENTS; i++)
        ck_assert_int_eq(
            cleat_thread_start(&clients[i], "large", 0, large_main, large_bodies[i % 2], NULL), 0);
    for (int i = 0; i < LARGE_CLIENTS; i++)
        cleat_thread_join(&clients[i]);
    long growth_kib = status_kib("VmHWM:") - before_kib;
    unsigned enough = atomic_load(&world.answered) + HONEST_LEAST;
    CLEAT_WAIT_FOR(atomic_load(&world.answered) >= enough, 60000);
    honest_join(&world);
    tally.injections = LARGE_CLIENTS * LARGE_ROUNDS;
    tally.wrong = atomic_load(&world.lost);
    if (MEMORY_IS_OURS && growth_kib > GROWTH_KIB_MOST)
        tally.wrong++;
    (void)snprintf(note, sizeof(note),
                   "7 MiB bodies by 64: %u answered, %u 503, %u cut, peak +%ld MiB; %u honest "
                   "answered, p99 %.1f ms",
                   atomic_load(&statuses[0]), atomic_load(&statuses[1]), atomic_load(&statuses[2]),
                   growth_kib / 1024, atomic_load(&world.answered), honest_p99_ms(&world));
    edge_close(&world);
    cleat_mem_free(large_bodies[0]);
    cleat_mem_free(large_bodies[1]);
    ck_assert_uint_gt(atomic_load(&statuses[0]), 0);
    cleat_tally_end(&tally);
}
END_TEST

/* ---- descriptors ---- */

static int crowd[CROWD];

static void crowd_connect(int fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(cleat_server_port(world.server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
              errno == EINPROGRESS);
}

/* Asks over a socket that was made before descriptors ran out. */
static bool late_is_answered(int fd)
{
    static const char ask[] = "GET /metrics HTTP/1.1\r\n" HOST "\r\n";
    char bytes[64] = "";
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    crowd_connect(fd);
    ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
    ck_assert_int_eq(send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL), sizeof(ask) - 1);
    return poll(&wait, 1, 60000) > 0 && recv(fd, bytes, 12, MSG_WAITALL) == 12 &&
           memcmp(bytes, "HTTP/1.1 200", 12) == 0;
}

START_TEST(test_descriptors_run_out)
{
    struct rlimit limit, low;
    struct cleat_tally tally = {
        .name = "edge-files", .runs = 1, .least = CROWD, .note = "more clients than descriptors"};
    files_raise(1024);
    edge_open(&world, false, NULL);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), highest = late;
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        highest = crowd[i] > highest ? crowd[i] : highest;
    }
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t)highest + CROWD_FILES;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (int i = 0; i < CROWD; i++, tally.injections++)
        crowd_connect(crowd[i]);
    CLEAT_WAIT_FOR(edge_figure(&world, "cleat_http_connections{") >= CROWD_FILES / 2, 30000);
    tally.wrong += !late_is_answered(late); /* who waits in vain makes room */
    ck_assert(edge_figure(&world, "cleat_http_connections_evicted_total{") > 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < CROWD; i++)
        (void)close(crowd[i]);
    (void)close(late);
    CLEAT_WAIT_FOR(edge_figure(&world, "cleat_http_connections{") == 0, 60000);
    honest_start(&world);
    CLEAT_WAIT_FOR(atomic_load(&world.answered) >= HONEST_LEAST, 60000);
    honest_join(&world);
    tally.wrong += atomic_load(&world.lost);
    edge_close(&world);
    cleat_tally_end(&tally);
}
END_TEST

CLEAT_SUITE_MAIN("edge_load", test_large_bodies, test_descriptors_run_out)
