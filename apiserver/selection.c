/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/selection.h"

#include <errno.h>
#include <stdio.h>

/* Fields that can be selected by, beyond metadata.name and metadata.namespace. Source: the
 * strategies of Kubernetes' registry (GetAttrs, SelectableFields). */
static const struct {
    const char *group;
    const char *plural;
    const char *fields[14];
} selectable[] = {
    {"",
     "pods",
     {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
      "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"}},
    {"", "secrets", {"type"}},
    {"", "namespaces", {"status.phase", "name"}},
    {"", "nodes", {"spec.unschedulable"}},
    {"", "persistentvolumes", {"name"}},
    {"", "persistentvolumeclaims", {"name"}},
    {"", "services", {"spec.clusterIP", "spec.type"}},
    {"", "replicationcontrollers", {"status.replicas"}},
    {"",
     "events",
     {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
      "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
      "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"}},
    {"events.k8s.io",
     "events",
     {"regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid",
      "regarding.apiVersion", "regarding.resourceVersion", "regarding.fieldPath", "reason",
      "reportingController", "type"}},
    {"apps", "replicasets", {"status.replicas"}},
    {"batch", "jobs", {"status.successful"}},
};

static bool selection_knows(const struct cleat_api_resource *resource, struct cleat_str path)
{
    for (size_t i = 0; i < sizeof(selectable) / sizeof(selectable[0]); i++) {
        if (strcmp(selectable[i].group, resource->group) != 0 ||
            strcmp(selectable[i].plural, resource->plural) != 0)
            continue;
        for (size_t j = 0; j < 14 && selectable[i].fields[j]; j++)
            if (cleat_str_is(path, selectable[i].fields[j]))
                return true;
    }
    return false;
}

static int selection_check(struct cleat_api_selection *selection,
                           const struct cleat_api_request *request,
                           struct cleat_api_failure *failure)
{
    for (size_t i = 0; i < cleat_field_selector_count(selection->fields); i++) {
        struct cleat_str path;
        struct cleat_str value;
        bool equal;
        cleat_field_selector_at(selection->fields, i, &path, &value, &equal);
        if (cleat_str_is(path, "metadata.name") && equal && value.length < sizeof(selection->name))
            snprintf(selection->name, sizeof(selection->name), "%.*s", CLEAT_STR_ARG(value));
        else if (!cleat_str_is(path, "metadata.name") &&
                 !cleat_str_is(path, "metadata.namespace") &&
                 !selection_knows(request->resource, path))
            return cleat_api_fail(failure, 400, NULL, "field label not supported: %.*s",
                                  CLEAT_STR_ARG(path));
    }
    return 0;
}

int cleat_api_selection_init(struct cleat_api_selection *selection,
                             const struct cleat_api_request *request,
                             struct cleat_api_failure *failure)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    int result = 0;
    snprintf(selection->namespace_, sizeof(selection->namespace_), "%.*s",
             CLEAT_STR_ARG(request->namespace_));
    if (request->list.label_selector.length)
        result = cleat_selector_parse(request->list.label_selector, &selection->labels, &err);
    if (result == 0 && request->list.field_selector.length)
        result = cleat_field_selector_parse(request->list.field_selector, &selection->fields, &err);
    if (result != 0)
        result = cleat_api_fail_err(failure, 400, &err);
    if (result == 0 && selection->fields)
        result = selection_check(selection, request, failure);
    if (result != 0)
        cleat_api_selection_fini(selection);
    return result;
}

void cleat_api_selection_fini(struct cleat_api_selection *selection)
{
    selection->labels = cleat_selector_free(selection->labels);
    selection->fields = cleat_field_selector_free(selection->fields);
}

bool cleat_api_selection_is_simple(const struct cleat_api_selection *selection)
{
    return !selection->labels && !selection->fields;
}

bool cleat_api_selection_matches(const struct cleat_api_selection *selection,
                                 const struct cleat_api_record *record)
{
    if (selection->namespace_[0] && !cleat_str_is(record->namespace_, selection->namespace_))
        return false;
    if (selection->name[0] && !cleat_str_is(record->name, selection->name))
        return false;
    if (cleat_api_selection_is_simple(selection))
        return true;
    struct cleat_document *document = NULL;
    int result = selection->fields ? cleat_api_record_document(record, &document, NULL)
                                   : cleat_api_record_metadata(record, &document, NULL);
    if (result != 0)
        return false;
    struct cleat_value root = cleat_document_root(document);
    struct cleat_value labels = cleat_value_get(cleat_value_get(root, "metadata"), "labels");
    bool matches = !selection->labels || cleat_selector_matches(selection->labels, labels);
    if (matches && selection->fields)
        matches = cleat_field_selector_matches(selection->fields, root);
    (void)cleat_document_unref(document);
    return matches;
}
