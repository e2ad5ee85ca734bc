/* SPDX-License-Identifier: Apache-2.0 */
/* Admission of Mirrors and of changes to their copies: bytes in, bytes out, rights from a cluster.
 */
#include "mirror_fixture.h"
#include "support/suite.h"

#define KIND_OF(group, version, kind) \
    "{\"group\":\"" group "\",\"version\":\"" version "\",\"kind\":\"" kind "\"}"
#define ADMIN "\"username\":\"admin\",\"groups\":[\"system:masters\"]"
#define BOB "\"username\":\"bob\",\"groups\":[\"system:authenticated\"]"
#define CAROL "\"username\":\"carol\",\"groups\":[\"system:authenticated\"]"
#define SECRET(name)                                                                             \
    "\"source\":{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"namespace\":\"platform\",\"name\":" \
    "\"" name "\"}"
#define TEAM ",\"targets\":{\"namespaceSelector\":{\"matchLabels\":{\"team\":\"true\"}}}"
#define IN(names) ",\"targets\":{\"namespaces\":[" names "]}"

static const char *const grants[] = {
    "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"Role\",\"metadata\":{\"name\":"
    "\"read\",\"namespace\":\"platform\"},\"rules\":[{\"apiGroups\":[\"\"],\"resources\":["
    "\"secrets\"],\"verbs\":[\"get\"]}]}",
    "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"RoleBinding\",\"metadata\":{"
    "\"name\":\"read\",\"namespace\":\"platform\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization."
    "k8s.io\",\"kind\":\"Role\",\"name\":\"read\"},\"subjects\":[{\"apiGroup\":\"rbac."
    "authorization.k8s.io\",\"kind\":\"User\",\"name\":\"carol\"}]}",
    "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"Role\",\"metadata\":{\"name\":"
    "\"make\",\"namespace\":\"ci\"},\"rules\":[{\"apiGroups\":[\"\"],\"resources\":["
    "\"secrets\"],\"verbs\":[\"create\"]}]}",
    "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"RoleBinding\",\"metadata\":{"
    "\"name\":\"make\",\"namespace\":\"ci\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization."
    "k8s.io\",\"kind\":\"Role\",\"name\":\"make\"},\"subjects\":[{\"apiGroup\":\"rbac."
    "authorization.k8s.io\",\"kind\":\"User\",\"name\":\"carol\"}]}",
};

static void open_with_grants(struct mirror_fixture *fixture)
{
    fixture_open(fixture);
    fixture_namespace(fixture, "platform", "");
    fixture_namespace(fixture, "ci", "\"team\":\"true\"");
    fixture_secret(fixture, "platform", "reg", "b25l", "");
    for (size_t i = 0; i < sizeof(grants) / sizeof(grants[0]); i++)
        fixture_put(fixture, grants[i]);
}

/* Asks, and gives the answer's body; fails the test where the status isn't 200. */
static void ask(struct mirror_fixture *fixture, const char *path, const char *kind,
                const char *operation, const char *user, const char *object, const char *old,
                struct cleat_buffer *answer)
{
    struct cleat_buffer body = CLEAT_BUFFER_INIT(1 << 20);
    int retry_after_s = 0;
    cleat_buffer_format(&body,
                        "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\","
                        "\"request\":{\"uid\":\"u-1\",\"kind\":%s,\"resource\":{\"group\":\"\","
                        "\"version\":\"v1\",\"resource\":\"x\"},\"operation\":\"%s\",\"name\":"
                        "\"reg\",\"namespace\":\"ci\",\"userInfo\":{%s},\"object\":%s,"
                        "\"oldObject\":%s,\"dryRun\":false}}",
                        kind, operation, user, object, old);
    cleat_buffer_reset(answer);
    int status = cleat_webhooks_answer(fixture->webhooks, path, "timeout=5s",
                                       cleat_buffer_view(&body), answer, &retry_after_s);
    ck_assert_msg(status == 200, "%d: %s", status, answer->data);
    cleat_buffer_fini(&body);
}

