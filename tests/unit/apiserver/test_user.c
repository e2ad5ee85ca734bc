/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/user.h"

#include <errno.h>

#include "base/limits.h"
#include "support/suite.h"

START_TEST(test_write)
{
    struct cleat_api_user *user = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    ck_assert_int_eq(cleat_api_user_new(CLEAT_STR("a\"b"), CLEAT_STR(""), &user), 0);
    cleat_api_user_write(user, &text);
    ck_assert_str_eq(text.data, "{\"username\":\"a\\\"b\"}");
    (void)cleat_api_user_unref(user);
    ck_assert_int_eq(cleat_api_user_new(CLEAT_STR("a"), CLEAT_STR("7"), &user), 0);
    ck_assert_int_eq(cleat_api_user_add_group(user, CLEAT_STR("g")), 0);
    ck_assert_int_eq(cleat_api_user_add_group(user, CLEAT_STR("h")), 0);
    ck_assert_int_eq(cleat_api_user_add_extra(user, CLEAT_STR("k"), CLEAT_STR("1")), 0);
    ck_assert_int_eq(cleat_api_user_add_extra(user, CLEAT_STR("l"), CLEAT_STR("2")), 0);
    ck_assert_int_eq(cleat_api_user_add_extra(user, CLEAT_STR("k"), CLEAT_STR("3")), 0);
    cleat_buffer_reset(&text);
    cleat_api_user_write(user, &text);
    ck_assert_str_eq(text.data, "{\"username\":\"a\",\"uid\":\"7\",\"groups\":[\"g\",\"h\"],"
                                "\"extra\":{\"k\":[\"1\",\"3\"],\"l\":[\"2\"]}}");
    (void)cleat_api_user_unref(user);
    cleat_buffer_fini(&text);
}
END_TEST

START_TEST(test_groups)
{
    struct cleat_api_user *user = NULL;
    ck_assert_int_eq(cleat_api_user_new(CLEAT_STR("a"), CLEAT_STR(""), &user), 0);
    for (int i = 0; i < CLEAT_API_GROUPS_MAX; i++)
        ck_assert_int_eq(cleat_api_user_add_group(user, CLEAT_STR("g")), 0);
    ck_assert_int_eq(cleat_api_user_add_group(user, CLEAT_STR("g")), -ENOBUFS);
    ck_assert(cleat_api_user_in(user, "g"));
    ck_assert(!cleat_api_user_in(user, "G"));
    (void)cleat_api_user_unref(user);
    ck_assert_ptr_null(cleat_api_user_unref(NULL));
}
END_TEST

CLEAT_SUITE_MAIN("user", test_write, test_groups)
