/* SPDX-License-Identifier: Apache-2.0 */
#include "support/damage.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define DAMAGE_SPANS_MAX 512
#define DAMAGE_PATH_BYTES 256
#define DAMAGE_HUGE_BYTES ((size_t)64 * 1024)
#define DAMAGE_DIGITS ((size_t)2000)
/* Deeper than any reader of the product goes. */
#define DAMAGE_DEPTH ((size_t)200)

/* A member or an element, by offsets into the text. */
struct span {
    char path[DAMAGE_PATH_BYTES];
    size_t begin; /* of the key, or of the element */
    size_t key_end;
    size_t value;
    size_t end;
    bool member;
    bool first;
};

struct damager {
    const char *text;
    size_t length;
    struct span *spans;
    size_t count;
    char *room; /* the damaged text */
    size_t used;
    char *huge; /* a string of DAMAGE_HUGE_BYTES, with its quotes */
    char *digits;
    char *deep;
    cleat_damage_fn fn;
    void *arg;
    size_t calls;
};

/* ---- where everything is ---- */

static size_t scan_value(struct damager *damager, size_t at, const char *path);

static size_t scan_string(const char *text, size_t at)
{
    for (at++; text[at] != '"'; at++)
        at += text[at] == '\\';
    return at + 1;
}

static size_t scan_span(struct damager *damager, size_t at, const char *path, size_t index,
                        bool member)
{
    ck_assert_uint_lt(damager->count, DAMAGE_SPANS_MAX);
    struct span *span = &damager->spans[damager->count++];
    *span = (struct span){.begin = at, .value = at, .member = member, .first = index == 0};
    if (member) {
        span->key_end = scan_string(damager->text, at);
        span->value = span->key_end + 1;
        (void)snprintf(span->path, sizeof(span->path), "%s%s%.*s", path, path[0] ? "." : "",
                       (int)(span->key_end - at - 2), damager->text + at + 1);
    } else {
        (void)snprintf(span->path, sizeof(span->path), "%s[%zu]", path, index);
    }
    span->end = scan_value(damager, span->value, span->path);
    return span->end;
}

static size_t scan_value(struct damager *damager, size_t at, const char *path)
{
    const char *text = damager->text;
    char open = text[at];
    if (open == '"')
        return scan_string(text, at);
    if (open != '{' && open != '[')
        return at + strcspn(text + at, ",]}");
    at++;
    for (size_t i = 0; text[at] != '}' && text[at] != ']'; i++)
        at = scan_span(damager, at + (i > 0), path, i, open == '{');
    return at + 1;
}

/* ---- what is done to it ---- */

static void put(struct damager *damager, const char *bytes, size_t length)
{
    memcpy(damager->room + damager->used, bytes, length);
    damager->used += length;
}

static void put_text(struct damager *damager, const char *text)
{
    put(damager, text, strlen(text));
}

static void damage_give(struct damager *damager, const char *path, const char *what, bool malformed)
{
    damager->room[damager->used] = '\0';
    const struct cleat_damage damage = {
        .path = path,
        .what = what,
        .malformed = malformed,
        .text = {damager->room, damager->used},
    };
    damager->fn(damager->arg, &damage);
    damager->used = 0;
    damager->calls++;
}

/* The text with [@from, @to) replaced. */
static void damage_splice(struct damager *damager, const struct span *span, const char *what,
                          bool malformed, size_t from, size_t to, const char *with, size_t length)
{
    put(damager, damager->text, from);
    put(damager, with, length);
    put(damager, damager->text + to, damager->length - to);
    damage_give(damager, span->path, what, malformed);
}

