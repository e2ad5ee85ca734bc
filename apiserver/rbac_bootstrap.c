/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roles and bindings that a cluster has from its start, as far as they matter here. Source:
 * Kubernetes documentation, "Using RBAC Authorization", default roles and role bindings.
 */
#include <cleat/document.h>
#include <errno.h>

#include "apiserver/put.h"
#include "apiserver/rbac.h"

#define READ "\"get\",\"list\",\"watch\""
#define WRITE "\"create\",\"update\",\"patch\",\"delete\",\"deletecollection\""
#define DISCOVERY                                                                              \
    "{\"nonResourceURLs\":[\"/api\",\"/api/*\",\"/apis\",\"/apis/*\",\"/healthz\",\"/livez\"," \
    "\"/openapi\",\"/openapi/*\",\"/readyz\",\"/version\",\"/version/\"],\"verbs\":[\"get\"]}"
#define PUBLIC                                                                               \
    "{\"nonResourceURLs\":[\"/healthz\",\"/livez\",\"/readyz\",\"/version\",\"/version/\"]," \
    "\"verbs\":[\"get\"]}"
#define BASIC                                                                                \
    "{\"apiGroups\":[\"authorization.k8s.io\"],\"resources\":[\"selfsubjectaccessreviews\"," \
    "\"selfsubjectrulesreviews\"],\"verbs\":[\"create\"]},{\"apiGroups\":[\"authentication." \
    "k8s.io\"],\"resources\":[\"selfsubjectreviews\"],\"verbs\":[\"create\"]}"
#define NAMESPACED(verbs)                                                                      \
    "{\"apiGroups\":[\"\"],\"resources\":[\"configmaps\",\"endpoints\",\"events\","            \
    "\"persistentvolumeclaims\",\"pods\",\"replicationcontrollers\",\"serviceaccounts\","      \
    "\"services\"],\"verbs\":[" verbs "]},{\"apiGroups\":[\"apps\",\"batch\",\"autoscaling\"," \
    "\"policy\",\"networking.k8s.io\",\"discovery.k8s.io\"],\"resources\":[\"*\"],"            \
    "\"verbs\":[" verbs "]}"
#define SECRETS "{\"apiGroups\":[\"\"],\"resources\":[\"secrets\"],\"verbs\":[" READ "," WRITE "]}"
#define ROLES                                                                                   \
    "{\"apiGroups\":[\"rbac.authorization.k8s.io\"],\"resources\":[\"roles\",\"rolebindings\"]" \
    ",\"verbs\":[" READ "," WRITE "]}"
#define LEASES                                                                             \
    "{\"apiGroups\":[\"coordination.k8s.io\"],\"resources\":[\"leases\"],\"verbs\":[" READ \
    "," WRITE "]}"

static const struct {
    const char *name;
    const char *rules;
} bootstrap_roles[] = {
    {"cluster-admin", "{\"apiGroups\":[\"*\"],\"resources\":[\"*\"],\"verbs\":[\"*\"]},"
                      "{\"nonResourceURLs\":[\"*\"],\"verbs\":[\"*\"]}"},
    {"admin", NAMESPACED(READ "," WRITE) "," SECRETS "," ROLES "," LEASES},
    {"edit", NAMESPACED(READ "," WRITE) "," SECRETS "," LEASES},
    {"view", NAMESPACED(READ)},
    {"system:discovery", DISCOVERY},
    {"system:basic-user", BASIC},
    {"system:public-info-viewer", PUBLIC},
    {"system:auth-delegator",
     "{\"apiGroups\":[\"authentication.k8s.io\"],\"resources\":[\"tokenreviews\"],\"verbs\":["
     "\"create\"]},{\"apiGroups\":[\"authorization.k8s.io\"],\"resources\":["
     "\"subjectaccessreviews\"],\"verbs\":[\"create\"]}"},
    {"system:controller:generic-garbage-collector",
     "{\"apiGroups\":[\"*\"],\"resources\":[\"*\"],\"verbs\":[\"delete\",\"get\",\"list\","
     "\"patch\",\"update\",\"watch\"]}"},
    {"system:controller:namespace-controller",
     "{\"apiGroups\":[\"\"],\"resources\":[\"namespaces\",\"namespaces/finalize\","
     "\"namespaces/status\"],\"verbs\":[\"delete\",\"get\",\"list\",\"update\",\"watch\"]},"
     "{\"apiGroups\":[\"*\"],\"resources\":[\"*\"],\"verbs\":[\"delete\",\"deletecollection\","
     "\"get\",\"list\"]}"},
};

