/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/buffer.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "support/chaos.h"
#include "support/suite.h"

START_TEST(test_empty)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(10);
    ck_assert_uint_eq(cleat_buffer_view(&buffer).length, 0);
    cleat_buffer_reset(&buffer);
    cleat_buffer_advance(&buffer, 0);
    cleat_buffer_fini(&buffer);
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_appends)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(SIZE_MAX);
    ck_assert_int_eq(cleat_buffer_append(&buffer, "ab\0c", 4), 0);
    ck_assert_int_eq(cleat_buffer_text(&buffer, "de"), 0);
    ck_assert_int_eq(cleat_buffer_str(&buffer, CLEAT_STR("fg")), 0);
    ck_assert_int_eq(cleat_buffer_byte(&buffer, 'h'), 0);
    ck_assert_int_eq(cleat_buffer_format(&buffer, "-%d-%s", 12, "x"), 0);
    ck_assert_int_eq(cleat_buffer_append(&buffer, NULL, 0), 0);
    ck_assert(cleat_str_equal(cleat_buffer_view(&buffer), CLEAT_STR("ab\0cdefgh-12-x")));
    ck_assert_int_eq(buffer.data[buffer.length], '\0');
    cleat_buffer_fini(&buffer);
    ck_assert_ptr_null(buffer.data);
    ck_assert_uint_eq(buffer.bytes_max, SIZE_MAX);
}
END_TEST

START_TEST(test_growth_keeps_content)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1000000);
    for (int i = 0; i < 100000; i++)
        ck_assert_int_eq(cleat_buffer_byte(&buffer, (char)('a' + i % 26)), 0);
    for (int i = 0; i < 100000; i++)
        ck_assert_int_eq(buffer.data[i], 'a' + i % 26);
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_maximum_is_sticky)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(5);
    ck_assert_int_eq(cleat_buffer_text(&buffer, "12345"), 0);
    ck_assert_int_eq(cleat_buffer_byte(&buffer, '6'), -ENOBUFS);
    ck_assert_int_eq(cleat_buffer_append(&buffer, "", 0), -ENOBUFS);
    ck_assert_ptr_null(cleat_buffer_reserve(&buffer, 0));
    ck_assert_ptr_null(cleat_buffer_take(&buffer));
    ck_assert(cleat_str_is(cleat_buffer_view(&buffer), "12345"));
    cleat_buffer_reset(&buffer);
    ck_assert_int_eq(cleat_buffer_format(&buffer, "%s", "123456"), -ENOBUFS);
    ck_assert_uint_eq(buffer.length, 0);
    cleat_buffer_fini(&buffer);
    ck_assert_int_eq(cleat_buffer_text(&buffer, "12345"), 0);
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_huge_lengths)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(SIZE_MAX);
    ck_assert_int_eq(cleat_buffer_text(&buffer, "x"), 0);
    ck_assert_ptr_null(cleat_buffer_reserve(&buffer, SIZE_MAX));
    ck_assert_int_eq(buffer.failed, -ENOBUFS);
    cleat_buffer_reset(&buffer);
    ck_assert_int_eq(cleat_buffer_text(&buffer, "x"), 0);
    ck_assert_ptr_null(cleat_buffer_reserve(&buffer, SIZE_MAX - 1));
    ck_assert_int_eq(buffer.failed, -ENOBUFS);
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_reserve_and_advance)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(100);
    char *room = cleat_buffer_reserve(&buffer, 10);
    ck_assert_ptr_nonnull(room);
    memcpy(room, "0123456789", 10);
    cleat_buffer_advance(&buffer, 4);
    ck_assert(cleat_str_is(cleat_buffer_view(&buffer), "0123"));
    ck_assert_int_eq(buffer.data[4], '\0');
    cleat_buffer_fini(&buffer);
}
END_TEST

static void advance_too_far(void *arg)
{
    struct cleat_buffer *buffer = arg;
    cleat_buffer_advance(buffer, buffer->capacity);
}

START_TEST(test_advance_beyond_room_aborts)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(100);
    ck_assert_int_eq(cleat_buffer_text(&buffer, "x"), 0);
    ck_assert(cleat_suite_aborts(advance_too_far, &buffer));
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_take)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(100);
    char *empty = cleat_buffer_take(&buffer);
    ck_assert_str_eq(empty, "");
    cleat_free(empty);
    ck_assert_int_eq(cleat_buffer_text(&buffer, "text"), 0);
    char *text = cleat_buffer_take(&buffer);
    ck_assert_str_eq(text, "text");
    ck_assert_uint_eq(buffer.length, 0);
    ck_assert_ptr_null(buffer.data);
    cleat_free(text);
    cleat_free(NULL);
}
END_TEST

static int fill(void *arg)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(10000);
    for (int i = 0; i < 500; i++)
        (void)cleat_buffer_format(&buffer, "%d,", i); /* sticky: looked at once, below */
    char *text = cleat_buffer_take(&buffer);
    int rc = text ? 0 : buffer.failed;
    cleat_free(text);
    cleat_buffer_fini(&buffer);
    return rc;
}

START_TEST(test_out_of_memory)
{
    ck_assert_uint_ge(cleat_chaos_sweep(fill, NULL), 4);
}
END_TEST

CLEAT_SUITE_MAIN("buffer", test_empty, test_appends, test_growth_keeps_content,
                 test_maximum_is_sticky, test_huge_lengths, test_reserve_and_advance,
                 test_advance_beyond_room_aborts, test_take, test_out_of_memory)
