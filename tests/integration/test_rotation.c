/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rotators on a fake clock: each step of the life of a CA, and what somebody else may do meanwhile.
 * After every step the published bundles must verify what every replica serves.
 */
#include "integration/certs_fixture.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/wait.h"

#define REPLICAS 3
#define LEAF_S 86400
#define CA_S (10 * LEAF_S)
#define SETTLE_MS 30000 /* as in the rotator */
#define GRACE_MS 60000

struct world {
    struct cluster cluster;
    struct cleat_fake_clock fake;
    struct cleat_metrics *metrics; /* of the first */
    struct cleat_rotator *rotators[REPLICAS];
    unsigned handed_out;
};

static void on_bundle(void *arg, struct cleat_bundle *bundle)
{
    struct world *world = arg;
    world->handed_out++;
}

static void world_open(struct world *world)
{
    *world = (struct world){.handed_out = 0};
    certs_open(&world->cluster);
    cleat_fake_clock_init(&world->fake);
    cleat_fake_clock_set_wall_ms(&world->fake, cleat_clock_wall_ms(cleat_clock_system()));
    ck_assert_int_eq(cleat_metrics_new(&world->metrics), 0);
    for (int i = 0; i < REPLICAS; i++) {
        struct cleat_rotator_options options = certs_options(&world->cluster);
        cleat_fake_clock_seed(&world->fake, (uint64_t)i);
        options.clock = &world->fake.clock;
        options.metrics = i == 0 ? world->metrics : NULL;
        options.leaf_lifetime_s = LEAF_S;
        options.ca_lifetime_s = CA_S;
        options.on_bundle = on_bundle;
        options.arg = world;
        ck_assert_int_eq(cleat_rotator_new(&options, &world->rotators[i], NULL), 0);
    }
}

static void world_close(struct world *world)
{
    for (int i = 0; i < REPLICAS; i++)
        cleat_rotator_free(world->rotators[i]);
    cleat_metrics_free(world->metrics);
    cluster_close(&world->cluster);
}

static int64_t now_s(struct world *world)
{
    return cleat_clock_wall_ms(&world->fake.clock) / 1000;
}

static void check_invariant(struct world *world)
{
    for (int i = 0; i < REPLICAS; i++) {
        ck_assert_msg(certs_verified(&world->cluster, world->rotators[i], now_s(world)),
                      "replica %d serves what isn't published", i);
        ck_assert_int_eq(cleat_rotator_check(world->rotators[i], NULL), 0);
    }
}

static void turn_all(struct world *world)
{
    for (int i = 0; i < REPLICAS; i++)
        certs_turn(world->rotators[i]);
    check_invariant(world);
    ck_assert(certs_foreign_untouched(&world->cluster));
}

static int64_t leaf_end(struct world *world, int replica)
{
    struct cleat_bundle *bundle = cleat_rotator_bundle(world->rotators[replica]);
    int64_t end_s = cleat_bundle_not_after_unix_s(bundle);
    cleat_bundle_unref(bundle);
    return end_s;
}

/* True where the replicas serve the same leaf. */
static bool same_leaf(struct world *world, int a, int b)
{
    struct cleat_bundle *first = cleat_rotator_bundle(world->rotators[a]);
    struct cleat_bundle *second = cleat_rotator_bundle(world->rotators[b]);
    bool same = cleat_str_equal(cleat_bundle_cert(first), cleat_bundle_cert(second));
    cleat_bundle_unref(first);
    cleat_bundle_unref(second);
    return same;
}

