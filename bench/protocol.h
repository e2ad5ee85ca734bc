/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the benchmarks against an API server have in common:
 *
 *   --kubeconfig FILE --resource GROUP/VERSION/PLURAL (core as v1/pods) [--context NAME]
 *   [--fields all|metadata|PATH,PATH…] [--http1]
 *
 * One line "SYNCED " + JSON once everything is there, then "COUNT " + JSON for each SIGUSR1, until
 * SIGTERM. "all" keeps everything but managedFields, "metadata" asks the server for metadata alone.
 */
#ifndef CLEAT_BENCH_PROTOCOL_H
#define CLEAT_BENCH_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/cache.h>
#include <cleat/client.h>
#include <cleat/projection.h>

struct protocol {
    const char *program;
    const char *kubeconfig;
    const char *context;
    const char *resource_text;
    const char *fields;
    bool http1;
    int64_t start_ns; /* of the measured part: set by protocol_open at its end */
    double start_cpu_s;
    struct cleat_log *log;
    struct cleat_client *client;
    struct cleat_resource resource;
    struct cleat_projection *projection; /* NULL: everything but managedFields */
    bool metadata_only;
    double seconds_to_sync; /* set by protocol_synced */
};

/** One more number of a line. */
struct protocol_number {
    const char *name;
    uint64_t value;
};

/** Blocks the signals, reads the flags, connects and finds the resource; ends the process where
 * that can't be. */
void protocol_open(struct protocol *protocol, const char *program, int argc, char **argv);
/** The options of the feed that the flags ask for; borrowed from @protocol. */
struct cleat_feed_options protocol_feed(const struct protocol *protocol);
/** Prints the SYNCED line. */
void protocol_synced(struct protocol *protocol, const struct cleat_feed *feed);
/**
 * Answers each SIGUSR1 with a COUNT line, until SIGTERM or SIGINT. @extra (may be NULL) is asked
 * for one more number each time.
 */
void protocol_serve(struct protocol *protocol, const struct cleat_feed *feed,
                    struct protocol_number (*extra)(void *arg), void *arg);
void protocol_close(struct protocol *protocol);
/** Prints "<program>: <error>" and ends the process with 1. */
_Noreturn void protocol_die(const struct protocol *protocol, const struct cleat_err *err);

#endif
