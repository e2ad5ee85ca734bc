/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/limits.h"
#include "base/mem.h"
#include "server/demo.h"
#include "server/file.h"
#include "server/manifests.h"

extern char **environ;

#define DEMO_STOP_MS 10000

/* A port that was free a moment ago. */
static int demo_free_port(int *ret, struct cleat_err *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                 getsockname(fd, (struct sockaddr *)&address, &length) == 0;
    int code = bound ? 0 : -errno;
    if (fd >= 0)
        close(fd);
    if (!bound)
        return cleat_err_set(err, code, "no free port on 127.0.0.1: %s", strerror(-code));
    *ret = ntohs(address.sin_port);
    return 0;
}

static int demo_make_folder(struct cleat_demo *demo, struct cleat_err *err)
{
    const char *parent = getenv("TMPDIR");
    if (!parent || strlen(parent) > 32)
        parent = "/tmp";
    snprintf(demo->folder, sizeof(demo->folder), "%s/cleat-demo-XXXXXX", parent);
    if (!mkdtemp(demo->folder)) {
        int code = -errno;
        demo->folder[0] = '\0';
        return cleat_err_set(err, code, "no folder in %s: %s", parent, strerror(-code));
    }
    snprintf(demo->user_config, sizeof(demo->user_config), "%s/kubeconfig", demo->folder);
    snprintf(demo->server_config, sizeof(demo->server_config), "%s/server.kubeconfig",
             demo->folder);
    snprintf(demo->server_log, sizeof(demo->server_log), "%s/server.log", demo->folder);
    return 0;
}

static int demo_write_config(struct cleat_demo *demo, const char *user, const char *const *groups,
                             const char *path, struct cleat_err *err)
{
    char *text = NULL;
    int r = cleat_apiserver_kubeconfig_text(demo->apiserver, user, groups, &text, err);
    if (r == 0)
        r = cleat_write_private_file(path, text, err);
    cleat_free(text);
    return r;
}

static int demo_write_configs(struct cleat_demo *demo, struct cleat_err *err)
{
    static const char *const server_groups[] = {"system:serviceaccounts",
                                                "system:serviceaccounts:cleat-system",
                                                "system:authenticated", NULL};
    int r = demo_write_config(demo, "demo-user", NULL, demo->user_config, err);
    if (r == 0)
        r = demo_write_config(demo, "system:serviceaccount:cleat-system:cleat", server_groups,
                              demo->server_config, err);
    return r;
}

static int demo_make_client(struct cleat_demo *demo, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_kubeconfig_freep) struct cleat_kubeconfig *config = NULL;
    struct cleat_client_options options = {.field_manager = "cleat-demo"};
    int r = cleat_apiserver_kubeconfig(demo->apiserver, "demo-user", NULL, &config, err);
    options.config = config;
    if (r == 0)
        r = cleat_client_new(&options, &demo->client, err);
    if (r == 0)
        r = cleat_discovery_new(demo->client, cleat_clock_system(), &demo->discovery);
    return r;
}

static int demo_install_object(void *arg, struct cleat_value object, struct cleat_err *err)
{
    struct cleat_demo *demo = arg;
    struct cleat_scratch scratch[2];
    struct cleat_gvk gvk;
    struct cleat_resource resource;
    struct cleat_str kind = cleat_value_text(cleat_value_get(object, "kind"), &scratch[1]);
    int r = cleat_gvk_parse(
        &gvk, cleat_value_text(cleat_value_get(object, "apiVersion"), &scratch[0]), kind, err);
    if (r == 0)
        r = cleat_discovery_kind(demo->discovery, &gvk, &resource, err);
    if (r > 0)
        r = cleat_err_set(err, -ENOENT, "kind %s isn't served", gvk.kind);
    if (r < 0)
        return r;
    struct cleat_value namespace_ = cleat_value_find(object, "metadata.namespace");
    struct cleat_client_target target = {
        .resource = &resource,
        .namespace_ = resource.namespaced ? cleat_value_text(namespace_, &scratch[0]).data : NULL};
    return cleat_client_create(demo->client, &target, object, NULL, NULL, err);
}

static int demo_install(struct cleat_demo *demo, struct cleat_err *err)
{
    char url[64];
    struct cleat_manifests_options options = {.crds = true, .webhook_url = url};
    snprintf(url, sizeof(url), "https://127.0.0.1:%d", demo->webhook_port);
    int r = cleat_manifests_each(&options, demo_install_object, demo, err);
    options.crds = false;
    cleat_discovery_invalidate(demo->discovery); /* the CRD made a new kind */
    return r == 0 ? cleat_manifests_each(&options, demo_install_object, demo, err) : r;
}

