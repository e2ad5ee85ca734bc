/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short texts: quantities, times, durations. What can be read is written so that it reads as the
 * same again.
 */
#include <stdint.h>
#include <string.h>
#include <cleat/quantity.h>
#include <cleat/time.h>
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_quantity(struct cleat_str text)
{
    struct cleat_quantity first, second;
    char written[64];
    if (cleat_quantity_parse(text, &first, NULL) != 0)
        return;
    int r =
        cleat_quantity_parse(cleat_str_of(cleat_quantity_write(&first, written)), &second, NULL);
    cleat_assert(r == 0);
    cleat_assert(cleat_quantity_compare(&first, &second) == 0);
    cleat_quantity_add(&second, &first);
    cleat_assert(cleat_quantity_write(&second, written)[0]);
}

static void fuzz_time(struct cleat_str text)
{
    int64_t first_us = 0, second_us = 0;
    char written[CLEAT_TIME_BYTES];
    if (cleat_time_parse(text, &first_us) != 0)
        return;
    int r = cleat_time_parse(cleat_str_of(cleat_time_write_micro(first_us, written)), &second_us);
    cleat_assert(r == 0 && first_us == second_us);
}

static void fuzz_duration(struct cleat_str text)
{
    int64_t first_ns = 0, second_ns = 0;
    char written[CLEAT_TIME_BYTES];
    if (cleat_duration_parse(text, &first_ns) != 0)
        return;
    int r = cleat_duration_parse(cleat_str_of(cleat_duration_write(first_ns, written)), &second_ns);
    cleat_assert(r == 0 && first_ns == second_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cleat_str text = {(const char *)data, size};
    fuzz_quantity(text);
    fuzz_time(text);
    fuzz_duration(text);
    return 0;
}
