/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "server/http_table.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define SEATS 8
#define HEAD_MS 1000
#define BODY_MS 2000
#define IDLE_MS 3000
#define WRITE_MS 4000
#define GRACE_MS 500

/* Connections are pairs of sockets: the table's end, and the client's. */
struct world {
    struct cleat_fake_clock fake;
    struct cleat_metrics *metrics;
    struct cleat_http_stats stats;
    struct cleat_http_table table;
    struct cleat_http_entry entries[SEATS];
    int ends[SEATS][2];
};

static void world_open(struct world *world, unsigned max, unsigned per_address)
{
    memset(world, 0, sizeof(*world));
    cleat_fake_clock_init(&world->fake);
    ck_assert_int_eq(cleat_metrics_new(&world->metrics), 0);
    ck_assert_int_eq(cleat_http_stats_init(&world->stats, world->metrics, "t", NULL), 0);
    const struct cleat_http_table_options options = {.clock = &world->fake.clock,
                                                     .stats = &world->stats,
                                                     .connections_max = max,
                                                     .connections_per_address_max = per_address,
                                                     .head_ms = HEAD_MS,
                                                     .idle_ms = IDLE_MS,
                                                     .write_ms = WRITE_MS,
                                                     .grace_ms = GRACE_MS};
    cleat_http_table_init(&world->table, &options);
    for (int i = 0; i < SEATS; i++)
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, world->ends[i]), 0);
}

static void world_close(struct world *world)
{
    for (int i = 0; i < SEATS; i++) {
        cleat_http_table_leave(&world->table, &world->entries[i]);
        close(world->ends[i][0]);
        close(world->ends[i][1]);
    }
    ck_assert(cleat_series_value(world->stats.connections) == 0);
    cleat_http_table_fini(&world->table);
    cleat_metrics_free(world->metrics);
}

static void address_make(uint8_t address[CLEAT_HTTP_ADDRESS_BYTES], uint8_t host)
{
    memset(address, 0, CLEAT_HTTP_ADDRESS_BYTES);
    address[CLEAT_HTTP_ADDRESS_BYTES - 1] = host;
}

/* Comes in as an accepted connection does; false where it's refused. */
static bool come(struct world *world, int seat, uint8_t host)
{
    uint8_t address[CLEAT_HTTP_ADDRESS_BYTES];
    address_make(address, host);
    if (!cleat_http_table_admit(&world->table, address))
        return false;
    int only = world->table.count == 0;
    ck_assert_int_eq(
        cleat_http_table_enter(&world->table, &world->entries[seat], world->ends[seat][0], address),
        only);
    return true;
}

static bool move(struct world *world, int seat, enum cleat_http_phase phase)
{
    return cleat_http_table_move(&world->table, &world->entries[seat], phase);
}

/* The client's end tells whether it was shut down. */
static bool cut(struct world *world, int seat)
{
    char byte;
    bool ended = recv(world->ends[seat][1], &byte, 1, MSG_DONTWAIT) == 0;
    bool said = cleat_http_entry_phase(&world->entries[seat]) == CLEAT_HTTP_CUT;
    ck_assert_int_eq(ended, said);
    return said;
}

