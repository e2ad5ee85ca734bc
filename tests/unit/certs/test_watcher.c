/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <cleat/certs.h>
#include "certs/authority.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/temp_dir.h"

static const char *const names[] = {"a.example", NULL};

struct fixture {
    struct cleat_fake_clock fake;
    struct cleat_authority *authority;
    struct cleat_temp_dir dir;
    int handed_out;
};

static void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){.handed_out = 0};
    cleat_fake_clock_init(&fixture->fake);
    cleat_temp_dir_init(&fixture->dir);
    ck_assert_int_eq(
        cleat_authority_new("ca", 86400, &fixture->fake.clock, &fixture->authority, NULL), 0);
}

static void fixture_fini(struct fixture *fixture)
{
    cleat_authority_free(fixture->authority);
    cleat_temp_dir_fini(&fixture->dir);
}

static struct cleat_bundle *issue(struct fixture *fixture)
{
    struct cleat_bundle *bundle = NULL;
    ck_assert_int_eq(
        cleat_authority_issue(fixture->authority, names, 3600, &fixture->fake.clock, &bundle, NULL),
        0);
    return bundle;
}

static void put(struct fixture *fixture, const char *name, struct cleat_str text)
{
    cleat_temp_dir_write(&fixture->dir, name, text.data);
}

static void put_pair(struct fixture *fixture, const struct cleat_bundle *bundle)
{
    put(fixture, "tls.crt", cleat_bundle_cert(bundle));
    put(fixture, "tls.key", cleat_bundle_key(bundle));
}

static void on_bundle(void *arg, struct cleat_bundle *bundle)
{
    struct fixture *fixture = arg;
    fixture->handed_out++;
}

static int watch(struct fixture *fixture, struct cleat_watcher **ret, struct cleat_err *err)
{
    struct cleat_watcher_options options = {
        .folder = fixture->dir.path, .on_bundle = on_bundle, .arg = fixture};
    return cleat_watcher_new(&options, ret, err);
}

START_TEST(test_missing_and_wrong_files_are_named)
{
    struct fixture fixture;
    struct cleat_watcher *watcher = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    fixture_init(&fixture);
    ck_assert_int_eq(watch(&fixture, &watcher, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/tls.crt: "));
    put(&fixture, "tls.crt", CLEAT_STR("no certificate"));
    put(&fixture, "tls.key", CLEAT_STR("no key"));
    cleat_err_clear(&err);
    ck_assert_int_eq(watch(&fixture, &watcher, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "certificate can't be read"));
    ck_assert_ptr_null(watcher);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(test_new_pair_is_handed_out_and_a_half_written_one_is_not)
{
    struct fixture fixture;
    struct cleat_watcher *watcher = NULL;
    fixture_init(&fixture);
    struct cleat_bundle *first = issue(&fixture);
    struct cleat_bundle *second = issue(&fixture);
    put_pair(&fixture, first);
    ck_assert_int_eq(watch(&fixture, &watcher, NULL), 0);
    ck_assert_int_eq(fixture.handed_out, 1);
    ck_assert_int_eq(cleat_watcher_turn(watcher, NULL), 0);
    ck_assert_int_eq(fixture.handed_out, 1);
    put(&fixture, "tls.crt", cleat_bundle_cert(second));
    ck_assert_int_eq(cleat_watcher_turn(watcher, NULL), -EINVAL);
    struct cleat_bundle *served = cleat_watcher_bundle(watcher);
    ck_assert(cleat_str_equal(cleat_bundle_cert(served), cleat_bundle_cert(first)));
    cleat_bundle_unref(served);
    put(&fixture, "tls.key", cleat_bundle_key(second));
    ck_assert_int_eq(cleat_watcher_turn(watcher, NULL), 0);
    ck_assert_int_eq(fixture.handed_out, 2);
    served = cleat_watcher_bundle(watcher);
    ck_assert(cleat_str_equal(cleat_bundle_cert(served), cleat_bundle_cert(second)));
    cleat_bundle_unref(served);
    cleat_bundle_unref(first);
    cleat_bundle_unref(second);
    cleat_watcher_free(watcher);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(test_runnable_starts_and_stops)
{
    struct fixture fixture;
    struct cleat_watcher *watcher = NULL;
    fixture_init(&fixture);
    struct cleat_bundle *bundle = issue(&fixture);
    put_pair(&fixture, bundle);
    ck_assert_int_eq(watch(&fixture, &watcher, NULL), 0);
    struct cleat_runnable runnable = cleat_watcher_runnable(watcher, CLEAT_GROUP_OTHERS);
    ck_assert_int_eq(runnable.start(runnable.arg, NULL), 0);
    runnable.stop(runnable.arg);
    ck_assert_int_eq(runnable.join(runnable.arg, 10000), 0);
    cleat_bundle_unref(bundle);
    cleat_watcher_free(watcher);
    fixture_fini(&fixture);
}
END_TEST

CLEAT_SUITE_MAIN("watcher", test_missing_and_wrong_files_are_named,
                 test_new_pair_is_handed_out_and_a_half_written_one_is_not,
                 test_runnable_starts_and_stops)
