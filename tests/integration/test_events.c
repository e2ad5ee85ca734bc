/* SPDX-License-Identifier: Apache-2.0 */
/* Events on an API server that validates them: created, made a series of, told at the stop. */
#include <cleat/recorder.h>

#include "controller/recorder.h"
#include "integration/cluster.h"
#include "support/suite.h"
#include "support/wait.h"

static const struct cleat_resource events = {.gvk = {"events.k8s.io", "v1", "Event"},
                                             .plural = "events",
                                             .singular = "event",
                                             .namespaced = true};

struct fixture {
    struct cluster cluster;
    struct cleat_client *client;
    struct cleat_recorder *recorder;
    struct cleat_object *object;
    /* Of the last look. */
    int found;
    int64_t count;
    char name[300];
};

static void fixture_open(struct fixture *f, const char *json)
{
    *f = (struct fixture){0};
    cluster_open(&f->cluster);
    f->client = cluster_client(&f->cluster, "recorder");
    ck_assert_int_eq(cleat_object_parse(cleat_str_of(json), &f->object, NULL), 0);
    const struct cleat_recorder_options options = {.client = f->client, .controller = "tests"};
    ck_assert_int_eq(cleat_recorder_new(&options, &f->recorder, NULL), 0);
}

static void fixture_close(struct fixture *f)
{
    cleat_recorder_free(f->recorder);
    cleat_object_unref(f->object);
    cleat_client_unref(f->client);
    cluster_close(&f->cluster);
}

static void post(struct fixture *f, const char *note)
{
    const struct cleat_event_note event = {.regarding = f->object,
                                           .warning = true,
                                           .reason = "Failed",
                                           .action = "Testing",
                                           .note = note};
    cleat_recorder_post(f->recorder, &event);
}

static int look_at(void *arg, struct cleat_value item)
{
    struct fixture *f = arg;
    struct cleat_scratch scratch;
    f->found++;
    f->count = cleat_value_int_or(cleat_value_find(item, "series.count"), 0);
    (void)snprintf(
        f->name, sizeof(f->name), "%.*s",
        CLEAT_STR_ARG(cleat_value_text(cleat_value_find(item, "metadata.name"), &scratch)));
    ck_assert(cleat_value_is(cleat_value_get(item, "reason"), "Failed"));
    ck_assert(cleat_value_is(cleat_value_get(item, "type"), "Warning"));
    ck_assert(cleat_value_is(cleat_value_get(item, "note"), "first"));
    ck_assert(cleat_value_is(cleat_value_get(item, "reportingController"), "tests"));
    return 0;
}

static void look(struct fixture *f, const char *namespace_)
{
    const struct cleat_client_target target = {.resource = &events, .namespace_ = namespace_};
    f->found = 0;
    ck_assert_int_eq(cleat_client_list_each(f->cluster.admin, &target, NULL, look_at, f, NULL), 0);
}

START_TEST(test_series)
{
    struct fixture f;
    fixture_open(&f, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\","
                     "\"namespace\":\"default\",\"uid\":\"u\",\"resourceVersion\":\"1\"}}");
    post(&f, "first");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    look(&f, "default");
    ck_assert_int_eq(f.found, 1);
    ck_assert_int_eq(f.count, 0);
    post(&f, "second");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    look(&f, "default");
    ck_assert_int_eq(f.found, 1);
    ck_assert_int_eq(f.count, 2);
    /* Somebody deletes it. */
    ck_assert_int_eq(cluster_remove(&f.cluster, &events, "default", f.name), 0);
    for (int i = 0; i < 5; i++)
        post(&f, "more");
    ck_assert_int_eq(cleat__recorder_stop(f.recorder, 20000), 0);
    look(&f, "default");
    ck_assert_int_eq(f.found, 1);
    ck_assert_int_eq(f.count, 7);
    ck_assert_uint_eq(cleat_recorder_dropped(f.recorder), 0);
    fixture_close(&f);
}
END_TEST

/* Cluster-scoped objects' events are in "default". */
START_TEST(test_cluster_scoped)
{
    struct fixture f;
    fixture_open(&f, "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n\"}}");
    for (int i = 0; i < 3; i++)
        post(&f, "first");
    ck_assert_int_eq(cleat__recorder_stop(f.recorder, 20000), 0);
    look(&f, "default");
    ck_assert_int_eq(f.found, 1);
    ck_assert_int_eq(f.count, 3);
    fixture_close(&f);
}
END_TEST

/* A namespace that isn't there: refused, and not tried again. */
START_TEST(test_refused)
{
    struct fixture f;
    fixture_open(&f, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\","
                     "\"namespace\":\"nowhere\"}}");
    post(&f, "first");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    ck_assert_uint_eq(cleat_recorder_dropped(f.recorder), 1);
    ck_assert_uint_eq(cleat_apiserver_requests(f.cluster.server, "POST", NULL, NULL), 1);
    fixture_close(&f);
}
END_TEST

/* The API server hangs: the stop takes its time and no more. */
START_TEST(test_stop_while_hanging)
{
    struct fixture f;
    fixture_open(&f, "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n\"}}");
    const struct cleat_fault fault = {.freeze = true};
    ck_assert_int_gt(cleat_apiserver_fault(f.cluster.server, &fault), 0);
    post(&f, "first");
    CLEAT_WAIT_FOR(cleat_apiserver_requests(f.cluster.server, "POST", NULL, NULL) == 1, 10000);
    ck_assert_int_eq(cleat__recorder_stop(f.recorder, 10000), 0);
    ck_assert_uint_eq(cleat_recorder_dropped(f.recorder), 1);
    fixture_close(&f);
}
END_TEST

/* What the API server demands of a series. */
START_TEST(test_series_validated)
{
    static const struct {
        const char *patch;
        int rc;
    } cases[] = {
        {"{\"series\":{\"count\":1,\"lastObservedTime\":\"2026-01-01T00:00:00.000000Z\"}}",
         -EINVAL},
        {"{\"series\":{\"count\":2}}", -EINVAL},
        {"{\"series\":{\"count\":2,\"lastObservedTime\":\"2026-01-01T00:00:00.000000Z\"}}", 0},
    };
    struct fixture f;
    fixture_open(&f, "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n\"}}");
    post(&f, "first");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    look(&f, "default");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_int_eq(cluster_patch(&f.cluster, &events, "default", f.name, cases[i].patch),
                         cases[i].rc);
    fixture_close(&f);
}
END_TEST

CLEAT_SUITE_MAIN("events", test_series, test_cluster_scoped, test_refused, test_stop_while_hanging,
                 test_series_validated)
