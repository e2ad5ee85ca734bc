/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets that are planted wherever a secret may come from: a whole `cleat serve` at its most
 * talkative, on good paths and on bad ones. None of them may be in a log, a metric, an event, an
 * answer or an error, as it is or in base64 or hex.
 */
#include <ctype.h>
#include <signal.h>

/* Scrapes are large. */
#define HTTP_CLIENT_BYTES (1 << 20)

#include "base/mem.h"
#include "client/file.h"
#include "integration/cluster_install.h"
#include "integration/http_client.h"
#include "kube/base64.h"
#include "support/child.h"
#include "support/suite.h"
#include "support/tally.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define LIMIT_MS 60000
#define CANARY_BYTES 33
#define OUTPUT_BYTES_MAX ((size_t)64 * 1024 * 1024)

enum canary {
    CANARY_DATA,       /* of the Secret that is mirrored, and of one that is in the way */
    CANARY_CHANGED,    /* what somebody writes into a copy */
    CANARY_APPLIED,    /* in an annotation that repeats the Secret */
    CANARY_EXTRA,      /* of a reviewed user */
    CANARY_BODY,       /* of malformed reviews */
    CANARY_HEADER,     /* Authorization of scrapes and reviews */
    CANARY_TOKEN,      /* of a kubeconfig that the server refuses */
    CANARY_CLIENT_KEY, /* of a kubeconfig that can't be used */
    CANARY_EXEC,       /* what a plugin prints, and makes no sense */
    CANARY_PASSWORD,   /* of a kubeconfig */
    CANARIES,
};

struct world {
    struct cluster cluster;
    struct cleat_temp_dir dir;
    struct child child;
    int port, metrics_port, health_port;
    char canaries[CANARIES + 1][CANARY_BYTES * 8]; /* the last: the token that works */
    struct cleat_buffer output;                    /* everything that could be read */
    struct cleat_tally tally;
};

static const struct cleat_resource namespaces = {.gvk = {"", "v1", "Namespace"},
                                                 .plural = "namespaces"};
static const struct cleat_resource secrets = {
    .gvk = {"", "v1", "Secret"}, .plural = "secrets", .namespaced = true};
static const struct cleat_resource mirrors = {.gvk = {"cleat.dev", "v1alpha1", "Mirror"},
                                              .plural = "mirrors"};
static const struct cleat_resource events = {
    .gvk = {"events.k8s.io", "v1", "Event"}, .plural = "events", .namespaced = true};

static void canary_make(char *text)
{
    unsigned char bytes[16];
    cleat_clock_random(cleat_clock_system(), bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static void base64_of(const char *text, struct cleat_buffer *ret)
{
    cleat_buffer_init(ret, 4096);
    ck_assert_int_eq(cleat_base64_encode(ret, cleat_str_of(text)), 0);
}

/* @template with its marks %s replaced by @first, then by @second. */
static void fill(char *text, size_t size, const char *template, const char *first,
                 const char *second)
{
    size_t used = 0;
    for (const char *mark = NULL; (mark = strstr(template, "%s")); template = mark + 2) {
        used += (size_t)snprintf(text + used, size - used, "%.*s%s", (int)(mark - template),
                                 template, first);
        ck_assert_uint_lt(used, size);
        first = second;
    }
    (void)snprintf(text + used, size - used, "%s", template);
}

/* ---- looking for them ---- */

static void look_for(struct world *world, const char *what, const char *needle, size_t canary)
{
    world->tally.injections++;
    if (!memmem(world->output.data, world->output.length, needle, strlen(needle)))
        return;
    const char *at = memmem(world->output.data, world->output.length, needle, strlen(needle));
    size_t begin = (size_t)(at - world->output.data);
    size_t from = begin > 160 ? begin - 160 : 0;
    (void)fprintf(stderr, "canary %zu as %s: %.*s\n", canary, what, 320, world->output.data + from);
    world->tally.wrong++;
}

static void look(struct world *world)
{
    for (size_t i = 0; i <= CANARIES; i++) {
        const char *canary = world->canaries[i];
        if (!canary[0])
            continue; /* no token works */
        char hex[CANARY_BYTES * 16 + 1];
        look_for(world, "it is", canary, i);
        for (size_t skip = 0; skip < 3; skip++) {
            struct cleat_buffer encoded;
            base64_of(canary + skip, &encoded);
            encoded.data[encoded.length / 4 * 4 - 4] = '\0'; /* the last group mixes with others */
            look_for(world, "base64", encoded.data, i);
            cleat_buffer_fini(&encoded);
        }
        for (size_t k = 0; canary[k]; k++)
            (void)snprintf(hex + 2 * k, 3, "%02x", (unsigned char)canary[k]);
        look_for(world, "hex", hex, i);
    }
}

/* That what was looked through is what it should be. */
static void expect(struct world *world, const char *words)
{
    ck_assert_msg(memmem(world->output.data, world->output.length, words, strlen(words)) != NULL,
                  "nothing says %s", words);
}

static void take_log(struct world *world, const char *name)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(OUTPUT_BYTES_MAX);
    ck_assert_int_eq(cleat_file_read(cleat_temp_dir_path(&world->dir, name), false, &text, NULL),
                     0);
    ck_assert_uint_gt(text.length, 0);
    for (size_t i = 0; i < text.length; i++)
        if (iscntrl((unsigned char)text.data[i]) && text.data[i] != '\n') {
            (void)fprintf(stderr, "%s: byte %02x\n", name, (unsigned char)text.data[i]);
            world->tally.wrong++;
            break;
        }
    cleat_buffer_str(&world->output, cleat_buffer_view(&text));
    cleat_buffer_fini(&text);
}

/* ---- the good paths, and what goes wrong on them ---- */

static void make_secret(struct world *world, const char *namespace_, enum canary canary)
{
    char json[2048];
    struct cleat_buffer data;
    base64_of(world->canaries[canary], &data);
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\","
                   "\"namespace\":\"%s\",\"annotations\":{"
                   "\"kubectl.kubernetes.io/last-applied-configuration\":\"{%s}\"}},\"data\":{"
                   "\"k\":\"%s\"}}",
                   namespace_, world->canaries[CANARY_APPLIED], data.data);
    ck_assert_int_eq(cluster_make(&world->cluster, &secrets, namespace_, json), 0);
    cleat_buffer_fini(&data);
}

