/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/janitor.h"

#include <cleat/owner.h>
#include <errno.h>
#include <stdio.h>

#include "apiserver/builtin.h"
#include "apiserver/dependents.h"
#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"

#define JANITOR_MAGIC 0x4a414e49u
#define JANITOR_GONE_MAX 512
#define JANITOR_TASKS_MAX 4000000
#define JANITOR_DELAY_FIRST_MS 10
#define JANITOR_DELAY_MAX_MS 30000
/* With a clock that isn't the system's a wait can't know how long it takes: look again soon. */
#define JANITOR_LOOK_MS 20

struct cleat_api_janitor {
    unsigned magic;
    struct cleat_api_server *server;
    struct cleat_api_user *users[2]; /* by chore */
    struct cleat_api_dependents *dependents;
    struct cleat_thread thread;
    struct cleat_lock lock;
    struct cleat_cond cond;
    struct cleat_api_task *first; /* ready, in order */
    struct cleat_api_task *last;
    struct cleat_api_task *delayed;  /* in no order */
    struct cleat_map queued;         /* key → task, ready or delayed */
    char gone[JANITOR_GONE_MAX][64]; /* uids of the last owners that went; a ring */
    size_t gone_count;               /* ever */
    bool stopping;
};

struct cleat_api_server *cleat_api_janitor_server(struct cleat_api_janitor *janitor)
{
    return janitor->server;
}

struct cleat_api_user *cleat_api_janitor_user(struct cleat_api_janitor *janitor,
                                              enum cleat_api_chore chore)
{
    return janitor->users[chore];
}

struct cleat_api_dependents *cleat_api_janitor_dependents(struct cleat_api_janitor *janitor)
{
    return janitor->dependents;
}

int cleat_api_janitor_new(struct cleat_api_server *server, struct cleat_api_janitor **ret)
{
    struct cleat_api_janitor *janitor = cleat_mem_zalloc(1, sizeof(*janitor));
    if (!janitor)
        return -ENOMEM;
    janitor->magic = JANITOR_MAGIC;
    janitor->server = server;
    cleat_lock_init(&janitor->lock, CLEAT_LOCK_APISERVER_WATCH);
    cleat_cond_init(&janitor->cond);
    cleat_map_init(&janitor->queued, JANITOR_TASKS_MAX);
    int result = cleat_api_dependents_new(&janitor->dependents);
    if (result == 0)
        result =
            cleat_api_builtin_user("system:serviceaccount:kube-system:generic-garbage-collector",
                                   &janitor->users[CLEAT_API_CHORE_EXAMINE]);
    if (result == 0)
        result = cleat_api_builtin_user("system:serviceaccount:kube-system:namespace-controller",
                                        &janitor->users[CLEAT_API_CHORE_NAMESPACE]);
    if (result != 0) {
        (void)cleat_api_janitor_free(janitor);
        return result;
    }
    *ret = janitor;
    return 0;
}

static void task_free(struct cleat_api_task *task)
{
    (void)cleat_api_resource_unref(task->resource);
    cleat_mem_free(task->namespace_);
    cleat_mem_free(task->name);
    cleat_mem_free(task->key);
    cleat_mem_free(task);
}

static void task_free_all(struct cleat_api_task *task)
{
    while (task) {
        struct cleat_api_task *next = task->next;
        task_free(task);
        task = next;
    }
}

struct cleat_api_janitor *cleat_api_janitor_free(struct cleat_api_janitor *janitor)
{
    if (!janitor)
        return NULL;
    cleat_assert(!janitor->thread.running);
    task_free_all(janitor->first);
    task_free_all(janitor->delayed);
    cleat_map_fini(&janitor->queued);
    janitor->dependents = cleat_api_dependents_free(janitor->dependents);
    for (size_t i = 0; i < 2; i++)
        (void)cleat_api_user_unref(janitor->users[i]);
    cleat_cond_fini(&janitor->cond);
    cleat_lock_fini(&janitor->lock);
    return cleat_mem_free(janitor);
}

static int task_new(enum cleat_api_chore chore, struct cleat_api_resource *resource,
                    struct cleat_str namespace_, struct cleat_str name, struct cleat_api_task **ret)
{
    struct cleat_api_task *task = cleat_mem_zalloc(1, sizeof(*task));
    if (!task)
        return -ENOMEM;
    task->chore = chore;
    task->resource = cleat_api_resource_ref(resource);
    task->namespace_ =
        cleat_mem_strndup(namespace_.length ? namespace_.data : "", namespace_.length);
    task->name = cleat_mem_strndup(name.data, name.length);
    task->key = cleat_mem_format("%d %s/%s/%.*s/%.*s", (int)chore, resource->group,
                                 resource->plural, CLEAT_STR_ARG(namespace_), CLEAT_STR_ARG(name));
    if (!task->namespace_ || !task->name || !task->key) {
        task_free(task);
        return -ENOMEM;
    }
    *ret = task;
    return 0;
}

