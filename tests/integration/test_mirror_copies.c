/* SPDX-License-Identifier: Apache-2.0 */
/* Copies appear, follow their source, are repaired, and go. */
#include "mirror_fixture.h"
#include "support/suite.h"

#define TEAM "\"targets\":{\"namespaceSelector\":{\"matchLabels\":{\"team\":\"true\"}}}"

static void open_with_teams(struct mirror_fixture *fixture)
{
    fixture_open(fixture);
    fixture_namespace(fixture, "platform", "");
    fixture_namespace(fixture, "ci", "\"team\":\"true\"");
    fixture_namespace(fixture, "staging", "\"team\":\"true\"");
    fixture_namespace(fixture, "other", "");
    fixture_secret(fixture, "platform", "reg", "b25l", "");
}

START_TEST(test_copies_appear)
{
    struct mirror_fixture fixture;
    open_with_teams(&fixture);
    fixture_mirror(&fixture, "reg", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 2, 2);
    ck_assert(fixture_has(&fixture, "ci", "reg", "data.k", "b25l"));
    ck_assert(fixture_has(&fixture, "ci", "reg", "metadata.labels[\"cleat.dev/mirror\"]", "reg"));
    ck_assert(fixture_has(&fixture, "ci", "reg", "metadata.annotations[\"cleat.dev/source\"]",
                          "platform/reg"));
    ck_assert(fixture_has(&fixture, "ci", "reg", "metadata.ownerReferences[0].kind", "Mirror"));
    ck_assert(!fixture_has(&fixture, "other", "reg", NULL, NULL));
    /* A new namespace, and one that comes into the selection. */
    fixture_namespace(&fixture, "late", "\"team\":\"true\"");
    CLEAT_WAIT_FOR(fixture_has(&fixture, "late", "reg", "data.k", "b25l"), 10000);
    ck_assert_int_eq(cluster_patch(&fixture.cluster, &fixture_namespaces, NULL, "other",
                                   "{\"metadata\":{\"labels\":{\"team\":\"true\"}}}"),
                     0);
    CLEAT_WAIT_FOR(fixture_has(&fixture, "other", "reg", "data.k", "b25l"), 10000);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 4, 4);
    /* One leaves it. */
    ck_assert_int_eq(cluster_patch(&fixture.cluster, &fixture_namespaces, NULL, "other",
                                   "{\"metadata\":{\"labels\":{\"team\":null}}}"),
                     0);
    CLEAT_WAIT_FOR(!fixture_has(&fixture, "other", "reg", NULL, NULL), 10000);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 3, 3);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_copies_follow)
{
    struct mirror_fixture fixture;
    open_with_teams(&fixture);
    fixture_mirror(&fixture, "reg", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 2, 2);
    ck_assert_int_eq(cluster_patch(&fixture.cluster, &fixture_secrets, "platform", "reg",
                                   "{\"data\":{\"k\":\"dHdv\",\"more\":\"eA==\"}}"),
                     0);
    CLEAT_WAIT_FOR(fixture_has(&fixture, "ci", "reg", "data.k", "dHdv"), 10000);
    CLEAT_WAIT_FOR(fixture_has(&fixture, "staging", "reg", "data.more", "eA=="), 10000);
    ck_assert_int_eq(cluster_patch(&fixture.cluster, &fixture_secrets, "platform", "reg",
                                   "{\"data\":{\"more\":null}}"),
                     0);
    CLEAT_WAIT_FOR(fixture_has(&fixture, "ci", "reg", NULL, NULL) &&
                       !fixture_has(&fixture, "ci", "reg", "data.more", "eA=="),
                   10000);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_copies_are_repaired)
{
    static const char *const damages[] = {
        "{\"data\":{\"k\":\"YmFk\"}}",
        "{\"data\":{\"extra\":\"YmFk\"}}",
        "{\"metadata\":{\"labels\":{\"cleat.dev/mirror\":null}}}",
        "{\"metadata\":{\"labels\":{\"cleat.dev/mirror\":\"else\"}}}",
        "{\"metadata\":{\"annotations\":{\"cleat.dev/source\":\"x/y\"}}}",
        "{\"metadata\":{\"ownerReferences\":null}}",
    };
    struct mirror_fixture fixture;
    open_with_teams(&fixture);
    fixture_mirror(&fixture, "reg", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 2, 2);
    for (size_t i = 0; i + 1 < sizeof(damages) / sizeof(damages[0]); i++) {
        ck_assert_int_eq(cluster_patch(&fixture.cluster, &fixture_secrets, "ci", "reg", damages[i]),
                         0);
        CLEAT_WAIT_FOR(fixture_has(&fixture, "ci", "reg", "data.k", "b25l") &&
                           !fixture_has(&fixture, "ci", "reg", "data.extra", "YmFk") &&
                           fixture_has(&fixture, "ci", "reg",
                                       "metadata.labels[\"cleat.dev/mirror\"]", "reg") &&
                           fixture_has(&fixture, "ci", "reg",
                                       "metadata.annotations[\"cleat.dev/source\"]",
                                       "platform/reg"),
                       10000);
    }
    ck_assert_int_eq(cluster_remove(&fixture.cluster, &fixture_secrets, "staging", "reg"), 0);
    CLEAT_WAIT_FOR(fixture_has(&fixture, "staging", "reg", "data.k", "b25l"), 10000);
    /* Without its owner it is nobody's any more: reported, not taken. */
    ck_assert_int_eq(cluster_patch(&fixture.cluster, &fixture_secrets, "ci", "reg",
                                   "{\"metadata\":{\"ownerReferences\":null}}"),
                     0);
    FIXTURE_WAIT(&fixture, "reg", "Conflict", 2, 1);
    fixture_close(&fixture);
}
END_TEST