static const struct {
    const char *name;
    const char *user;
    const char *spec;
    const char *answer; /* a part of it */
} creations[] = {
    {"all is well", ADMIN, SECRET("reg") TEAM, "\"allowed\":true"},
    {"no targets", ADMIN, SECRET("reg"), "\"allowed\":true"},
    {"no source yet", ADMIN, SECRET("later") TEAM, "doesn't exist yet"},
    {"selector malformed", ADMIN,
     SECRET("reg") ",\"targets\":{\"namespaceSelector\":{\"matchExpressions\":[{\"key\":\"a\","
                   "\"operator\":\"Odd\"}]}}",
     "namespaceSelector"},
    {"namespace malformed", ADMIN, SECRET("reg") IN("\"Team_A\""), "isn't the name of a namespace"},
    {"own label", ADMIN, SECRET("reg") TEAM ",\"copy\":{\"labels\":{\"cleat.dev/mirror\":\"x\"}}",
     "Cleat's own"},
    {"tracking mark", ADMIN,
     SECRET("reg") TEAM
     ",\"copy\":{\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"x\"}}",
     "another tool"},
    {"keys of a service", ADMIN,
     "\"source\":{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"namespace\":\"platform\",\"name\":"
     "\"x\"},\"copy\":{\"keys\":[\"a\"]}" TEAM,
     "no data keys"},
    {"unknown kind", ADMIN,
     "\"source\":{\"apiVersion\":\"example.com/v1\",\"kind\":\"Nothing\",\"namespace\":"
     "\"platform\",\"name\":\"x\"}" TEAM,
     "\"allowed\":false"},
    {"never", ADMIN,
     "\"source\":{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"RoleBinding\","
     "\"namespace\":\"platform\",\"name\":\"x\"}" TEAM,
     "never mirrored"},
    {"cluster-scoped", ADMIN,
     "\"source\":{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"namespace\":\"platform\","
     "\"name\":\"x\"}" TEAM,
     "isn't in a namespace"},
    {"may not read", BOB, SECRET("reg") IN("\"ci\""),
     "bob may not get secrets reg in namespace platform"},
    {"may make there", CAROL, SECRET("reg") IN("\"ci\""), "\"allowed\":true"},
    {"may not make there", CAROL, SECRET("reg") IN("\"ci\",\"platform2\""),
     "carol may not create secrets in namespace platform2"},
    {"may not make everywhere", CAROL, SECRET("reg") TEAM,
     "carol may not create secrets in all namespaces"},
    {"may not replace", CAROL, SECRET("reg") IN("\"ci\"") ",\"onConflict\":\"Replace\"",
     "carol may not update secrets reg in namespace ci"},
};

START_TEST(test_creations)
{
    struct mirror_fixture fixture;
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(1 << 20);
    open_with_grants(&fixture);
    for (size_t i = 0; i < sizeof(creations) / sizeof(creations[0]); i++) {
        char object[2048];
        (void)snprintf(object, sizeof(object),
                       "{\"apiVersion\":\"cleat.dev/v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{"
                       "\"name\":\"reg\"},\"spec\":{%s}}",
                       creations[i].spec);
        ask(&fixture, CLEAT_MIRROR_VALIDATE_PATH, KIND_OF("cleat.dev", "v1alpha1", "Mirror"),
            "CREATE", creations[i].user, object, "null", &answer);
        ck_assert_msg(strstr(answer.data, creations[i].answer) != NULL, "%s: %s", creations[i].name,
                      answer.data);
    }
    cleat_buffer_fini(&answer);
    fixture_close(&fixture);
}
END_TEST

#define MIRROR(metadata, spec)                                                                   \
    "{\"apiVersion\":\"cleat.dev/"                                                               \
    "v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"reg\"" metadata "},\"spec\":{" spec \
    "}}"

