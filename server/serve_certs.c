/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "base/check.h"
#include "base/mem.h"
#include "server/serve_certs.h"

/* The configurations of deploy/; none of our CRDs is converted. */
static const struct cleat_ca_target certs_targets[] = {
    {CLEAT_CA_MUTATING, "cleat-mutating"},
    {CLEAT_CA_VALIDATING, "cleat-validating"},
    {CLEAT_CA_VALIDATING, "cleat-copies"},
};

static int certs_add_name(struct cleat_serve_certs *certs, char *name)
{
    size_t count = 0;
    while (certs->names[count])
        count++;
    cleat_assert(count < CLEAT_SERVE_NAMES_MAX);
    certs->names[count] = name;
    return name ? 0 : -ENOMEM;
}

/* The host of --webhook-url, without port and brackets; new. */
static char *certs_url_host(const char *url)
{
    const char *host = url + strlen("https://");
    if (host[0] == '[')
        return cleat_mem_strndup(host + 1, strcspn(host + 1, "]"));
    return cleat_mem_strndup(host, strcspn(host, ":/?#"));
}

static int certs_make_names(struct cleat_serve_certs *certs, const char *namespace_,
                            const char *url)
{
    int r = certs_add_name(certs, cleat_mem_format("cleat.%s.svc", namespace_));
    if (r == 0)
        r = certs_add_name(certs, cleat_mem_format("cleat.%s.svc.cluster.local", namespace_));
    if (r == 0)
        r = certs_add_name(certs, cleat_mem_strdup("localhost"));
    if (r == 0)
        r = certs_add_name(certs, cleat_mem_strdup("127.0.0.1"));
    if (r == 0 && url)
        r = certs_add_name(certs, certs_url_host(url));
    return r;
}

static int certs_watch(struct cleat_serve_certs *certs,
                       const struct cleat_serve_certs_options *options, struct cleat_err *err)
{
    const struct cleat_watcher_options watcher = {.log = options->log,
                                                  .metrics = options->metrics,
                                                  .folder = options->serve->webhook_cert_path,
                                                  .on_bundle = options->on_bundle,
                                                  .arg = options->arg};
    int r = cleat_watcher_new(&watcher, &certs->watcher, err);
    if (r < 0)
        cleat_err_prefix(err, "--webhook-cert-path");
    return r;
}

int cleat_serve_certs_init(struct cleat_serve_certs *certs,
                           const struct cleat_serve_certs_options *options, struct cleat_err *err)
{
    *certs = (struct cleat_serve_certs){.rotator = NULL};
    if (options->serve->webhook_cert_path)
        return certs_watch(certs, options, err);
    int r = certs_make_names(certs, options->own_namespace, options->serve->webhook_url);
    if (r < 0)
        return cleat_err_set(err, r, "out of memory");
    const struct cleat_rotator_options rotator = {
        .client = options->client,
        .log = options->log,
        .metrics = options->metrics,
        .namespace_ = options->own_namespace,
        .secret = CLEAT_SERVE_SECRET,
        .names = (const char *const *)certs->names,
        .leaf_lifetime_s = options->serve->webhook_cert_lifetime_ms / 1000,
        .ca_lifetime_s = options->serve->webhook_ca_lifetime_ms / 1000,
        .targets = certs_targets,
        .target_count = sizeof(certs_targets) / sizeof(certs_targets[0]),
        .owner = {.namespace_ = options->own_namespace,
                  .service = "cleat",
                  .url = options->serve->webhook_url},
        .cache = options->cache,
        .on_bundle = options->on_bundle,
        .arg = options->arg};
    return cleat_rotator_new(&rotator, &certs->rotator, err);
}

void cleat_serve_certs_fini(struct cleat_serve_certs *certs)
{
    certs->rotator = cleat_rotator_free(certs->rotator);
    certs->watcher = cleat_watcher_free(certs->watcher);
    for (size_t i = 0; i < CLEAT_SERVE_NAMES_MAX; i++)
        certs->names[i] = cleat_mem_free(certs->names[i]);
}

int cleat_serve_certs_check(struct cleat_serve_certs *certs, struct cleat_err *err)
{
    return certs->rotator ? cleat_rotator_check(certs->rotator, err)
                          : cleat_watcher_check(certs->watcher, err);
}

struct cleat_runnable cleat_serve_certs_runnable(struct cleat_serve_certs *certs)
{
    return certs->rotator ? cleat_rotator_runnable(certs->rotator, CLEAT_GROUP_WEBHOOKS)
                          : cleat_watcher_runnable(certs->watcher, CLEAT_GROUP_WEBHOOKS);
}
