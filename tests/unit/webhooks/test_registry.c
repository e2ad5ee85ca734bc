/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <cleat/webhook.h>
#include "support/chaos.h"
#include "support/suite.h"

static int admit(void *arg, const struct cleat_review *review, struct cleat_verdict *verdict,
                 struct cleat_err *err)
{
    cleat_verdict_allow(verdict);
    return 0;
}

START_TEST(test_paths_follow_the_kind)
{
    char path[64];
    struct cleat_gvk gvk;
    ck_assert_int_eq(cleat_gvk_make(&gvk, "cleat.dev", "v1alpha1", "Mirror"), 0);
    ck_assert_int_eq(cleat_webhook_path(CLEAT_WEBHOOK_MUTATING, &gvk, path, sizeof(path)), 0);
    ck_assert_str_eq(path, "/mutate-cleat-dev-v1alpha1-mirror");
    ck_assert_int_eq(cleat_gvk_make(&gvk, "", "v1", "Pod"), 0);
    ck_assert_int_eq(cleat_webhook_path(CLEAT_WEBHOOK_VALIDATING, &gvk, path, sizeof(path)), 0);
    ck_assert_str_eq(path, "/validate--v1-pod");
    ck_assert_int_eq(cleat_webhook_path(CLEAT_WEBHOOK_VALIDATING, &gvk, path, 17), -ENAMETOOLONG);
}
END_TEST

static const struct {
    const char *path;
    int result;
} paths[] = {
    {"/a", 0},          {"/a/b-c_D9", 0},      {"/a", -EEXIST},   {"a", -EINVAL}, {"/", -EINVAL},
    {"/a//b", -EINVAL}, {"/a/", -EINVAL},      {"/a b", -EINVAL}, {"", -EINVAL},  {"/a?b", -EINVAL},
    {"/%61", -EINVAL},  {"/convert", -EEXIST}, {"/..", -EINVAL},
};

START_TEST(test_paths_are_checked_and_unique)
{
    struct cleat_webhooks *webhooks = NULL;
    struct cleat_webhooks_options options = {0};
    ck_assert_int_eq(cleat_webhooks_new(&options, &webhooks, NULL), 0);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct cleat_webhook_options hook = {.path = paths[i].path, .admit = admit};
        int r = cleat_webhooks_add(webhooks, &hook, NULL);
        ck_assert_msg(r == paths[i].result, "%s: %d", paths[i].path, r);
    }
    cleat_webhooks_free(webhooks);
}
END_TEST

START_TEST(test_route_tells_what_may_wait)
{
    struct cleat_webhooks *webhooks = NULL;
    struct cleat_webhooks_options options = {0};
    struct cleat_webhook_options hook = {.path = "/slow", .admit = admit, .blocking = true};
    ck_assert_int_eq(cleat_webhooks_new(&options, &webhooks, NULL), 0);
    ck_assert_int_eq(cleat_webhooks_add(webhooks, &hook, NULL), 0);
    ck_assert(cleat_webhooks_route(webhooks, "/slow").found);
    ck_assert(cleat_webhooks_route(webhooks, "/slow").blocking);
    ck_assert(!cleat_webhooks_route(webhooks, "/slow/").found);
    ck_assert(!cleat_webhooks_route(webhooks, "/Slow").found);
    cleat_webhooks_free(webhooks);
}
END_TEST

static int sweep(void *arg)
{
    int retry_after;
    struct cleat_webhooks *webhooks = NULL;
    struct cleat_webhooks_options options = {0};
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(65536);
    struct cleat_webhook_options hook = {.path = "/a", .admit = admit};
    int r = cleat_webhooks_new(&options, &webhooks, NULL);
    if (r == 0)
        r = cleat_webhooks_add(webhooks, &hook, NULL);
    if (r == 0) {
        int status = cleat_webhooks_answer(
            webhooks, "/a", "",
            CLEAT_STR("{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\","
                      "\"request\":{\"uid\":\"1\",\"kind\":{\"version\":\"v1\",\"kind\":\"Pod\"},"
                      "\"operation\":\"CREATE\",\"object\":{}}}"),
            &answer, &retry_after);
        r = status == 200 && answer.failed == 0 ? 0 : -ENOMEM;
        ck_assert(status == 200 || !answer.data || !strstr(answer.data, "\"allowed\":true"));
    }
    cleat_buffer_fini(&answer);
    cleat_webhooks_free(webhooks);
    return r;
}

START_TEST(test_out_of_memory_is_never_allowed)
{
    cleat_chaos_sweep_tolerant(sweep, NULL);
}
END_TEST

CLEAT_SUITE_MAIN("registry", test_paths_follow_the_kind, test_paths_are_checked_and_unique,
                 test_route_tells_what_may_wait, test_out_of_memory_is_never_allowed)
