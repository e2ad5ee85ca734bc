/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/err.h>

#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "support/suite.h"

START_TEST(test_set)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    int line = __LINE__ + 1;
    ck_assert_int_eq(cleat_err_set(&err, -ENOENT, "file %s is %d", "x", 7), -ENOENT);
    ck_assert_int_eq(err.code, -ENOENT);
    ck_assert_str_eq(err.text, "file x is 7");
    ck_assert_int_eq(err.line, line);
    ck_assert_str_eq(err.func, __func__);
    ck_assert_ptr_nonnull(strstr(err.file, "test_err.c"));
}
END_TEST

START_TEST(test_first_writer_wins)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    (void)cleat_err_set(&err, -EIO, "low");
    ck_assert_int_eq(cleat_err_set(&err, -EINVAL, "high"), -EINVAL);
    ck_assert_int_eq(err.code, -EIO);
    ck_assert_str_eq(cleat_err_text(&err), "low");
    cleat_err_clear(&err);
    ck_assert_int_eq(err.code, 0);
    (void)cleat_err_set(&err, -EINVAL, "high");
    ck_assert_str_eq(cleat_err_text(&err), "high");
}
END_TEST

START_TEST(test_null_is_fine)
{
    ck_assert_int_eq(cleat_err_set(NULL, -EIO, "nobody reads %s", "this"), -EIO);
    cleat_err_prefix(NULL, "x");
    cleat_err_clear(NULL);
    ck_assert_str_eq(cleat_err_text(NULL), "no error");
}
END_TEST

START_TEST(test_prefix)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    cleat_err_prefix(&err, "nothing");
    ck_assert_str_eq(err.text, "");
    (void)cleat_err_set(&err, -EIO, "port in use");
    cleat_err_prefix(&err, "listener %d", 3);
    cleat_err_prefix(&err, "server");
    ck_assert_str_eq(err.text, "server: listener 3: port in use");
}
END_TEST

START_TEST(test_name_of_code)
{
    struct cleat_err err = {.code = -ENOMEM};
    ck_assert_str_eq(cleat_err_text(&err), "ENOMEM");
    cleat_err_prefix(&err, "pool");
    ck_assert_str_eq(cleat_err_text(&err), "pool: ENOMEM");
    err = (struct cleat_err){.code = -99999};
    ck_assert_str_eq(cleat_err_text(&err), "unknown error");
}
END_TEST

START_TEST(test_escapes)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"a\nb", "a\\nb"},
        {"\x1b[31m", "\\x1b[31m"},
        {"\x7f", "\\x7f"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"bad \xff\xc3", "bad \\xff\\xc3"},
        {"\xc2\x9b", "\\u009b"},
        {"back\\slash", "back\\slash"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        (void)cleat_err_set(&err, -EIO, "%s", rows[i].in);
        ck_assert_str_eq(err.text, rows[i].out);
    }
}
END_TEST

/* Whatever the length, the cut text is whole characters and none of them is called malformed. */
START_TEST(test_cut_at_a_character)
{
    static const char *const units[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t u = 0; u < 4; u++) {
        for (size_t lead = 0; lead < 4; lead++) {
            char text[2048] = "xxx";
            text[lead] = '\0';
            while (strlen(text) < 1000)
                strncat(text, units[u], sizeof(text) - strlen(text) - 1);
            struct cleat_err err = CLEAT_ERR_INIT;
            (void)cleat_err_set(&err, -EIO, "%s", text);
            size_t length = strlen(err.text);
            ck_assert_uint_ge(length, CLEAT_ERR_TEXT_BYTES_MAX - 4);
            ck_assert(cleat_utf8_valid(cleat_str_of(err.text)));
            ck_assert_msg(strchr(err.text, '\\') == NULL, "%s", err.text);
            cleat_err_prefix(&err, "object %s", units[u]);
            ck_assert(cleat_utf8_valid(cleat_str_of(err.text)));
            ck_assert_uint_lt(strlen(err.text), CLEAT_ERR_TEXT_BYTES_MAX);
        }
    }
}
END_TEST

CLEAT_SUITE_MAIN("err", test_set, test_first_writer_wins, test_null_is_fine, test_prefix,
                 test_name_of_code, test_escapes, test_cut_at_a_character)