static void make_things(struct world *world)
{
    static const char *const names[] = {"platform", "a", "b", "c"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char json[256];
        (void)snprintf(json, sizeof(json),
                       "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":"
                       "\"%s\",\"labels\":{\"team\":\"%s\"}}}",
                       names[i], i > 0 ? "true" : "false");
        ck_assert_int_eq(cluster_make(&world->cluster, &namespaces, NULL, json), 0);
    }
    make_secret(world, "platform", CANARY_DATA);
    make_secret(world, "b", CANARY_DATA); /* in the way */
}

static bool ready(struct world *world)
{
    static struct http_client client; /* large ones; one thread */
    static struct http_reply reply;
    memset(&reply, 0, sizeof(reply));
    if (http_client_open(&client, (uint16_t)world->health_port, false) &&
        http_client_text(&client, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        http_client_read(&client, &reply, false);
    http_client_close(&client);
    return reply.status == 200;
}

/* One request to a TLS port; what comes back is kept. */
static int ask(struct world *world, int port, const char *method, const char *path,
               const char *headers, const char *body)
{
    static struct http_client client; /* large ones; one thread */
    static struct http_reply reply;
    char head[1024];
    memset(&reply, 0, sizeof(reply));
    (void)snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, path,
                   headers);
    if (body)
        (void)snprintf(head + strlen(head), sizeof(head) - strlen(head),
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    (void)snprintf(head + strlen(head), sizeof(head) - strlen(head), "\r\n");
    if (http_client_open(&client, (uint16_t)port, true) && http_client_text(&client, head) &&
        (!body || http_client_text(&client, body)))
        http_client_read(&client, &reply, false);
    http_client_close(&client);
    cleat_buffer_text(&world->output, reply.head);
    cleat_buffer_text(&world->output, reply.body);
    return reply.status;
}

static void scrape(struct world *world, const char *token, int wanted)
{
    char header[512];
    (void)snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", token);
    int status = ask(world, world->metrics_port, "GET", "/metrics", header, NULL);
    ck_assert_msg(status == wanted, "metrics: %d, not %d", status, wanted);
}

/* Reviews with canaries in every place, whole ones and broken ones. */
static void review(struct world *world)
{
    static const char *const bodies[] = {
        "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{"
        "\"uid\":\"u\",\"kind\":{\"group\":\"cleat.dev\",\"version\":\"v1alpha1\",\"kind\":"
        "\"Mirror\"},\"operation\":\"CREATE\",\"userInfo\":{\"username\":\"eve\\u001b[31m\\n\","
        "\"extra\":{\"secret\":[\"%s\"]}},\"object\":{\"metadata\":{\"name\":\"x\\u0007\"},"
        "\"spec\":{\"source\":{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"namespace\":"
        "\"platform\",\"name\":\"s\"},\"targets\":{\"namespaces\":[\"a\"]}},\"data\":{\"k\":"
        "\"%s\"}}}}",
        "{\"apiVersion\":\"admission.k8s.io/v1\",\"extra\":\"%s\",\"data\":\"%s\"}",
        "{\"%s\":{\"%s\":[[[",
        "%s %s",
        "{\"a\":\"%s\xff%s\"}",
        "{\"a\":\"%s\",\"a\":\"%s\"}",
    };
    static const char *const paths[] = {"/mutate-cleat-dev-v1alpha1-mirror",
                                        "/validate-cleat-dev-v1alpha1-mirror",
                                        "/validate-cleat-dev-copies", "/convert", "/nowhere"};
    char body[2048], header[256];
    (void)snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n",
                   world->canaries[CANARY_HEADER]);
    for (size_t p = 0; p < sizeof(paths) / sizeof(paths[0]); p++) {
        for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
            fill(body, sizeof(body), bodies[i], world->canaries[CANARY_EXTRA],
                 world->canaries[CANARY_BODY]);
            ck_assert_int_ne(ask(world, world->port, "POST", paths[p], header, body), 0);
        }
    }
}

