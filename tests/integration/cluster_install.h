/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An installation on a cluster: everything that `cleat manifests` prints.
 */
#ifndef CLEAT_TESTS_CLUSTER_INSTALL_H
#define CLEAT_TESTS_CLUSTER_INSTALL_H

#include "integration/cluster.h"
#include "server/manifests.h"

static int cluster_install_put(void *arg, struct cleat_value object, struct cleat_err *err)
{
    struct cluster *cluster = arg;
    return cleat_apiserver_put(cluster->server, object, err);
}

/** Puts the definitions, and then everything else, there; webhooks are at @port of loopback. */
static inline void cluster_install(struct cluster *cluster, int port)
{
    char url[64];
    struct cleat_manifests_options options = {.crds = true, .webhook_url = url};
    struct cleat_err err = CLEAT_ERR_INIT;
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d", port);
    ck_assert_msg(cleat_manifests_each(&options, cluster_install_put, cluster, &err) == 0, "%s",
                  err.text);
    options.crds = false;
    ck_assert_msg(cleat_manifests_each(&options, cluster_install_put, cluster, &err) == 0, "%s",
                  err.text);
}

#endif
