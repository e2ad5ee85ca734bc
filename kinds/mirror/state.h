/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the kind Mirror share. All of it is constant after cleat_mirror_new but what
 * has a lock of its own (feeds, contest, metrics) and own_username, which is set once.
 */
#ifndef CLEAT_KINDS_MIRROR_STATE_H
#define CLEAT_KINDS_MIRROR_STATE_H

#include <cleat/controller.h>
#include <cleat/manager.h>
#include "kinds/mirror/contest.h"
#include "kinds/mirror/feeds.h"
#include "kinds/mirror/mirror.h"
#include "kinds/mirror/mirror_metrics.h"
#include "kinds/mirror/spec.h"

#define CLEAT__MIRROR_MAGIC 0x6d697272U
#define MIRROR_COPIES_CONFIGURATION "cleat-copies"
#define MIRROR_VALIDATING_CONFIGURATION "cleat-validating"

struct cleat_mirror {
    unsigned magic;
    struct cleat_manager *manager; /* borrowed */
    char *own_namespace;
    char *webhook_url;                   /* NULL: by the Service */
    _Atomic(const char *) own_username;  /* owned; NULL until known */
    struct cleat_controller *controller; /* borrowed */
    struct cleat_controller *hooks;      /* borrowed */
    struct cleat_store *mirrors;
    struct cleat_store *namespaces;
    struct cleat_store *configurations; /* validating webhook configurations, two by name */
    struct mirror_feeds feeds;
    struct mirror_contest contest;
    struct mirror_metrics metrics;
};

/** The state behind a callback's argument. */
struct cleat_mirror *cleat__mirror_of(void *arg);
/** Reconciles one Mirror; a cleat_reconcile_fn. */
int cleat__mirror_reconcile(void *arg, const struct cleat_context *context,
                            const struct cleat_request *request, struct cleat_result *result,
                            struct cleat_err *err);
/** Keeps the webhooks of cleat-copies; a cleat_reconcile_fn. */
int cleat__mirror_hooks_reconcile(void *arg, const struct cleat_context *context,
                                  const struct cleat_request *request, struct cleat_result *result,
                                  struct cleat_err *err);
/* Handlers; cleat_admit_fn. */
int cleat__mirror_mutate(void *arg, const struct cleat_review *review,
                         struct cleat_verdict *verdict, struct cleat_err *err);
int cleat__mirror_validate(void *arg, const struct cleat_review *review,
                           struct cleat_verdict *verdict, struct cleat_err *err);
int cleat__mirror_judge_copy(void *arg, const struct cleat_review *review,
                             struct cleat_verdict *verdict, struct cleat_err *err);

extern const struct cleat_resource mirror_configuration_resource;

#endif