/* CAs in the Secret. */
static size_t stored_cas(struct world *world)
{
    const struct cleat_client_target target = {
        .resource = &certs_secrets, .namespace_ = CERTS_NAMESPACE, .name = CERTS_SECRET};
    struct cleat_object *object = NULL;
    struct cleat_buffer pem = CLEAT_BUFFER_INIT((size_t)1 << 20);
    struct cleat_scratch scratch;
    struct cleat_trust trust = CLEAT_TRUST_INIT;
    ck_assert_int_eq(cleat_client_get(world->cluster.admin, &target, NULL, &object, NULL), 0);
    struct cleat_value data = cleat_object_find(object, "data");
    struct cleat_str text = cleat_value_text(cleat_value_get(data, "ca.crt"), &scratch);
    ck_assert_int_eq(cleat_base64_decode(&pem, text, NULL), 0);
    cleat_trust_add(&trust, cleat_buffer_view(&pem), CLEAT_X509_ANY_TIME);
    size_t count = trust.count;
    cleat_trust_fini(&trust);
    cleat_buffer_fini(&pem);
    cleat_object_unref(object);
    return count;
}

static void patch_secret(struct world *world, const char *json)
{
    ck_assert_int_eq(
        cluster_patch(&world->cluster, &certs_secrets, CERTS_NAMESPACE, CERTS_SECRET, json), 0);
}

static void delete_secret(struct world *world)
{
    ck_assert_int_eq(cluster_remove(&world->cluster, &certs_secrets, CERTS_NAMESPACE, CERTS_SECRET),
                     0);
}

/* From the state after a new CA was made to the one where it is alone. */
static void finish_overlap(struct world *world)
{
    int64_t old_end_s = leaf_end(world, 0);
    struct cleat_bundle *old = cleat_rotator_bundle(world->rotators[0]);
    ck_assert_int_eq(certs_published_count(&world->cluster), 2);
    /* Published, but only just: the old certificate stays. */
    turn_all(world);
    ck_assert_int_eq(leaf_end(world, 0), old_end_s);
    cleat_fake_clock_advance_ms(&world->fake, SETTLE_MS);
    certs_turn(world->rotators[0]);
    check_invariant(world); /* others serve the old one yet */
    turn_all(world);
    struct cleat_bundle *fresh = cleat_rotator_bundle(world->rotators[0]);
    ck_assert(!cleat_str_equal(cleat_bundle_cert(old), cleat_bundle_cert(fresh)));
    ck_assert(same_leaf(world, 0, 1) && same_leaf(world, 0, 2));
    ck_assert_uint_eq(stored_cas(world), 2);
    /* The last second of the old certificate. */
    cleat_fake_clock_set_wall_ms(&world->fake, old_end_s * 1000);
    turn_all(world);
    ck_assert_uint_eq(stored_cas(world), 2);
    cleat_fake_clock_set_wall_ms(&world->fake, (old_end_s + 1) * 1000);
    turn_all(world);
    ck_assert_uint_eq(stored_cas(world), 1);
    /* It leaves the bundles when it has been a stranger for a while. */
    ck_assert_int_eq(certs_published_count(&world->cluster), 2);
    cleat_fake_clock_advance_ms(&world->fake, GRACE_MS);
    turn_all(world);
    ck_assert_int_eq(certs_published_count(&world->cluster), 1);
    cleat_bundle_unref(old);
    cleat_bundle_unref(fresh);
}

/* To the time at which the CA that was made at @made_s is due, with a leaf that isn't. */
static void age_to_ca_due(struct world *world, int64_t made_s)
{
    int64_t due_s = made_s + CA_S / 3 * 2 + 1;
    while (now_s(world) + LEAF_S < due_s) {
        cleat_fake_clock_advance_ms(&world->fake, (int64_t)LEAF_S * 1000 * 2 / 3);
        turn_all(world);
        ck_assert_uint_eq(stored_cas(world), 1);
    }
    cleat_fake_clock_set_wall_ms(&world->fake, (due_s - 3600) * 1000);
    turn_all(world);
    cleat_fake_clock_set_wall_ms(&world->fake, due_s * 1000);
}

START_TEST(test_a_ca_is_replaced_with_overlap)
{
    struct world world;
    world_open(&world);
    turn_all(&world);
    ck_assert_int_eq(certs_published_count(&world.cluster), 1);
    int64_t made_s = now_s(&world);
    for (int i = 0; i < 3; i++) {
        age_to_ca_due(&world, made_s);
        int64_t end_s = leaf_end(&world, 0);
        certs_turn(world.rotators[0]);
        made_s = now_s(&world);
        ck_assert_int_eq(leaf_end(&world, 0), end_s);
        ck_assert_uint_eq(stored_cas(&world), 2);
        check_invariant(&world);
        finish_overlap(&world);
    }
    world_close(&world);
}
END_TEST

