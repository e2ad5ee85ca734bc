/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The formats of strings that Kubernetes checks. Unknown ones are ignored, as there.
 */
#include <arpa/inet.h>
#include <cleat/name.h>
#include <cleat/quantity.h>
#include <cleat/time.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "apiserver/schema_node.h"
#include "base/limits.h"
#include "kube/base64.h"

static bool format_date(struct cleat_str text)
{
    char whole[32];
    int64_t unused;
    if (text.length != 10)
        return false;
    memcpy(whole, text.data, 10);
    memcpy(whole + 10, "T00:00:00Z", 11);
    return cleat_time_parse(cleat_str_of(whole), &unused) == 0;
}

static bool format_date_time(struct cleat_str text)
{
    int64_t unused;
    return cleat_time_parse(text, &unused) == 0;
}

static bool format_duration(struct cleat_str text)
{
    int64_t unused;
    return cleat_duration_parse(text, &unused) == 0;
}

static bool format_address(struct cleat_str text, int family)
{
    char whole[64];
    unsigned char bytes[16];
    if (!text.length || text.length >= sizeof(whole) || memchr(text.data, 0, text.length))
        return false;
    memcpy(whole, text.data, text.length);
    whole[text.length] = 0;
    return inet_pton(family, whole, bytes) == 1;
}

static bool format_ipv4(struct cleat_str text)
{
    return format_address(text, AF_INET);
}

static bool format_ipv6(struct cleat_str text)
{
    return format_address(text, AF_INET6);
}

static bool format_ip(struct cleat_str text)
{
    return format_ipv4(text) || format_ipv6(text);
}

static bool format_cidr(struct cleat_str text)
{
    const char *slash = text.length ? memchr(text.data, '/', text.length) : NULL;
    if (!slash)
        return false;
    struct cleat_str address = {text.data, (size_t)(slash - text.data)};
    size_t digits = text.length - address.length - 1;
    unsigned bits = 0;
    if (!digits || digits > 3 || (digits > 1 && slash[1] == '0'))
        return false;
    for (size_t i = 1; i <= digits; i++) {
        if (slash[i] < '0' || slash[i] > '9')
            return false;
        bits = bits * 10 + (unsigned)(slash[i] - '0');
    }
    return format_ipv4(address) ? bits <= 32 : format_ipv6(address) && bits <= 128;
}

static bool format_byte(struct cleat_str text)
{
    struct cleat_buffer bytes = CLEAT_BUFFER_INIT(CLEAT_DOCUMENT_BYTES_MAX);
    bool fine = cleat_base64_decode(&bytes, text, NULL) == 0;
    cleat_buffer_fini(&bytes);
    return fine;
}

static bool format_uuid_shape(struct cleat_str text)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '-')
            continue;
        if (!strchr("0123456789abcdefABCDEF", text.data[i]) || !text.data[i])
            return false;
        digits++;
    }
    return digits == 32 && text.length <= 36;
}

static bool format_email(struct cleat_str text)
{
    const char *at = text.length ? memchr(text.data, '@', text.length) : NULL;
    return at && at != text.data && at + 1 < text.data + text.length &&
           !memchr(text.data, ' ', text.length);
}

static bool format_uri(struct cleat_str text)
{
    const char *colon = text.length ? memchr(text.data, ':', text.length) : NULL;
    bool absolute = colon && colon != text.data && !memchr(text.data, ' ', text.length);
    return (text.length && text.data[0] == '/') || absolute;
}

static const struct {
    const char *name;
    bool (*matches)(struct cleat_str text);
} formats[] = {
    {"date", format_date},
    {"date-time", format_date_time},
    {"datetime", format_date_time},
    {"duration", format_duration},
    {"ipv4", format_ipv4},
    {"ipv6", format_ipv6},
    {"ip", format_ip},
    {"cidr", format_cidr},
    {"byte", format_byte},
    {"uuid", format_uuid_shape},
    {"email", format_email},
    {"uri", format_uri},
    {"hostname", cleat_name_is_dns_subdomain},
};

bool schema_format_matches(const char *format, struct cleat_str text)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(formats[i].name, format) == 0)
            return formats[i].matches(text);
    return true;
}
