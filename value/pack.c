/* SPDX-License-Identifier: Apache-2.0 */
#include "value/pack.h"

#include <string.h>

#include "base/civil.h"
#include "value/node.h"

#define UUID_TEXT_BYTES 36
#define DIGEST_BYTES 32
#define TAIL_LETTERS 5
#define TAIL_PREFIX_BYTES_MIN 5

/* The value of a lower-case hex digit, else 0xff. */
static uint8_t hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0');
    return c >= 'a' && c <= 'f' ? (uint8_t)(c - 'a' + 10) : 0xff;
}

static bool hex_read(const char *text, uint8_t *bytes, size_t count)
{
    uint8_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        wrong |= (high | low) & 0xf0;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return wrong == 0;
}

static char *hex_write(char *out, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        *out++ = "0123456789abcdef"[bytes[i] >> 4];
        *out++ = "0123456789abcdef"[bytes[i] & 15];
    }
    return out;
}

/* The groups of a UUID: bytes of each. */
static const uint8_t uuid_groups[] = {4, 2, 2, 2, 6};

static bool pack_uuid(struct cleat_str text, struct pack *ret)
{
    const char *at = text.data;
    uint8_t bytes[16], *out = bytes;
    if (at[8] != '-' || at[13] != '-' || at[18] != '-' || at[23] != '-')
        return false;
    for (size_t i = 0; i < sizeof(uuid_groups); i++) {
        if (!hex_read(at, out, uuid_groups[i]))
            return false;
        at += 2 * uuid_groups[i] + 1;
        out += uuid_groups[i];
    }
    memcpy(ret->words, bytes, sizeof(bytes));
    ret->count = 4;
    ret->type = PACK_UUID;
    return true;
}

static bool pack_ipv4(struct cleat_str text, struct pack *ret)
{
    uint32_t address = 0;
    size_t at = 0;
    for (int group = 0; group < 4; group++) {
        uint32_t number = 0;
        size_t first = at;
        while (at < text.length && text.data[at] >= '0' && text.data[at] <= '9' && at - first < 3)
            number = number * 10 + (uint32_t)(text.data[at++] - '0');
        bool zero_led = at - first > 1 && text.data[first] == '0';
        if (at == first || zero_led || number > 255)
            return false;
        address = address << 8 | number;
        if (group < 3 && (at >= text.length || text.data[at++] != '.'))
            return false;
    }
    ret->words[0] = address;
    ret->count = 1;
    ret->type = PACK_IPV4;
    return at == text.length;
}

static bool pack_digest(struct cleat_str text, struct pack *ret)
{
    size_t prefix = text.length - 2 * (size_t)DIGEST_BYTES;
    uint8_t bytes[DIGEST_BYTES];
    if (!hex_read(text.data + prefix, bytes, DIGEST_BYTES))
        return false;
    ret->prefix = (struct cleat_str){text.data, prefix};
    memcpy(ret->words + 1, bytes, DIGEST_BYTES);
    ret->count = 1 + DIGEST_BYTES / 4;
    ret->type = PACK_DIGEST;
    return true;
}

static const char tail_letters[] = "bcdfghjklmnpqrstvwxz2456789";

static bool pack_tail(struct cleat_str text, struct pack *ret)
{
    size_t prefix = text.length - TAIL_LETTERS;
    uint32_t number = 0;
    if (text.data[prefix - 1] != '-')
        return false;
    for (size_t i = prefix; i < text.length; i++) {
        const char *letter = text.data[i] ? strchr(tail_letters, text.data[i]) : NULL;
        if (!letter)
            return false;
        number = number * (sizeof(tail_letters) - 1) + (uint32_t)(letter - tail_letters);
    }
    ret->prefix = (struct cleat_str){text.data, prefix};
    ret->words[1] = number;
    ret->count = 2;
    ret->type = PACK_TAIL;
    return true;
}

void cleat__pack(struct cleat_str text, struct pack *ret)
{
    size_t length = text.length;
    ret->type = PACK_NONE;
    ret->prefix = (struct cleat_str){NULL, 0};
    bool packed = false;
    if (length >= 7 && length <= 15 && text.data[0] <= '9' && text.data[0] >= '0')
        packed = pack_ipv4(text, ret);
    else if (length == UUID_TEXT_BYTES)
        packed = pack_uuid(text, ret);
    else if (length >= 2 * DIGEST_BYTES && length <= 2 * DIGEST_BYTES + PACK_PREFIX_BYTES_MAX)
        packed = pack_digest(text, ret);
    if (!packed && length >= TAIL_LETTERS + TAIL_PREFIX_BYTES_MIN &&
        length <= TAIL_LETTERS + PACK_PREFIX_BYTES_MAX)
        packed = pack_tail(text, ret);
    if (!packed)
        ret->type = PACK_NONE;
}

