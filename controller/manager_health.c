/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager's own checks: "caches" (the feeds of controllers that were there at the start, and
 * those registered), "leader-election" for liveness (the renewal isn't stuck), "leader" for
 * readiness (nor that, and who leads has its controllers running), "shutdown".
 */
#include <errno.h>

#include <cleat/health.h>

#include "base/check.h"
#include "controller/controller.h"
#include "controller/manager.h"

int cleat__feed_check(struct cleat_feed *feed, const char *whose, const char *plural,
                      struct cleat_err *err)
{
    static const char *const states[] = {
        [CLEAT_FEED_LOADING] = "isn't synced yet",
        [CLEAT_FEED_STALE] = "is stale",
        [CLEAT_FEED_FORBIDDEN] = "is forbidden",
        [CLEAT_FEED_UNKNOWN] = "isn't served",
    };
    struct cleat_feed_status status;
    cleat_feed_status(feed, &status);
    if (status.state == CLEAT_FEED_SYNCED)
        return 0;
    return cleat_err_set(err, -EAGAIN, "%s: %s %s%s%s", whose, plural, states[status.state],
                         status.last_error.code ? ": " : "",
                         status.last_error.code ? cleat_err_text(&status.last_error) : "");
}

static int manager_caches(void *arg, struct cleat_err *err)
{
    struct cleat_manager *manager = arg;
    int rc = 0;
    cleat_lock_take(&manager->lock);
    for (struct manager_controller *at = manager->controllers; at && rc == 0; at = at->next)
        rc = cleat__controller_check(at->controller, err);
    for (struct manager_feed *at = manager->feeds; at && rc == 0; at = at->next) {
        const struct cleat_resource *resource = cleat_store_resource(cleat_feed_store(at->feed));
        rc = cleat__feed_check(at->feed, "cache", resource->plural, err);
    }
    cleat_lock_release(&manager->lock);
    return rc;
}

static int manager_leader_live(void *arg, struct cleat_err *err)
{
    const struct cleat_manager *manager = arg;
    return cleat_election_check(manager->election, err);
}

static int manager_leader_ready(void *arg, struct cleat_err *err)
{
    struct cleat_manager *manager = arg;
    int rc = cleat_election_check(manager->election, err);
    if (rc < 0 || !cleat_election_leading(manager->election))
        return rc;
    cleat_lock_take(&manager->lock);
    bool runs = manager->elected_runs;
    cleat_lock_release(&manager->lock);
    return runs ? 0
                : cleat_err_set(err, -EAGAIN, "leading, but the controllers aren't running yet");
}

static int manager_shutdown(void *arg, struct cleat_err *err)
{
    struct cleat_manager *manager = arg;
    cleat_lock_take(&manager->lock);
    bool draining = manager->draining;
    cleat_lock_release(&manager->lock);
    return draining ? cleat_err_set(err, -ESHUTDOWN, "the process is stopping") : 0;
}

int cleat__manager_health_init(struct cleat_manager *manager)
{
    int rc = cleat_health_new(&manager->healthz);
    if (rc == 0)
        rc = cleat_health_new(&manager->readyz);
    if (rc == 0)
        rc = cleat_health_add(manager->readyz, "shutdown", true, manager_shutdown, manager);
    if (rc == 0 && manager->cache)
        rc = cleat_health_add(manager->readyz, "caches", true, manager_caches, manager);
    if (rc == 0 && manager->election)
        rc = cleat_health_add(manager->readyz, "leader", true, manager_leader_ready, manager);
    if (rc == 0 && manager->election)
        rc = cleat_health_add(manager->healthz, "leader-election", true, manager_leader_live,
                              manager);
    return rc;
}
