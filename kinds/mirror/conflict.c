/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/conflict.h"

#include <errno.h>

#include <cleat/owner.h>
#include <cleat/time.h>

#include "kinds/mirror/consent.h"

/* A key ends with a slash where it stands for all that begin so. */
static const struct {
    const char *key;
    const char *tool;
} conflict_tools[] = {
    {"argocd.argoproj.io/", "Argo CD"},
    {"app.kubernetes.io/instance", "Argo CD or Helm"},
    {"kustomize.toolkit.fluxcd.io/", "Flux"},
    {"helm.toolkit.fluxcd.io/", "Flux"},
    {"meta.helm.sh/", "Helm"},
    {"helm.sh/", "Helm"},
    {"config.k8s.io/owning-inventory", "an inventory of kustomize"},
    {"cli-utils.sigs.k8s.io/inventory-id", "an inventory of kustomize"},
};

/* Which tool keeps an object with that mark, or NULL. */
static const char *conflict_tool(struct cleat_str key, struct cleat_value value)
{
    if (cleat_str_is(key, "app.kubernetes.io/managed-by"))
        return cleat_value_is(value, "Helm") ? "Helm" : NULL;
    for (size_t i = 0; i < sizeof(conflict_tools) / sizeof(conflict_tools[0]); i++) {
        const char *known = conflict_tools[i].key;
        bool prefix = known[strlen(known) - 1] == '/';
        if (prefix ? cleat__mirror_begins(key, known) : cleat_str_is(key, known))
            return conflict_tools[i].tool;
    }
    return NULL;
}

bool cleat__mirror_is_tracking(struct cleat_str key, struct cleat_value value)
{
    return cleat_str_is(key, "kubectl.kubernetes.io/last-applied-configuration") ||
           conflict_tool(key, value) != NULL;
}

/* The first tool that a label or annotation names. What kubectl apply wrote isn't kept by it. */
static const char *conflict_keeper(struct cleat_value marks)
{
    for (size_t i = 0; i < cleat_value_count(marks); i++) {
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(marks, i, &key);
        const char *tool = conflict_tool(key, value);
        if (tool)
            return tool;
    }
    return NULL;
}

int cleat__mirror_may_replace(struct cleat_value root, struct cleat_err *err)
{
    struct cleat_value metadata = cleat_value_get(root, "metadata");
    struct cleat_value labels = cleat_value_get(metadata, "labels");
    struct cleat_value annotations = cleat_value_get(metadata, "annotations");
    struct cleat_scratch scratch;
    const char *tool = conflict_keeper(labels);
    if (!tool)
        tool = conflict_keeper(annotations);
    if (cleat__mirror_refuses(annotations))
        return cleat_err_set(err, -EEXIST,
                             "an object of that name refuses copies by its "
                             "annotation " MIRROR_REFUSE_KEY);
    if (cleat_value_is(cleat_value_get(metadata, "name"), "kube-root-ca.crt"))
        return cleat_err_set(err, -EEXIST, "kube-root-ca.crt is the cluster's own");
    if (cleat_owner_controller_uid(root, &scratch).length > 0)
        return cleat_err_set(err, -EEXIST, "an object of that name has another controller");
    if (tool)
        return cleat_err_set(err, -EEXIST, "an object of that name is kept by %s", tool);
    return 0;
}

bool cleat__mirror_is_older(const struct cleat_object *a, const struct cleat_object *b)
{
    struct cleat_scratch scratch;
    int64_t a_us = INT64_MAX, b_us = INT64_MAX;
    struct cleat_value a_made = cleat_object_find(a, "metadata.creationTimestamp");
    struct cleat_value b_made = cleat_object_find(b, "metadata.creationTimestamp");
    if (cleat_time_parse(cleat_value_text(a_made, &scratch), &a_us) < 0)
        a_us = INT64_MAX;
    if (cleat_time_parse(cleat_value_text(b_made, &scratch), &b_us) < 0)
        b_us = INT64_MAX;
    if (a_us != b_us)
        return a_us < b_us;
    return cleat_str_compare(cleat_object_name(a), cleat_object_name(b)) < 0;
}

/* What stands before the slash, "" for core. */
static struct cleat_str conflict_group(struct cleat_str api_version)
{
    const char *slash =
        api_version.length > 0 ? memchr(api_version.data, '/', api_version.length) : NULL;
    return (struct cleat_str){api_version.data, slash ? (size_t)(slash - api_version.data) : 0};
}

bool cleat__mirror_same_place(const struct mirror_spec *a, const struct mirror_spec *b)
{
    return cleat_str_equal(a->copy_name, b->copy_name) && cleat_str_equal(a->kind, b->kind) &&
           cleat_str_equal(conflict_group(a->api_version), conflict_group(b->api_version));
}

bool cleat__mirror_is_source_of(const struct mirror_spec *spec, struct cleat_str api_version,
                                struct cleat_str kind, struct cleat_str namespace_,
                                struct cleat_str name)
{
    return cleat_str_equal(spec->name, name) && cleat_str_equal(spec->namespace_, namespace_) &&
           cleat_str_equal(spec->kind, kind) &&
           cleat_str_equal(conflict_group(spec->api_version), conflict_group(api_version));
}
