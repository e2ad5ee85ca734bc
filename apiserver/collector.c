/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The garbage collector: an object whose owners are all gone goes too; an owner deleted in the
 * foreground waits for those that block it; one deleted with orphans is forgotten by them first.
 * Source: Kubernetes documentation, "Garbage Collection", "Owners and Dependents".
 */
#include <cleat/draft.h>
#include <cleat/owner.h>
#include <cleat/path.h>
#include <cleat/write.h>
#include <errno.h>
#include <inttypes.h>

#include "apiserver/dependents.h"
#include "apiserver/internal.h"
#include "apiserver/janitor.h"
#include "base/limits.h"

/* How an owner reference stands. */
enum collector_owner { OWNER_SOLID, OWNER_WAITING, OWNER_GONE };

/* What is being examined. */
struct collector_item {
    struct cleat_api_janitor *janitor;
    struct cleat_api_server *server;
    struct cleat_api_resource *resource;
    struct cleat_api_record *record; /* reference */
    struct cleat_document *document; /* reference */
};

static struct cleat_value item_root(const struct collector_item *item)
{
    return cleat_document_root(item->document);
}

/* The resource of an owner; NULL where it isn't served. New reference. */
static struct cleat_api_resource *owner_resource(struct cleat_api_server *server,
                                                 const struct cleat_owner *owner)
{
    struct cleat_gvk gvk;
    if (cleat_gvk_parse(&gvk, owner->api_version, owner->kind, NULL) != 0)
        return NULL;
    return cleat_api_registry_find_kind(&server->registry, cleat_str_of(gvk.group),
                                        cleat_str_of(gvk.kind));
}

static struct cleat_str owner_namespace(const struct cleat_api_resource *resource,
                                        struct cleat_str namespace_)
{
    return resource->flags & CLEAT_API_NAMESPACED ? namespace_ : CLEAT_STR("");
}

static bool record_has_finalizer(const struct cleat_api_record *record, const char *finalizer)
{
    struct cleat_document *document = NULL;
    if (cleat_api_record_document(record, &document, NULL) != 0)
        return false;
    bool has = cleat_finalizer_has(cleat_document_root(document), finalizer);
    (void)cleat_document_unref(document);
    return has;
}

static enum collector_owner owner_look(const struct collector_item *item,
                                       const struct cleat_api_resource *resource,
                                       struct cleat_str namespace_, const struct cleat_owner *owner)
{
    enum collector_owner state = OWNER_GONE;
    struct cleat_api_record *record =
        cleat_api_registry_get(&item->server->registry, resource, namespace_, owner->name);
    if (record && cleat_str_is(owner->uid, record->uid))
        state = record->deleting && record_has_finalizer(record, "foregroundDeletion")
                    ? OWNER_WAITING
                    : OWNER_SOLID;
    (void)cleat_api_record_unref(record);
    return state;
}

/*
 * An owner of a kind that isn't served (any more) is taken for present unless it was seen to go, as
 * the objects of a definition that is deleted are: its return would come too late. So is a
 * namespaced owner of an object without a namespace, which nobody could find.
 */
static enum collector_owner owner_state(const struct collector_item *item,
                                        const struct cleat_owner *owner)
{
    struct cleat_str namespace_ = item->record->namespace_;
    struct cleat_api_resource *resource = owner_resource(item->server, owner);
    enum collector_owner state = OWNER_SOLID;
    if (resource && (namespace_.length || !(resource->flags & CLEAT_API_NAMESPACED)))
        state = owner_look(item, resource, owner_namespace(resource, namespace_), owner);
    else if (!resource && cleat_api_janitor_saw_go(item->janitor, owner->uid))
        state = OWNER_GONE;
    (void)cleat_api_resource_unref(resource);
    return state;
}

