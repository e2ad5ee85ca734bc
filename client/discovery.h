/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table that discovery loads: every resource of every group and version in the server's order
 * of preference, and the groups that couldn't be asked.
 */
#ifndef CLEAT_CLIENT_DISCOVERY_H
#define CLEAT_CLIENT_DISCOVERY_H

#include <cleat/discovery.h>

#define DISCOVERY_RESOURCES_MAX 65536
#define DISCOVERY_FAILURES_MAX 1024

/* A group that couldn't be asked; "*" stands for all but the core. */
struct discovery_failure {
    char group[CLEAT_GROUP_BYTES_MAX];
    struct cleat_err err;
};

struct discovery_table {
    struct cleat_resource *resources;
    size_t count;
    size_t capacity;
    struct discovery_failure *failures;
    size_t failure_count;
};

/** Asks the server. 0 where at least the core group or all others could be read. Blocks. */
int cleat__discovery_load(struct cleat_client *client, struct discovery_table *ret,
                          struct cleat_err *err) CLEAT_MUST_CHECK;
void cleat__discovery_table_fini(struct discovery_table *table);

#endif