/* Damage while nobody looked, and foreign metadata. */
START_TEST(test_repaired_after_restart)
{
    struct mirror_fixture fixture;
    open_with_teams(&fixture);
    fixture_mirror(&fixture, "reg", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 2, 2);
    fixture_stop(&fixture);
    ck_assert_int_eq(cluster_patch(&fixture.cluster, &fixture_secrets, "ci", "reg",
                                   "{\"metadata\":{\"labels\":{\"mine\":\"yes\"}},\"data\":{\"k\":"
                                   "\"YmFk\"}}"),
                     0);
    fixture_start(&fixture);
    CLEAT_WAIT_FOR(fixture_has(&fixture, "ci", "reg", "data.k", "b25l"), 10000);
    ck_assert(fixture_has(&fixture, "ci", "reg", "metadata.labels.mine", "yes"));
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_deleted_mirror)
{
    struct mirror_fixture fixture;
    open_with_teams(&fixture);
    fixture_mirror(&fixture, "reg", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 2, 2);
    ck_assert_int_eq(cluster_remove(&fixture.cluster, &fixture_mirrors, NULL, "reg"), 0);
    CLEAT_WAIT_FOR(!fixture_has(&fixture, "ci", "reg", NULL, NULL), 10000);
    CLEAT_WAIT_FOR(!fixture_has(&fixture, "staging", "reg", NULL, NULL), 10000);
    ck_assert(fixture_has(&fixture, "platform", "reg", "data.k", "b25l"));
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_orphans_stay)
{
    struct mirror_fixture fixture;
    open_with_teams(&fixture);
    fixture_mirror(&fixture, "reg", "reg", TEAM ",\"onDelete\":\"Orphan\"");
    FIXTURE_WAIT(&fixture, "reg", "Synced", 2, 2);
    ck_assert(!fixture_has(&fixture, "ci", "reg", "metadata.ownerReferences[0].kind", "Mirror"));
    ck_assert_int_eq(cluster_patch(&fixture.cluster, &fixture_secrets, "ci", "reg",
                                   "{\"data\":{\"k\":\"YmFk\"}}"),
                     0);
    CLEAT_WAIT_FOR(fixture_has(&fixture, "ci", "reg", "data.k", "b25l"), 10000);
    ck_assert_int_eq(cluster_remove(&fixture.cluster, &fixture_mirrors, NULL, "reg"), 0);
    /* The cluster's collector would have had its turn by the time that another Mirror is done. */
    fixture_mirror(&fixture, "after", "reg", TEAM ",\"copy\":{\"name\":\"after\"}");
    FIXTURE_WAIT(&fixture, "after", "Synced", 2, 2);
    ck_assert(fixture_has(&fixture, "ci", "reg", "data.k", "b25l"));
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_source_missing)
{
    struct mirror_fixture fixture;
    open_with_teams(&fixture);
    fixture_secret(&fixture, "platform", "two", "dHdv", "");
    fixture_mirror(&fixture, "keep", "reg", TEAM);
    fixture_mirror(&fixture, "drop", "two", TEAM ",\"onSourceMissing\":\"Delete\"");
    FIXTURE_WAIT(&fixture, "keep", "Synced", 2, 2);
    FIXTURE_WAIT(&fixture, "drop", "Synced", 2, 2);
    ck_assert_int_eq(cluster_remove(&fixture.cluster, &fixture_secrets, "platform", "reg"), 0);
    ck_assert_int_eq(cluster_remove(&fixture.cluster, &fixture_secrets, "platform", "two"), 0);
    FIXTURE_WAIT(&fixture, "keep", "SourceMissing", 2, 2);
    FIXTURE_WAIT(&fixture, "drop", "SourceMissing", 2, 0);
    CLEAT_WAIT_FOR(!fixture_has(&fixture, "ci", "two", NULL, NULL), 10000);
    ck_assert(fixture_has(&fixture, "ci", "reg", "data.k", "b25l"));
    fixture_secret(&fixture, "platform", "reg", "dHdv", "");
    CLEAT_WAIT_FOR(fixture_has(&fixture, "ci", "reg", "data.k", "dHdv"), 10000);
    FIXTURE_WAIT(&fixture, "keep", "Synced", 2, 2);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_keys_and_immutable)
{
    struct mirror_fixture fixture;
    open_with_teams(&fixture);
    ck_assert_int_eq(
        cluster_make(&fixture.cluster, &fixture_secrets, "platform",
                     "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"kubernetes.io/tls\","
                     "\"metadata\":{\"name\":\"tls\",\"namespace\":\"platform\"},\"data\":{\"tls."
                     "crt\":\"YQ==\",\"tls.key\":\"Yg==\",\"ca.crt\":\"Yw==\"}}"),
        0);
    fixture_mirror(&fixture, "tls", "tls", TEAM ",\"copy\":{\"keys\":[\"ca.crt\",\"absent\"]}");
    FIXTURE_WAIT(&fixture, "tls", "Synced", 2, 2);
    ck_assert(fixture_has(&fixture, "ci", "tls", "type", "Opaque"));
    ck_assert(fixture_has(&fixture, "ci", "tls", "data[\"ca.crt\"]", "Yw=="));
    ck_assert(!fixture_has(&fixture, "ci", "tls", "data[\"tls.key\"]", "Yg=="));
    /* An immutable source that is made anew. */
    fixture_secret(&fixture, "platform", "fixed", "b25l", ",\"immutable\":true");
    fixture_mirror(&fixture, "fixed", "fixed", TEAM);
    FIXTURE_WAIT(&fixture, "fixed", "Synced", 2, 2);
    ck_assert_int_eq(cluster_remove(&fixture.cluster, &fixture_secrets, "platform", "fixed"), 0);
    fixture_secret(&fixture, "platform", "fixed", "dHdv", ",\"immutable\":true");
    CLEAT_WAIT_FOR(fixture_has(&fixture, "ci", "fixed", "data.k", "dHdv"), 10000);
    FIXTURE_WAIT(&fixture, "fixed", "Synced", 2, 2);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_services_lose_addresses)
{
    struct mirror_fixture fixture;
    open_with_teams(&fixture);
    ck_assert_int_eq(
        cluster_make(&fixture.cluster, &fixture_services, "platform",
                     "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"web\","
                     "\"namespace\":\"platform\"},\"spec\":{\"type\":\"NodePort\",\"clusterIP\":"
                     "\"10.0.0.7\",\"ports\":[{\"port\":80,\"nodePort\":30080}]}}"),
        0);
    fixture_put(&fixture,
                "{\"apiVersion\":\"cleat.dev/"
                "v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"web\"},\"spec\":{"
                "\"source\":{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"namespace\":\"platform\","
                "\"name\":\"web\"}," TEAM "}}");
    FIXTURE_WAIT(&fixture, "web", "Synced", 2, 2);
    ck_assert(
        cluster_has(&fixture.cluster, &fixture_services, "ci", "web", "spec.type", "NodePort"));
    ck_assert(!cluster_has(&fixture.cluster, &fixture_services, "ci", "web", "spec.clusterIP",
                           "10.0.0.7"));
    fixture_close(&fixture);
}
END_TEST

