/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the API server's history says of writes: each must have replaced the very version that its
 * writer had read. A write that came late and overwrote or undid a newer one breaks the chain.
 */
#ifndef CLEAT_TESTS_FAULT_LEADER_HISTORY_H
#define CLEAT_TESTS_FAULT_LEADER_HISTORY_H

#include <stdatomic.h>
#include <stdlib.h>

#include "base/thread.h"
#include "integration/cluster.h"

#define HISTORY_OBJECTS 4
#define HISTORY_END "end"

struct history_object {
    char version[64];
    long long n;
    atomic_int writer; /* -1: nobody yet */
};

struct history {
    struct cluster *cluster;
    const struct cleat_resource *resource;
    struct cleat_thread thread;
    struct history_object objects[HISTORY_OBJECTS];
    atomic_uint writes;
    atomic_uint wrong;
    atomic_uint hand_overs; /* writes by another than the one before, of the same object */
    /* How long another writer took, from when it was armed. */
    _Atomic(int64_t) armed_mono_ms; /* 0: not */
    atomic_int armed_writer;
    _Atomic(int64_t) took_ms;
};

/* The text of a string within @object, terminated. */
static inline void history_text(struct cleat_object *object, const char *path, char *text,
                                size_t size)
{
    struct cleat_scratch scratch;
    struct cleat_str str = cleat_value_text(cleat_object_find(object, path), &scratch);
    (void)snprintf(text, size, "%.*s", CLEAT_STR_ARG(str));
}

static inline void history_take(struct history *history, int writer)
{
    int64_t armed_ms = atomic_load(&history->armed_mono_ms);
    if (armed_ms == 0 || writer == atomic_load(&history->armed_writer))
        return;
    atomic_store(&history->took_ms, cleat_clock_mono_ms(cleat_clock_system()) - armed_ms);
    atomic_store(&history->armed_mono_ms, 0);
}

static inline void history_judge(struct history *history, struct history_object *object,
                                 struct cleat_object *now)
{
    char base[64], number[32], writer[64];
    history_text(now, "data.base", base, sizeof(base));
    history_text(now, "data.n", number, sizeof(number));
    history_text(now, "data.writer", writer, sizeof(writer));
    long long n = strtoll(number, NULL, 10);
    int who = writer[0] == 'r' ? writer[1] - '0' : -1;
    if (strcmp(base, object->version) != 0 || n != object->n + 1) {
        (void)fprintf(stderr, "wrong: %s wrote %lld over version %s, but that was %lld at %s\n",
                      writer, n, base, object->n, object->version);
        atomic_fetch_add(&history->wrong, 1);
    }
    object->n = n;
    if (who != atomic_load(&object->writer))
        atomic_fetch_add(&history->hand_overs, 1);
    atomic_store(&object->writer, who);
    atomic_fetch_add(&history->writes, 1);
    history_take(history, who);
}

static inline int history_event(void *arg, struct cleat_str type, struct cleat_object *object)
{
    struct history *history = arg;
    struct cleat_str name = cleat_object_name(object);
    struct cleat_str version = cleat_object_resource_version(object);
    if (cleat_str_is(name, HISTORY_END))
        return 1;
    if (name.length != 2 || name.data[0] != 'c' || cleat_str_is(type, "BOOKMARK"))
        return 0;
    struct history_object *at = &history->objects[(name.data[1] - '0') % HISTORY_OBJECTS];
    if (cleat_str_is(type, "MODIFIED"))
        history_judge(history, at, object);
    else if (!cleat_str_is(type, "ADDED"))
        atomic_fetch_add(&history->wrong, 1);
    (void)snprintf(at->version, sizeof(at->version), "%.*s", CLEAT_STR_ARG(version));
    return 0;
}

static inline void *history_main(void *arg)
{
    struct history *history = arg;
    const struct cleat_client_target target = {.resource = history->resource,
                                               .namespace_ = "default"};
    const struct cleat_client_call call = {.resource_version = "0",
                                           .deadline_mono_ms =
                                               cleat_clock_mono_ms(cleat_clock_system()) + 3600000};
    struct cleat_err err = CLEAT_ERR_INIT;
    /* A history with a hole says nothing: the watch must not end before the end. */
    if (cleat_client_watch(history->cluster->admin, &target, &call, history_event, history, &err) !=
        1) {
        (void)fprintf(stderr, "history: the watch ended: %s\n", err.text);
        atomic_fetch_add(&history->wrong, 1);
    }
    return NULL;
}

static inline void history_start(struct history *history, struct cluster *cluster,
                                 const struct cleat_resource *resource)
{
    memset(history, 0, sizeof(*history));
    history->cluster = cluster;
    history->resource = resource;
    for (int i = 0; i < HISTORY_OBJECTS; i++)
        atomic_store(&history->objects[i].writer, -1);
    ck_assert_int_eq(
        cleat_thread_start(&history->thread, "history", 0, history_main, history, NULL), 0);
}

/** Everything up to here is judged when it returns. */
static inline void history_end(struct history *history)
{
    ck_assert_int_eq(cluster_make(history->cluster, history->resource, "default",
                                  "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{"
                                  "\"name\":\"" HISTORY_END "\",\"namespace\":\"default\"}}"),
                     0);
    cleat_thread_join(&history->thread);
}

static inline void history_arm(struct history *history, int writer)
{
    atomic_store(&history->armed_writer, writer);
    atomic_store(&history->took_ms, 0);
    atomic_store(&history->armed_mono_ms, cleat_clock_mono_ms(cleat_clock_system()));
}

/** True where another than @writer was the last to write each object. */
static inline bool history_passed_on(struct history *history, int writer)
{
    for (int i = 0; i < HISTORY_OBJECTS; i++)
        if (atomic_load(&history->objects[i].writer) == writer)
            return false;
    return true;
}

#endif
