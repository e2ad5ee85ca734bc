/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include "certs/authority.h"
#include "certs/bundle.h"
#include "certs/x509.h"
#include "support/fake_clock.h"
#include "support/suite.h"

static const char *const names[] = {"cleat.cleat-system.svc", "localhost", "127.0.0.1", "::1",
                                    NULL};

static struct cleat_fake_clock fake;

static struct cleat_authority *authority_new(int64_t lifetime_s)
{
    struct cleat_authority *authority = NULL;
    cleat_fake_clock_init(&fake);
    cleat_fake_clock_set_wall_ms(&fake, CLEAT_FAKE_CLOCK_WALL_MS / 1000 * 1000);
    ck_assert_int_eq(cleat_authority_new("test-ca", lifetime_s, &fake.clock, &authority, NULL), 0);
    return authority;
}

static int64_t now_s(void)
{
    return cleat_clock_wall_ms(&fake.clock) / 1000;
}

START_TEST(test_leaf_is_valid_under_its_ca)
{
    struct cleat_bundle *bundle = NULL;
    struct cleat_authority *authority = authority_new(CLEAT_AUTHORITY_LIFETIME_S);
    ck_assert_int_eq(cleat_authority_issue(authority, names, 3600, &fake.clock, &bundle, NULL), 0);
    ck_assert(cleat_bundle_covers(bundle, names));
    ck_assert(!cleat_bundle_covers(bundle, (const char *const[]){"other", NULL}));
    ck_assert(!cleat_bundle_covers(bundle, (const char *const[]){"127.0.0.2", NULL}));
    ck_assert_int_eq(cleat_bundle_not_before_unix_s(bundle), now_s() - CLEAT_CERT_BACKDATE_S);
    ck_assert_int_eq(cleat_bundle_not_after_unix_s(bundle), now_s() + 3600);
    ck_assert(cleat_str_equal(cleat_bundle_ca(bundle), cleat_authority_cert(authority)));
    ck_assert_int_eq(
        cleat_x509_verify(cleat_bundle_cert(bundle), cleat_bundle_ca(bundle), now_s(), NULL), 0);
    ck_assert_int_eq(
        cleat_x509_verify(cleat_bundle_cert(bundle), cleat_bundle_ca(bundle), now_s() + 3601, NULL),
        -EKEYREJECTED);
    cleat_bundle_unref(bundle);
    cleat_authority_free(authority);
}
END_TEST

START_TEST(test_leaf_isnt_valid_under_another_ca)
{
    struct cleat_bundle *bundle = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_authority *authority = authority_new(CLEAT_AUTHORITY_LIFETIME_S);
    struct cleat_authority *other = authority_new(CLEAT_AUTHORITY_LIFETIME_S);
    ck_assert_int_eq(cleat_authority_issue(authority, names, 3600, &fake.clock, &bundle, NULL), 0);
    ck_assert_int_eq(
        cleat_x509_verify(cleat_bundle_cert(bundle), cleat_authority_cert(other), now_s(), &err),
        -EKEYREJECTED);
    ck_assert_ptr_nonnull(strstr(err.text, "certificate isn't valid under the CA"));
    cleat_bundle_unref(bundle);
    cleat_authority_free(other);
    cleat_authority_free(authority);
}
END_TEST

START_TEST(test_leaf_never_outlives_its_ca)
{
    struct cleat_bundle *bundle = NULL;
    struct cleat_authority *authority = authority_new(7200);
    ck_assert_int_eq(cleat_authority_issue(authority, names, 86400, &fake.clock, &bundle, NULL), 0);
    ck_assert_int_eq(cleat_bundle_not_after_unix_s(bundle), now_s() + 7200);
    cleat_bundle_unref(bundle);
    cleat_authority_free(authority);
}
END_TEST

/* Certificates know whole seconds: a life is never cut short by that. */
START_TEST(test_lives_are_rounded_up)
{
    struct cleat_bundle *bundle = NULL;
    struct cleat_authority *authority = authority_new(7200);
    cleat_fake_clock_advance_ms(&fake, 1);
    int64_t begin_s = now_s();
    ck_assert_int_eq(cleat_authority_issue(authority, names, 1, &fake.clock, &bundle, NULL), 0);
    ck_assert_int_eq(cleat_bundle_not_before_unix_s(bundle), begin_s - CLEAT_CERT_BACKDATE_S);
    ck_assert_int_eq(cleat_bundle_not_after_unix_s(bundle), begin_s + 2);
    cleat_bundle_unref(bundle);
    cleat_authority_free(authority);
}
END_TEST

