/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/never.h"

#include <errno.h>

#include "kinds/mirror/copy.h"
#include "kinds/mirror/spec.h"

static const struct {
    const char *group;
    const char *kind; /* NULL: all of the group */
    const char *why;
} never_kinds[] = {
    {"rbac.authorization.k8s.io", NULL, "it grants rights"},
    {"authorization.openshift.io", NULL, "it grants rights"},
    {"", "Pod", "it runs code and can't be kept true"},
    {"batch", "Job", "it runs code and can't be kept true"},
    {"", "PersistentVolumeClaim", "it claims storage"},
    {"", "Endpoints", "a controller of the cluster writes it"},
    {"discovery.k8s.io", "EndpointSlice", "a controller of the cluster writes it"},
};

#define NEVER_VERBS                                                                                \
    (CLEAT_VERB_GET | CLEAT_VERB_LIST | CLEAT_VERB_WATCH | CLEAT_VERB_CREATE | CLEAT_VERB_UPDATE | \
     CLEAT_VERB_DELETE)

int cleat__mirror_kind_check(const struct cleat_resource *resource, struct cleat_err *err)
{
    const struct cleat_gvk *gvk = &resource->gvk;
    for (size_t i = 0; i < sizeof(never_kinds) / sizeof(never_kinds[0]); i++)
        if (strcmp(gvk->group, never_kinds[i].group) == 0 &&
            (!never_kinds[i].kind || strcmp(gvk->kind, never_kinds[i].kind) == 0))
            return cleat_err_set(err, -EPERM, "a %s is never mirrored: %s", gvk->kind,
                                 never_kinds[i].why);
    if (!resource->namespaced)
        return cleat_err_set(err, -EINVAL,
                             "a %s isn't in a namespace, so that it can't be mirrored", gvk->kind);
    if ((resource->verbs & NEVER_VERBS) != NEVER_VERBS)
        return cleat_err_set(err, -EINVAL,
                             "a %s can't be mirrored: the API server must offer get, list, watch, "
                             "create, update and delete for it",
                             gvk->kind);
    return 0;
}

int cleat__mirror_source_check(const struct cleat_resource *resource, struct cleat_value root,
                               struct cleat_err *err)
{
    struct cleat_scratch scratch;
    bool secret = resource->gvk.group[0] == '\0' && strcmp(resource->gvk.kind, "Secret") == 0;
    if (secret &&
        cleat_value_is(cleat_value_get(root, "type"), "kubernetes.io/service-account-token"))
        return cleat_err_set(err, -EPERM,
                             "the source is a service account's token, which is never mirrored");
    if (cleat__mirror_copy_uid(root, &scratch).length > 0)
        return cleat_err_set(err, -EPERM,
                             "the source is itself a copy that a Mirror keeps; name the original");
    return 0;
}

bool cleat__mirror_kind_is_plain(const struct cleat_gvk *gvk)
{
    return gvk->group[0] == '\0' &&
           (strcmp(gvk->kind, "Secret") == 0 || strcmp(gvk->kind, "ConfigMap") == 0);
}
