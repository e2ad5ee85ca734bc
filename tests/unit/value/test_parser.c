/* SPDX-License-Identifier: Apache-2.0 */
/* The parser on single documents: what is JSON and what isn't, wherever the chunks end. */
#include <errno.h>
#include <jansson.h>
#include "base/mem.h"
#include "support/chaos.h"
#include "support/suite.h"
#include "unit/value/json.h"
#include "value/parser_state.h"

/* Feeds @text in chunks of @chunk bytes (0: of changing size) into a fresh heap. */
static int parse(struct cleat_heap *heap, struct cleat_str text, size_t chunk,
                 struct cleat_value *ret, struct cleat_err *err)
{
    const struct cleat_parser_options options = {.heap = heap, .mode = CLEAT_PARSER_DOCUMENT};
    struct cleat_parser *parser = NULL;
    uint32_t state = 12345;
    int r = cleat_parser_new(&options, &parser, err);
    for (size_t at = 0; r == 0 && at < text.length;) {
        state = state * 1103515245 + 12345;
        size_t size = chunk ? chunk : 1 + (state >> 16) % 23;
        size = size < text.length - at ? size : text.length - at;
        char *copy = malloc(size); /* of its own, so that reading beyond is seen */
        memcpy(copy, text.data + at, size);
        r = cleat_parser_feed(parser, copy, size, err);
        free(copy);
        at += size;
    }
    if (r == 0)
        r = cleat_parser_finish(parser, ret, err);
    parser = cleat_parser_free(parser);
    ck_assert_ptr_null(parser);
    return r;
}

struct parse_case {
    const char *text;
    size_t length; /* 0: strlen */
    bool valid;
};

#define GOOD(text)                     \
    {                                  \
        (text), sizeof(text) - 1, true \
    }
#define BAD(text)                       \
    {                                   \
        (text), sizeof(text) - 1, false \
    }

