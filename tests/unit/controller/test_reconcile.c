/* SPDX-License-Identifier: Apache-2.0 */
/* The helpers of reconcilers, against scripted answers: what is sent, and what is made of the
 * answer. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cleat/owner.h>
#include <cleat/reconcile.h>

#include "support/client_fixture.h"
#include "support/suite.h"

static const struct cleat_resource config_maps = {
    {"", "v1", "ConfigMap"}, "configmaps", "configmap", true, 0};
static const struct cleat_client_target target = {&config_maps, "ns", "x", NULL};

#define MISSING                                                                                  \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"reason\":\"NotFound\"," \
    "\"code\":404,\"message\":\"configmaps \\\"x\\\" not found\"}"
#define CONFLICT                                                                                 \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"reason\":\"Conflict\"," \
    "\"code\":409,\"message\":\"the object has been modified\"}"
#define OBJECT(rest)                                                              \
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"," \
    "\"namespace\":\"ns\",\"resourceVersion\":\"7\",\"uid\":\"u\"" rest "}"

struct answer {
    int status;
    const char *body;
};

struct script {
    struct answer answers[4];
    char lines[4][256];
    char bodies[4][1024];
    unsigned count;
};

struct fixture {
    struct script script;
    struct client_fixture client;
    struct cleat_context context;
};

static void script_run(void *arg, struct script_exchange *exchange,
                       const struct script_request *request)
{
    struct script *script = arg;
    unsigned at = request->number - 1 < 4 ? request->number - 1 : 3;
    (void)snprintf(script->lines[at], sizeof(script->lines[at]), "%s %.200s", request->method,
                   request->target);
    (void)snprintf(script->bodies[at], sizeof(script->bodies[at]), "%.1000s", request->body);
    script->count = request->number;
    script_reply(exchange, script->answers[at].status, NULL, script->answers[at].body);
}

static void fixture_open(struct fixture *f, struct answer first, struct answer second)
{
    *f = (struct fixture){.script = {.answers = {first, second}}};
    client_fixture_init(&f->client, script_run, &f->script);
    client_fixture_open(&f->client);
    f->context.clock = cleat_clock_system();
    f->context.client = f->client.client;
}

static void fixture_close(struct fixture *f)
{
    client_fixture_fini(&f->client);
}

static struct cleat_object *parse(const char *json)
{
    struct cleat_object *object = NULL;
    ck_assert_int_eq(cleat_object_parse(cleat_str_of(json), &object, NULL), 0);
    return object;
}

static int set_data(void *arg, struct cleat_draft *draft, struct cleat_err *err)
{
    return cleat_draft_set_text(draft, "data.key", arg, err);
}

static int set_name(void *arg, struct cleat_draft *draft, struct cleat_err *err)
{
    return cleat_draft_set_text(draft, "metadata.name", arg, err);
}

static int refuse(void *arg, struct cleat_draft *draft, struct cleat_err *err)
{
    return cleat_err_set(err, -EDOM, "not this one");
}

static char value_text[] = "value";
static char other_text[] = "other";

START_TEST(test_creates)
{
    struct fixture f;
    struct cleat_object *object = NULL;
    fixture_open(&f, (struct answer){404, MISSING},
                 (struct answer){201, OBJECT("},\"data\":{\"key\":\"value\"}")});
    ck_assert_int_eq(
        cleat_create_or_update(&f.context, &target, set_data, value_text, &object, NULL),
        CLEAT_APPLY_CREATED);
    ck_assert_str_eq(f.script.lines[0], "GET /api/v1/namespaces/ns/configmaps/x");
    ck_assert_ptr_nonnull(strstr(f.script.lines[1], "POST /api/v1/namespaces/ns/configmaps?"));
    ck_assert_str_eq(f.script.bodies[1],
                     "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\","
                     "\"namespace\":\"ns\"},\"data\":{\"key\":\"value\"}}");
    ck_assert(cleat_str_is(cleat_object_resource_version(object), "7"));
    cleat_object_unref(object);
    fixture_close(&f);
}
END_TEST

START_TEST(test_leaves_alone)
{
    struct fixture f;
    struct cleat_object *object = NULL;
    fixture_open(&f, (struct answer){200, OBJECT("},\"data\":{\"key\":\"value\"}")},
                 (struct answer){500, ""});
    ck_assert_int_eq(
        cleat_create_or_update(&f.context, &target, set_data, value_text, &object, NULL),
        CLEAT_APPLY_UNCHANGED);
    ck_assert_uint_eq(f.script.count, 1);
    ck_assert_ptr_nonnull(object);
    cleat_object_unref(object);
    ck_assert_int_eq(cleat_create_or_update(&f.context, &target, refuse, NULL, NULL, NULL), -EIO);
    fixture_close(&f);
}
END_TEST

START_TEST(test_updates)
{
    struct fixture f;
    fixture_open(&f, (struct answer){200, OBJECT(",\"labels\":{\"a\":\"b\"}},\"data\":{}")},
                 (struct answer){200, OBJECT("}")});
    ck_assert_int_eq(cleat_create_or_update(&f.context, &target, set_data, value_text, NULL, NULL),
                     CLEAT_APPLY_UPDATED);
    ck_assert_ptr_nonnull(strstr(f.script.lines[1], "PUT /api/v1/namespaces/ns/configmaps/x?"));
    ck_assert_ptr_nonnull(strstr(f.script.bodies[1], "\"resourceVersion\":\"7\""));
    ck_assert_ptr_nonnull(strstr(f.script.bodies[1], "\"labels\":{\"a\":\"b\"}"));
    ck_assert_ptr_nonnull(strstr(f.script.bodies[1], "\"data\":{\"key\":\"value\"}"));
    fixture_close(&f);
}
END_TEST

START_TEST(test_update_conflict)
{
    struct fixture f;
    struct cleat_err err = CLEAT_ERR_INIT;
    fixture_open(&f, (struct answer){200, OBJECT("}")}, (struct answer){409, CONFLICT});
    ck_assert_int_eq(cleat_create_or_update(&f.context, &target, set_data, value_text, NULL, &err),
                     -EAGAIN);
    ck_assert_str_eq(err.reason, "Conflict");
    fixture_close(&f);
}
END_TEST

START_TEST(test_mutate_refused)
{
    static const struct answer answers[] = {{404, MISSING}, {200, OBJECT("}")}};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        struct cleat_err err = CLEAT_ERR_INIT;
        fixture_open(&f, answers[i], (struct answer){200, OBJECT("}")});
        ck_assert_int_eq(
            cleat_create_or_update(&f.context, &target, set_name, other_text, NULL, &err), -EINVAL);
        ck_assert_ptr_nonnull(strstr(err.text, "name or namespace was changed"));
        ck_assert_uint_eq(f.script.count, 1);
        fixture_close(&f);
        fixture_open(&f, answers[i], (struct answer){200, OBJECT("}")});
        ck_assert_int_eq(cleat_create_or_update(&f.context, &target, refuse, NULL, NULL, NULL),
                         -EDOM);
        ck_assert_uint_eq(f.script.count, 1);
        fixture_close(&f);
    }
}
END_TEST

START_TEST(test_status)
{
    static const struct {
        const char *before;
        const char *path, *json; /* json NULL: the path is removed */
        const char *body;        /* "": nothing is sent */
    } cases[] = {
        {OBJECT("},\"status\":{\"a\":1}"), "status.a", "1", ""},
        {OBJECT("},\"status\":{\"a\":1}"), "spec.b", "1", ""},
        {OBJECT("},\"status\":{\"a\":1,\"b\":2}"), "status.a", "3",
         "{\"metadata\":{\"resourceVersion\":\"7\"},\"status\":{\"a\":3}}"},
        {OBJECT("},\"status\":{\"a\":1,\"b\":2}"), "status.a", NULL,
         "{\"metadata\":{\"resourceVersion\":\"7\"},\"status\":{\"a\":null}}"},
        {OBJECT("}"), "status.a", "3",
         "{\"metadata\":{\"resourceVersion\":\"7\"},\"status\":{\"a\":3}}"},
        {OBJECT("},\"status\":{\"a\":1}"), "status", NULL,
         "{\"metadata\":{\"resourceVersion\":\"7\"},\"status\":null}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        struct cleat_draft *draft = NULL;
        struct cleat_object *object = parse(cases[i].before);
        fixture_open(&f, (struct answer){200, OBJECT("}")}, (struct answer){200, OBJECT("}")});
        ck_assert_int_eq(cleat_draft_new(cleat_object_value(object), &draft, NULL), 0);
        ck_assert_int_eq(cases[i].json
                             ? cleat_draft_set_json(draft, cases[i].path, cases[i].json, NULL)
                             : cleat_draft_remove(draft, cases[i].path, NULL),
                         0);
        ck_assert_int_eq(cleat_update_status(&f.context, &target, object, draft, NULL), 0);
        ck_assert_str_eq(f.script.bodies[0], cases[i].body);
        if (cases[i].body[0]) {
            ck_assert_ptr_nonnull(
                strstr(f.script.lines[0], "PATCH /api/v1/namespaces/ns/configmaps/x/status"));
        }
        cleat_draft_free(draft);
        cleat_object_unref(object);
        fixture_close(&f);
    }
}
END_TEST

