/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that lacks at every place once: an error, nothing lost, nothing half made. */
#include <errno.h>

#include "base/mem.h"
#include "kinds/mirror/contest.h"
#include "kinds/mirror/copy.h"
#include "kinds/mirror/hooks.h"
#include "kinds/mirror/status.h"
#include "fixture.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define SWEEP_MAX 5000

static const struct cleat_gvk service = {"", "v1", "Service"};
static const struct cleat_gvk secret = {"", "v1", "Secret"};
static struct cleat_object *mirror, *source, *existing;

static void open_objects(void)
{
    mirror = fixture_mirror("{" FIXTURE_SOURCE
                            ",'targets':{'namespaceSelector':{'matchLabels':{'a':'b'}}},'copy':{"
                            "'labels':{'x':'y'},'annotations':{'x':'y'},'keys':['a']}}");
    source = fixture_object("{'type':'kubernetes.io/tls','data':{'a':'YQ==','b':'Yg=='},'spec':{"
                            "'clusterIP':'1.2.3.4','ports':[{'port':80,'nodePort':30000}]}}");
    existing = fixture_object(
        "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'reg','namespace':'ci',"
        "'resourceVersion':'5','labels':{'m':'n'},'ownerReferences':[{'apiVersion':'v1','kind':'X',"
        "'name':'x','uid':'u-8'}]},'data':{'z':'eg=='},'extra':1}");
}

static void close_objects(void)
{
    cleat_object_unref(mirror);
    cleat_object_unref(source);
    cleat_object_unref(existing);
}

/* Runs @fn with the 1st, 2nd, … request failing until none is left to fail. */
static void sweep(int (*fn)(void))
{
    open_objects();
    for (uint64_t nth = 1;; nth++) {
        ck_assert_uint_lt(nth, SWEEP_MAX);
        cleat_mem_fail_at(nth, false);
        int rc = fn();
        bool failed = cleat_mem_failed();
        cleat_mem_fail_at(0, false);
        ck_assert_msg(rc == 0 || (failed && rc == -ENOMEM), "request %llu: %d",
                      (unsigned long long)nth, rc);
        if (!failed)
            break;
    }
    close_objects();
}

static int copy_of(const struct cleat_gvk *gvk)
{
    struct mirror_spec spec;
    struct mirror_content content = {0};
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *made = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *mended = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *released = NULL;
    int rc = cleat__mirror_spec_read(cleat_object_value(mirror), &spec, NULL);
    if (rc < 0)
        return rc;
    const struct mirror_marks marks = {mirror, &spec, gvk};
    rc = cleat__mirror_content_make(&spec, gvk, cleat_object_value(source), &content, NULL);
    if (rc == 0)
        rc = cleat__mirror_copy_body(&marks, &content, CLEAT_STR("ci"), NULL, &made, NULL);
    if (rc == 0)
        rc = cleat__mirror_copy_body(&marks, &content, CLEAT_STR("ci"), existing, &mended, NULL);
    if (rc == 0)
        rc = cleat__mirror_copy_release(existing, &released, NULL);
    if (rc == 0) {
        rc = cleat__mirror_copy_compare(&marks, &content, cleat_object_value(existing));
        rc = rc < 0 ? rc : 0;
    }
    cleat__mirror_content_fini(&content);
    cleat__mirror_spec_fini(&spec);
    return rc;
}

static int secret_copy(void)
{
    return copy_of(&secret);
}

static int service_copy(void)
{
    return copy_of(&service);
}

START_TEST(test_copies)
{
    sweep(secret_copy);
    sweep(service_copy);
}
END_TEST

static int status(void)
{
    struct cleat_fake_clock clock;
    struct mirror_tally tally = {.desired = 1, .judged = true, .source_version = "7"};
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    cleat_fake_clock_init(&clock);
    cleat__mirror_tally_fail(&tally, CLEAT_STR("ci"), MIRROR_CONFLICT, "words");
    int rc = cleat_draft_new(cleat_object_value(mirror), &draft, NULL);
    return rc == 0 ? cleat__mirror_status_write(&tally, mirror, &clock.clock, draft, NULL) : rc;
}

START_TEST(test_status)
{
    sweep(status);
}
END_TEST

static int hooks(void)
{
    static const struct mirror_hooks_kind kinds[] = {{"", "v1", "secrets"}};
    struct cleat_buffer json = CLEAT_BUFFER_INIT(1 << 20);
    const struct mirror_hooks_where where = {NULL, "cleat-system", NULL};
    int rc =
        cleat__mirror_hooks_write(&where, CLEAT_STR("Zm9v"), kinds, 1, CLEAT_VALUE_NONE, &json);
    cleat_buffer_fini(&json);
    return rc;
}

START_TEST(test_hooks)
{
    sweep(hooks);
}
END_TEST

/* What can't be noted is forgotten: the copy is written as if nothing had happened. */
START_TEST(test_contest)
{
    struct mirror_contest contest;
    const struct mirror_contest_key key = {CLEAT_STR("u-1"), CLEAT_STR("ci"), 1, CLEAT_STR("10")};
    cleat__mirror_contest_init(&contest);
    cleat_mem_fail_at(1, true);
    cleat__mirror_contest_note(&contest, &key, true, 1000);
    cleat_mem_fail_at(0, false);
    ck_assert_int_eq(cleat__mirror_contest_wait_ms(&contest, &key, 1000), 0);
    cleat__mirror_contest_fini(&contest);
}
END_TEST

CLEAT_SUITE_MAIN("mirror memory", test_copies, test_status, test_hooks, test_contest)
