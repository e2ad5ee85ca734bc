/* SPDX-License-Identifier: Apache-2.0 */
#include "support/tally.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#define TALLY_LINE_BYTES_MAX 512

void cleat_tally_write(const struct cleat_tally *tally, char *text, size_t size)
{
    /* A line that is cut lacks a part of its note, nothing else. */
    (void)snprintf(text, size,
                   "TALLY name=%s runs=%" PRIu64 " injections=%" PRIu64 " least=%" PRIu64
                   " crashes=%" PRIu64 " leaks=%" PRIu64 " wrong=%" PRIu64 " note=%s",
                   tally->name, tally->runs, tally->injections, tally->least, tally->crashes,
                   tally->leaks, tally->wrong, tally->note ? tally->note : "");
}

bool cleat_tally_is_good(const struct cleat_tally *tally)
{
    uint64_t least = tally->least > 0 ? tally->least : 1;
    return tally->crashes == 0 && tally->leaks == 0 && tally->wrong == 0 &&
           tally->injections >= least;
}

void cleat_tally_end(const struct cleat_tally *tally)
{
    char line[TALLY_LINE_BYTES_MAX];
    cleat_tally_write(tally, line, sizeof(line));
    ck_assert_msg(printf("\n%s\n", line) > 0 && fflush(stdout) == 0, "no line on stdout");
    ck_assert_msg(cleat_tally_is_good(tally), "%s", line);
}
