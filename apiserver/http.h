/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP edge: libmicrohttpd with one thread per connection, so that a watch may simply wait.
 */
#ifndef CLEAT_APISERVER_HTTP_H
#define CLEAT_APISERVER_HTTP_H

#include "apiserver/server.h"

struct cleat_api_http_options {
    const char *listen;   /* "127.0.0.1:0" */
    const char *cert_pem; /* NULL: plain HTTP */
    const char *key_pem;
};

/** Listens and serves; @ret is new. -EINVAL for an address that isn't loopback, -EADDRINUSE. */
int cleat_api_http_start(struct cleat_api_server *server,
                         const struct cleat_api_http_options *options,
                         struct cleat_api_http_daemon **ret,
                         struct cleat_err *err) CLEAT_MUST_CHECK;
/** "http://127.0.0.1:1234", borrowed. */
const char *cleat_api_http_url(const struct cleat_api_http_daemon *daemon);
/** Ends all connections and their threads; the server says `stopping` by then. Returns NULL. */
struct cleat_api_http_daemon *cleat_api_http_stop(struct cleat_api_http_daemon *daemon);

#endif