int cleat_demo_init(struct cleat_demo *demo, struct cleat_err *err)
{
    struct cleat_apiserver_options options = {.rbac = true};
    *demo = (struct cleat_demo){.note = CLEAT_BUFFER_INIT(64 * CLEAT_KIB)};
    int r = demo_make_folder(demo, err);
    if (r == 0)
        r = demo_free_port(&demo->webhook_port, err);
    if (r == 0)
        r = demo_free_port(&demo->metrics_port, err);
    if (r == 0)
        r = demo_free_port(&demo->health_port, err);
    if (r == 0)
        r = cleat_apiserver_new(&options, &demo->apiserver, err);
    if (r == 0)
        r = cleat_apiserver_start(demo->apiserver, err);
    if (r == 0)
        r = demo_write_configs(demo, err);
    if (r == 0)
        r = demo_make_client(demo, err);
    return r == 0 ? demo_install(demo, err) : r;
}

void cleat_demo_fini(struct cleat_demo *demo)
{
    cleat_demo_kill(demo, SIGTERM);
    cleat_discovery_free(demo->discovery);
    cleat_client_unref(demo->client);
    if (demo->apiserver)
        cleat_apiserver_stop(demo->apiserver);
    cleat_apiserver_free(demo->apiserver);
    if (demo->folder[0]) {
        (void)unlink(demo->user_config); /* whatever is left keeps the folder, harmlessly */
        (void)unlink(demo->server_config);
        (void)unlink(demo->server_log);
        (void)rmdir(demo->folder);
    }
    cleat_buffer_fini(&demo->note);
    *demo = (struct cleat_demo){.note = CLEAT_BUFFER_INIT(64 * CLEAT_KIB)};
}

static int demo_spawn(struct cleat_demo *demo, char *const *argv, struct cleat_err *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    /* A process group of its own: Ctrl-C is for the demo, which then ends the server in order. */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, demo->server_log,
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    int failed = posix_spawn(&demo->server, "/proc/self/exe", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (failed) {
        demo->server = 0;
        return cleat_err_set(err, -failed, "cleat serve can't be started: %s", strerror(failed));
    }
    return 0;
}

int cleat_demo_serve(struct cleat_demo *demo, struct cleat_err *err)
{
    char webhook[64], url[64], metrics[64], health[64], config[160];
    snprintf(webhook, sizeof(webhook), "--webhook-bind-address=127.0.0.1:%d", demo->webhook_port);
    snprintf(url, sizeof(url), "--webhook-url=https://127.0.0.1:%d", demo->webhook_port);
    snprintf(metrics, sizeof(metrics), "--metrics-bind-address=127.0.0.1:%d", demo->metrics_port);
    snprintf(health, sizeof(health), "--health-probe-bind-address=127.0.0.1:%d", demo->health_port);
    snprintf(config, sizeof(config), "--kubeconfig=%s", demo->server_config);
    char program[] = "cleat", command[] = "serve", plain[] = "--metrics-secure=false",
         format[] = "--log-format=text", elect[] = "--leader-elect",
         lease[] = "--leader-elect-lease-duration=3s", renew[] = "--leader-elect-renew-deadline=2s",
         retry[] = "--leader-elect-retry-period=200ms";
    char *const argv[] = {program, command, config, webhook, url,   metrics, health,
                          plain,   format,  elect,  lease,   renew, retry,   NULL};
    return demo_spawn(demo, argv, err);
}

/* Waits for the child for @timeout_ms; true where it has ended. */
static bool demo_reap(pid_t child, int64_t timeout_ms)
{
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t deadline_ms = cleat_clock_mono_ms(clock) + timeout_ms;
    do {
        if (waitpid(child, NULL, WNOHANG) != 0)
            return true;
        (void)poll(NULL, 0, 2);
    } while (cleat_clock_mono_ms(clock) < deadline_ms);
    return false;
}

void cleat_demo_kill(struct cleat_demo *demo, int signal_number)
{
    if (demo->server <= 0)
        return;
    kill(demo->server, signal_number);
    if (!demo_reap(demo->server, DEMO_STOP_MS)) {
        kill(demo->server, SIGKILL);
        (void)waitpid(demo->server, NULL, 0); /* SIGKILL ends everything */
    }
    demo->server = 0;
}
