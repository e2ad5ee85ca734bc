/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator sees of a running `cleat serve`: its metrics as Prometheus scrapes them, with a
 * token and over TLS. Alert rules and dashboard name nothing that isn't there, the manual names all
 * that is, promtool has nothing to say, and no secret is told by metrics or log.
 */
#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cleat/kubeconfig.h>

#include "base/limits.h"
#include "base/mem.h"
#include "integration/cluster_install.h"
#include "integration/http_client.h"
#include "support/child.h"
#include "support/suite.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define LIMIT_MS 40000
#define CANARY "canary-5ec2e7"
#define CANARY_BASE64 "Y2FuYXJ5LTVlYzJlNw=="
#define SERIES_MAX 1500
#define RBAC "rbac.authorization.k8s.io"

extern char **environ;

static const struct cleat_resource namespaces = {.gvk = {"", "v1", "Namespace"},
                                                 .plural = "namespaces"};
static const struct cleat_resource secrets = {
    .gvk = {"", "v1", "Secret"}, .plural = "secrets", .namespaced = true};
static const struct cleat_resource mirrors = {.gvk = {"cleat.dev", "v1alpha1", "Mirror"},
                                              .plural = "mirrors"};
static const struct cleat_resource bindings = {.gvk = {RBAC, "v1", "ClusterRoleBinding"},
                                               .plural = "clusterrolebindings"};

enum { PORT_WEBHOOK, PORT_METRICS, PORT_HEALTH, PORTS };

struct world {
    struct cluster cluster;
    struct cleat_temp_dir dir;
    int ports[PORTS];
    pid_t server;
    char *token;
    struct cleat_buffer metrics;
};

/* Somebody who was bound to the role that the manifests bring. */
static void make_reader(struct world *world)
{
    static const char *const none[] = {NULL};
    struct cleat_kubeconfig *config = NULL;
    ck_assert_int_eq(cluster_make(&world->cluster, &bindings, NULL,
                                  "{\"apiVersion\":\"" RBAC
                                  "/v1\",\"kind\":\"ClusterRoleBinding\",\"metadata\":{\"name\":"
                                  "\"reader\"},\"roleRef\":{\"apiGroup\":\"" RBAC
                                  "\",\"kind\":\"ClusterRole\",\"name\":\"cleat-metrics-reader\"},"
                                  "\"subjects\":[{\"apiGroup\":\"" RBAC
                                  "\",\"kind\":\"User\",\"name\":\"prometheus\"}]}"),
                     0);
    ck_assert_int_eq(
        cleat_apiserver_kubeconfig(world->cluster.server, "prometheus", none, &config, NULL), 0);
    world->token = cleat_mem_strdup(config->token);
    ck_assert_ptr_nonnull(world->token);
    cleat_kubeconfig_free(config);
}

static void write_config(struct world *world)
{
    char *text = NULL;
    ck_assert_int_eq(
        cleat_apiserver_kubeconfig_text(world->cluster.server, "admin", NULL, &text, NULL), 0);
    cleat_temp_dir_write(&world->dir, "config", text);
    cleat_mem_free(text);
}

