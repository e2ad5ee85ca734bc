/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that reads the system's clocks and its random numbers.
 */
#include <cleat/clock.h>

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "base/check.h"

static struct timespec clock_read(clockid_t id)
{
    struct timespec now = {0};
    int rc = clock_gettime(id, &now);
    cleat_assert(rc == 0);
    return now;
}

static int64_t clock_read_ms(clockid_t id)
{
    struct timespec now = clock_read(id);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_mono_ms(void *arg)
{
    return clock_read_ms(CLOCK_MONOTONIC);
}

static int64_t system_mono_ns(void *arg)
{
    struct timespec now = clock_read(CLOCK_MONOTONIC);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t system_boot_ms(void *arg)
{
    return clock_read_ms(CLOCK_BOOTTIME);
}

static int64_t system_wall_ms(void *arg)
{
    return clock_read_ms(CLOCK_REALTIME);
}

static void system_random(void *arg, void *bytes, size_t length)
{
    char *at = bytes;
    while (length > 0) {
        ssize_t got = getrandom(at, length, 0);
        cleat_assert(got > 0 || errno == EINTR); /* weak random numbers would be worse than none */
        if (got > 0) {
            at += got;
            length -= (size_t)got;
        }
    }
}

const struct cleat_clock *cleat_clock_system(void)
{
    static const struct cleat_clock system = {
        .mono_ms = system_mono_ms,
        .mono_ns = system_mono_ns,
        .boot_ms = system_boot_ms,
        .wall_ms = system_wall_ms,
        .random = system_random,
    };
    return &system;
}

int64_t cleat_clock_mono_ms(const struct cleat_clock *clock)
{
    return clock->mono_ms(clock->arg);
}

int64_t cleat_clock_mono_ns(const struct cleat_clock *clock)
{
    return clock->mono_ns(clock->arg);
}

int64_t cleat_clock_boot_ms(const struct cleat_clock *clock)
{
    return clock->boot_ms(clock->arg);
}

int64_t cleat_clock_wall_ms(const struct cleat_clock *clock)
{
    return clock->wall_ms(clock->arg);
}

void cleat_clock_random(const struct cleat_clock *clock, void *bytes, size_t length)
{
    clock->random(clock->arg, bytes, length);
}

uint64_t cleat_clock_random_below(const struct cleat_clock *clock, uint64_t bound)
{
    if (bound == 0)
        return 0;
    /* Numbers below 2^64 mod bound are drawn again, so that each remainder is equally likely. */
    uint64_t unfair = (0 - bound) % bound;
    uint64_t number = 0;
    do {
        cleat_clock_random(clock, &number, sizeof(number));
    } while (number < unfair);
    return number % bound;
}

void cleat_clock_uuid(const struct cleat_clock *clock, char text[37])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[16];
    cleat_clock_random(clock, bytes, sizeof(bytes));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    char *out = text;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}
