/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to the table. One caller loads, without the lock; the others wait for it. A kind of a
 * group that couldn't be asked is an error, never "unknown".
 */
#include "client/discovery.h"

#include <errno.h>
#include <string.h>

#include "base/lock.h"
#include "base/mem.h"
#include "client/transport.h"

#define DISCOVERY_RELOAD_MS 10000

struct cleat_discovery {
    struct cleat_client *client; /* owned reference */
    const struct cleat_clock *clock;
    struct cleat_lock lock; /* guards what follows */
    struct cleat_cond loaded_cond;
    struct discovery_table table;
    bool loading;
    bool loaded;
    uint64_t loads; /* how often the table was replaced */
    int64_t loaded_mono_ms;
};

int cleat_discovery_new(struct cleat_client *client, const struct cleat_clock *clock,
                        struct cleat_discovery **ret)
{
    struct cleat_discovery *discovery = cleat_mem_zalloc(1, sizeof(*discovery));
    if (!discovery)
        return -ENOMEM;
    discovery->client = cleat_client_ref(client);
    discovery->clock = clock ? clock : cleat_clock_system();
    cleat_lock_init(&discovery->lock, CLEAT_LOCK_DISCOVERY);
    cleat_cond_init(&discovery->loaded_cond);
    *ret = discovery;
    return 0;
}

struct cleat_discovery *cleat_discovery_free(struct cleat_discovery *discovery)
{
    if (discovery) {
        cleat__discovery_table_fini(&discovery->table);
        cleat_cond_fini(&discovery->loaded_cond);
        cleat_lock_fini(&discovery->lock);
        cleat_client_unref(discovery->client);
        cleat_mem_free(discovery);
    }
    return NULL;
}

void cleat_discovery_invalidate(struct cleat_discovery *discovery)
{
    cleat_lock_take(&discovery->lock);
    discovery->loaded = false;
    cleat_lock_release(&discovery->lock);
}

/* Loads with the lock let go meanwhile; under it before and after. */
static int discovery_load(struct cleat_discovery *discovery, struct cleat_err *err)
{
    struct discovery_table table = {0};
    discovery->loading = true;
    cleat_lock_release(&discovery->lock);
    int result = cleat__discovery_load(discovery->client, &table, err);
    cleat_lock_take(&discovery->lock);
    discovery->loading = false;
    if (result == 0) {
        cleat__discovery_table_fini(&discovery->table);
        discovery->table = table;
        discovery->loaded = true;
        discovery->loads++;
        discovery->loaded_mono_ms = cleat_clock_mono_ms(discovery->clock);
    }
    cleat_cond_broadcast(&discovery->loaded_cond);
    return result;
}

/* A table newer than @seen loads, where there is or may be one. Under the lock. */
static int discovery_refresh(struct cleat_discovery *discovery, bool missed, bool *ret_newer,
                             struct cleat_err *err)
{
    uint64_t seen = discovery->loads;
    int result = discovery->loading ? cleat_transport_may_block("discovery", err) : 0;
    if (result < 0)
        return result;
    while (discovery->loading)
        cleat_cond_wait(&discovery->loaded_cond, &discovery->lock);
    bool old =
        cleat_clock_mono_ms(discovery->clock) - discovery->loaded_mono_ms >= DISCOVERY_RELOAD_MS;
    if (!discovery->loaded || (missed && old && discovery->loads == seen))
        result = discovery_load(discovery, err);
    *ret_newer = discovery->loads != seen;
    return result;
}

/* What is looked for; NULL or "" is any. */
struct discovery_question {
    const char *group;   /* NULL: any */
    const char *version; /* "": the preferred */
    const char *kind;    /* or by @plural */
    const char *plural;
};

static bool discovery_matches(const struct discovery_question *question,
                              const struct cleat_resource *resource)
{
    return (!question->group || strcmp(question->group, resource->gvk.group) == 0) &&
           (!question->version[0] || strcmp(question->version, resource->gvk.version) == 0) &&
           (!question->kind || strcmp(question->kind, resource->gvk.kind) == 0) &&
           (!question->plural || strcmp(question->plural, resource->plural) == 0);
}

