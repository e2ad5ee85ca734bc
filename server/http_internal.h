/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two halves of the edge share: http.c with the listener's life, http_call.c with one
 * connection's.
 */
#ifndef CLEAT_SERVER_HTTP_INTERNAL_H
#define CLEAT_SERVER_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "base/reporter.h"
#include "controller/ticker.h"
#include "server/http.h"
#include "server/http_stats.h"
#include "server/http_table.h"

#define CLEAT_HTTP_MAGIC 0x68747470u

struct cleat_http {
    unsigned magic;
    struct cleat_http_options options;
    struct MHD_Daemon *daemon;
    struct cleat_http_stats stats;
    struct cleat_http_table table;
    struct cleat_ticker ticker;   /* sweeps the table */
    bool sweeping;                /* the ticker's thread was started */
    int64_t clients_read_mono_ms; /* of the ticker's thread */
    uint64_t told_evicted, told_refused;
    struct cleat_reporter crowded, unknown_client;
    _Atomic(bool) draining; /* relaxed: an answer more or less that keeps its connection */
};

/* What libmicrohttpd calls; @arg is the struct cleat_http. */
enum MHD_Result cleat__http_on_accept(void *arg, const struct sockaddr *address, socklen_t length);
void cleat__http_on_connection(void *arg, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode code);
void *cleat__http_on_uri(void *arg, const char *uri, struct MHD_Connection *connection);
size_t cleat__http_unescape(void *arg, struct MHD_Connection *connection, char *text);
enum MHD_Result cleat__http_on_request(void *arg, struct MHD_Connection *connection,
                                       const char *url, const char *method, const char *version,
                                       const char *upload_data, size_t *upload_size,
                                       void **context);
void cleat__http_on_completed(void *arg, struct MHD_Connection *connection, void **context,
                              enum MHD_RequestTerminationCode code);

#endif
