/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/name.h>

#include "support/suite.h"

#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10
#define A63 A60 "aaa"

/* What each text may be. */
enum { LABEL = 1, SUBDOMAIN = 2, KEY = 4, VALUE = 8 };

static const struct {
    const char *text;
    unsigned may_be;
} cases[] = {
    {"", VALUE},
    {"a", LABEL | SUBDOMAIN | KEY | VALUE},
    {"0", LABEL | SUBDOMAIN | KEY | VALUE},
    {"a-b", LABEL | SUBDOMAIN | KEY | VALUE},
    {"a.b", SUBDOMAIN | KEY | VALUE},
    {"a..b", KEY | VALUE},
    {".a", 0},
    {"a.", 0},
    {"-a", 0},
    {"a-", 0},
    {"a-.b", KEY | VALUE},
    {"A", KEY | VALUE},
    {"a_b", KEY | VALUE},
    {"_a", 0},
    {"a/b", KEY},
    {"example.com/Name_x.y", KEY},
    {"Example.com/name", 0},
    {"a/b/c", 0},
    {"/b", 0},
    {"a/", 0},
    {"a b", 0},
    {"\xc3\xa4", 0},
    {"a\n", 0},
    {A63, LABEL | SUBDOMAIN | KEY | VALUE},
    {A63 "a", SUBDOMAIN},
    {A63 "/" A63, KEY},
    {A63 "/" A63 "a", 0},
    {A63 "." A63 "." A63 "." A60 "a", SUBDOMAIN},
    {A63 "." A63 "." A63 "." A60 "aa", 0},
    {A63 "." A63 "." A63 "." A60 "a/" A63, KEY},
    {A63 "." A63 "." A63 "." A60 "aa/" A63, 0},
};

START_TEST(test_all)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_str text = cleat_str_of(cases[i].text);
        unsigned is = (cleat_name_is_dns_label(text) ? LABEL : 0u) |
                      (cleat_name_is_dns_subdomain(text) ? SUBDOMAIN : 0u) |
                      (cleat_name_is_label_key(text) ? KEY : 0u) |
                      (cleat_name_is_label_value(text) ? VALUE : 0u);
        ck_assert_msg(is == cases[i].may_be, "\"%s\" is %x instead of %x", cases[i].text, is,
                      cases[i].may_be);
    }
}
END_TEST

START_TEST(test_nul)
{
    struct cleat_str text = {"a\0b", 3};
    ck_assert(!cleat_name_is_dns_label(text));
    ck_assert(!cleat_name_is_label_value(text));
    ck_assert(!cleat_name_is_label_key(text));
}
END_TEST

CLEAT_SUITE_MAIN("name", test_all, test_nul)
