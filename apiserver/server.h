/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's parts and how requests run: bytes in, bytes out, without a socket.
 */
#ifndef CLEAT_APISERVER_SERVER_H
#define CLEAT_APISERVER_SERVER_H

#include <cleat/apiserver.h>
#include "apiserver/hooks.h"
#include "apiserver/registry.h"
#include "apiserver/request.h"
#include "apiserver/response.h"
#include "apiserver/tokens.h"

struct cleat_api_http_daemon;
struct cleat_api_janitor;
struct cleat_api_faults;
struct cleat_api_policy;

struct cleat_api_server {
    const struct cleat_clock *clock;
    struct cleat_log *log;
    bool rbac;
    bool no_watch_list;
    bool plain_http;
    struct cleat_api_registry registry;
    struct cleat_api_tokens tokens;
    struct cleat_api_hooks hooks;
    struct cleat_api_policy *policy; /* what fills the hooks; NULL: they are empty */
    struct cleat_api_faults *faults;
    struct cleat_api_janitor *janitor; /* NULL: nothing is collected */
    const char *ca_pem; /* of the server's certificate; "" for plain HTTP; borrowed */
    struct cleat_api_http_daemon *http;
    cleat_audit_fn audit; /* may be NULL */
    void *audit_arg;
    _Atomic(bool) stopping;
};

/**
 * Runs one request: authenticates, authorizes, does. Failures become a Status in @response, which
 * is always usable afterwards and ended by cleat_api_response_fini.
 */
void cleat_api_server_handle(struct cleat_api_server *server, const struct cleat_api_http *http,
                             struct cleat_api_response *response);
/** The same as @user (one of the server's own identities), through admission but not RBAC. */
void cleat_api_server_handle_as(struct cleat_api_server *server, struct cleat_api_user *user,
                                const struct cleat_api_http *http,
                                struct cleat_api_response *response);

/** The parts of @server, for tests; borrowed. */
struct cleat_api_server *cleat_api_server_of(struct cleat_apiserver *server);
/** Tells everybody who has to know that something was stored; no lock is held. */
void cleat_api_server_changed(struct cleat_api_server *server, struct cleat_api_resource *resource,
                              struct cleat_api_record *old, struct cleat_api_record *new);
/** 0, or 403 worded as Kubernetes does. Everything is allowed without RBAC and to system:masters.
 */
int cleat_api_authorize(struct cleat_api_server *server,
                        const struct cleat_api_attributes *attributes,
                        struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
/** 403 for @attributes. */
int cleat_api_fail_forbidden(struct cleat_api_failure *failure,
                             const struct cleat_api_attributes *attributes, const char *reason);

#endif