static int discovery_ambiguous(const struct discovery_table *table,
                               const struct discovery_question *question, struct cleat_err *err)
{
    struct cleat_buffer names = CLEAT_BUFFER_INIT(CLEAT_ERR_TEXT_BYTES_MAX);
    const char *last = NULL;
    for (size_t i = 0; i < table->count; i++) {
        const struct cleat_resource *resource = &table->resources[i];
        if (!discovery_matches(question, resource) ||
            (last && strcmp(last, resource->gvk.group) == 0))
            continue;
        char text[CLEAT_API_VERSION_BYTES_MAX];
        cleat_buffer_format(&names, "%s%s", last ? ", " : "",
                            cleat_gvk_api_version(&resource->gvk, text));
        last = resource->gvk.group;
    }
    (void)cleat_err_set(err, -ENOTUNIQ, "kind %s is served by several groups: %s", question->kind,
                        names.data ? names.data : "");
    cleat_buffer_fini(&names);
    return CLEAT_DISCOVERY_AMBIGUOUS;
}

/* The core group goes first; among others there must be one. */
static int discovery_search(const struct discovery_table *table,
                            const struct discovery_question *question, struct cleat_resource *ret,
                            struct cleat_err *err)
{
    const struct cleat_resource *found = NULL;
    bool several = false;
    for (size_t i = 0; i < table->count; i++) {
        const struct cleat_resource *resource = &table->resources[i];
        if (!discovery_matches(question, resource))
            continue;
        if (!resource->gvk.group[0]) {
            *ret = *resource;
            return 0;
        }
        several = several || (found && strcmp(found->gvk.group, resource->gvk.group) != 0);
        found = found ? found : resource;
    }
    if (!found)
        return CLEAT_DISCOVERY_UNKNOWN;
    if (several)
        return discovery_ambiguous(table, question, err);
    *ret = *found;
    return 0;
}

/* Nothing was found: unless the group couldn't be asked, there is no such kind. */
static int discovery_unknown(const struct discovery_table *table,
                             const struct discovery_question *question, struct cleat_err *err)
{
    for (size_t i = 0; i < table->failure_count; i++) {
        const struct discovery_failure *failure = &table->failures[i];
        bool all = strcmp(failure->group, "*") == 0;
        if (question->group
                ? strcmp(failure->group, question->group) == 0 || (all && question->group[0])
                : all || !failure->group[0]) {
            if (err && err->code == 0)
                *err = failure->err;
            return failure->err.code;
        }
    }
    const char *missing = table->failure_count > 0 ? " (some groups couldn't be asked)" : "";
    (void)cleat_err_set(err, -ENOENT, "%s %s%s%s isn't served%s",
                        question->kind ? "kind" : "resource",
                        question->kind ? question->kind : question->plural,
                        question->group && question->group[0] ? " of group " : "",
                        question->group ? question->group : "", missing);
    return CLEAT_DISCOVERY_UNKNOWN;
}

static int discovery_ask(struct cleat_discovery *discovery,
                         const struct discovery_question *question, struct cleat_resource *ret,
                         struct cleat_err *err)
{
    cleat_lock_take(&discovery->lock);
    bool newer = false;
    int result = discovery->loaded ? 0 : discovery_refresh(discovery, false, &newer, err);
    if (result == 0)
        result = discovery_search(&discovery->table, question, ret, err);
    if (result == CLEAT_DISCOVERY_UNKNOWN && !newer) {
        result = discovery_refresh(discovery, true, &newer, err);
        result = result == 0 ? discovery_search(&discovery->table, question, ret, err) : result;
    }
    if (result == CLEAT_DISCOVERY_UNKNOWN)
        result = discovery_unknown(&discovery->table, question, err);
    cleat_lock_release(&discovery->lock);
    return result;
}

int cleat_discovery_kind(struct cleat_discovery *discovery, const struct cleat_gvk *gvk,
                         struct cleat_resource *ret, struct cleat_err *err)
{
    const struct discovery_question question = {gvk->group, gvk->version, gvk->kind, NULL};
    return discovery_ask(discovery, &question, ret, err);
}

int cleat_discovery_find(struct cleat_discovery *discovery, const char *kind,
                         struct cleat_resource *ret, struct cleat_err *err)
{
    const struct discovery_question question = {NULL, "", kind, NULL};
    return discovery_ask(discovery, &question, ret, err);
}

int cleat_discovery_plural(struct cleat_discovery *discovery, const char *group,
                           const char *version, const char *plural, struct cleat_resource *ret,
                           struct cleat_err *err)
{
    const struct discovery_question question = {group ? group : "", version ? version : "", NULL,
                                                plural};
    return discovery_ask(discovery, &question, ret, err);
}
