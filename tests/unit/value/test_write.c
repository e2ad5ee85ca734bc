/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cleat/write.h>
#include "base/mem.h"
#include "json.h"
#include "support/chaos.h"
#include "support/suite.h"
#include "value/writer.h"

/* Texts that the writer must give back byte for byte. */
START_TEST(test_same_text)
{
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-1",
        "67108863",
        "67108864",
        "-67108864",
        "-67108865",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "1.0",
        "1e3",
        "1E+3",
        "0.10",
        "123456789012345678901234567890",
        "1e400",
        "-0.0",
        "\"\"",
        "\"a\"",
        "\"abc\"",
        "\"abcd\"",
        "[]",
        "{}",
        "[[]]",
        "[{}]",
        "{\"a\":{}}",
        "{\"a\":[]}",
        "[1,2,3]",
        "{\"b\":1,\"a\":2}",
        "[null,true,false]",
        "{\"a\":[{\"b\":[1,{\"c\":null}]}]}",
        "\"2026-01-31T23:59:59Z\"",
        "\"10.0.0.1\"",
        "\"b7e9c1d2-1111-4222-8333-0123456789ab\"",
        "\"\\\"\"",
        "\"\\\\\"",
        "\"/\"",
        "\"\\b\\f\\n\\r\\t\"",
        "\"\\u0000\"",
        "\"\\u0001\\u001f\"",
        "\"a\\u0000b\"",
        "\"\x7f\"",
        "\"\xe2\x80\xa8\xe2\x80\xa9\"",
        "\"\xf0\x9f\x98\x80\"",
        "{\"\":0}",
        "{\"a\\\"b\":0}",
        "{\"a\\nb\":0}",
        "{\"a.b/c~d\":0}",
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct cleat_document *document = json_document(texts[i]);
        ck_assert_str_eq(json_text(&buffer, cleat_document_root(document)), texts[i]);
        ck_assert_uint_eq(buffer.length, strlen(texts[i]));
        cleat_document_unref(document);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

/* Escapes that came in another form, and their one form going out. */
START_TEST(test_escapes_are_canonical)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {
        {"\"\\/\"", "\"/\""},
        {"\"\\u0041\"", "\"A\""},
        {"\"\\u0022\"", "\"\\\"\""},
        {"\"\\u005c\"", "\"\\\\\""},
        {"\"\\u000A\"", "\"\\n\""},
        {"\"\\u000b\"", "\"\\u000b\""},
        {"\"\\u001F\"", "\"\\u001f\""},
        {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
        {"\"\\u2028\"", "\"\xe2\x80\xa8\""},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_document *document = json_document(rows[i].in);
        ck_assert_str_eq(json_text(&buffer, cleat_document_root(document)), rows[i].out);
        cleat_document_unref(document);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

/* Every byte at every place of strings of every length around the scanner's steps. */
START_TEST(test_scan_finds_every_byte)
{
    for (size_t length = 1; length <= 50; length++)
        for (size_t at = 0; at < length; at++)
            for (unsigned byte = 0; byte < 256; byte++) {
                char *text = malloc(length); /* its own, so that reading beyond it shows */
                bool escapes = byte < 0x20 || byte == '"' || byte == '\\';
                memset(text, 0xC3, length);
                text[at] = (char)byte;
                ck_assert_uint_eq(cleat_writer_plain(text, length), escapes ? at : length);
                free(text);
            }
}
END_TEST

START_TEST(test_scan_finds_the_first)
{
    char text[64];

    for (size_t first = 0; first < sizeof(text); first++)
        for (size_t second = first; second < sizeof(text); second++) {
            memset(text, 'x', sizeof(text));
            text[first] = '"';
            text[second] = second == first ? '"' : '\n';
            ck_assert_uint_eq(cleat_writer_plain(text, sizeof(text)), first);
        }
    ck_assert_uint_eq(cleat_writer_plain("", 0), 0);
}
END_TEST

/* Long strings with escapes anywhere come back the same through the parser. */
START_TEST(test_long_strings)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB), again = CLEAT_BUFFER_INIT(CLEAT_MIB);
    char bytes[300];

    for (size_t length = 0; length < sizeof(bytes); length += 7) {
        struct cleat_document *document = NULL;
        struct cleat_scratch scratch;
        struct cleat_str read = {NULL, 0}, written;
        for (size_t i = 0; i < length; i++)
            bytes[i] = i % 29 == 3 ? '\n' : i % 31 == 5 ? '\0' : i % 37 == 7 ? '"' : 'a';
        cleat_buffer_reset(&text);
        cleat_write_string(&text, (struct cleat_str){bytes, length});
        written = cleat_buffer_view(&text);
        ck_assert_int_eq(cleat_document_parse(written, &document, NULL), 0);
        ck_assert_int_eq(cleat_value_str(cleat_document_root(document), &scratch, &read), 0);
        ck_assert(cleat_str_equal(read, (struct cleat_str){bytes, length}));
        ck_assert_str_eq(json_text(&again, cleat_document_root(document)), text.data);
        cleat_document_unref(document);
    }
    cleat_buffer_fini(&text);
    cleat_buffer_fini(&again);
}
END_TEST

START_TEST(test_string_mends_what_is_not_utf8)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {
        {"plain", "\"plain\""},
        {"\xff", "\"\xef\xbf\xbd\""},
        {"a\xc3", "\"a\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xc0\x80x", "\"\xef\xbf\xbd\xef\xbf\xbdx\""},
        {"\"\xfe\"", "\"\\\"\xef\xbf\xbd\\\"\""},
        {"\xc3\xa4\xff\xc3\xb6", "\"\xc3\xa4\xef\xbf\xbd\xc3\xb6\""},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleat_buffer_reset(&buffer);
        cleat_write_string(&buffer, cleat_str_of(rows[i].in));
        ck_assert_str_eq(buffer.data, rows[i].out);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_appends)
{
    struct cleat_document *document = json_document("[1]");
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    ck_assert_int_eq(cleat_buffer_text(&buffer, "x="), 0);
    ck_assert_int_eq(cleat_write_json(&buffer, cleat_document_root(document), NULL), 0);
    cleat_write_string(&buffer, CLEAT_STR("y"));
    ck_assert_str_eq(buffer.data, "x=[1]\"y\"");
    cleat_buffer_fini(&buffer);
    cleat_document_unref(document);
}
END_TEST

START_TEST(test_pretty)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {
        {"1", "1"},
        {"[]", "[]"},
        {"{}", "{}"},
        {"[1,[]]", "[\n  1,\n  []\n]"},
        {"{\"a\":{\"b\":[1,2]},\"c\":{}}",
         "{\n  \"a\": {\n    \"b\": [\n      1,\n      2\n    ]\n  },\n  \"c\": {}\n}"},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_document *document = json_document(rows[i].in);
        cleat_buffer_reset(&buffer);
        ck_assert_int_eq(cleat_write_pretty(&buffer, cleat_document_root(document), NULL), 0);
        ck_assert_str_eq(buffer.data, rows[i].out);
        cleat_document_unref(document);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_pretty_deep_is_read_again)
{
    char *text = json_nested(CLEAT_VALUE_DEPTH_MAX, "7");
    struct cleat_document *document = json_document(text), *again = NULL;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    ck_assert_int_eq(cleat_write_pretty(&buffer, cleat_document_root(document), NULL), 0);
    again = json_document(buffer.data);
    ck_assert_str_eq(json_text(&buffer, cleat_document_root(again)), text);
    cleat_document_unref(again);
    cleat_document_unref(document);
    cleat_buffer_fini(&buffer);
    free(text);
}
END_TEST

START_TEST(test_not_kept_names_its_path)
{
    static const struct {
        const char *text;
        const char *path;
    } rows[] = {
        {"\"" JSON_DROPPED "\"", "the whole value wasn't kept"},
        {"{\"metadata\":{\"managedFields\":\"" JSON_DROPPED "\"}}",
         "metadata.managedFields wasn't kept"},
        {"{\"spec\":[1,{\"x\":[0,\"" JSON_DROPPED "\"]}]}", "spec[1].x[1] wasn't kept"},
        {"{\"metadata\":{\"labels\":{\"a.b/c\":\"" JSON_DROPPED "\"}}}",
         "metadata.labels[\"a.b/c\"] wasn't kept"},
        {"[\"" JSON_DROPPED "\"]", "[0] wasn't kept"},
        {"{\"a\\\"b\":\"" JSON_DROPPED "\"}", "[\"a\\\"b\"] wasn't kept"},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_heap *arena = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
        cleat_buffer_reset(&buffer);
        ck_assert_int_eq(cleat_buffer_text(&buffer, "before"), 0);
        ck_assert_int_eq(cleat_write_json(&buffer, json_holes(arena, rows[i].text), &err),
                         -ENODATA);
        ck_assert_msg(strncmp(err.text, rows[i].path, strlen(rows[i].path)) == 0, "%s", err.text);
        ck_assert_str_eq(buffer.data, "before");
        ck_assert_int_eq(buffer.failed, 0);
        ck_assert_int_eq(cleat_write_pretty(&buffer, json_holes(arena, rows[i].text), NULL),
                         -ENODATA);
        ck_assert_str_eq(buffer.data, "before");
        cleat_heap_free(arena);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_absent_is_refused)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_err err = CLEAT_ERR_INIT;

    ck_assert_int_eq(cleat_write_json(&buffer, CLEAT_VALUE_NONE, &err), -EINVAL);
    ck_assert_str_eq(err.text, "the whole value is absent");
    ck_assert_uint_eq(buffer.length, 0);
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_long_path_is_cut)
{
    char key[300], text[700];
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_heap *arena = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;

    for (size_t i = 0; i + 2 < sizeof(key); i += 2)
        memcpy(key + i, "\xc3\xa4", 3);
    (void)snprintf(text, sizeof(text), "{\"%s\":\"" JSON_DROPPED "\"}", key);
    ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
    ck_assert_int_eq(cleat_write_json(&buffer, json_holes(arena, text), &err), -ENODATA);
    ck_assert_ptr_nonnull(strstr(err.text, "... wasn't kept"));
    cleat_heap_free(arena);
    cleat_buffer_fini(&buffer);
}
END_TEST

/* A value deeper than any parser makes: an error, not a stack that runs over. */
START_TEST(test_depth)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(64 * CLEAT_MIB);
    struct cleat_heap *arena = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    uint32_t ref = 0;

    ck_assert_int_eq(cleat_arena_new(64 * CLEAT_MIB, &arena), 0);
    ref = cleat_heap_null(arena);
    for (int depth = 1; depth <= 100000; depth++) {
        struct cleat_value value;
        ck_assert_int_eq(cleat_heap_array(arena, &ref, 1, &ref), 0);
        value = (struct cleat_value){arena, ref};
        if (depth == CLEAT_VALUE_DEPTH_MAX)
            ck_assert_int_eq(cleat_write_json(&buffer, value, NULL), 0);
        if (depth == CLEAT_VALUE_DEPTH_MAX + 1)
            ck_assert_int_eq(cleat_write_json(&buffer, value, NULL), -E2BIG);
    }
    ck_assert_uint_eq(buffer.length, 2 * CLEAT_VALUE_DEPTH_MAX + 4);
    ck_assert_int_eq(cleat_write_json(&buffer, (struct cleat_value){arena, ref}, &err), -E2BIG);
    ck_assert_ptr_nonnull(strstr(err.text, "nested too deeply"));
    ck_assert_int_eq(cleat_write_pretty(&buffer, (struct cleat_value){arena, ref}, NULL), -E2BIG);
    cleat_heap_free(arena);
    cleat_buffer_fini(&buffer);
}
END_TEST