START_TEST(test_a_deleted_secret_comes_back_with_overlap)
{
    struct world world;
    world_open(&world);
    turn_all(&world);
    int64_t end_s = leaf_end(&world, 0);
    delete_secret(&world);
    certs_turn(world.rotators[1]);
    check_invariant(&world);
    turn_all(&world);
    ck_assert_int_eq(leaf_end(&world, 0), end_s);
    ck_assert(same_leaf(&world, 0, 1) && same_leaf(&world, 0, 2));
    finish_overlap(&world);
    world_close(&world);
}
END_TEST

/* A replica that knows nothing makes the Secret anew while the others serve. */
START_TEST(test_a_stranger_makes_the_secret_anew)
{
    struct world world;
    struct cleat_rotator *stranger = NULL;
    world_open(&world);
    turn_all(&world);
    struct cleat_rotator_options options = certs_options(&world.cluster);
    options.clock = &world.fake.clock;
    options.leaf_lifetime_s = LEAF_S;
    options.ca_lifetime_s = CA_S;
    ck_assert_int_eq(cleat_rotator_new(&options, &stranger, NULL), 0);
    delete_secret(&world);
    certs_turn(stranger);
    ck_assert_uint_eq(stored_cas(&world), 1);
    check_invariant(&world);
    ck_assert(certs_verified(&world.cluster, stranger, now_s(&world)));
    /* Theirs is told to the Secret, and goes with the last certificate under it. */
    turn_all(&world);
    ck_assert(certs_verified(&world.cluster, stranger, now_s(&world)));
    ck_assert_int_eq(certs_published_count(&world.cluster), 2);
    cleat_rotator_free(stranger);
    world_close(&world);
}
END_TEST

/* What is in the Secret, by what is done to it, and whether the CA must be another afterwards. */
static const struct {
    const char *name;
    const char *json;
    bool same_ca;
} damages[] = {
    {"leaf garbled", "{\"data\":{\"tls.crt\":\"eA==\"}}", true},
    {"leaf emptied", "{\"data\":{\"tls.crt\":\"\"}}", true},
    {"key garbled", "{\"data\":{\"tls.key\":\"eA==\"}}", true},
    {"key emptied", "{\"data\":{\"tls.key\":\"\"}}", true},
    {"CA garbled", "{\"data\":{\"ca.crt\":\"eA==\"}}", false},
    {"CA key garbled", "{\"data\":{\"ca.key\":\"eA==\"}}", false},
    {"CA removed", "{\"data\":{\"ca.crt\":null,\"ca.key\":null}}", false},
    {"all emptied",
     "{\"data\":{\"tls.crt\":\"\",\"tls.key\":\"\",\"ca.crt\":\"\",\"ca.key\":null}}", false},
    {"records garbled",
     "{\"metadata\":{\"annotations\":{\"cleat.dev/newest-ca-leaf-not-after\":\"x\","
     "\"cleat.dev/older-ca-leaf-not-after\":\"9999-12-31T23:59:59Z\"}}}",
     true},
    {"all of it",
     "{\"data\":{\"tls.crt\":\"eA==\",\"tls.key\":\"eA==\",\"ca.crt\":\"eA==\","
     "\"ca.key\":\"eA==\",\"more\":\"eA==\"}}",
     false},
};

START_TEST(test_a_broken_secret_is_mended)
{
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct world world;
        world_open(&world);
        turn_all(&world);
        patch_secret(&world, damages[i].json);
        certs_turn(world.rotators[2]);
        check_invariant(&world);
        turn_all(&world);
        ck_assert_msg(same_leaf(&world, 0, 1) && same_leaf(&world, 0, 2), "%s", damages[i].name);
        ck_assert_msg(stored_cas(&world) == (damages[i].same_ca ? 1 : 2), "%s", damages[i].name);
        if (!damages[i].same_ca)
            finish_overlap(&world);
        world_close(&world);
    }
}
END_TEST

