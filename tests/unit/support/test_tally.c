/* SPDX-License-Identifier: Apache-2.0 */
#include "support/tally.h"

#include "support/suite.h"

START_TEST(test_line_is_as_the_table_reads_it)
{
    const struct cleat_tally tally = {
        .name = "wire-cut", .runs = 2, .injections = 30, .least = 10, .wrong = 1, .note = "a note"};
    char line[256];
    cleat_tally_write(&tally, line, sizeof(line));
    ck_assert_str_eq(line, "TALLY name=wire-cut runs=2 injections=30 least=10 crashes=0 leaks=0 "
                           "wrong=1 note=a note");
}
END_TEST

START_TEST(test_good_is_clean_and_enough)
{
    const struct {
        struct cleat_tally tally;
        bool good;
    } cases[] = {
        {{.name = "a", .injections = 1}, true},
        {{.name = "a", .injections = 10, .least = 10}, true},
        {{.name = "a"}, false},
        {{.name = "a", .injections = 9, .least = 10}, false},
        {{.name = "a", .injections = 9, .crashes = 1}, false},
        {{.name = "a", .injections = 9, .leaks = 1}, false},
        {{.name = "a", .injections = 9, .wrong = 1}, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(cleat_tally_is_good(&cases[i].tally) == cases[i].good, "case %zu", i);
}
END_TEST

CLEAT_SUITE_MAIN("tally", test_line_is_as_the_table_reads_it, test_good_is_clean_and_enough)
