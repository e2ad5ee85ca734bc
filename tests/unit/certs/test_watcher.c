/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cleat/certs.h>
#include "base/mem.h"
#include "certs/authority.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define LIMIT_MS 9000 /* less than the pause of ten seconds: what comes sooner was noticed */

static const char *const names[] = {"a.example", NULL};

struct fixture {
    struct cleat_fake_clock fake;
    struct cleat_authority *authority;
    struct cleat_authority *other;
    struct cleat_temp_dir dir;
    struct cleat_log *log;
    struct cleat_metrics *metrics;
    atomic_int handed_out;
};

static void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){.log = NULL};
    cleat_fake_clock_init(&fixture->fake);
    cleat_temp_dir_init(&fixture->dir);
    ck_assert_int_eq(cleat_metrics_new(&fixture->metrics), 0);
    ck_assert_int_eq(
        cleat_authority_new("other", 86400, &fixture->fake.clock, &fixture->other, NULL), 0);
    ck_assert_int_eq(
        cleat_authority_new("ca", 86400, &fixture->fake.clock, &fixture->authority, NULL), 0);
}

static void fixture_fini(struct fixture *fixture)
{
    cleat_authority_free(fixture->authority);
    cleat_authority_free(fixture->other);
    cleat_log_free(fixture->log);
    cleat_metrics_free(fixture->metrics);
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
    atomic_fetch_add(&fixture->handed_out, 1);
}

static int watch(struct fixture *fixture, struct cleat_watcher **ret, struct cleat_err *err)
{
    struct cleat_watcher_options options = {.clock = &fixture->fake.clock,
                                            .log = fixture->log,
                                            .metrics = fixture->metrics,
                                            .folder = fixture->dir.path,
                                            .on_bundle = on_bundle,
                                            .arg = fixture};
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

static double metric(struct fixture *fixture, const char *name)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT((size_t)1 << 20);
    char *wanted = cleat_mem_format("\n%s ", name);
    ck_assert_int_eq(cleat_metrics_write(fixture->metrics, &text), 0);
    const char *at = strstr(text.data, wanted);
    double value = at ? strtod(at + strlen(wanted), NULL) : -1;
    cleat_mem_free(wanted);
    cleat_buffer_fini(&text);
    return value;
}

static bool serves(struct cleat_watcher *watcher, const struct cleat_bundle *bundle)
{
    struct cleat_bundle *served = cleat_watcher_bundle(watcher);
    bool same = cleat_str_equal(cleat_bundle_cert(served), cleat_bundle_cert(bundle));
    cleat_bundle_unref(served);
    return same;
}

/* What an older comparison of leaf and key alone would miss. */
START_TEST(test_a_chain_that_changes_under_the_same_leaf_is_handed_out)
{
    struct fixture fixture;
    struct cleat_watcher *watcher = NULL;
    fixture_init(&fixture);
    struct cleat_bundle *bundle = issue(&fixture);
    put_pair(&fixture, bundle);
    ck_assert_int_eq(watch(&fixture, &watcher, NULL), 0);
    char *chain = cleat_mem_format("%s%s", cleat_bundle_cert(bundle).data,
                                   cleat_authority_cert(fixture.authority).data);
    put(&fixture, "tls.crt", cleat_str_of(chain));
    ck_assert_int_eq(cleat_watcher_turn(watcher, NULL), 0);
    ck_assert_int_eq(fixture.handed_out, 2);
    put(&fixture, "ca.crt", cleat_authority_cert(fixture.authority));
    ck_assert_int_eq(cleat_watcher_turn(watcher, NULL), 0);
    ck_assert_int_eq(fixture.handed_out, 3);
    struct cleat_bundle *served = cleat_watcher_bundle(watcher);
    ck_assert(cleat_str_is(cleat_bundle_cert(served), chain));
    ck_assert(cleat_str_equal(cleat_bundle_ca(served), cleat_authority_cert(fixture.authority)));
    cleat_bundle_unref(served);
    cleat_mem_free(chain);
    cleat_bundle_unref(bundle);
    cleat_watcher_free(watcher);
    fixture_fini(&fixture);
}
END_TEST