START_TEST(test_a_broken_bundle_is_mended)
{
    char *foreign = certs_foreign_bundle();
    const char *const bundles[] = {NULL, "eA==", foreign};
    struct world world;
    world_open(&world);
    turn_all(&world);
    for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
        for (size_t j = 0; j < CERTS_TARGETS - 1; j++) {
            certs_break_bundle(&world.cluster, &certs_targets[j], bundles[i]);
            ck_assert(!certs_verified(&world.cluster, world.rotators[0], now_s(&world)));
            turn_all(&world);
            cleat_fake_clock_advance_ms(&world.fake, GRACE_MS);
            turn_all(&world);
            ck_assert_int_eq(certs_published_count(&world.cluster), 1);
        }
    }
    cleat_free(foreign);
    world_close(&world);
}
END_TEST

/* While it can't be published, nothing is served that isn't trusted. */
START_TEST(test_nothing_is_served_that_isnt_published)
{
    struct world world;
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_fault fault = {
        .method = "PATCH",
        .path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        .status = 500};
    world_open(&world);
    turn_all(&world);
    int64_t end_s = leaf_end(&world, 0);
    int id = cleat_apiserver_fault(world.cluster.server, &fault);
    delete_secret(&world);
    ck_assert_int_lt(cleat_rotator_turn(world.rotators[0], &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "caBundle of cleat-mutating: "));
    check_invariant(&world);
    cleat_fake_clock_advance_ms(&world.fake, 10 * SETTLE_MS);
    for (int i = 0; i < REPLICAS; i++) {
        ck_assert_int_lt(cleat_rotator_turn(world.rotators[i], NULL), 0);
        ck_assert_int_eq(leaf_end(&world, i), end_s);
    }
    check_invariant(&world);
    cleat_apiserver_fault_clear(world.cluster.server, id);
    turn_all(&world);
    finish_overlap(&world);
    world_close(&world);
}
END_TEST

/* A replica that comes up meanwhile isn't ready before the publication, and tells why. */
START_TEST(test_readiness_waits_for_the_publication)
{
    struct world world;
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_fault fault = {.method = "PATCH", .status = 500};
    world_open(&world);
    ck_assert_int_eq(cleat_rotator_check(world.rotators[0], &err), -EAGAIN);
    ck_assert_str_eq(err.text, "there is no certificate yet");
    int id = cleat_apiserver_fault(world.cluster.server, &fault);
    ck_assert_int_lt(cleat_rotator_turn(world.rotators[0], NULL), 0);
    cleat_err_clear(&err);
    ck_assert_int_lt(cleat_rotator_check(world.rotators[0], &err), 0);
    ck_assert_msg(strstr(err.text, "caBundle of cleat-"), "%s", err.text);
    cleat_apiserver_fault_clear(world.cluster.server, id);
    turn_all(&world);
    /* An API server that can't be reached changes nothing of what it has published. */
    const struct cleat_fault down = {.status = 500};
    id = cleat_apiserver_fault(world.cluster.server, &down);
    ck_assert_int_lt(cleat_rotator_turn(world.rotators[0], NULL), 0);
    ck_assert_int_eq(cleat_rotator_check(world.rotators[0], NULL), 0);
    cleat_apiserver_fault_clear(world.cluster.server, id);
    cleat_fake_clock_set_wall_ms(&world.fake, leaf_end(&world, 0) * 1000);
    cleat_err_clear(&err);
    ck_assert_int_eq(cleat_rotator_check(world.rotators[0], &err), -EAGAIN);
    ck_assert_str_eq(err.text, "the certificate has expired");
    world_close(&world);
}
END_TEST

