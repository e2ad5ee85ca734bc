/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's body as it arrives, of a length that is known before. Large ones are mapped for
 * themselves: the allocator would keep them in the arena of each thread that ever had one, and what
 * is bounded in flight would be unbounded at rest.
 */
#ifndef CLEAT_SERVER_HTTP_BODY_H
#define CLEAT_SERVER_HTTP_BODY_H

#include <stddef.h>

#include <cleat/macro.h>
#include <cleat/str.h>

struct cleat_http_body {
    char *data; /* NULL: nothing has come yet */
    size_t length;
    size_t capacity;
};

/** Makes room for @capacity bytes, once. 0, -ENOMEM. */
int cleat_http_body_reserve(struct cleat_http_body *body, size_t capacity) CLEAT_MUST_CHECK;
/** Adds @length bytes. 0; -EMSGSIZE where they are more than was announced. */
int cleat_http_body_add(struct cleat_http_body *body, const char *data,
                        size_t length) CLEAT_MUST_CHECK;
/** What is there; borrowed until the next call. */
struct cleat_str cleat_http_body_view(const struct cleat_http_body *body);
/** Empty again; repeatable. */
void cleat_http_body_fini(struct cleat_http_body *body);

#endif
