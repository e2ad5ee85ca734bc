/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the first start to the last trace: an installation comes up by itself from any state, and
 * goes in any order without standing in anybody's way.
 */
#include "integration/install_fixture.h"

static void open_with_things(struct install *install)
{
    install_open(install, (struct cleat_apiserver_options){.rbac = true});
    install_namespace(install, "platform", "");
    install_namespace(install, "a", "\"team\":\"true\"");
    install_secret(install, "platform", "reg", "");
}

/* As somebody would find it after an outage of everything: registered closed, Mirrors there. */
START_TEST(test_cold_start)
{
    struct install install;
    open_with_things(&install);
    ck_assert_int_lt(install_mirror(&install, "Secret", "reg"), 0); /* closed: nobody judges it */
    install_serve(&install, "");
    CLEAT_WAIT_FOR(install_ready(&install), INSTALL_LIMIT_MS);
    ck_assert_int_eq(install_mirror(&install, "Secret", "reg"), 0);
    CLEAT_WAIT_FOR(install_has(&install, &install_secrets, "a", "reg"), INSTALL_LIMIT_MS);
    child_end(&install.server, SIGKILL, INSTALL_LIMIT_MS);
    install_namespace(&install, "b", "\"team\":\"true\"");
    ck_assert_int_lt(install_mirror(&install, "Secret", "other"), 0);
    install_serve(&install, "");
    CLEAT_WAIT_FOR(install_has(&install, &install_secrets, "b", "reg"), INSTALL_LIMIT_MS);
    CLEAT_WAIT_FOR(install_ready(&install), INSTALL_LIMIT_MS);
    ck_assert_int_eq(install_mirror(&install, "Secret", "other"), 0);
    child_end(&install.server, SIGTERM, INSTALL_LIMIT_MS);
    ck_assert(child_exited(&install.server, 0));
    install_close(&install);
}
END_TEST

/* ---- uninstalling ---- */

enum part { PART_PROCESS, PART_WEBHOOKS, PART_RIGHTS, PART_NAMESPACE, PART_COUNT };

struct removal {
    struct install *install;
    enum part part;
};

/* Removes what is of one part; the rest is left to the cluster's own garbage collection. */
static int remove_object(void *arg, struct cleat_value object, struct cleat_err *err)
{
    struct removal *removal = arg;
    static const struct {
        const char *kind;
        enum part part;
        struct cleat_resource resource;
    } kinds[] = {
        {"MutatingWebhookConfiguration",
         PART_WEBHOOKS,
         {.gvk = {"admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration"},
          .plural = "mutatingwebhookconfigurations"}},
        {"ValidatingWebhookConfiguration",
         PART_WEBHOOKS,
         {.gvk = {"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"},
          .plural = "validatingwebhookconfigurations"}},
        {"ClusterRole",
         PART_RIGHTS,
         {.gvk = {"rbac.authorization.k8s.io", "v1", "ClusterRole"}, .plural = "clusterroles"}},
        {"ClusterRoleBinding",
         PART_RIGHTS,
         {.gvk = {"rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"},
          .plural = "clusterrolebindings"}},
        {"Namespace", PART_NAMESPACE, {.gvk = {"", "v1", "Namespace"}, .plural = "namespaces"}},
    };
    struct cleat_scratch scratch;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (kinds[i].part == removal->part &&
            cleat_value_is(cleat_value_get(object, "kind"), kinds[i].kind))
            ck_assert_int_eq(
                cluster_remove(
                    &removal->install->cluster, &kinds[i].resource, NULL,
                    cleat_value_text(cleat_value_find(object, "metadata.name"), &scratch).data),
                0);
    return 0;
}

static void remove_part(struct install *install, enum part part)
{
    const struct cleat_manifests_options options = {.crds = false};
    struct removal removal = {install, part};
    if (part == PART_PROCESS)
        child_end(&install->server, SIGTERM, INSTALL_LIMIT_MS);
    else
        ck_assert_int_eq(cleat_manifests_each(&options, remove_object, &removal, NULL), 0);
}

static void spare_name(char name[32], unsigned step)
{
    (void)snprintf(name, 32, "spare-%u", step);
}

/* Mirrors can be deleted in every way, though nobody answers the closed webhooks: the two ways in
 * which the garbage collector updates them. */
static void check_mirror_goes(struct install *install, unsigned step)
{
    char name[32];
    const struct cleat_client_target target = {&install_mirrors, NULL, name, NULL};
    const struct cleat_client_call call = {.propagation = step % 2 == 0 ? "Foreground" : "Orphan"};
    spare_name(name, step);
    ck_assert(install_has(install, &install_mirrors, NULL, name));
    ck_assert_int_eq(cleat_client_delete(install->cluster.admin, &target, &call, NULL, NULL), 0);
    CLEAT_WAIT_FOR(!install_has(install, &install_mirrors, NULL, name), INSTALL_LIMIT_MS);
}