static bool copied(struct world *world, enum canary canary)
{
    struct cleat_buffer data;
    base64_of(world->canaries[canary], &data);
    bool has = cluster_has(&world->cluster, &secrets, "a", "s", "data.k", data.data);
    cleat_buffer_fini(&data);
    return has;
}

static void mirror(struct world *world)
{
    char json[512];
    struct cleat_buffer changed;
    ck_assert_int_eq(
        cluster_make(&world->cluster, &mirrors, NULL,
                     "{\"apiVersion\":\"cleat.dev/v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{"
                     "\"name\":\"m\"},\"spec\":{\"source\":{\"apiVersion\":\"v1\",\"kind\":"
                     "\"Secret\",\"namespace\":\"platform\",\"name\":\"s\"},\"targets\":{"
                     "\"namespaceSelector\":{\"matchLabels\":{\"team\":\"true\"}}}}}"),
        0);
    CLEAT_WAIT_FOR(copied(world, CANARY_DATA), LIMIT_MS);
    /* Denied, refused, broken: each path that may be tempted to say what it has. */
    base64_of(world->canaries[CANARY_CHANGED], &changed);
    (void)snprintf(json, sizeof(json), "{\"data\":{\"k\":\"%s\"}}", changed.data);
    ck_assert_int_ne(cluster_patch(&world->cluster, &secrets, "a", "s", json), 0);
    static const int codes[] = {500, 403, 422, 409};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        const struct cleat_fault fault = {
            .method = "PUT", .path = "/api/v1/namespaces/", .status = codes[i], .times = 1};
        ck_assert_int_gt(cleat_apiserver_fault(world->cluster.server, &fault), 0);
    }
    uint64_t puts =
        cleat_apiserver_requests(world->cluster.server, "PUT", "/api/v1/namespaces/", NULL);
    ck_assert_int_eq(cluster_patch(&world->cluster, &secrets, "platform", "s", json), 0);
    CLEAT_WAIT_FOR(
        cleat_apiserver_requests(world->cluster.server, "PUT", "/api/v1/namespaces/", NULL) > puts,
        LIMIT_MS);
    cleat_apiserver_fault_clear(world->cluster.server, 0);
    /* Something new, so that nobody waits for a back-off to end. */
    ck_assert_int_eq(cluster_patch(&world->cluster, &secrets, "platform", "s",
                                   "{\"metadata\":{\"labels\":{\"touched\":\"yes\"}}}"),
                     0);
    CLEAT_WAIT_FOR(copied(world, CANARY_CHANGED), LIMIT_MS);
    cleat_buffer_fini(&changed);
}

static void take_events(struct world *world)
{
    const struct cleat_client_target target = {.resource = &events};
    struct cleat_object *list = NULL;
    ck_assert_int_eq(cleat_client_list(world->cluster.admin, &target, NULL, &list, NULL), 0);
    ck_assert_int_eq(cleat_object_write(list, &world->output, NULL), 0);
    cleat_object_unref(list);
    const struct cleat_client_target all = {.resource = &mirrors};
    ck_assert_int_eq(cleat_client_list(world->cluster.admin, &all, NULL, &list, NULL), 0);
    ck_assert_int_eq(cleat_object_write(list, &world->output, NULL), 0);
    cleat_object_unref(list);
}

static void serve(struct world *world, const char *config, const char *log, const char *more)
{
    char line[4096];
    (void)snprintf(line, sizeof(line),
                   CLEAT_BINARY_DIR "/cleat serve --kubeconfig=%s --log-level=debug "
                                    "--webhook-bind-address=127.0.0.1:%d "
                                    "--health-probe-bind-address=127.0.0.1:%d "
                                    "--metrics-bind-address=127.0.0.1:%d "
                                    "--webhook-url=https://127.0.0.1:%d --drain-delay=100ms %s",
                   cleat_temp_dir_path(&world->dir, config), world->port, world->health_port,
                   world->metrics_port, world->port, more);
    child_start(&world->child, line, cleat_temp_dir_path(&world->dir, log));
}