/* tls.crt and tls.key of another CA come first, their ca.crt later. */
START_TEST(test_a_chain_that_breaks_isnt_handed_out)
{
    struct fixture fixture;
    struct cleat_watcher *watcher = NULL;
    struct cleat_bundle *second = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    fixture_init(&fixture);
    struct cleat_bundle *first = issue(&fixture);
    ck_assert_int_eq(
        cleat_authority_issue(fixture.other, names, 7200, &fixture.fake.clock, &second, NULL), 0);
    put_pair(&fixture, first);
    put(&fixture, "ca.crt", cleat_authority_cert(fixture.authority));
    ck_assert_int_eq(watch(&fixture, &watcher, NULL), 0);
    put_pair(&fixture, second);
    ck_assert_int_eq(cleat_watcher_turn(watcher, &err), -EKEYREJECTED);
    ck_assert_msg(strstr(err.text, "ca.crt doesn't fit tls.crt"), "%s", err.text);
    ck_assert(serves(watcher, first));
    put(&fixture, "ca.crt", cleat_authority_cert(fixture.other));
    ck_assert_int_eq(cleat_watcher_turn(watcher, NULL), 0);
    ck_assert(serves(watcher, second));
    /* Garbage is none either; and better than nothing once the old one has expired. */
    put(&fixture, "ca.crt", CLEAT_STR("garbage"));
    ck_assert_int_eq(cleat_watcher_turn(watcher, NULL), -EINVAL);
    put(&fixture, "ca.crt", cleat_authority_cert(fixture.authority));
    ck_assert_int_eq(cleat_watcher_turn(watcher, NULL), -EKEYREJECTED);
    cleat_fake_clock_advance_ms(&fixture.fake, 7202 * 1000);
    ck_assert_int_eq(cleat_watcher_turn(watcher, NULL), 0);
    ck_assert_int_eq(fixture.handed_out, 3);
    cleat_bundle_unref(first);
    cleat_bundle_unref(second);
    cleat_watcher_free(watcher);
    fixture_fini(&fixture);
}
END_TEST

/* A ca.crt that never fitted is no reason to let a certificate run out. */
START_TEST(test_a_ca_that_never_fitted_holds_up_nothing)
{
    struct fixture fixture;
    struct cleat_watcher *watcher = NULL;
    fixture_init(&fixture);
    struct cleat_bundle *first = issue(&fixture);
    struct cleat_bundle *second = issue(&fixture);
    put_pair(&fixture, first);
    put(&fixture, "ca.crt", cleat_authority_cert(fixture.other));
    ck_assert_int_eq(watch(&fixture, &watcher, NULL), 0);
    put_pair(&fixture, second);
    ck_assert_int_eq(cleat_watcher_turn(watcher, NULL), 0);
    ck_assert(serves(watcher, second));
    cleat_bundle_unref(first);
    cleat_bundle_unref(second);
    cleat_watcher_free(watcher);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(test_expiry)
{
    struct fixture fixture;
    struct cleat_watcher *watcher = NULL;
    struct cleat_bundle *short_lived = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    fixture_init(&fixture);
    struct cleat_bundle *first = issue(&fixture);
    ck_assert_int_eq(cleat_authority_issue(fixture.authority, names, 60, &fixture.fake.clock,
                                           &short_lived, NULL),
                     0);
    put_pair(&fixture, first);
    ck_assert_int_eq(watch(&fixture, &watcher, NULL), 0);
    ck_assert_int_eq(cleat_watcher_check(watcher, NULL), 0);
    ck_assert_double_ge(metric(&fixture, "cleat_certificate_expiry_seconds{certificate=\"leaf\"}"),
                        3600);
    cleat_fake_clock_advance_ms(&fixture.fake, 100 * 1000);
    put_pair(&fixture, short_lived);
    ck_assert_int_eq(cleat_watcher_turn(watcher, &err), -EKEYEXPIRED);
    ck_assert(serves(watcher, first));
    cleat_fake_clock_advance_ms(&fixture.fake, 3602 * 1000);
    ck_assert_int_eq(cleat_watcher_check(watcher, NULL), -EKEYEXPIRED);
    ck_assert_double_lt(metric(&fixture, "cleat_certificate_expiry_seconds{certificate=\"leaf\"}"),
                        0);
    ck_assert_double_eq(metric(&fixture, "certwatcher_read_certificate_total"), 2);
    ck_assert_double_eq(metric(&fixture, "certwatcher_read_certificate_errors_total"), 1);
    cleat_bundle_unref(first);
    cleat_bundle_unref(short_lived);
    cleat_watcher_free(watcher);
    fixture_fini(&fixture);
}
END_TEST

/* ---- notice ---- */

struct running {
    struct fixture fixture;
    struct cleat_watcher *watcher;
    struct cleat_runnable runnable;
};

static void running_start(struct running *running)
{
    ck_assert_int_eq(watch(&running->fixture, &running->watcher, NULL), 0);
    running->runnable = cleat_watcher_runnable(running->watcher, CLEAT_GROUP_OTHERS);
    ck_assert_int_eq(running->runnable.start(running->runnable.arg, NULL), 0);
    /* It looks once more after it has begun to watch. */
    CLEAT_WAIT_FOR(metric(&running->fixture, "certwatcher_read_certificate_total") >= 2, LIMIT_MS);
}

static void running_end(struct running *running)
{
    running->runnable.stop(running->runnable.arg);
    ck_assert_int_eq(running->runnable.join(running->runnable.arg, 10000), 0);
    cleat_watcher_free(running->watcher);
    fixture_fini(&running->fixture);
}

/* One file after the other, in either order. */
START_TEST(test_plain_rewrites_are_noticed)
{
    struct running running;
    fixture_init(&running.fixture);
    struct cleat_bundle *bundle = issue(&running.fixture);
    put_pair(&running.fixture, bundle);
    running_start(&running);
    for (int i = 0; i < 4; i++) {
        cleat_bundle_unref(bundle);
        bundle = issue(&running.fixture);
        put(&running.fixture, i % 2 ? "tls.crt" : "tls.key",
            i % 2 ? cleat_bundle_cert(bundle) : cleat_bundle_key(bundle));
        put(&running.fixture, i % 2 ? "tls.key" : "tls.crt",
            i % 2 ? cleat_bundle_key(bundle) : cleat_bundle_cert(bundle));
        CLEAT_WAIT_FOR(serves(running.watcher, bundle), LIMIT_MS);
    }
    cleat_bundle_unref(bundle);
    running_end(&running);
}
END_TEST

static void link_to(struct fixture *fixture, const char *name, const char *target)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s", cleat_temp_dir_path(&fixture->dir, name));
    ck_assert_int_eq(symlink(target, path), 0);
}

