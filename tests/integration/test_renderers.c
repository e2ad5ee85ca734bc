/* SPDX-License-Identifier: Apache-2.0 */
/*
 * There are three ways to the same objects: `cleat manifests`, kustomize and Helm. Each must render
 * what the first prints; those whose program isn't installed are left out, and say so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cleat/document.h>
#include <cleat/path.h>
#include <cleat/write.h>

#include "base/limits.h"
#include "client/file.h"
#include "kube/yaml.h"
#include "server/manifests.h"
#include "support/suite.h"
#include "support/temp_dir.h"

#define OBJECTS_MAX 64
#define LIST_BYTES_MAX ((size_t)4 * CLEAT_MIB)

struct objects {
    struct cleat_document *documents[OBJECTS_MAX];
    size_t count;
};

static int collect_value(void *arg, struct cleat_value object, struct cleat_err *err)
{
    struct objects *objects = arg;
    struct cleat_buffer json = CLEAT_BUFFER_INIT(CLEAT_MIB);
    ck_assert_uint_lt(objects->count, OBJECTS_MAX);
    ck_assert_int_eq(cleat_write_json(&json, object, err), 0);
    ck_assert_int_eq(
        cleat_document_parse(cleat_buffer_view(&json), &objects->documents[objects->count++], err),
        0);
    cleat_buffer_fini(&json);
    return 0;
}

static int collect_document(void *arg, struct cleat_document *document)
{
    struct cleat_value root = cleat_document_root(document);
    return cleat_value_type(root) == CLEAT_TYPE_OBJECT ? collect_value(arg, root, NULL) : 0;
}

static void objects_fini(struct objects *objects)
{
    for (size_t i = 0; i < objects->count; i++)
        cleat_document_unref(objects->documents[i]);
    objects->count = 0;
}

/* ---- the renderers' programs ---- */

static bool installed(const char *program)
{
    char path[4096], file[4200];
    (void)snprintf(path, sizeof(path), "%s", getenv("PATH") ? getenv("PATH") : "");
    for (char *save, *dir = strtok_r(path, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
        (void)snprintf(file, sizeof(file), "%s/%s", dir, program);
        if (access(file, X_OK) == 0)
            return true;
    }
    (void)printf("%s isn't installed: its rendering isn't compared\n", program);
    return false;
}

/* What @line, a command of a shell, writes; in which "%" is the folder deploy. */
static void render(const char *line, struct objects *ret)
{
    struct cleat_temp_dir dir;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_buffer yaml = CLEAT_BUFFER_INIT(LIST_BYTES_MAX);
    char command[8192];
    size_t length = 0;
    *ret = (struct objects){.count = 0};
    cleat_temp_dir_init(&dir);
    for (const char *c = line; *c; c++)
        length +=
            (size_t)snprintf(command + length, sizeof(command) - length, "%s",
                             *c == '%' ? CLEAT_SOURCE_DIR "/deploy" : (const char[]){*c, '\0'});
    (void)snprintf(command + length, sizeof(command) - length, " >%s",
                   cleat_temp_dir_path(&dir, "out"));
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0, "%s: wait status %d", command, status);
    ck_assert_int_eq(cleat_file_read(cleat_temp_dir_path(&dir, "out"), false, &yaml, &err), 0);
    ck_assert_msg(cleat_yaml_each(cleat_buffer_view(&yaml), collect_document, ret, &err) == 0,
                  "%s: %s", line, err.text);
    cleat_buffer_fini(&yaml);
    cleat_temp_dir_fini(&dir);
}

/* ---- comparing ---- */

static bool same_text(struct cleat_value a, struct cleat_value b, const char *path)
{
    return cleat_value_equal(cleat_value_find(a, path), cleat_value_find(b, path));
}

static struct cleat_value find(const struct objects *objects, struct cleat_value wanted)
{
    for (size_t i = 0; i < objects->count; i++) {
        struct cleat_value object = cleat_document_root(objects->documents[i]);
        if (same_text(object, wanted, "kind") && same_text(object, wanted, "metadata.name") &&
            same_text(object, wanted, "metadata.namespace"))
            return object;
    }
    return CLEAT_VALUE_NONE;
}