START_TEST(test_deadlines)
{
    static const struct {
        enum cleat_http_phase phase;
        int64_t limit_ms;
    } phases[] = {
        {CLEAT_HTTP_OPENING, HEAD_MS}, {CLEAT_HTTP_IDLE, IDLE_MS},   {CLEAT_HTTP_HEAD, HEAD_MS},
        {CLEAT_HTTP_BODY, BODY_MS},    {CLEAT_HTTP_WRITE, WRITE_MS}, {CLEAT_HTTP_BUSY, 0},
    };
    struct world world;
    world_open(&world, SEATS, SEATS);
    struct cleat_series *const series[] = {world.stats.deadline_head,  world.stats.deadline_idle,
                                           world.stats.deadline_head,  world.stats.deadline_body,
                                           world.stats.deadline_write, NULL};
    for (int i = 0; i < (int)(sizeof(phases) / sizeof(phases[0])); i++) {
        double before = cleat_series_value(series[i]);
        ck_assert(come(&world, i, 1));
        cleat_fake_clock_advance_ms(&world.fake, HEAD_MS / 2);
        if (phases[i].phase == CLEAT_HTTP_BODY)
            ck_assert(cleat_http_table_move_body(&world.table, &world.entries[i], BODY_MS));
        else if (phases[i].phase != CLEAT_HTTP_OPENING)
            ck_assert(move(&world, i, phases[i].phase));
        int64_t left_ms = phases[i].limit_ms;
        if (phases[i].phase == CLEAT_HTTP_OPENING)
            left_ms -= HEAD_MS / 2;
        if (phases[i].limit_ms == 0) { /* never */
            cleat_fake_clock_advance_ms(&world.fake, 1000000);
            (void)cleat_http_table_sweep(&world.table);
            ck_assert(!cut(&world, i));
            continue;
        }
        cleat_fake_clock_advance_ms(&world.fake, left_ms - 1);
        (void)cleat_http_table_sweep(&world.table);
        ck_assert(!cut(&world, i));
        cleat_fake_clock_advance_ms(&world.fake, 1);
        (void)cleat_http_table_sweep(&world.table);
        ck_assert(cut(&world, i));
        ck_assert(cleat_series_value(series[i]) == before + 1);
        ck_assert(!move(&world, i, CLEAT_HTTP_BUSY)); /* there is no way back */
        ck_assert(cut(&world, i));
    }
    world_close(&world);
}
END_TEST

START_TEST(test_pauses)
{
    struct world world;
    world_open(&world, SEATS, SEATS);
    ck_assert_int_eq(cleat_http_table_sweep(&world.table), 60000); /* nothing to do */
    ck_assert(come(&world, 0, 1));
    ck_assert_int_eq(cleat_http_table_sweep(&world.table), 250);
    cleat_fake_clock_advance_ms(&world.fake, HEAD_MS - 100);
    ck_assert_int_eq(cleat_http_table_sweep(&world.table), 100); /* the nearest */
    ck_assert(come(&world, 1, 1));
    cleat_fake_clock_advance_ms(&world.fake, 99);
    ck_assert_int_eq(cleat_http_table_sweep(&world.table), 10);
    cleat_fake_clock_advance_ms(&world.fake, 1);
    ck_assert_int_eq(cleat_http_table_sweep(&world.table), 250);
    ck_assert(cut(&world, 0));
    ck_assert(!cut(&world, 1));
    world_close(&world);
}
END_TEST

START_TEST(test_full_evicts_the_longest_waiting_of_the_heaviest)
{
    struct world world;
    world_open(&world, 5, SEATS);
    ck_assert(come(&world, 0, 9)); /* alone, and the oldest of all */
    for (int i = 1; i < 5; i++) {
        cleat_fake_clock_advance_ms(&world.fake, 10);
        ck_assert(come(&world, i, 1));
    }
    cleat_fake_clock_advance_ms(&world.fake, 10);
    ck_assert(move(&world, 1, CLEAT_HTTP_IDLE)); /* what counts is the wait, not the age */
    ck_assert(move(&world, 2, CLEAT_HTTP_BUSY)); /* not to be taken */
    ck_assert(come(&world, 5, 8));
    ck_assert(cut(&world, 3));
    ck_assert_uint_eq(world.table.open, 5);
    ck_assert(come(&world, 6, 1)); /* the heaviest pays for its own */
    ck_assert(cut(&world, 4));
    ck_assert(come(&world, 7, 7));
    ck_assert(cut(&world, 1));
    ck_assert(!cut(&world, 0) && !cut(&world, 2) && !cut(&world, 5) && !cut(&world, 6));
    ck_assert(cleat_series_value(world.stats.evicted) == 3);
    world_close(&world);
}
END_TEST

