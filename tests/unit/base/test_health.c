/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <cleat/health.h>
#include "support/suite.h"

static char bad_name[] = "cache";

static int check_ok(void *arg, struct cleat_err *err)
{
    return 0;
}

static int check_bad(void *arg, struct cleat_err *err)
{
    return cleat_err_set(err, -EIO, "%s is down", (char *)arg);
}

static struct cleat_health *health_with(bool bad_in_sum)
{
    struct cleat_health *health = NULL;
    ck_assert_int_eq(cleat_health_new(&health), 0);
    ck_assert_int_eq(cleat_health_add(health, "webhook", true, check_ok, NULL), 0);
    ck_assert_int_eq(cleat_health_add(health, "caches", bad_in_sum, check_bad, bad_name), 0);
    return health;
}

static const struct {
    bool bad_in_sum;
    const char *subpath, *query;
    int status;
    const char *body;
} cases[] = {
    {false, "", "", 200, "ok"},
    {false, "/", "", 200, "ok"},
    {false, "", "verbose", 200, "[+]webhook ok\nreadyz check passed\n"},
    {false, "", "verbose=1", 200, "[+]webhook ok\nreadyz check passed\n"},
    {true, "", "", 500, "[-]caches failed: reason withheld\n[+]webhook ok\nreadyz check failed\n"},
    {true, "", "exclude=caches", 200, "ok"},
    {true, "", "exclude=caches&verbose", 200,
     "[+]caches excluded: ok\n[+]webhook ok\nreadyz check passed\n"},
    {true, "", "exclude=cache", 500,
     "[-]caches failed: reason withheld\n[+]webhook ok\n"
     "warn: some health checks cannot be excluded: no matches for \"cache\"\n"
     "readyz check failed\n"},
    {true, "", "verbose&exclude=x&exclude=caches&exclude=y-z.1", 200,
     "[+]caches excluded: ok\n[+]webhook ok\n"
     "warn: some health checks cannot be excluded: no matches for \"x\",\"y-z.1\"\n"
     "readyz check passed\n"},
    {true, "", "exclude=caches&exclude=webhook", 200, "ok"},
    {true, "", "exclude=caches&exclude=x", 200, "ok"},
    {false, "", "verbose&exclude=<script>&exclude=&exclude", 200,
     "[+]webhook ok\nreadyz check passed\n"},
    {true, "/webhook", "", 200, "ok"},
    {false, "/caches", "", 500, "internal server error: cache is down\n"},
    {false, "/none", "", 404, "404 page not found\n"},
};

START_TEST(test_answers)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_buffer body = CLEAT_BUFFER_INIT(4096);
        struct cleat_health *health = health_with(cases[i].bad_in_sum);
        int status = cleat_health_answer(health, "readyz", cases[i].subpath, cases[i].query, &body);
        ck_assert_msg(status == cases[i].status, "case %zu: status %d", i, status);
        ck_assert_str_eq(body.data, cases[i].body);
        cleat_buffer_fini(&body);
        cleat_health_free(health);
    }
}
END_TEST

START_TEST(test_ping_where_there_is_nothing_else)
{
    struct cleat_buffer body = CLEAT_BUFFER_INIT(4096);
    struct cleat_health *health = NULL;
    ck_assert_int_eq(cleat_health_new(&health), 0);
    ck_assert_int_eq(cleat_health_answer(health, "healthz", "", "verbose", &body), 200);
    ck_assert_str_eq(body.data, "[+]ping ok\nhealthz check passed\n");
    cleat_buffer_reset(&body);
    ck_assert_int_eq(cleat_health_answer(health, "healthz", "/ping", "", &body), 200);
    ck_assert_str_eq(body.data, "ok");
    ck_assert_int_eq(cleat_health_add(health, "mine", true, check_ok, NULL), 0);
    cleat_buffer_reset(&body);
    ck_assert_int_eq(cleat_health_answer(health, "healthz", "/ping", "", &body), 404);
    cleat_buffer_reset(&body);
    ck_assert_int_eq(cleat_health_answer(health, "healthz", "", "verbose", &body), 200);
    ck_assert_str_eq(body.data, "[+]mine ok\nhealthz check passed\n");
    cleat_buffer_fini(&body);
    cleat_health_free(health);
}
END_TEST

/* A query may be long: what is repeated of it isn't. */
START_TEST(test_many_names_that_no_check_has)
{
    struct cleat_buffer body = CLEAT_BUFFER_INIT(4096);
    struct cleat_buffer query = CLEAT_BUFFER_INIT(65536);
    struct cleat_health *health = health_with(false);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(cleat_buffer_format(&query, "exclude=n%d&", i), 0);
    ck_assert_int_eq(cleat_buffer_text(&query, "verbose"), 0);
    ck_assert_int_eq(cleat_health_answer(health, "readyz", "", query.data, &body), 200);
    ck_assert_ptr_nonnull(strstr(body.data, "\"n15\"\nreadyz check passed\n"));
    cleat_buffer_fini(&query);
    cleat_buffer_fini(&body);
    cleat_health_free(health);
}
END_TEST

START_TEST(test_same_name_replaces_and_removal_forgets)
{
    struct cleat_buffer body = CLEAT_BUFFER_INIT(4096);
    struct cleat_health *health = health_with(true);
    ck_assert_int_eq(cleat_health_add(health, "caches", true, check_ok, NULL), 0);
    ck_assert_int_eq(cleat_health_answer(health, "readyz", "", "", &body), 200);
    cleat_health_remove(health, "caches");
    cleat_health_remove(health, "never there");
    cleat_buffer_reset(&body);
    ck_assert_int_eq(cleat_health_answer(health, "readyz", "/caches", "", &body), 404);
    cleat_buffer_fini(&body);
    cleat_health_free(health);
}
END_TEST

START_TEST(test_names_that_no_path_could_hold_are_refused)
{
    struct cleat_health *health = health_with(true);
    ck_assert_int_eq(cleat_health_add(health, "a/b", true, check_ok, NULL), -EINVAL);
    ck_assert_int_eq(cleat_health_add(health, "", true, check_ok, NULL), -EINVAL);
    cleat_health_free(health);
}
END_TEST

CLEAT_SUITE_MAIN("health", test_answers, test_ping_where_there_is_nothing_else,
                 test_many_names_that_no_check_has, test_same_name_replaces_and_removal_forgets,
                 test_names_that_no_path_could_hold_are_refused)
