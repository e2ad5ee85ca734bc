/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/tokens.h"

#include <errno.h>

#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/suite.h"

START_TEST(test_parse)
{
    static const char text[] = "t1,alice,u1,\"devs, ops\"\n"
                               "# nothing\n"
                               "\n"
                               "t2,\"bob \"\"the\"\" builder\",u2\r\n"
                               "t3,carol,,one";
    struct cleat_api_tokens tokens;
    cleat_api_tokens_init(&tokens);
    ck_assert_int_eq(cleat_api_tokens_parse(&tokens, CLEAT_STR(text), "file", NULL), 0);
    struct cleat_api_user *alice = cleat_api_tokens_find(&tokens, CLEAT_STR("t1"));
    ck_assert_ptr_nonnull(alice);
    ck_assert_str_eq(alice->name, "alice");
    ck_assert_str_eq(alice->uid, "u1");
    ck_assert(cleat_api_user_in(alice, "devs"));
    ck_assert(cleat_api_user_in(alice, "ops"));
    ck_assert(cleat_api_user_in(alice, "system:authenticated"));
    struct cleat_api_user *bob = cleat_api_tokens_find(&tokens, CLEAT_STR("t2"));
    ck_assert_ptr_nonnull(bob);
    ck_assert_str_eq(bob->name, "bob \"the\" builder");
    ck_assert_uint_eq(bob->group_count, 1);
    struct cleat_api_user *carol = cleat_api_tokens_find(&tokens, CLEAT_STR("t3"));
    ck_assert_ptr_nonnull(carol);
    ck_assert_str_eq(carol->uid, "");
    ck_assert(cleat_api_user_in(carol, "one"));
    ck_assert_ptr_null(cleat_api_tokens_find(&tokens, CLEAT_STR("t")));
    ck_assert_ptr_null(cleat_api_tokens_find(&tokens, CLEAT_STR("")));
    (void)cleat_api_user_unref(alice);
    (void)cleat_api_user_unref(bob);
    (void)cleat_api_user_unref(carol);
    cleat_api_tokens_fini(&tokens);
}
END_TEST

START_TEST(test_refused)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"a,b", "file:1: a token line needs token, user and uid"},
        {"x,y,z\n,b,c", "file:2: empty token or user"},
        {"a,,c", "file:1: empty token or user"},
        {"a,b,c\na,d,e", "file:2: the token is there twice"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_api_tokens tokens;
        cleat_api_tokens_init(&tokens);
        ck_assert_int_eq(cleat_api_tokens_parse(&tokens, cleat_str_of(cases[i].text), "file", &err),
                         -EINVAL);
        ck_assert_str_eq(err.text, cases[i].words);
        cleat_api_tokens_fini(&tokens);
    }
}
END_TEST

START_TEST(test_missing_file)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_api_tokens tokens;
    cleat_api_tokens_init(&tokens);
    ck_assert_int_eq(cleat_api_tokens_load(&tokens, "/nonexistent/tokens", &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/tokens"));
    cleat_api_tokens_fini(&tokens);
}
END_TEST

START_TEST(test_make)
{
    struct cleat_fake_clock clock;
    struct cleat_api_tokens tokens;
    struct cleat_api_user *user = NULL;
    char *first = NULL;
    char *second = NULL;
    cleat_fake_clock_init(&clock);
    cleat_api_tokens_init(&tokens);
    ck_assert_int_eq(cleat_api_user_new(CLEAT_STR("x"), CLEAT_STR(""), &user), 0);
    ck_assert_int_eq(cleat_api_tokens_make(&tokens, &clock.clock, user, &first), 0);
    ck_assert_int_eq(cleat_api_tokens_make(&tokens, &clock.clock, user, &second), 0);
    ck_assert_uint_eq(strlen(first), 48);
    ck_assert_str_ne(first, second);
    struct cleat_api_user *found = cleat_api_tokens_find(&tokens, cleat_str_of(second));
    ck_assert_ptr_eq(found, user);
    (void)cleat_api_user_unref(found);
    (void)cleat_api_user_unref(user);
    cleat_mem_free(first);
    cleat_mem_free(second);
    cleat_api_tokens_fini(&tokens);
}
END_TEST

CLEAT_SUITE_MAIN("tokens", test_parse, test_refused, test_missing_file, test_make)
