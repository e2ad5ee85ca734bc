/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/impersonation.h"

#include <errno.h>
#include <strings.h>

#include "apiserver/server.h"

/* The user that the headers describe, as they come. */
struct impersonation {
    struct cleat_api_user *user;
    const char *name;
    const char *uid;
    bool any; /* some Impersonate header */
    int result;
};

#define EXTRA_PREFIX "Impersonate-Extra-"

static void impersonation_name(void *arg, const char *name, const char *value)
{
    struct impersonation *as = arg;
    if (strncasecmp(name, "Impersonate-", 12) != 0)
        return;
    as->any = true;
    if (strcasecmp(name, "Impersonate-User") == 0)
        as->name = value;
    else if (strcasecmp(name, "Impersonate-Uid") == 0)
        as->uid = value;
}

static void impersonation_rest(void *arg, const char *name, const char *value)
{
    struct impersonation *as = arg;
    if (as->result != 0)
        return;
    if (strcasecmp(name, "Impersonate-Group") == 0) {
        as->result = cleat_api_user_add_group(as->user, cleat_str_of(value));
    } else if (strncasecmp(name, EXTRA_PREFIX, sizeof(EXTRA_PREFIX) - 1) == 0) {
        char key[128];
        size_t length = strlen(name + sizeof(EXTRA_PREFIX) - 1);
        if (length >= sizeof(key))
            length = sizeof(key) - 1;
        for (size_t i = 0; i < length; i++) {
            char c = name[sizeof(EXTRA_PREFIX) - 1 + i];
            key[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        }
        as->result = cleat_api_user_add_extra(as->user, (struct cleat_str){key, length},
                                              cleat_str_of(value));
    }
}

static int impersonation_may(const struct cleat_api_request *request, const char *group,
                             const char *plural, const char *sub, const char *namespace_,
                             struct cleat_str name, struct cleat_api_failure *failure)
{
    const struct cleat_api_attributes attributes = {
        .user = request->user,
        .verb = "impersonate",
        .is_resource = true,
        .group = cleat_str_of(group),
        .version = CLEAT_STR("v1"),
        .plural = cleat_str_of(plural),
        .subresource = cleat_str_of(sub),
        .namespace_ = cleat_str_of(namespace_),
        .name = name,
    };
    return cleat_api_authorize(request->server, &attributes, failure);
}

#define ACCOUNT_PREFIX "system:serviceaccount:"

/* A service account's name is asked about as that account. */
static int impersonation_may_user(const struct cleat_api_request *request, const char *name,
                                  struct cleat_api_failure *failure)
{
    const char *account = name + sizeof(ACCOUNT_PREFIX) - 1;
    const char *colon = strncmp(name, ACCOUNT_PREFIX, sizeof(ACCOUNT_PREFIX) - 1) == 0
                            ? strchr(account, ':')
                            : NULL;
    char namespace_[256];
    if (!colon || (size_t)(colon - account) >= sizeof(namespace_))
        return impersonation_may(request, "", "users", "", "", cleat_str_of(name), failure);
    memcpy(namespace_, account, (size_t)(colon - account));
    namespace_[colon - account] = 0;
    return impersonation_may(request, "", "serviceaccounts", "", namespace_,
                             cleat_str_of(colon + 1), failure);
}

static int impersonation_check(const struct cleat_api_request *request,
                               const struct impersonation *as, struct cleat_api_failure *failure)
{
    const struct cleat_api_user *user = as->user;
    int result = impersonation_may_user(request, as->name, failure);
    for (size_t i = 0; result == 0 && i < user->group_count; i++)
        result = impersonation_may(request, "", "groups", "", "", cleat_str_of(user->groups[i]),
                                   failure);
    for (size_t i = 0; result == 0 && i < user->extra_count; i++)
        result =
            impersonation_may(request, "authentication.k8s.io", "userextras", user->extra_keys[i],
                              "", cleat_str_of(user->extra_values[i]), failure);
    if (result == 0 && as->uid)
        result = impersonation_may(request, "authentication.k8s.io", "uids", "", "",
                                   cleat_str_of(as->uid), failure);
    return result;
}

/* Groups that everybody, and every service account, is in. */
static int impersonation_add_groups(struct cleat_api_user *user)
{
    const char *account = user->name + sizeof(ACCOUNT_PREFIX) - 1;
    int result = 0;
    if (strncmp(user->name, ACCOUNT_PREFIX, sizeof(ACCOUNT_PREFIX) - 1) == 0 &&
        user->group_count == 0) {
        char group[320] = "system:serviceaccounts:";
        size_t length = strcspn(account, ":");
        result = cleat_api_user_add_group(user, CLEAT_STR("system:serviceaccounts"));
        if (result == 0 && length < 256) {
            strncat(group, account, length);
            result = cleat_api_user_add_group(user, cleat_str_of(group));
        }
    }
    if (result == 0 && strcmp(user->name, "system:anonymous") != 0 &&
        !cleat_api_user_in(user, "system:authenticated"))
        result = cleat_api_user_add_group(user, CLEAT_STR("system:authenticated"));
    return result;
}

int cleat_api_impersonate(struct cleat_api_request *request, struct cleat_api_failure *failure)
{
    const struct cleat_api_http *http = request->http;
    struct impersonation as = {0};
    if (!http->headers)
        return 0;
    http->headers(http, impersonation_name, &as);
    if (!as.any)
        return 0;
    if (!as.name || !as.name[0])
        return cleat_api_fail(failure, 400, NULL,
                              "requested impersonation without impersonating a user");
    if (cleat_api_user_new(cleat_str_of(as.name), cleat_str_of(as.uid), &as.user) != 0)
        return cleat_api_fail(failure, 500, NULL, "no memory for a user");
    http->headers(http, impersonation_rest, &as);
    int result = as.result == 0 ? 0
                                : cleat_api_fail(failure, as.result == -ENOMEM ? 500 : 400, NULL,
                                                 "too many impersonation headers");
    if (result == 0)
        result = impersonation_check(request, &as, failure);
    if (result == 0 && impersonation_add_groups(as.user) != 0)
        result = cleat_api_fail(failure, 500, NULL, "no memory for a user");
    if (result == 0) {
        (void)cleat_api_user_unref(request->user);
        request->user = as.user;
    } else {
        (void)cleat_api_user_unref(as.user);
    }
    return result;
}