static const struct {
    const char *name;
    const char *text;
} bad_names[] = {
    {"Upper.example", "Upper.example is neither a DNS name nor an IP address"},
    {"a b", "a b is neither"},
    {"a,DNS:evil", "a,DNS:evil is neither"},
    {"", " is neither"},
    {NULL, "a certificate needs a name"},
};

START_TEST(test_names_are_checked)
{
    struct cleat_authority *authority = authority_new(7200);
    for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
        struct cleat_bundle *bundle = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        const char *const list[] = {bad_names[i].name, NULL};
        ck_assert_int_eq(cleat_authority_issue(authority, list, 3600, &fake.clock, &bundle, &err),
                         -EINVAL);
        ck_assert_msg(strstr(err.text, bad_names[i].text), "%s", err.text);
        ck_assert_ptr_null(bundle);
    }
    cleat_authority_free(authority);
}
END_TEST

START_TEST(test_authority_survives_its_pem)
{
    struct cleat_authority *loaded = NULL;
    struct cleat_bundle *bundle = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_authority *authority = authority_new(7200);
    struct cleat_authority *other = authority_new(7200);
    ck_assert_int_eq(cleat_authority_load(cleat_authority_cert(authority),
                                          cleat_authority_key(authority), &loaded, NULL),
                     0);
    ck_assert(cleat_str_equal(cleat_authority_cert(loaded), cleat_authority_cert(authority)));
    cleat_authority_free(loaded);
    ck_assert_int_eq(cleat_authority_load(cleat_authority_cert(authority),
                                          cleat_authority_key(other), &loaded, &err),
                     -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "don't belong together"));
    ck_assert_int_eq(cleat_authority_issue(authority, names, 3600, &fake.clock, &bundle, NULL), 0);
    cleat_err_clear(&err);
    ck_assert_int_eq(
        cleat_authority_load(cleat_bundle_cert(bundle), cleat_bundle_key(bundle), &loaded, &err),
        -EINVAL);
    ck_assert_str_eq(err.text, "the certificate isn't a CA's");
    cleat_bundle_unref(bundle);
    cleat_authority_free(other);
    cleat_authority_free(authority);
}
END_TEST

START_TEST(test_bundle_refuses_a_foreign_key_and_garbage)
{
    struct cleat_bundle *a = NULL;
    struct cleat_bundle *b = NULL;
    struct cleat_bundle *mixed = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_authority *authority = authority_new(7200);
    ck_assert_int_eq(cleat_authority_issue(authority, names, 3600, &fake.clock, &a, NULL), 0);
    ck_assert_int_eq(cleat_authority_issue(authority, names, 3600, &fake.clock, &b, NULL), 0);
    ck_assert(!cleat_bundle_equal(a, b));
    ck_assert_int_eq(
        cleat_bundle_new(cleat_bundle_cert(a), cleat_bundle_key(b), CLEAT_STR(""), &mixed, &err),
        -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "certificate and key don't belong together"));
    ck_assert_int_eq(
        cleat_bundle_new(CLEAT_STR("x"), cleat_bundle_key(b), CLEAT_STR(""), &mixed, NULL),
        -EINVAL);
    ck_assert_int_eq(
        cleat_bundle_new(cleat_bundle_cert(a), CLEAT_STR(""), CLEAT_STR(""), &mixed, NULL),
        -EINVAL);
    ck_assert_ptr_null(mixed);
    cleat_bundle_unref(a);
    cleat_bundle_unref(b);
    cleat_authority_free(authority);
}
END_TEST

CLEAT_SUITE_MAIN("authority", test_leaf_is_valid_under_its_ca,
                 test_leaf_isnt_valid_under_another_ca, test_leaf_never_outlives_its_ca,
                 test_lives_are_rounded_up, test_names_are_checked, test_authority_survives_its_pem,
                 test_bundle_refuses_a_foreign_key_and_garbage)
