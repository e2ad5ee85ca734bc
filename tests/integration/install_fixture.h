/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An installation as an administrator makes it: all manifests on an API server with RBAC, and
 * `cleat serve` as a process under the installation's own ServiceAccount.
 */
#ifndef CLEAT_TESTS_INSTALL_FIXTURE_H
#define CLEAT_TESTS_INSTALL_FIXTURE_H

#include <cleat/path.h>
#include <signal.h>

#include "integration/cluster_install.h"
#include "integration/http_client.h"
#include "support/child.h"
#include "support/suite.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define INSTALL_USER "system:serviceaccount:cleat-system:cleat"
#define INSTALL_LIMIT_MS 60000

static const struct cleat_resource install_namespaces = {.gvk = {"", "v1", "Namespace"},
                                                         .plural = "namespaces"};
static const struct cleat_resource install_secrets = {
    .gvk = {"", "v1", "Secret"}, .plural = "secrets", .namespaced = true};
static const struct cleat_resource install_configmaps = {
    .gvk = {"", "v1", "ConfigMap"}, .plural = "configmaps", .namespaced = true};
static const struct cleat_resource install_mirrors = {.gvk = {"cleat.dev", "v1alpha1", "Mirror"},
                                                      .plural = "mirrors"};

struct install {
    struct cluster cluster;
    struct cleat_temp_dir dir;
    struct child server;
    int port;
    int health_port;
    int metrics_port;
};

static inline void install_config(struct install *install)
{
    static const char *const groups[] = {"system:serviceaccounts",
                                         "system:serviceaccounts:cleat-system",
                                         "system:authenticated", NULL};
    struct cleat_err err = CLEAT_ERR_INIT;
    char *text = NULL;
    ck_assert_int_eq(
        cleat_apiserver_kubeconfig_text(install->cluster.server, INSTALL_USER, groups, &text, &err),
        0);
    cleat_temp_dir_write(&install->dir, "config", text);
    cleat_free(text);
}

/* An API server with the installation, and no server yet. RBAC is on, whatever @options say. */
static inline void install_open(struct install *install, struct cleat_apiserver_options options)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    options.rbac = true;
    memset(install, 0, sizeof(*install));
    cleat_temp_dir_init(&install->dir);
    install->port = child_port();
    install->health_port = child_port();
    install->metrics_port = child_port();
    ck_assert_int_eq(cleat_apiserver_new(&options, &install->cluster.server, &err), 0);
    ck_assert_msg(cleat_apiserver_start(install->cluster.server, &err) == 0, "%s", err.text);
    install->cluster.admin = cluster_client(&install->cluster, NULL);
    install_config(install);
    cluster_install(&install->cluster, install->port);
}

/* Starts `cleat serve` with @more arguments ("" for none). */
static inline void install_serve(struct install *install, const char *more)
{
    char line[PATH_MAX * 2 + 1024];
    (void)snprintf(line, sizeof(line),
                   CLEAT_BINARY_DIR
                   "/cleat serve --kubeconfig=%s --webhook-bind-address=127.0.0.1:%d "
                   "--webhook-url=https://127.0.0.1:%d --health-probe-bind-address=127.0.0.1:%d "
                   "--metrics-bind-address=127.0.0.1:%d --leader-elect "
                   "--leader-elect-lease-duration=3s --leader-elect-renew-deadline=2s "
                   "--leader-elect-retry-period=200ms %s",
                   cleat_temp_dir_path(&install->dir, "config"), install->port, install->port,
                   install->health_port, install->metrics_port, more);
    child_start(&install->server, line, cleat_temp_dir_path(&install->dir, "log"));
}

static inline bool install_ready(const struct install *install)
{
    return http_client_ready(install->health_port);
}

static inline void install_namespace(struct install *install, const char *name, const char *labels)
{
    char json[256];
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\","
                   "\"labels\":{%s}}}",
                   name, labels);
    ck_assert_int_eq(cluster_make(&install->cluster, &install_namespaces, NULL, json), 0);
}

static inline void install_secret(struct install *install, const char *namespace_, const char *name,
                                  const char *more)
{
    char json[512];
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"%s\"},"
                   "\"data\":{\"k\":\"b25l\"}%s}",
                   name, more);
    ck_assert_int_eq(cluster_make(&install->cluster, &install_secrets, namespace_, json), 0);
}

/* A Mirror of @kind platform/@name into all namespaces with team=true. */
static inline int install_mirror(struct install *install, const char *kind, const char *name)
{
    char json[512];
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"cleat.dev/v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{"
                   "\"name\":\"%s\"},\"spec\":{\"source\":{\"kind\":\"%s\",\"namespace\":"
                   "\"platform\",\"name\":\"%s\"},\"targets\":{\"namespaceSelector\":{"
                   "\"matchLabels\":{\"team\":\"true\"}}}}}",
                   name, kind, name);
    return cluster_make(&install->cluster, &install_mirrors, NULL, json);
}

static inline bool install_has(struct install *install, const struct cleat_resource *resource,
                               const char *namespace_, const char *name)
{
    return cluster_has(&install->cluster, resource, namespace_, name, NULL, NULL);
}

static inline void install_close(struct install *install)
{
    child_end(&install->server, SIGTERM, INSTALL_LIMIT_MS);
    cluster_close(&install->cluster);
    cleat_temp_dir_fini(&install->dir);
}

#endif