static void server_start(struct world *world)
{
    char program[PATH_MAX], config[PATH_MAX], url[64], bind[PORTS][64];
    static const char *const flags[] = {"webhook", "metrics", "health-probe"};
    char name[] = "cleat", serve[] = "serve", elect[] = "--leader-elect",
         level[] = "--log-level=debug";
    posix_spawn_file_actions_t actions;
    (void)snprintf(program, sizeof(program), "%s/cleat", CLEAT_BINARY_DIR);
    (void)snprintf(config, sizeof(config), "--kubeconfig=%s",
                   cleat_temp_dir_path(&world->dir, "config"));
    (void)snprintf(url, sizeof(url), "--webhook-url=https://127.0.0.1:%d",
                   world->ports[PORT_WEBHOOK]);
    for (size_t i = 0; i < PORTS; i++)
        (void)snprintf(bind[i], sizeof(bind[i]), "--%s-bind-address=127.0.0.1:%d", flags[i],
                       world->ports[i]);
    char *const argv[] = {name, serve, config, url, bind[0], bind[1], bind[2], elect, level, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(
        &actions, STDERR_FILENO, cleat_temp_dir_path(&world->dir, "log"), O_WRONLY | O_CREAT, 0600);
    int failed = posix_spawn(&world->server, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    ck_assert_msg(failed == 0, "%s: %s", program, strerror(failed));
}

/* The whole answer to a GET, as text; "" where nobody answers. */
static void ask(struct world *world, int port, bool tls, const char *path, const char *token,
                struct cleat_buffer *answer)
{
    static struct http_client client;
    static char bytes[65536];
    char *text = token ? cleat_mem_format("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close"
                                          "\r\nAuthorization: Bearer %s\r\n\r\n",
                                          path, token)
                       : cleat_mem_format("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close"
                                          "\r\n\r\n",
                                          path);
    cleat_buffer_reset(answer);
    ck_assert_ptr_nonnull(text);
    if (http_client_open(&client, (uint16_t)port, tls) && http_client_text(&client, text)) {
        ssize_t got;
        while ((got = tls ? gnutls_record_recv(client.session, bytes, sizeof(bytes))
                          : recv(client.fd, bytes, sizeof(bytes), 0)) > 0)
            ck_assert_int_eq(cleat_buffer_append(answer, bytes, (size_t)got), 0);
    }
    http_client_close(&client);
    cleat_mem_free(text);
    ck_assert_int_eq(cleat_buffer_text(answer, ""), 0);
}

static bool answers(struct world *world, int port, bool tls, const char *path, const char *token,
                    int status)
{
    char line[32];
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(4 * CLEAT_MIB);
    ask(world, port, tls, path, token, &answer);
    (void)snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
    bool is = answer.data && strncmp(answer.data, line, strlen(line)) == 0;
    cleat_buffer_fini(&answer);
    return is;
}

static void make(struct world *world, const struct cleat_resource *resource, const char *namespace_,
                 const char *json)
{
    ck_assert_int_eq(cluster_make(&world->cluster, resource, namespace_, json), 0);
}

/* A Mirror with a copy, an attempt to change it, and secrets wherever somebody may put one. */
static void make_things(struct world *world)
{
    const struct cleat_client_target copy = {&secrets, "team", "s", NULL};
    static const char change[] = "{\"data\":{\"k\":\"Y2hhbmdlZA==\"}}";
    struct cleat_client *stranger = cluster_client(&world->cluster, "stranger");
    make(world, &namespaces, NULL,
         "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"team\"}}");
    make(world, &secrets, "default",
         "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\",\"namespace\":"
         "\"default\",\"annotations\":{\"note\":\"" CANARY "\"}},\"data\":{\"k\":\"" CANARY_BASE64
         "\"}}");
    make(world, &mirrors, NULL,
         "{\"apiVersion\":\"cleat.dev/v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"m\"},"
         "\"spec\":{\"source\":{\"kind\":\"Secret\",\"namespace\":\"default\",\"name\":\"s\"},"
         "\"targets\":{\"namespaces\":[\"team\"]}}}");
    CLEAT_WAIT_FOR(cluster_has(&world->cluster, &secrets, "team", "s", "data.k", CANARY_BASE64),
                   LIMIT_MS);
    /* Once the webhook of the copies covers Secrets, and can be called, the change is denied. */
    CLEAT_WAIT_FOR(cleat_client_patch(stranger, &copy, CLEAT_PATCH_MERGE, cleat_str_of(change),
                                      NULL, NULL, NULL) == -EACCES,
                   LIMIT_MS);
    cleat_client_unref(stranger);
}

static void world_open(struct world *world)
{
    const struct cleat_apiserver_options options = {.rbac = true};
    memset(world, 0, sizeof(*world));
    cleat_buffer_init(&world->metrics, 4 * CLEAT_MIB);
    cleat_temp_dir_init(&world->dir);
    ck_assert_int_eq(cleat_apiserver_new(&options, &world->cluster.server, NULL), 0);
    ck_assert_int_eq(cleat_apiserver_start(world->cluster.server, NULL), 0);
    world->cluster.admin = cluster_client(&world->cluster, NULL);
    for (size_t i = 0; i < PORTS; i++)
        world->ports[i] = child_port();
    cluster_install(&world->cluster, world->ports[PORT_WEBHOOK]);
    make_reader(world);
    write_config(world);
    server_start(world);
    CLEAT_WAIT_FOR(answers(world, world->ports[PORT_HEALTH], false, "/readyz", NULL, 200),
                   LIMIT_MS);
    make_things(world);
}

static void server_end(struct world *world)
{
    int status = 0;
    ck_assert_int_eq(kill(world->server, SIGTERM), 0);
    ck_assert_int_eq(waitpid(world->server, &status, 0), world->server);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status %d", status);
}

static void world_close(struct world *world)
{
    cleat_buffer_fini(&world->metrics);
    cleat_mem_free(world->token);
    cluster_close(&world->cluster);
    cleat_temp_dir_fini(&world->dir);
}

/* The body of a scrape. */
static const char *scrape(struct world *world)
{
    ask(world, world->ports[PORT_METRICS], true, "/metrics", world->token, &world->metrics);
    ck_assert_msg(strncmp(world->metrics.data, "HTTP/1.1 200 ", 13) == 0, "%.200s",
                  world->metrics.data);
    const char *end = strstr(world->metrics.data, "\r\n\r\n");
    ck_assert_ptr_nonnull(end);
    return end + 4;
}

static char *read_file(const char *path)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(16 * CLEAT_MIB);
    char bytes[4096];
    size_t got;
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "%s", path);
    while ((got = fread(bytes, 1, sizeof(bytes), file)) > 0)
        ck_assert_int_eq(cleat_buffer_append(&text, bytes, got), 0);
    fclose(file);
    ck_assert_int_eq(cleat_buffer_text(&text, ""), 0);
    return cleat_buffer_take(&text);
}