/* What everybody does all day goes on, whatever is left of us. */
static void check_nothing_blocks(struct install *install, unsigned step)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "step-%u", step);
    install_namespace(install, name, "");
    install_secret(install, name, "s", "");
    ck_assert_int_eq(cluster_patch(&install->cluster, &install_secrets, name, "s",
                                   "{\"data\":{\"k\":\"dHdv\"}}"),
                     0);
    ck_assert_int_eq(cluster_remove(&install->cluster, &install_secrets, name, "s"), 0);
    ck_assert_int_eq(cluster_remove(&install->cluster, &install_namespaces, NULL, name), 0);
    CLEAT_WAIT_FOR(!install_has(install, &install_namespaces, NULL, name), INSTALL_LIMIT_MS);
}

/* Takes Mirrors and copies along; what was copied stays. */
static void remove_definition(struct install *install)
{
    static const struct cleat_resource crds = {
        .gvk = {"apiextensions.k8s.io", "v1", "CustomResourceDefinition"},
        .plural = "customresourcedefinitions"};
    ck_assert_int_eq(cluster_remove(&install->cluster, &crds, NULL, "mirrors.cleat.dev"), 0);
    CLEAT_WAIT_FOR(!install_has(install, &install_secrets, "a", "reg"), INSTALL_LIMIT_MS);
    ck_assert(install_has(install, &install_secrets, "platform", "reg"));
}

static void check_no_trace(struct install *install)
{
    static const struct cleat_resource hooks = {
        .gvk = {"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"},
        .plural = "validatingwebhookconfigurations"};
    CLEAT_WAIT_FOR(!install_has(install, &install_namespaces, NULL, "cleat-system"),
                   INSTALL_LIMIT_MS);
    ck_assert(!install_has(install, &hooks, NULL, "cleat-validating"));
    ck_assert(!install_has(install, &hooks, NULL, "cleat-copies")); /* nobody brought it back */
}

/* A server that has made a copy, and a Mirror for each step. */
static void open_and_copy(struct install *install)
{
    char name[32];
    open_with_things(install);
    install_serve(install, "");
    CLEAT_WAIT_FOR(install_ready(install), INSTALL_LIMIT_MS);
    ck_assert_int_eq(install_mirror(install, "Secret", "reg"), 0);
    for (unsigned i = 0; i < PART_COUNT; i++) {
        spare_name(name, i);
        ck_assert_int_eq(install_mirror(install, "Secret", name), 0);
    }
    CLEAT_WAIT_FOR(install_has(install, &install_secrets, "a", "reg"), INSTALL_LIMIT_MS);
}

static void uninstall(const enum part order[PART_COUNT])
{
    struct install install;
    open_and_copy(&install);
    for (unsigned i = 0; i < PART_COUNT; i++) {
        remove_part(&install, order[i]);
        check_nothing_blocks(&install, i);
        check_mirror_goes(&install, i);
        ck_assert(install_has(&install, &install_secrets, "a", "reg")); /* the copy */
    }
    check_no_trace(&install);
    ck_assert_int_eq(install_mirror(&install, "Secret", "unjudged"), 0);
    ck_assert_int_eq(cluster_remove(&install.cluster, &install_mirrors, NULL, "unjudged"), 0);
    ck_assert(install_has(&install, &install_secrets, "a", "reg"));
    remove_definition(&install);
    install_close(&install);
}

/* All orders, by exchanging what is left. */
static void uninstall_orders(enum part order[PART_COUNT], unsigned done)
{
    if (done == PART_COUNT)
        uninstall(order);
    for (unsigned i = done; i < PART_COUNT; i++) {
        enum part first = order[done];
        order[done] = order[i];
        order[i] = first;
        uninstall_orders(order, done + 1);
        order[i] = order[done];
        order[done] = first;
    }
}

START_TEST(test_uninstalling_in_any_order)
{
    enum part order[] = {PART_PROCESS, PART_WEBHOOKS, PART_RIGHTS, PART_NAMESPACE};
    uninstall_orders(order, 0);
}
END_TEST

/* The definition may go before everything, or in the middle; the server lives with that. */
START_TEST(test_the_definition_may_go_at_any_time)
{
    static const enum part order[] = {PART_WEBHOOKS, PART_RIGHTS, PART_PROCESS, PART_NAMESPACE};
    for (unsigned when = 0; when < PART_COUNT; when++) {
        struct install install;
        open_and_copy(&install);
        for (unsigned i = 0; i < PART_COUNT; i++) {
            if (i == when)
                remove_definition(&install);
            remove_part(&install, order[i]);
            check_nothing_blocks(&install, i);
        }
        check_no_trace(&install);
        ck_assert(!install_has(&install, &install_secrets, "a", "reg")); /* not made again */
        install_close(&install);
    }
}
END_TEST

CLEAT_SUITE_MAIN("install", test_cold_start, test_uninstalling_in_any_order,
                 test_the_definition_may_go_at_any_time)