void cleat_api_collector_wake_owners(struct cleat_api_janitor *janitor, struct cleat_value root,
                                     struct cleat_str namespace_)
{
    struct cleat_scratch scratch[4];
    for (size_t i = 0; i < cleat_owner_count(root); i++) {
        struct cleat_owner owner;
        struct cleat_api_resource *resource = NULL;
        if (cleat_owner_at(root, i, scratch, &owner) == 0)
            resource = owner_resource(cleat_api_janitor_server(janitor), &owner);
        if (resource)
            cleat_api_janitor_add(janitor, CLEAT_API_CHORE_EXAMINE, resource,
                                  owner_namespace(resource, namespace_), owner.name);
        (void)cleat_api_resource_unref(resource);
    }
}

bool cleat_api_collector_owners_differ(const struct cleat_api_record *old,
                                       const struct cleat_api_record *new)
{
    struct cleat_document *before = NULL;
    struct cleat_document *after = NULL;
    bool differ = true;
    if (cleat_api_record_document(old, &before, NULL) == 0 &&
        cleat_api_record_document(new, &after, NULL) == 0)
        differ = !cleat_value_equal(
            cleat_value_find(cleat_document_root(before), "metadata.ownerReferences"),
            cleat_value_find(cleat_document_root(after), "metadata.ownerReferences"));
    (void)cleat_document_unref(before);
    (void)cleat_document_unref(after);
    return differ;
}

/* Done, or again: what was there is gone, or somebody was faster. */
static int collector_outcome(int code)
{
    return code < 400 || code == 404 ? 0 : 1;
}

static int item_delete(const struct collector_item *item, const char *propagation)
{
    struct cleat_buffer path = CLEAT_BUFFER_INIT(4 * CLEAT_KIB);
    struct cleat_buffer body = CLEAT_BUFFER_INIT(4 * CLEAT_KIB);
    cleat_api_internal_path(item->resource, item->record->namespace_, item->record->name, &path);
    cleat_buffer_text(&body, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"preconditions\":{"
                             "\"uid\":");
    cleat_write_string(&body, cleat_str_of(item->record->uid));
    cleat_buffer_format(&body,
                        ",\"resourceVersion\":\"%" PRIu64 "\"},\"propagationPolicy\":\"%s\"}",
                        item->record->version, propagation);
    struct cleat_api_user *user = cleat_api_janitor_user(item->janitor, CLEAT_API_CHORE_EXAMINE);
    int code = cleat_api_internal_call(item->server, user, "DELETE", &path, NULL, &body);
    cleat_buffer_fini(&path);
    cleat_buffer_fini(&body);
    return collector_outcome(code);
}

/* A merge patch of one member of metadata, under the version that was looked at. */
static int item_patch(const struct collector_item *item, const char *member,
                      struct cleat_value value)
{
    struct cleat_buffer path = CLEAT_BUFFER_INIT(4 * CLEAT_KIB);
    struct cleat_buffer body = CLEAT_BUFFER_INIT(CLEAT_MIB);
    cleat_api_internal_path(item->resource, item->record->namespace_, item->record->name, &path);
    cleat_buffer_format(&body, "{\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\",\"uid\":",
                        item->record->version);
    cleat_write_string(&body, cleat_str_of(item->record->uid));
    cleat_buffer_format(&body, ",\"%s\":", member);
    int code = 500;
    if (cleat_write_json(&body, value, NULL) == 0) {
        cleat_buffer_text(&body, "}}");
        code = cleat_api_internal_call(
            item->server, cleat_api_janitor_user(item->janitor, CLEAT_API_CHORE_EXAMINE), "PATCH",
            &path, "application/merge-patch+json", &body);
    }
    cleat_buffer_fini(&path);
    cleat_buffer_fini(&body);
    return collector_outcome(code);
}

