/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks: name, uid, groups, extra. Counted and frozen; any thread.
 */
#ifndef CLEAT_APISERVER_USER_H
#define CLEAT_APISERVER_USER_H

#include <cleat/buffer.h>
#include <cleat/macro.h>
#include <cleat/str.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define CLEAT_API_GROUPS_MAX 64
#define CLEAT_API_EXTRA_MAX 64

struct cleat_api_user {
    atomic_uint refs;
    char *name;
    char *uid; /* "" where there is none */
    char *groups[CLEAT_API_GROUPS_MAX];
    size_t group_count;
    char *extra_keys[CLEAT_API_EXTRA_MAX]; /* one pair per value; equal keys aren't adjacent by rule
                                            */
    char *extra_values[CLEAT_API_EXTRA_MAX];
    size_t extra_count;
};

/** A user without groups. @ret is new. */
int cleat_api_user_new(struct cleat_str name, struct cleat_str uid,
                       struct cleat_api_user **ret) CLEAT_MUST_CHECK;
struct cleat_api_user *cleat_api_user_ref(struct cleat_api_user *user);
/** NULL is fine; returns NULL. */
struct cleat_api_user *cleat_api_user_unref(struct cleat_api_user *user);
/** Only before the user is shared. -ENOMEM, -ENOBUFS. */
int cleat_api_user_add_group(struct cleat_api_user *user, struct cleat_str group) CLEAT_MUST_CHECK;
int cleat_api_user_add_extra(struct cleat_api_user *user, struct cleat_str key,
                             struct cleat_str value) CLEAT_MUST_CHECK;
bool cleat_api_user_in(const struct cleat_api_user *user, const char *group);
/** Appends {"username": …, "uid": …, "groups": […], "extra": {…}} (authentication's UserInfo). */
void cleat_api_user_write(const struct cleat_api_user *user, struct cleat_buffer *buffer);

#endif
