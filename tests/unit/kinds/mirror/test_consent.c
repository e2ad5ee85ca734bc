/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "kinds/mirror/consent.h"
#include "fixture.h"
#include "support/suite.h"

static const struct {
    const char *glob, *text;
    bool matches;
} globs[] = {
    {"ci", "ci", true},        {"ci", "cid", false},      {"ci", "c", false},
    {"*", "", true},           {"*", "anything", true},   {"team-*", "team-a", true},
    {"team-*", "team-", true}, {"team-*", "team", false}, {"*-a", "team-a", true},
    {"*-a", "team-b", false},  {"a*b*c", "a1b2c", true},  {"a*b*c", "a1c2b", false},
    {"**", "x", true},         {"a*a", "a", false},       {"a*a", "aa", true},
    {"*ab*ab", "abab", true},  {"*ab*ab", "ab", false},   {"", "", true},
    {"", "x", false},          {"a*", "ba", false},       {"*aab", "aaaab", true},
};

START_TEST(test_globs)
{
    for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++)
        ck_assert_msg(cleat__mirror_glob_matches(cleat_str_of(globs[i].glob),
                                                 cleat_str_of(globs[i].text)) == globs[i].matches,
                      "%s %s", globs[i].glob, globs[i].text);
}
END_TEST

/* Stars don't multiply the time. */
START_TEST(test_glob_is_bounded)
{
    char glob[253], text[253];
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(glob); i++)
        glob[i] = i % 2 ? 'a' : '*';
    glob[sizeof(glob) - 1] = 'b';
    ck_assert(!cleat__mirror_glob_matches((struct cleat_str){glob, sizeof(glob)},
                                          (struct cleat_str){text, sizeof(text)}));
}
END_TEST

static const struct {
    const char *list, *text;
    bool matches, valid;
} lists[] = {
    {"ci, team-*", "ci", true, true},
    {"ci, team-*", "team-b", true, true},
    {"ci, team-*", "other", false, true},
    {"", "ci", false, true},
    {" ", "", false, true},
    {",,", "", false, true},
    {"\tci\t", "ci", true, true},
    {"Ci", "ci", false, false},
    {"a b", "a b", true, false},
    {"ci,*", "x", true, true},
};

START_TEST(test_lists)
{
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct cleat_str list = cleat_str_of(lists[i].list);
        ck_assert_msg(cleat__mirror_globs_match(list, cleat_str_of(lists[i].text)) ==
                          lists[i].matches,
                      "%s %s", lists[i].list, lists[i].text);
        ck_assert_int_eq(cleat__mirror_globs_check(list, NULL), lists[i].valid ? 0 : -EINVAL);
    }
}
END_TEST

START_TEST(test_marks)
{
    struct cleat_object *object = fixture_object(
        "{'none':{},'empty':{'cleat.dev/allowed-namespaces':''},'some':{'cleat.dev/"
        "allowed-namespaces':'ci'},'no':{'cleat.dev/copies':'refuse'},'yes':{'cleat.dev/"
        "copies':'welcome'}}");
    struct cleat_str ci = CLEAT_STR("ci"), other = CLEAT_STR("other");
    ck_assert(cleat__mirror_source_allows(CLEAT_VALUE_NONE, ci));
    ck_assert(cleat__mirror_source_allows(cleat_object_find(object, "none"), ci));
    ck_assert(!cleat__mirror_source_allows(cleat_object_find(object, "empty"), ci));
    ck_assert(cleat__mirror_source_allows(cleat_object_find(object, "some"), ci));
    ck_assert(!cleat__mirror_source_allows(cleat_object_find(object, "some"), other));
    ck_assert(cleat__mirror_refuses(cleat_object_find(object, "no")));
    ck_assert(!cleat__mirror_refuses(cleat_object_find(object, "yes")));
    ck_assert(!cleat__mirror_refuses(CLEAT_VALUE_NONE));
    cleat_object_unref(object);
}
END_TEST

CLEAT_SUITE_MAIN("mirror consent", test_globs, test_glob_is_bounded, test_lists, test_marks)
