/* SPDX-License-Identifier: Apache-2.0 */
/* The server on real sockets: plain HTTP, spoken by hand. */
#include "apiserver/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api_fixture.h"

struct wire {
    struct cleat_apiserver *server;
    char token[128];
    uint16_t port;
};

static void wire_init(struct wire *wire)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_apiserver_options options = {.plain_http = true, .no_gc = true};
    struct cleat_kubeconfig *config = NULL;
    ck_assert_int_eq(cleat_apiserver_new(&options, &wire->server, &err), 0);
    ck_assert_msg(cleat_apiserver_start(wire->server, &err) == 0, "%s", err.text);
    ck_assert_int_eq(cleat_apiserver_kubeconfig(wire->server, "admin", NULL, &config, &err), 0);
    snprintf(wire->token, sizeof(wire->token), "%s", config->token);
    (void)cleat_kubeconfig_free(config);
    wire->port = (uint16_t)strtoul(strrchr(cleat_apiserver_url(wire->server), ':') + 1, NULL, 10);
}

static void wire_fini(struct wire *wire)
{
    wire->server = cleat_apiserver_free(wire->server);
}

static int wire_connect(const struct wire *wire)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(wire->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void wire_send(const struct wire *wire, int fd, const char *method, const char *path,
                      const char *body)
{
    char text[8192];
    int length = snprintf(text, sizeof(text),
                          "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                          "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                          method, path, wire->token, strlen(body), body);
    ck_assert_int_eq(write(fd, text, (size_t)length), length);
}

/* Reads until @words came, the end (returns false), or five seconds went by. */
static bool wire_read(int fd, struct cleat_buffer *text, const char *words)
{
    while (!words || !text->data || !strstr(text->data, words)) {
        struct pollfd look = {.fd = fd, .events = POLLIN};
        ck_assert_msg(poll(&look, 1, 5000) == 1, "nothing came after: %s",
                      text->data ? text->data : "");
        char bytes[4096];
        ssize_t got = read(fd, bytes, sizeof(bytes));
        if (got <= 0)
            return false;
        cleat_buffer_append(text, bytes, (size_t)got);
    }
    return true;
}

START_TEST(test_keep_alive)
{
    struct wire wire;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    wire_init(&wire);
    int fd = wire_connect(&wire);
    wire_send(&wire, fd, "POST", API_CONFIGMAPS, "{\"metadata\":{\"name\":\"a\"}}");
    ck_assert(wire_read(fd, &text, "\"name\":\"a\""));
    ck_assert_int_eq(strncmp(text.data, "HTTP/1.1 201", 12), 0);
    ck_assert_ptr_nonnull(strstr(text.data, "Content-Type: application/json"));
    cleat_buffer_reset(&text);
    wire_send(&wire, fd, "GET", API_CONFIGMAPS, "");
    ck_assert(wire_read(fd, &text, "]}\n"));
    ck_assert_int_eq(strncmp(text.data, "HTTP/1.1 200", 12), 0);
    ck_assert_ptr_nonnull(strstr(text.data, "Content-Length: "));
    close(fd);
    cleat_buffer_fini(&text);
    wire_fini(&wire);
}
END_TEST

START_TEST(test_watch_and_stop)
{
    struct wire wire;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    wire_init(&wire);
    int fd = wire_connect(&wire);
    int other = wire_connect(&wire);
    wire_send(&wire, fd, "GET", API_CONFIGMAPS "?watch=true", "");
    ck_assert(wire_read(fd, &text, "\r\n\r\n"));
    ck_assert_ptr_nonnull(strstr(text.data, "Transfer-Encoding: chunked"));
    wire_send(&wire, other, "POST", API_CONFIGMAPS, "{\"metadata\":{\"name\":\"a\"}}");
    ck_assert(wire_read(fd, &text, "\"type\":\"ADDED\""));
    /* The stop ends the stream in good order. */
    cleat_apiserver_stop(wire.server);
    ck_assert(!wire_read(fd, &text, NULL));
    ck_assert_msg(strstr(text.data, "\r\n0\r\n") != NULL, "no end: %s", text.data);
    close(fd);
    close(other);
    cleat_buffer_fini(&text);
    wire_fini(&wire);
}
END_TEST

static bool no_watchers(struct cleat_api_server *core)
{
    struct cleat_api_resource *resource =
        cleat_api_registry_find(&core->registry, CLEAT_STR(""), CLEAT_STR("configmaps"));
    cleat_lock_take(&core->registry.lock);
    bool none = !resource->storage->watchers;
    cleat_lock_release(&core->registry.lock);
    (void)cleat_api_resource_unref(resource);
    return none;
}

START_TEST(test_client_that_goes_is_noticed)
{
    struct wire wire;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    wire_init(&wire);
    struct cleat_api_server *core = cleat_api_server_of(wire.server);
    int fd = wire_connect(&wire);
    wire_send(&wire, fd, "GET", API_CONFIGMAPS "?watch=true", "");
    ck_assert(wire_read(fd, &text, "\r\n\r\n"));
    CLEAT_WAIT_FOR(!no_watchers(core), 5000);
    close(fd);
    CLEAT_WAIT_FOR(no_watchers(core), 5000);
    cleat_buffer_fini(&text);
    wire_fini(&wire);
}
END_TEST

START_TEST(test_too_large)
{
    struct wire wire;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    char head[512];
    static char filler[64 * 1024];
    wire_init(&wire);
    int fd = wire_connect(&wire);
    size_t size = 4u << 20;
    int length =
        snprintf(head, sizeof(head),
                 "POST " API_CONFIGMAPS " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 wire.token, size);
    ck_assert_int_eq(write(fd, head, (size_t)length), length);
    memset(filler, ' ', sizeof(filler));
    for (size_t sent = 0; sent < size; sent += sizeof(filler))
        ck_assert_int_eq(write(fd, filler, sizeof(filler)), (ssize_t)sizeof(filler));
    ck_assert(wire_read(fd, &text, "RequestEntityTooLarge"));
    ck_assert_int_eq(strncmp(text.data, "HTTP/1.1 413", 12), 0);
    close(fd);
    cleat_buffer_fini(&text);
    wire_fini(&wire);
}
END_TEST

START_TEST(test_faults)
{
    struct wire wire;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    wire_init(&wire);
    const struct cleat_fault busy = {
        .method = "GET", .path = "/api/v1/pods", .status = 429, .times = 1};
    const struct cleat_fault drop = {.path = "/api/v1/secrets", .drop = true};
    const struct cleat_fault cut = {.path = "/api/v1/namespaces", .cut_after_bytes = 20, .skip = 1};
    ck_assert_int_gt(cleat_apiserver_fault(wire.server, &busy), 0);
    ck_assert_int_gt(cleat_apiserver_fault(wire.server, &drop), 0);
    ck_assert_int_gt(cleat_apiserver_fault(wire.server, &cut), 0);
    int fd = wire_connect(&wire);
    wire_send(&wire, fd, "GET", "/api/v1/pods", "");
    ck_assert(wire_read(fd, &text, "TooManyRequests"));
    ck_assert_int_eq(strncmp(text.data, "HTTP/1.1 429", 12), 0);
    ck_assert_ptr_nonnull(strstr(text.data, "Retry-After: 1"));
    cleat_buffer_reset(&text);
    wire_send(&wire, fd, "GET", "/api/v1/pods", "");
    ck_assert(wire_read(fd, &text, "PodList"));
    cleat_buffer_reset(&text);
    wire_send(&wire, fd, "GET", "/api/v1/namespaces", "");
    ck_assert(wire_read(fd, &text, "]}\n"));
    cleat_buffer_reset(&text);
    wire_send(&wire, fd, "GET", "/api/v1/namespaces", "");
    ck_assert(!wire_read(fd, &text, NULL));
    const char *body = strstr(text.data, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    ck_assert_uint_eq(strlen(body + 4), 20);
    close(fd);
    cleat_buffer_reset(&text);
    fd = wire_connect(&wire);
    wire_send(&wire, fd, "GET", "/api/v1/secrets", "");
    ck_assert(!wire_read(fd, &text, NULL));
    ck_assert_uint_eq(text.length, 0);
    close(fd);
    ck_assert_uint_eq(cleat_apiserver_requests(wire.server, "GET", "/api/v1/pods", NULL), 2);
    ck_assert_uint_eq(cleat_apiserver_requests(wire.server, "POST", NULL, NULL), 0);
    ck_assert_uint_eq(cleat_apiserver_requests(wire.server, NULL, "/api/v1", NULL), 5);
    cleat_buffer_fini(&text);
    wire_fini(&wire);
}
END_TEST

START_TEST(test_freeze_and_thaw)
{
    struct wire wire;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    wire_init(&wire);
    const struct cleat_fault freeze = {.query = "watch=true", .freeze = true};
    int id = cleat_apiserver_fault(wire.server, &freeze);
    int fd = wire_connect(&wire);
    wire_send(&wire, fd, "GET", "/api/v1/namespaces?watch=true", "");
    ck_assert(wire_read(fd, &text, "\r\n\r\n"));
    struct pollfd look = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&look, 1, 200), 0);
    cleat_apiserver_fault_clear(wire.server, id);
    ck_assert(wire_read(fd, &text, "\"kube-system\""));
    close(fd);
    /* One that is frozen doesn't hold up the stop. */
    id = cleat_apiserver_fault(wire.server, &freeze);
    ck_assert_int_gt(id, 1);
    fd = wire_connect(&wire);
    cleat_buffer_reset(&text);
    wire_send(&wire, fd, "GET", "/api/v1/namespaces?watch=true", "");
    ck_assert(wire_read(fd, &text, "\r\n\r\n"));
    cleat_apiserver_stop(wire.server);
    close(fd);
    cleat_buffer_fini(&text);
    wire_fini(&wire);
}
END_TEST

START_TEST(test_restart)
{
    struct wire wire;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    char url[64];
    wire_init(&wire);
    snprintf(url, sizeof(url), "%s", cleat_apiserver_url(wire.server));
    int fd = wire_connect(&wire);
    wire_send(&wire, fd, "POST", API_CONFIGMAPS, "{\"metadata\":{\"name\":\"a\"}}");
    ck_assert(wire_read(fd, &text, "\"name\":\"a\""));
    cleat_apiserver_stop(wire.server);
    close(fd);
    ck_assert_str_eq(cleat_apiserver_url(wire.server), "");
    ck_assert_msg(cleat_apiserver_start(wire.server, &err) == 0, "%s", err.text);
    ck_assert_str_eq(cleat_apiserver_url(wire.server), url);
    cleat_buffer_reset(&text);
    fd = wire_connect(&wire);
    wire_send(&wire, fd, "GET", API_CONFIGMAPS "/a", "");
    ck_assert(wire_read(fd, &text, "\"name\":\"a\""));
    /* Watches wait again, and so do faults. */
    cleat_buffer_reset(&text);
    wire_send(&wire, fd, "GET", API_CONFIGMAPS "?watch=true", "");
    ck_assert(wire_read(fd, &text, "\"type\":\"ADDED\""));
    struct pollfd look = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&look, 1, 100), 0);
    close(fd);
    cleat_buffer_fini(&text);
    wire_fini(&wire);
}
END_TEST

