/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Caches over HTTP/2: nghttpx (Debian's nghttp2-proxy) stands in front of the embedded API server.
 * Without it these tests have nothing to say and pass.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cleat/cache.h>

#include "integration/cluster.h"
#include "support/script_certs.h"
#include "support/child.h"
#include "support/suite.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define NGHTTPX "/usr/sbin/nghttpx"
#define LIMIT_MS 20000
#define NAMESPACES 100

struct fixture {
    struct cleat_apiserver *server;
    struct cleat_client *client;
    struct cleat_cache *cache;
    struct cleat_temp_dir dir;
    struct script_cert ca, cert;
    pid_t pid;
    int port;
};

static bool port_answers(void *arg)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t) * (int *)arg),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    const void *any = &address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, any, sizeof(address)) == 0;
    (void)close(fd);
    return connected;
}

static void front_exec(const struct fixture *f, const char *backend_port)
{
    char frontend[64], backend[64], key[PATH_MAX], cert[PATH_MAX];
    (void)snprintf(frontend, sizeof(frontend), "--frontend=127.0.0.1,%d", f->port);
    (void)snprintf(backend, sizeof(backend), "--backend=127.0.0.1,%s", backend_port);
    (void)snprintf(key, sizeof(key), "%.4000s/key.pem", f->dir.path);
    (void)snprintf(cert, sizeof(cert), "%.4000s/cert.pem", f->dir.path);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)dup2(null, STDERR_FILENO);
    (void)execl(NGHTTPX, NGHTTPX, frontend, backend, "--workers=1", "--errorlog-file=/dev/null",
                "--conf=/dev/null", "--frontend-http2-max-concurrent-streams=100",
                "--backend-connections-per-host=256", key, cert, (char *)NULL);
    _exit(127);
}

static void front_start(struct fixture *f)
{
    cleat_temp_dir_init(&f->dir);
    script_cert_make(&(struct script_cert_options){.name = "CA", .ca = true}, &f->ca);
    script_cert_make(&(struct script_cert_options){.name = "front",
                                                   .alt_names = "IP:127.0.0.1,DNS:front",
                                                   .signer = &f->ca},
                     &f->cert);
    cleat_temp_dir_write(&f->dir, "key.pem", f->cert.key_pem);
    cleat_temp_dir_write(&f->dir, "cert.pem", f->cert.cert_pem);
    f->port = child_port();
    const char *backend_port = strrchr(cleat_apiserver_url(f->server), ':') + 1;
    f->pid = fork();
    ck_assert_int_ge(f->pid, 0);
    if (f->pid == 0)
        front_exec(f, backend_port);
    ck_assert(cleat_wait_for(port_answers, &f->port, 5000));
}

static void fixture_open(struct fixture *f)
{
    const struct cleat_apiserver_options options = {.plain_http = true, .no_gc = true};
    struct cleat_kubeconfig *config = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    char url[64];
    memset(f, 0, sizeof(*f));
    ck_assert_msg(cleat_apiserver_new(&options, &f->server, &err) == 0, "%s", err.text);
    ck_assert_msg(cleat_apiserver_start(f->server, &err) == 0, "%s", err.text);
    front_start(f);
    ck_assert_int_eq(cleat_apiserver_kubeconfig(f->server, "admin", NULL, &config, &err), 0);
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d", f->port);
    ck_assert_int_eq(cleat_kubeconfig_set(&config->server, url), 0);
    ck_assert_int_eq(cleat_kubeconfig_set(&config->ca_pem, f->ca.cert_pem), 0);
    ck_assert_int_eq(cleat_kubeconfig_set(&config->tls_server_name, "front"), 0);
    const struct cleat_client_options client = {.config = config};
    ck_assert_msg(cleat_client_new(&client, &f->client, &err) == 0, "%s", err.text);
    config = cleat_kubeconfig_free(config);
    const struct cleat_cache_options cache = {.client = f->client};
    ck_assert_msg(cleat_cache_new(&cache, &f->cache, &err) == 0, "%s", err.text);
    ck_assert_msg(cleat_cache_start(f->cache, &err) == 0, "%s", err.text);
}

