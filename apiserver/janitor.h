/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The janitor tidies up behind deletions, on one thread with one queue: the garbage collector
 * (collector.c) and the namespace controller (namespace.c) are what it does. Everything it does is
 * a request like anybody's; what is refused is tried again, later each time.
 */
#ifndef CLEAT_APISERVER_JANITOR_H
#define CLEAT_APISERVER_JANITOR_H

#include "apiserver/server.h"
#include "base/thread.h"

struct cleat_api_janitor;

/** What there is to do. */
enum cleat_api_chore {
    CLEAT_API_CHORE_EXAMINE,   /* an object with owners, or that is being deleted */
    CLEAT_API_CHORE_NAMESPACE, /* a namespace: empty it, or give it what each has */
};

/* One piece of work. */
struct cleat_api_task {
    enum cleat_api_chore chore;
    struct cleat_api_resource *resource; /* reference */
    char *namespace_;                    /* owned; "" for cluster scope */
    char *name;                          /* owned */
    char *key;                           /* owned; of the queue */
    unsigned tries;
    int64_t due_mono_ms;
    struct cleat_api_task *next;
};

int cleat_api_janitor_new(struct cleat_api_server *server,
                          struct cleat_api_janitor **ret) CLEAT_MUST_CHECK;
int cleat_api_janitor_start(struct cleat_api_janitor *janitor,
                            struct cleat_err *err) CLEAT_MUST_CHECK;
/** Ends the thread; what is queued stays undone. */
void cleat_api_janitor_stop(struct cleat_api_janitor *janitor);
struct cleat_api_janitor *cleat_api_janitor_free(struct cleat_api_janitor *janitor);
/** Something was stored. @old NULL: created; @new NULL: deleted. Any thread; no lock held. */
void cleat_api_janitor_notice(struct cleat_api_janitor *janitor,
                              struct cleat_api_resource *resource,
                              const struct cleat_api_record *old,
                              const struct cleat_api_record *new);
/** Queues work, once. What can't be queued for want of memory is lost. */
void cleat_api_janitor_add(struct cleat_api_janitor *janitor, enum cleat_api_chore chore,
                           struct cleat_api_resource *resource, struct cleat_str namespace_,
                           struct cleat_str name);

/* The chores: 0 done, 1 try again later. On the janitor's thread. */
int cleat_api_collector_examine(struct cleat_api_janitor *janitor,
                                const struct cleat_api_task *task);
/** Queues the owners that @root names. */
void cleat_api_collector_wake_owners(struct cleat_api_janitor *janitor, struct cleat_value root,
                                     struct cleat_str namespace_);
/** True where the two name different owners. */
bool cleat_api_collector_owners_differ(const struct cleat_api_record *old,
                                       const struct cleat_api_record *new);
int cleat_api_namespace_tidy(struct cleat_api_janitor *janitor, const struct cleat_api_task *task);

/* For the chores. */
struct cleat_api_server *cleat_api_janitor_server(struct cleat_api_janitor *janitor);
struct cleat_api_user *cleat_api_janitor_user(struct cleat_api_janitor *janitor,
                                              enum cleat_api_chore chore);
struct cleat_api_dependents *cleat_api_janitor_dependents(struct cleat_api_janitor *janitor);
/** True where the object of @uid, which others name as their owner, was seen to go not long ago.
 * Any thread. */
bool cleat_api_janitor_saw_go(struct cleat_api_janitor *janitor, struct cleat_str uid);

#endif
