/* SPDX-License-Identifier: Apache-2.0 */
/* From events to keys, without a cache: watches and events are made by hand. */
#include <stdio.h>
#include <string.h>

#include <cleat/object.h>
#include <cleat/selector.h>

#include "controller/controller.h"
#include "support/fake_clock.h"
#include "support/suite.h"

static char filter_ns[] = "ns";
static char filter_pod[] = "pod";
static char filter_other[] = "other";
static char map_arg[] = "arg";

struct fixture {
    struct cleat_fake_clock fake;
    struct cleat_controller *controller;
    struct cleat_watch watch;
};

static int no_reconcile(void *arg, const struct cleat_context *context,
                        const struct cleat_request *request, struct cleat_result *result,
                        struct cleat_err *err)
{
    return 0;
}

static void fixture_open(struct fixture *f, enum cleat_watch_type type)
{
    *f = (struct fixture){0};
    cleat_fake_clock_init(&f->fake);
    const struct controller_parts parts = {.clock = &f->fake.clock};
    const struct cleat_controller_options options = {.name = "x", .reconcile = no_reconcile};
    ck_assert_int_eq(cleat__controller_make(&parts, &options, &f->controller, NULL), 0);
    f->watch = (struct cleat_watch){
        .magic = CLEAT__WATCH_MAGIC,
        .controller = f->controller,
        .type = type,
        .owner = {.gvk = {.group = "apps.example.com", .version = "v1", .kind = "App"},
                  .plural = "apps",
                  .namespaced = true},
    };
}

static void fixture_close(struct fixture *f)
{
    cleat__controller_stop(f->controller);
    ck_assert_int_eq(cleat__controller_join(f->controller, 1000), 0);
    cleat__controller_free(f->controller);
}

static struct cleat_object *object(const char *json)
{
    struct cleat_object *ret = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_object_parse(cleat_str_of(json), &ret, &err) == 0, "%s", err.text);
    return ret;
}

static struct cleat_event event(enum cleat_event_type type, struct cleat_object *old_object,
                                struct cleat_object *new_object)
{
    return (struct cleat_event){
        .type = type,
        .namespace_ = CLEAT_STR("ns"),
        .name = CLEAT_STR("pod"),
        .old_object = old_object,
        .object = new_object,
    };
}

/* Drains the queue: "ns/name@priority" in order, separated by blanks. */
static const char *keys(struct fixture *f)
{
    static char text[512];
    struct cleat_request request;
    text[0] = '\0';
    while (cleat_queue_get(f->controller->queue, 0, &request) == 0) {
        size_t length = strlen(text);
        (void)snprintf(text + length, sizeof(text) - length, "%s%s/%s@%d", length ? " " : "",
                       request.namespace_, request.name, request.priority);
        cleat_queue_done(f->controller->queue, &request, NULL);
    }
    return text;
}

static void expect(struct fixture *f, struct cleat_event what, const char *wanted)
{
    cleat__enqueue_event(&f->watch, &what);
    ck_assert_str_eq(keys(f), wanted);
}

#define POD(rv, extra)                                                                             \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"pod\",\"namespace\":\"ns\"," \
    "\"resourceVersion\":\"" rv "\"" extra "}}"
#define OWNER(group, kind, name, controller)                                                   \
    "{\"apiVersion\":\"" group "\",\"kind\":\"" kind "\",\"name\":\"" name "\",\"uid\":\"u\"," \
    "\"controller\":" controller "}"

START_TEST(test_for)
{
    struct fixture f;
    struct cleat_object *a = object(POD("1", "")), *b = object(POD("2", ""));
    fixture_open(&f, CLEAT_WATCH_FOR);
    expect(&f, event(CLEAT_EVENT_ADDED, NULL, a), "ns/pod@0");
    expect(&f, event(CLEAT_EVENT_UPDATED, a, b), "ns/pod@0");
    expect(&f, event(CLEAT_EVENT_DELETED, b, NULL), "ns/pod@0");
    expect(&f, event(CLEAT_EVENT_DELETED, NULL, NULL),
           "ns/pod@0"); /* collapsed: the key is enough */
    f.watch.priority = 10;
    expect(&f, event(CLEAT_EVENT_UPDATED, a, b), "ns/pod@10");
    cleat_object_unref(a);
    cleat_object_unref(b);
    fixture_close(&f);
}
END_TEST