static int item_drop_finalizer(const struct collector_item *item, const char *finalizer)
{
    struct cleat_value root = CLEAT_VALUE_NONE;
    struct cleat_draft *draft = NULL;
    int again = 1;
    if (cleat_draft_new(item_root(item), &draft, NULL) == 0 &&
        cleat_finalizer_remove(draft, finalizer, NULL) >= 0 &&
        cleat_draft_freeze(draft, &root, NULL) == 0) {
        struct cleat_value rest = cleat_value_find(root, "metadata.finalizers");
        if (cleat_value_is_present(rest)) {
            again = item_patch(item, "finalizers", rest);
        } else {
            struct cleat_document *none = NULL;
            if (cleat_document_parse(CLEAT_STR("[]"), &none, NULL) == 0)
                again = item_patch(item, "finalizers", cleat_document_root(none));
            (void)cleat_document_unref(none);
        }
    }
    (void)cleat_draft_free(draft);
    return again;
}

static int item_init(struct collector_item *item, struct cleat_api_janitor *janitor,
                     struct cleat_api_resource *resource, const char *namespace_, const char *name)
{
    *item = (struct collector_item){
        .janitor = janitor, .server = cleat_api_janitor_server(janitor), .resource = resource};
    item->record = cleat_api_registry_get(&item->server->registry, resource,
                                          cleat_str_of(namespace_), cleat_str_of(name));
    return item->record ? cleat_api_record_document(item->record, &item->document, NULL) : -ENOENT;
}

static void item_fini(struct collector_item *item)
{
    item->document = cleat_document_unref(item->document);
    item->record = cleat_api_record_unref(item->record);
}

/* Reference of the object to owner @uid; false where it has none. */
static bool item_reference(const struct collector_item *item, struct cleat_str uid,
                           struct cleat_scratch scratch[4], struct cleat_owner *ret)
{
    for (size_t i = 0; i < cleat_owner_count(item_root(item)); i++)
        if (cleat_owner_at(item_root(item), i, scratch, ret) == 0 && cleat_str_equal(ret->uid, uid))
            return true;
    return false;
}

/* Takes the references away for which @drop says so; the others stay. */
static int item_forget(const struct collector_item *item, struct cleat_str uid,
                       bool (*drop)(const struct collector_item *item,
                                    const struct cleat_owner *owner, struct cleat_str uid))
{
    struct cleat_scratch scratch[4];
    struct cleat_draft *draft = NULL;
    int again = 1;
    int result = cleat_draft_new(CLEAT_VALUE_NONE, &draft, NULL);
    if (result == 0)
        result = cleat_draft_set_json(draft, "list", "[]", NULL);
    struct cleat_value list = cleat_value_find(item_root(item), "metadata.ownerReferences");
    for (size_t i = 0; result == 0 && i < cleat_value_count(list); i++) {
        struct cleat_owner owner;
        if (cleat_owner_at(item_root(item), i, scratch, &owner) != 0 || !drop(item, &owner, uid))
            result = cleat_draft_append(draft, "list", cleat_value_at(list, i), NULL);
    }
    struct cleat_value root = CLEAT_VALUE_NONE;
    if (result == 0)
        result = cleat_draft_freeze(draft, &root, NULL);
    if (result == 0)
        again = item_patch(item, "ownerReferences", cleat_value_find(root, "list"));
    (void)cleat_draft_free(draft);
    return again;
}

static bool drop_uid(const struct collector_item *item, const struct cleat_owner *owner,
                     struct cleat_str uid)
{
    return cleat_str_equal(owner->uid, uid);
}

static bool drop_not_solid(const struct collector_item *item, const struct cleat_owner *owner,
                           struct cleat_str uid)
{
    return owner_state(item, owner) != OWNER_SOLID;
}

static bool item_has_dependents(const struct collector_item *item)
{
    struct cleat_api_dependent *list = NULL;
    size_t count = 0;
    if (cleat_api_dependents_of(cleat_api_janitor_dependents(item->janitor),
                                cleat_str_of(item->record->uid), &list, &count) != 0)
        return false;
    cleat_api_dependents_release(list, count);
    return count > 0;
}