START_TEST(test_loopback_only)
{
    static const char *const refused[] = {
        "0.0.0.0:0", "10.0.0.1:0",  "[::]:0",          "example.com:80",
        "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", ""};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_apiserver *server = NULL;
        const struct cleat_apiserver_options options = {
            .listen = refused[i], .plain_http = true, .no_gc = true};
        ck_assert_int_eq(cleat_apiserver_new(&options, &server, &err), 0);
        ck_assert_msg(cleat_apiserver_start(server, &err) == -22, "%s", refused[i]);
        ck_assert_ptr_nonnull(strstr(err.text, "listen address"));
        (void)cleat_apiserver_free(server);
    }
}
END_TEST

START_TEST(test_port_in_use)
{
    struct wire wire;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_apiserver *server = NULL;
    char listen[64];
    wire_init(&wire);
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", (unsigned)wire.port);
    const struct cleat_apiserver_options options = {
        .listen = listen, .plain_http = true, .no_gc = true};
    ck_assert_int_eq(cleat_apiserver_new(&options, &server, &err), 0);
    ck_assert_int_lt(cleat_apiserver_start(server, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, listen));
    (void)cleat_apiserver_free(server);
    wire_fini(&wire);
}
END_TEST

static void *writer(void *arg)
{
    struct wire *wire = arg;
    for (int i = 0; i < 200; i++) {
        struct cleat_document *document = NULL;
        ck_assert_int_eq(cleat_document_format(&document, NULL,
                                               "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
                                               "\"metadata\":{\"name\":\"cm-%d\"}}",
                                               i % 50),
                         0);
        ck_assert_int_eq(cleat_apiserver_put(wire->server, cleat_document_root(document), NULL), 0);
        (void)cleat_document_unref(document);
    }
    return NULL;
}

