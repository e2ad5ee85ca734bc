/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "server/http_body.h"
#include "support/suite.h"

START_TEST(test_sizes)
{
    static const size_t sizes[] = {0, 1, 1000, 128 * 1024 - 1, 128 * 1024, 7 * 1024 * 1024 + 5};
    static const char piece[1000] = {'a', 'b'};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct cleat_http_body body = {NULL, 0, 0};
        ck_assert_uint_eq(cleat_http_body_view(&body).length, 0);
        ck_assert_int_eq(cleat_http_body_reserve(&body, sizes[i]), 0);
        while (body.length < sizes[i]) {
            size_t left = sizes[i] - body.length;
            ck_assert_int_eq(
                cleat_http_body_add(&body, piece, left < sizeof(piece) ? left : sizeof(piece)), 0);
        }
        ck_assert_int_eq(cleat_http_body_add(&body, piece, 0), 0);
        ck_assert_int_eq(cleat_http_body_add(&body, piece, 1), -EMSGSIZE);
        struct cleat_str view = cleat_http_body_view(&body);
        ck_assert_uint_eq(view.length, sizes[i]);
        for (size_t at = 0; at < view.length; at++)
            ck_assert_int_eq(view.data[at], piece[at % sizeof(piece)]);
        cleat_http_body_fini(&body);
        cleat_http_body_fini(&body);
        ck_assert_ptr_null(body.data);
    }
}
END_TEST

START_TEST(test_no_memory)
{
    static const size_t sizes[] = {1000, 7 * 1024 * 1024, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct cleat_http_body body = {NULL, 0, 0};
        if (sizes[i] < SIZE_MAX / 2)
            cleat_mem_fail_at(1, false);
        ck_assert_int_eq(cleat_http_body_reserve(&body, sizes[i]), -ENOMEM);
        cleat_mem_fail_at(0, false);
        ck_assert_ptr_null(body.data);
        ck_assert_int_eq(cleat_http_body_add(&body, "x", 1), -EMSGSIZE);
        cleat_http_body_fini(&body);
    }
}
END_TEST

CLEAT_SUITE_MAIN("http_body", test_sizes, test_no_memory)