static void fixture_close(struct fixture *f)
{
    int status = 0;
    cleat_cache_stop(f->cache);
    cleat_cache_join(f->cache);
    f->cache = cleat_cache_free(f->cache);
    f->client = cleat_client_unref(f->client);
    (void)kill(f->pid, SIGKILL);
    (void)waitpid(f->pid, &status, 0);
    f->server = cleat_apiserver_free(f->server);
    script_cert_fini(&f->ca);
    script_cert_fini(&f->cert);
    cleat_temp_dir_fini(&f->dir);
}

static void fixture_put(struct fixture *f, unsigned namespace_, unsigned name)
{
    struct cleat_document *document = NULL;
    ck_assert_int_eq(
        cleat_document_format(&document, NULL,
                              "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
                              "\"metadata\":{\"namespace\":\"ns-%u\",\"name\":\"x-%u\"}}",
                              namespace_, name),
        0);
    ck_assert_int_eq(cleat_apiserver_put(f->server, cleat_document_root(document), NULL), 0);
    document = cleat_document_unref(document);
}

static struct cleat_feed *fixture_feed(struct fixture *f, const char *namespace_)
{
    struct cleat_feed_options options = {.resource = {.plural = "configmaps", .namespaced = true},
                                         .namespace_ = namespace_};
    struct cleat_feed *feed = NULL;
    ck_assert_int_eq(cleat_gvk_make(&options.resource.gvk, "", "v1", "ConfigMap"), 0);
    ck_assert_int_eq(cleat_cache_feed(f->cache, &options, &feed, NULL), 0);
    return feed;
}

static bool have_front(void)
{
    return access(NGHTTPX, X_OK) == 0;
}

START_TEST(test_load_and_follow)
{
    struct fixture f;
    struct cleat_err err = CLEAT_ERR_INIT;
    if (!have_front())
        return;
    fixture_open(&f);
    for (unsigned i = 0; i < 2000; i++)
        fixture_put(&f, i % 7, i);
    struct cleat_feed *feed = fixture_feed(&f, NULL);
    ck_assert_msg(cleat_feed_wait_synced(feed, LIMIT_MS, &err) == 0, "%s", err.text);
    struct cleat_store *store = cleat_feed_store(feed);
    ck_assert_uint_eq(cleat_store_count(store, NULL), 2000);
    for (unsigned i = 2000; i < 2500; i++)
        fixture_put(&f, i % 7, i);
    CLEAT_WAIT_FOR(cleat_store_count(store, NULL) == 2500, LIMIT_MS);
    feed = cleat_feed_unref(feed);
    fixture_close(&f);
}
END_TEST

/* More watches than a connection may carry, all at once. */
START_TEST(test_many_feeds_share_connections)
{
    static struct cleat_feed *feeds[NAMESPACES];
    struct fixture f;
    struct cleat_err err = CLEAT_ERR_INIT;
    if (!have_front())
        return;
    fixture_open(&f);
    for (unsigned i = 0; i < NAMESPACES; i++) {
        char namespace_[16];
        (void)snprintf(namespace_, sizeof(namespace_), "ns-%u", i);
        fixture_put(&f, i, 0);
        feeds[i] = fixture_feed(&f, namespace_);
    }
    ck_assert_msg(cleat_cache_wait_synced(f.cache, LIMIT_MS, &err) == 0, "%s", err.text);
    struct cleat_store *store = cleat_feed_store(feeds[0]);
    ck_assert_uint_eq(cleat_store_count(store, NULL), NAMESPACES);
    for (unsigned i = 0; i < NAMESPACES; i++)
        fixture_put(&f, i, 1);
    CLEAT_WAIT_FOR(cleat_store_count(store, NULL) == 2 * NAMESPACES, LIMIT_MS);
    for (unsigned i = 0; i < NAMESPACES; i++)
        feeds[i] = cleat_feed_unref(feeds[i]);
    CLEAT_WAIT_FOR(cleat_store_count(store, NULL) == 0, LIMIT_MS);
    fixture_close(&f);
}
END_TEST

CLEAT_SUITE_MAIN("cache_http2", test_load_and_follow, test_many_feeds_share_connections)
