/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/crd.h"

#include <cleat/condition.h>
#include <cleat/path.h>
#include <cleat/write.h>
#include <errno.h>
#include <stdio.h>

#include "apiserver/custom.h"
#include "base/limits.h"
#include "base/mem.h"

#define CRD_GROUP "apiextensions.k8s.io"
#define CRD_PLURAL "customresourcedefinitions"
#define CRD_TRIES 16

void cleat_api_crds_init(struct cleat_api_crds *crds)
{
    cleat_lock_init(&crds->lock, CLEAT_LOCK_APISERVER_CRDS);
}

void cleat_api_crds_fini(struct cleat_api_crds *crds)
{
    cleat_lock_fini(&crds->lock);
}

static int default_text(struct cleat_draft *draft, struct cleat_value object, const char *path,
                        struct cleat_str text, struct cleat_err *err)
{
    struct cleat_scratch scratch;
    if (!text.length || cleat_value_text(cleat_value_find(object, path), &scratch).length)
        return 0;
    return cleat_draft_set_str(draft, path, text, err);
}

static int default_names(struct cleat_value object, struct cleat_draft *draft,
                         struct cleat_err *err)
{
    char singular[CLEAT_KIND_BYTES_MAX];
    char list[CLEAT_KIND_BYTES_MAX + 4];
    struct cleat_scratch scratch;
    struct cleat_str kind = cleat_value_text(cleat_value_find(object, "spec.names.kind"), &scratch);
    if (!kind.length || kind.length >= sizeof(singular))
        return 0;
    for (size_t i = 0; i < kind.length; i++) {
        char byte = kind.data[i];
        singular[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
    }
    snprintf(list, sizeof(list), "%.*sList", CLEAT_STR_ARG(kind));
    int result = default_text(draft, object, "spec.names.singular",
                              (struct cleat_str){singular, kind.length}, err);
    return result == 0 ? default_text(draft, object, "spec.names.listKind", cleat_str_of(list), err)
                       : result;
}

static bool crd_has_text(struct cleat_value list, const char *text)
{
    for (size_t i = 0; i < cleat_value_count(list); i++)
        if (cleat_value_is(cleat_value_at(list, i), text))
            return true;
    return false;
}

int cleat_api_crd_default(const struct cleat_api_operation *operation, struct cleat_value object,
                          struct cleat_draft *draft, struct cleat_err *err)
{
    struct cleat_value finalizers = cleat_value_find(object, "metadata.finalizers");
    struct cleat_value deleted = cleat_value_find(operation->old, "metadata.deletionTimestamp");
    if (cleat_value_type(cleat_value_get(object, "spec")) != CLEAT_TYPE_OBJECT)
        return 0;
    int result = default_names(object, draft, err);
    if (result == 0 && !cleat_value_is_present(cleat_value_find(object, "spec.conversion")))
        result = cleat_draft_set_json(draft, "spec.conversion", "{\"strategy\":\"None\"}", err);
    if (result == 0 && cleat_value_type(deleted) != CLEAT_TYPE_STRING &&
        !crd_has_text(finalizers, CLEAT_API_CRD_FINALIZER))
        result = cleat_draft_append_str(draft, "metadata.finalizers",
                                        CLEAT_STR(CLEAT_API_CRD_FINALIZER), err);
    return result;
}

static struct cleat_api_resource *crd_resource(struct cleat_api_server *server)
{
    return cleat_api_registry_find(&server->registry, CLEAT_STR(CRD_GROUP), CLEAT_STR(CRD_PLURAL));
}

/* The resource that a definition of that name serves, or NULL. New reference. */
static struct cleat_api_resource *crd_served(struct cleat_api_server *server, struct cleat_str name)
{
    const char *dot = name.length ? memchr(name.data, '.', name.length) : NULL;
    if (!dot)
        return NULL;
    struct cleat_str plural = {name.data, (size_t)(dot - name.data)};
    struct cleat_str group = {dot + 1, name.length - plural.length - 1};
    struct cleat_api_resource *resource = cleat_api_registry_find(&server->registry, group, plural);
    if (resource && !(resource->flags & CLEAT_API_CUSTOM))
        resource = cleat_api_resource_unref(resource);
    return resource;
}

/* What may not be the same in one group. */
static const struct {
    const char *reason;
    size_t offset;
    bool list;
} crd_names[] = {
    {"PluralConflict", offsetof(struct cleat_api_resource, plural), false},
    {"SingularConflict", offsetof(struct cleat_api_resource, singular), false},
    {"ShortNamesConflict", offsetof(struct cleat_api_resource, short_names), true},
    {"KindConflict", offsetof(struct cleat_api_resource, kind), false},
    {"ListKindConflict", offsetof(struct cleat_api_resource, list_kind), false},
};

static bool names_include(const char *names, struct cleat_str wanted)
{
    while (*names) {
        size_t length = strcspn(names, ",");
        if (cleat_str_equal((struct cleat_str){names, length}, wanted))
            return true;
        names += length + (names[length] ? 1 : 0);
    }
    return false;
}

/* True where @name is a name of @resource: of the resource where @kind is false, else of its kind.
 */
static bool names_taken(const struct cleat_api_resource *resource, struct cleat_str name, bool kind)
{
    if (kind)
        return cleat_str_is(name, resource->kind) || cleat_str_is(name, resource->list_kind);
    return cleat_str_is(name, resource->plural) || cleat_str_is(name, resource->singular) ||
           names_include(resource->short_names, name);
}

struct crd_conflict {
    const char *reason; /* NULL: none */
    char message[160];
};

static void conflict_find(const struct cleat_api_resource *mine,
                          const struct cleat_api_resource *other, struct crd_conflict *conflict)
{
    for (size_t i = 0; !conflict->reason && i < sizeof(crd_names) / sizeof(crd_names[0]); i++) {
        const char *names = (const char *)mine + crd_names[i].offset;
        bool kind = i >= 3;
        while (*names && !conflict->reason) {
            size_t length = crd_names[i].list ? strcspn(names, ",") : strlen(names);
            struct cleat_str name = {names, length};
            if (names_taken(other, name, kind)) {
                conflict->reason = crd_names[i].reason;
                snprintf(conflict->message, sizeof(conflict->message), "\"%.*s\" is already in use",
                         CLEAT_STR_ARG(name));
            }
            names += length + (names[length] ? 1 : 0);
        }
    }
}

/* 0 with @conflict filled, -ENOMEM. */
static int crd_conflicts(struct cleat_api_server *server, const struct cleat_api_resource *mine,
                         struct crd_conflict *conflict)
{
    struct cleat_api_resource **all = NULL;
    size_t count = 0;
    *conflict = (struct crd_conflict){0};
    if (cleat_api_registry_all(&server->registry, &all, &count) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        bool same = (all[i]->flags & CLEAT_API_CUSTOM) && strcmp(all[i]->plural, mine->plural) == 0;
        if (strcmp(all[i]->group, mine->group) == 0 && !same)
            conflict_find(mine, all[i], conflict);
        (void)cleat_api_resource_unref(all[i]);
    }
    cleat_mem_free(all);
    return 0;
}

static int status_stored(struct cleat_draft *draft, struct cleat_value root, struct cleat_err *err)
{
    struct cleat_value stored = cleat_value_find(root, "status.storedVersions");
    struct cleat_value versions = cleat_value_find(root, "spec.versions");
    for (size_t i = 0; i < cleat_value_count(versions); i++) {
        struct cleat_scratch scratch;
        struct cleat_value version = cleat_value_at(versions, i);
        struct cleat_str name = cleat_value_text(cleat_value_get(version, "name"), &scratch);
        bool there = false;
        if (!cleat_value_is_true(cleat_value_get(version, "storage")))
            continue;
        for (size_t j = 0; j < cleat_value_count(stored); j++)
            there = there || cleat_value_is_str(cleat_value_at(stored, j), name);
        if (!there)
            return cleat_draft_append_str(draft, "status.storedVersions", name, err);
    }
    return 0;
}

static int status_condition(struct cleat_api_server *server, struct cleat_draft *draft,
                            const char *type, const char *status, const char *reason,
                            const char *message, struct cleat_err *err)
{
    const struct cleat_condition condition = {
        .type = type, .status = status, .reason = reason, .message = message};
    int result = cleat_condition_set(draft, &condition, server->clock, err);
    return result < 0 ? result : 0;
}

static int status_fill(struct cleat_api_server *server, struct cleat_draft *draft,
                       struct cleat_value root, const struct crd_conflict *conflict,
                       struct cleat_err *err)
{
    bool fine = !conflict->reason;
    int result = status_condition(server, draft, "NamesAccepted", fine ? "True" : "False",
                                  fine ? "NoConflicts" : conflict->reason,
                                  fine ? "no conflicts found" : conflict->message, err);
    if (result == 0)
        result = status_condition(
            server, draft, "Established", fine ? "True" : "False",
            fine ? "InitialNamesAccepted" : "NotAccepted",
            fine ? "the initial names have been accepted" : "not all names are accepted", err);
    if (result == 0 && fine)
        result = cleat_draft_set(draft, "status.acceptedNames",
                                 cleat_value_find(root, "spec.names"), err);
    if (result == 0 && !fine &&
        !cleat_value_is_present(cleat_value_find(root, "status.acceptedNames")))
        result = cleat_draft_set_json(draft, "status.acceptedNames",
                                      "{\"kind\":\"\",\"plural\":\"\"}", err);
    return result == 0 ? status_stored(draft, root, err) : result;
}

/* Stores @draft in place of @record. 0, CLEAT_API_COMMIT_CHANGED, negative. */
static int crd_store(struct cleat_api_server *server, struct cleat_api_resource *resource,
                     struct cleat_api_record *record, struct cleat_draft *draft,
                     struct cleat_err *err)
{
    struct cleat_value root;
    struct cleat_api_record *new = NULL;
    int result = cleat_draft_freeze(draft, &root, err);
    if (result == 0)
        result = cleat_api_record_new(root, true, &new, err);
    if (result == 0)
        result = cleat_api_registry_commit(&server->registry, resource, record, new, false, NULL);
    (void)cleat_api_record_unref(new);
    return result;
}

static int crd_serve(struct cleat_api_server *server, struct cleat_api_resource *resource,
                     struct cleat_api_record *record, struct cleat_document *document,
                     struct cleat_err *err)
{
    struct crd_conflict conflict;
    struct cleat_api_resource *served = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_value root = cleat_document_root(document);
    int result = cleat_api_custom_resource(document, &served, err);
    if (result == 0)
        result = crd_conflicts(server, served, &conflict);
    if (result == 0 && !conflict.reason)
        result = cleat_api_registry_add(&server->registry, served);
    (void)cleat_api_resource_unref(served);
    if (result == 0)
        result = cleat_draft_new(root, &draft, err);
    if (result == 0)
        result = status_fill(server, draft, root, &conflict, err);
    if (result != 0 || !cleat_draft_changed(draft))
        return result;
    return crd_store(server, resource, record, draft, err);
}

/* The definition says that it's going, and takes no new objects any more. */
static int crd_terminate(struct cleat_api_server *server, struct cleat_api_resource *resource,
                         struct cleat_api_record *record, struct cleat_document *document,
                         struct cleat_err *err)
{
    struct cleat_api_resource *served = NULL;
    struct cleat_api_resource *there = crd_served(server, record->name);
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    int result = there ? cleat_api_custom_resource(document, &served, err) : 0;
    if (result == 0 && served)
        result = cleat_api_registry_add(&server->registry, served);
    (void)cleat_api_resource_unref(served);
    (void)cleat_api_resource_unref(there);
    if (result == 0)
        result = cleat_draft_new(cleat_document_root(document), &draft, err);
    if (result == 0)
        result = status_condition(server, draft, "Terminating", "True", "InstanceDeletionPending",
                                  "CustomResourceDefinition marked for deletion; CustomResource "
                                  "deletion will begin soon",
                                  err);
    if (result != 0 || !cleat_draft_changed(draft))
        return result;
    return crd_store(server, resource, record, draft, err);
}

/* One look at what is stored. 0, CLEAT_API_COMMIT_CHANGED, negative. @ret_end: the objects must go.
 */
static int crd_look(struct cleat_api_server *server, struct cleat_api_resource *resource,
                    struct cleat_str name, bool *ret_end, struct cleat_err *err)
{
    struct cleat_document *document = NULL;
    CLEAT_CLEANUP(cleat_api_record_unrefp)
    struct cleat_api_record *record =
        cleat_api_registry_get(&server->registry, resource, CLEAT_STR(""), name);
    *ret_end = !record || record->deleting;
    if (!record)
        return 0;
    int result = cleat_api_record_document(record, &document, err);
    if (result == 0)
        result = record->deleting ? crd_terminate(server, resource, record, document, err)
                                  : crd_serve(server, resource, record, document, err);
    (void)cleat_document_unref(document);
    return result;
}

static const char *crd_version(const struct cleat_api_resource *served)
{
    for (size_t i = 0; i < served->version_count; i++)
        if (served->versions[i].served)
            return served->versions[i].name;
    return "";
}

static void crd_delete_object(struct cleat_api_server *server,
                              const struct cleat_api_resource *served, struct cleat_api_user *user,
                              const struct cleat_api_record *record)
{
    struct cleat_api_response response;
    bool namespaced = record->namespace_.length > 0;
    CLEAT_CLEANUP(cleat_mem_freep)
    char *path =
        cleat_mem_format("/apis/%s/%s/%s%.*s%s%s/%.*s", served->group, crd_version(served),
                         namespaced ? "namespaces/" : "", CLEAT_STR_ARG(record->namespace_),
                         namespaced ? "/" : "", served->plural, CLEAT_STR_ARG(record->name));
    if (!path)
        return;
    const struct cleat_api_http http = {.method = "DELETE", .path = path, .query = ""};
    cleat_api_server_handle_as(server, user, &http, &response);
    cleat_api_response_fini(&response);
}

/* Deletes all objects as the server itself; those with finalizers are left until somebody takes
 * these away. */
static void crd_delete_objects(struct cleat_api_server *server, struct cleat_api_resource *served)
{
    struct cleat_api_snapshot snapshot = {0};
    struct cleat_api_user *user = NULL;
    if (cleat_api_user_new(CLEAT_STR("system:apiserver"), CLEAT_STR(""), &user) == 0 &&
        cleat_api_registry_snapshot(&server->registry, served, CLEAT_STR(""), CLEAT_STR(""), 0,
                                    &snapshot) == 0) {
        for (size_t i = 0; i < snapshot.count; i++)
            if (!snapshot.records[i]->deleting)
                crd_delete_object(server, served, user, snapshot.records[i]);
        cleat_api_snapshot_fini(&snapshot);
    }
    (void)cleat_api_user_unref(user);
}

static size_t crd_count(struct cleat_api_server *server, struct cleat_api_resource *served)
{
    struct cleat_api_snapshot snapshot = {0};
    size_t count = 1; /* where it can't be told: something is there */
    if (cleat_api_registry_snapshot(&server->registry, served, CLEAT_STR(""), CLEAT_STR(""), 0,
                                    &snapshot) == 0) {
        count = snapshot.count;
        cleat_api_snapshot_fini(&snapshot);
    }
    return count;
}

/* Takes the finalizer away; without another one the definition goes. 0, CHANGED, negative. */
static int crd_release(struct cleat_api_server *server, struct cleat_api_resource *resource,
                       struct cleat_api_record *record)
{
    struct cleat_document *document = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    int result = cleat_api_record_document(record, &document, NULL);
    struct cleat_value root = result == 0 ? cleat_document_root(document) : CLEAT_VALUE_NONE;
    struct cleat_value finalizers = cleat_value_find(root, "metadata.finalizers");
    bool held = crd_has_text(finalizers, CLEAT_API_CRD_FINALIZER);
    if (result == 0 && cleat_value_count(finalizers) <= (held ? 1u : 0u))
        result = cleat_api_registry_commit(&server->registry, resource, record, NULL, false, NULL);
    else if (result == 0 && held) {
        result = cleat_draft_new(root, &draft, NULL);
        if (result == 0)
            result = cleat_draft_remove(draft, "metadata.finalizers", NULL);
        for (size_t i = 0; result == 0 && i < cleat_value_count(finalizers); i++)
            if (!cleat_value_is(cleat_value_at(finalizers, i), CLEAT_API_CRD_FINALIZER))
                result = cleat_draft_append(draft, "metadata.finalizers",
                                            cleat_value_at(finalizers, i), NULL);
        if (result == 0)
            result = crd_store(server, resource, record, draft, NULL);
    }
    draft = cleat_draft_free(draft);
    (void)cleat_document_unref(document);
    return result;
}

static bool crd_refused(const struct cleat_api_record *record)
{
    struct cleat_document *document = NULL;
    if (cleat_api_record_document(record, &document, NULL) != 0)
        return false;
    struct cleat_value root = cleat_document_root(document);
    struct cleat_value accepted =
        cleat_condition_get(cleat_value_find(root, "status.conditions"), "NamesAccepted");
    bool refused = cleat_value_is(cleat_value_get(accepted, "status"), "False");
    (void)cleat_document_unref(document);
    return refused;
}

/* Names became free: who waited for them may have them now. */
static void crd_retry(struct cleat_api_server *server, struct cleat_api_crds *crds,
                      const struct cleat_api_resource *resource)
{
    struct cleat_api_snapshot snapshot = {0};
    if (cleat_api_registry_snapshot(&server->registry, resource, CLEAT_STR(""), CLEAT_STR(""), 0,
                                    &snapshot) != 0)
        return;
    for (size_t i = 0; i < snapshot.count; i++)
        if (crd_refused(snapshot.records[i]))
            cleat_api_crd_sync(server, crds, snapshot.records[i]->name);
    cleat_api_snapshot_fini(&snapshot);
}

/* Completes a deletion where no object is left. */
static void crd_complete(struct cleat_api_server *server, struct cleat_api_crds *crds,
                         struct cleat_api_resource *served, struct cleat_str name)
{
    struct cleat_api_resource *resource = crd_resource(server);
    int result = CLEAT_API_COMMIT_CHANGED;
    cleat_lock_take(&crds->lock);
    for (int tries = 0; resource && result == CLEAT_API_COMMIT_CHANGED && tries < CRD_TRIES;
         tries++) {
        struct cleat_api_record *record =
            cleat_api_registry_get(&server->registry, resource, CLEAT_STR(""), name);
        if (served && crd_count(server, served) > 0)
            result = -EBUSY;
        else if (record && !record->deleting)
            result = -EAGAIN; /* made anew in between */
        else
            result = record ? crd_release(server, resource, record) : 0;
        (void)cleat_api_record_unref(record);
    }
    if (result == 0 && served)
        cleat_api_registry_remove(&server->registry, served->group, served->plural);
    cleat_lock_release(&crds->lock);
    if (result == 0 && served && resource)
        crd_retry(server, crds, resource);
    (void)cleat_api_resource_unref(resource);
}

static void crd_end(struct cleat_api_server *server, struct cleat_api_crds *crds,
                    struct cleat_str name)
{
    struct cleat_api_resource *served = crd_served(server, name);
    if (served)
        crd_delete_objects(server, served);
    crd_complete(server, crds, served, name);
    (void)cleat_api_resource_unref(served);
}

void cleat_api_crd_sync(struct cleat_api_server *server, struct cleat_api_crds *crds,
                        struct cleat_str name)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_api_resource *resource = crd_resource(server);
    int result = CLEAT_API_COMMIT_CHANGED;
    bool end = false;
    cleat_lock_take(&crds->lock);
    for (int tries = 0; resource && result == CLEAT_API_COMMIT_CHANGED && tries < CRD_TRIES;
         tries++)
        result = crd_look(server, resource, name, &end, &err);
    cleat_lock_release(&crds->lock);
    (void)cleat_api_resource_unref(resource);
    if (result < 0)
        cleat_warn(server->log, "definition can't be served", cleat_log_str("name", name),
                   cleat_log_err(&err));
    if (result == 0 && end)
        crd_end(server, crds, name);
}

void cleat_api_crd_object_gone(struct cleat_api_server *server, struct cleat_api_crds *crds,
                               const struct cleat_api_resource *resource)
{
    struct cleat_api_resource *now = cleat_api_registry_find(
        &server->registry, cleat_str_of(resource->group), cleat_str_of(resource->plural));
    if (now && (now->flags & CLEAT_API_CUSTOM)) {
        const struct cleat_api_custom *custom = now->custom;
        if (custom->terminating)
            crd_complete(server, crds, now, cleat_str_of(custom->definition));
    }
    (void)cleat_api_resource_unref(now);
}