static const struct parse_case cases[] = {
    /* values */
    GOOD("null"),
    GOOD("true"),
    GOOD("false"),
    GOOD(" \t\r\n null \n"),
    GOOD("\"\""),
    GOOD("[]"),
    GOOD("{}"),
    GOOD("[ ]"),
    GOOD("{ }"),
    GOOD("[[]]"),
    GOOD("[{}]"),
    GOOD("{\"a\":[]}"),
    GOOD("[null, 1, \"1\", {}]"),
    GOOD("[1,\n2]"),
    GOOD("{\"\":0}"),
    GOOD("{\"a\":{\"b\":{\"c\":1}}}"),
    GOOD("[[[[[[1]]]]],[2]]"),
    BAD(""),
    BAD(" "),
    BAD("nul"),
    BAD("nulll"),
    BAD("True"),
    BAD("truefalse"),
    BAD("NaN"),
    BAD("Infinity"),
    BAD("-Infinity"),
    BAD("undefined"),
    BAD("'a'"),
    BAD("a"),
    BAD("\xef\xbb\xbf{}"),
    BAD("{}{}"),
    BAD("1 2"),
    BAD("[] x"),
    BAD("[]]"),
    BAD("{}}"),
    BAD("]"),
    BAD("}"),
    BAD(","),
    BAD(":"),
    BAD("[}"),
    BAD("{]"),
    BAD("["),
    BAD("{"),
    BAD("[1"),
    BAD("[1,"),
    BAD("[,1]"),
    BAD("[1,]"),
    BAD("[1,,2]"),
    BAD("[1 2]"),
    BAD("[\"a\" \"b\"]"),
    BAD("{\"a\"}"),
    BAD("{\"a\":}"),
    BAD("{\"a\" 1}"),
    BAD("{\"a\":1,}"),
    BAD("{,}"),
    BAD("{1:2}"),
    BAD("{a:1}"),
    BAD("{\"a\":1 \"b\":2}"),
    BAD("{\"a\"::1}"),
    BAD("{null:1}"),
    BAD("{[]:1}"),
    BAD("[1:2]"),
    BAD("/* */1"),
    BAD("1//"),
    BAD("\v1"),
    BAD("\f1"),
    BAD("1\xc2\xa0"),
    BAD("\0"),
    BAD("1\0"),
    BAD("[\0]"),
    BAD("\"a\"\0"),
    /* numbers */
    GOOD("0"),
    GOOD("-0"),
    GOOD("1"),
    GOOD("-1"),
    GOOD("10"),
    GOOD("0.0"),
    GOOD("0.5"),
    GOOD("-0.1e-5"),
    GOOD("1e5"),
    GOOD("1E5"),
    GOOD("1e+5"),
    GOOD("1e-5"),
    GOOD("1.25E+2"),
    GOOD("123456789012"),
    GOOD("9223372036854775807"),
    GOOD("-9223372036854775808"),
    GOOD("[1.0e0,2]"),
    GOOD("{\"a\":1}"),
    GOOD("67108863"),
    GOOD("67108864"),
    GOOD("-67108864"),
    GOOD("-67108865"),
    BAD("-"),
    BAD("+1"),
    BAD("01"),
    BAD("-01"),
    BAD("00"),
    BAD("1."),
    BAD(".5"),
    BAD("-.5"),
    BAD("1e"),
    BAD("1e+"),
    BAD("1e-"),
    BAD("1.e5"),
    BAD("0x10"),
    BAD("1_000"),
    BAD("1a"),
    BAD("--1"),
    BAD("1-1"),
    BAD("1.2.3"),
    BAD("1e5.5"),
    BAD("1e5e5"),
    BAD("[-]"),
    BAD("[01]"),
    BAD("[1.]"),
    BAD("0e"),
    BAD("-a"),
    /* strings */
    GOOD("\"a\""),
    GOOD("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    GOOD("\"\\u0041\\u00e9\\u20ac\""),
    GOOD("\"\\uD834\\uDd1e\""),
    GOOD("\"\xc3\xa9\""),
    GOOD("\"\xe2\x82\xac\""),
    GOOD("\"\xf0\x9d\x84\x9e\""),
    GOOD("\"\xf4\x8f\xbf\xbf\""),
    GOOD("\"\xed\x9f\xbf\""),
    GOOD("\"\xee\x80\x80\""),
    GOOD("\"\x7f\""),
    GOOD("\"a\\u0000b\""),
    GOOD("[\"\\\\\",\"\\\"\"]"),
    GOOD("\"\xe2\x80\xa8\""),
    GOOD("\"0123456789abcdef0123456789abcdef\""),
    GOOD("\"0123456789abcde\\u0041\""),
    GOOD("\"0123456789abcdef\xc3\xa9\""),
    GOOD("{\"\\u0061\":1,\"b\":2}"),
    GOOD("{\"\\n\":1}"),
    BAD("\""),
    BAD("\"a"),
    BAD("\"\\"),
    BAD("\"\\\""),
    BAD("\"\\x\""),
    BAD("\"\\'\""),
    BAD("\"\\u\""),
    BAD("\"\\u12\""),
    BAD("\"\\u123\""),
    BAD("\"\\u123g\""),
    BAD("\"\\U0041\""),
    BAD("\"\n\""),
    BAD("\"\t\""),
    BAD("\"\x1f\""),
    BAD("\"\0\""),
    BAD("\"a\0b\""),
    BAD("\"\\\n\""),
    BAD("\"0123456789abcdef\n\""),
    BAD("\"\\ud800\""),
    BAD("\"\\udc00\""),
    BAD("\"\\ud800\\ud800\""),
    BAD("\"\\ud800a\""),
    BAD("\"\\ud800\\u0041\""),
    BAD("\"\\ud800\\n\""),
    BAD("\"\\udc00\\ud800\""),
    BAD("\"\\ud834\\uDd1\""),
    BAD("\"\x80\""),
    BAD("\"\xbf\""),
    BAD("\"\xc0\xaf\""),
    BAD("\"\xc1\xbf\""),
    BAD("\"\xc3\""),
    BAD("\"\xc3(\""),
    BAD("\"\xe2\x82\""),
    BAD("\"\xe0\x80\xaf\""),
    BAD("\"\xed\xa0\x80\""),
    BAD("\"\xed\xbf\xbf\""),
    BAD("\"\xf0\x80\x80\xaf\""),
    BAD("\"\xf4\x90\x80\x80\""),
    BAD("\"\xf5\x80\x80\x80\""),
    BAD("\"\xff\""),
    BAD("\"\xf0\x9d\x84\""),
    BAD("{\"\xff\":1}"),
    BAD("{\"\n\":1}"),
    BAD("{\"\\x\":1}"),
    BAD("\"0123456789abcdef0123456789\xff\""),
    BAD("\"\\u00e9\xff\""),
    /* keys */
    BAD("{\"a\":1,\"a\":2}"),
    BAD("{\"a\":1,\"\\u0061\":2}"),
    BAD("{\"b\":1,\"a\":1,\"b\":1}"),
    BAD("[{\"x\":1},{\"x\":1,\"y\":2,\"x\":3}]"),
    BAD("{\"a\":{\"b\":1,\"b\":1}}"),
    BAD("{\"\":1,\"\":2}"),
    BAD("{\"a\\u0000\":1}"),
    GOOD("{\"a\":1,\"A\":2}"),
    GOOD("[{\"a\":1},{\"a\":1}]"),
    GOOD("{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10}"),
    GOOD("{\"j\":1,\"i\":2,\"h\":3,\"g\":4,\"f\":5,\"e\":6,\"d\":7,\"c\":8,\"b\":9,\"a\":10}"),
};

