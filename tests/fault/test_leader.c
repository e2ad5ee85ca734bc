/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three replicas, each a process of its own behind a network of its own, compete for a lease of a
 * second and write all the time. The leader is killed, ended in order, frozen anywhere, frozen
 * between the check of its deadline and the sending, and cut off, each past its lease and then let
 * go on. The history of the API server must show no write that overwrote or undid a newer one.
 */
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "fault/leader_history.h"
#include "fault/leader_replica.h"
#include "support/service.h"
#include "support/suite.h"
#include "support/tally.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define REPLICAS 3
#define ROUNDS 30
#define WRITES_A_ROUND 10
#define WRITES_LEAST 600
#define LATE_LEAST 3 /* a connection that was closed meanwhile carries none */
#define LIMIT_MS 60000

extern char **environ;

enum fault { FAULT_KILL, FAULT_END, FAULT_FREEZE, FAULT_FREEZE_SENDING, FAULT_CUT, FAULT_COUNT };

static const char *const fault_names[FAULT_COUNT] = {
    [FAULT_KILL] = "killed",
    [FAULT_END] = "ended in order",
    [FAULT_FREEZE] = "frozen past its lease",
    [FAULT_FREEZE_SENDING] = "frozen between check and sending",
    [FAULT_CUT] = "cut off past its lease",
};

struct replica {
    struct service *network;
    pid_t pid;
    unsigned generation;
    /* By the audit. */
    atomic_uint requests;
    atomic_uint written;
};

struct took {
    int64_t sum_ms, most_ms;
    unsigned count;
};

struct world {
    struct cluster cluster;
    struct cleat_temp_dir dir;
    struct history history;
    struct replica replicas[REPLICAS];
    atomic_int leader; /* who wrote the lease last */
    atomic_uint late;
    atomic_uint late_refused;
    unsigned crashes;
    struct took took[FAULT_COUNT];
};

static struct world world;

/* ---- what the API server sees ---- */

static void audit_write(struct replica *replica, int index, int code)
{
    if (code == 200)
        atomic_fetch_add(&replica->written, 1);
    if (index == atomic_load(&world.leader))
        return;
    atomic_fetch_add(&world.late, 1);
    if (code == 409)
        atomic_fetch_add(&world.late_refused, 1);
}

static void audit(void *arg, const struct cleat_audit *audit)
{
    if (audit->user[0] != 'r' || audit->user[1] < '0' || audit->user[1] >= '0' + REPLICAS)
        return;
    int index = audit->user[1] - '0';
    struct replica *replica = &world.replicas[index];
    atomic_fetch_add(&replica->requests, 1);
    if (strcmp(audit->verb, "update") != 0 && strcmp(audit->verb, "create") != 0)
        return;
    if (cleat_str_is(audit->plural, "leases") && audit->code < 300)
        atomic_store(&world.leader, index);
    else if (cleat_str_is(audit->plural, "configmaps"))
        audit_write(replica, index, audit->code);
}

/* ---- replicas ---- */

static void write_config(int index)
{
    char *text = NULL, name[16], from[64], to[64];
    struct replica *replica = &world.replicas[index];
    const char *url = cleat_apiserver_url(world.cluster.server);
    (void)snprintf(name, sizeof(name), "r%d", index);
    (void)snprintf(from, sizeof(from), "%s", strrchr(url, ':'));
    (void)snprintf(to, sizeof(to), ":%d", service_port(replica->network));
    ck_assert_int_eq(cleat_apiserver_kubeconfig_text(world.cluster.server, name, NULL, &text, NULL),
                     0);
    char *at = strstr(text, from);
    ck_assert_ptr_nonnull(at);
    char *config = cleat_mem_format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    cleat_temp_dir_write(&world.dir, name, config);
    cleat_mem_free(config);
    cleat_free(text);
}