/* The Secret can't be written: what is there is served and published as long as it lasts. */
START_TEST(test_a_secret_that_cant_be_written)
{
    struct world world;
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_fault fault = {
        .method = "PUT", .path = "/api/v1/namespaces/" CERTS_NAMESPACE "/secrets", .status = 403};
    world_open(&world);
    certs_turn(world.rotators[0]);
    ck_assert_int_gt(cleat_apiserver_fault(world.cluster.server, &fault), 0);
    certs_break_bundle(&world.cluster, &certs_targets[0], NULL);
    patch_secret(&world, "{\"metadata\":{\"annotations\":null}}");
    ck_assert_int_eq(cleat_rotator_turn(world.rotators[1], &err), -EACCES);
    ck_assert_msg(strstr(err.text, "Secret " CERTS_NAMESPACE "/" CERTS_SECRET ": "), "%s",
                  err.text);
    ck_assert(certs_verified(&world.cluster, world.rotators[1], now_s(&world)));
    ck_assert_int_eq(cleat_rotator_check(world.rotators[1], NULL), 0);
    world_close(&world);
}
END_TEST

static double metric(struct world *world, const char *line)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT((size_t)1 << 20);
    ck_assert_int_eq(cleat_metrics_write(world->metrics, &text), 0);
    char *wanted = cleat_mem_format("\n%s", line);
    const char *at = strstr(text.data, wanted);
    double value = at ? strtod(at + strlen(wanted), NULL) : -1;
    cleat_mem_free(wanted);
    cleat_buffer_fini(&text);
    return value;
}

START_TEST(test_metrics)
{
    struct world world;
    world_open(&world);
    turn_all(&world);
    int64_t made_s = now_s(&world);
    ck_assert_double_eq(
        metric(&world, "cleat_certificate_expiry_seconds{certificate=\"leaf\"} "),
        (double)(leaf_end(&world, 0) * 1000 - cleat_clock_wall_ms(&world.fake.clock)) / 1000);
    ck_assert_double_gt(metric(&world, "cleat_certificate_expiry_seconds{certificate=\"ca\"} "),
                        CA_S - 2);
    ck_assert_double_eq(metric(&world, "cleat_ca_injections_total "), CERTS_TARGETS - 1);
    ck_assert_double_eq(metric(&world, "cleat_certificate_rotations_total{certificate=\"leaf\"} "),
                        0);
    ck_assert_double_eq(metric(&world, "cleat_certificate_errors_total "), 0);
    age_to_ca_due(&world, made_s);
    turn_all(&world);
    finish_overlap(&world);
    ck_assert_double_ge(metric(&world, "cleat_certificate_rotations_total{certificate=\"leaf\"} "),
                        2);
    ck_assert_double_eq(metric(&world, "cleat_certificate_rotations_total{certificate=\"ca\"} "),
                        1);
    const struct cleat_fault down = {.status = 500};
    ck_assert_int_gt(cleat_apiserver_fault(world.cluster.server, &down), 0);
    ck_assert_int_lt(cleat_rotator_turn(world.rotators[0], NULL), 0);
    ck_assert_double_eq(metric(&world, "cleat_certificate_errors_total "), 1);
    world_close(&world);
}
END_TEST

START_TEST(test_options_are_checked)
{
    static const struct {
        int64_t leaf_s, ca_s;
        int code;
    } lives[] = {{1, 1, 0}, {2, 1, -EINVAL}, {-1, 5, -EINVAL}, {0, 86400, -EINVAL}, {0, 0, 0}};
    struct cluster cluster;
    cluster_open(&cluster);
    for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        struct cleat_rotator *rotator = NULL;
        struct cleat_rotator_options options = certs_options(&cluster);
        options.leaf_lifetime_s = lives[i].leaf_s;
        options.ca_lifetime_s = lives[i].ca_s;
        ck_assert_int_eq(cleat_rotator_new(&options, &rotator, NULL), lives[i].code);
        cleat_rotator_free(rotator);
    }
    struct cleat_rotator *rotator = NULL;
    struct cleat_rotator_options options = certs_options(&cluster);
    options.target_count = CLEAT_ROTATOR_TARGETS_MAX + 1;
    ck_assert_int_eq(cleat_rotator_new(&options, &rotator, NULL), -E2BIG);
    cluster_close(&cluster);
}
END_TEST