/* A request that has come, but wasn't looked at yet, isn't lost to a newcomer. */
START_TEST(test_who_was_written_to_stays)
{
    struct world world;
    world_open(&world, 2, SEATS);
    ck_assert(come(&world, 0, 1));
    cleat_fake_clock_advance_ms(&world.fake, 10);
    ck_assert(come(&world, 1, 1));
    ck_assert_int_eq(write(world.ends[0][1], "x", 1), 1);
    ck_assert(come(&world, 2, 2));
    ck_assert(!cut(&world, 0));
    ck_assert(cut(&world, 1));
    ck_assert(move(&world, 0, CLEAT_HTTP_WRITE)); /* what is behind an answer doesn't count */
    ck_assert(come(&world, 3, 2));
    ck_assert_int_eq(cleat_http_entry_phase(&world.entries[0]), CLEAT_HTTP_CUT);
    world_close(&world);
}
END_TEST

/* Where all are being answered, newcomers don't push out each other. */
START_TEST(test_patience)
{
    struct world world;
    world_open(&world, 2, SEATS);
    world.table.options.patience_ms = 100;
    ck_assert(come(&world, 0, 1));
    ck_assert(come(&world, 1, 1));
    ck_assert(!come(&world, 2, 1));
    ck_assert(come(&world, 2, 2)); /* of an address that holds less: it has the right */
    ck_assert(cut(&world, 0));
    ck_assert(!come(&world, 5, 3));
    cleat_http_table_leave(&world.table, &world.entries[2]);
    ck_assert(come(&world, 2, 1));
    cleat_fake_clock_advance_ms(&world.fake, 99);
    ck_assert(!come(&world, 3, 1));
    ck_assert(!cut(&world, 1) && !cut(&world, 2));
    cleat_fake_clock_advance_ms(&world.fake, 1);
    ck_assert(come(&world, 4, 1));
    ck_assert(cut(&world, 1));
    ck_assert(!cut(&world, 2));
    world_close(&world);
}
END_TEST

START_TEST(test_nobody_waits)
{
    struct world world;
    world_open(&world, 2, SEATS);
    for (int i = 0; i < 2; i++) {
        ck_assert(come(&world, i, 1));
        ck_assert(move(&world, i, CLEAT_HTTP_BUSY));
    }
    ck_assert(!come(&world, 2, 2));
    ck_assert(!cut(&world, 0) && !cut(&world, 1));
    ck_assert(cleat_series_value(world.stats.evicted) == 0);
    ck_assert(cleat_series_value(world.stats.refused_full) == 1);
    world_close(&world);
}
END_TEST

START_TEST(test_per_address)
{
    struct world world;
    world_open(&world, SEATS, 2);
    ck_assert(come(&world, 0, 1));
    cleat_fake_clock_advance_ms(&world.fake, 10);
    ck_assert(come(&world, 1, 1));
    ck_assert(come(&world, 2, 2)); /* others don't care */
    ck_assert(come(&world, 3, 1));
    ck_assert(cut(&world, 0)); /* its own longest waiting gives way */
    ck_assert(!cut(&world, 1) && !cut(&world, 2));
    ck_assert(move(&world, 1, CLEAT_HTTP_BUSY));
    ck_assert(move(&world, 3, CLEAT_HTTP_BUSY));
    ck_assert(!come(&world, 4, 1)); /* all are being answered */
    ck_assert(cleat_series_value(world.stats.refused_address) == 1);
    cleat_http_table_leave(&world.table, &world.entries[1]);
    ck_assert(come(&world, 4, 1));
    world_close(&world);
}
END_TEST