static const struct {
    const char *what;
    const char *value;
    size_t length;
    bool malformed;
} values[] = {
    {"null", "null", 4, false},
    {"true", "true", 4, false},
    {"false", "false", 5, false},
    {"zero", "0", 1, false},
    {"a negative number", "-1", 2, false},
    {"a fraction", "1.5", 3, false},
    {"beyond all numbers", "1e999", 5, false},
    {"an empty string", "\"\"", 2, false},
    {"a string", "\"x\"", 3, false},
    {"a space", "\" \"", 3, false},
    {"a NUL, escaped", "\"\\u0000\"", 8, false},
    {"an empty array", "[]", 2, false},
    {"an array of null", "[null]", 6, false},
    {"an array of objects", "[{},{\"a\":1}]", 12, false},
    {"an empty object", "{}", 2, false},
    {"an object", "{\"name\":[{\"x\":null}]}", 21, false},
    {"a NUL", "\"a\0b\"", 5, true},
    {"a newline in a string", "\"a\nb\"", 5, true},
    {"a lone high surrogate", "\"\\ud800\"", 8, true},
    {"a lone low surrogate", "\"\\udc00x\"", 9, true},
    {"surrogates the wrong way round", "\"\\udc00\\ud800\"", 14, true},
    {"no UTF-8", "\"\xff\"", 3, true},
    {"overlong UTF-8", "\"\xc0\xaf\"", 4, true},
    {"a surrogate in UTF-8", "\"\xed\xa0\x80\"", 5, true},
    {"UTF-8 cut short", "\"\xe2\x82\"", 4, true},
    {"nothing", "", 0, true},
    {"NaN", "NaN", 3, true},
    {"a leading zero", "01", 2, true},
    {"a plus", "+1", 2, true},
    {"single quotes", "'x'", 3, true},
    {"a bad escape", "\"\\x41\"", 6, true},
    {"an open string", "\"x", 2, true},
    {"a trailing comma", "[1,]", 4, true},
    {"a comment", "/**/1", 5, true},
    {"a doubled key within", "{\"a\":1,\"a\":1}", 13, true},
};

static void damage_value(struct damager *damager, const struct span *span)
{
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (values[i].length > 0 || span->member) /* an only element that goes leaves [] */
            damage_splice(damager, span, values[i].what, values[i].malformed, span->value,
                          span->end, values[i].value, values[i].length);
    damage_splice(damager, span, "a huge string", false, span->value, span->end, damager->huge,
                  strlen(damager->huge));
    damage_splice(damager, span, "a huge number", false, span->value, span->end, damager->digits,
                  strlen(damager->digits));
    damage_splice(damager, span, "too deep", true, span->value, span->end, damager->deep,
                  strlen(damager->deep));
}

static void damage_missing(struct damager *damager, const struct span *span)
{
    bool comma_behind = damager->text[span->end] == ',';
    size_t from = span->first || comma_behind ? span->begin : span->begin - 1;
    damage_splice(damager, span, "missing", false, from, span->end + comma_behind, "", 0);
}

/* The member again; @key and @value as they were where NULL. */
static void damage_doubled(struct damager *damager, const struct span *span, const char *what,
                           const char *key, const char *value)
{
    put(damager, damager->text, span->end);
    put_text(damager, ",");
    if (key)
        put_text(damager, key);
    else
        put(damager, damager->text + span->begin, span->key_end - span->begin);
    put_text(damager, ":");
    if (value)
        put_text(damager, value);
    else
        put(damager, damager->text + span->value, span->end - span->value);
    put(damager, damager->text + span->end, damager->length - span->end);
    damage_give(damager, span->path, what, true);
}