static void janitor_append(struct cleat_api_janitor *janitor, struct cleat_api_task *task)
{
    task->next = NULL;
    if (janitor->last)
        janitor->last->next = task;
    else
        janitor->first = task;
    janitor->last = task;
    cleat_cond_signal(&janitor->cond);
}

/* Takes @task out of the delayed ones; false where it isn't there. */
static bool janitor_undelay(struct cleat_api_janitor *janitor, const struct cleat_api_task *task)
{
    for (struct cleat_api_task **link = &janitor->delayed; *link; link = &(*link)->next)
        if (*link == task) {
            *link = task->next;
            return true;
        }
    return false;
}

void cleat_api_janitor_add(struct cleat_api_janitor *janitor, enum cleat_api_chore chore,
                           struct cleat_api_resource *resource, struct cleat_str namespace_,
                           struct cleat_str name)
{
    struct cleat_api_task *task = NULL;
    if (task_new(chore, resource, namespace_, name, &task) != 0)
        return;
    cleat_lock_take(&janitor->lock);
    struct cleat_api_task *there = cleat_map_get(&janitor->queued, cleat_str_of(task->key));
    if (there && janitor_undelay(janitor, there)) {
        janitor_append(janitor, there); /* something new: no waiting any more */
    } else if (!there && cleat_map_set(&janitor->queued, cleat_str_of(task->key), task) == 0) {
        janitor_append(janitor, task);
        task = NULL;
    }
    cleat_lock_release(&janitor->lock);
    if (task)
        task_free(task);
}

/* Delayed tasks whose time has come become ready; returns how long the next one has still to wait.
 */
static int64_t janitor_ripen(struct cleat_api_janitor *janitor)
{
    int64_t now = cleat_clock_mono_ms(janitor->server->clock);
    int64_t wait_ms = -1;
    struct cleat_api_task **link = &janitor->delayed;
    while (*link) {
        struct cleat_api_task *task = *link;
        int64_t left = task->due_mono_ms - now;
        if (left <= 0) {
            *link = task->next;
            janitor_append(janitor, task);
            continue;
        }
        if (wait_ms < 0 || left < wait_ms)
            wait_ms = left;
        link = &task->next;
    }
    bool unsure = janitor->server->clock != cleat_clock_system();
    return unsure && wait_ms > JANITOR_LOOK_MS ? JANITOR_LOOK_MS : wait_ms;
}

/* The next task, or NULL at the stop. */
static struct cleat_api_task *janitor_take(struct cleat_api_janitor *janitor)
{
    struct cleat_api_task *task = NULL;
    cleat_lock_take(&janitor->lock);
    while (!janitor->stopping) {
        int64_t wait_ms = janitor_ripen(janitor);
        if (janitor->first)
            break;
        (void)cleat_cond_wait_ms(&janitor->cond, &janitor->lock, wait_ms);
    }
    if (!janitor->stopping) {
        task = janitor->first;
        janitor->first = task->next;
        if (!janitor->first)
            janitor->last = NULL;
        (void)cleat_map_remove(&janitor->queued, cleat_str_of(task->key));
    }
    cleat_lock_release(&janitor->lock);
    return task;
}

/* Puts a task off, unless it was queued anew meanwhile. */
static void janitor_delay(struct cleat_api_janitor *janitor, struct cleat_api_task *task)
{
    int64_t delay_ms = JANITOR_DELAY_FIRST_MS;
    for (unsigned i = 0; i < task->tries && delay_ms < JANITOR_DELAY_MAX_MS; i++)
        delay_ms *= 2;
    task->tries++;
    task->due_mono_ms = cleat_clock_mono_ms(janitor->server->clock) +
                        (delay_ms < JANITOR_DELAY_MAX_MS ? delay_ms : JANITOR_DELAY_MAX_MS);
    cleat_lock_take(&janitor->lock);
    bool keep = !cleat_map_get(&janitor->queued, cleat_str_of(task->key)) &&
                cleat_map_set(&janitor->queued, cleat_str_of(task->key), task) == 0;
    if (keep) {
        task->next = janitor->delayed;
        janitor->delayed = task;
    }
    cleat_lock_release(&janitor->lock);
    if (!keep)
        task_free(task);
}

static void *janitor_run(void *arg)
{
    struct cleat_api_janitor *janitor = arg;
    struct cleat_api_task *task = NULL;
    cleat_assert(janitor->magic == JANITOR_MAGIC);
    while ((task = janitor_take(janitor))) {
        int again = task->chore == CLEAT_API_CHORE_EXAMINE
                        ? cleat_api_collector_examine(janitor, task)
                        : cleat_api_namespace_tidy(janitor, task);
        if (again)
            janitor_delay(janitor, task);
        else
            task_free(task);
    }
    return NULL;
}

