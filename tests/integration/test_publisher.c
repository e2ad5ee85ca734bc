/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/authority.h"
#include "integration/cluster.h"
#include "server/publisher.h"
#include "support/suite.h"
#include "support/wait.h"

static const struct cleat_resource configurations = {
    .gvk = {"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"},
    .plural = "validatingwebhookconfigurations"};

static struct cleat_bundle *bundle_new(void)
{
    static const char *const names[] = {"localhost", NULL};
    struct cleat_authority *authority = NULL;
    struct cleat_bundle *bundle = NULL;
    const struct cleat_clock *clock = cleat_clock_system();
    ck_assert_int_eq(cleat_authority_new("ca", 86400, clock, &authority, NULL), 0);
    ck_assert_int_eq(cleat_authority_issue(authority, names, 3600, clock, &bundle, NULL), 0);
    cleat_authority_free(authority);
    return bundle;
}

static bool published(void *arg)
{
    return cleat_publisher_check(arg, NULL) == 0;
}

static bool failed(void *arg)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    return cleat_publisher_check(arg, &err) < 0 && strstr(err.text, "cleat-validating");
}

START_TEST(test_ready_only_while_our_ca_is_published)
{
    struct cluster cluster;
    struct cleat_publisher *publisher = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_bundle *first = bundle_new();
    struct cleat_bundle *second = bundle_new();
    const struct cleat_fault fault = {
        .method = "PATCH", .path = "/apis/admissionregistration.k8s.io", .status = 500};
    cluster_open(&cluster);
    ck_assert_int_eq(cluster_make(&cluster, &configurations, NULL,
                                  "{\"apiVersion\":\"admissionregistration.k8s.io/v1\",\"kind\":"
                                  "\"ValidatingWebhookConfiguration\",\"metadata\":{\"name\":"
                                  "\"cleat-validating\"},\"webhooks\":[{\"name\":\"a.example.com\","
                                  "\"admissionReviewVersions\":[\"v1\"],\"sideEffects\":\"None\","
                                  "\"clientConfig\":{\"url\":\"https://127.0.0.1:1/x\"}}]}"),
                     0);
    ck_assert_int_eq(cleat_publisher_new(cluster.admin, NULL, &publisher), 0);
    ck_assert_int_eq(cleat_publisher_check(publisher, &err), -EAGAIN);
    struct cleat_runnable runnable = cleat_publisher_runnable(publisher);
    ck_assert_int_eq(runnable.start(runnable.arg, NULL), 0);
    cleat_publisher_set(publisher, first);
    ck_assert(cleat_wait_for(published, publisher, 10000));
    int id = cleat_apiserver_fault(cluster.server, &fault);
    ck_assert_int_gt(id, 0);
    cleat_publisher_set(publisher, second);
    ck_assert(cleat_wait_for(failed, publisher, 10000));
    cleat_apiserver_fault_clear(cluster.server, id);
    ck_assert(cleat_wait_for(published, publisher, 10000));
    runnable.stop(runnable.arg);
    ck_assert_int_eq(runnable.join(runnable.arg, 10000), 0);
    cleat_publisher_free(publisher);
    cleat_bundle_unref(first);
    cleat_bundle_unref(second);
    cluster_close(&cluster);
}
END_TEST

CLEAT_SUITE_MAIN("publisher", test_ready_only_while_our_ca_is_published)