/* As kubelet does it: a folder of its own for each version, and a link that is renamed over. */
static void mount_swap(struct fixture *fixture, int version, const struct cleat_bundle *bundle)
{
    char folder[32], name[64], from[PATH_MAX], to[PATH_MAX];
    (void)snprintf(folder, sizeof(folder), "..version%d", version);
    ck_assert_int_eq(mkdir(cleat_temp_dir_path(&fixture->dir, folder), 0700), 0);
    (void)snprintf(name, sizeof(name), "%s/tls.crt", folder);
    put(fixture, name, cleat_bundle_cert(bundle));
    (void)snprintf(name, sizeof(name), "%s/tls.key", folder);
    put(fixture, name, cleat_bundle_key(bundle));
    link_to(fixture, "..data_tmp", folder);
    (void)snprintf(from, sizeof(from), "%s", cleat_temp_dir_path(&fixture->dir, "..data_tmp"));
    (void)snprintf(to, sizeof(to), "%s", cleat_temp_dir_path(&fixture->dir, "..data"));
    ck_assert_int_eq(rename(from, to), 0);
}

START_TEST(test_swapped_links_are_noticed)
{
    struct running running;
    fixture_init(&running.fixture);
    struct cleat_bundle *bundle = issue(&running.fixture);
    mount_swap(&running.fixture, 0, bundle);
    link_to(&running.fixture, "tls.crt", "..data/tls.crt");
    link_to(&running.fixture, "tls.key", "..data/tls.key");
    running_start(&running);
    for (int i = 1; i < 4; i++) {
        cleat_bundle_unref(bundle);
        bundle = issue(&running.fixture);
        mount_swap(&running.fixture, i, bundle);
        CLEAT_WAIT_FOR(serves(running.watcher, bundle), LIMIT_MS);
    }
    cleat_bundle_unref(bundle);
    running_end(&running);
}
END_TEST