static const struct {
    const char *role;
    const char *subject;
} bootstrap_bindings[] = {
    {"cluster-admin", "{\"kind\":\"Group\",\"apiGroup\":\"rbac.authorization.k8s.io\",\"name\":"
                      "\"system:masters\"}"},
    {"system:discovery", "{\"kind\":\"Group\",\"apiGroup\":\"rbac.authorization.k8s.io\","
                         "\"name\":\"system:authenticated\"}"},
    {"system:basic-user", "{\"kind\":\"Group\",\"apiGroup\":\"rbac.authorization.k8s.io\","
                          "\"name\":\"system:authenticated\"}"},
    {"system:public-info-viewer",
     "{\"kind\":\"Group\",\"apiGroup\":\"rbac.authorization.k8s.io\",\"name\":"
     "\"system:authenticated\"},{\"kind\":\"Group\",\"apiGroup\":"
     "\"rbac.authorization.k8s.io\",\"name\":\"system:unauthenticated\"}"},
    {"system:controller:generic-garbage-collector",
     "{\"kind\":\"ServiceAccount\",\"name\":\"generic-garbage-collector\",\"namespace\":"
     "\"kube-system\"}"},
    {"system:controller:namespace-controller",
     "{\"kind\":\"ServiceAccount\",\"name\":\"namespace-controller\",\"namespace\":"
     "\"kube-system\"}"},
};

#define BOOTSTRAP_META                                                                     \
    "\"metadata\":{\"name\":\"%s\",\"labels\":{\"kubernetes.io/bootstrapping\":"           \
    "\"rbac-defaults\"},\"annotations\":{\"rbac.authorization.kubernetes.io/autoupdate\":" \
    "\"true\"}}"

static int bootstrap_put(struct cleat_api_server *server, struct cleat_document *document,
                         struct cleat_err *err)
{
    int result = cleat_api_put(server, cleat_document_root(document), true, err);
    (void)cleat_document_unref(document);
    return result;
}

static int bootstrap_role(struct cleat_api_server *server, size_t index, struct cleat_err *err)
{
    struct cleat_document *document = NULL;
    int result = cleat_document_format(
        &document, err,
        "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRole\"," BOOTSTRAP_META
        ",\"rules\":[%s]}",
        bootstrap_roles[index].name, bootstrap_roles[index].rules);
    return result == 0 ? bootstrap_put(server, document, err) : result;
}

static int bootstrap_binding(struct cleat_api_server *server, size_t index, struct cleat_err *err)
{
    struct cleat_document *document = NULL;
    int result =
        cleat_document_format(&document, err,
                              "{\"apiVersion\":\"rbac.authorization.k8s.io/"
                              "v1\",\"kind\":\"ClusterRoleBinding\"," BOOTSTRAP_META
                              ",\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":"
                              "\"ClusterRole\",\"name\":\"%s\"},\"subjects\":[%s]}",
                              bootstrap_bindings[index].role, bootstrap_bindings[index].role,
                              bootstrap_bindings[index].subject);
    return result == 0 ? bootstrap_put(server, document, err) : result;
}

int cleat_api_rbac_bootstrap(struct cleat_api_server *server, struct cleat_err *err)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(bootstrap_roles) / sizeof(bootstrap_roles[0]); i++)
        result = bootstrap_role(server, i, err);
    for (size_t i = 0;
         result == 0 && i < sizeof(bootstrap_bindings) / sizeof(bootstrap_bindings[0]); i++)
        result = bootstrap_binding(server, i, err);
    return result;
}
