/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_line.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "support/chaos.h"
#include "support/suite.h"

#define WALL_MS INT64_C(1767323045678)

static void check_line(enum cleat_log_format format, const struct cleat_log_record *record,
                       const char *expected)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_LOG_LINE_BYTES_MAX);
    ck_assert_int_eq(cleat_log_line_write(&buffer, format, record), 0);
    ck_assert_str_eq(buffer.data, expected);
    ck_assert_uint_eq(strlen(buffer.data), buffer.length);
    cleat_buffer_fini(&buffer);
}

START_TEST(test_types)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    (void)cleat_err_set(&err, -1, "port in use");
    struct cleat_log_field fields[] = {
        cleat_log_text("kind", "Mirror"),
        cleat_log_text("none", NULL),
        cleat_log_int("count", -7),
        cleat_log_double("ratio", 0.1),
        cleat_log_bool("synced", true),
        cleat_log_bool("late", false),
        cleat_log_double("nan", NAN),
        cleat_log_double("inf", -INFINITY),
        cleat_log_err(&err),
    };
    struct cleat_log_record record = {WALL_MS, CLEAT_LOG_INFO, "it is", fields, 9};
    check_line(CLEAT_LOG_JSON, &record,
               "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\",\"msg\":\"it is\","
               "\"kind\":\"Mirror\",\"none\":\"\",\"count\":-7,\"ratio\":0.1,\"synced\":true,"
               "\"late\":false,\"nan\":\"NaN\",\"inf\":\"-Inf\",\"err\":\"port in use\"}\n");
    check_line(CLEAT_LOG_TEXT, &record,
               "2026-01-02T03:04:05.678Z INFO  it is kind=Mirror none=\"\" count=-7 ratio=0.1 "
               "synced=true late=false nan=NaN inf=-Inf err=\"port in use\"\n");
}
END_TEST

START_TEST(test_levels)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (int level = CLEAT_LOG_DEBUG; level <= CLEAT_LOG_ERROR; level++) {
        struct cleat_log_record record = {0, (enum cleat_log_level)level, "m", NULL, 0};
        char expected[128];
        (void)snprintf(expected, sizeof(expected),
                       "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"%s\",\"msg\":\"m\"}\n",
                       names[level]);
        check_line(CLEAT_LOG_JSON, &record, expected);
    }
}
END_TEST