/* How many lines of the log have @text. */
static int logged(struct fixture *fixture, const char *text)
{
    char line[4096];
    int count = 0;
    ck_assert_int_eq(cleat_log_flush(fixture->log, 10000), 0);
    FILE *file = fopen(cleat_temp_dir_path(&fixture->dir, "log"), "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file))
        count += strstr(line, text) != NULL;
    fclose(file);
    return count;
}

/* Broken files and a key for everybody are told once, not each time that they are looked at. */
START_TEST(test_reasons_are_told_once)
{
    struct running running;
    struct fixture *fixture = &running.fixture;
    fixture_init(fixture);
    int fd = open(cleat_temp_dir_path(&fixture->dir, "log"), O_CREAT | O_WRONLY | O_APPEND, 0600);
    const struct cleat_log_options options = {
        .fd = fd, .format = CLEAT_LOG_TEXT, .clock = cleat_clock_system()};
    ck_assert_int_eq(cleat_log_new(&options, &fixture->log, NULL), 0);
    struct cleat_bundle *bundle = issue(fixture);
    put_pair(fixture, bundle);
    ck_assert_int_eq(chmod(cleat_temp_dir_path(&fixture->dir, "tls.key"), 0640), 0);
    running_start(&running);
    ck_assert_int_eq(logged(fixture, "can be read by everybody"), 0);
    ck_assert_int_eq(chmod(cleat_temp_dir_path(&fixture->dir, "tls.key"), 0644), 0);
    CLEAT_WAIT_FOR(logged(fixture, "can be read by everybody") == 1, LIMIT_MS);
    for (int i = 1; i < 4; i++) {
        put(fixture, "tls.crt", CLEAT_STR("garbage"));
        CLEAT_WAIT_FOR(metric(fixture, "certwatcher_read_certificate_errors_total") >= i, LIMIT_MS);
    }
    CLEAT_WAIT_FOR(logged(fixture, "the old one stays in use") > 0, LIMIT_MS);
    ck_assert_int_eq(logged(fixture, "the old one stays in use"), 1);
    ck_assert(serves(running.watcher, bundle));
    put_pair(fixture, bundle);
    ck_assert_int_eq(logged(fixture, "can be read by everybody"), 1);
    ck_assert_int_eq(logged(fixture, cleat_bundle_key(bundle).data + 40), 0);
    cleat_bundle_unref(bundle);
    running_end(&running);
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* A folder that is taken away and comes back is watched again. */
START_TEST(test_a_folder_that_comes_back)
{
    struct running running;
    char inner[PATH_MAX], away[PATH_MAX];
    fixture_init(&running.fixture);
    struct cleat_temp_dir outer = running.fixture.dir;
    (void)snprintf(inner, sizeof(inner), "%s", cleat_temp_dir_path(&outer, "inner"));
    (void)snprintf(away, sizeof(away), "%s", cleat_temp_dir_path(&outer, "away"));
    ck_assert_int_eq(mkdir(inner, 0700), 0);
    memcpy(running.fixture.dir.path, inner, sizeof(inner));
    struct cleat_bundle *bundle = issue(&running.fixture);
    put_pair(&running.fixture, bundle);
    running_start(&running);
    ck_assert_int_eq(rename(inner, away), 0);
    CLEAT_WAIT_FOR(metric(&running.fixture, "certwatcher_read_certificate_errors_total") >= 1,
                   LIMIT_MS);
    cleat_bundle_unref(bundle);
    bundle = issue(&running.fixture);
    ck_assert_int_eq(mkdir(inner, 0700), 0);
    put_pair(&running.fixture, bundle);
    /* Nobody tells of the new folder: the next look finds it. */
    CLEAT_WAIT_FOR(serves(running.watcher, bundle), 3 * LIMIT_MS);
    cleat_bundle_unref(bundle);
    bundle = issue(&running.fixture);
    put_pair(&running.fixture, bundle);
    CLEAT_WAIT_FOR(serves(running.watcher, bundle), LIMIT_MS);
    cleat_bundle_unref(bundle);
    memcpy(running.fixture.dir.path, outer.path, sizeof(outer.path));
    running_end(&running);
}
END_TEST

CLEAT_SUITE_MAIN("watcher", test_missing_and_wrong_files_are_named,
                 test_new_pair_is_handed_out_and_a_half_written_one_is_not,
                 test_a_chain_that_changes_under_the_same_leaf_is_handed_out,
                 test_a_chain_that_breaks_isnt_handed_out,
                 test_a_ca_that_never_fitted_holds_up_nothing, test_expiry,
                 test_plain_rewrites_are_noticed, test_swapped_links_are_noticed,
                 test_reasons_are_told_once, test_a_folder_that_comes_back,
                 test_runnable_starts_and_stops)