/* Changes a Mirror as if it had been judged. */
static void change(struct mirror_fixture *fixture, const char *name, const char *patch)
{
    ck_assert_int_eq(cluster_remove(&fixture->cluster, &fixture_hooks, NULL, "cleat-validating"),
                     0);
    ck_assert_int_eq(cluster_patch(&fixture->cluster, &fixture_mirrors, NULL, name, patch), 0);
    fixture_put(fixture, FIXTURE_GUARD);
}

/* What a Mirror made under another name or of another kind goes. */
START_TEST(test_spec_changes)
{
    struct mirror_fixture fixture;
    open_with_teams(&fixture);
    fixture_mirror(&fixture, "reg", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 2, 2);
    change(&fixture, "reg", "{\"spec\":{\"copy\":{\"name\":\"other\"}}}");
    CLEAT_WAIT_FOR(fixture_has(&fixture, "ci", "other", "data.k", "b25l"), 10000);
    CLEAT_WAIT_FOR(!fixture_has(&fixture, "ci", "reg", NULL, NULL), 10000);
    ck_assert_int_eq(
        cluster_make(&fixture.cluster, &fixture_maps, "platform",
                     "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
                     "\"map\",\"namespace\":\"platform\"},\"data\":{\"a\":\"b\"}}"),
        0);
    change(&fixture, "reg",
           "{\"spec\":{\"copy\":null,\"source\":{\"kind\":\"ConfigMap\",\"name\":\"map\"}}}");
    CLEAT_WAIT_FOR(cluster_has(&fixture.cluster, &fixture_maps, "ci", "map", "data.a", "b"), 10000);
    CLEAT_WAIT_FOR(!fixture_has(&fixture, "ci", "other", NULL, NULL), 10000);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 2, 2);
    fixture_close(&fixture);
}
END_TEST