static struct cleat_str case_text(const struct parse_case *one)
{
    return (struct cleat_str){one->text, one->length};
}

/* Both sorts of heap, whole and in chunks of every small size: always the same answer. */
START_TEST(test_cases)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t chunk = 0; chunk <= 7; chunk++) {
            for (int pooled = 0; pooled < 2; pooled++) {
                struct cleat_heap *heap = NULL;
                struct cleat_err err = CLEAT_ERR_INIT;
                struct cleat_value root = CLEAT_VALUE_NONE;
                size_t size = chunk == 7 ? 4096 : chunk;
                ck_assert_int_eq(pooled ? cleat_pool_new(16 * CLEAT_MIB, &heap)
                                        : cleat_arena_new(16 * CLEAT_MIB, &heap),
                                 0);
                int r = parse(heap, case_text(&cases[i]), size, &root, &err);
                ck_assert_msg((r == 0) == cases[i].valid, "case %zu (%s), chunks of %zu: %d %s", i,
                              cases[i].text, size, r, err.text);
                ck_assert(r == 0 || r == -EINVAL);
                ck_assert_int_eq(err.code, r);
                if (pooled) {
                    cleat_pool_sweep(heap);
                    ck_assert_uint_eq(cleat_heap_nodes(heap), 0);
                }
                cleat_heap_free(heap);
            }
        }
    }
}
END_TEST

/* jansson agrees about every text, and reads the same from what we write. */
START_TEST(test_jansson_agrees)
{
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_error_t error;
        if (memchr(cases[i].text, 0, cases[i].length))
            continue; /* jansson takes a NUL behind the text for its end */
        json_t *theirs = json_loadb(cases[i].text, cases[i].length, flags, &error);
        ck_assert_msg((theirs != NULL) == cases[i].valid, "case %zu (%s): %s", i, cases[i].text,
                      error.text);
        if (!theirs)
            continue;
        struct cleat_document *ours = NULL;
        struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1 * CLEAT_MIB);
        ck_assert_int_eq(cleat_document_parse(case_text(&cases[i]), &ours, NULL), 0);
        (void)json_text(&buffer, cleat_document_root(ours));
        json_t *again = json_loadb(buffer.data, buffer.length, flags, &error);
        ck_assert_msg(again && json_equal(theirs, again), "case %zu: %s", i, buffer.data);
        json_decref(again);
        json_decref(theirs);
        cleat_buffer_fini(&buffer);
        cleat_document_unref(ours);
    }
}
END_TEST