/* ---- names ---- */

static bool word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool has_family(const char *metrics, const char *name, size_t length)
{
    char line[160];
    (void)snprintf(line, sizeof(line), "\n# TYPE %.*s ", (int)length, name);
    return strstr(metrics, line) != NULL || strncmp(metrics, line + 1, strlen(line + 1)) == 0;
}

/* A family, or a histogram's part. */
static bool has_metric(const char *metrics, const char *name, size_t length)
{
    static const char *const parts[] = {"_bucket", "_sum", "_count"};
    if (has_family(metrics, name, length))
        return true;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        size_t part = strlen(parts[i]);
        if (length > part && memcmp(name + length - part, parts[i], part) == 0 &&
            has_family(metrics, name, length - part))
            return true;
    }
    return false;
}

/* Every metric that the file at @path names is in @metrics; how many names there were. */
static size_t check_names(const char *path, const char *metrics)
{
    static const char *const prefixes[] = {"cleat_",       "controller_runtime_", "workqueue_",
                                           "rest_client_", "leader_election_",    "process_",
                                           "certwatcher_"};
    char *text = read_file(path);
    size_t count = 0;
    for (const char *at = text; *at;) {
        size_t length = 0;
        while (word(at[length]))
            length++;
        for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
            if (length <= strlen(prefixes[i]) || strncmp(at, prefixes[i], strlen(prefixes[i])) != 0)
                continue;
            ck_assert_msg(has_metric(metrics, at, length), "%s: no metric %.*s", path, (int)length,
                          at);
            count++;
        }
        at += length > 0 ? length : 1;
    }
    cleat_mem_free(text);
    return count;
}

/* Every family of the scrape is in the manual. */
static void check_manual(const char *metrics)
{
    char *manual = read_file(CLEAT_SOURCE_DIR "/docs/metrics.md");
    for (const char *at = metrics; (at = strstr(at, "# TYPE ")); at++) {
        char name[160];
        const char *begin = at + strlen("# TYPE ");
        (void)snprintf(name, sizeof(name), "`%.*s`", (int)strcspn(begin, " "), begin);
        ck_assert_msg(strstr(manual, name) != NULL, "docs/metrics.md doesn't tell of %s", name);
    }
    cleat_mem_free(manual);
}

static void check_json(const char *path)
{
    char *text = read_file(path);
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_document_parse(cleat_str_of(text), &document, &err) == 0, "%s: %s", path,
                  err.text);
    ck_assert_uint_gt(cleat_value_count(cleat_value_get(cleat_document_root(document), "panels")),
                      30);
    cleat_document_unref(document);
    cleat_mem_free(text);
}

