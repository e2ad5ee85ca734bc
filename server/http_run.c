/* SPDX-License-Identifier: Apache-2.0 */
/* A webhook server alone, for a program's main: certificates from files, until a signal comes. */
#include <cleat/certs.h>
#include <cleat/server.h>

static void run_on_bundle(void *arg, struct cleat_bundle *bundle)
{
    cleat_server_set_bundle(arg, bundle);
}

static int run_manager(struct cleat_server *server, struct cleat_watcher *watcher,
                       const struct cleat_server_options *options, struct cleat_err *err)
{
    struct cleat_manager *manager = NULL;
    struct cleat_runnable runnables[] = {cleat_server_runnable(server, CLEAT_GROUP_WEBHOOKS),
                                         cleat_watcher_runnable(watcher, CLEAT_GROUP_WEBHOOKS)};
    struct cleat_manager_options manager_options = {.clock = options->clock, .log = options->log};
    int r = cleat_manager_new(&manager_options, &manager, err);
    if (r == 0)
        r = cleat_manager_signals(manager, err);
    for (size_t i = 0; r == 0 && i < sizeof(runnables) / sizeof(runnables[0]); i++)
        r = cleat_manager_add(manager, &runnables[i], err);
    if (r == 0)
        r = cleat_manager_run(manager, err);
    cleat_manager_free(manager);
    return r;
}

int cleat_server_run(const struct cleat_server_options *options, const char *cert_folder,
                     struct cleat_err *err)
{
    struct cleat_server *server = NULL;
    struct cleat_watcher *watcher = NULL;
    struct cleat_watcher_options watcher_options = {.clock = options->clock,
                                                    .log = options->log,
                                                    .folder = cert_folder,
                                                    .on_bundle = run_on_bundle};
    struct cleat_server_options server_options = *options;
    server_options.tls = true;
    int r = cleat_server_new(&server_options, &server, err);
    watcher_options.arg = server;
    if (r == 0)
        r = cleat_watcher_new(&watcher_options, &watcher, err);
    if (r == 0)
        r = run_manager(server, watcher, options, err);
    cleat_watcher_free(watcher);
    cleat_server_free(server);
    return r;
}