/* What leaves spec alone, and what is being deleted, needs no rights. */
START_TEST(test_updates_in_nobodys_way)
{
    struct mirror_fixture fixture;
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(1 << 20);
    open_with_grants(&fixture);
    const char *kind = KIND_OF("cleat.dev", "v1alpha1", "Mirror");
    ask(&fixture, CLEAT_MIRROR_VALIDATE_PATH, kind, "UPDATE", BOB,
        MIRROR(",\"labels\":{\"a\":\"b\"}", SECRET("reg") TEAM), MIRROR("", SECRET("reg") TEAM),
        &answer);
    ck_assert_ptr_nonnull(strstr(answer.data, "\"allowed\":true"));
    ask(&fixture, CLEAT_MIRROR_VALIDATE_PATH, kind, "UPDATE", BOB,
        MIRROR(",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"", SECRET("reg")),
        MIRROR("", SECRET("reg") TEAM), &answer);
    ck_assert_ptr_nonnull(strstr(answer.data, "\"allowed\":true"));
    ask(&fixture, CLEAT_MIRROR_VALIDATE_PATH, kind, "UPDATE", BOB, MIRROR("", SECRET("reg")),
        MIRROR("", SECRET("reg") TEAM), &answer);
    ck_assert_ptr_nonnull(strstr(answer.data, "\"allowed\":false"));
    /* A null isn't a time, and nothing is created that is being deleted. */
    ask(&fixture, CLEAT_MIRROR_VALIDATE_PATH, kind, "UPDATE", BOB,
        MIRROR(",\"deletionTimestamp\":null", SECRET("reg")), MIRROR("", SECRET("reg") TEAM),
        &answer);
    ck_assert_ptr_nonnull(strstr(answer.data, "\"allowed\":false"));
    ask(&fixture, CLEAT_MIRROR_VALIDATE_PATH, kind, "CREATE", BOB,
        MIRROR(",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"", SECRET("reg")), "null", &answer);
    ck_assert_ptr_nonnull(strstr(answer.data, "\"allowed\":false"));
    cleat_buffer_fini(&answer);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_overlaps)
{
    static const struct {
        const char *spec;
        const char *answer;
    } cases[] = {
        {SECRET("other") ",\"copy\":{\"name\":\"reg\"}" TEAM, "Mirror first already copies"},
        {SECRET("other") ",\"copy\":{\"name\":\"reg\"}" IN("\"ci\""), "Secret ci/reg"},
        {SECRET("other") ",\"copy\":{\"name\":\"reg\"}" IN("\"later\""), "Secret later/reg"},
        {SECRET("other") ",\"copy\":{\"name\":\"reg\"}" IN("\"free\""), "\"allowed\":true"},
        {SECRET("other") TEAM, "\"allowed\":true"},
        {"\"source\":{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"namespace\":\"ci\",\"name\":"
         "\"reg\"}" IN("\"free\""),
         "itself a copy that Mirror first keeps"},
    };
    struct mirror_fixture fixture;
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(1 << 20);
    open_with_grants(&fixture);
    fixture_mirror(&fixture, "first", "reg",
                   "\"targets\":{\"namespaces\":[\"later\"],\"namespaceSelector\":{\"matchLabels\":"
                   "{\"team\":\"true\"}}}");
    FIXTURE_WAIT(&fixture, "first", "Synced", 1, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char object[2048];
        (void)snprintf(object, sizeof(object), MIRROR("", "%s"), cases[i].spec);
        ask(&fixture, CLEAT_MIRROR_VALIDATE_PATH, KIND_OF("cleat.dev", "v1alpha1", "Mirror"),
            "CREATE", ADMIN, object, "null", &answer);
        ck_assert_msg(strstr(answer.data, cases[i].answer) != NULL, "%zu: %s", i, answer.data);
    }
    cleat_buffer_fini(&answer);
    fixture_close(&fixture);
}
END_TEST

#define OF(version, kind) \
    "\"source\":{" version "\"kind\":\"" kind "\",\"namespace\":\"platform\",\"name\":\"x\"}"

START_TEST(test_mutations)
{
    static const struct {
        const char *object;
        const char *old; /* NULL: a creation */
        bool patched;
        const char *answer;
    } cases[] = {
        {OF("", "Secret"), NULL, true, "\"allowed\":true"},
        {OF("\"apiVersion\":\"v1\",", "Secret"), NULL, false, "\"allowed\":true"},
        {OF("", "Nothing"), NULL, false, "spec.source.kind"},
        {OF("\"apiVersion\":\"v1\",", "Deployment"), OF("\"apiVersion\":\"v1\",", "Secret"), true,
         "\"allowed\":true"},
        {OF("\"apiVersion\":\"v1\",", "ConfigMap"), OF("\"apiVersion\":\"v1\",", "Secret"), false,
         "\"allowed\":true"},
    };
    struct mirror_fixture fixture;
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(1 << 20);
    open_with_grants(&fixture);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char object[1024], old[1024] = "null";
        (void)snprintf(object, sizeof(object), MIRROR("", "%s"), cases[i].object);
        if (cases[i].old)
            (void)snprintf(old, sizeof(old), MIRROR("", "%s"), cases[i].old);
        ask(&fixture, CLEAT_MIRROR_MUTATE_PATH, KIND_OF("cleat.dev", "v1alpha1", "Mirror"),
            cases[i].old ? "UPDATE" : "CREATE", BOB, object, old, &answer);
        ck_assert_msg(strstr(answer.data, cases[i].answer) != NULL, "%zu: %s", i, answer.data);
        ck_assert_msg((strstr(answer.data, "\"patch\":") != NULL) == cases[i].patched, "%zu: %s", i,
                      answer.data);
    }
    cleat_buffer_fini(&answer);
    fixture_close(&fixture);
}
END_TEST

/* The copy as it is in the cluster. */
static char *copy_text(struct mirror_fixture *fixture)
{
    const struct cleat_client_target target = {&fixture_secrets, "ci", "reg", NULL};
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 << 20);
    struct cleat_object *object = NULL;
    ck_assert_int_eq(cleat_client_get(fixture->cluster.admin, &target, NULL, &object, NULL), 0);
    ck_assert_int_eq(cleat_object_write(object, &text, NULL), 0);
    cleat_object_unref(object);
    return cleat_buffer_take(&text);
}

/* The copy with @from replaced by @to. */
static char *copy_changed(const char *copy, const char *from, const char *to)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 << 20);
    const char *at = strstr(copy, from);
    ck_assert_ptr_nonnull(at);
    cleat_buffer_append(&text, copy, (size_t)(at - copy));
    cleat_buffer_text(&text, to);
    cleat_buffer_text(&text, at + strlen(from));
    return cleat_buffer_take(&text);
}

