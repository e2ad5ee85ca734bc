/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request as the API understands it: user, verb, resource, names and options, taken from method,
 * path and query.
 */
#ifndef CLEAT_APISERVER_REQUEST_H
#define CLEAT_APISERVER_REQUEST_H

#include <cleat/err.h>
#include <stdbool.h>
#include "apiserver/failure.h"
#include "apiserver/registry.h"
#include "apiserver/user.h"
#include "kube/meta.h"

struct cleat_api_server;

/* What the HTTP layer gives; all borrowed for the call. */
struct cleat_api_http {
    const char *method;
    const char *path;  /* as on the wire, without the query */
    const char *query; /* as on the wire, without the question mark; "" */
    struct cleat_str body;
    const char *authorization; /* headers; NULL where absent */
    const char *accept;
    const char *content_type;
    const char *user_agent;
    /* Calls @fn for each header of that name, in order. May be NULL: no impersonation. */
    void (*headers)(const struct cleat_api_http *http,
                    void (*fn)(void *arg, const char *name, const char *value), void *arg);
    void *arg;
};

/* What the answer looks like. */
enum cleat_api_form {
    CLEAT_API_FORM_WHOLE,
    CLEAT_API_FORM_METADATA, /* as=PartialObjectMetadata(List) */
};

struct cleat_api_request {
    struct cleat_api_server *server; /* borrowed */
    const struct cleat_api_http *http;
    struct cleat_api_user *user; /* reference */
    const char *verb;            /* "get", "list", "watch", "create", "update", "patch", "delete",
                                    "deletecollection"; for other paths the method in lower case */
    bool is_resource;
    struct cleat_api_resource *resource; /* reference; NULL where nothing is served there */
    const struct cleat_api_version *version;
    struct cleat_str group; /* decoded parts of the path, NUL-terminated; in `path` */
    struct cleat_str version_name;
    struct cleat_str plural;
    struct cleat_str namespace_; /* "" for cluster scope and all namespaces */
    struct cleat_str name; /* "" for collections; of a create: from the body, before admission */
    struct cleat_str subresource;                  /* "" */
    char api_version[CLEAT_API_VERSION_BYTES_MAX]; /* of @version */
    enum cleat_api_form form;
    struct cleat_query query;
    struct cleat_list_options list;
    struct cleat_write_options write;
    bool internal;                /* from the server's own controllers */
    char *path;                   /* owned */
    struct cleat_buffer warnings; /* texts for Warning headers, each with a newline */
};

/** Reads everything but the user. On failure @failure is filled. Always to be ended by _fini. */
int cleat_api_request_init(struct cleat_api_request *request, struct cleat_api_server *server,
                           const struct cleat_api_http *http,
                           struct cleat_api_failure *failure) CLEAT_MUST_CHECK;
void cleat_api_request_fini(struct cleat_api_request *request);
/** Adds a Warning (code 299) to the answer. */
void cleat_api_request_warn(struct cleat_api_request *request, const char *text);

#endif
