/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program as a user who errs runs it: a child process, what it says, how it ends. One line on
 * stderr that names the flag or file and the fact; status 2 for usage, 1 for the rest; and it ends.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/mem.h"
#include "client/file.h"
#include "integration/cluster.h"
#include "integration/http_client.h"
#include "kube/yaml.h"
#include "support/suite.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define LIMIT_MS 60000 /* sanitizers on a busy machine; what is fast has a limit of its own */
#define ARGUMENTS_MAX 24
#define OFF "--metrics-bind-address=0 --health-probe-bind-address=0"
#define QUIET "--webhook-bind-address=127.0.0.1:0 " OFF

extern char **environ;

static struct cleat_temp_dir dir;

/* ---- a child ---- */

struct child {
    pid_t pid;
    int status; /* of wait */
    char errors[16384];
    char output[65536];
};

static void file_text(const char *name, char *text, size_t size)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1 << 20);
    ck_assert_int_eq(cleat_file_read(cleat_temp_dir_path(&dir, name), false, &buffer, NULL), 0);
    (void)snprintf(text, size, "%.*s", (int)buffer.length, buffer.data ? buffer.data : "");
    cleat_buffer_fini(&buffer);
}

/* The words of @line after the program's name; "%" is the test's folder. */
static void child_start(struct child *child, const char *line)
{
    char words[4096] = "", program[PATH_MAX], name[] = "cleat";
    char *argv[ARGUMENTS_MAX + 2] = {name};
    size_t length = 0, count = 1;
    posix_spawn_file_actions_t actions;
    for (const char *c = line; *c; c++)
        length += (size_t)snprintf(words + length, sizeof(words) - length, "%s",
                                   *c == '%' ? dir.path : (const char[]){*c, '\0'});
    for (char *save, *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        ck_assert_uint_lt(count, ARGUMENTS_MAX);
        argv[count++] = word;
    }
    (void)snprintf(program, sizeof(program), "%s/cleat", CLEAT_BINARY_DIR);
    *child = (struct child){0};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, cleat_temp_dir_path(&dir, "out"),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, cleat_temp_dir_path(&dir, "err"),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int failed = posix_spawn(&child->pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    ck_assert_msg(failed == 0, "%s: %s", program, strerror(failed));
}

static bool child_ended(struct child *child)
{
    return child->pid == 0 ||
           (waitpid(child->pid, &child->status, WNOHANG) == child->pid && !(child->pid = 0));
}

/* Its exit status; what it wrote is in @child. */
static int child_wait(struct child *child, const char *line)
{
    CLEAT_WAIT_FOR(child_ended(child), LIMIT_MS);
    file_text("out", child->output, sizeof(child->output));
    file_text("err", child->errors, sizeof(child->errors));
    ck_assert_msg(WIFEXITED(child->status), "cleat %s: wait status %d: %s", line, child->status,
                  child->errors);
    return WEXITSTATUS(child->status);
}

static int child_run(struct child *child, const char *line)
{
    child_start(child, line);
    return child_wait(child, line);
}

static bool child_said(const char *words)
{
    char text[16384];
    file_text("err", text, sizeof(text));
    return strstr(text, words) != NULL;
}

/* The lines of stderr that aren't the log. */
static void one_line(const struct child *child, const char *line, const char *words)
{
    const char *told = NULL;
    size_t lines = 0;
    for (const char *at = child->errors; *at; at += strcspn(at, "\n") + 1) {
        if (*at != '{') {
            told = at;
            lines++;
        }
        ck_assert_msg(strchr(at, '\n'), "cleat %s: an unfinished line: %s", line, at);
    }
    ck_assert_msg(lines == 1, "cleat %s: %zu lines: %s", line, lines, child->errors);
    ck_assert_msg(strncmp(told, "cleat", 5) == 0 && strstr(told, words),
                  "cleat %s: no \"%s\" in: %s", line, words, told);
}

static void fails(const char *line, int status, const char *words)
{
    struct child child;
    int got = child_run(&child, line);
    ck_assert_msg(got == status, "cleat %s: status %d: %s", line, got, child.errors);
    one_line(&child, line, words);
}

/* A home of its own: no kubeconfig of whoever runs this. */
static void open_folder(void)
{
    cleat_temp_dir_init(&dir);
    ck_assert_int_eq(setenv("HOME", dir.path, 1), 0);
    ck_assert_int_eq(unsetenv("KUBECONFIG"), 0);
}

/* ---- usage ---- */

START_TEST(test_usage)
{
    open_folder();
    static const struct {
        const char *line;
        const char *words;
    } cases[] = {
        {"", "a command is missing"},
        {"frobnicate", "unknown command \"frobnicate\""},
        {"serve --frob", "unknown flag --frob"},
        {"serve frob", "unexpected argument \"frob\""},
        {"serve -x", "unexpected argument \"-x\""},
        {"serve --log-level", "--log-level needs a value"},
        {"serve --log-level=loud", "--log-level: \"loud\" isn't debug or info or warn or error"},
        {"serve --log-format=xml", "--log-format: \"xml\" isn't json or text"},
        {"serve --start-timeout=5", "--start-timeout: \"5\" isn't a duration"},
        {"serve --start-timeout=-5s", "--start-timeout: \"-5s\" isn't a duration"},
        {"serve --webhook-max-body-bytes=1.5", "--webhook-max-body-bytes: \"1.5\" isn't a number"},
        {"serve --webhook-max-body-bytes=0", "--webhook-max-body-bytes is 0"},
        {"serve --webhook-max-body-bytes=65Mi", "--webhook-max-bytes-in-flight is less than"},
        {"serve --leader-elect=maybe", "--leader-elect: \"maybe\" isn't true or false"},
        {"serve --leader-elect-lease-duration=5s", "--leader-elect-lease-duration isn't longer"},
        {"serve --leader-elect-retry-period=0s", "--leader-elect-renew-deadline isn't longer"},
        {"serve --leader-elect-id=", "--leader-elect-id: \"\" isn't the name of a lease"},
        {"serve --leader-elect-namespace=A/b", "--leader-elect-namespace: \"A/b\" isn't a names"},
        {"serve --leader-elect-resource-lock=endpoints",
         "--leader-elect-resource-lock: \"endpoints\" isn't leases or configmaps"},
        {"serve --leader-elect-on-loss=hope", "--leader-elect-on-loss: \"hope\" isn't exit or"},
        {"serve --stop-timeout=0s", "--stop-timeout isn't longer than 0"},
        {"serve --drain-delay=10s", "--drain-delay isn't shorter than --stop-timeout"},
        {"serve --webhook-cert-lifetime=0s", "--webhook-cert-lifetime is less than a second"},
        {"serve --webhook-cert-lifetime=1500ms", "--webhook-cert-lifetime is less than a second"},
        {"serve --webhook-cert-lifetime=5s --webhook-ca-lifetime=4s",
         "--webhook-ca-lifetime is shorter than --webhook-cert-lifetime"},
        {"serve --webhook-ca-lifetime=1000000h", "--webhook-ca-lifetime is longer than 100 years"},
        {"serve --webhook-url=http://x", "--webhook-url: \"http://x\" isn't a URL"},
        {"serve --webhook-url=https://", "--webhook-url: \"https://\" isn't a URL"},
        {"serve --webhook-bind-address=0", "--webhook-bind-address: \"0\" isn't an address"},
        {"serve --webhook-bind-address=", "--webhook-bind-address: \"\" isn't an address"},
        {"serve --webhook-bind-address=:65536", "--webhook-bind-address: \":65536\" isn't an"},
        {"serve --metrics-bind-address=8443", "--metrics-bind-address: \"8443\" isn't an address"},
        {"serve --health-probe-bind-address=:x", "--health-probe-bind-address: \":x\" isn't an"},
        {"apiserver --frob", "unknown flag --frob"},
        {"apiserver --listen nonsense", "nonsense"},
        {"apiserver --listen 0.0.0.0:0", "only loopback addresses"},
        {"demo --frob", "unknown flag --frob"},
        {"manifests --kinds=Pod", "\"Pod\" is never mirrored"},
        {"manifests --replicas=-1", "--replicas: \"-1\" isn't a whole number"},
        {"manifests --certs=x", "--certs: \"x\" isn't self or cert-manager"},
        {"manifests --namespace=Bad_", "\"Bad_\" isn't a namespace"},
        {"manifests --webhook-url=ftp://x", "\"ftp://x\" isn't a URL"},
        {"version -o yaml", "--output: \"yaml\" isn't text or json"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        fails(cases[i].line, 2, cases[i].words);
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_help)
{
    open_folder();
    static const struct {
        const char *line;
        const char *words;
    } cases[] = {
        {"--help", "\n  manifests "},
        {"help", "usage: cleat COMMAND"},
        {"serve --help", "--webhook-max-bytes-in-flight BYTES"},
        {"serve --frob --help", "--leader-elect "},
        {"apiserver -h", "--write-kubeconfig FILE"},
        {"demo --help", "--step "},
        {"manifests --help", "--allow-kind KIND[.GROUP]"},
        {"version --help", "--output "},
        {"version", "libcurl"},
        {"version -o json", "\"commit\""},
        {"manifests --crds", "kind: CustomResourceDefinition"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct child child;
        ck_assert_msg(child_run(&child, cases[i].line) == 0, "cleat %s", cases[i].line);
        ck_assert_str_eq(child.errors, "");
        ck_assert_msg(strstr(child.output, cases[i].words), "cleat %s: no \"%s\" in %s",
                      cases[i].line, cases[i].words, child.output);
    }
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_config_file)
{
    open_folder();
#define CONFIG "apiVersion: config.cleat.dev/v1alpha1\nkind: CleatConfig\n"
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {CONFIG "logLevel: loud\n", "config.yaml:3: logLevel: \"loud\" isn't debug"},
        {CONFIG "\nlogLevl: info\n", "config.yaml:4: unknown key logLevl"},
        {CONFIG "config: other.yaml\n", "config.yaml:3: unknown key config"},
        {CONFIG "startTimeout: 5\n", "config.yaml:3: startTimeout: \"5\" isn't a duration"},
        {CONFIG "leaderElect: \"yes\"\n", "config.yaml:3: leaderElect: \"yes\" isn't true or"},
        {CONFIG "logLevel: info\nlogLevel: warn\n", "config.yaml: line 4"},
        {CONFIG "leaderElectRenewDeadline: 20s\n", "--leader-elect-lease-duration isn't longer"},
        {"apiVersion: v1\nkind: Pod\n", "config.yaml: not a CleatConfig"},
        {"a: [b\n", "config.yaml: line 2"},
        {"", "config.yaml: there is no YAML document"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cleat_temp_dir_write(&dir, "config.yaml", cases[i].text);
        fails("serve --config=%/config.yaml", 2, cases[i].words);
    }
    fails("serve --config=%/none.yaml", 1, "none.yaml: No such file or directory");
    fails("serve --config=%", 1, ": is a directory");
    /* A flag wins over the file, and what is right in the file counts. */
    cleat_temp_dir_write(&dir, "config.yaml", CONFIG "kubeconfig: /none/at/all\nlogLevel: loud\n");
    fails("serve --config=%/config.yaml --log-level=info", 1, "/none/at/all");
    cleat_temp_dir_fini(&dir);
}
END_TEST

/* ---- the way to the API server ---- */

#define DEAD_CONFIG                                                                         \
    "{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"current-context\":\"c\",\"clusters\":[{"  \
    "\"name\":\"c\",\"cluster\":{\"server\":\"%s\"}}],\"users\":[{\"name\":\"u\",\"user\":" \
    "{\"token\":\"t\"}}],\"contexts\":[{\"name\":\"c\",\"context\":{\"cluster\":\"c\","     \
    "\"user\":\"u\"}}]}"

/* A kubeconfig of a server that listens at @port, or doesn't. */
static void write_config(const char *name, uint16_t port)
{
    char text[1024], url[64];
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d", port);
    (void)snprintf(text, sizeof(text), DEAD_CONFIG, url);
    cleat_temp_dir_write(&dir, name, text);
}

/* A socket that listens, but never answers; its port. */
static int silent_server(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static uint16_t free_port(void)
{
    uint16_t port;
    ck_assert_int_eq(close(silent_server(&port)), 0);
    return port;
}

START_TEST(test_kubeconfig)
{
    open_folder();
    char words[64];
    uint16_t port = free_port();
    write_config("dead", port);
    cleat_temp_dir_write(&dir, "broken", "nonsense");
    cleat_temp_dir_write(&dir, "nowhere", "{\"apiVersion\":\"v1\",\"kind\":\"Config\"}");
    fails("serve", 1, "no kubeconfig");
    fails("serve --kubeconfig=%/none", 1, "none: No such file or directory");
    fails("serve --kubeconfig=%", 1, "is a directory");
    fails("serve --kubeconfig=%/broken", 1, "broken: is no kubeconfig");
    fails("serve --kubeconfig=%/nowhere", 1, "nowhere");
    fails("serve --kubeconfig=%/dead --context=other", 1, "dead: there is no context \"other\"");
    (void)snprintf(words, sizeof(words), "https://127.0.0.1:%d", port);
    fails("serve --kubeconfig=%/dead --start-timeout=100ms " QUIET, 1, words);
    fails("serve --kubeconfig=%/dead --start-timeout=0s " QUIET, 1, "--start-timeout");
    fails("serve --kubeconfig=%/dead --webhook-cert-path=%/none " QUIET, 1, "--webhook-cert-path");
    cleat_temp_dir_fini(&dir);
}
END_TEST

/* Replaces what stands between @from and the next quote in the file @name. */
static void edit_config(const char *name, const char *from, const char *with)
{
    static char text[65536], edited[65536];
    file_text(name, text, sizeof(text));
    char *start = strstr(text, from);
    ck_assert_ptr_nonnull(start);
    start += strlen(from);
    char *end = strchr(start, '"');
    (void)snprintf(edited, sizeof(edited), "%.*s%s%s", (int)(start - text), text, with, end);
    cleat_temp_dir_write(&dir, name, edited);
}

static void cluster_config(struct cluster *cluster, const char *name)
{
    char *text = NULL;
    ck_assert_int_eq(cleat_apiserver_kubeconfig_text(cluster->server, "admin", NULL, &text, NULL),
                     0);
    cleat_temp_dir_write(&dir, name, text);
    cleat_free(text);
}

/* What trying again won't mend ends it at once, whatever --start-timeout says. */
START_TEST(test_refused)
{
    open_folder();
    struct cluster cluster, other;
    cluster_open(&cluster);
    cluster_open(&other);
    cluster_config(&cluster, "token");
    edit_config("token", "\"token\":\"", "wrong");
    fails("serve --kubeconfig=%/token --start-timeout=10m " QUIET, 1, "nauthorized");
    cluster_config(&cluster, "ca");
    edit_config("ca", "\"server\":\"", cleat_apiserver_url(other.server));
    fails("serve --kubeconfig=%/ca --start-timeout=10m " QUIET, 1, "ertificate");
    cluster_close(&other);
    cluster_close(&cluster);
    cleat_temp_dir_fini(&dir);
}
END_TEST

/* Told before anything else, also where the API server is down. */
START_TEST(test_port_in_use)
{
    open_folder();
    static const char *const flags[] = {"webhook-bind-address", "metrics-bind-address",
                                        "health-probe-bind-address"};
    char line[512], words[64];
    uint16_t port;
    int fd = silent_server(&port);
    write_config("dead", free_port());
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        (void)snprintf(line, sizeof(line),
                       "serve --kubeconfig=%%/dead --start-timeout=10m %s --%s=127.0.0.1:%d", QUIET,
                       flags[i], port);
        (void)snprintf(words, sizeof(words), "--%s", flags[i]);
        fails(line, 1, words);
        (void)snprintf(words, sizeof(words), "127.0.0.1:%d: Address already in use", port);
        fails(line, 1, words);
    }
    (void)snprintf(line, sizeof(line), "apiserver --listen 127.0.0.1:%d", port);
    fails(line, 1, "ddress already in use");
    ck_assert_int_eq(close(fd), 0);
    cleat_temp_dir_fini(&dir);
}
END_TEST

/* ---- signals ---- */

/* The status of GET @path, 0 where nobody answers. */
static int get(uint16_t port, const char *path)
{
    static struct http_client client;
    static struct http_reply reply;
    char request[128];
    reply.status = 0;
    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    if (http_client_open(&client, port, false) && http_client_text(&client, request))
        http_client_read(&client, &reply, true);
    http_client_close(&client);
    return reply.status;
}

static uint16_t start_with_health(struct child *child, const char *flags)
{
    char line[512];
    uint16_t health = free_port();
    (void)snprintf(line, sizeof(line),
                   "serve --webhook-bind-address=127.0.0.1:0 --metrics-bind-address=0 "
                   "--health-probe-bind-address=127.0.0.1:%d %s",
                   health, flags);
    child_start(child, line);
    CLEAT_WAIT_FOR(child_ended(child) || get(health, "/healthz") == 200, LIMIT_MS);
    ck_assert(!child_ended(child));
    return health;
}

static void ends(struct child *child, int signal_number, int status)
{
    ck_assert_int_eq(kill(child->pid, signal_number), 0);
    int got = child_wait(child, "serve");
    ck_assert_msg(got == status, "status %d: %s", got, child->errors);
}

START_TEST(test_waiting)
{
    open_folder();
    struct child child;
    write_config("dead", free_port());
    uint16_t health = start_with_health(&child, "--kubeconfig=%/dead --start-timeout=10m");
    ck_assert_int_eq(get(health, "/readyz"), 500);
    CLEAT_WAIT_FOR(child_said("trying again"), LIMIT_MS);
    ends(&child, SIGTERM, 0);
    ck_assert(strstr(child.errors, "stopping on a signal"));
    cleat_temp_dir_fini(&dir);
}
END_TEST

/* An API server that hangs is given up with the first signal. */
START_TEST(test_impatient)
{
    open_folder();
    struct child child;
    uint16_t port;
    int fd = silent_server(&port);
    write_config("silent", port);
    start_with_health(&child, "--kubeconfig=%/silent --start-timeout=10m");
    ends(&child, SIGTERM, 0);
    ck_assert(strstr(child.errors, "stopping on a signal"));
    ck_assert(strstr(child.errors, "manager stopped"));
    ck_assert_int_eq(close(fd), 0);
    cleat_temp_dir_fini(&dir);
}
END_TEST

/* The CRD as the program prints it, and the namespace of lease and certificate. */
static void install(struct cluster *cluster)
{
    static const struct cleat_resource namespaces = {.gvk = {"", "v1", "Namespace"},
                                                     .plural = "namespaces"};
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct child child;
    ck_assert_int_eq(child_run(&child, "manifests --crds"), 0);
    ck_assert_msg(cleat_yaml_parse(cleat_str_of(child.output), &document, &err) == 0, "%s",
                  err.text);
    ck_assert_msg(cleat_apiserver_put(cluster->server, cleat_document_root(document), &err) == 0,
                  "%s", err.text);
    cleat_document_unref(document);
    ck_assert_int_eq(cluster_make(cluster, &namespaces, NULL,
                                  "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\","
                                  "\"metadata\":{\"name\":\"cleat-system\"}}"),
                     0);
}

/* Without the CRD it waits, and says for what. */
START_TEST(test_no_crd)
{
    struct cluster cluster;
    struct child child;
    open_folder();
    cluster_open(&cluster);
    cluster_config(&cluster, "live");
    uint16_t health = start_with_health(&child, "--kubeconfig=%/live");
    CLEAT_WAIT_FOR(child_said("mirrors.cleat.dev"), LIMIT_MS);
    ck_assert_int_eq(get(health, "/readyz"), 500);
    install(&cluster);
    CLEAT_WAIT_FOR(get(health, "/readyz") == 200, LIMIT_MS);
    ends(&child, SIGTERM, 0);
    cluster_close(&cluster);
    cleat_temp_dir_fini(&dir);
}
END_TEST

/* An outage after the start ends nothing. */
START_TEST(test_outage)
{
    open_folder();
    const struct cleat_fault dead = {.drop = true};
    struct cluster cluster;
    struct child child;
    cluster_open(&cluster);
    cluster_config(&cluster, "live");
    install(&cluster);
    uint16_t health = start_with_health(&child, "--kubeconfig=%/live --leader-elect");
    CLEAT_WAIT_FOR(child_said("manager started"), LIMIT_MS);
    uint64_t before = cleat_apiserver_requests(cluster.server, NULL, NULL, NULL);
    int fault = cleat_apiserver_fault(cluster.server, &dead);
    ck_assert_int_gt(fault, 0);
    CLEAT_WAIT_FOR(cleat_apiserver_requests(cluster.server, NULL, NULL, NULL) > before + 2,
                   LIMIT_MS);
    ck_assert_int_eq(get(health, "/healthz"), 200);
    cleat_apiserver_fault_clear(cluster.server, fault);
    before = cleat_apiserver_requests(cluster.server, NULL, NULL, NULL);
    CLEAT_WAIT_FOR(cleat_apiserver_requests(cluster.server, NULL, NULL, NULL) > before + 2,
                   LIMIT_MS);
    ck_assert(!child_ended(&child));
    ends(&child, SIGTERM, 0);
    cluster_close(&cluster);
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_apiserver_ends)
{
    open_folder();
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct child child;
        child_start(&child, "apiserver --write-kubeconfig=%/written");
        do {
            cleat_wait_moment();
            file_text("out", child.output, sizeof(child.output));
            ck_assert(!child_ended(&child));
        } while (!strchr(child.output, '\n'));
        ck_assert_int_eq(strncmp(child.output, "https://127.0.0.1:", 18), 0);
        ends(&child, signals[i], 0);
        ck_assert_str_eq(child.errors, "");
    }
    fails("apiserver --write-kubeconfig=%/none/x", 1, "none/x: No such file or directory");
    fails("apiserver --token-file=%/none", 1, "none: No such file or directory");
    cleat_temp_dir_fini(&dir);
}
END_TEST

CLEAT_SUITE_MAIN("command", test_usage, test_help, test_config_file, test_kubeconfig, test_refused,
                 test_port_in_use, test_waiting, test_impatient, test_no_crd, test_outage,
                 test_apiserver_ends)