/* Several watches see every change, in order, while two threads write. */
START_TEST(test_many_watches)
{
    struct wire wire;
    int fds[8];
    pthread_t threads[2];
    wire_init(&wire);
    for (size_t i = 0; i < 8; i++) {
        struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
        fds[i] = wire_connect(&wire);
        wire_send(&wire, fds[i], "GET", "/api/v1/configmaps?watch=true", "");
        ck_assert(wire_read(fds[i], &text, "\r\n\r\n"));
        cleat_buffer_fini(&text);
    }
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, writer, &wire), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    char last[64];
    snprintf(last, sizeof(last), "\"resourceVersion\":\"%llu\"",
             (unsigned long long)cleat_api_registry_revision(
                 &cleat_api_server_of(wire.server)->registry));
    for (size_t i = 0; i < 8; i++) {
        struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
        ck_assert(wire_read(fds[i], &text, last));
        size_t frames = 0;
        for (const char *at = text.data; (at = strstr(at, "{\"type\":")); at++)
            frames++;
        ck_assert_uint_eq(frames, 400);
        cleat_buffer_fini(&text);
        close(fds[i]);
    }
    wire_fini(&wire);
}
END_TEST

CLEAT_SUITE_MAIN("http", test_keep_alive, test_watch_and_stop, test_client_that_goes_is_noticed,
                 test_too_large, test_faults, test_freeze_and_thaw, test_restart,
                 test_loopback_only, test_port_in_use, test_many_watches)
