/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server with the limits that `cleat serve` has, and honest callers who ask it on and on, over
 * connections that they keep and over new ones: whatever others do to it, each must be answered.
 */
#ifndef CLEAT_TESTS_EDGE_WORLD_H
#define CLEAT_TESTS_EDGE_WORLD_H

#include <stdatomic.h>
#include <sys/resource.h>

#include "base/thread.h"
#include "integration/server_fixture.h"
#include "support/tally.h"

#define HONEST_CALLERS 4
#define HONEST_PER_CONNECTION 25
#define HONEST_SAMPLES 200000

struct edge_world {
    struct cleat_webhooks *webhooks;
    struct cleat_metrics *metrics;
    struct cleat_server *server;
    bool tls;
    struct fixture fixture; /* for admit_allow alone */
    struct cleat_thread callers[HONEST_CALLERS];
    atomic_bool done;
    atomic_uint answered;
    atomic_uint lost;
    atomic_uint connections;
    atomic_uint sample_count;
    uint32_t sample_us[HONEST_SAMPLES];
};

static inline void edge_open(struct edge_world *world, bool tls, fixture_tune_fn tune)
{
    const struct cleat_webhook_options hook = {
        .path = "/allow", .admit = admit_allow, .arg = &world->fixture};
    struct cleat_webhooks_options webhooks = {0};
    struct cleat_err err = CLEAT_ERR_INIT;
    memset(world, 0, sizeof(*world));
    world->tls = tls;
    ck_assert_int_eq(cleat_metrics_new(&world->metrics), 0);
    webhooks.metrics = world->metrics;
    ck_assert_int_eq(cleat_webhooks_new(&webhooks, &world->webhooks, NULL), 0);
    ck_assert_int_eq(cleat_webhooks_add(world->webhooks, &hook, NULL), 0);
    struct cleat_server_options options = {.name = "edge",
                                           .bind = "127.0.0.1:0",
                                           .tls = tls,
                                           .webhooks = world->webhooks,
                                           .metrics = world->metrics,
                                           .stats = world->metrics};
    if (tune)
        tune(&options);
    ck_assert_msg(cleat_server_new(&options, &world->server, &err) == 0, "%s", err.text);
    if (tls)
        bundle_set(world->server, "edge");
    ck_assert_msg(cleat_server_start(world->server, &err) == 0, "%s", err.text);
}

static inline void edge_close(struct edge_world *world)
{
    cleat_server_stop(world->server);
    ck_assert_int_eq(cleat_server_join(world->server, LIMIT_MS), 0);
    (void)cleat_server_free(world->server);
    ck_assert_uint_eq(cleat_budget_used(cleat_webhooks_budget(world->webhooks)), 0);
    cleat_webhooks_free(world->webhooks);
    cleat_metrics_free(world->metrics);
    ck_assert_uint_eq(cleat_tls_identities(), 0);
}

/* The sum of all series whose text begins so. */
static inline double edge_figure(const struct edge_world *world, const char *start)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(4 * CLEAT_MIB);
    double sum = 0;
    ck_assert_int_eq(cleat_metrics_write(world->metrics, &text), 0);
    for (const char *line = text.data; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *value = strchr(line, ' ');
        if (value && strncmp(line, start, strlen(start)) == 0)
            sum += strtod(value, NULL);
    }
    cleat_buffer_fini(&text);
    return sum;
}

/* One review over @client, opened where it isn't. False where it wasn't answered. */
static inline bool honest_ask(struct edge_world *world, struct http_client *client)
{
    struct http_reply reply = {0};
    char head[256];
    char *review = review_of(2000);
    (void)snprintf(head, sizeof(head),
                   "POST /allow?timeout=5s HTTP/1.1\r\n" HOST JSON "Content-Length: %zu\r\n\r\n",
                   strlen(review));
    bool sent = client->fd >= 0;
    if (!sent) {
        sent = http_client_open(client, cleat_server_port(world->server), world->tls);
        atomic_fetch_add(&world->connections, 1);
    }
    sent = sent && http_client_text(client, head) && http_client_text(client, review);
    if (sent)
        http_client_read(client, &reply, false);
    cleat_mem_free(review);
    return reply.status == 200 && strstr(reply.body, ALLOWED);
}

static inline void *honest_main(void *arg)
{
    struct edge_world *world = arg;
    struct http_client *client = cleat_mem_zalloc(1, sizeof(*client));
    client->fd = -1;
    for (unsigned i = 1; !atomic_load(&world->done); i++) {
        int64_t begin_ns = cleat_clock_mono_ns(cleat_clock_system());
        bool good = honest_ask(world, client);
        int64_t took_us = (cleat_clock_mono_ns(cleat_clock_system()) - begin_ns) / 1000;
        atomic_fetch_add(good ? &world->answered : &world->lost, 1);
        unsigned sample = atomic_fetch_add(&world->sample_count, 1);
        if (sample < HONEST_SAMPLES)
            world->sample_us[sample] = (uint32_t)took_us;
        if (!good || i % HONEST_PER_CONNECTION == 0)
            http_client_close(client);
        cleat_wait_moment();
    }
    http_client_close(client);
    cleat_mem_free(client);
    return NULL;
}

static inline void honest_start(struct edge_world *world)
{
    atomic_store(&world->done, false);
    for (int i = 0; i < HONEST_CALLERS; i++)
        ck_assert_int_eq(
            cleat_thread_start(&world->callers[i], "honest", 0, honest_main, world, NULL), 0);
}

static inline void honest_join(struct edge_world *world)
{
    atomic_store(&world->done, true);
    for (int i = 0; i < HONEST_CALLERS; i++)
        cleat_thread_join(&world->callers[i]);
}

static inline int sample_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The time below which 99 of 100 honest requests were answered. */
static inline double honest_p99_ms(struct edge_world *world)
{
    size_t count = atomic_load(&world->sample_count);
    if (count > HONEST_SAMPLES)
        count = HONEST_SAMPLES;
    qsort(world->sample_us, count, sizeof(world->sample_us[0]), sample_compare);
    return count > 0 ? world->sample_us[count * 99 / 100] / 1000.0 : 0;
}

/* As many descriptors as the system lets us have. */
static inline void files_raise(unsigned least)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_msg(limit.rlim_cur >= least, "only %llu descriptors",
                  (unsigned long long)limit.rlim_cur);
}

#endif
