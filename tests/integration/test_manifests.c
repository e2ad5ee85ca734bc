/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The install manifests on an API server: everything can be created, in the order in which it
 * comes, and the examples fit the CRD.
 */
#include <cleat/discovery.h>
#include <cleat/path.h>
#include "integration/cluster.h"
#include "kube/yaml.h"
#include "server/manifests.h"
#include "support/suite.h"
#include "support/wait.h"

struct installer {
    struct cluster cluster;
    struct cleat_discovery *discovery;
    bool dry;
    size_t created;
};

static void open_installer(struct installer *installer)
{
    *installer = (struct installer){.dry = false};
    cluster_open(&installer->cluster);
    ck_assert_int_eq(
        cleat_discovery_new(installer->cluster.admin, cleat_clock_system(), &installer->discovery),
        0);
}

static void close_installer(struct installer *installer)
{
    cleat_discovery_free(installer->discovery);
    cluster_close(&installer->cluster);
}

static int create(void *arg, struct cleat_value object, struct cleat_err *err)
{
    struct installer *installer = arg;
    struct cleat_scratch scratch[3];
    struct cleat_gvk gvk;
    struct cleat_resource resource;
    struct cleat_client_call call = {.dry_run = installer->dry};
    int r =
        cleat_gvk_parse(&gvk, cleat_value_text(cleat_value_get(object, "apiVersion"), &scratch[0]),
                        cleat_value_text(cleat_value_get(object, "kind"), &scratch[1]), err);
    if (r == 0)
        r = cleat_discovery_kind(installer->discovery, &gvk, &resource, err);
    ck_assert_msg(r == 0, "%s: %d", gvk.kind, r);
    struct cleat_client_target target = {
        .resource = &resource,
        .namespace_ =
            resource.namespaced
                ? cleat_value_text(cleat_value_find(object, "metadata.namespace"), &scratch[2]).data
                : NULL};
    r = cleat_client_create(installer->cluster.admin, &target, object, &call, NULL, err);
    ck_assert_msg(r == 0, "%s: %s", gvk.kind, err->text);
    installer->created++;
    return 0;
}

static void install(struct installer *installer, const struct cleat_manifests_options *options)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_manifests_each(options, create, installer, &err) == 0, "%s", err.text);
    cleat_discovery_invalidate(installer->discovery);
}

static bool is_served(struct installer *installer)
{
    struct cleat_resource resource;
    cleat_discovery_invalidate(installer->discovery);
    return cleat_discovery_find(installer->discovery, "Mirror", &resource, NULL) == 0;
}

static int apply_document(void *arg, struct cleat_document *document)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    return create(arg, cleat_document_root(document), &err);
}

/* Everything in a file of the tree. */
static void apply_file(struct installer *installer, const char *name)
{
    char path[4096];
    struct cleat_err err = CLEAT_ERR_INIT;
    static char text[256 * 1024];
    (void)snprintf(path, sizeof(path), "%s/%s", CLEAT_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file, "%s", path);
    size_t length = fread(text, 1, sizeof(text), file);
    ck_assert_uint_lt(length, sizeof(text));
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_msg(
        cleat_yaml_each((struct cleat_str){text, length}, apply_document, installer, &err) == 0,
        "%s: %s", name, err.text);
}

START_TEST(test_everything_is_accepted)
{
    char *const more[] = {(char *)"Deployment.apps", NULL};
    const struct cleat_manifests_options cases[] = {
        {.crds = false},
        {.webhook_url = "https://hooks.example.com:9443"},
        {.namespace_ = "elsewhere", .replicas = 3, .image = "cleat:2", .more_kinds = more},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct installer installer;
        open_installer(&installer);
        install(&installer, &(struct cleat_manifests_options){.crds = true});
        install(&installer, &cases[i]);
        ck_assert_uint_ge(installer.created, 14);
        close_installer(&installer);
    }
}
END_TEST

START_TEST(test_files_of_deploy_are_accepted)
{
    struct installer installer;
    open_installer(&installer);
    apply_file(&installer, "deploy/crds.yaml");
    apply_file(&installer, "deploy/install.yaml");
    ck_assert_uint_ge(installer.created, 14);
    close_installer(&installer);
}
END_TEST

START_TEST(test_example_mirrors_fit_the_schema)
{
    struct installer installer;
    open_installer(&installer);
    install(&installer, &(struct cleat_manifests_options){.crds = true});
    CLEAT_WAIT_FOR(is_served(&installer), 10000);
    installer.dry = true; /* both have the same name */
    apply_file(&installer, "examples/mirror.yaml");
    apply_file(&installer, "examples/mirror-full.yaml");
    apply_file(&installer, "examples/mirror-wrong.yaml"); /* the webhook's to deny */
    ck_assert_uint_eq(installer.created, 4);
    close_installer(&installer);
}
END_TEST

CLEAT_SUITE_MAIN("manifests", test_everything_is_accepted, test_files_of_deploy_are_accepted,
                 test_example_mirrors_fit_the_schema)
