/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <cleat/certs.h>
#include "certs/authority.h"
#include "certs/x509.h"
#include "integration/cluster.h"
#include "kube/base64.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define REPLICAS 4

static const char *const names[] = {"cleat.cleat-system.svc", "127.0.0.1", NULL};

static const struct cleat_resource namespaces = {.gvk = {"", "v1", "Namespace"},
                                                 .plural = "namespaces"};
static const struct cleat_resource secrets = {
    .gvk = {"", "v1", "Secret"}, .plural = "secrets", .namespaced = true};
static const struct cleat_resource configurations = {
    .gvk = {"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"},
    .plural = "validatingwebhookconfigurations"};

static void open_with_namespace(struct cluster *cluster)
{
    cluster_open(cluster);
    ck_assert_int_eq(
        cluster_make(cluster, &namespaces, NULL,
                     "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":"
                     "\"cleat-system\"}}"),
        0);
}

static struct cleat_rotator *rotator_new(struct cluster *cluster, const struct cleat_clock *clock)
{
    struct cleat_rotator *rotator = NULL;
    struct cleat_rotator_options options = {.client = cluster->admin,
                                            .clock = clock,
                                            .namespace_ = "cleat-system",
                                            .secret = "cleat-webhook-cert",
                                            .names = names};
    ck_assert_int_eq(cleat_rotator_new(&options, &rotator, NULL), 0);
    return rotator;
}

static void turn(struct cleat_rotator *rotator)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_rotator_turn(rotator, &err) == 0, "%s", err.text);
}

static const struct cleat_ca_target validating = {CLEAT_CA_VALIDATING, "cleat-validating"};

static bool same_bundle(struct cleat_rotator *a, struct cleat_rotator *b)
{
    struct cleat_bundle *first = cleat_rotator_bundle(a);
    struct cleat_bundle *second = cleat_rotator_bundle(b);
    bool same = cleat_str_equal(cleat_bundle_cert(first), cleat_bundle_cert(second)) &&
                cleat_str_equal(cleat_bundle_key(first), cleat_bundle_key(second));
    cleat_bundle_unref(first);
    cleat_bundle_unref(second);
    return same;
}

static void *turn_in_thread(void *arg)
{
    turn(arg);
    return NULL;
}

START_TEST(test_whichever_comes_first_creates_and_the_others_adopt)
{
    struct cluster cluster;
    struct cleat_rotator *rotators[REPLICAS];
    pthread_t threads[REPLICAS];
    open_with_namespace(&cluster);
    for (int i = 0; i < REPLICAS; i++)
        rotators[i] = rotator_new(&cluster, NULL);
    for (int i = 0; i < REPLICAS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, turn_in_thread, rotators[i]), 0);
    for (int i = 0; i < REPLICAS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 1; i < REPLICAS; i++)
        ck_assert(same_bundle(rotators[0], rotators[i]));
    for (int i = 0; i < REPLICAS; i++)
        cleat_rotator_free(rotators[i]);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_broken_and_deleted_secrets_are_mended)
{
    struct cluster cluster;
    open_with_namespace(&cluster);
    struct cleat_rotator *rotator = rotator_new(&cluster, NULL);
    turn(rotator);
    struct cleat_bundle *first = cleat_rotator_bundle(rotator);
    /* A broken leaf is issued anew under the same CA. */
    ck_assert_int_eq(cluster_patch(&cluster, &secrets, "cleat-system", "cleat-webhook-cert",
                                   "{\"data\":{\"tls.crt\":\"eA==\"}}"),
                     0);
    turn(rotator);
    struct cleat_bundle *second = cleat_rotator_bundle(rotator);
    ck_assert(!cleat_str_equal(cleat_bundle_cert(first), cleat_bundle_cert(second)));
    ck_assert(cleat_str_equal(cleat_bundle_ca(first), cleat_bundle_ca(second)));
    /* A deleted Secret comes back. */
    ck_assert_int_eq(cluster_remove(&cluster, &secrets, "cleat-system", "cleat-webhook-cert"), 0);
    turn(rotator);
    struct cleat_bundle *third = cleat_rotator_bundle(rotator);
    ck_assert(!cleat_str_equal(cleat_bundle_ca(second), cleat_bundle_ca(third)));
    cleat_bundle_unref(first);
    cleat_bundle_unref(second);
    cleat_bundle_unref(third);
    cleat_rotator_free(rotator);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_leaf_is_renewed_under_the_same_ca)
{
    struct cluster cluster;
    struct cleat_fake_clock fake;
    open_with_namespace(&cluster);
    cleat_fake_clock_init(&fake);
    struct cleat_rotator *rotator = rotator_new(&cluster, &fake.clock);
    turn(rotator);
    struct cleat_bundle *first = cleat_rotator_bundle(rotator);
    turn(rotator);
    struct cleat_bundle *again = cleat_rotator_bundle(rotator);
    ck_assert(cleat_str_equal(cleat_bundle_cert(first), cleat_bundle_cert(again)));
    cleat_fake_clock_set_wall_ms(&fake, (cleat_bundle_not_after_unix_s(first) - 86400) * 1000);
    turn(rotator);
    struct cleat_bundle *renewed = cleat_rotator_bundle(rotator);
    ck_assert(cleat_bundle_not_after_unix_s(renewed) > cleat_bundle_not_after_unix_s(first));
    ck_assert(cleat_str_equal(cleat_bundle_ca(first), cleat_bundle_ca(renewed)));
    ck_assert_int_eq(cleat_x509_verify(cleat_bundle_cert(renewed), cleat_bundle_ca(first),
                                       cleat_clock_wall_ms(&fake.clock) / 1000, NULL),
                     0);
    cleat_bundle_unref(first);
    cleat_bundle_unref(again);
    cleat_bundle_unref(renewed);
    cleat_rotator_free(rotator);
    cluster_close(&cluster);
}
END_TEST

