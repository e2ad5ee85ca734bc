/* SPDX-License-Identifier: Apache-2.0 */
/* What is in the way of copies: conflicts, consent, other Mirrors, kinds, rights, the guard. */
#include "mirror_fixture.h"
#include "support/suite.h"

#define TEAM "\"targets\":{\"namespaceSelector\":{\"matchLabels\":{\"team\":\"true\"}}}"
#define IN_CI "\"targets\":{\"namespaces\":[\"ci\"]}"

static void open_with_ci(struct mirror_fixture *fixture)
{
    fixture_open(fixture);
    fixture_namespace(fixture, "platform", "");
    fixture_namespace(fixture, "ci", "\"team\":\"true\"");
    fixture_secret(fixture, "platform", "reg", "b25l", "");
}

static void make_raw(struct mirror_fixture *fixture, const char *metadata)
{
    char json[1024];
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"reg\","
                   "\"namespace\":\"ci\"%s},\"data\":{\"k\":\"bWluZQ==\"}}",
                   metadata);
    ck_assert_int_eq(cluster_make(&fixture->cluster, &fixture_secrets, "ci", json), 0);
}

START_TEST(test_conflict_is_skipped)
{
    struct mirror_fixture fixture;
    open_with_ci(&fixture);
    make_raw(&fixture, "");
    fixture_mirror(&fixture, "reg", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "reg", "Conflict", 1, 0);
    ck_assert(fixture_has(&fixture, "ci", "reg", "data.k", "bWluZQ=="));
    ck_assert(cluster_has(&fixture.cluster, &fixture_mirrors, NULL, "reg",
                          "status.failures[0].namespace", "ci"));
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_conflict_is_replaced)
{
    struct mirror_fixture fixture;
    open_with_ci(&fixture);
    make_raw(&fixture, ",\"labels\":{\"mine\":\"yes\"}");
    fixture_mirror(&fixture, "reg", "reg", TEAM ",\"onConflict\":\"Replace\"");
    FIXTURE_WAIT(&fixture, "reg", "Synced", 1, 1);
    ck_assert(fixture_has(&fixture, "ci", "reg", "data.k", "b25l"));
    ck_assert(fixture_has(&fixture, "ci", "reg", "metadata.labels.mine", "yes"));
    fixture_close(&fixture);
}
END_TEST

static const char *const protected[] = {
    ",\"annotations\":{\"cleat.dev/copies\":\"refuse\"}",
    ",\"labels\":{\"app.kubernetes.io/managed-by\":\"Helm\"}",
    ",\"annotations\":{\"argocd.argoproj.io/tracking-id\":\"x\"}",
    ",\"labels\":{\"kustomize.toolkit.fluxcd.io/name\":\"x\"}",
};

START_TEST(test_replace_has_limits)
{
    for (size_t i = 0; i < sizeof(protected) / sizeof(protected[0]); i++) {
        struct mirror_fixture fixture;
        open_with_ci(&fixture);
        make_raw(&fixture, protected[i]);
        fixture_mirror(&fixture, "reg", "reg", TEAM ",\"onConflict\":\"Replace\"");
        FIXTURE_WAIT(&fixture, "reg", "Conflict", 1, 0);
        ck_assert(fixture_has(&fixture, "ci", "reg", "data.k", "bWluZQ=="));
        fixture_close(&fixture);
    }
}
END_TEST

