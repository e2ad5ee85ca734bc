/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_head.h"

#include <string.h>
#include <strings.h>

/* Characters of a token (RFC 9110 section 5.6.2) besides letters and digits. */
#define HEAD_TOKEN_MARKS "!#$%&'*+-.^_`|~"

static bool token_valid(const char *text)
{
    size_t i = 0;
    for (; text[i]; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && !strchr(HEAD_TOKEN_MARKS, c))
            return false;
    }
    return i > 0;
}

/* No control bytes but tabs (RFC 9110 section 5.5). */
static bool value_valid(const char *value)
{
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* Digits alone; what doesn't fit is as much as there can be. */
static bool length_parse(const char *value, uint64_t *ret)
{
    uint64_t length = 0;
    if (!*value)
        return false;
    for (; *value; value++) {
        if (*value < '0' || *value > '9')
            return false;
        bool fits = length <= (UINT64_MAX - 9) / 10;
        length = fits ? length * 10 + (uint64_t)(*value - '0') : UINT64_MAX;
    }
    *ret = length;
    return true;
}

void cleat_http_head_header(struct cleat_http_head *head, const char *name, const char *value)
{
    if (!token_valid(name) || !value_valid(value))
        head->broken = true;
    if (strcasecmp(name, "Host") == 0) {
        head->hosts++;
        head->broken = head->broken || !*value;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        head->lengths++;
        head->length_broken = !length_parse(value, &head->length) || head->length_broken;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        head->encodings++;
    } else if (strcasecmp(name, "Content-Type") == 0) {
        head->types++;
        head->content_type = value;
    } else if (strcasecmp(name, "Authorization") == 0) {
        head->authorizations++;
    }
}

static int refuse(struct cleat_http_refusal *ret, int status, const char *text)
{
    *ret = (struct cleat_http_refusal){.status = status, .text = text};
    return 1;
}

/* Two readers of these bytes might not agree on where the request ends or who it is for. */
static int check_framing(const struct cleat_http_head *head, struct cleat_http_refusal *ret)
{
    if (head->broken || !token_valid(head->method))
        return refuse(ret, 400, "the request's head is malformed");
    if (strcmp(head->version, "HTTP/1.1") != 0 && strcmp(head->version, "HTTP/1.0") != 0)
        return refuse(ret, 400, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    if (head->hosts != 1)
        return refuse(ret, 400, head->hosts ? "Host is doubled" : "Host is absent");
    if (head->lengths > 1 || head->length_broken)
        return refuse(ret, 400, "Content-Length isn't one number");
    if (head->encodings > 1 || (head->encodings && head->lengths))
        return refuse(ret, 400, "the length of the body is ambiguous");
    if (head->types > 1)
        return refuse(ret, 400, "Content-Type is doubled");
    if (head->authorizations > 1)
        return refuse(ret, 400, "Authorization is doubled");
    if (head->encodings)
        return refuse(ret, 411, "Transfer-Encoding isn't taken; send Content-Length");
    return 0;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* application/json, with nothing but a charset=utf-8 behind it. */
static bool type_is_json(const char *type)
{
    static const char json[] = "application/json", charset[] = "charset=";
    if (!type || strncasecmp(type, json, sizeof(json) - 1) != 0)
        return false;
    type = skip_blanks(type + sizeof(json) - 1);
    if (!*type)
        return true;
    if (*type != ';')
        return false;
    type = skip_blanks(type + 1);
    if (strncasecmp(type, charset, sizeof(charset) - 1) != 0)
        return !*type;
    type += sizeof(charset) - 1;
    bool quoted = *type == '"';
    type += quoted;
    if (strncasecmp(type, "utf-8", 5) != 0 || (quoted && type[5] != '"'))
        return false;
    return !*skip_blanks(type + 5 + quoted);
}

static int check_post(const struct cleat_http_head *head, size_t body_bytes_max,
                      struct cleat_http_refusal *ret)
{
    if (!type_is_json(head->content_type))
        return refuse(ret, 415, "Content-Type isn't application/json");
    if (!head->lengths)
        return refuse(ret, 411, "Content-Length is absent");
    if (head->length > body_bytes_max)
        return refuse(ret, 413, "the body is too large");
    return 0;
}

int cleat_http_head_check(const struct cleat_http_head *head,
                          const struct cleat_http_target *target, size_t body_bytes_max,
                          struct cleat_http_refusal *ret)
{
    if (check_framing(head, ret))
        return 1;
    if (target->kind == CLEAT_HTTP_NOTHING)
        return refuse(ret, 404, "there is nothing at this path");
    bool post = target->kind == CLEAT_HTTP_WEBHOOK;
    bool reads = strcmp(head->method, "GET") == 0 || strcmp(head->method, "HEAD") == 0;
    if (post ? strcmp(head->method, "POST") != 0 : !reads) {
        (void)refuse(ret, 405, "this method isn't served here"); /* always 1 */
        ret->allow = post ? "POST" : "GET, HEAD";
        return 1;
    }
    if (post)
        return check_post(head, body_bytes_max, ret);
    return head->length > 0 ? refuse(ret, 413, "no body is taken here") : 0;
}
