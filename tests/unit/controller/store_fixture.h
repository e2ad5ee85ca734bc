/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store alone, with a ring and an events side that a test turns by hand; the test is the writer.
 */
#ifndef CLEAT_TESTS_STORE_FIXTURE_H
#define CLEAT_TESTS_STORE_FIXTURE_H

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cleat/document.h>
#include "base/mem.h"
#include "controller/handler.h"
#include "controller/lender.h"
#include "controller/store.h"
#include "support/fake_clock.h"

struct store_fixture {
    struct cleat_fake_clock clock;
    struct cleat__lender *lender;
    struct cleat__events events;
    struct cleat_store *store;
    uint32_t entry;           /* of the last put */
    struct ring_stage *stage; /* of the next changes */
    bool initial;
    char told[8192]; /* what handlers were told, see store_fixture_tell */
};

static inline void store_fixture_init(struct store_fixture *fixture)
{
    struct cleat_resource resource = {.plural = "widgets", .namespaced = true};
    memset(fixture, 0, sizeof(*fixture));
    cleat_fake_clock_init(&fixture->clock);
    ck_assert_int_eq(cleat_gvk_make(&resource.gvk, "example.com", "v1", "Widget"), 0);
    ck_assert_int_eq(cleat__lender_new((size_t)64 << 20, &fixture->lender), 0);
    cleat__events_init(&fixture->events, fixture->lender, &fixture->clock.clock, 1000000);
    ck_assert_int_eq(
        cleat__store_new(fixture->lender, &fixture->events.ring, 0, &resource, &fixture->store), 0);
    ck_assert_int_eq(cleat__events_add(&fixture->events, fixture->store), 0);
}

/* Everything that was ever held must have been given up, down to the last node. */
static inline void store_fixture_fini(struct store_fixture *fixture)
{
    cleat__events_fini(&fixture->events);
    cleat__store_free_handlers(fixture->store);
    fixture->store = cleat__store_free(fixture->store);
    cleat__lender_drain(fixture->lender);
    cleat_pool_sweep(fixture->lender->heap);
    ck_assert_uint_eq(cleat_heap_nodes(fixture->lender->heap), 0);
    cleat__lender_close(fixture->lender);
    fixture->lender = cleat__lender_unref(fixture->lender);
}

static inline uint16_t store_fixture_feed(struct store_fixture *fixture, const char *namespace_,
                                          const struct cleat_projection *projection)
{
    const struct store_feed_options options = {.namespace_ = namespace_, .projection = projection};
    uint16_t feed = UINT16_MAX;
    ck_assert_int_eq(cleat__store_feed_add(fixture->store, &options, &feed), 0);
    return feed;
}

/* A root of the pool from JSON; nobody holds it. */
static inline uint32_t store_fixture_root(struct store_fixture *fixture, const char *json)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    uint32_t ref = CLEAT_REF_ABSENT;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_document_parse(cleat_str_of(json), &document, &err) == 0, "%s in %s",
                  cleat_err_text(&err), json);
    ck_assert_int_eq(cleat_heap_copy(fixture->lender->heap, cleat_document_root(document), &ref),
                     0);
    return ref;
}

/* An item for "namespace/name" at @version with @more (JSON members of the root, or ""). */
static inline struct store_item store_fixture_item(struct store_fixture *fixture, const char *key,
                                                   const char *version, const char *more)
{
    const char *slash = strchr(key, '/');
    struct store_item item = {
        .namespace_ = {key, (size_t)(slash - key)},
        .name = cleat_str_of(slash + 1),
        .version = cleat_str_of(version),
        .initial = fixture->initial,
        .stage = fixture->stage,
    };
    return item;
}

/* Puts an object whose uid is its name unless @more has metadata of its own. */
static inline int store_fixture_put(struct store_fixture *fixture, uint16_t feed, const char *key,
                                    const char *version, const char *more)
{
    struct store_item item = store_fixture_item(fixture, key, version, more);
    char *json = strstr(more, "\"metadata\"")
                     ? cleat_mem_format("{%s}", more)
                     : cleat_mem_format("{\"metadata\":{\"namespace\":\"%.*s\",\"name\":\"%s\","
                                        "\"uid\":\"uid-of-%s\"}%s%s}",
                                        CLEAT_STR_ARG(item.namespace_), item.name.data,
                                        item.name.data, more[0] ? "," : "", more);
    item.root = store_fixture_root(fixture, json);
    cleat_mem_free(json);
    int r = cleat__store_put(fixture->store, feed, &item, &fixture->entry);
    cleat_pool_sweep(fixture->lender->heap);
    return r;
}

static inline int store_fixture_remove(struct store_fixture *fixture, uint16_t feed,
                                       const char *key)
{
    struct store_item item = store_fixture_item(fixture, key, "1", "");
    return cleat__store_remove(fixture->store, feed, &item);
}

static inline int store_fixture_lookup(struct store_fixture *fixture, const char *key,
                                       struct cleat_object **ret)
{
    const char *slash = strchr(key, '/');
    struct cleat_str namespace_ = {key, (size_t)(slash - key)};
    return cleat_store_lookup(fixture->store, namespace_, cleat_str_of(slash + 1), ret);
}

/* The version that a lookup finds, or "outcome N". Valid until the next call. */
static inline const char *store_fixture_version(struct store_fixture *fixture, const char *key)
{
    static char text[64];
    struct cleat_object *object = NULL;
    int r = store_fixture_lookup(fixture, key, &object);
    (void)snprintf(text, sizeof(text), "outcome %d", r);
    if (r == 0)
        (void)snprintf(text, sizeof(text), "%s", cleat_object_resource_version(object).data);
    (void)cleat_object_unref(object);
    return text;
}

/* Turns the events side until nothing is left to do; what came back is given up. */
static inline void store_fixture_turn(struct store_fixture *fixture)
{
    while (cleat__events_turn(&fixture->events))
        ;
    cleat__ring_drain(&fixture->events.ring);
    cleat__lender_drain(fixture->lender);
}

/* A handler's function: appends "+a/x@1 " (initial: "*a/x@1 "), "~a/x@1>2 ", "-a/x@2 " (unknown
 * state: "?a/x@2 "), "=a/x@2 ". */
static inline void store_fixture_tell(void *arg, const struct cleat_event *event)
{
    char *told = arg;
    size_t used = strlen(told), left = 8192 - used;
    const char *old =
        event->old_object ? cleat_object_resource_version(event->old_object).data : "";
    const char *now = event->object ? cleat_object_resource_version(event->object).data : "";
    int type = event->type;
    const char *mark = type == CLEAT_EVENT_ADDED     ? (event->initial ? "*" : "+")
                       : type == CLEAT_EVENT_UPDATED ? "~"
                       : type == CLEAT_EVENT_DELETED ? (event->state_unknown ? "?" : "-")
                                                     : "=";
    (void)snprintf(told + used, left, "%s%.*s/%.*s@%s%s%s ", mark, CLEAT_STR_ARG(event->namespace_),
                   CLEAT_STR_ARG(event->name),
                   type == CLEAT_EVENT_ADDED || type == CLEAT_EVENT_RESYNC ? "" : old,
                   type == CLEAT_EVENT_UPDATED ? ">" : "", now);
}

/* What was told since the last call. Valid until the next. */
static inline const char *store_fixture_told(char *told)
{
    static char last[8192];
    (void)snprintf(last, sizeof(last), "%s", told);
    told[0] = '\0';
    return last;
}

#endif
