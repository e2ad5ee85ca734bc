/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/version.h"

#include <stdio.h>

#include "base/limits.h"
#include "support/suite.h"

START_TEST(test_read)
{
    static const struct {
        const char *text;
        int code;
        uint64_t version;
    } cases[] = {
        {"", 0, 0},     {"0", 0, 0},
        {"7", 0, 7},    {"1234567890123456789", 0, 1234567890123456789u},
        {"x", 400, 0},  {"-1", 400, 0},
        {" 1", 400, 0}, {"1.0", 400, 0},
        {"1x", 400, 0}, {"12345678901234567890", 400, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
        uint64_t version = 99;
        int result = cleat_api_version_read(cleat_str_of(cases[i].text), &version, &failure);
        ck_assert_int_eq(failure.code, cases[i].code);
        ck_assert_int_eq(result == 0, cases[i].code == 0);
        if (result == 0)
            ck_assert_uint_eq(version, cases[i].version);
        cleat_api_failure_fini(&failure);
    }
}
END_TEST

START_TEST(test_reached)
{
    struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
    ck_assert_int_eq(cleat_api_version_reached(7, 7, &failure), 0);
    ck_assert_int_ne(cleat_api_version_reached(8, 7, &failure), 0);
    ck_assert_int_eq(failure.code, 504);
    ck_assert_str_eq(failure.reason, "Timeout");
    ck_assert_str_eq(failure.message, "Too large resource version: 8, current: 7");
    ck_assert_str_eq(failure.causes[0].reason, "ResourceVersionTooLarge");
    ck_assert_int_eq(failure.retry_after_s, 1);
    cleat_api_failure_fini(&failure);
}
END_TEST

START_TEST(test_tokens)
{
    static const char *const keys[] = {"a", "ns/name", "ns/with:colons", "x/y.z-1"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
        struct cleat_buffer text = CLEAT_BUFFER_INIT(4 * CLEAT_KIB);
        struct cleat_api_token token = {.revision = 1000 + i, .left = i};
        struct cleat_api_token again = {0};
        snprintf(token.after, sizeof(token.after), "%s", keys[i]);
        cleat_api_token_write(&token, &text);
        ck_assert_int_eq(cleat_api_token_read(cleat_buffer_view(&text), &again, &failure), 0);
        ck_assert_str_eq(again.after, keys[i]);
        ck_assert_uint_eq(again.revision, 1000 + i);
        ck_assert_uint_eq(again.left, i);
        cleat_buffer_fini(&text);
    }
}
END_TEST

START_TEST(test_bad_tokens)
{
    /* "", no Base64, "v2:1:1:a", "v1:1:a", "v1:x:1:a", "v1:1:1:", "v1" */
    static const char *const cases[] = {
        "", "!", "djI6MToxOmE=", "djE6MTph", "djE6eDoxOmE=", "djE6MToxOg==", "djE="};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_api_failure failure = CLEAT_API_FAILURE_INIT;
        struct cleat_api_token token;
        ck_assert_msg(cleat_api_token_read(cleat_str_of(cases[i]), &token, &failure) != 0, "%s",
                      cases[i]);
        ck_assert_int_eq(failure.code, 400);
        cleat_api_failure_fini(&failure);
    }
}
END_TEST

CLEAT_SUITE_MAIN("version", test_read, test_reached, test_tokens, test_bad_tokens)