static void damage_key(struct damager *damager, const struct span *span)
{
    char first = damager->text[span->begin + 1];
    char other = (char)(first ^ ('a' ^ 'A'));
    char escaped[DAMAGE_PATH_BYTES];
    bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z');
    (void)snprintf(escaped, sizeof(escaped), "\"\\u%04x%.*s", (unsigned)(unsigned char)first,
                   (int)(span->key_end - span->begin - 2), damager->text + span->begin + 2);
    if (letter)
        damage_splice(damager, span, "in the wrong case", false, span->begin + 1, span->begin + 2,
                      &other, 1);
    damage_splice(damager, span, "with a space in its key", false, span->key_end - 1,
                  span->key_end - 1, " ", 1);
    damage_splice(damager, span, "with a NUL in its key", false, span->key_end - 1,
                  span->key_end - 1, "\\u0000", 6);
    damage_splice(damager, span, "without a colon", true, span->key_end, span->key_end + 1, " ", 1);
    damage_splice(damager, span, "behind an unknown one", false, span->begin, span->begin,
                  "\"zzz\":{\"uid\":[1]},", 18);
    damage_doubled(damager, span, "doubled", NULL, NULL);
    damage_doubled(damager, span, "doubled by null", NULL, "null");
    damage_doubled(damager, span, "doubled by another", NULL, "\"other\"");
    damage_doubled(damager, span, "doubled in disguise", escaped, NULL);
}

static void damage_whole(struct damager *damager)
{
    static const struct span whole = {.path = ""};
    static const struct {
        const char *what, *before, *behind;
        size_t behind_length;
        bool malformed;
    } frames[] = {
        {"space around", " \t\r\n", " \t\r\n", 4, false},
        {"a BOM before", "\xef\xbb\xbf", "", 0, true},
        {"a letter behind", "", "x", 1, true},
        {"a NUL behind", "", "\0", 1, true},
        {"an object behind", "", "{}", 2, true},
        {"a brace behind", "", "}", 1, true},
        {"a comma behind", "", ",", 1, true},
        {"an array around", "[", "]", 1, false},
        {"an open array before", "[", "", 0, true},
    };
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        put_text(damager, frames[i].before);
        put(damager, damager->text, damager->length);
        put(damager, frames[i].behind, frames[i].behind_length);
        damage_give(damager, "", frames[i].what, frames[i].malformed);
    }
    for (size_t cut = 0; cut < damager->length; cut++)
        damage_splice(damager, &whole, "cut", true, cut, damager->length, "", 0);
    for (size_t i = 0; i < damager->length; i++) { /* UTF-16 */
        put(damager, damager->text + i, 1);
        put(damager, "\0", 1);
    }
    damage_give(damager, "", "UTF-16", true);
}

static char *filled(char fill, size_t length, char open, char close)
{
    char *text = cleat_mem_alloc(length + 3);
    ck_assert_ptr_nonnull(text);
    memset(text, fill, length + 2);
    text[0] = open;
    text[length + 1] = close;
    text[length + 2] = '\0';
    return text;
}

size_t cleat_damage_each(const char *text, cleat_damage_fn fn, void *arg)
{
    struct damager damager = {.text = text, .length = strlen(text), .fn = fn, .arg = arg};
    damager.spans = cleat_mem_zalloc(DAMAGE_SPANS_MAX, sizeof(*damager.spans));
    damager.room = cleat_mem_alloc(2 * damager.length + DAMAGE_HUGE_BYTES + 1024);
    damager.huge = filled('h', DAMAGE_HUGE_BYTES, '"', '"');
    damager.digits = filled('9', DAMAGE_DIGITS, '9', '9');
    damager.deep = filled('[', 2 * DAMAGE_DEPTH - 2, '[', ']');
    memset(damager.deep + DAMAGE_DEPTH, ']', DAMAGE_DEPTH);
    ck_assert(damager.spans && damager.room);
    ck_assert_uint_eq(scan_value(&damager, 0, ""), damager.length);
    for (size_t i = 0; i < damager.count; i++) {
        damage_value(&damager, &damager.spans[i]);
        damage_missing(&damager, &damager.spans[i]);
        if (damager.spans[i].member)
            damage_key(&damager, &damager.spans[i]);
    }
    damage_whole(&damager);
    cleat_mem_free(damager.deep);
    cleat_mem_free(damager.digits);
    cleat_mem_free(damager.huge);
    cleat_mem_free(damager.room);
    cleat_mem_free(damager.spans);
    return damager.calls;
}
