/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's head, judged before its body is read: no sockets, no state. What libmicrohttpd's
 * lenient parser lets through is refused here as far as it can still be seen.
 */
#ifndef CLEAT_SERVER_HTTP_HEAD_H
#define CLEAT_SERVER_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/http_site.h"

struct cleat_http_head {
    const char *method;       /* borrowed, as is content_type */
    const char *version;      /* "HTTP/1.1" */
    const char *content_type; /* NULL: none */
    /* How often each header was there. */
    unsigned hosts, lengths, encodings, types, authorizations;
    bool broken; /* a header that can't be a header */
    bool length_broken;
    uint64_t length; /* of the body */
};

/* Why a request isn't taken. Texts are static. */
struct cleat_http_refusal {
    int status;
    const char *text;
    const char *allow; /* for 405 */
    int retry_after_s; /* 0: no such header */
};

/** Notes one header; both strings are borrowed as long as @head. */
void cleat_http_head_header(struct cleat_http_head *head, const char *name, const char *value);
/**
 * Judges in the order that the documentation promises. 0: take it; 1: @ret says why not.
 * @body_bytes_max counts for targets that take bodies.
 */
int cleat_http_head_check(const struct cleat_http_head *head,
                          const struct cleat_http_target *target, size_t body_bytes_max,
                          struct cleat_http_refusal *ret);

#endif
