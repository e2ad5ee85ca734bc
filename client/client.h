/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a client; for client*.c alone.
 */
#ifndef CLEAT_CLIENT_CLIENT_H
#define CLEAT_CLIENT_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <cleat/client.h>
#include <cleat/write.h>
#include "client/transport.h"
#include "kube/meta.h"
#include "value/parser.h"

struct cleat_client {
    unsigned magic;
    atomic_uint refs;
    struct cleat_transport *transport; /* owned reference */
    const struct cleat_clock *clock;
    struct cleat_log *log;
    char *field_manager;
    bool dry_run;
    int (*fence)(void *arg, bool write, struct cleat_err *err);
    void *fence_arg;
    _Atomic(bool) aborted; /* pairs with the reading in transport_request.c; orders nothing else */
};

/* What a target must name. */
enum client_path_kind {
    CLIENT_PATH_ITEM,       /* namespace (where the kind has one) and name */
    CLIENT_PATH_CREATE,     /* namespace; the name only with a subresource */
    CLIENT_PATH_COLLECTION, /* no name; no namespace means all */
};

/** Writes the path of @target. -EINVAL where a part is missing, superfluous or can't be one. */
int cleat__client_path(const struct cleat_client_target *target, enum client_path_kind kind,
                       struct cleat_buffer *path, struct cleat_err *err) CLEAT_MUST_CHECK;

/* One request on its way; what is zero has its default. */
struct client_send {
    const char *method;
    struct cleat_buffer path;
    struct cleat_buffer body;
    struct cleat_str raw; /* in place of @body, borrowed */
    const char *content_type;
    const char *accept;
    bool gzip;
    bool write;
    int64_t deadline_mono_ms;
};

void cleat__client_send_init(struct client_send *send, const char *method,
                             const struct cleat_client_call *call);
void cleat__client_send_fini(struct client_send *send);
/** Sends and parses; @ret may be NULL. */
int cleat__client_send(struct cleat_client *client, struct client_send *send,
                       struct cleat_document **ret, struct cleat_err *err) CLEAT_MUST_CHECK;
/** The same for an object. */
int cleat__client_send_object(struct cleat_client *client, struct client_send *send,
                              struct cleat_object **ret, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Fills what a request needs from the client and @send. */
void cleat__client_request(const struct cleat_client *client, const struct client_send *send,
                           struct cleat_transport_request *ret);

/** Writes list options of @call to @send's path. */
void cleat__client_list_query(const struct cleat_client_call *call, struct cleat_buffer *path,
                              const struct cleat_list_options *base);
/** The Accept header for lists and objects of @call; static. */
const char *cleat__client_accept(const struct cleat_client_call *call, bool list);

/**
 * The whole object of a parsed item: the root with apiVersion, kind and resourceVersion put back.
 * @list (may be NULL) says what the items of a list are where they don't. In @heap.
 */
int cleat__client_item(struct cleat_heap *heap, const struct cleat_parser_item *item,
                       const struct cleat_parser_list *list,
                       struct cleat_value *ret) CLEAT_MUST_CHECK;

#endif
