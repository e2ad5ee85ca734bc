/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_body.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"

#define BODY_MAPPED_BYTES (128 * CLEAT_KIB) /* from here on */

int cleat_http_body_reserve(struct cleat_http_body *body, size_t capacity)
{
    cleat_assert(!body->data);
    char *data = capacity < BODY_MAPPED_BYTES ? cleat_mem_alloc(capacity) : cleat_mem_map(capacity);
    if (!data)
        return -ENOMEM;
    *body = (struct cleat_http_body){.data = data, .capacity = capacity};
    return 0;
}

int cleat_http_body_add(struct cleat_http_body *body, const char *data, size_t length)
{
    if (length > body->capacity - body->length)
        return -EMSGSIZE;
    if (length > 0)
        memcpy(body->data + body->length, data, length);
    body->length += length;
    return 0;
}

struct cleat_str cleat_http_body_view(const struct cleat_http_body *body)
{
    return (struct cleat_str){body->data ? body->data : "", body->length};
}

void cleat_http_body_fini(struct cleat_http_body *body)
{
    if (body->capacity < BODY_MAPPED_BYTES)
        cleat_mem_free(body->data);
    else
        cleat_mem_unmap(body->data, body->capacity);
    *body = (struct cleat_http_body){.data = NULL};
}