START_TEST(test_source_is_not_replaced)
{
    struct mirror_fixture fixture;
    open_with_ci(&fixture);
    make_raw(&fixture, "");
    fixture_put(&fixture,
                "{\"apiVersion\":\"cleat.dev/"
                "v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"back\"},\"spec\":{"
                "\"source\":{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"namespace\":\"ci\","
                "\"name\":\"reg\"},\"targets\":{}}}");
    FIXTURE_WAIT(&fixture, "back", "Synced", 0, 0);
    fixture_mirror(&fixture, "reg", "reg", TEAM ",\"onConflict\":\"Replace\"");
    FIXTURE_WAIT(&fixture, "reg", "Conflict", 1, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_namespace_refuses)
{
    struct mirror_fixture fixture;
    open_with_ci(&fixture);
    fixture_mirror(&fixture, "reg", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 1, 1);
    ck_assert_int_eq(cluster_patch(&fixture.cluster, &fixture_namespaces, NULL, "ci",
                                   "{\"metadata\":{\"labels\":{\"cleat.dev/copies\":\"refuse\"}}}"),
                     0);
    CLEAT_WAIT_FOR(!fixture_has(&fixture, "ci", "reg", NULL, NULL), 10000);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 0, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_source_allows_some)
{
    struct mirror_fixture fixture;
    open_with_ci(&fixture);
    fixture_namespace(&fixture, "team-a", "\"team\":\"true\"");
    ck_assert_int_eq(
        cluster_patch(
            &fixture.cluster, &fixture_secrets, "platform", "reg",
            "{\"metadata\":{\"annotations\":{\"cleat.dev/allowed-namespaces\":\"x, team-*\"}}}"),
        0);
    fixture_mirror(&fixture, "selected", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "selected", "Synced", 1, 1);
    ck_assert(fixture_has(&fixture, "team-a", "reg", "data.k", "b25l"));
    ck_assert(!fixture_has(&fixture, "ci", "reg", NULL, NULL));
    fixture_mirror(&fixture, "named", "reg", IN_CI ",\"copy\":{\"name\":\"named\"}");
    FIXTURE_WAIT(&fixture, "named", "Refused", 0, 0);
    fixture_close(&fixture);
}
END_TEST

/* A copy whose namespace's owner doesn't want it any more becomes an object like any other. */
START_TEST(test_copy_is_released)
{
    struct mirror_fixture fixture;
    open_with_ci(&fixture);
    fixture_mirror(&fixture, "reg", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 1, 1);
    ck_assert_int_eq(
        cluster_patch(&fixture.cluster, &fixture_secrets, "ci", "reg",
                      "{\"metadata\":{\"annotations\":{\"cleat.dev/copies\":\"refuse\"}}}"),
        0);
    FIXTURE_WAIT(&fixture, "reg", "Conflict", 1, 0);
    ck_assert(!fixture_has(&fixture, "ci", "reg", "metadata.ownerReferences[0].kind", "Mirror"));
    ck_assert(!fixture_has(&fixture, "ci", "reg", "metadata.labels[\"cleat.dev/mirror\"]", "reg"));
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_older_mirror_has_it)
{
    struct mirror_fixture fixture;
    open_with_ci(&fixture);
    fixture_secret(&fixture, "platform", "two", "dHdv", "");
    fixture_put(&fixture,
                "{\"apiVersion\":\"cleat.dev/"
                "v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"b\"},\"spec\":{\"source\":"
                "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"namespace\":\"platform\",\"name\":"
                "\"two\"}," TEAM ",\"copy\":{\"name\":\"same\"}}}");
    FIXTURE_WAIT(&fixture, "b", "Synced", 1, 1);
    ck_assert(fixture_has(&fixture, "ci", "same", "data.k", "dHdv"));
    /* Of the same second, so that the name decides; it comes later and is the older. */
    fixture_mirror(&fixture, "a", "reg", TEAM ",\"copy\":{\"name\":\"same\"}");
    const struct cleat_client_target older = {&fixture_mirrors, NULL, "a", NULL};
    const struct cleat_client_target younger = {&fixture_mirrors, NULL, "b", NULL};
    struct cleat_object *one = NULL, *two = NULL;
    struct cleat_scratch scratch, more;
    ck_assert_int_eq(cleat_client_get(fixture.cluster.admin, &older, NULL, &one, NULL), 0);
    ck_assert_int_eq(cleat_client_get(fixture.cluster.admin, &younger, NULL, &two, NULL), 0);
    bool a_first = cleat_str_equal(
        cleat_value_text(cleat_object_find(one, "metadata.creationTimestamp"), &scratch),
        cleat_value_text(cleat_object_find(two, "metadata.creationTimestamp"), &more));
    FIXTURE_WAIT(&fixture, a_first ? "a" : "b", "Synced", 1, 1);
    FIXTURE_WAIT(&fixture, a_first ? "b" : "a", "Conflict", 1, 0);
    ck_assert(fixture_has(&fixture, "ci", "same", "metadata.labels[\"cleat.dev/mirror\"]",
                          a_first ? "a" : "b"));
    ck_assert_int_eq(cluster_remove(&fixture.cluster, &fixture_mirrors, NULL, a_first ? "a" : "b"),
                     0);
    FIXTURE_WAIT(&fixture, a_first ? "b" : "a", "Synced", 1, 1);
    CLEAT_WAIT_FOR(fixture_has(&fixture, "ci", "same", "metadata.labels[\"cleat.dev/mirror\"]",
                               a_first ? "b" : "a"),
                   10000);
    cleat_object_unref(one);
    cleat_object_unref(two);
    fixture_close(&fixture);
}
END_TEST

static const struct {
    const char *name;
    const char *source;
    const char *reason;
} kinds[] = {
    {"unknown", "\"apiVersion\":\"example.com/v1\",\"kind\":\"Nothing\"", "KindUnknown"},
    {"never", "\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"Role\"", "Refused"},
    {"cluster", "\"apiVersion\":\"v1\",\"kind\":\"Node\"", "KindUnknown"},
    {"pod", "\"apiVersion\":\"v1\",\"kind\":\"Pod\"", "Refused"},
    {"found", "\"kind\":\"ConfigMap\"", "SourceMissing"},
};

START_TEST(test_kinds)
{
    struct mirror_fixture fixture;
    open_with_ci(&fixture);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char json[1024];
        (void)snprintf(json, sizeof(json),
                       "{\"apiVersion\":\"cleat.dev/"
                       "v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"%s\"},\"spec\":{"
                       "\"source\":{%s,\"namespace\":\"platform\",\"name\":\"x\"}," TEAM "}}",
                       kinds[i].name, kinds[i].source);
        fixture_put(&fixture, json);
        FIXTURE_WAIT(&fixture, kinds[i].name, kinds[i].reason, -1, -1);
    }
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_tokens_are_never_mirrored)
{
    struct mirror_fixture fixture;
    open_with_ci(&fixture);
    fixture_put(&fixture,
                "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"kubernetes.io/"
                "service-account-token\",\"metadata\":{\"name\":\"token\",\"namespace\":"
                "\"platform\",\"annotations\":{\"kubernetes.io/service-account.name\":\"x\"}},"
                "\"data\":{\"token\":\"eA==\"}}");
    fixture_mirror(&fixture, "token", "token", TEAM);
    FIXTURE_WAIT(&fixture, "token", "Refused", -1, -1);
    ck_assert(!fixture_has(&fixture, "ci", "token", NULL, NULL));
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_forbidden_kind)
{
    struct mirror_fixture fixture;
    const struct cleat_fault fault = {
        .method = "GET", .path = "/api/v1/namespaces/platform/configmaps", .status = 403};
    open_with_ci(&fixture);
    int id = cleat_apiserver_fault(fixture.cluster.server, &fault);
    ck_assert_int_gt(id, 0);
    fixture_put(&fixture,
                "{\"apiVersion\":\"cleat.dev/"
                "v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"map\"},\"spec\":{"
                "\"source\":{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"namespace\":"
                "\"platform\",\"name\":\"x\"}," TEAM "}}");
    FIXTURE_WAIT(&fixture, "map", "Forbidden", -1, -1);
    struct cleat_buffer body = CLEAT_BUFFER_INIT(1 << 16);
    ck_assert_int_eq(cleat_health_answer(cleat_manager_readyz(fixture.manager), "readyz",
                                         "/mirror-kinds", "", &body),
                     500);
    ck_assert_int_eq(
        cleat_health_answer(cleat_manager_readyz(fixture.manager), "readyz", "", "", &body), 200);
    cleat_buffer_fini(&body);
    fixture_close(&fixture);
}
END_TEST

