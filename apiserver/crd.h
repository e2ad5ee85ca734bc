/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CustomResourceDefinitions: defaults and checks when they are written, and the resources that they
 * become.
 *
 *   definition stored ─► sync ─► names accepted? ─► resource in the registry ─► status
 *
 * A definition holds a finalizer of the server's own, so that its objects go before it does.
 */
#ifndef CLEAT_APISERVER_CRD_H
#define CLEAT_APISERVER_CRD_H

#include "apiserver/hooks.h"
#include "apiserver/report.h"
#include "apiserver/server.h"
#include <cleat/draft.h>

#define CLEAT_API_CRD_FINALIZER "customresourcecleanup.apiextensions.k8s.io"

struct cleat_api_crds {
    struct cleat_lock lock; /* one sync at a time; the registry's lock is taken below it */
};

void cleat_api_crds_init(struct cleat_api_crds *crds);
void cleat_api_crds_fini(struct cleat_api_crds *crds);

/** Sets what was left out: singular, listKind, conversion, the finalizer. */
int cleat_api_crd_default(const struct cleat_api_operation *operation, struct cleat_value object,
                          struct cleat_draft *draft, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Reports what is wrong with a definition, its schemas included. -ENOMEM, or 0. */
int cleat_api_crd_check(struct cleat_value object, struct cleat_value old,
                        struct cleat_api_report *report) CLEAT_MUST_CHECK;
/** Makes what is served equal to what is stored under @name. No lock held; any thread. */
void cleat_api_crd_sync(struct cleat_api_server *server, struct cleat_api_crds *crds,
                        struct cleat_str name);
/** An object of @resource is gone: completes the deletion of its definition where it was the last.
 */
void cleat_api_crd_object_gone(struct cleat_api_server *server, struct cleat_api_crds *crds,
                               const struct cleat_api_resource *resource);

#endif
