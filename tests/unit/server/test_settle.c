/* SPDX-License-Identifier: Apache-2.0 */
/* Memory given back after the start: less of it is resident, and nothing is lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "server/settle.h"
#include "support/suite.h"

#define TABLE_WORDS 65536

/* One is in a segment that can't be written to, the other was written to since it was loaded. */
static const unsigned constants[TABLE_WORDS] = {
    [0] = 7, [TABLE_WORDS / 2] = 8, [TABLE_WORDS - 1] = 9};
static unsigned variables[TABLE_WORDS] = {[0] = 1, [TABLE_WORDS - 1] = 2};

/* Kilobytes of files that are resident. */
static long resident_kb(void)
{
    char line[128];
    long kb = -1;
    FILE *status = fopen("/proc/self/status", "r");
    ck_assert_ptr_nonnull(status);
    while (kb < 0 && fgets(line, sizeof(line), status))
        if (strncmp(line, "RssFile:", 8) == 0)
            kb = strtol(line + 8, NULL, 10);
    ck_assert_int_eq(fclose(status), 0);
    ck_assert_int_gt(kb, 0);
    return kb;
}

static unsigned table_sum(const unsigned *table)
{
    unsigned sum = 0;
    for (size_t i = 0; i < TABLE_WORDS; i++)
        sum += ((const volatile unsigned *)table)[i];
    return sum;
}

START_TEST(test_gives_back_what_is_clean)
{
    ck_assert_uint_eq(table_sum(constants), 24);
    long before_kb = resident_kb();
    cleat_settle();
    long after_kb = resident_kb();
    ck_assert_msg(after_kb < before_kb - (long)(sizeof(constants) / 2048), "%ld KB of %ld left",
                  after_kb, before_kb);
    ck_assert_uint_eq(table_sum(constants), 24);
}
END_TEST

START_TEST(test_keeps_what_was_written)
{
    char *text = cleat_mem_strdup("kept");
    ck_assert_ptr_nonnull(text);
    for (size_t i = 1; i < TABLE_WORDS - 1; i++)
        variables[i] = 1;
    cleat_settle();
    ck_assert_uint_eq(table_sum(variables), TABLE_WORDS + 1);
    ck_assert_str_eq(text, "kept");
    cleat_mem_free(text);
}
END_TEST

START_TEST(test_repeats)
{
    for (int i = 0; i < 3; i++)
        cleat_settle();
    ck_assert_uint_eq(table_sum(constants), 24);
}
END_TEST

START_TEST(test_runnable)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_runnable runnable = cleat_settle_runnable();
    ck_assert_int_eq(runnable.group, CLEAT_GROUP_OTHERS);
    ck_assert_int_eq(runnable.start(runnable.arg, &err), 0);
    ck_assert(!runnable.stop && !runnable.join && !runnable.wait_ready);
}
END_TEST

CLEAT_SUITE_MAIN("settle", test_gives_back_what_is_clean, test_keeps_what_was_written, test_repeats,
                 test_runnable)