int cleat_api_janitor_start(struct cleat_api_janitor *janitor, struct cleat_err *err)
{
    janitor->stopping = false; /* no thread yet: nobody else looks */
    return cleat_thread_start(&janitor->thread, "janitor", 0, janitor_run, janitor, err);
}

void cleat_api_janitor_stop(struct cleat_api_janitor *janitor)
{
    cleat_lock_take(&janitor->lock);
    janitor->stopping = true;
    cleat_cond_broadcast(&janitor->cond);
    cleat_lock_release(&janitor->lock);
    cleat_thread_join(&janitor->thread);
}

/* What @record says about its owners goes into (or out of) the index. */
static void notice_owners(struct cleat_api_janitor *janitor, struct cleat_api_resource *resource,
                          const struct cleat_api_record *record, bool add)
{
    struct cleat_document *document = NULL;
    struct cleat_scratch scratch[4];
    if (!record || !record->owned || cleat_api_record_document(record, &document, NULL) != 0)
        return;
    struct cleat_value root = cleat_document_root(document);
    for (size_t i = 0; i < cleat_owner_count(root); i++) {
        struct cleat_owner owner;
        if (cleat_owner_at(root, i, scratch, &owner) != 0)
            continue;
        if (!add)
            cleat_api_dependents_remove(janitor->dependents, owner.uid, resource, record);
        else if (cleat_api_dependents_add(janitor->dependents, owner.uid, resource, record) != 0)
            cleat_warn(janitor->server->log, "an owner reference isn't followed",
                       cleat_log_text("object", record->key));
    }
    (void)cleat_document_unref(document);
}

static void note_gone(struct cleat_api_janitor *janitor, const char *uid)
{
    cleat_lock_take(&janitor->lock);
    (void)snprintf(janitor->gone[janitor->gone_count++ % JANITOR_GONE_MAX],
                   sizeof(janitor->gone[0]), "%s", uid);
    cleat_lock_release(&janitor->lock);
}

bool cleat_api_janitor_saw_go(struct cleat_api_janitor *janitor, struct cleat_str uid)
{
    bool saw = false;
    cleat_lock_take(&janitor->lock);
    for (size_t i = 0; !saw && i < JANITOR_GONE_MAX; i++)
        saw = uid.length > 0 && cleat_str_is(uid, janitor->gone[i]);
    cleat_lock_release(&janitor->lock);
    return saw;
}

/* After @record went: those that it owned, and those that waited for it to go. */
static void notice_gone(struct cleat_api_janitor *janitor, const struct cleat_api_record *record)
{
    struct cleat_api_dependent *list = NULL;
    size_t count = 0;
    int rc = cleat_api_dependents_of(janitor->dependents, cleat_str_of(record->uid), &list, &count);
    if (rc == 0 && count > 0)
        note_gone(janitor, record->uid); /* before anybody examines */
    if (rc == 0)
        for (size_t i = 0; i < count; i++)
            cleat_api_janitor_add(janitor, CLEAT_API_CHORE_EXAMINE, list[i].resource,
                                  cleat_str_of(list[i].namespace_), cleat_str_of(list[i].name));
    cleat_api_dependents_release(list, count);
    struct cleat_document *document = NULL;
    if (!record->owned || cleat_api_record_document(record, &document, NULL) != 0)
        return;
    cleat_api_collector_wake_owners(janitor, cleat_document_root(document), record->namespace_);
    (void)cleat_document_unref(document);
}

static void notice_namespace(struct cleat_api_janitor *janitor, struct cleat_api_resource *resource,
                             const struct cleat_api_record *old, const struct cleat_api_record *new)
{
    struct cleat_api_resource *namespaces = janitor->server->registry.namespaces;
    if (resource == namespaces && new && (!old || new->deleting))
        cleat_api_janitor_add(janitor, CLEAT_API_CHORE_NAMESPACE, namespaces, CLEAT_STR(""),
                              new->name);
    else if (!new && old->namespace_.length)
        cleat_api_janitor_add(janitor, CLEAT_API_CHORE_NAMESPACE, namespaces, CLEAT_STR(""),
                              old->namespace_);
}

void cleat_api_janitor_notice(struct cleat_api_janitor *janitor,
                              struct cleat_api_resource *resource,
                              const struct cleat_api_record *old,
                              const struct cleat_api_record *new)
{
    notice_namespace(janitor, resource, old, new);
    if (!new) {
        notice_owners(janitor, resource, old, false);
        notice_gone(janitor, old);
        return;
    }
    if (old && old->owned && !new->owned)
        notice_owners(janitor, resource, old, false);
    notice_owners(janitor, resource, new, true);
    if (new->deleting || (new->owned && (!old || !old->owned)) ||
        (new->owned &&cleat_api_collector_owners_differ(old, new)))
        cleat_api_janitor_add(janitor, CLEAT_API_CHORE_EXAMINE, resource, new->namespace_,
                              new->name);
}
