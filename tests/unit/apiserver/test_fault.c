/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/fault.h"

#include <errno.h>

#include "support/fake_clock.h"
#include "support/suite.h"

static struct cleat_api_faults *faults_of(struct cleat_fake_clock *clock)
{
    struct cleat_api_faults *faults = NULL;
    cleat_fake_clock_init(clock);
    ck_assert_int_eq(cleat_api_faults_new(&clock->clock, &faults), 0);
    return faults;
}

START_TEST(test_matching)
{
    static const struct {
        const char *method;
        const char *path;
        const char *query;
        bool acts;
    } cases[] = {
        {"GET", "/api/v1/pods", "watch=true", true},
        {"GET", "/api/v1/pods/x", "a=b&watch=true", true},
        {"POST", "/api/v1/pods", "watch=true", false},
        {"GET", "/api/v1/nodes", "watch=true", false},
        {"GET", "/api/v1/pods", "watch=false", false},
        {"GET", "/api/v1/pods", "", false},
    };
    struct cleat_fake_clock clock;
    struct cleat_api_faults *faults = faults_of(&clock);
    const struct cleat_fault fault = {
        .method = "GET", .path = "/api/v1/pods", .query = "watch=true", .status = 500};
    int id = cleat_api_faults_add(faults, &fault);
    ck_assert_int_gt(id, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_api_fault_action action =
            cleat_api_faults_match(faults, cases[i].method, cases[i].path, cases[i].query);
        ck_assert_int_eq(action.id, cases[i].acts ? id : 0);
        ck_assert_int_eq(action.status, cases[i].acts ? 500 : 0);
        ck_assert_int_eq(action.cut_after_bytes, -1);
    }
    faults = cleat_api_faults_free(faults);
}
END_TEST

START_TEST(test_skip_and_times)
{
    static const bool acts[] = {false, false, true, true, true, false, false};
    struct cleat_fake_clock clock;
    struct cleat_api_faults *faults = faults_of(&clock);
    const struct cleat_fault fault = {.status = 500, .skip = 2, .times = 3};
    ck_assert_int_gt(cleat_api_faults_add(faults, &fault), 0);
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
        ck_assert_int_eq(cleat_api_faults_match(faults, "GET", "/", "").id != 0, acts[i]);
    faults = cleat_api_faults_free(faults);
}
END_TEST

START_TEST(test_order_and_clearing)
{
    struct cleat_fake_clock clock;
    struct cleat_api_faults *faults = faults_of(&clock);
    const struct cleat_fault first = {.status = 500};
    const struct cleat_fault second = {.status = 429, .freeze = true};
    int a = cleat_api_faults_add(faults, &first);
    int b = cleat_api_faults_add(faults, &second);
    ck_assert_int_eq(cleat_api_faults_match(faults, "GET", "/", "").id, a);
    cleat_api_faults_clear(faults, a);
    struct cleat_api_fault_action action = cleat_api_faults_match(faults, "GET", "/", "");
    ck_assert_int_eq(action.id, b);
    ck_assert(action.freeze);
    ck_assert_int_eq(action.cut_after_bytes, 0);
    cleat_api_faults_clear(faults, 0);
    ck_assert_int_eq(cleat_api_faults_match(faults, "GET", "/", "").id, 0);
    faults = cleat_api_faults_free(faults);
}
END_TEST

START_TEST(test_too_many)
{
    struct cleat_fake_clock clock;
    struct cleat_api_faults *faults = faults_of(&clock);
    const struct cleat_fault fault = {.path = "/x"};
    for (int i = 0; i < 256; i++)
        ck_assert_int_gt(cleat_api_faults_add(faults, &fault), 0);
    ck_assert_int_eq(cleat_api_faults_add(faults, &fault), -ENOBUFS);
    faults = cleat_api_faults_free(faults);
}
END_TEST

START_TEST(test_requests)
{
    struct cleat_fake_clock clock;
    struct cleat_api_faults *faults = faults_of(&clock);
    (void)cleat_api_faults_match(faults, "GET", "/api/v1/pods", "");
    (void)cleat_api_faults_match(faults, "GET", "/api/v1/pods", "");
    (void)cleat_api_faults_match(faults, "GET", "/api/v1/pods", "watch=true");
    (void)cleat_api_faults_match(faults, "POST", "/api/v1/pods", "");
    (void)cleat_api_faults_match(faults, "GET", "/api", "");
    ck_assert_uint_eq(cleat_api_faults_requests(faults, "GET", "/api/v1/pods", NULL), 3);
    ck_assert_uint_eq(cleat_api_faults_requests(faults, "GET", NULL, "watch=true"), 1);
    ck_assert_uint_eq(cleat_api_faults_requests(faults, NULL, "/api", NULL), 5);
    ck_assert_uint_eq(cleat_api_faults_requests(faults, "PUT", NULL, NULL), 0);
    ck_assert_uint_eq(cleat_api_faults_requests(faults, NULL, NULL, NULL), 5);
    faults = cleat_api_faults_free(faults);
}
END_TEST

START_TEST(test_waits_end)
{
    struct cleat_fake_clock clock;
    struct cleat_api_faults *faults = faults_of(&clock);
    const struct cleat_fault fault = {.freeze = true};
    int id = cleat_api_faults_add(faults, &fault);
    /* No time at all, a rule that isn't there, a stop. */
    ck_assert(cleat_api_faults_wait(faults, id, 0, -1));
    ck_assert(cleat_api_faults_wait(faults, id + 1, -1, -1));
    cleat_api_faults_stop(faults);
    ck_assert(!cleat_api_faults_wait(faults, id, -1, -1));
    faults = cleat_api_faults_free(faults);
}
END_TEST

CLEAT_SUITE_MAIN("fault", test_matching, test_skip_and_times, test_order_and_clearing,
                 test_too_many, test_requests, test_waits_end)
