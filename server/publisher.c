/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <cleat/certs.h>
#include "base/lock.h"
#include "base/mem.h"
#include "base/reporter.h"
#include "controller/ticker.h"
#include "server/publisher.h"

#define PUBLISHER_PAUSE_MS 60000
#define PUBLISHER_RETRY_MS 1000
#define PUBLISHER_REPORT_MS 30000

struct cleat_publisher {
    struct cleat_client *client;
    struct cleat_log *log;
    struct cleat_ticker ticker;
    struct cleat_reporter reporter;
    struct cleat_lock lock;
    struct cleat_bundle *wanted; /* under the lock */
    struct cleat_bundle *published;
    struct cleat_err failure; /* code 0: none since the last success */
};

static const struct {
    bool mutating;
    const char *name;
} publisher_configurations[] = {
    {true, "cleat-mutating"}, {false, "cleat-validating"}, {false, "cleat-copies"}};

#define PUBLISHER_COUNT (sizeof(publisher_configurations) / sizeof(publisher_configurations[0]))

static int publisher_inject(struct cleat_publisher *publisher, struct cleat_bundle *bundle,
                            struct cleat_err *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < PUBLISHER_COUNT; i++) {
        r = cleat_inject_ca(publisher->client, publisher_configurations[i].mutating,
                            publisher_configurations[i].name, cleat_bundle_ca(bundle), err);
        if (r == 1) {
            cleat_debug(publisher->log, "there is no webhook configuration of that name",
                        cleat_log_text("name", publisher_configurations[i].name));
            r = 0;
        }
    }
    return r;
}

/* Takes @bundle over as what is published. */
static void publisher_note(struct cleat_publisher *publisher, struct cleat_bundle *bundle,
                           const struct cleat_err *failure)
{
    cleat_lock_take(&publisher->lock);
    struct cleat_bundle *old = NULL;
    publisher->failure = *failure;
    if (failure->code == 0) {
        old = publisher->published;
        publisher->published = cleat_bundle_ref(bundle);
    }
    cleat_lock_release(&publisher->lock);
    cleat_bundle_unref(old);
}

static int64_t publisher_tick(void *arg)
{
    struct cleat_publisher *publisher = arg;
    struct cleat_err err = CLEAT_ERR_INIT;
    cleat_lock_take(&publisher->lock);
    struct cleat_bundle *bundle = publisher->wanted ? cleat_bundle_ref(publisher->wanted) : NULL;
    cleat_lock_release(&publisher->lock);
    if (!bundle)
        return PUBLISHER_PAUSE_MS;
    int r = publisher_inject(publisher, bundle, &err);
    if (r < 0)
        cleat_report(&publisher->reporter, publisher->log, CLEAT_LOG_WARN,
                     "CA can't be published, trying again", cleat_log_err(&err));
    else
        cleat_reporter_reset(&publisher->reporter);
    publisher_note(publisher, bundle, &err);
    cleat_bundle_unref(bundle);
    return r < 0 ? PUBLISHER_RETRY_MS : PUBLISHER_PAUSE_MS;
}

int cleat_publisher_new(struct cleat_client *client, struct cleat_log *log,
                        struct cleat_publisher **ret)
{
    struct cleat_publisher *publisher = cleat_mem_zalloc(1, sizeof(*publisher));
    if (!publisher)
        return -ENOMEM;
    publisher->client = cleat_client_ref(client);
    publisher->log = log;
    cleat_lock_init(&publisher->lock, CLEAT_LOCK_CERTS);
    cleat_ticker_init(&publisher->ticker, publisher_tick, publisher);
    cleat_reporter_init(&publisher->reporter, cleat_clock_system(), PUBLISHER_REPORT_MS);
    *ret = publisher;
    return 0;
}

struct cleat_publisher *cleat_publisher_free(struct cleat_publisher *publisher)
{
    if (!publisher)
        return NULL;
    cleat_ticker_fini(&publisher->ticker);
    cleat_lock_fini(&publisher->lock);
    cleat_bundle_unref(publisher->wanted);
    cleat_bundle_unref(publisher->published);
    cleat_client_unref(publisher->client);
    return cleat_mem_free(publisher);
}

void cleat_publisher_set(struct cleat_publisher *publisher, struct cleat_bundle *bundle)
{
    cleat_lock_take(&publisher->lock);
    struct cleat_bundle *old = publisher->wanted;
    publisher->wanted = cleat_bundle_ref(bundle);
    cleat_lock_release(&publisher->lock);
    cleat_bundle_unref(old);
    cleat_ticker_kick(&publisher->ticker);
}

int cleat_publisher_check(struct cleat_publisher *publisher, struct cleat_err *err)
{
    struct cleat_err failure;
    cleat_lock_take(&publisher->lock);
    bool same =
        publisher->published && publisher->wanted &&
        cleat_str_equal(cleat_bundle_ca(publisher->published), cleat_bundle_ca(publisher->wanted));
    failure = publisher->failure;
    cleat_lock_release(&publisher->lock);
    if (failure.code != 0)
        return cleat_err_set(err, failure.code, "%s", cleat_err_text(&failure));
    return same ? 0 : cleat_err_set(err, -EAGAIN, "our CA isn't in the webhook configurations yet");
}

static int publisher_start(void *ticker, struct cleat_err *err)
{
    return cleat_ticker_start(ticker, "publish", err);
}

struct cleat_runnable cleat_publisher_runnable(struct cleat_publisher *publisher)
{
    return cleat_ticker_runnable(&publisher->ticker, "publisher", CLEAT_GROUP_WEBHOOKS,
                                 publisher_start);
}