START_TEST(test_escapes)
{
    static const struct {
        struct cleat_str in;
        const char *json, *text;
    } rows[] = {
        {{"a\"b\\c", 5}, "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\""},
        {{"l1\nl2\r\t", 7}, "\"l1\\nl2\\r\\t\"", "\"l1\\nl2\\r\\t\""},
        {{"\0\x1b[0m\x7f", 6}, "\"\\u0000\\u001b[0m\\u007f\"", "\"\\x00\\x1b[0m\\x7f\""},
        {{"\xff\xc3", 2}, "\"\\\\xff\\\\xc3\"", "\"\\xff\\xc3\""},
        {{"\xc2\x9b"
          "1m",
          4},
         "\"\\u009b1m\"",
         "\"\\u009b1m\""},
        {{"caf\xc3\xa9", 5}, "\"caf\xc3\xa9\"", "\"caf\xc3\xa9\""},
        {{"a=b", 3}, "\"a=b\"", "\"a=b\""},
        {{"plain-1.2/x", 11}, "\"plain-1.2/x\"", "plain-1.2/x"},
        {{"", 0}, "\"\"", "\"\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_log_field field = cleat_log_str("k", rows[i].in);
        struct cleat_log_record record = {0, CLEAT_LOG_WARN, "m", &field, 1};
        char expected[256];
        (void)snprintf(expected, sizeof(expected),
                       "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warn\",\"msg\":\"m\","
                       "\"k\":%s}\n",
                       rows[i].json);
        check_line(CLEAT_LOG_JSON, &record, expected);
        (void)snprintf(expected, sizeof(expected), "1970-01-01T00:00:00.000Z WARN  m k=%s\n",
                       rows[i].text);
        check_line(CLEAT_LOG_TEXT, &record, expected);
    }
}
END_TEST

/* A message or key can't forge a second line either. */
START_TEST(test_message_and_key_are_escaped)
{
    struct cleat_log_field field = cleat_log_int("a\nb", 1);
    struct cleat_log_record record = {0, CLEAT_LOG_ERROR, "x\ny", &field, 1};
    check_line(CLEAT_LOG_JSON, &record,
               "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"error\",\"msg\":\"x\\ny\","
               "\"a\\nb\":1}\n");
    check_line(CLEAT_LOG_TEXT, &record, "1970-01-01T00:00:00.000Z ERROR x\\ny \"a\\nb\"=1\n");
}
END_TEST

START_TEST(test_doubles)
{
    static const struct {
        double number;
        const char *text;
    } rows[] = {{0, "0"},
                {1.5, "1.5"},
                {-2, "-2"},
                {1e300, "1e+300"},
                {1.0 / 3, "0.33333333333333331"},
                {0.1 + 0.2, "0.30000000000000004"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_log_field field = cleat_log_double("k", rows[i].number);
        struct cleat_log_record record = {0, CLEAT_LOG_WARN, "m", &field, 1};
        char expected[128];
        (void)snprintf(expected, sizeof(expected), "1970-01-01T00:00:00.000Z WARN  m k=%s\n",
                       rows[i].text);
        check_line(CLEAT_LOG_TEXT, &record, expected);
    }
}
END_TEST

/* However much comes in, the line ends where it must, is whole and says that something is missing.
 */
START_TEST(test_long_lines)
{
    static char big[20000];
    struct cleat_log_field fields[40];
    memset(big, '\x01', sizeof(big) - 1);
    for (size_t i = 0; i < 40; i++)
        fields[i] = i % 2 ? cleat_log_text("big", big) : cleat_log_int("number", (int64_t)i);
    for (int format = CLEAT_LOG_JSON; format <= CLEAT_LOG_TEXT; format++) {
        struct cleat_log_record record = {0, CLEAT_LOG_WARN, big, fields, 40};
        struct cleat_buffer buffer = CLEAT_BUFFER_INIT(0);
        ck_assert_int_eq(cleat_log_line_write(&buffer, (enum cleat_log_format)format, &record), 0);
        ck_assert_uint_le(buffer.length, CLEAT_LOG_LINE_BYTES_MAX);
        ck_assert_int_eq(buffer.data[buffer.length - 1], '\n');
        ck_assert_ptr_nonnull(strstr(buffer.data, "number"));
        const char *end = format == CLEAT_LOG_JSON ? ",\"truncated\":true}\n" : " truncated=true\n";
        ck_assert_str_eq(buffer.data + buffer.length - strlen(end), end);
        cleat_buffer_fini(&buffer);
    }
}
END_TEST

START_TEST(test_long_value_is_cut_at_a_character)
{
    static char euros[6001];
    for (size_t i = 0; i < 6000; i += 3)
        memcpy(euros + i, "\xe2\x82\xac", 3);
    struct cleat_log_field field = cleat_log_text("k", euros);
    struct cleat_log_record record = {0, CLEAT_LOG_WARN, "m", &field, 1};
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(0);
    ck_assert_int_eq(cleat_log_line_write(&buffer, CLEAT_LOG_JSON, &record), 0);
    ck_assert(cleat_utf8_valid(cleat_buffer_view(&buffer)));
    ck_assert_ptr_nonnull(strstr(buffer.data, "\xac\",\"truncated\":true}"));
    ck_assert_uint_gt(buffer.length, 4000);
    cleat_buffer_fini(&buffer);
}
END_TEST

static int write_some(void *arg)
{
    struct cleat_log_field fields[100];
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(0);
    for (size_t i = 0; i < 100; i++)
        fields[i] = cleat_log_text("key", "some value of some length");
    struct cleat_log_record record = {0, CLEAT_LOG_WARN, "m", fields, 100};
    int rc = cleat_log_line_write(&buffer, CLEAT_LOG_JSON, &record);
    cleat_buffer_fini(&buffer);
    return rc;
}

START_TEST(test_out_of_memory)
{
    ck_assert_uint_ge(cleat_chaos_sweep(write_some, NULL), 3);
}
END_TEST

CLEAT_SUITE_MAIN("log_line", test_types, test_levels, test_escapes,
                 test_message_and_key_are_escaped, test_doubles, test_long_lines,
                 test_long_value_is_cut_at_a_character, test_out_of_memory)
