/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Controllers in short form: kinds by name, as kubectl takes them, resolved by discovery.
 */
#ifndef CLEAT_BUILDER_H
#define CLEAT_BUILDER_H

#include <cleat/controller.h>
#include <cleat/manager.h>

CLEAT_BEGIN

/** What one kind of object means to a controller. */
struct cleat_builder_watch {
    const char *kind;           /* "Deployment.apps", or "Deployment" where only one group has it */
    const char *namespace_;     /* NULL: all */
    const char *label_selector; /* NULL: none */
    const char *field_selector; /* NULL: none */
    bool metadata_only;
    const struct cleat_projection *projection; /* NULL: all but managedFields */
    const struct cleat_predicate
        *predicate;   /* NULL: all events; borrowed until the watch is removed */
    bool any_owner;   /* owns: any owner, not just the controller */
    cleat_map_fn map; /* watches: which keys an object concerns */
    void *map_arg;
};

struct cleat_builder {
    struct cleat_controller_options
        options; /* name may be NULL: the kind of `reconciles`, in small letters */
    struct cleat_builder_watch reconciles;     /* For: the reconciled kind */
    const struct cleat_builder_watch *owns;    /* Owns; ends with a kind of NULL; may be NULL */
    const struct cleat_builder_watch *watches; /* Watches; likewise, each with a map */
};

/**
 * Makes a controller and its watches. Asks the API server for the kinds: blocks; not on ingest and
 * events threads. -EINVAL where there is nothing to watch, a map or the name is missing, or owns
 * without a reconciled kind; -ENOENT for a kind that isn't served. @ret is borrowed, the manager
 * keeps it; may be NULL. Source: controller-runtime, package builder.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_build(struct cleat_manager *manager,
                                              const struct cleat_builder *builder,
                                              struct cleat_controller **ret, struct cleat_err *err);

/**
 * A manager on the cluster that KUBECONFIG, the process's own cluster or ~/.kube/config names,
 * which SIGTERM and SIGINT stop. @options may be NULL; their client is filled in. For a program's
 * main; @ret is new.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_manager_open(const struct cleat_manager_options *options,
                                                     struct cleat_manager **ret,
                                                     struct cleat_err *err);

CLEAT_END

#endif