/* More than one pass may write, and no more is written than has to be. */
START_TEST(test_many_namespaces)
{
    struct mirror_fixture fixture;
    open_with_teams(&fixture);
    for (int i = 0; i < 448; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "ns-%03d", i);
        fixture_namespace(&fixture, name, "\"team\":\"true\"");
    }
    uint64_t before =
        cleat_apiserver_requests(fixture.cluster.server, "POST", "/api/v1/namespaces/", NULL);
    fixture_mirror(&fixture, "reg", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 450, 450);
    ck_assert(fixture_has(&fixture, "ns-447", "reg", "data.k", "b25l"));
    ck_assert_uint_eq(
        cleat_apiserver_requests(fixture.cluster.server, "POST", "/api/v1/namespaces/", NULL) -
            before,
        450);
    ck_assert_uint_eq(
        cleat_apiserver_requests(fixture.cluster.server, "PUT", "/api/v1/namespaces/", NULL), 0);
    fixture_close(&fixture);
}
END_TEST

static int event_count(void *arg, struct cleat_value item)
{
    int *count = arg;
    *count += cleat_value_is(cleat_value_get(item, "reason"), "Copied") &&
              cleat_value_is(cleat_value_find(item, "regarding.name"), "reg");
    return 0;
}

START_TEST(test_events)
{
    struct mirror_fixture fixture;
    const struct cleat_client_target target = {&fixture_events, "default", NULL, NULL};
    int count = 0;
    open_with_teams(&fixture);
    fixture_mirror(&fixture, "reg", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 2, 2);
    for (int i = 0; i < 5000 && count == 0; i++) {
        ck_assert_int_eq(
            cleat_client_list_each(fixture.cluster.admin, &target, NULL, event_count, &count, NULL),
            0);
        cleat_wait_moment();
    }
    ck_assert_int_eq(count, 1);
    fixture_close(&fixture);
}
END_TEST

CLEAT_SUITE_MAIN("mirror copies", test_copies_appear, test_copies_follow, test_copies_are_repaired,
                 test_repaired_after_restart, test_deleted_mirror, test_orphans_stay,
                 test_source_missing, test_keys_and_immutable, test_services_lose_addresses,
                 test_spec_changes, test_many_namespaces, test_events)