static void compare(const char *line, const struct cleat_manifests_options *options)
{
    struct objects rendered, printed = {.count = 0};
    struct cleat_err err = CLEAT_ERR_INIT;
    render(line, &rendered);
    ck_assert_msg(cleat_manifests_each(options, collect_value, &printed, &err) == 0, "%s",
                  err.text);
    for (size_t i = 0; i < printed.count; i++) {
        struct cleat_value wanted = cleat_document_root(printed.documents[i]);
        struct cleat_value got = find(&rendered, wanted);
        struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
        ck_assert_int_eq(cleat_write_json(&text, wanted, NULL), 0);
        (void)cleat_buffer_text(&text, "\n"); /* sticky */
        if (cleat_value_is_present(got))
            ck_assert_int_eq(cleat_write_json(&text, got, NULL), 0);
        ck_assert_msg(cleat_value_equal(wanted, got), "%s differs:\n%s", line, text.data);
        cleat_buffer_fini(&text);
    }
    ck_assert_msg(rendered.count == printed.count, "%s: %zu objects, not %zu", line, rendered.count,
                  printed.count);
    objects_fini(&rendered);
    objects_fini(&printed);
}

START_TEST(test_kustomize)
{
    if (!installed("kubectl"))
        return;
    compare("kubectl kustomize %/base", &(struct cleat_manifests_options){.crds = false});
    compare("kubectl kustomize %/overlays/single",
            &(struct cleat_manifests_options){.replicas = 1});
    compare("kubectl kustomize %/overlays/cert-manager",
            &(struct cleat_manifests_options){.cert_manager = true});
    compare("kubectl kustomize %/overlays/monitoring",
            &(struct cleat_manifests_options){.service_monitor = true});
}
END_TEST

#define HELM "helm template cleat %/helm/cleat --kube-version 1.31.0 --set namespace.create=true "

START_TEST(test_helm)
{
    char *const more[] = {(char *)"Deployment.apps", NULL};
    if (!installed("helm"))
        return;
    compare(HELM "--namespace cleat-system", &(struct cleat_manifests_options){.crds = false});
    compare(HELM "--namespace elsewhere --set replicas=3 --set image.name=example.com/cleat:2",
            &(struct cleat_manifests_options){
                .namespace_ = "elsewhere", .replicas = 3, .image = "example.com/cleat:2"});
    compare(HELM "--namespace cleat-system --set certs=cert-manager --set "
                 "serviceMonitor.enabled=true",
            &(struct cleat_manifests_options){.cert_manager = true, .service_monitor = true});
    compare(HELM "--namespace cleat-system --set webhookURL=https://hooks.example.com:9443/x/",
            &(struct cleat_manifests_options){.webhook_url = "https://hooks.example.com:9443/x/"});
    compare(HELM "--namespace cleat-system --set kinds[2].group=apps --set "
                 "kinds[2].resource=deployments --set kinds[0].resource=secrets "
                 "--set kinds[1].resource=configmaps --set kinds[0].group= --set kinds[1].group=",
            &(struct cleat_manifests_options){.more_kinds = more});
}
END_TEST

/* Helm leaves what is in crds/ when a release goes; it must be the CRD that everybody else has. */
START_TEST(test_the_chart_has_the_crd)
{
    struct objects chart, file;
    render("cat %/helm/cleat/crds/mirrors.yaml", &chart);
    render("cat %/crds.yaml", &file);
    ck_assert_uint_eq(chart.count, 1);
    ck_assert_uint_eq(file.count, 1);
    ck_assert(cleat_value_equal(cleat_document_root(chart.documents[0]),
                                cleat_document_root(file.documents[0])));
    objects_fini(&chart);
    objects_fini(&file);
}
END_TEST

CLEAT_SUITE_MAIN("renderers", test_kustomize, test_helm, test_the_chart_has_the_crd)