/* ---- running ---- */

static bool secret_is_back(void *arg)
{
    struct cluster *cluster = arg;
    return cluster_has(cluster, &certs_secrets, CERTS_NAMESPACE, CERTS_SECRET, NULL, NULL);
}

static bool is_ready(void *arg)
{
    return cleat_rotator_check(arg, NULL) == 0;
}

/* With a cache, nothing waits for the minute. */
START_TEST(test_changes_are_noticed_at_once)
{
    struct cluster cluster;
    struct cleat_cache *cache = NULL;
    struct cleat_rotator *rotator = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    certs_open(&cluster);
    const struct cleat_cache_options cache_options = {.client = cluster.admin};
    ck_assert_int_eq(cleat_cache_new(&cache_options, &cache, NULL), 0);
    struct cleat_rotator_options options = certs_options(&cluster);
    options.cache = cache;
    ck_assert_int_eq(cleat_rotator_new(&options, &rotator, NULL), 0);
    /* Somebody else wants whole Secrets, but others. */
    struct cleat_feed *whole = NULL;
    const struct cleat_feed_options labelled = {.resource = certs_secrets,
                                                .label_selector = "copy"};
    ck_assert_int_eq(cleat_cache_feed(cache, &labelled, &whole, NULL), 0);
    struct cleat_runnable runnable = cleat_rotator_runnable(rotator, CLEAT_GROUP_WEBHOOKS);
    ck_assert_int_eq(runnable.start(runnable.arg, NULL), 0);
    ck_assert_int_eq(runnable.wait_ready(runnable.arg, 10000, NULL), 0);
    ck_assert_int_eq(cleat_cache_start(cache, NULL), 0);
    ck_assert_msg(cleat_cache_wait_synced(cache, 10000, &err) == 0, "%s", err.text);
    ck_assert(cleat_wait_for(is_ready, rotator, 10000));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cluster_remove(&cluster, &certs_secrets, CERTS_NAMESPACE, CERTS_SECRET),
                         0);
        ck_assert(cleat_wait_for(secret_is_back, &cluster, 10000));
        certs_break_bundle(&cluster, &certs_targets[i], NULL);
        CLEAT_WAIT_FOR(
            certs_verified(&cluster, rotator, cleat_clock_wall_ms(cleat_clock_system()) / 1000),
            10000);
    }
    /* No key comes into the cache. */
    struct cleat_object *object = NULL;
    struct cleat_store *store = cleat_cache_store(cache, &certs_secrets.gvk);
    ck_assert_int_eq(
        cleat_store_lookup(store, CLEAT_STR(CERTS_NAMESPACE), CLEAT_STR(CERTS_SECRET), &object), 0);
    struct cleat_value data = cleat_object_find(object, "data");
    ck_assert_int_eq(cleat_value_type(cleat_value_get(data, "tls.crt")), CLEAT_TYPE_STRING);
    ck_assert_int_ne(cleat_value_type(cleat_value_get(data, "tls.key")), CLEAT_TYPE_STRING);
    ck_assert_int_ne(cleat_value_type(cleat_value_get(data, "ca.key")), CLEAT_TYPE_STRING);
    cleat_object_unref(object);
    cleat_feed_unref(whole);
    runnable.stop(runnable.arg);
    ck_assert_int_eq(runnable.join(runnable.arg, 10000), 0);
    cleat_rotator_free(rotator);
    cleat_cache_stop(cache);
    cleat_cache_join(cache);
    cleat_cache_free(cache);
    cluster_close(&cluster);
}
END_TEST

CLEAT_SUITE_MAIN("rotation", test_a_ca_is_replaced_with_overlap,
                 test_a_deleted_secret_comes_back_with_overlap,
                 test_a_stranger_makes_the_secret_anew, test_a_broken_secret_is_mended,
                 test_a_broken_bundle_is_mended, test_nothing_is_served_that_isnt_published,
                 test_readiness_waits_for_the_publication, test_a_secret_that_cant_be_written,
                 test_metrics, test_options_are_checked, test_changes_are_noticed_at_once)
