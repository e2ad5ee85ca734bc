/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/pieces.h"

#include "support/suite.h"

START_TEST(test_every_cut)
{
    static const char whole[] = "abcdefghij";
    for (size_t size = 1; size < 12; size++) {
        struct cleat_api_pieces pieces;
        char out[16] = "";
        size_t length = 0;
        cleat_api_pieces_clear(&pieces);
        cleat_api_pieces_add(&pieces, CLEAT_STR("abc"));
        cleat_api_pieces_add(&pieces, CLEAT_STR(""));
        cleat_api_pieces_add(&pieces, CLEAT_STR("d"));
        cleat_api_pieces_add(&pieces, CLEAT_STR("efghij"));
        while (!cleat_api_pieces_done(&pieces)) {
            size_t got = cleat_api_pieces_copy(&pieces, out + length, size);
            ck_assert_uint_gt(got, 0);
            ck_assert_uint_le(got, size);
            length += got;
        }
        ck_assert_uint_eq(length, sizeof(whole) - 1);
        ck_assert_mem_eq(out, whole, length);
    }
}
END_TEST

START_TEST(test_nothing)
{
    struct cleat_api_pieces pieces;
    char out[4];
    cleat_api_pieces_clear(&pieces);
    ck_assert(cleat_api_pieces_done(&pieces));
    ck_assert_uint_eq(cleat_api_pieces_copy(&pieces, out, sizeof(out)), 0);
    cleat_api_pieces_add(&pieces, CLEAT_STR(""));
    ck_assert(cleat_api_pieces_done(&pieces));
}
END_TEST

CLEAT_SUITE_MAIN("pieces", test_every_cut, test_nothing)
