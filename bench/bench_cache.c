/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache with one feed and no reader: what it costs to load a kind, to hold it and to follow its
 * changes. Lines as in protocol.h.
 */
#include <stddef.h>

#include "protocol.h"

#define SYNC_LIMIT_MS 600000

static int bench_start(const struct protocol *protocol, struct cleat_cache **cache,
                       struct cleat_feed **feed, struct cleat_err *err)
{
    const struct cleat_cache_options options = {
        .client = protocol->client, .log = protocol->log, .http1 = protocol->http1};
    const struct cleat_feed_options wanted = protocol_feed(protocol);
    int rc = cleat_cache_new(&options, cache, err);
    if (rc == 0)
        rc = cleat_cache_feed(*cache, &wanted, feed, err);
    if (rc == 0)
        rc = cleat_cache_start(*cache, err);
    if (rc == 0)
        rc = cleat_feed_wait_synced(*feed, SYNC_LIMIT_MS, err);
    return rc;
}

int main(int argc, char **argv)
{
    struct protocol protocol;
    struct cleat_cache *cache = NULL;
    struct cleat_feed *feed = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    protocol_open(&protocol, "cache", argc, argv);
    if (bench_start(&protocol, &cache, &feed, &err) < 0)
        protocol_die(&protocol, &err);
    protocol_synced(&protocol, feed);
    protocol_serve(&protocol, feed, NULL, NULL);
    feed = cleat_feed_unref(feed);
    cleat_cache_stop(cache);
    cleat_cache_join(cache);
    cache = cleat_cache_free(cache);
    protocol_close(&protocol);
    return 0;
}