/* What is written is what was read, byte for byte, in an arena. */
START_TEST(test_arena_keeps_the_source)
{
    static const char *const texts[] = {
        "{\"z\":1,\"a\":{\"y\":2,\"b\":3},\"m\":[1.50,1e3,-0,12345678901234567890123,0.1]}",
        ("[\"2026-01-31T23:59:59Z\",\"2009-12-31T23:59:59Z\",\"10.0.0.1\",\"abc\",\"abcd\","
         "\"\\u0000\"]"),
        "{\"j\":1,\"i\":2,\"h\":3,\"g\":4,\"f\":5,\"e\":6,\"d\":7,\"c\":8,\"b\":9,\"a\":10}",
        "[9223372036854775807,-9223372036854775808,9223372036854775808,67108864,-67108865]",
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1 * CLEAT_MIB);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct cleat_document *document = json_document(texts[i]);
        ck_assert_str_eq(json_text(&buffer, cleat_document_root(document)), texts[i]);
        cleat_document_unref(document);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_pool_has_one_order)
{
    static const char *const texts[] = {
        "{\"b\":1,\"a\":[{\"y\":2,\"x\":\"long enough\"}]}",
        "{ \"a\": [ { \"x\":\"long enough\",\"y\":2 } ], \"b\":1 }",
        "{\"\\u0061\":[{\"y\":2,\"x\":\"l\\u006fng enough\"}],\"b\":1}"};
    struct cleat_heap *pool = NULL;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1 * CLEAT_MIB);
    uint32_t first = 0;
    ck_assert_int_eq(cleat_pool_new(16 * CLEAT_MIB, &pool), 0);
    for (size_t i = 0; i < 3; i++) {
        struct cleat_value root;
        ck_assert_int_eq(parse(pool, cleat_str_of(texts[i]), 5, &root, NULL), 0);
        first = i == 0 ? root.ref : first;
        ck_assert_uint_eq(root.ref, first);
        ck_assert_str_eq(json_text(&buffer, root),
                         "{\"a\":[{\"x\":\"long enough\",\"y\":2}],\"b\":1}");
    }
    cleat_buffer_fini(&buffer);
    cleat_heap_free(pool);
}
END_TEST

START_TEST(test_depth)
{
    for (size_t depth = 126; depth <= 131; depth++) {
        char *text = json_nested(depth, "1");
        struct cleat_document *document = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        int r = cleat_document_parse(cleat_str_of(text), &document, &err);
        ck_assert_int_eq(r, depth <= CLEAT_VALUE_DEPTH_MAX ? 0 : -E2BIG);
        cleat_document_unref(document);
        free(text);
    }
    char *bomb = json_nested(100000, "");
    struct cleat_document *document = NULL;
    ck_assert_int_eq(cleat_document_parse(cleat_str_of(bomb), &document, NULL), -E2BIG);
    free(bomb);
}
END_TEST

START_TEST(test_size)
{
    struct cleat_heap *arena = NULL;
    ck_assert_int_eq(cleat_arena_new(1 * CLEAT_MIB, &arena), 0);
    for (size_t max = 9; max <= 12; max++) {
        const struct cleat_parser_options options = {
            .heap = arena, .mode = CLEAT_PARSER_DOCUMENT, .object_bytes_max = max};
        struct cleat_parser *parser = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat_parser_new(&options, &parser, &err), 0);
        int r = cleat_parser_feed(parser, "[\"abcd\",", 8, &err);
        ck_assert_int_eq(r, 0);
        r = cleat_parser_feed(parser, "123]", 3, &err);
        ck_assert_int_eq(r, max >= 11 ? 0 : -E2BIG);
        cleat_parser_free(parser);
    }
    cleat_heap_free(arena);
}
END_TEST

