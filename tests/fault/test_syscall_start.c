/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that fail while a program starts: it comes up all the same, or ends by itself within
 * its limit, with a status and one line that says why. It never crashes, hangs, or says it's ready
 * when it isn't.
 *
 * An untouched start counts the calls of each sort; each fault is then put in at several of them,
 * spread over the start, and at all of them. CLEAT_SHIM_ONLY as for test_syscall_serve.
 */
#include "fault/shimmed.h"
#include "integration/cluster.h"
#include "server/manifests.h"
#include "support/child.h"
#include "support/suite.h"

#define START_LIMIT_MS 40000
#define START_STOP_MS 40000
#define START_PLACES 4
#define START_ROW 20

struct program {
    const char *name;
    struct shimmed shimmed;
    struct cleat_tally *tally;
    void (*start)(struct program *program);
    bool (*is_ready)(struct program *program);
    struct cluster cluster;
    uint64_t row; /* how many failures in a row are "for ever" */
    int port;
    char config[PATH_MAX];
    uint64_t totals[SHIM_CALLS]; /* of an untouched start */
};

/* True where GET @path on the plain port is answered by 200. */
static bool get_is_ok(int port, const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct timeval limit = {.tv_sec = 2};
    char text[512] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    int length = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    ssize_t got = -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        send(fd, text, (size_t)length, MSG_NOSIGNAL) == length)
        got = recv(fd, text, sizeof(text) - 1, 0);
    (void)close(fd);
    text[got > 0 ? got : 0] = '\0';
    return strncmp(text, "HTTP/1.1 200", 12) == 0;
}

/* ---- cleat serve ---- */

static void serve_start(struct program *program)
{
    char config[PATH_MAX + 32], health[64],
        name[] = "cleat", serve[] = "serve", webhook[] = "--webhook-bind-address=127.0.0.1:0",
        metrics[] = "--metrics-bind-address=127.0.0.1:0", limit[] = "--start-timeout=5s",
        url[] = "--webhook-url=https://127.0.0.1:1";
    (void)snprintf(config, sizeof(config), "--kubeconfig=%s", program->config);
    (void)snprintf(health, sizeof(health), "--health-probe-bind-address=127.0.0.1:%d",
                   program->port);
    char *const argv[] = {name, serve, config, webhook, metrics, health, limit, url, NULL};
    shimmed_start(&program->shimmed, argv);
}

static bool serve_is_ready(struct program *program)
{
    return get_is_ok(program->port, "/readyz");
}

static int put(void *arg, struct cleat_value object, struct cleat_err *err)
{
    struct program *program = arg;
    return cleat_apiserver_put(program->cluster.server, object, err);
}

static void serve_open(struct program *program)
{
    static const char *const groups[] = {"system:serviceaccounts",
                                         "system:serviceaccounts:cleat-system",
                                         "system:authenticated", NULL};
    const struct cleat_apiserver_options options = {.rbac = true};
    struct cleat_manifests_options manifests = {.crds = true, .webhook_url = "https://127.0.0.1:1"};
    struct cleat_err err = CLEAT_ERR_INIT;
    char *text = NULL;
    ck_assert_int_eq(cleat_apiserver_new(&options, &program->cluster.server, &err), 0);
    ck_assert_msg(cleat_apiserver_start(program->cluster.server, &err) == 0, "%s", err.text);
    program->cluster.admin = cluster_client(&program->cluster, NULL);
    ck_assert_int_eq(cleat_manifests_each(&manifests, put, program, &err), 0);
    manifests.crds = false;
    ck_assert_int_eq(cleat_manifests_each(&manifests, put, program, &err), 0);
    ck_assert_int_eq(cleat_apiserver_kubeconfig_text(program->cluster.server,
                                                     "system:serviceaccount:cleat-system:cleat",
                                                     groups, &text, &err),
                     0);
    cleat_temp_dir_write(&program->shimmed.dir, "config", text);
    cleat_free(text);
    (void)snprintf(program->config, PATH_MAX, "%s",
                   cleat_temp_dir_path(&program->shimmed.dir, "config"));
}