START_TEST(test_copies)
{
    static const struct {
        const char *name;
        const char *user;
        const char *from, *to; /* NULL: a deletion */
        bool allowed;
    } cases[] = {
        {"deleted", ADMIN, NULL, NULL, false},
        {"deleted by the collector",
         "\"username\":\"system:serviceaccount:kube-system:generic-garbage-collector\"", NULL, NULL,
         true},
        {"deleted by us", "\"username\":\"cleat\"", NULL, NULL, true},
        {"content", ADMIN, "\"b25l\"", "\"YmFk\"", false},
        {"content by us", "\"username\":\"cleat\"", "\"b25l\"", "\"YmFk\"", true},
        {"label", ADMIN, "\"cleat.dev/mirror\":\"reg\"", "\"cleat.dev/mirror\":\"x\"", false},
        {"annotation", ADMIN, "\"platform/reg\"", "\"platform/x\"", false},
        {"owner", ADMIN, "\"controller\":true", "\"controller\":false", false},
        {"other metadata", ADMIN, "\"labels\":{", "\"labels\":{\"mine\":\"yes\",", true},
    };
    struct mirror_fixture fixture;
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(1 << 20);
    open_with_grants(&fixture);
    fixture_mirror(&fixture, "reg", "reg", "\"targets\":{\"namespaces\":[\"ci\"]}");
    FIXTURE_WAIT(&fixture, "reg", "Synced", 1, 1);
    char *copy = copy_text(&fixture);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *after = cases[i].from ? copy_changed(copy, cases[i].from, cases[i].to) : NULL;
        ask(&fixture, CLEAT_MIRROR_COPIES_PATH, KIND_OF("", "v1", "Secret"),
            after ? "UPDATE" : "DELETE", cases[i].user, after ? after : "null", copy, &answer);
        ck_assert_msg((strstr(answer.data, "\"allowed\":true") != NULL) == cases[i].allowed,
                      "%s: %s", cases[i].name, answer.data);
        ck_assert(cases[i].allowed || strstr(answer.data, "Mirror reg keeps"));
        cleat_free(after);
    }
    /* Without the Mirror it is nobody's. */
    ck_assert_int_eq(cluster_remove(&fixture.cluster, &fixture_mirrors, NULL, "reg"), 0);
    bool allowed = false;
    for (int i = 0; i < 1000 && !allowed; i++) {
        ask(&fixture, CLEAT_MIRROR_COPIES_PATH, KIND_OF("", "v1", "Secret"), "DELETE", ADMIN,
            "null", copy, &answer);
        allowed = strstr(answer.data, "\"allowed\":true") != NULL;
        cleat_wait_moment();
    }
    ck_assert(allowed);
    cleat_free(copy);
    cleat_buffer_fini(&answer);
    fixture_close(&fixture);
}
END_TEST

CLEAT_SUITE_MAIN("mirror admission", test_creations, test_updates_in_nobodys_way, test_overlaps,
                 test_mutations, test_copies)
