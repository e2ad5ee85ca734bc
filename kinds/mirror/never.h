/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is never mirrored, whoever asks: kinds whose copies would get round the API server's own
 * checks, run code, or be fought over with the controllers that keep them.
 */
#ifndef CLEAT_KINDS_MIRROR_NEVER_H
#define CLEAT_KINDS_MIRROR_NEVER_H

#include <stdbool.h>
#include <cleat/err.h>
#include <cleat/gvk.h>
#include <cleat/value.h>

/** 0 where objects of @resource may be mirrored; -EPERM or -EINVAL with the reason. */
int cleat__mirror_kind_check(const struct cleat_resource *resource,
                             struct cleat_err *err) CLEAT_MUST_CHECK;
/**
 * 0 where the object at @root, of @resource, may be a source; -EPERM with the reason: a service
 * account's token, or an object that is a copy itself.
 */
int cleat__mirror_source_check(const struct cleat_resource *resource, struct cleat_value root,
                               struct cleat_err *err) CLEAT_MUST_CHECK;
/** True where only Secrets and ConfigMaps are meant: kinds whose objects may be deleted and made
 * anew. */
bool cleat__mirror_kind_is_plain(const struct cleat_gvk *gvk);

#endif
