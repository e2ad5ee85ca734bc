/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damaged reviews to the three handlers of Mirrors, on a cluster. Each whole review is denied; the
 * lists say which parts of one change what is asked, so that another answer may be right.
 */
#include "fault/reviews.h"
#include "integration/mirror_fixture.h"
#include "support/suite.h"

#define ENVELOPE(kind, resource, operation, object, old)                                         \
    "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":" \
    "\"u-1\",\"kind\":" kind ",\"resource\":" resource ",\"requestKind\":" kind                  \
    ",\"requestResource\":" resource ",\"name\":\"reg\",\"namespace\":\"ci\",\"operation\":"     \
    "\"" operation "\",\"userInfo\":{\"username\":\"mallory\",\"uid\":\"7\",\"groups\":["        \
    "\"system:authenticated\"],\"extra\":{\"scopes\":[\"x\"]}},\"object\":" object               \
    ",\"oldObject\":" old ",\"dryRun\":false,\"options\":{\"kind\":\"UpdateOptions\","           \
    "\"apiVersion\":\"meta.k8s.io/v1\"}}}"
#define OF_MIRROR "{\"group\":\"cleat.dev\",\"version\":\"v1alpha1\",\"kind\":\"Mirror\"}"
#define MIRRORS "{\"group\":\"cleat.dev\",\"version\":\"v1alpha1\",\"resource\":\"mirrors\"}"
#define OF_SECRET "{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Secret\"}"
#define SECRETS "{\"group\":\"\",\"version\":\"v1\",\"resource\":\"secrets\"}"
#define MIRROR(spec)                                                                              \
    "{\"apiVersion\":\"cleat.dev/v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"reg\","  \
    "\"generation\":1},\"spec\":{\"source\":{" spec "\"kind\":\"%s\",\"namespace\":\"platform\"," \
    "\"name\":\"reg\"},\"targets\":{\"namespaces\":[\"ci\"]},\"copy\":{\"labels\":{"              \
    "\"cleat.dev/mirror\":\"x\"}}}}"
#define V1 "\"apiVersion\":\"v1\","

/* The question itself: what is done, to what part, from what to what. */
static const char *const means_it[] = {"request.operation", "request.object", "request.oldObject",
                                       "request.subResource", NULL};

static void open_cluster(struct mirror_fixture *fixture)
{
    fixture_open(fixture);
    fixture_namespace(fixture, "platform", "");
    fixture_namespace(fixture, "ci", "\"team\":\"true\"");
    fixture_secret(fixture, "platform", "reg", "b25l", "");
}

static void run(struct mirror_fixture *fixture, const char *path, const char *const *means,
                const char *review)
{
    struct reviews reviews = {
        .webhooks = fixture->webhooks, .path = path, .means = means, .tally = REVIEWS_TALLY};
    reviews_run(&reviews, review, false);
}

START_TEST(test_validate)
{
    struct mirror_fixture fixture;
    char review[8192];
    open_cluster(&fixture);
    (void)snprintf(review, sizeof(review),
                   ENVELOPE(OF_MIRROR, MIRRORS, "CREATE", MIRROR(V1), "null"), "Secret");
    run(&fixture, CLEAT_MIRROR_VALIDATE_PATH, means_it, review);
    (void)snprintf(review, sizeof(review),
                   ENVELOPE(OF_MIRROR, MIRRORS, "UPDATE", MIRROR(V1), MIRROR(V1)), "Secret",
                   "ConfigMap");
    run(&fixture, CLEAT_MIRROR_VALIDATE_PATH, means_it, review);
    fixture_close(&fixture);
}
END_TEST

START_TEST(test_mutate)
{
    struct mirror_fixture fixture;
    char review[8192];
    open_cluster(&fixture);
    (void)snprintf(review, sizeof(review),
                   ENVELOPE(OF_MIRROR, MIRRORS, "CREATE", MIRROR(""), "null"), "Nothing");
    run(&fixture, CLEAT_MIRROR_MUTATE_PATH, means_it, review);
    fixture_close(&fixture);
}
END_TEST

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

START_TEST(test_copies)
{
    struct mirror_fixture fixture;
    static char review[32 * 1024];
    open_cluster(&fixture);
    fixture_mirror(&fixture, "reg", "reg", "\"targets\":{\"namespaces\":[\"ci\"]}");
    FIXTURE_WAIT(&fixture, "reg", "Synced", 1, 1);
    char *copy = copy_text(&fixture);
    (void)snprintf(review, sizeof(review), ENVELOPE(OF_SECRET, SECRETS, "DELETE", "null", "%s"),
                   copy);
    run(&fixture, CLEAT_MIRROR_COPIES_PATH, means_it, review);
    (void)snprintf(review, sizeof(review),
                   ENVELOPE(OF_SECRET, SECRETS, "UPDATE",
                            "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":"
                            "\"reg\",\"namespace\":\"ci\"}}",
                            "%s"),
                   copy);
    run(&fixture, CLEAT_MIRROR_COPIES_PATH, means_it, review);
    cleat_free(copy);
    fixture_close(&fixture);
}
END_TEST

CLEAT_SUITE_MAIN("reviews of mirrors", test_validate, test_mutate, test_copies)