/* While nobody judges Mirrors, new ones aren't acted on; known ones are kept. */
START_TEST(test_guard)
{
    struct mirror_fixture fixture;
    open_with_ci(&fixture);
    fixture_mirror(&fixture, "known", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "known", "Synced", 1, 1);
    ck_assert_int_eq(cluster_remove(&fixture.cluster, &fixture_hooks, NULL, "cleat-validating"), 0);
    /* The cache has to know before the next Mirror comes: what makes it sure is a repair. */
    cleat_wait_moment();
    for (int i = 0; i < 200; i++)
        cleat_wait_moment();
    fixture_mirror(&fixture, "new", "reg", TEAM ",\"copy\":{\"name\":\"new\"}");
    FIXTURE_WAIT(&fixture, "new", "Progressing", -1, -1);
    ck_assert(!fixture_has(&fixture, "ci", "new", NULL, NULL));
    ck_assert_int_eq(cluster_remove(&fixture.cluster, &fixture_secrets, "ci", "reg"), 0);
    CLEAT_WAIT_FOR(fixture_has(&fixture, "ci", "reg", "data.k", "b25l"), 10000);
    fixture_put(&fixture, FIXTURE_GUARD);
    FIXTURE_WAIT(&fixture, "new", "Synced", 1, 1);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_hooks_name_the_kinds)
{
    struct mirror_fixture fixture;
    const char *rule = "webhooks[0].rules[0].resources[0]";
    open_with_ci(&fixture);
    fixture_mirror(&fixture, "reg", "reg", TEAM);
    CLEAT_WAIT_FOR(
        cluster_has(&fixture.cluster, &fixture_hooks, NULL, "cleat-copies", rule, "secrets"),
        10000);
    ck_assert(cluster_has(&fixture.cluster, &fixture_hooks, NULL, "cleat-copies",
                          "webhooks[0].clientConfig.url",
                          "https://127.0.0.1:1/validate-cleat-dev-copies"));
    ck_assert(cluster_has(&fixture.cluster, &fixture_hooks, NULL, "cleat-copies",
                          "webhooks[0].failurePolicy", "Ignore"));
    ck_assert(cluster_has(
        &fixture.cluster, &fixture_hooks, NULL, "cleat-copies", "webhooks[0].clientConfig.caBundle",
        "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClptOXYKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="));
    FIXTURE_WAIT(&fixture, "reg", "Synced", 1, 1);
    uint64_t writes = cleat_apiserver_requests(
        fixture.cluster.server, "PUT",
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/cleat-copies", NULL);
    ck_assert_uint_eq(writes, 1);
    ck_assert_int_eq(cluster_remove(&fixture.cluster, &fixture_mirrors, NULL, "reg"), 0);
    CLEAT_WAIT_FOR(
        !cluster_has(&fixture.cluster, &fixture_hooks, NULL, "cleat-copies", rule, "secrets"),
        10000);
    fixture_close(&fixture);
}
END_TEST

/* Whoever changes our entry sees it put right; what they add beside it is theirs. */
START_TEST(test_hooks_are_put_right)
{
    static const char foreign[] =
        "{\"webhooks\":[{\"name\":\"other.example.com\",\"clientConfig\":{\"url\":"
        "\"https://127.0.0.1:1/other\"},\"rules\":[],\"failurePolicy\":\"Ignore\",\"sideEffects\":"
        "\"None\",\"admissionReviewVersions\":[\"v1\"]},{\"name\":\"copies.mirrors.cleat.dev\","
        "\"clientConfig\":{\"url\":\"https://127.0.0.1:1/elsewhere\"},\"rules\":[{\"apiGroups\":"
        "[\"*\"],\"apiVersions\":[\"*\"],\"operations\":[\"*\"],\"resources\":[\"*\"]}],"
        "\"failurePolicy\":\"Fail\",\"sideEffects\":\"None\",\"admissionReviewVersions\":[\"v1\"]}]"
        "}";
    struct mirror_fixture fixture;
    open_with_ci(&fixture);
    fixture_mirror(&fixture, "reg", "reg", TEAM);
    FIXTURE_WAIT(&fixture, "reg", "Synced", 1, 1);
    ck_assert_int_eq(cluster_patch(&fixture.cluster, &fixture_hooks, NULL, "cleat-copies", foreign),
                     0);
    CLEAT_WAIT_FOR(cluster_has(&fixture.cluster, &fixture_hooks, NULL, "cleat-copies",
                               "webhooks[1].failurePolicy", "Ignore"),
                   10000);
    ck_assert(cluster_has(&fixture.cluster, &fixture_hooks, NULL, "cleat-copies",
                          "webhooks[1].rules[0].resources[0]", "secrets"));
    ck_assert(cluster_has(&fixture.cluster, &fixture_hooks, NULL, "cleat-copies",
                          "webhooks[1].clientConfig.url",
                          "https://127.0.0.1:1/validate-cleat-dev-copies"));
    ck_assert(cluster_has(&fixture.cluster, &fixture_hooks, NULL, "cleat-copies",
                          "webhooks[0].clientConfig.url", "https://127.0.0.1:1/other"));
    ck_assert_int_eq(cluster_remove(&fixture.cluster, &fixture_mirrors, NULL, "reg"), 0);
    CLEAT_WAIT_FOR(!cluster_has(&fixture.cluster, &fixture_hooks, NULL, "cleat-copies",
                                "webhooks[1].name", "copies.mirrors.cleat.dev"),
                   10000);
    ck_assert(cluster_has(&fixture.cluster, &fixture_hooks, NULL, "cleat-copies",
                          "webhooks[0].name", "other.example.com"));
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_absent_namespace)
{
    struct mirror_fixture fixture;
    open_with_ci(&fixture);
    fixture_mirror(&fixture, "reg", "reg", "\"targets\":{\"namespaces\":[\"ci\",\"later\"]}");
    FIXTURE_WAIT(&fixture, "reg", "Synced", 1, 1);
    fixture_namespace(&fixture, "later", "");
    FIXTURE_WAIT(&fixture, "reg", "Synced", 2, 2);
    fixture_close(&fixture);
}
END_TEST

/* One namespace whose writes the API server fails stops no other; it is tried until it mends. */
START_TEST(test_failures_mend)
{
    static const int statuses[] = {500, 403};
    for (size_t i = 0; i < 2; i++) {
        struct mirror_fixture fixture;
        const struct cleat_fault fault = {.method = "POST",
                                          .path = "/api/v1/namespaces/ci/secrets",
                                          .status = statuses[i],
                                          .times = statuses[i] == 500 ? 3 : 0};
        open_with_ci(&fixture);
        fixture_namespace(&fixture, "zoo", "\"team\":\"true\"");
        ck_assert_int_gt(cleat_apiserver_fault(fixture.cluster.server, &fault), 0);
        fixture_mirror(&fixture, "reg", "reg", TEAM);
        if (statuses[i] == 500)
            FIXTURE_WAIT(&fixture, "reg", "Synced", 2, 2);
        else
            FIXTURE_WAIT(&fixture, "reg", "Failed", 2, 1);
        ck_assert(fixture_has(&fixture, "zoo", "reg", "data.k", "b25l"));
        fixture_close(&fixture);
    }
}
END_TEST

CLEAT_SUITE_MAIN("mirror rules", test_conflict_is_skipped, test_conflict_is_replaced,
                 test_replace_has_limits, test_source_is_not_replaced, test_namespace_refuses,
                 test_source_allows_some, test_copy_is_released, test_older_mirror_has_it,
                 test_kinds, test_tokens_are_never_mirrored, test_forbidden_kind, test_guard,
                 test_hooks_name_the_kinds, test_hooks_are_put_right, test_absent_namespace,
                 test_failures_mend)