START_TEST(test_end)
{
    struct world world;
    char byte = 'x';
    world_open(&world, SEATS, SEATS);
    for (int i = 0; i < 5; i++)
        ck_assert(come(&world, i, 1));
    ck_assert(move(&world, 0, CLEAT_HTTP_IDLE));
    ck_assert(move(&world, 1, CLEAT_HTTP_BUSY));
    ck_assert(move(&world, 2, CLEAT_HTTP_WRITE));
    ck_assert(move(&world, 3, CLEAT_HTTP_IDLE)); /* 4 is opening */
    ck_assert_int_eq(write(world.ends[3][1], &byte, 1), 1);
    cleat_http_table_drain(&world.table);
    cleat_fake_clock_advance_ms(&world.fake, GRACE_MS - 1);
    cleat_http_table_drain(&world.table); /* doesn't begin anew */
    cleat_http_table_close(&world.table);
    (void)cleat_http_table_sweep(&world.table);
    ck_assert(!cut(&world, 0) && !cut(&world, 4));
    cleat_fake_clock_advance_ms(&world.fake, 1);
    (void)cleat_http_table_sweep(&world.table);
    ck_assert(cut(&world, 0) && cut(&world, 4));
    ck_assert(!cut(&world, 1) && !cut(&world, 2));
    ck_assert_int_ne(cleat_http_entry_phase(&world.entries[3]), CLEAT_HTTP_CUT); /* was asked */
    ck_assert(!cleat_http_table_wait(&world.table, 1));
    ck_assert_uint_eq(cleat_http_table_cut_all(&world.table), 1); /* the busy one is left */
    ck_assert(cut(&world, 2));
    ck_assert(!cut(&world, 1));
    for (int i = 0; i < 5; i++)
        cleat_http_table_leave(&world.table, &world.entries[i]);
    ck_assert(cleat_http_table_wait(&world.table, -1));
    ck_assert(cleat_series_value(world.stats.deadline_idle) == 0); /* an end isn't a deadline */
    world_close(&world);
}
END_TEST

/* Somebody waits to be accepted and isn't: the longest waiting is cut at the second look. */
START_TEST(test_stuck)
{
    struct world world;
    world_open(&world, SEATS, SEATS);
    ck_assert(come(&world, 0, 1));
    ck_assert(come(&world, 1, 1));
    cleat_fake_clock_advance_ms(&world.fake, 10);
    ck_assert(move(&world, 0, CLEAT_HTTP_IDLE));
    cleat_http_table_listen(&world.table, world.ends[7][0]);
    (void)cleat_http_table_sweep(&world.table);
    (void)cleat_http_table_sweep(&world.table);
    ck_assert(!cut(&world, 0) && !cut(&world, 1)); /* nobody waits */
    ck_assert_int_eq(write(world.ends[7][1], "x", 1), 1);
    (void)cleat_http_table_sweep(&world.table);
    ck_assert(come(&world, 2, 1)); /* it goes on */
    (void)cleat_http_table_sweep(&world.table);
    ck_assert(!cut(&world, 1));
    ck_assert(move(&world, 0, CLEAT_HTTP_BUSY));
    (void)cleat_http_table_sweep(&world.table);
    ck_assert(cut(&world, 1) && cut(&world, 2));
    ck_assert(!cut(&world, 0));
    ck_assert(move(&world, 0, CLEAT_HTTP_IDLE));
    cleat_http_table_listen(&world.table, -1);
    (void)cleat_http_table_sweep(&world.table);
    (void)cleat_http_table_sweep(&world.table);
    ck_assert(!cut(&world, 0));
    world_close(&world);
}
END_TEST

START_TEST(test_addresses)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr other = {.sa_family = AF_UNIX};
    uint8_t a[CLEAT_HTTP_ADDRESS_BYTES], b[CLEAT_HTTP_ADDRESS_BYTES];
    static const uint8_t none[CLEAT_HTTP_ADDRESS_BYTES];
    ck_assert_int_eq(inet_pton(AF_INET, "10.1.2.3", &four.sin_addr), 1);
    ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:10.1.2.3", &six.sin6_addr), 1);
    cleat_http_address_of((const struct sockaddr *)&four, a);
    cleat_http_address_of((const struct sockaddr *)&six, b);
    ck_assert_mem_eq(a, b, sizeof(a)); /* whichever socket it came to */
    cleat_http_address_of(&other, a);
    ck_assert_mem_eq(a, none, sizeof(a));
    cleat_http_address_of(NULL, a);
    ck_assert_mem_eq(a, none, sizeof(a));
}
END_TEST

CLEAT_SUITE_MAIN("http_table", test_deadlines, test_pauses,
                 test_full_evicts_the_longest_waiting_of_the_heaviest,
                 test_who_was_written_to_stays, test_patience, test_nobody_waits, test_per_address,
                 test_end, test_stuck, test_addresses)
