/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and CAs that live for seconds, under load: at every instant what is published must
 * verify what each replica serves, and no request may be dropped. Then the same while the Secret is
 * broken and deleted again and again, and what happens to broken bundles.
 */
#include "fault/rotation_world.h"
#include "support/suite.h"
#include "support/tally.h"

#define LEAF_S 9
#define CA_S 18
#define LEAVES_LEAST 6
#define CAS_LEAST 3
#define REQUESTS_LEAST 1000
#define ROTATION_LIMIT_MS 180000
#define RACES 40

static void report(const struct world *world, const char *name, uint64_t runs, const char *what)
{
    char note[240];
    struct cleat_tally tally = {.name = name, .runs = runs, .least = REQUESTS_LEAST};
    (void)snprintf(note, sizeof(note),
                   "%s; %u handshakes (%u by the second look), %u requests, %u connections kept",
                   what, atomic_load(&world->handshakes), atomic_load(&world->handshakes_late),
                   atomic_load(&world->requests), atomic_load(&world->kept));
    tally.note = note;
    tally.injections = atomic_load(&world->handshakes) + atomic_load(&world->requests);
    tally.wrong = atomic_load(&world->handshakes_lost) + atomic_load(&world->requests_lost);
    cleat_tally_end(&tally);
}

static bool rotated_enough(void *arg)
{
    struct world *world = arg;
    for (int i = 0; i < REPLICAS; i++)
        if (atomic_load(&world->replicas[i].leaves) < LEAVES_LEAST ||
            atomic_load(&world->replicas[i].cas) < CAS_LEAST)
            return false;
    return true;
}

START_TEST(test_rotation_loses_nothing)
{
    static struct world world;
    struct cleat_thread threads[HANDSHAKERS + KEEPERS] = {0};
    char what[96];
    world_open(&world, LEAF_S, CA_S);
    world_load(&world, threads);
    ck_assert(cleat_wait_for(rotated_enough, &world, ROTATION_LIMIT_MS));
    world_unload(&world, threads);
    unsigned leaves = 0, cas = 0;
    for (int i = 0; i < REPLICAS; i++) {
        leaves += atomic_load(&world.replicas[i].leaves);
        cas += atomic_load(&world.replicas[i].cas);
    }
    (void)snprintf(what, sizeof(what), "%d replicas took %u leaves and %u CAs", REPLICAS, leaves,
                   cas);
    ck_assert_uint_ge(atomic_load(&world.kept), 1);
    ck_assert(certs_foreign_untouched(&world.cluster));
    report(&world, "rotation", leaves + cas, what);
    world_close(&world);
}
END_TEST

/* ---- somebody breaks the Secret ---- */

static const char *const damages[] = {
    "{\"data\":{\"tls.crt\":\"eA==\"}}",
    "{\"data\":{\"tls.key\":\"\",\"tls.crt\":\"\"}}",
    "{\"data\":{\"ca.crt\":\"eA==\",\"tls.crt\":\"eA==\"}}",
    "{\"data\":{\"ca.key\":null,\"ca.crt\":null}}",
    "{\"metadata\":{\"annotations\":null}}",
    NULL, /* deleted */
};

#define DAMAGES (sizeof(damages) / sizeof(damages[0]))
#define DAMAGE_ROUNDS 3

static void damage_secret(struct world *world, size_t which)
{
    int r = damages[which]
                ? cluster_patch(&world->cluster, &certs_secrets, CERTS_NAMESPACE, CERTS_SECRET,
                                damages[which])
                : cluster_remove(&world->cluster, &certs_secrets, CERTS_NAMESPACE, CERTS_SECRET);
    ck_assert_int_eq(r, 0);
}

/* The leaf in the Secret fits its key and is verified by the CAs there. */
static bool secret_is_sound(void *arg)
{
    struct world *world = arg;
    static const char *const keys[] = {"tls.crt", "tls.key", "ca.crt"};
    const struct cleat_client_target target = {
        .resource = &certs_secrets, .namespace_ = CERTS_NAMESPACE, .name = CERTS_SECRET};
    struct cleat_object *object = NULL;
    struct cleat_buffer parts[3] = {CLEAT_BUFFER_INIT(65536), CLEAT_BUFFER_INIT(65536),
                                    CLEAT_BUFFER_INIT(65536)};
    struct cleat_bundle *bundle = NULL;
    bool sound = cleat_client_get(world->cluster.admin, &target, NULL, &object, NULL) == 0;
    for (size_t i = 0; sound && i < 3; i++) {
        struct cleat_scratch scratch;
        struct cleat_value data = cleat_object_find(object, "data");
        sound = cleat_base64_decode(&parts[i],
                                    cleat_value_text(cleat_value_get(data, keys[i]), &scratch),
                                    NULL) == 0;
    }
    sound = sound && cleat_bundle_new(cleat_buffer_view(&parts[0]), cleat_buffer_view(&parts[1]),
                                      cleat_buffer_view(&parts[2]), &bundle, NULL) == 0;
    sound = sound && cleat_x509_verify(cleat_bundle_cert(bundle), cleat_bundle_ca(bundle),
                                       cleat_clock_wall_ms(cleat_clock_system()) / 1000, NULL) == 0;
    cleat_bundle_unref(bundle);
    for (size_t i = 0; i < 3; i++)
        cleat_buffer_fini(&parts[i]);
    cleat_object_unref(object);
    return sound;
}

static bool all_verified(void *arg)
{
    struct world *world = arg;
    for (int i = 0; i < REPLICAS; i++)
        if (!certs_verified(&world->cluster, world->replicas[i].rotator,
                            cleat_clock_wall_ms(cleat_clock_system()) / 1000))
            return false;
    return true;
}

