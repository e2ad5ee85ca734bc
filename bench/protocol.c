/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cleat/clock.h>
#include <cleat/discovery.h>
#include <cleat/kubeconfig.h>
#include <cleat/log.h>
#include "base/mem.h"

#define PATHS_MAX 64

void protocol_die(const struct protocol *protocol, const struct cleat_err *err)
{
    (void)fprintf(stderr, "%s: %s\n", protocol->program, cleat_err_text(err)); /* the last word */
    exit(1);
}

static _Noreturn void protocol_usage(const struct protocol *protocol, const char *what)
{
    (void)fprintf(stderr,
                  "%s: %s\nusage: %s --kubeconfig FILE --resource GROUP/VERSION/PLURAL "
                  "[--context NAME] [--fields all|metadata|PATH,PATH...] [--http1]\n",
                  protocol->program, what, protocol->program); /* the last word */
    exit(2);
}

static void protocol_flags(struct protocol *protocol, int argc, char **argv)
{
    static const struct option options[] = {
        {"kubeconfig", required_argument, NULL, 'k'},
        {"context", required_argument, NULL, 'c'},
        {"resource", required_argument, NULL, 'r'},
        {"fields", required_argument, NULL, 'f'},
        {"http1", no_argument, NULL, '1'},
        {NULL, 0, NULL, 0},
    };
    int option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'k': protocol->kubeconfig = optarg; break;
        case 'c': protocol->context = optarg; break;
        case 'r': protocol->resource_text = optarg; break;
        case 'f': protocol->fields = optarg; break;
        case '1': protocol->http1 = true; break;
        default: protocol_usage(protocol, "unknown flag");
        }
    }
    if (optind < argc || !protocol->resource_text)
        protocol_usage(protocol, optind < argc ? "superfluous argument" : "--resource is needed");
}

static int protocol_fields(struct protocol *protocol, struct cleat_err *err)
{
    const char *paths[PATHS_MAX];
    size_t count = 0;
    if (!protocol->fields || strcmp(protocol->fields, "all") == 0)
        return 0;
    if (strcmp(protocol->fields, "metadata") == 0) {
        protocol->metadata_only = true;
        return 0;
    }
    char *text = cleat_mem_strdup(protocol->fields);
    char *rest = text;
    char *path = NULL;
    while (text && count < PATHS_MAX && (path = strsep(&rest, ",")))
        paths[count++] = path;
    int rc = cleat_projection_paths(paths, count, &protocol->projection, err);
    cleat_mem_free(text);
    return rc;
}

/* "apps/v1/deployments" or "v1/pods". */
static int protocol_resource(struct protocol *protocol, struct cleat_err *err)
{
    char group[256] = "", version[64] = "", plural[64] = "";
    const char *text = protocol->resource_text;
    if (sscanf(text, "%255[^/]/%63[^/]/%63[^/]", group, version, plural) != 3) {
        group[0] = '\0';
        if (sscanf(text, "%63[^/]/%63[^/]", version, plural) != 2)
            protocol_usage(protocol, "--resource wants GROUP/VERSION/PLURAL or VERSION/PLURAL");
    }
    struct cleat_discovery *discovery = NULL;
    int rc = cleat_discovery_new(protocol->client, cleat_clock_system(), &discovery);
    if (rc == 0)
        rc = cleat_discovery_plural(discovery, group, version, plural, &protocol->resource, err);
    cleat_discovery_free(discovery);
    if (rc > 0)
        rc = cleat_err_set(err, -ENOENT, "%s isn't served", text);
    return rc;
}

