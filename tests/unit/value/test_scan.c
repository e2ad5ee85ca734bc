/* SPDX-License-Identifier: Apache-2.0 */
/* The parser's inner loops, at every place in a block and never beyond the end. */
#include "support/suite.h"
#include "unit/value/json.h"
#include "value/scan.h"

#define SCAN_LENGTH 70

/* A special byte at every place of texts of every length, in memory that ends right behind them. */
START_TEST(test_special)
{
    static const char specials[] = "\"\\\n\x01\x1f";
    for (size_t length = 0; length <= SCAN_LENGTH; length++) {
        for (size_t place = 0; place <= length; place++) {
            for (size_t kind = 0; kind < sizeof(specials); kind++) { /* the last is NUL */
                char *text = malloc(length + 1);
                memset(text, 'a', length + 1);
                text[place] = specials[kind];
                char *exact = malloc(length ? length : 1);
                memcpy(exact, text, length);
                unsigned flags = 0;
                const char *found = scan_special(exact, exact + length, &flags);
                ck_assert_uint_eq((size_t)(found - exact), place);
                ck_assert_uint_eq(flags, 0);
                free(exact);
                free(text);
            }
        }
    }
}
END_TEST

START_TEST(test_wide)
{
    for (size_t place = 0; place < SCAN_LENGTH; place++) {
        char text[SCAN_LENGTH];
        unsigned flags = 0;
        memset(text, 'a', sizeof(text));
        text[place] = '\x80';
        (void)scan_special(text, text + sizeof(text), &flags);
        ck_assert_uint_eq(flags, SCAN_WIDE);
        flags = 0;
        (void)scan_special(text, text + place, &flags); /* what is behind the end doesn't count */
        ck_assert_uint_eq(flags, 0);
        text[0] = '"';
        flags = 0;
        ck_assert_ptr_eq(scan_special(text, text + sizeof(text), &flags), text);
        ck_assert_uint_eq(flags, 0); /* nor behind the special byte */
    }
}
END_TEST

static const struct {
    const char *text;
    size_t end;
    unsigned flags;
} ends[] = {
    {"abc\"d", 3, 0},
    {"\"", 0, 0},
    {"abc", 3, SCAN_UNENDED},
    {"", 0, SCAN_UNENDED},
    {"a\\\"b\"", 4, SCAN_ESCAPES},
    {"a\\\\\"b", 3, SCAN_ESCAPES},
    {"a\\", 2, SCAN_ESCAPES | SCAN_UNENDED | SCAN_SLASH},
    {"a\\\\", 3, SCAN_ESCAPES | SCAN_UNENDED},
    {"a\\\\\\", 4, SCAN_ESCAPES | SCAN_UNENDED | SCAN_SLASH},
    {"a\nb\"", 1, SCAN_CONTROL},
};

START_TEST(test_ends)
{
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        unsigned flags = 0;
        const char *text = ends[i].text, *found = scan_string(text, text + strlen(text), &flags);
        ck_assert_msg((size_t)(found - text) == ends[i].end && flags == ends[i].flags, "%s: %u",
                      text, flags);
    }
}
END_TEST

static const struct {
    const char *text, *out;
    int outcome;
    bool plain;
} escapes[] = {
    {"", "", 0, true},
    {"plain", "plain", 0, true},
    {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 0, true},
    {"a\\u0041b", "aAb", 0, true},
    {"\\u00e9\\u20AC", "\xc3\xa9\xe2\x82\xac", 0, true},
    {"\\ud834\\udd1e", "\xf0\x9d\x84\x9e", 0, false}, /* pairs are left to the reader of tokens */
    {"\\udbff\\udfff", "\xf4\x8f\xbf\xbf", 0, false},
    {"\\uffff\\ud7ff\\ue000", "\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80", 0, true},
    {"\\ud800", NULL, SCAN_LONE_SURROGATE, false},
    {"\\udc00\\ud800", NULL, SCAN_LONE_SURROGATE, false},
    {"\\ud800\\u0041", NULL, SCAN_LONE_SURROGATE, false},
    {"\\ud800x\\udc00", NULL, SCAN_LONE_SURROGATE, false},
    {"\\ud800\\udc0", NULL, SCAN_LONE_SURROGATE, false},
    {"\\x", NULL, SCAN_BAD_ESCAPE, false},
    {"\\u12", NULL, SCAN_BAD_ESCAPE, false},
    {"\\u12g4", NULL, SCAN_BAD_ESCAPE, false},
    {"\\", NULL, SCAN_BAD_ESCAPE, false},
};

START_TEST(test_escapes)
{
    for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
        char out[64];
        size_t length = 0;
        struct cleat_str text = cleat_str_of(escapes[i].text);
        ck_assert_msg(cleat__scan_unescape(text, out, &length) == escapes[i].outcome, "%s",
                      text.data);
        ck_assert_int_eq(cleat__scan_escapes_plain(text), escapes[i].plain);
        if (escapes[i].outcome == 0)
            ck_assert(cleat_str_is((struct cleat_str){out, length}, escapes[i].out));
    }
    size_t length = 0;
    char out[8];
    ck_assert_int_eq(cleat__scan_unescape(CLEAT_STR("\\u0000"), out, &length), 0);
    ck_assert(length == 1 && out[0] == '\0');
    ck_assert(!cleat__scan_escapes_plain(CLEAT_STR("\\u0000")));
}
END_TEST

START_TEST(test_same)
{
    char a[40], b[40];
    for (size_t length = 0; length < sizeof(a); length++) {
        memset(a, 'x', sizeof(a));
        memset(b, 'x', sizeof(b));
        b[length] = 'y'; /* behind the end */
        ck_assert(scan_same(a, b, length));
        for (size_t place = 0; place < length; place++) {
            b[place] = 'y';
            ck_assert(!scan_same(a, b, length));
            b[place] = 'x';
        }
    }
}
END_TEST

CLEAT_SUITE_MAIN("scan", test_special, test_wide, test_ends, test_escapes, test_same)