/* What tells nothing new comes in low. */
START_TEST(test_low_priority)
{
    struct fixture f;
    struct cleat_object *a = object(POD("1", "")), *same = object(POD("1", ""));
    struct cleat_event initial = event(CLEAT_EVENT_ADDED, NULL, a);
    fixture_open(&f, CLEAT_WATCH_FOR);
    initial.initial = true;
    f.watch.priority = 10;
    expect(&f, initial, "ns/pod@-100");
    expect(&f, event(CLEAT_EVENT_UPDATED, a, same), "ns/pod@-100");
    expect(&f, event(CLEAT_EVENT_RESYNC, a, a), "ns/pod@-100");
    cleat_object_unref(a);
    cleat_object_unref(same);
    fixture_close(&f);
}
END_TEST

START_TEST(test_owners)
{
    static const struct {
        const char *owners;
        const char *controller_only;
        const char *any;
    } cases[] = {
        {"", "", ""},
        {OWNER("apps.example.com/v1", "App", "a", "true"), "ns/a@0", "ns/a@0"},
        {OWNER("apps.example.com/v2beta1", "App", "a", "true"), "ns/a@0", "ns/a@0"},
        {OWNER("apps.example.com/v1", "App", "a", "false"), "", "ns/a@0"},
        {OWNER("apps.example.org/v1", "App", "a", "true"), "", ""},
        {OWNER("v1", "App", "a", "true"), "", ""},
        {OWNER("apps.example.com/v1", "Apple", "a", "true"), "", ""},
        {OWNER("apps.example.com/v1", "App", "a", "true") "," OWNER("apps.example.com/v1", "App",
                                                                    "b", "false"),
         "ns/a@0", "ns/a@0 ns/b@0"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        char json[1024];
        (void)snprintf(json, sizeof(json),
                       "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"pod\","
                       "\"namespace\":\"ns\",\"ownerReferences\":[%s]}}",
                       cases[i].owners);
        struct cleat_object *pod = object(json);
        fixture_open(&f, CLEAT_WATCH_OWNS);
        expect(&f, event(CLEAT_EVENT_ADDED, NULL, pod), cases[i].controller_only);
        expect(&f, event(CLEAT_EVENT_DELETED, pod, NULL), cases[i].controller_only);
        f.watch.type = CLEAT_WATCH_OWNED_BY_ANY;
        expect(&f, event(CLEAT_EVENT_ADDED, NULL, pod), cases[i].any);
        cleat_object_unref(pod);
        fixture_close(&f);
    }
}
END_TEST

START_TEST(test_owner_changes)
{
    struct fixture f;
    struct cleat_object *a = object(
        POD("1", ",\"ownerReferences\":[" OWNER("apps.example.com/v1", "App", "a", "true") "]"));
    struct cleat_object *b = object(
        POD("2", ",\"ownerReferences\":[" OWNER("apps.example.com/v1", "App", "b", "true") "]"));
    fixture_open(&f, CLEAT_WATCH_OWNS);
    expect(&f, event(CLEAT_EVENT_UPDATED, a, b), "ns/a@0 ns/b@0");
    f.watch.owner.namespaced = false;
    expect(&f, event(CLEAT_EVENT_ADDED, NULL, a), "/a@0");
    cleat_object_unref(a);
    cleat_object_unref(b);
    fixture_close(&f);
}
END_TEST

static void map_labels(void *arg, struct cleat_object *from, struct cleat_enqueue *enqueue)
{
    struct cleat_scratch scratch;
    struct cleat_str app =
        cleat_value_text(cleat_value_get(cleat_object_labels(from), "app"), &scratch);
    ck_assert_str_eq(arg, "arg");
    cleat_enqueue_key(enqueue, CLEAT_STR("mapped"), app);
    cleat_enqueue_key(enqueue, CLEAT_STR("mapped"), CLEAT_STR("all"));
}

START_TEST(test_mapped)
{
    struct fixture f;
    struct cleat_object *a = object(POD("1", ",\"labels\":{\"app\":\"one\"}"));
    struct cleat_object *b = object(POD("2", ",\"labels\":{\"app\":\"two\"}"));
    fixture_open(&f, CLEAT_WATCH_MAPPED);
    f.watch.map = map_labels;
    f.watch.map_arg = map_arg;
    expect(&f, event(CLEAT_EVENT_ADDED, NULL, a), "mapped/one@0 mapped/all@0");
    expect(&f, event(CLEAT_EVENT_UPDATED, a, b), "mapped/one@0 mapped/all@0 mapped/two@0");
    expect(&f, event(CLEAT_EVENT_RESYNC, a, a), "mapped/one@-100 mapped/all@-100");
    cleat_object_unref(a);
    cleat_object_unref(b);
    fixture_close(&f);
}
END_TEST

/* Watches with selectors share the store of a kind: each takes its own. */
START_TEST(test_filters)
{
    struct fixture f;
    struct cleat_object *in = object(POD("1", ",\"labels\":{\"app\":\"one\"}"));
    struct cleat_object *out = object(POD("2", ",\"labels\":{\"app\":\"two\"}"));
    fixture_open(&f, CLEAT_WATCH_FOR);
    f.watch.namespace_ = filter_other;
    expect(&f, event(CLEAT_EVENT_ADDED, NULL, in), "");
    f.watch.namespace_ = filter_ns;
    expect(&f, event(CLEAT_EVENT_ADDED, NULL, in), "ns/pod@0");
    f.watch.name = filter_other;
    expect(&f, event(CLEAT_EVENT_ADDED, NULL, in), "");
    f.watch.name = filter_pod;
    expect(&f, event(CLEAT_EVENT_ADDED, NULL, in), "ns/pod@0");
    ck_assert_int_eq(cleat_selector_parse(CLEAT_STR("app=one"), &f.watch.labels, NULL), 0);
    expect(&f, event(CLEAT_EVENT_ADDED, NULL, in), "ns/pod@0");
    expect(&f, event(CLEAT_EVENT_ADDED, NULL, out), "");
    expect(&f, event(CLEAT_EVENT_UPDATED, in, out), "ns/pod@0"); /* it has left: seen once more */
    expect(&f, event(CLEAT_EVENT_DELETED, out, NULL), "");
    expect(&f, event(CLEAT_EVENT_DELETED, NULL, NULL), "ns/pod@0"); /* nobody can tell */
    cleat_selector_free(f.watch.labels);
    cleat_object_unref(in);
    cleat_object_unref(out);
    fixture_close(&f);
}
END_TEST

static bool only_deletions(const struct cleat_predicate *self, const struct cleat_event *what)
{
    return what->type == CLEAT_EVENT_DELETED;
}

START_TEST(test_predicates)
{
    struct fixture f;
    struct cleat_object *a = object(POD("1", ""));
    const struct cleat_predicate predicate = {.test = only_deletions};
    fixture_open(&f, CLEAT_WATCH_FOR);
    f.watch.predicate = &predicate;
    expect(&f, event(CLEAT_EVENT_ADDED, NULL, a), "");
    expect(&f, event(CLEAT_EVENT_DELETED, a, NULL), "ns/pod@0");
    f.watch.predicate = NULL;
    f.controller->predicate = &predicate; /* of the controller: asked for every watch */
    expect(&f, event(CLEAT_EVENT_ADDED, NULL, a), "");
    expect(&f, event(CLEAT_EVENT_DELETED, a, NULL), "ns/pod@0");
    cleat_object_unref(a);
    fixture_close(&f);
}
END_TEST

START_TEST(test_unusable_keys)
{
    struct fixture f;
    char name[600];
    fixture_open(&f, CLEAT_WATCH_FOR);
    struct cleat_enqueue enqueue = {.controller = f.controller};
    memset(name, 'n', sizeof(name));
    cleat_enqueue_key(&enqueue, CLEAT_STR("ns"), CLEAT_STR(""));
    cleat_enqueue_key(&enqueue, CLEAT_STR("ns"), (struct cleat_str){name, sizeof(name)});
    ck_assert_str_eq(keys(&f), "");
    cleat_enqueue_key(&enqueue, CLEAT_STR("ns"), (struct cleat_str){name, 3}); /* not terminated */
    ck_assert_str_eq(keys(&f), "ns/nnn@0");
    fixture_close(&f);
}
END_TEST

CLEAT_SUITE_MAIN("enqueue", test_for, test_low_priority, test_owners, test_owner_changes,
                 test_mapped, test_filters, test_predicates, test_unusable_keys)
