/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "certs/authority.h"
#include "certs/bundle.h"
#include "certs/trust.h"
#include "support/fake_clock.h"
#include "support/suite.h"

static const char *const names[] = {"a.example", NULL};

struct fixture {
    struct cleat_fake_clock fake;
    struct cleat_authority *authorities[3];
    struct cleat_bundle *leaf; /* of the first */
    struct cleat_trust trust;
    int64_t now_s;
};

static void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){.leaf = NULL};
    cleat_fake_clock_init(&fixture->fake);
    fixture->now_s = cleat_clock_wall_ms(&fixture->fake.clock) / 1000;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(cleat_authority_new("ca", 1000 * (i + 1), &fixture->fake.clock,
                                             &fixture->authorities[i], NULL),
                         0);
    ck_assert_int_eq(cleat_authority_issue(fixture->authorities[0], names, 1000,
                                           &fixture->fake.clock, &fixture->leaf, NULL),
                     0);
}

static void fixture_fini(struct fixture *fixture)
{
    cleat_trust_fini(&fixture->trust);
    cleat_bundle_unref(fixture->leaf);
    for (int i = 0; i < 3; i++)
        cleat_authority_free(fixture->authorities[i]);
}

static struct cleat_str ca(struct fixture *fixture, int which)
{
    return cleat_authority_cert(fixture->authorities[which]);
}

START_TEST(test_what_is_no_ca_is_left_out)
{
    struct fixture fixture;
    struct cleat_buffer text = CLEAT_BUFFER_INIT((size_t)1 << 20);
    fixture_init(&fixture);
    (void)cleat_buffer_text(&text, "garbage\n-----BEGIN CERTIFICATE-----\n*\n-----END "
                                   "CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END "
                                   "CERTIFICATE-----\n");
    (void)cleat_buffer_str(&text, cleat_bundle_cert(fixture.leaf));
    (void)cleat_buffer_str(&text, cleat_bundle_key(fixture.leaf));
    (void)cleat_buffer_str(&text, ca(&fixture, 1));
    (void)cleat_buffer_str(&text, ca(&fixture, 1));
    (void)cleat_buffer_str(&text, ca(&fixture, 0));
    (void)cleat_buffer_text(&text, "-----BEGIN CERTIFICATE-----\nMIIB");
    cleat_trust_add(&fixture.trust, cleat_buffer_view(&text), CLEAT_X509_ANY_TIME);
    ck_assert_uint_eq(fixture.trust.count, 2);
    cleat_buffer_reset(&text);
    ck_assert_int_eq(cleat_trust_write(&fixture.trust, &text), 0);
    ck_assert_uint_eq(text.length, ca(&fixture, 1).length + ca(&fixture, 0).length);
    ck_assert_int_eq(memcmp(text.data, ca(&fixture, 1).data, ca(&fixture, 1).length), 0);
    /* What was written is read as the same. */
    struct cleat_trust again = CLEAT_TRUST_INIT;
    cleat_trust_add(&again, cleat_buffer_view(&text), fixture.now_s);
    ck_assert(cleat_trust_equal(&again, &fixture.trust));
    cleat_trust_fini(&again);
    cleat_buffer_fini(&text);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(test_expired_ones_are_left_out)
{
    struct fixture fixture;
    fixture_init(&fixture);
    for (int i = 0; i < 3; i++)
        cleat_trust_add(&fixture.trust, ca(&fixture, i), fixture.now_s + 1500);
    ck_assert_uint_eq(fixture.trust.count, 2);
    struct cleat_trust later = CLEAT_TRUST_INIT;
    cleat_trust_add_from(&later, &fixture.trust, 0, fixture.now_s + 2500);
    ck_assert_uint_eq(later.count, 1);
    ck_assert(!cleat_trust_equal(&later, &fixture.trust));
    cleat_trust_fini(&later);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(test_any_of_the_set_verifies)
{
    struct fixture fixture;
    fixture_init(&fixture);
    struct cleat_str leaf = cleat_bundle_cert(fixture.leaf);
    ck_assert(!cleat_trust_verifies(&fixture.trust, leaf, fixture.now_s));
    cleat_trust_add(&fixture.trust, ca(&fixture, 2), fixture.now_s);
    ck_assert(!cleat_trust_verifies(&fixture.trust, leaf, fixture.now_s));
    cleat_trust_add(&fixture.trust, ca(&fixture, 0), fixture.now_s);
    ck_assert(cleat_trust_verifies(&fixture.trust, leaf, fixture.now_s));
    ck_assert(!cleat_trust_verifies(&fixture.trust, leaf, fixture.now_s + 1002));
    ck_assert(cleat_trust_verifies(&fixture.trust, leaf, CLEAT_X509_ANY_TIME));
    ck_assert(!cleat_trust_verifies(&fixture.trust, CLEAT_STR("x"), fixture.now_s));
    fixture_fini(&fixture);
}
END_TEST

START_TEST(test_the_set_is_bounded)
{
    struct fixture fixture;
    fixture_init(&fixture);
    for (int i = 0; i < 2 * CLEAT_TRUST_MAX; i++) {
        struct cleat_authority *authority = NULL;
        ck_assert_int_eq(cleat_authority_new("x", 1000, &fixture.fake.clock, &authority, NULL), 0);
        cleat_trust_add(&fixture.trust, cleat_authority_cert(authority), fixture.now_s);
        cleat_authority_free(authority);
    }
    ck_assert_uint_eq(fixture.trust.count, CLEAT_TRUST_MAX);
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_TRUST_BYTES_MAX);
    ck_assert_int_eq(cleat_trust_write(&fixture.trust, &text), 0);
    cleat_buffer_fini(&text);
    fixture_fini(&fixture);
}
END_TEST

CLEAT_SUITE_MAIN("trust", test_what_is_no_ca_is_left_out, test_expired_ones_are_left_out,
                 test_any_of_the_set_verifies, test_the_set_is_bounded)