/* ---- cleat apiserver ---- */

static void apiserver_start(struct program *program)
{
    char listen[64], config[PATH_MAX + 32], name[] = "cleat", apiserver[] = "apiserver";
    (void)unlink(program->config); /* written when it's ready */
    (void)snprintf(listen, sizeof(listen), "--listen=127.0.0.1:%d", program->port);
    (void)snprintf(config, sizeof(config), "--write-kubeconfig=%s", program->config);
    char *const argv[] = {name, apiserver, listen, config, NULL};
    shimmed_start(&program->shimmed, argv);
}

static bool apiserver_is_ready(struct program *program)
{
    const struct cleat_kubeconfig_options options = {.path = program->config};
    struct cleat_kubeconfig *config = NULL;
    struct cleat_client *client = NULL;
    int r = access(program->config, R_OK) == 0 ? cleat_kubeconfig_load(&options, &config, NULL)
                                               : -ENOENT;
    const struct cleat_client_options client_options = {.config = config, .timeout_ms = 2000};
    if (r == 0)
        r = cleat_client_new(&client_options, &client, NULL);
    if (r == 0)
        r = cleat_client_raw(client, "GET", "/version", CLEAT_STR(""), NULL, NULL);
    (void)cleat_client_unref(client);
    (void)cleat_kubeconfig_free(config);
    return r == 0;
}

/* ---- starts ---- */

/* Waits until it's ready or has ended. 1 ready, 0 ended, -1 neither within the limit. */
static int wait_ready(struct program *program)
{
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t until_ms = cleat_clock_mono_ms(clock) + START_LIMIT_MS;
    while (shimmed_runs(&program->shimmed)) {
        if (program->is_ready(program))
            return 1;
        if (cleat_clock_mono_ms(clock) >= until_ms)
            return -1;
        for (int i = 0; i < 5; i++)
            cleat_wait_moment();
    }
    return 0;
}

static bool log_says_why(const struct program *program)
{
    return shimmed_log_has(&program->shimmed, "cleat ") || /* "cleat serve: …" on a line */
           shimmed_log_has(&program->shimmed, "cleat: ") ||
           shimmed_log_has(&program->shimmed, "error while loading shared libraries");
}

static void wrong(struct program *program, const struct shim_fault *fault, uint64_t nth,
                  const char *what)
{
    program->tally->wrong++;
    (void)fprintf(stderr, "%s, %s, number %lu: %s\n", program->name, fault->name,
                  (unsigned long)nth, what);
    shimmed_print_log(&program->shimmed);
}

/* A log that can't be written says nothing, and isn't to blame. */
static bool fault_hits_log(const struct shim_fault *fault)
{
    return fault->call == SHIM_WRITE;
}

static void start_once(struct program *program, const struct shim_fault *fault, uint64_t nth,
                       uint64_t times, unsigned *up, unsigned *ended)
{
    shimmed_arm(&program->shimmed, fault, nth, times);
    program->start(program);
    int ready = wait_ready(program);
    bool hit = atomic_load(&program->shimmed.board->injected) > 0;
    shimmed_disarm(&program->shimmed);
    program->tally->injections += hit;
    if (ready < 0) {
        /* A fault without an end may keep it from becoming ready; once it's over it must. */
        ready = times == SHIMMED_EVER ? wait_ready(program) : ready;
        if (ready < 0)
            wrong(program, fault, nth, "neither ready nor ended");
    }
    *up += ready == 1;
    *ended += ready == 0;
    if (ready == 0) {
        shimmed_judge_end(&program->shimmed, program->tally, true, fault->name, nth);
        if (fault->error == EINTR || fault->error == SHIM_SHORT)
            wrong(program, fault, nth, "what was only interrupted ended it");
        if (WIFEXITED(program->shimmed.status) && WEXITSTATUS(program->shimmed.status) == 0)
            wrong(program, fault, nth, "it ended as if all were well");
        else if (!log_says_why(program) && !fault_hits_log(fault))
            wrong(program, fault, nth, "it doesn't say why");
    } else {
        if (!shimmed_end(&program->shimmed, START_STOP_MS))
            wrong(program, fault, nth, "SIGTERM didn't end it");
        shimmed_judge_end(&program->shimmed, program->tally, false, fault->name, nth);
    }
}