START_TEST(test_key_size)
{
    size_t longest = CLEAT_VALUE_KEY_BYTES_MAX;
    for (size_t length = longest; length <= longest + 1; length++) {
        char *text = malloc(length + 16);
        struct cleat_document *document = NULL;
        memset(text, 'k', length + 8);
        memcpy(text, "{\"", 2);
        memcpy(text + 2 + length, "\":1}", 5);
        int r = cleat_document_parse(cleat_str_of(text), &document, NULL);
        ck_assert_int_eq(r, length <= longest ? 0 : -E2BIG);
        cleat_document_unref(document);
        free(text);
    }
}
END_TEST

/* One parser for many texts: what it learned of the earlier ones never shows in the later ones. */
START_TEST(test_reuse)
{
    struct cleat_heap *arena = NULL;
    struct cleat_parser *parser = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_arena_new(16 * CLEAT_MIB, &arena), 0);
    const struct cleat_parser_options options = {.heap = arena, .mode = CLEAT_PARSER_DOCUMENT};
    ck_assert_int_eq(cleat_parser_new(&options, &parser, &err), 0);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct cleat_value root;
            cleat_arena_reset(arena);
            cleat_parser_reset(parser, arena);
            cleat_err_clear(&err);
            int r = cleat_parser_feed(parser, cases[i].text, cases[i].length, &err);
            r = r == 0 ? cleat_parser_finish(parser, &root, &err) : r;
            ck_assert_msg((r == 0) == cases[i].valid, "case %zu (%s): %s", i, cases[i].text,
                          err.text);
            if (r != 0)
                continue;
            struct cleat_document *fresh = NULL;
            ck_assert_int_eq(cleat_document_parse(case_text(&cases[i]), &fresh, NULL), 0);
            ck_assert(cleat_value_equal(root, cleat_document_root(fresh)));
            cleat_document_unref(fresh);
        }
    }
    cleat_parser_free(parser);
    cleat_heap_free(arena);
}
END_TEST

/* So many different keys that objects are read without learning. */
START_TEST(test_crowded)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(16 * CLEAT_MIB);
    struct cleat_heap *pool = NULL;
    struct cleat_value root;
    cleat_buffer_text(&text, "[");
    for (int i = 0; i < 3000; i++)
        cleat_buffer_format(&text, "%s{\"key-%d\":%d,\"b\":{\"k%d\":\"v%d\"},\"a-%d\":[%d]}",
                            i > 0 ? "," : "", i, i, i % 700, i, i % 13, i);
    cleat_buffer_text(&text, "]");
    ck_assert_int_eq(text.failed, 0);
    ck_assert_int_eq(cleat_pool_new(16 * CLEAT_MIB, &pool), 0);
    for (size_t chunk = 0; chunk < 1000; chunk += 333) {
        ck_assert_int_eq(parse(pool, cleat_buffer_view(&text), chunk, &root, NULL), 0);
        ck_assert_uint_eq(cleat_value_count(root), 3000);
        for (int i = 0; i < 3000; i += 7) {
            char key[32];
            struct cleat_value one = cleat_value_at(root, (size_t)i);
            snprintf(key, sizeof(key), "key-%d", i);
            ck_assert_int_eq(cleat_value_int_or(cleat_value_get(one, key), -1), i);
            snprintf(key, sizeof(key), "k%d", i % 700);
            struct cleat_value inner = cleat_value_get(cleat_value_get(one, "b"), key);
            snprintf(key, sizeof(key), "v%d", i);
            ck_assert(cleat_value_is(inner, key));
        }
    }
    static const char doubled[] = ",{\"zz\":1,\"yy\":2,\"zz\":3}]";
    text.length--;
    cleat_buffer_text(&text, doubled);
    ck_assert_int_eq(parse(pool, cleat_buffer_view(&text), 0, &root, NULL), -EINVAL);
    cleat_buffer_fini(&text);
    cleat_heap_free(pool);
}
END_TEST

