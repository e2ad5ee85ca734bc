/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers of an answer, line by line: the status, Retry-After and Warning are what we read;
 * their number and size are bounded.
 */
#include "client/transport_curl.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"

static struct cleat_str head_trim(struct cleat_str text)
{
    while (text.length > 0 && strchr(" \t\r\n", text.data[text.length - 1]))
        text.length--;
    while (text.length > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.length--;
    }
    return text;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200". Another status line (after a 1xx) starts anew. */
static bool head_status(struct transport_head *head, struct cleat_str line)
{
    if (line.length < 5 || memcmp(line.data, "HTTP/", 5) != 0)
        return false;
    size_t bytes = head->bytes;
    size_t lines = head->lines;
    *head = (struct transport_head){.bytes = bytes, .lines = lines};
    const char *blank = memchr(line.data, ' ', line.length);
    const char *end = line.data + line.length;
    for (const char *at = blank ? blank + 1 : end; at < end && at < blank + 4; at++) {
        if (*at < '0' || *at > '9') {
            head->code = 0;
            return true;
        }
        head->code = head->code * 10 + (*at - '0');
    }
    return true;
}

bool cleat__transport_retry_after(struct cleat_str value, int64_t wall_ms, int64_t *ret_ms)
{
    value = head_trim(value);
    char text[64];
    if (value.length == 0 || value.length >= sizeof(text))
        return false;
    memcpy(text, value.data, value.length);
    text[value.length] = '\0';
    int64_t wait_ms = 0;
    if (strspn(text, "0123456789") == value.length) {
        for (size_t i = 0; i < value.length && wait_ms < TRANSPORT_RETRY_AFTER_MS_MAX; i++)
            wait_ms = wait_ms * 10 + (text[i] - '0') * INT64_C(1000);
    } else {
        time_t date = curl_getdate(text, NULL);
        if (date == (time_t)-1)
            return false;
        wait_ms = (int64_t)date * 1000 - wall_ms;
    }
    wait_ms = wait_ms < 0 ? 0 : wait_ms;
    *ret_ms = wait_ms > TRANSPORT_RETRY_AFTER_MS_MAX ? TRANSPORT_RETRY_AFTER_MS_MAX : wait_ms;
    return true;
}

/* True the first time for a text; beyond the maximum the oldest are forgotten. */
static bool head_warning_is_new(struct cleat_transport *transport, struct cleat_str text)
{
    uint64_t hash = cleat_hash_bytes(text.data, text.length);
    cleat_lock_take(&transport->lock);
    size_t known = transport->warned_count < TRANSPORT_WARNINGS_MAX ? transport->warned_count
                                                                    : TRANSPORT_WARNINGS_MAX;
    bool found = false;
    for (size_t i = 0; i < known && !found; i++)
        found = transport->warned[i] == hash;
    if (!found)
        transport->warned[transport->warned_count++ % TRANSPORT_WARNINGS_MAX] = hash;
    cleat_lock_release(&transport->lock);
    return !found;
}

static void head_warning(struct cleat_transport *transport, const char *text, size_t length)
{
    if (transport->warning) {
        transport->warning(transport->warning_arg, text);
    } else if (head_warning_is_new(transport, (struct cleat_str){text, length})) {
        cleat_warn(transport->log, "API server warns", cleat_log_text("warning", text),
                   cleat_log_text("server", transport->endpoint.host));
    }
}

/* Unquotes a quoted-string (RFC 9110 section 5.6.4) at *@at, behind its first quote. */
static size_t head_unquote(const char **at, const char *end, char *out, size_t size)
{
    size_t length = 0;
    while (*at < end && **at != '"') {
        if (**at == '\\' && *at + 1 < end)
            (*at)++;
        if (length + 1 < size)
            out[length++] = **at;
        (*at)++;
    }
    *at += *at < end;
    out[length] = '\0';
    return length;
}

/* 299 agent "text" ["date"] [, …]: RFC 7234 section 5.5, as API servers send it. */
void cleat__transport_warn(struct cleat_transport *transport, struct cleat_str value)
{
    const char *at = value.data;
    const char *end = at + value.length;
    while (at < end) {
        while (at < end && (*at == ' ' || *at == ','))
            at++;
        bool counts = end - at > 4 && memcmp(at, "299 ", 4) == 0;
        const char *quote = at < end ? memchr(at, '"', (size_t)(end - at)) : NULL;
        if (!quote)
            return;
        char text[TRANSPORT_WARNING_BYTES_MAX];
        at = quote + 1;
        size_t length = head_unquote(&at, end, text, sizeof(text));
        if (counts && length > 0)
            head_warning(transport, text, length);
        while (at < end && *at != ',')
            at++;
    }
}

static bool head_is(struct cleat_str name, const char *text)
{
    return name.length == strlen(text) && strncasecmp(name.data, text, name.length) == 0;
}

static void head_field(struct transport_head *head, struct cleat_transport *transport,
                       struct cleat_str line)
{
    const char *colon = memchr(line.data, ':', line.length);
    if (!colon)
        return;
    struct cleat_str name = {line.data, (size_t)(colon - line.data)};
    struct cleat_str value =
        head_trim((struct cleat_str){colon + 1, line.length - name.length - 1});
    if (head_is(name, "retry-after")) {
        head->has_retry_after = cleat__transport_retry_after(
            value, cleat_clock_wall_ms(transport->clock), &head->retry_after_ms);
    } else if (head_is(name, "warning")) {
        cleat__transport_warn(transport, value);
    }
}

int cleat__transport_head_line(struct transport_head *head, struct cleat_transport *transport,
                               const char *line, size_t length)
{
    head->bytes += length;
    head->lines++;
    if (head->bytes > TRANSPORT_HEADER_BYTES_MAX || head->lines > TRANSPORT_HEADER_LINES_MAX) {
        head->broken = -EMSGSIZE;
        return head->broken;
    }
    struct cleat_str text = head_trim((struct cleat_str){line, length});
    if (text.length == 0)
        head->complete = head->code >= 200;
    else if (!head_status(head, text))
        head_field(head, transport, text);
    return 0;
}