static void replica_start(int index)
{
    struct replica *replica = &world.replicas[index];
    char config[PATH_MAX], identity[32], name[16], log[32], mode[8];
    char program[] = "/proc/self/exe", word[] = "replica";
    char *const argv[] = {program, word, config, identity, mode, NULL};
    posix_spawn_file_actions_t actions;
    (void)snprintf(name, sizeof(name), "r%d", index);
    (void)snprintf(log, sizeof(log), "log%d", index);
    (void)snprintf(config, sizeof(config), "%s", cleat_temp_dir_path(&world.dir, name));
    (void)snprintf(identity, sizeof(identity), "r%d-%u", index, replica->generation++);
    (void)snprintf(mode, sizeof(mode), "%s", index == 0 ? "exit" : "stand");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, cleat_temp_dir_path(&world.dir, log),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
    int failed = posix_spawn(&replica->pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    ck_assert_msg(failed == 0, "%s", strerror(failed));
}

/* Starts again who has ended by itself, as the first one does where it lost the lease. */
static void replicas_tend(void)
{
    for (int i = 0; i < REPLICAS; i++) {
        struct replica *replica = &world.replicas[i];
        int status = 0;
        if (waitpid(replica->pid, &status, WNOHANG) != replica->pid)
            continue;
        bool meant = WIFEXITED(status) && WEXITSTATUS(status) == 1 && i == 0;
        if (!meant)
            (void)fprintf(stderr, "replica %d: wait status %d\n", i, status);
        world.crashes += !meant;
        replica_start(i);
    }
}

static bool ended(struct replica *replica, int *status)
{
    return waitpid(replica->pid, status, WNOHANG) == replica->pid;
}

static bool stopped(struct replica *replica)
{
    int status = 0;
    return waitpid(replica->pid, &status, WNOHANG | WUNTRACED) == replica->pid &&
           WIFSTOPPED(status);
}

/* Another leads, and has written everything once more. */
static bool passed_on(int old)
{
    int leader = atomic_load(&world.leader);
    replicas_tend();
    return leader != old && history_passed_on(&world.history, old);
}

static bool works(int index, unsigned written)
{
    replicas_tend();
    return atomic_load(&world.replicas[index].written) >= written + WRITES_A_ROUND;
}

/* ---- faults ---- */

static void fault_kill(struct replica *replica, int index, bool orderly)
{
    int status = 0;
    ck_assert_int_eq(kill(replica->pid, orderly ? SIGTERM : SIGKILL), 0);
    CLEAT_WAIT_FOR(ended(replica, &status), LIMIT_MS);
    if (orderly && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        (void)fprintf(stderr, "replica %d: wait status %d after SIGTERM\n", index, status);
        world.crashes++;
    }
    CLEAT_WAIT_FOR(passed_on(index), LIMIT_MS);
    replica_start(index);
}

static void fault_freeze(struct replica *replica, int index, bool sending)
{
    ck_assert_int_eq(kill(replica->pid, sending ? SIGUSR1 : SIGSTOP), 0);
    CLEAT_WAIT_FOR(stopped(replica), LIMIT_MS);
    CLEAT_WAIT_FOR(passed_on(index), LIMIT_MS);
    unsigned requests = atomic_load(&replica->requests);
    ck_assert_int_eq(kill(replica->pid, SIGCONT), 0);
    CLEAT_WAIT_FOR(atomic_load(&replica->requests) > requests, LIMIT_MS);
}

static void fault_cut(struct replica *replica, int index)
{
    unsigned requests = 0;
    service_hold(replica->network, true);
    CLEAT_WAIT_FOR(passed_on(index), LIMIT_MS);
    requests = atomic_load(&replica->requests);
    service_hold(replica->network, false);
    CLEAT_WAIT_FOR((replicas_tend(), atomic_load(&replica->requests) > requests), LIMIT_MS);
}

static void round_run(enum fault fault)
{
    int index = atomic_load(&world.leader);
    struct replica *replica = &world.replicas[index];
    struct took *took = &world.took[fault];
    unsigned written = atomic_load(&replica->written);
    CLEAT_WAIT_FOR(works(index, written) || atomic_load(&world.leader) != index, LIMIT_MS);
    index = atomic_load(&world.leader);
    replica = &world.replicas[index];
    history_arm(&world.history, index);
    switch (fault) {
    case FAULT_KILL:
    case FAULT_END: fault_kill(replica, index, fault == FAULT_END); break;
    case FAULT_FREEZE:
    case FAULT_FREEZE_SENDING: fault_freeze(replica, index, fault == FAULT_FREEZE_SENDING); break;
    case FAULT_CUT: fault_cut(replica, index); break;
    case FAULT_COUNT: break;
    }
    CLEAT_WAIT_FOR(atomic_load(&world.history.took_ms) > 0, LIMIT_MS);
    int64_t ms = atomic_load(&world.history.took_ms);
    took->sum_ms += ms;
    took->most_ms = ms > took->most_ms ? ms : took->most_ms;
    took->count++;
}

/* ---- the run ---- */

static void world_open(void)
{
    const struct cleat_apiserver_options options = {.audit = audit};
    struct cleat_err err = CLEAT_ERR_INIT;
    char json[256];
    memset(&world, 0, sizeof(world));
    atomic_store(&world.leader, -1);
    cleat_temp_dir_init(&world.dir);
    ck_assert_msg(cleat_apiserver_new(&options, &world.cluster.server, &err) == 0, "%s", err.text);
    ck_assert_msg(cleat_apiserver_start(world.cluster.server, &err) == 0, "%s", err.text);
    world.cluster.admin = cluster_client(&world.cluster, NULL);
    history_start(&world.history, &world.cluster, &leader_config_maps);
    for (int i = 0; i < HISTORY_OBJECTS; i++) {
        (void)snprintf(json, sizeof(json),
                       "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
                       "\"c%d\",\"namespace\":\"default\",\"labels\":{\"" LEADER_LABEL
                       "\":\"yes\"}},\"data\":{\"n\":\"0\"}}",
                       i);
        ck_assert_int_eq(cluster_make(&world.cluster, &leader_config_maps, "default", json), 0);
    }
    const char *url = cleat_apiserver_url(world.cluster.server);
    for (int i = 0; i < REPLICAS; i++) {
        world.replicas[i].network = service_new();
        service_rotate(world.replicas[i].network, (int)strtol(strrchr(url, ':') + 1, NULL, 10),
                       true);
        write_config(i);
        replica_start(i);
    }
    CLEAT_WAIT_FOR(passed_on(-1), LIMIT_MS);
}

static void world_close(void)
{
    for (int i = 0; i < REPLICAS; i++) {
        int status = 0;
        ck_assert_int_eq(kill(world.replicas[i].pid, SIGTERM), 0);
        CLEAT_WAIT_FOR(ended(&world.replicas[i], &status), LIMIT_MS);
        world.crashes += WIFSIGNALED(status);
    }
    history_end(&world.history);
}

static void world_free(void)
{
    for (int i = 0; i < REPLICAS; i++)
        world.replicas[i].network = service_free(world.replicas[i].network);
    cluster_close(&world.cluster);
    cleat_temp_dir_fini(&world.dir);
}

static void report(void)
{
    char note[200];
    unsigned late = atomic_load(&world.late), refused = atomic_load(&world.late_refused);
    unsigned writes = atomic_load(&world.history.writes);
    (void)printf("| the leader was | times | another wrote after, on average | at most |\n"
                 "|---|---|---|---|\n");
    for (int i = 0; i < FAULT_COUNT; i++) {
        const struct took *took = &world.took[i];
        (void)printf("| %s | %u | %lld ms | %lld ms |\n", fault_names[i], took->count,
                     took->count ? (long long)(took->sum_ms / took->count) : 0LL,
                     (long long)took->most_ms);
    }
    (void)snprintf(note, sizeof(note),
                   "leaders lost; %u writes by 3 replicas, %u late ones tried, %u refused, %u that "
                   "undid a newer one",
                   writes, late, refused, atomic_load(&world.history.wrong));
    const struct cleat_tally tally = {.name = "leader",
                                      .runs = ROUNDS,
                                      .injections = ROUNDS,
                                      .least = ROUNDS,
                                      .crashes = world.crashes,
                                      .wrong = atomic_load(&world.history.wrong),
                                      .note = note};
    ck_assert_uint_ge(writes, WRITES_LEAST);
    ck_assert_uint_ge(late, LATE_LEAST);
    ck_assert_uint_ge(atomic_load(&world.history.hand_overs), ROUNDS);
    cleat_tally_end(&tally);
}

START_TEST(test_no_write_undoes_a_newer_one)
{
    world_open();
    for (int i = 0; i < ROUNDS; i++)
        round_run((enum fault)(i % FAULT_COUNT));
    world_close();
    report();
    world_free();
}
END_TEST

int main(int argc, char **argv)
{
    const TTest *const tests[] = {test_no_write_undoes_a_newer_one};
    if (argc == 5 && strcmp(argv[1], "replica") == 0)
        return leader_replica_main(argv + 2);
    return cleat_suite_run("leader", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
