/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/alias.h"

#include <cleat/draft.h>
#include <errno.h>

#include "apiserver/change.h"
#include "base/mem.h"

/* Members of an event with another name in each group. */
static const struct {
    const char *core;
    const char *events;
} alias_names[] = {
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
    {"reportingComponent", "reportingController"},
};

static int alias_rename(struct cleat_draft *draft, struct cleat_value in, const char *from,
                        const char *to, struct cleat_err *err)
{
    struct cleat_value value = cleat_value_get(in, from);
    if (!cleat_value_is_present(value))
        return 0;
    int result = cleat_draft_remove(draft, from, err);
    return result == 0 ? cleat_draft_set(draft, to, value, err) : result;
}

static int alias_convert(struct cleat_value in, bool decode, struct cleat_document **ret,
                         struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    int result = cleat_draft_new(in, &draft, err);
    for (size_t i = 0; result == 0 && i < sizeof(alias_names) / sizeof(alias_names[0]); i++)
        result = alias_rename(draft, in, decode ? alias_names[i].core : alias_names[i].events,
                              decode ? alias_names[i].events : alias_names[i].core, err);
    if (result == 0)
        result = cleat_draft_set_text(draft, "apiVersion", decode ? "events.k8s.io/v1" : "v1", err);
    return result == 0 ? cleat_api_document_of(draft, ret, err) : result;
}

static int alias_decode(struct cleat_value in, struct cleat_document **ret, struct cleat_err *err)
{
    return alias_convert(in, true, ret, err);
}

static int alias_encode(struct cleat_value in, struct cleat_document **ret, struct cleat_err *err)
{
    return alias_convert(in, false, ret, err);
}

static const struct cleat_api_alias alias_events = {.decode = alias_decode, .encode = alias_encode};

int cleat_api_alias_events(struct cleat_api_registry *registry)
{
    struct cleat_api_resource *core =
        cleat_api_registry_find(registry, CLEAT_STR(""), CLEAT_STR("events"));
    struct cleat_api_resource *events =
        cleat_api_registry_find(registry, CLEAT_STR("events.k8s.io"), CLEAT_STR("events"));
    int result = core && events ? 0 : -ENOENT;
    if (result == 0) {
        cleat_api_resource_share(events, core);
        events->alias = &alias_events;
    }
    (void)cleat_api_resource_unref(core);
    (void)cleat_api_resource_unref(events);
    return result;
}

int cleat_api_alias_view(const struct cleat_api_resource *resource, struct cleat_api_record *record,
                         struct cleat_api_record **ret, struct cleat_err *err)
{
    if (!resource->alias) {
        *ret = cleat_api_record_ref(record);
        return 0;
    }
    struct cleat_document *stored = NULL;
    struct cleat_document *shown = NULL;
    struct cleat_api_record *made = NULL;
    int result = cleat_api_record_document(record, &stored, err);
    if (result == 0)
        result = resource->alias->decode(cleat_document_root(stored), &shown, err);
    if (result == 0)
        result = cleat_api_record_new(cleat_document_root(shown), true, &made, err);
    if (result == 0)
        result = cleat_api_record_at(made, record->version, ret);
    (void)cleat_api_record_unref(made);
    (void)cleat_document_unref(shown);
    (void)cleat_document_unref(stored);
    return result;
}

static int alias_replace(const struct cleat_api_resource *resource,
                         struct cleat_api_record **record)
{
    struct cleat_api_record *view = NULL;
    int result = *record ? cleat_api_alias_view(resource, *record, &view, NULL) : 0;
    if (result == 0 && *record) {
        (void)cleat_api_record_unref(*record);
        *record = view;
    }
    return result;
}

int cleat_api_alias_snapshot(const struct cleat_api_resource *resource,
                             struct cleat_api_snapshot *snapshot)
{
    int result = 0;
    for (size_t i = 0; resource->alias && result == 0 && i < snapshot->count; i++)
        result = alias_replace(resource, &snapshot->records[i]);
    return result;
}

int cleat_api_alias_event(const struct cleat_api_resource *resource, struct cleat_api_event *event)
{
    if (!resource->alias)
        return 0;
    int result = alias_replace(resource, &event->old);
    return result == 0 ? alias_replace(resource, &event->new) : result;
}