static void world_open(struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->tally = (struct cleat_tally){
        .name = "canaries", .least = 50, .note = "planted secrets looked for in all that is said"};
    cleat_buffer_init(&world->output, OUTPUT_BYTES_MAX);
    for (size_t i = 0; i < CANARIES; i++)
        canary_make(world->canaries[i]);
    world->port = child_port();
    world->metrics_port = child_port();
    world->health_port = child_port();
    cluster_open(&world->cluster);
    cleat_temp_dir_init(&world->dir);
    cluster_install(&world->cluster, world->port);
    make_things(world);
}

static void world_close(struct world *world)
{
    look(world);
    cluster_close(&world->cluster);
    cleat_temp_dir_fini(&world->dir);
    cleat_buffer_fini(&world->output);
    cleat_tally_end(&world->tally);
}

START_TEST(test_server)
{
    struct world world;
    char *text = NULL;
    world_open(&world);
    ck_assert_int_eq(
        cleat_apiserver_kubeconfig_text(world.cluster.server, "cleat", NULL, &text, NULL), 0);
    cleat_temp_dir_write(&world.dir, "config", text);
    const char *token = strstr(text, "\"token\":");
    ck_assert_ptr_nonnull(token);
    (void)sscanf(token, "\"token\": \"%255[^\"]", world.canaries[CANARIES]); /* told below */
    ck_assert_uint_gt(strlen(world.canaries[CANARIES]), 8);
    cleat_free(text);
    serve(&world, "config", "log", "");
    CLEAT_WAIT_FOR(ready(&world), LIMIT_MS);
    mirror(&world);
    review(&world);
    scrape(&world, world.canaries[CANARY_HEADER], 401);
    scrape(&world, world.canaries[CANARIES], 200);
    take_events(&world);
    child_end(&world.child, SIGTERM, LIMIT_MS);
    take_log(&world, "log");
    expect(&world, "\"level\":\"debug\"");
    expect(&world, "\"msg\":\"reconcile failed\"");
    expect(&world, "# TYPE cleat_");
    expect(&world, "\"reason\":\"Conflict\"");
    world.tally.runs++;
    world_close(&world);
}
END_TEST

/* Configs that can't be used: the error says what is wrong, not with what. */
START_TEST(test_configs)
{
    static const struct {
        const char *user;
        enum canary canary;
    } users[] = {
        {"{token: %s}", CANARY_TOKEN},
        {"{token: \"%s\\n\\x1b\"}", CANARY_TOKEN},
        {"{client-key-data: \"%s\", client-certificate-data: \"aGFsbG8=\"}", CANARY_CLIENT_KEY},
        {"{username: u, password: [%s]}", CANARY_PASSWORD},
        {"{username: u, password: %s, token: x, exec: 7}", CANARY_PASSWORD},
        {"{token: %s, unknown: {a: b}", CANARY_TOKEN},
        {"{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: "
         "echo, args: ['{\"status\":{\"token\":\"%s\\n\"}}']}}",
         CANARY_EXEC},
        {"{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: "
         "echo, args: ['%s']}}",
         CANARY_EXEC},
    };
    struct world world;
    world_open(&world);
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        char user[512], text[8192], config[32], log[32];
        struct cleat_buffer ca;
        base64_of(cleat_apiserver_ca(world.cluster.server), &ca);
        (void)snprintf(config, sizeof(config), "config%zu", i);
        (void)snprintf(log, sizeof(log), "log%zu", i);
        fill(user, sizeof(user), users[i].user, world.canaries[users[i].canary], "");
        (void)snprintf(
            text, sizeof(text),
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n"
            "  context: {cluster: k, user: u}\nclusters:\n- name: k\n  cluster: {server: "
            "\"%s\", certificate-authority-data: %s}\nusers:\n- name: u\n  user: %s\n",
            cleat_apiserver_url(world.cluster.server), ca.data, user);
        cleat_temp_dir_write(&world.dir, config, text);
        serve(&world, config, log, "--start-timeout=1s");
        CLEAT_WAIT_FOR(child_ended(&world.child), LIMIT_MS);
        ck_assert_msg(!child_exited(&world.child, 0), "%s", user);
        take_log(&world, log);
        cleat_buffer_fini(&ca);
        world.tally.runs++;
    }
    world_close(&world);
}
END_TEST

CLEAT_SUITE_MAIN("canaries", test_server, test_configs)