START_TEST(test_missing_namespace_is_named)
{
    struct cluster cluster;
    struct cleat_err err = CLEAT_ERR_INIT;
    cluster_open(&cluster);
    struct cleat_rotator *rotator = rotator_new(&cluster, NULL);
    ck_assert_int_lt(cleat_rotator_turn(rotator, &err), 0);
    ck_assert_msg(strstr(err.text, "Secret cleat-system/cleat-webhook-cert: "), "%s", err.text);
    ck_assert_ptr_null(cleat_rotator_bundle(rotator));
    cleat_rotator_free(rotator);
    cluster_close(&cluster);
}
END_TEST

#define HOOK(name, bundle)                                                                     \
    "{\"name\":\"" name ".example.com\",\"admissionReviewVersions\":[\"v1\"],\"sideEffects\":" \
    "\"None\",\"clientConfig\":{\"url\":\"https://127.0.0.1:1/x\"" bundle "}}"

/* A configuration with a webhook without a caBundle and one with another CA's. */
static void make_configuration(struct cluster *cluster)
{
    struct cleat_authority *other = NULL;
    struct cleat_buffer json = CLEAT_BUFFER_INIT(65536);
    ck_assert_int_eq(cleat_authority_new("other", 3600, cleat_clock_system(), &other, NULL), 0);
    (void)cleat_buffer_text(&json, "{\"apiVersion\":\"admissionregistration.k8s.io/v1\",\"kind\":"
                                   "\"ValidatingWebhookConfiguration\",\"metadata\":{\"name\":"
                                   "\"cleat-validating\"},\"webhooks\":[" HOOK("a", "") ",");
    (void)cleat_buffer_text(&json,
                            "{\"name\":\"b.example.com\",\"admissionReviewVersions\":[\"v1\"],"
                            "\"sideEffects\":\"None\",\"clientConfig\":{\"url\":"
                            "\"https://127.0.0.1:1/x\",\"caBundle\":\"");
    ck_assert_int_eq(cleat_base64_encode(&json, cleat_authority_cert(other)), 0);
    (void)cleat_buffer_text(&json, "\"}}]}");
    ck_assert_int_eq(cluster_make(cluster, &configurations, NULL, json.data), 0);
    cleat_buffer_fini(&json);
    cleat_authority_free(other);
}

START_TEST(test_injector_writes_what_differs_and_nothing_else)
{
    struct cluster cluster;
    struct cleat_object *before = NULL;
    struct cleat_object *after = NULL;
    struct cleat_object *still = NULL;
    struct cleat_authority *authority = NULL;
    const struct cleat_client_target target = {&configurations, NULL, "cleat-validating", NULL};
    struct cleat_buffer expected = CLEAT_BUFFER_INIT(65536);
    cluster_open(&cluster);
    ck_assert_int_eq(cleat_authority_new("ca", 3600, cleat_clock_system(), &authority, NULL), 0);
    struct cleat_str ca = cleat_authority_cert(authority);
    ck_assert_int_eq(cleat_base64_encode(&expected, ca), 0);
    ck_assert_int_eq(cleat_inject_ca(cluster.admin, &validating, NULL, ca, NULL), 1);
    make_configuration(&cluster);
    ck_assert_int_eq(cleat_client_get(cluster.admin, &target, NULL, &before, NULL), 0);
    ck_assert_int_eq(cleat_inject_ca(cluster.admin, &validating, NULL, ca, NULL), 0);
    ck_assert_int_eq(cleat_client_get(cluster.admin, &target, NULL, &after, NULL), 0);
    ck_assert(cleat_value_is(cleat_object_find(after, "webhooks[0].clientConfig.caBundle"),
                             expected.data));
    ck_assert(cleat_value_is(cleat_object_find(after, "webhooks[1].clientConfig.caBundle"),
                             expected.data));
    ck_assert(cleat_value_equal(cleat_object_find(before, "webhooks[0].clientConfig.url"),
                                cleat_object_find(after, "webhooks[0].clientConfig.url")));
    /* In place already: nothing is written. */
    ck_assert_int_eq(cleat_inject_ca(cluster.admin, &validating, NULL, ca, NULL), 0);
    ck_assert_int_eq(cleat_client_get(cluster.admin, &target, NULL, &still, NULL), 0);
    ck_assert(cleat_str_equal(cleat_object_resource_version(after),
                              cleat_object_resource_version(still)));
    cleat_object_unref(before);
    cleat_object_unref(after);
    cleat_object_unref(still);
    cleat_authority_free(authority);
    cleat_buffer_fini(&expected);
    cluster_close(&cluster);
}
END_TEST

CLEAT_SUITE_MAIN("certs", test_whichever_comes_first_creates_and_the_others_adopt,
                 test_broken_and_deleted_secrets_are_mended, test_leaf_is_renewed_under_the_same_ca,
                 test_missing_namespace_is_named,
                 test_injector_writes_what_differs_and_nothing_else)