START_TEST(test_a_broken_secret_loses_nothing)
{
    static struct world world;
    struct cleat_thread threads[HANDSHAKERS + KEEPERS] = {0};
    char what[64];
    world_open(&world, 60, 600);
    world_load(&world, threads);
    for (size_t i = 0; i < DAMAGE_ROUNDS * DAMAGES; i++) {
        unsigned before = atomic_load(&world.requests);
        damage_secret(&world, i % DAMAGES);
        ck_assert_msg(cleat_wait_for(secret_is_sound, &world, LIMIT_MS), "%s",
                      damages[i % DAMAGES] ? damages[i % DAMAGES] : "deleted");
        CLEAT_WAIT_FOR(atomic_load(&world.requests) > before + 100, LIMIT_MS);
    }
    world_unload(&world, threads);
    (void)snprintf(what, sizeof(what), "Secret broken or deleted %zu times",
                   DAMAGE_ROUNDS * DAMAGES);
    report(&world, "secret", DAMAGE_ROUNDS * DAMAGES, what);
    world_close(&world);
}
END_TEST

/* ---- somebody breaks what is published ---- */

START_TEST(test_a_broken_bundle_is_mended)
{
    static struct world world;
    struct cleat_thread threads[HANDSHAKERS + KEEPERS] = {0};
    char *foreign = certs_foreign_bundle();
    const char *const bundles[] = {NULL, "eA==", foreign};
    char what[64];
    unsigned mended = 0;
    world_open(&world, 60, 600);
    world_load(&world, threads);
    for (size_t i = 0; i < 5 * (CERTS_TARGETS - 1); i++) {
        unsigned before = atomic_load(&world.requests);
        atomic_store(&world.paused, true);
        CLEAT_WAIT_FOR(atomic_load(&world.active) == 0, LIMIT_MS);
        certs_break_bundle(&world.cluster, &certs_targets[i % (CERTS_TARGETS - 1)],
                           bundles[i % 5 % 3]);
        ck_assert(cleat_wait_for(all_verified, &world, LIMIT_MS));
        mended++;
        atomic_store(&world.paused, false);
        CLEAT_WAIT_FOR(atomic_load(&world.requests) > before + 70, LIMIT_MS);
    }
    world_unload(&world, threads);
    ck_assert(certs_foreign_untouched(&world.cluster));
    (void)snprintf(what, sizeof(what), "bundles broken and mended %u times", mended);
    report(&world, "bundle", mended, what);
    cleat_free(foreign);
    world_close(&world);
}
END_TEST

/* ---- three replicas begin at once ---- */

struct race {
    struct cleat_rotator *rotator;
    pthread_barrier_t *barrier;
    int result;
};

static void *race_main(void *arg)
{
    struct race *race = arg;
    pthread_barrier_wait(race->barrier);
    race->result = cleat_rotator_turn(race->rotator, NULL);
    return NULL;
}

static void race_once(struct world *world, struct cleat_tally *tally)
{
    struct race races[REPLICAS];
    struct cleat_thread threads[REPLICAS] = {0};
    pthread_barrier_t barrier;
    const struct cleat_rotator_options options = certs_options(&world->cluster);
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, REPLICAS), 0);
    for (int i = 0; i < REPLICAS; i++) {
        races[i] = (struct race){.barrier = &barrier};
        ck_assert_int_eq(cleat_rotator_new(&options, &races[i].rotator, NULL), 0);
    }
    for (int i = 0; i < REPLICAS; i++)
        ck_assert_int_eq(cleat_thread_start(&threads[i], "race", 0, race_main, &races[i], NULL), 0);
    for (int i = 0; i < REPLICAS; i++)
        cleat_thread_join(&threads[i]);
    struct cleat_bundle *first = cleat_rotator_bundle(races[0].rotator);
    for (int i = 0; i < REPLICAS; i++) {
        struct cleat_bundle *bundle = cleat_rotator_bundle(races[i].rotator);
        if (races[i].result != 0 || !first || !bundle ||
            !cleat_str_equal(cleat_bundle_cert(first), cleat_bundle_cert(bundle)) ||
            !certs_verified(&world->cluster, races[i].rotator,
                            cleat_clock_wall_ms(cleat_clock_system()) / 1000))
            tally->wrong++;
        cleat_bundle_unref(bundle);
        cleat_rotator_free(races[i].rotator);
    }
    cleat_bundle_unref(first);
    pthread_barrier_destroy(&barrier);
    tally->runs++;
    tally->injections += REPLICAS;
}

START_TEST(test_racing_replicas_agree)
{
    static struct world world;
    char note[96];
    struct cleat_tally tally = {.name = "certificate-race", .least = RACES * REPLICAS};
    memset(&world, 0, sizeof(world));
    certs_open(&world.cluster);
    for (int i = 0; i < RACES; i++) {
        race_once(&world, &tally);
        ck_assert(secret_is_sound(&world));
        ck_assert_int_eq(
            cluster_remove(&world.cluster, &certs_secrets, CERTS_NAMESPACE, CERTS_SECRET), 0);
    }
    uint64_t creations =
        cleat_apiserver_requests(world.cluster.server, "POST", "/api/v1/namespaces/", NULL);
    /* Else they weren't at it together. */
    ck_assert_uint_gt(creations, RACES + RACES / 10);
    (void)snprintf(note, sizeof(note), "%llu tries to create, %d won",
                   (unsigned long long)creations, RACES);
    tally.note = note;
    cleat_tally_end(&tally);
    cluster_close(&world.cluster);
}
END_TEST

CLEAT_SUITE_MAIN("rotation", test_rotation_loses_nothing, test_a_broken_secret_loses_nothing,
                 test_a_broken_bundle_is_mended, test_racing_replicas_agree)