/* ---- finalizers ---- */

static int finalized[3];

static int finalize_one(void *arg, const struct cleat_context *context, struct cleat_object *object,
                        struct cleat_err *err)
{
    const int *code = arg;
    finalized[0]++;
    return *code < 0 ? cleat_err_set(err, *code, "not yet") : *code;
}

static int finalize_two(void *arg, const struct cleat_context *context, struct cleat_object *object,
                        struct cleat_err *err)
{
    finalized[1]++;
    return 0;
}

#define DELETING ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\""
#define KEYS(keys) ",\"finalizers\":[" keys "]"

START_TEST(test_finalize)
{
    static const struct {
        const char *object;
        int code; /* of the first function */
        int rc;
        int ran[2];
        const char *list; /* as sent; "": nothing */
    } cases[] = {
        {OBJECT("}"), 0, 1, {0, 0}, "[\"e.x/one\",\"e.x/two\"]"},
        {OBJECT(KEYS("\"else\",\"e.x/two\"") "}"),
         0,
         1,
         {0, 0},
         "[\"else\",\"e.x/two\",\"e.x/one\"]"},
        {OBJECT(KEYS("\"e.x/one\",\"e.x/two\"") "}"), 0, 0, {0, 0}, ""},
        {OBJECT(DELETING KEYS("\"else\"") "}"), 0, 0, {0, 0}, ""},
        {OBJECT(DELETING KEYS("\"e.x/one\",\"else\",\"e.x/two\"") "}"), 0, 1, {1, 1}, "[\"else\"]"},
        {OBJECT(DELETING KEYS("\"e.x/two\"") "}"), 0, 1, {0, 1}, "[]"},
        {OBJECT(DELETING KEYS("\"e.x/one\",\"e.x/two\"") "}"),
         -EBUSY,
         -EBUSY,
         {1, 1},
         "[\"e.x/one\"]"},
        {OBJECT(DELETING KEYS("\"e.x/one\"") "}"), -EBUSY, -EBUSY, {1, 0}, ""},
        {OBJECT(DELETING KEYS("\"e.x/one\"") "}"), 1, 1, {1, 0}, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        char wanted[256] = "";
        int code = cases[i].code;
        const struct cleat_finalizer table[] = {{"e.x/one", finalize_one, &code},
                                                {"e.x/two", finalize_two, NULL}};
        struct cleat_object *object = parse(cases[i].object);
        memset(finalized, 0, sizeof(finalized));
        fixture_open(&f, (struct answer){200, OBJECT("}")}, (struct answer){500, ""});
        ck_assert_int_eq(cleat_finalize(&f.context, &target, object, table, 2, NULL), cases[i].rc);
        ck_assert_int_eq(finalized[0], cases[i].ran[0]);
        ck_assert_int_eq(finalized[1], cases[i].ran[1]);
        if (cases[i].list[0]) {
            (void)snprintf(wanted, sizeof(wanted),
                           "{\"metadata\":{\"resourceVersion\":\"7\",\"finalizers\":%s}}",
                           cases[i].list);
        }
        ck_assert_str_eq(f.script.bodies[0], wanted);
        cleat_object_unref(object);
        fixture_close(&f);
    }
}
END_TEST

START_TEST(test_finalize_conflict)
{
    struct fixture f;
    const struct cleat_finalizer table[] = {{"e.x/two", finalize_two, NULL}};
    struct cleat_object *object = parse(OBJECT(DELETING KEYS("\"e.x/two\"") "}"));
    fixture_open(&f, (struct answer){409, CONFLICT}, (struct answer){500, ""});
    ck_assert_int_eq(cleat_finalize(&f.context, &target, object, table, 1, NULL), -EAGAIN);
    cleat_object_unref(object);
    fixture_close(&f);
}
END_TEST

CLEAT_SUITE_MAIN("reconcile", test_creates, test_leaves_alone, test_updates, test_update_conflict,
                 test_mutate_refused, test_status, test_finalize, test_finalize_conflict)
