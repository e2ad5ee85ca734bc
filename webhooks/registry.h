/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry: which handler answers on which path, and what all answers share.
 */
#ifndef CLEAT_WEBHOOKS_REGISTRY_H
#define CLEAT_WEBHOOKS_REGISTRY_H

#include <cleat/webhook.h>
#include "base/budget.h"
#include "base/lock.h"
#include "webhooks/webhook_metrics.h"
#include "webhooks/workspace.h"

#define CLEAT_WEBHOOKS_MAX 256
#define CLEAT_WEBHOOK_PATH_BYTES 512
#define CLEAT_CONVERT_PATH "/convert"

/* One path. Constant once it is in the registry, and there until the registry's end. */
struct cleat_webhook {
    char path[CLEAT_WEBHOOK_PATH_BYTES];
    struct cleat_webhook_options options;
    struct cleat_webhook_series series;
};

struct cleat_converter {
    struct cleat_gvk kind; /* the version doesn't count */
    cleat_convert_fn fn;
    void *arg;
};

struct cleat_webhooks {
    struct cleat_webhooks_options options;
    struct cleat_lock lock; /* of the two tables' counts; entries don't move */
    struct cleat_webhook *hooks[CLEAT_WEBHOOKS_MAX];
    size_t hook_count;
    struct cleat_converter *converters[CLEAT_WEBHOOKS_MAX];
    size_t converter_count;
    struct cleat_workspace_shelf shelf;
    struct cleat_budget budget;
    struct cleat_webhook_metrics metrics;
};

/** The webhook on exactly @path, or NULL; borrowed for the registry's life. */
struct cleat_webhook *cleat_webhooks_find(struct cleat_webhooks *webhooks, const char *path);
/** The converter of a group and kind, or NULL. */
struct cleat_converter *cleat_webhooks_converter(struct cleat_webhooks *webhooks,
                                                 const struct cleat_gvk *kind);
/** The bytes-in-flight budget that edges share with the registry. */
struct cleat_budget *cleat_webhooks_budget(struct cleat_webhooks *webhooks);
/**
 * As cleat_webhooks_answer for an edge that counted the body before it read it: @claim covers the
 * body and is taken, whatever comes out; an empty one stands for a body that isn't counted yet.
 */
int cleat_webhooks_answer_claimed(struct cleat_webhooks *webhooks, const char *path,
                                  const char *query, struct cleat_str body,
                                  struct cleat_budget_claim *claim, struct cleat_buffer *answer,
                                  int *ret_retry_after_s);

#endif