/* Each maximum below the needed size is -ENOBUFS, nothing written; the needed size is enough. */
START_TEST(test_maximum)
{
    static const char text[] =
        "{\"a\":[1,\"two\\n\",null],\"b\":\"a rather long string that isn't short\"}";
    struct cleat_document *document = json_document(text);

    for (size_t max = 0; max <= sizeof(text); max++) {
        struct cleat_buffer buffer = CLEAT_BUFFER_INIT(max);
        int r = cleat_write_json(&buffer, cleat_document_root(document), NULL);
        ck_assert_int_eq(r, max >= sizeof(text) - 1 ? 0 : -ENOBUFS);
        ck_assert_uint_eq(buffer.length, r == 0 ? sizeof(text) - 1 : 0);
        if (r < 0) { /* sticky */
            ck_assert_int_eq(buffer.failed, -ENOBUFS);
            ck_assert_int_eq(cleat_write_json(&buffer, cleat_document_root(document), NULL),
                             -ENOBUFS);
        }
        cleat_buffer_fini(&buffer);
    }
    cleat_document_unref(document);
}
END_TEST

static int sweep_write(void *arg)
{
    struct cleat_document *document = arg;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    int r = cleat_write_json(&buffer, cleat_document_root(document), NULL);

    if (r == 0)
        r = cleat_write_pretty(&buffer, cleat_document_root(document), NULL);
    cleat_buffer_fini(&buffer);
    return r;
}

START_TEST(test_out_of_memory)
{
    struct cleat_document *document = json_document(
        "{\"a\":[1,\"two\\n\",null],\"b\":\"a rather long string that isn't short, so that "
        "the buffer has to grow more than once\"}");

    ck_assert_uint_ge(cleat_chaos_sweep(sweep_write, document), 2);
    cleat_document_unref(document);
}
END_TEST

CLEAT_SUITE_MAIN("write", test_same_text, test_escapes_are_canonical, test_scan_finds_every_byte,
                 test_scan_finds_the_first, test_long_strings, test_string_mends_what_is_not_utf8,
                 test_appends, test_pretty, test_pretty_deep_is_read_again,
                 test_not_kept_names_its_path, test_absent_is_refused, test_long_path_is_cut,
                 test_depth, test_maximum, test_out_of_memory)