static void count_calls(struct program *program)
{
    for (int i = 0; i < SHIM_CALLS; i++)
        atomic_store(&program->shimmed.board->totals[i], 0);
    shimmed_disarm(&program->shimmed);
    program->start(program);
    int ready = wait_ready(program);
    if (ready != 1)
        shimmed_print_log(&program->shimmed);
    ck_assert_msg(ready == 1, "%s doesn't even start untouched", program->name);
    for (int i = 0; i < SHIM_CALLS; i++)
        program->totals[i] = atomic_load(&program->shimmed.board->totals[i]);
    ck_assert(shimmed_end(&program->shimmed, START_STOP_MS));
}

static void fault_run(struct program *program, const struct shim_fault *fault)
{
    uint64_t total = program->totals[fault->call], last = 0;
    unsigned up = 0, ended = 0;
    for (unsigned place = 0; place < START_PLACES; place++) {
        uint64_t nth = 1 + total * place / START_PLACES;
        if (nth > last && (total > 0 || place == 0))
            start_once(program, fault, nth, 1, &up, &ended);
        last = nth;
    }
    /* What nobody can connect to is never seen to be ready. */
    if (fault->error != EINTR && fault->error != SHIM_SHORT)
        start_once(program, fault, 1, fault->call == SHIM_ACCEPT ? START_ROW : program->row, &up,
                   &ended);
    program->tally->runs += up + ended;
    (void)printf("%-10s %-24s of %5lu calls: %u came up, %u ended\n", program->name, fault->name,
                 (unsigned long)total, up, ended);
}

static void program_sweep(struct program *program)
{
    const char *only = getenv("CLEAT_SHIM_ONLY");
    program->port = child_port();
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* only how soon lines come */
    count_calls(program);
    for (size_t i = 0; i < SHIM_FAULTS; i++)
        if (!only || strcmp(only, shim_faults[i].name) == 0)
            fault_run(program, &shim_faults[i]);
    if (only)
        program->tally->least = 1;
    shimmed_fini(&program->shimmed);
}

START_TEST(test_serve)
{
    static struct program program;
    struct cleat_tally tally = {
        .name = "syscall-start", .least = 30, .note = "system calls fail while programs start"};
    program = (struct program){.row = SHIMMED_EVER,
                               .name = "serve",
                               .tally = &tally,
                               .start = serve_start,
                               .is_ready = serve_is_ready};
    shimmed_init(&program.shimmed);
    serve_open(&program);
    program_sweep(&program);
    cluster_close(&program.cluster);
    cleat_tally_end(&tally);
}
END_TEST

START_TEST(test_apiserver)
{
    static struct program program;
    struct cleat_tally tally = {
        .name = "syscall-start", .least = 20, .note = "system calls fail while programs start"};
    program = (struct program){.name = "apiserver",
                               .row = START_ROW,
                               .tally = &tally,
                               .start = apiserver_start,
                               .is_ready = apiserver_is_ready};
    shimmed_init(&program.shimmed);
    (void)snprintf(program.config, PATH_MAX, "%s",
                   cleat_temp_dir_path(&program.shimmed.dir, "config"));
    program_sweep(&program);
    cleat_tally_end(&tally);
}
END_TEST

CLEAT_SUITE_MAIN("syscalls, start", test_serve, test_apiserver)