/* A reset arena keeps keys and shapes, so that the next text of the form makes only its values. */
START_TEST(test_reset_keeps_keys)
{
    static const char text[] =
        "{\"key-one\":{\"key-two\":\"a value\",\"key-three\":[{\"key-four\":1}]}}";
    struct cleat_heap *arenas[2] = {NULL, NULL};
    struct cleat_parser *parser = NULL;
    size_t nodes[4];
    ck_assert_int_eq(cleat_arena_new(16 * CLEAT_MIB, &arenas[0]), 0);
    ck_assert_int_eq(cleat_arena_new(16 * CLEAT_MIB, &arenas[1]), 0);
    const struct cleat_parser_options options = {.heap = arenas[0], .mode = CLEAT_PARSER_DOCUMENT};
    ck_assert_int_eq(cleat_parser_new(&options, &parser, NULL), 0);
    for (size_t i = 0; i < 12; i++) {
        struct cleat_heap *arena = arenas[i / 4 % 2]; /* and back again */
        struct cleat_value root;
        cleat_arena_reset(arena);
        cleat_parser_reset(parser, arena);
        ck_assert_int_eq(cleat_parser_feed(parser, text, strlen(text), NULL), 0);
        ck_assert_int_eq(cleat_parser_finish(parser, &root, NULL), 0);
        json_check(root, text);
        nodes[i % 4] = cleat_heap_nodes(arena);
        if (i < 4)
            ck_assert(i != 3 || nodes[3] < nodes[0]);
    }
    cleat_parser_free(parser);
    cleat_heap_free(arenas[0]);
    cleat_heap_free(arenas[1]);
}
END_TEST

/* Texts of ever new forms: the parser's memory stays within bounds and its answers right. */
START_TEST(test_learning_is_bounded)
{
    struct cleat_heap *arena = NULL;
    struct cleat_parser *parser = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    size_t most = 0;
    ck_assert_int_eq(cleat_arena_new(16 * CLEAT_MIB, &arena), 0);
    const struct cleat_parser_options options = {.heap = arena, .mode = CLEAT_PARSER_DOCUMENT};
    ck_assert_int_eq(cleat_parser_new(&options, &parser, &err), 0);
    for (int i = 0; i < 3000; i++) {
        char text[512];
        struct cleat_value root;
        cleat_arena_reset(arena);
        cleat_parser_reset(parser, arena);
        snprintf(
            text, sizeof(text),
            "{\"a%d\":{\"b%d\":{\"c%d\":[{\"d%d\":[[%d,{\"e%d\":1}],{\"f%d\":2}]},{\"g\":{}}]}},"
            "\"h\":{\"i%d\":{\"j%d\":{\"k\":[[[%d]]]}}}}",
            i % 90, i, i, i, i, i, i, i, i, i);
        int r = cleat_parser_feed(parser, text, strlen(text), &err);
        r = r == 0 ? cleat_parser_finish(parser, &root, &err) : r;
        ck_assert_msg(r == 0, "%s", err.text);
        json_check(root, text);
        most = parser->site_count > most ? parser->site_count : most;
    }
    ck_assert_uint_gt(most, PARSER_SITES_MAX / 2); /* it did come close */
    ck_assert_uint_le(most, PARSER_SITES_MAX + 100);
    cleat_parser_free(parser);
    cleat_heap_free(arena);
}
END_TEST

/* A wide object: members are found, doubled ones too. */
START_TEST(test_wide)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(16 * CLEAT_MIB);
    cleat_buffer_text(&text, "{");
    for (int i = 0; i < 20000; i++)
        cleat_buffer_format(&text, "%s\"k%d\":%d", i > 0 ? "," : "", i * 7919 % 20000, i);
    cleat_buffer_text(&text, "}");
    struct cleat_document *document = NULL;
    ck_assert_int_eq(cleat_document_parse(cleat_buffer_view(&text), &document, NULL), 0);
    ck_assert_uint_eq(cleat_value_count(cleat_document_root(document)), 20000);
    for (int i = 0; i < 20000; i += 11) {
        char key[32];
        snprintf(key, sizeof(key), "k%d", i * 7919 % 20000);
        ck_assert_int_eq(
            cleat_value_int_or(cleat_value_get(cleat_document_root(document), key), -1), i);
    }
    cleat_document_unref(document);
    document = NULL;
    text.length--;
    cleat_buffer_text(&text, ",\"k12345\":0}");
    ck_assert_int_eq(cleat_document_parse(cleat_buffer_view(&text), &document, NULL), -EINVAL);
    cleat_buffer_fini(&text);
}
END_TEST