static char *unpack_uuid(char *out, const uint32_t *words)
{
    const uint8_t *bytes = (const uint8_t *)words;
    for (size_t i = 0; i < sizeof(uuid_groups); i++) {
        if (i > 0)
            *out++ = '-';
        out = hex_write(out, bytes, uuid_groups[i]);
        bytes += uuid_groups[i];
    }
    return out;
}

static char *unpack_ipv4(char *out, uint32_t address)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        uint32_t number = address >> shift & 0xff;
        if (number >= 100)
            *out++ = (char)('0' + number / 100);
        if (number >= 10)
            *out++ = (char)('0' + number / 10 % 10);
        *out++ = (char)('0' + number % 10);
        if (shift > 0)
            *out++ = '.';
    }
    return out;
}

static char *unpack_tail(char *out, uint32_t number)
{
    for (int i = TAIL_LETTERS - 1; i >= 0; i--) {
        out[i] = tail_letters[number % (sizeof(tail_letters) - 1)];
        number /= sizeof(tail_letters) - 1;
    }
    return out + TAIL_LETTERS;
}

struct cleat_str cleat__unpack(enum pack_type type, const uint32_t *words, struct cleat_str prefix,
                               struct cleat_scratch *scratch)
{
    char *out = scratch->bytes;
    if (prefix.length > 0) {
        memcpy(out, prefix.data, prefix.length);
        out += prefix.length;
    }
    switch (type) {
    case PACK_UUID: out = unpack_uuid(out, words); break;
    case PACK_IPV4: out = unpack_ipv4(out, words[0]); break;
    case PACK_DIGEST: out = hex_write(out, (const uint8_t *)(words + 1), DIGEST_BYTES); break;
    case PACK_TAIL: out = unpack_tail(out, words[1]); break;
    case PACK_NONE: cleat_assert(type != PACK_NONE);
    }
    *out = '\0';
    return (struct cleat_str){scratch->bytes, (size_t)(out - scratch->bytes)};
}

/* Two decimal digits, or a number above 99 where they aren't. */
static unsigned two_digits(const char *text)
{
    unsigned high = (unsigned char)text[0] - (unsigned)'0';
    unsigned low = (unsigned char)text[1] - (unsigned)'0';
    return high > 9 || low > 9 ? 100 : high * 10 + low;
}

bool cleat__pack_time(const char *text, uint32_t *ret)
{
    if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
        text[19] != 'Z')
        return false;
    unsigned century = two_digits(text), year = two_digits(text + 2);
    unsigned month = two_digits(text + 5), day = two_digits(text + 8);
    unsigned hour = two_digits(text + 11), minute = two_digits(text + 14);
    unsigned second = two_digits(text + 17);
    if (century != 20 || year < 10 || year > 43 || month < 1 || month > 12 || day < 1 ||
        hour > 23 || minute > 59 || second > 59 ||
        day > (unsigned)cleat_civil_month_days(2000 + year, (int)month))
        return false;
    int64_t days = cleat_civil_days(2000 + year, (int)month, (int)day);
    int64_t unix_s = days * 86400 + hour * 3600 + minute * 60 + second;
    *ret = REF_TIME | (uint32_t)(unix_s - REF_TIME_EPOCH_UNIX_S);
    return true;
}

struct cleat_str cleat__unpack_time(uint32_t ref, struct cleat_scratch *scratch)
{
    int64_t unix_s = REF_TIME_EPOCH_UNIX_S + (int64_t)(ref & REF_TIME_SECONDS_MAX);
    struct cleat_civil civil = cleat_civil_of_unix_ms(unix_s * 1000);
    const unsigned parts[] = {(unsigned)(civil.year / 100), (unsigned)(civil.year % 100),
                              (unsigned)civil.month,        (unsigned)civil.day,
                              (unsigned)civil.hour,         (unsigned)civil.minute,
                              (unsigned)civil.second};
    static const uint8_t places[] = {0, 2, 5, 8, 11, 14, 17};
    memcpy(scratch->bytes, "0000-00-00T00:00:00Z", PACK_TIME_BYTES + 1);
    for (size_t i = 0; i < sizeof(places); i++) {
        scratch->bytes[places[i]] = (char)('0' + parts[i] / 10);
        scratch->bytes[places[i] + 1] = (char)('0' + parts[i] % 10);
    }
    return (struct cleat_str){scratch->bytes, PACK_TIME_BYTES};
}