/* An object that isn't being deleted: does anybody own it still? */
static int collector_owned(const struct collector_item *item)
{
    struct cleat_scratch scratch[4];
    size_t states[3] = {0};
    size_t count = cleat_owner_count(item_root(item));
    for (size_t i = 0; i < count; i++) {
        struct cleat_owner owner;
        if (cleat_owner_at(item_root(item), i, scratch, &owner) == 0)
            states[owner_state(item, &owner)]++;
        else
            states[OWNER_SOLID]++; /* can't be read: no reason to delete anything */
    }
    if (count == 0 || (states[OWNER_GONE] == 0 && states[OWNER_WAITING] == 0))
        return 0;
    if (states[OWNER_SOLID] > 0)
        return item_forget(item, CLEAT_STR(""), drop_not_solid);
    if (states[OWNER_WAITING] > 0 && item_has_dependents(item))
        return item_delete(item, "Foreground");
    if (cleat_finalizer_has(item_root(item), "orphan"))
        return item_delete(item, "Orphan");
    if (cleat_finalizer_has(item_root(item), "foregroundDeletion"))
        return item_delete(item, "Foreground");
    return item_delete(item, "Background");
}

/* What one dependent of an owner that is being deleted needs. */
typedef int (*collector_each_fn)(const struct collector_item *owner,
                                 struct collector_item *dependent,
                                 const struct cleat_owner *reference, bool *ret_blocks);

static int collector_each(const struct collector_item *owner, collector_each_fn fn,
                          bool *ret_blocks)
{
    struct cleat_api_dependent *list = NULL;
    size_t count = 0;
    int again = 0;
    struct cleat_str uid = cleat_str_of(owner->record->uid);
    if (cleat_api_dependents_of(cleat_api_janitor_dependents(owner->janitor), uid, &list, &count) !=
        0)
        return 1;
    for (size_t i = 0; i < count; i++) {
        struct collector_item dependent;
        struct cleat_scratch scratch[4];
        struct cleat_owner reference;
        if (item_init(&dependent, owner->janitor, list[i].resource, list[i].namespace_,
                      list[i].name) == 0 &&
            item_reference(&dependent, uid, scratch, &reference))
            again |= fn(owner, &dependent, &reference, ret_blocks);
        item_fini(&dependent);
    }
    cleat_api_dependents_release(list, count);
    return again;
}

static int each_foreground(const struct collector_item *owner, struct collector_item *dependent,
                           const struct cleat_owner *reference, bool *ret_blocks)
{
    if (reference->block_owner_deletion)
        *ret_blocks = true;
    if (!dependent->record->deleting)
        cleat_api_janitor_add(owner->janitor, CLEAT_API_CHORE_EXAMINE, dependent->resource,
                              dependent->record->namespace_, dependent->record->name);
    return 0;
}

static int each_orphan(const struct collector_item *owner, struct collector_item *dependent,
                       const struct cleat_owner *reference, bool *ret_blocks)
{
    return item_forget(dependent, cleat_str_of(owner->record->uid), drop_uid);
}

/* An object that is being deleted with a finalizer of ours. */
static int collector_deleting(const struct collector_item *item)
{
    bool blocks = false;
    int again = 0;
    if (cleat_finalizer_has(item_root(item), "orphan")) {
        again = collector_each(item, each_orphan, &blocks);
        return again ? again : item_drop_finalizer(item, "orphan");
    }
    if (!cleat_finalizer_has(item_root(item), "foregroundDeletion"))
        return 0;
    again = collector_each(item, each_foreground, &blocks);
    /* While something blocks, its going wakes this owner again. */
    return again || blocks ? again : item_drop_finalizer(item, "foregroundDeletion");
}

int cleat_api_collector_examine(struct cleat_api_janitor *janitor,
                                const struct cleat_api_task *task)
{
    struct collector_item item;
    int again = 0;
    int result = item_init(&item, janitor, task->resource, task->namespace_, task->name);
    if (result == 0)
        again = item.record->deleting ? collector_deleting(&item) : collector_owned(&item);
    else if (result != -ENOENT)
        again = 1;
    item_fini(&item);
    return again;
}
