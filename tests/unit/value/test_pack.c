/* SPDX-License-Identifier: Apache-2.0 */
/* Packed strings come back byte for byte, and what only looks like one isn't packed. */
#include <stdio.h>
#include "support/suite.h"
#include "unit/value/json.h"
#include "value/node.h"
#include "value/pack.h"

#define HEX64 "a6377fc8f4e096ce80e894803592e012aa7f2b9c4e6b9428e958ade72480d5f8"
#define P30 "012345678901234567890123456789"

static const struct {
    const char *text;
    enum pack_type type;
} strings[] = {
    {"0b7f2b1c-1111-4222-8333-944445555666", PACK_UUID},
    {"00000000-0000-0000-0000-000000000000", PACK_UUID},
    {"ffffffff-ffff-ffff-ffff-ffffffffffff", PACK_UUID},
    {"0B7f2b1c-1111-4222-8333-944445555666", PACK_NONE},
    {"0b7f2b1c-1111-4222-8333-94444555566g", PACK_NONE},
    {"0b7f2b1c01111-4222-8333-944445555666", PACK_NONE},
    {"0.0.0.0", PACK_IPV4},
    {"255.255.255.255", PACK_IPV4},
    {"10.0.20.30", PACK_IPV4},
    {"10.0.20.030", PACK_NONE},
    {"256.0.0.1", PACK_NONE},
    {"1.2.3.4.5", PACK_NONE},
    {"1.2.3.", PACK_NONE},
    {"1..2.3.4", PACK_NONE},
    {"10.0.20.30/32", PACK_NONE},
    {"1000.0.0.1", PACK_NONE},
    {HEX64, PACK_DIGEST},
    {"sha256:" HEX64, PACK_DIGEST},
    {"containerd://" HEX64, PACK_DIGEST},
    {"quay.io/team/web@sha256:" HEX64, PACK_DIGEST},
    {P30 P30 P30 HEX64, PACK_DIGEST},
    {P30 P30 P30 "x" HEX64, PACK_NONE},
    {"sha256:" HEX64 "0", PACK_DIGEST}, /* one hex digit more: it belongs to what comes before */
    {"sha256:A6377fc8f4e096ce80e894803592e012aa7f2b9c4e6b9428e958ade72480d5f8", PACK_NONE},
    {"web-7c5ddbdf54-x2x9k", PACK_TAIL},
    {"kube-api-access-bcdfg", PACK_TAIL},
    {"abcd-22222", PACK_TAIL},
    {"abc-22222", PACK_NONE},
    {"kube-api-access-bcdfa", PACK_NONE},
    {"kube-api-access-bcdf", PACK_NONE},
    {"kube-api-access-Bcdfg", PACK_NONE},
    {"plain text", PACK_NONE},
};

START_TEST(test_strings)
{
    struct cleat_heap *pool = NULL, *arena = NULL;
    ck_assert_int_eq(cleat_pool_new(CLEAT_MIB, &pool), 0);
    ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        struct cleat_str text = cleat_str_of(strings[i].text), own;
        struct cleat_scratch scratch;
        struct pack pack;
        uint32_t ref = 0, again = 0;
        cleat__pack(text, &pack);
        ck_assert_msg(pack.type == strings[i].type, "%s: %d", text.data, pack.type);
        ck_assert_int_eq(cleat_heap_str(pool, text, &ref), 0);
        ck_assert_int_eq(node_type(node_at(pool, ref)) == NODE_PACKED, pack.type != PACK_NONE);
        ck_assert_int_eq(cleat_value_str((struct cleat_value){pool, ref}, &scratch, &own), 0);
        ck_assert_str_eq(own.data, text.data);
        ck_assert_uint_eq(own.length, text.length);
        ck_assert_int_eq(cleat_heap_str(pool, text, &again), 0);
        ck_assert_uint_eq(ref, again);
        ck_assert_int_eq(cleat_heap_str(arena, text, &again), 0);
        ck_assert(
            cleat_value_equal((struct cleat_value){pool, ref}, (struct cleat_value){arena, again}));
        for (size_t other = 0; other < i; other++) {
            ck_assert_int_eq(cleat_heap_str(pool, cleat_str_of(strings[other].text), &again), 0);
            ck_assert_uint_ne(ref, again);
        }
    }
    cleat_pool_sweep(pool);
    ck_assert_uint_eq(cleat_heap_nodes(pool), 0); /* their prefixes went with them */
    cleat_heap_free(arena);
    cleat_heap_free(pool);
}
END_TEST

static const struct {
    const char *text;
    bool packed;
} times[] = {
    {"2010-01-01T00:00:00Z", true},  {"2043-12-31T23:59:59Z", true},
    {"2024-02-29T12:30:45Z", true},  {"2026-11-25T16:00:00Z", true},
    {"2023-02-29T00:00:00Z", false}, {"2009-12-31T23:59:59Z", false},
    {"2044-01-01T00:00:00Z", false}, {"2024-13-01T00:00:00Z", false},
    {"2024-00-01T00:00:00Z", false}, {"2024-01-32T00:00:00Z", false},
    {"2024-01-00T00:00:00Z", false}, {"2024-01-01T24:00:00Z", false},
    {"2024-01-01T00:60:00Z", false}, {"2024-01-01T00:00:60Z", false},
    {"2024-01-01t00:00:00Z", false}, {"2024-01-01T00:00:00z", false},
    {"2024-01-01 00:00:00Z", false}, {"2024/01/01T00:00:00Z", false},
    {"1924-01-01T00:00:00Z", false}, {"2x24-01-01T00:00:00Z", false},
    {"2024-01-01T00:00: 0Z", false}, {"2024-01-01T00:00:00+", false},
};

START_TEST(test_times)
{
    struct cleat_heap *pool = NULL;
    ck_assert_int_eq(cleat_pool_new(CLEAT_MIB, &pool), 0);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        uint32_t ref = 0;
        struct cleat_scratch scratch;
        ck_assert_int_eq(cleat_heap_str(pool, cleat_str_of(times[i].text), &ref), 0);
        ck_assert_msg(ref_is_node(ref) != times[i].packed, "%s", times[i].text);
        struct cleat_value value = {pool, ref};
        ck_assert_int_eq(cleat_value_type(value), CLEAT_TYPE_STRING);
        ck_assert_str_eq(cleat_value_text(value, &scratch).data, times[i].text);
        ck_assert(cleat_value_is(value, times[i].text));
    }
    cleat_heap_free(pool);
}
END_TEST

/* Every length and every byte, around the edges of what is stored in the reference. */
START_TEST(test_short)
{
    struct cleat_heap *pool = NULL;
    ck_assert_int_eq(cleat_pool_new(CLEAT_MIB, &pool), 0);
    for (int byte = 0; byte < 256; byte++) {
        for (size_t length = 0; length < 6; length++) {
            char text[6];
            uint32_t ref = 0;
            struct cleat_scratch scratch;
            memset(text, byte, sizeof(text));
            text[0] = 'x';
            ck_assert_int_eq(cleat_heap_str(pool, (struct cleat_str){text, length}, &ref), 0);
            ck_assert_int_eq(ref_is_node(ref), length > 3);
            struct cleat_str own = cleat_value_text((struct cleat_value){pool, ref}, &scratch);
            ck_assert_uint_eq(own.length, length);
            ck_assert(length == 0 || memcmp(own.data, text, length) == 0);
            ck_assert_int_eq(own.data[length], 0);
        }
    }
    cleat_heap_free(pool);
}
END_TEST

CLEAT_SUITE_MAIN("pack", test_strings, test_times, test_short)