static int protocol_connect(struct protocol *protocol, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_kubeconfig_freep) struct cleat_kubeconfig *config = NULL;
    const struct cleat_kubeconfig_options load = {.path = protocol->kubeconfig,
                                                  .context = protocol->context};
    const struct cleat_log_options log = {.fd = STDERR_FILENO,
                                          .level = CLEAT_LOG_WARN,
                                          .format = CLEAT_LOG_TEXT,
                                          .clock = cleat_clock_system()};
    int rc = cleat_log_new(&log, &protocol->log, err);
    if (rc == 0)
        rc = cleat_kubeconfig_load(&load, &config, err);
    if (rc == 0) {
        const struct cleat_client_options client = {
            .config = config, .log = protocol->log, .http1_only = protocol->http1};
        rc = cleat_client_new(&client, &protocol->client, err);
    }
    return rc;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); /* can't fail with these arguments */
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void protocol_open(struct protocol *protocol, const char *program, int argc, char **argv)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    sigset_t set;
    *protocol = (struct protocol){.program = program};
    protocol_flags(protocol, argc, argv);
    (void)sigemptyset(&set); /* none of these can fail */
    (void)sigaddset(&set, SIGUSR1);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    int rc = protocol_connect(protocol, &err);
    if (rc == 0)
        rc = protocol_resource(protocol, &err);
    if (rc == 0)
        rc = protocol_fields(protocol, &err);
    if (rc < 0)
        protocol_die(protocol, &err);
    protocol->start_ns = cleat_clock_mono_ns(cleat_clock_system());
    protocol->start_cpu_s = cpu_seconds();
}

struct cleat_feed_options protocol_feed(const struct protocol *protocol)
{
    return (struct cleat_feed_options){
        .resource = protocol->resource,
        .projection = protocol->projection,
        .metadata_only = protocol->metadata_only,
    };
}

/* Kilobytes that are resident now. */
static long rss_kb(void)
{
    long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &total, &resident) != 2)
        resident = 0;
    if (file)
        (void)fclose(file); /* nothing was written */
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void protocol_print(const struct protocol *protocol, const char *word,
                           const struct cleat_feed *feed, bool events,
                           const struct protocol_number *extra)
{
    struct cleat_feed_status status;
    struct rusage usage;
    size_t entries = 0, pool = 0;
    (void)getrusage(RUSAGE_SELF, &usage); /* can't fail with these arguments */
    cleat_feed_status(feed, &status);
    cleat_store_bytes(cleat_feed_store(feed), &entries, &pool);
    (void)printf("%s {\"objects\":%zu,\"seconds_to_sync\":%.3f,\"cpu_seconds\":%.3f,\"rss_kb\":%ld,"
                 "\"peak_rss_kb\":%ld,\"store_bytes\":%zu",
                 word, status.objects, protocol->seconds_to_sync,
                 cpu_seconds() - protocol->start_cpu_s, rss_kb(), usage.ru_maxrss, entries + pool);
    if (events)
        (void)printf(",\"events\":%llu", (unsigned long long)status.events);
    if (extra)
        (void)printf(",\"%s\":%llu", extra->name, (unsigned long long)extra->value);
    (void)printf("}\n");
    (void)fflush(stdout); /* whoever reads it notices what is missing */
}

void protocol_synced(struct protocol *protocol, const struct cleat_feed *feed)
{
    int64_t now_ns = cleat_clock_mono_ns(cleat_clock_system());
    protocol->seconds_to_sync = (double)(now_ns - protocol->start_ns) / 1e9;
    protocol_print(protocol, "SYNCED", feed, false, NULL);
}

void protocol_serve(struct protocol *protocol, const struct cleat_feed *feed,
                    struct protocol_number (*extra)(void *arg), void *arg)
{
    sigset_t set;
    int number = 0;
    (void)sigemptyset(&set); /* none of these can fail */
    (void)sigaddset(&set, SIGUSR1);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    while (sigwait(&set, &number) == 0 && number == SIGUSR1) {
        struct protocol_number more = {0};
        if (extra)
            more = extra(arg);
        protocol_print(protocol, "COUNT", feed, true, extra ? &more : NULL);
    }
}

void protocol_close(struct protocol *protocol)
{
    protocol->projection = cleat_projection_unref(protocol->projection);
    protocol->client = cleat_client_unref(protocol->client);
    protocol->log = cleat_log_free(protocol->log);
}
