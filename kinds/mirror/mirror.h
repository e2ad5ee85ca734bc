/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind Mirror as a whole: its controller (elected), the controller that keeps the rules of the
 * copies' webhook, and its three admission handlers, all on the manager's one cache.
 *
 *   Mirrors, sources, copies, namespaces ─► cache ─► reconcile ─► copies, status, events
 *   AdmissionReview ─► admission_self, admission_copy ─► verdict
 */
#ifndef CLEAT_KINDS_MIRROR_MIRROR_H
#define CLEAT_KINDS_MIRROR_MIRROR_H

#include <cleat/err.h>
#include <cleat/manager.h>
#include <cleat/webhook.h>

#define CLEAT_MIRROR_MUTATE_PATH "/mutate-cleat-dev-v1alpha1-mirror"
#define CLEAT_MIRROR_VALIDATE_PATH "/validate-cleat-dev-v1alpha1-mirror"
#define CLEAT_MIRROR_COPIES_PATH "/validate-cleat-dev-copies"

struct cleat_mirror;

struct cleat_mirror_options {
    struct cleat_manager *manager;   /* borrowed; not started yet */
    struct cleat_webhooks *webhooks; /* borrowed; NULL: controllers only */
    const char *own_namespace;       /* never reached by a selector; NULL: "cleat-system" */
    const char *own_username; /* whose changes of copies are ours; NULL: asked for at the start */
    const char *webhook_url;  /* base URL of the webhook port; NULL: by the Service `cleat` */
    unsigned workers;         /* 0: 4 */
};

/**
 * Adds the controllers "mirror" and "mirror-hooks" with their feeds, the handlers, and the check
 * "mirror-kinds" (outside the sum) to the manager. Strings are copied. @ret is new. 0, -ENOMEM,
 * -EEXIST.
 */
CLEAT_MUST_CHECK int cleat_mirror_new(const struct cleat_mirror_options *options,
                                      struct cleat_mirror **ret, struct cleat_err *err);
/**
 * Tells whose changes of copies are ours, where that wasn't known yet when @mirror was made: before
 * the manager starts the group OTHERS, which asks otherwise. @username is copied; a second call,
 * and one after the option, change nothing. 0 or -ENOMEM. One thread.
 */
CLEAT_MUST_CHECK int cleat_mirror_set_username(struct cleat_mirror *mirror, const char *username,
                                               struct cleat_err *err);
/**
 * Frees it: after an orderly end of the manager's run, before the manager is freed, once the edge
 * answers no request any more. NULL is fine; returns NULL.
 */
struct cleat_mirror *cleat_mirror_free(struct cleat_mirror *mirror);

#endif