START_TEST(test_errors_say_where)
{
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_document_parse(CLEAT_STR("{\"a\": [1, 02]}"), &document, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "number") && strstr(err.text, "byte 10"), "%s", err.text);
    cleat_err_clear(&err);
    ck_assert_int_eq(cleat_document_parse(CLEAT_STR("{\"a\": 1"), &document, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "too early") && strstr(err.text, "byte 7"), "%s", err.text);
}
END_TEST

static int parse_sweep(void *arg)
{
    static const char text[] =
        "{\"a\":[1,2.5,\"long enough a string\",{\"z\":1,\"y\":\"\\u00e9\"}],"
        "\"big\":12345678901,\"uid\":\"0b7f2b1c-1111-4222-8333-944445555666\"}";
    bool *pooled = arg;
    struct cleat_heap *heap = NULL;
    struct cleat_value root;
    int r =
        *pooled ? cleat_pool_new(16 * CLEAT_MIB, &heap) : cleat_arena_new(16 * CLEAT_MIB, &heap);
    if (r == 0) {
        const struct cleat_parser_options options = {.heap = heap, .mode = CLEAT_PARSER_DOCUMENT};
        struct cleat_parser *parser = NULL;
        r = cleat_parser_new(&options, &parser, NULL);
        for (size_t at = 0; r == 0 && at < sizeof(text) - 1; at++)
            r = cleat_parser_feed(parser, text + at, 1, NULL);
        if (r == 0)
            r = cleat_parser_finish(parser, &root, NULL);
        cleat_parser_free(parser);
        if (*pooled) {
            cleat_pool_sweep(heap);
            ck_assert_uint_eq(cleat_heap_nodes(heap), 0);
        }
    }
    cleat_heap_free(heap);
    return r;
}

START_TEST(test_out_of_memory)
{
    bool pooled = true, arena = false;
    ck_assert_uint_gt(cleat_chaos_sweep(parse_sweep, &arena), 5);
    ck_assert_uint_gt(cleat_chaos_sweep_tolerant(parse_sweep, &pooled), 5);
}
END_TEST

START_TEST(test_full_heap)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(16 * CLEAT_MIB);
    cleat_buffer_text(&text, "[");
    for (int i = 0; i < 20000; i++)
        cleat_buffer_format(&text, "%s\"string number %d\"", i > 0 ? "," : "", i);
    cleat_buffer_text(&text, "]");
    for (int pooled = 0; pooled < 2; pooled++) {
        struct cleat_heap *heap = NULL;
        struct cleat_value root;
        ck_assert_int_eq(pooled ? cleat_pool_new(400000, &heap) : cleat_arena_new(400000, &heap),
                         0);
        ck_assert_int_eq(parse(heap, cleat_buffer_view(&text), 1000, &root, NULL), -ENOBUFS);
        ck_assert_uint_le(cleat_heap_bytes(heap), 400000);
        if (pooled) {
            cleat_pool_sweep(heap);
            ck_assert_uint_eq(cleat_heap_nodes(heap), 0);
            ck_assert_int_eq(parse(heap, CLEAT_STR("[\"a string again\"]"), 3, &root, NULL), 0);
        }
        cleat_heap_free(heap);
    }
    cleat_buffer_fini(&text);
}
END_TEST

CLEAT_SUITE_MAIN("parser", test_cases, test_jansson_agrees, test_arena_keeps_the_source,
                 test_pool_has_one_order, test_depth, test_size, test_key_size, test_reuse,
                 test_crowded, test_reset_keeps_keys, test_learning_is_bounded, test_wide,
                 test_errors_say_where, test_out_of_memory, test_full_heap)
