/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer tokens: those of a token file in Kubernetes' CSV format, and those made for kubeconfigs.
 * Any thread.
 */
#ifndef CLEAT_APISERVER_TOKENS_H
#define CLEAT_APISERVER_TOKENS_H

#include <cleat/clock.h>
#include <cleat/err.h>
#include "apiserver/user.h"
#include "base/lock.h"
#include "base/map.h"

struct cleat_api_tokens {
    struct cleat_lock lock;
    struct cleat_map map; /* token → struct tokens_entry */
};

void cleat_api_tokens_init(struct cleat_api_tokens *tokens);
void cleat_api_tokens_fini(struct cleat_api_tokens *tokens);
/** Adds a token; takes a reference of @user. -EEXIST, -ENOMEM. */
int cleat_api_tokens_add(struct cleat_api_tokens *tokens, struct cleat_str token,
                         struct cleat_api_user *user) CLEAT_MUST_CHECK;
/** A new random token for @user. @ret is new (cleat_mem_free). */
int cleat_api_tokens_make(struct cleat_api_tokens *tokens, const struct cleat_clock *clock,
                          struct cleat_api_user *user, char **ret) CLEAT_MUST_CHECK;
/** Reads lines token,user,uid[,"group1,group2"]. -EINVAL names file and line. */
int cleat_api_tokens_load(struct cleat_api_tokens *tokens, const char *path,
                          struct cleat_err *err) CLEAT_MUST_CHECK;
/** The same from text. @name stands in messages. */
int cleat_api_tokens_parse(struct cleat_api_tokens *tokens, struct cleat_str text, const char *name,
                           struct cleat_err *err) CLEAT_MUST_CHECK;
/** The user of a token, or NULL. New reference. */
struct cleat_api_user *cleat_api_tokens_find(struct cleat_api_tokens *tokens,
                                             struct cleat_str token);

#endif