/* ---- form ---- */

static int line_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each family is told about before its samples, no sample is there twice, and they aren't many. */
static void check_form(const char *metrics)
{
    static char *series[4 * SERIES_MAX];
    size_t count = 0;
    char *text = cleat_mem_strdup(metrics);
    for (char *line = text, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        ck_assert_ptr_nonnull(next);
        *next++ = '\0';
        if (line[0] == '#')
            continue;
        char *value = strrchr(line, ' ');
        ck_assert_msg(value != NULL, "%s", line);
        *value = '\0';
        if (strstr(line, "le=\"") == NULL)
            ck_assert_uint_lt(count, SERIES_MAX);
        ck_assert_uint_lt(count, sizeof(series) / sizeof(series[0]));
        series[count++] = line;
    }
    qsort(series, count, sizeof(series[0]), line_order);
    for (size_t i = 1; i < count; i++)
        ck_assert_msg(strcmp(series[i - 1], series[i]) != 0, "twice: %s", series[i]);
    cleat_mem_free(text);
}

/* promtool has nothing to say; without promtool there is nothing to be said. */
static void check_promtool(struct world *world, const char *metrics)
{
    char program[] = "promtool", check[] = "check", what[] = "metrics";
    char *const argv[] = {program, check, what, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int status = 0;
    cleat_temp_dir_write(&world->dir, "scrape", metrics);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO,
                                     cleat_temp_dir_path(&world->dir, "scrape"), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO,
                                     cleat_temp_dir_path(&world->dir, "said"), O_WRONLY | O_CREAT,
                                     0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    int failed = posix_spawnp(&pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed == ENOENT) {
        (void)fprintf(stderr, "no promtool: its check is left out\n");
        return;
    }
    ck_assert_int_eq(failed, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    char *said = read_file(cleat_temp_dir_path(&world->dir, "said"));
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0 && said[0] == '\0', "%s", said);
    cleat_mem_free(said);
}

static void check_silence(struct world *world, const char *where, const char *text)
{
    const char *const secret[] = {CANARY, CANARY_BASE64, world->token};
    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
        ck_assert_msg(!strstr(text, secret[i]), "%s tells secret %zu", where, i);
}

START_TEST(test_metrics_of_a_server)
{
    struct world world;
    world_open(&world);
    int port = world.ports[PORT_METRICS];
    ck_assert(answers(&world, port, true, "/metrics", NULL, 401));
    ck_assert(answers(&world, port, true, "/metrics", CANARY, 401));
    const char *metrics = scrape(&world);
    check_form(metrics);
    ck_assert_uint_gt(check_names(CLEAT_SOURCE_DIR "/deploy/monitoring/rules.yaml", metrics), 20);
    ck_assert_uint_gt(check_names(CLEAT_SOURCE_DIR "/deploy/monitoring/dashboard.json", metrics),
                      50);
    check_json(CLEAT_SOURCE_DIR "/deploy/monitoring/dashboard.json");
    check_manual(metrics);
    check_promtool(&world, metrics);
    static const char *const lines[] = {
        "\ncleat_mirror_copies_ready{mirror=\"m\"} 1\n",
        "\ncleat_mirrors{reason=\"Synced\"} 1\n",
        "\nleader_election_master_status{name=\"cleat-leader\"} 1\n",
        "\ncleat_authorizer_requests_total{outcome=\"unauthenticated\"} 2\n",
        "\ncleat_watch_synced{cluster=\"local\",resource=\"secrets\"} 1\n",
        "kind=\"Secret\",operation=\"UPDATE\",outcome=\"denied\"} 1\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        ck_assert_msg(strstr(metrics, lines[i]) != NULL, "no %s", lines[i]);
    check_silence(&world, "/metrics", metrics);
    server_end(&world);
    char *log = read_file(cleat_temp_dir_path(&world.dir, "log"));
    ck_assert_ptr_nonnull(strstr(log, "became leader"));
    check_silence(&world, "the log", log);
    cleat_mem_free(log);
    world_close(&world);
}
END_TEST

CLEAT_SUITE_MAIN("monitoring", test_metrics_of_a_server)
