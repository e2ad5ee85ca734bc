/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "kube/base64.h"
#include "support/suite.h"

/* RFC 4648 section 10, and bytes that use the last two characters of the alphabet. */
static const struct {
    const char *plain;
    size_t length;
    const char *encoded;
} cases[] = {
    {"", 0, ""},
    {"f", 1, "Zg=="},
    {"fo", 2, "Zm8="},
    {"foo", 3, "Zm9v"},
    {"foob", 4, "Zm9vYg=="},
    {"fooba", 5, "Zm9vYmE="},
    {"foobar", 6, "Zm9vYmFy"},
    {"\xfb\xff\xbf", 3, "+/+/"},
    {"\0\0", 2, "AAA="},
};

START_TEST(test_known)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1024);
        struct cleat_str plain = {cases[i].plain, cases[i].length};
        ck_assert_int_eq(cleat_base64_encode(&buffer, plain), 0);
        ck_assert(cleat_str_is(cleat_buffer_view(&buffer), cases[i].encoded));
        ck_assert_uint_eq(buffer.length, CLEAT_BASE64_BYTES(plain.length));
        cleat_buffer_reset(&buffer);
        ck_assert_int_eq(cleat_base64_decode(&buffer, cleat_str_of(cases[i].encoded), NULL), 0);
        ck_assert(cleat_str_equal(cleat_buffer_view(&buffer), plain));
        cleat_buffer_fini(&buffer);
    }
}
END_TEST

START_TEST(test_strict)
{
    static const char *const wrong[] = {
        "Z",         "Zg",   "Zg=",  "====", "Zg=v",     "=Zg=",     "Zm9v Zm9v",
        "Zm9v\nZm9", "Zh==", "Zm9=", "Zm-_", "Zg==Zg==", "Zm9vZ===", "Zm\xc3\xa4",
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1024);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_msg(cleat_base64_decode(&buffer, cleat_str_of(wrong[i]), &err) == -EINVAL,
                      "took %s", wrong[i]);
        ck_assert_int_eq(err.code, -EINVAL);
        ck_assert_uint_eq(buffer.length, 0);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_offset)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1024);
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_base64_decode(&buffer, CLEAT_STR("Zm9vZm*v"), &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "offset 6"));
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_round_trip)
{
    unsigned char bytes[256];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 167 + 13);
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        struct cleat_buffer encoded = CLEAT_BUFFER_INIT(1024);
        struct cleat_buffer decoded = CLEAT_BUFFER_INIT(1024);
        struct cleat_str plain = {(const char *)bytes, length};
        ck_assert_int_eq(cleat_base64_encode(&encoded, plain), 0);
        ck_assert_int_eq(cleat_base64_decode(&decoded, cleat_buffer_view(&encoded), NULL), 0);
        ck_assert(cleat_str_equal(cleat_buffer_view(&decoded), plain));
        cleat_buffer_fini(&encoded);
        cleat_buffer_fini(&decoded);
    }
}
END_TEST

START_TEST(test_bounded)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(5);
    ck_assert_int_eq(cleat_base64_encode(&buffer, CLEAT_STR("foob")), -ENOBUFS);
    cleat_buffer_reset(&buffer);
    ck_assert_int_eq(cleat_base64_decode(&buffer, CLEAT_STR("Zm9vYmFy"), NULL), -ENOBUFS);
    cleat_buffer_fini(&buffer);
}
END_TEST

CLEAT_SUITE_MAIN("base64", test_known, test_strict, test_offset, test_round_trip, test_bounded)
