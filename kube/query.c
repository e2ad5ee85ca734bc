/* SPDX-License-Identifier: Apache-2.0 */
/* Query strings: RFC 3986 section 3.4 with "+" for a blank, as HTML forms and Go's net/url read
 * them. */
#include "kube/meta.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

static int query_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes @text to *@out with a NUL behind it and moves *@out on. */
static int query_decode(struct cleat_str text, char **out, struct cleat_str *ret)
{
    char *start = *out;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < text.length ? query_hex(text.data[i + 1]) : -1;
            int low = high >= 0 ? query_hex(text.data[i + 2]) : -1;
            if (low < 0)
                return -EINVAL;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0')
            return -EINVAL;
        *(*out)++ = c;
    }
    *ret = (struct cleat_str){start, (size_t)(*out - start)};
    *(*out)++ = '\0';
    return 0;
}

/* Decodes "name=value" into the next parameter. */
static int query_parameter(struct cleat_query *query, struct cleat_str text, char **out,
                           struct cleat_err *err)
{
    const char *equal = memchr(text.data, '=', text.length);
    size_t name_length = equal ? (size_t)(equal - text.data) : text.length;
    size_t skip = equal ? name_length + 1 : name_length;
    struct cleat_str name = {text.data, name_length};
    struct cleat_str value = {text.data + skip, text.length - skip};
    if (query->count == CLEAT_QUERY_PARAMETERS_MAX)
        return cleat_err_set(err, -E2BIG, "query string has more than %d parameters",
                             CLEAT_QUERY_PARAMETERS_MAX);
    struct cleat_query_parameter *parameter = &query->parameters[query->count];
    if (query_decode(name, out, &parameter->name) < 0 ||
        query_decode(value, out, &parameter->value) < 0)
        return cleat_err_set(err, -EINVAL, "query parameter %.*s isn't well encoded",
                             CLEAT_STR_ARG(name));
    query->count++;
    return 0;
}

int cleat_query_parse(struct cleat_str text, struct cleat_query *ret, struct cleat_err *err)
{
    cleat_assert(ret->count == 0 && !ret->bytes);
    if (text.length > CLEAT_QUERY_BYTES_MAX)
        return cleat_err_set(err, -E2BIG, "query string has more than %u bytes",
                             CLEAT_QUERY_BYTES_MAX);
    if (text.length == 0)
        return 0;
    /* Decoding shrinks; each parameter brings two NULs for at most one "&" and one "=". */
    ret->bytes = cleat_mem_alloc(2 * text.length + 2);
    if (!ret->bytes)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    char *out = ret->bytes;
    int r = 0;
    while (r == 0 && text.length > 0) {
        const char *end = memchr(text.data, '&', text.length);
        size_t length = end ? (size_t)(end - text.data) : text.length;
        if (length > 0)
            r = query_parameter(ret, (struct cleat_str){text.data, length}, &out, err);
        size_t skip = end ? length + 1 : length;
        text = (struct cleat_str){text.data + skip, text.length - skip};
    }
    if (r < 0)
        cleat_query_fini(ret);
    return r;
}

void cleat_query_fini(struct cleat_query *query)
{
    query->bytes = cleat_mem_free(query->bytes);
    query->count = 0;
}

struct cleat_str cleat_query_get(const struct cleat_query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++)
        if (cleat_str_is(query->parameters[i].name, name))
            return query->parameters[i].value;
    return (struct cleat_str){NULL, 0};
}

static bool query_is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void cleat_query_escape(struct cleat_buffer *buffer, struct cleat_str text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (query_is_unreserved((char)c)) {
            cleat_buffer_byte(buffer, (char)c);
            continue;
        }
        const char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
        cleat_buffer_append(buffer, escaped, sizeof(escaped));
    }
}

void cleat_query_add(struct cleat_buffer *buffer, bool *first, const char *name,
                     struct cleat_str value)
{
    cleat_buffer_byte(buffer, *first ? '?' : '&');
    *first = false;
    cleat_buffer_text(buffer, name);
    cleat_buffer_byte(buffer, '=');
    cleat_query_escape(buffer, value);
}
