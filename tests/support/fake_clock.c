/* SPDX-License-Identifier: Apache-2.0 */
#include "support/fake_clock.h"

#include <stdatomic.h>
#include <string.h>

static int64_t fake_mono_ms(void *arg)
{
    struct cleat_fake_clock *fake = arg;
    return atomic_load(&fake->mono_ns) / 1000000;
}

static int64_t fake_mono_ns(void *arg)
{
    struct cleat_fake_clock *fake = arg;
    return atomic_load(&fake->mono_ns);
}

static int64_t fake_boot_ms(void *arg)
{
    struct cleat_fake_clock *fake = arg;
    return atomic_load(&fake->boot_ms);
}

static int64_t fake_wall_ms(void *arg)
{
    struct cleat_fake_clock *fake = arg;
    return atomic_load(&fake->wall_ms);
}

/* A counter times an odd constant, its bits mixed twice: good enough to look random, and
 * repeatable. */
static uint64_t fake_random_next(struct cleat_fake_clock *fake)
{
    const uint64_t step = UINT64_C(0xa0761d6478bd642f);
    uint64_t x = (atomic_fetch_add(&fake->random_state, 1) + 1) * step;
    x = (x ^ (x >> 31)) * UINT64_C(0xe7037ed1a0b428db);
    x = (x ^ (x >> 29)) * UINT64_C(0x8ebc6af09c88c6e3);
    return x ^ (x >> 32);
}

static void fake_random(void *arg, void *bytes, size_t length)
{
    char *out = bytes;
    while (length > 0) {
        uint64_t word = fake_random_next(arg);
        size_t part = length < sizeof(word) ? length : sizeof(word);
        memcpy(out, &word, part);
        out += part;
        length -= part;
    }
}

void cleat_fake_clock_init(struct cleat_fake_clock *fake)
{
    fake->clock = (struct cleat_clock){
        .mono_ms = fake_mono_ms,
        .mono_ns = fake_mono_ns,
        .boot_ms = fake_boot_ms,
        .wall_ms = fake_wall_ms,
        .random = fake_random,
        .arg = fake,
    };
    atomic_init(&fake->mono_ns, INT64_C(1000) * 1000000000);
    atomic_init(&fake->boot_ms, INT64_C(2000) * 1000);
    atomic_init(&fake->wall_ms, CLEAT_FAKE_CLOCK_WALL_MS);
    atomic_init(&fake->random_state, 0);
}

void cleat_fake_clock_advance_ms(struct cleat_fake_clock *fake, int64_t ms)
{
    atomic_fetch_add(&fake->mono_ns, ms * 1000000);
    cleat_fake_clock_suspend_ms(fake, ms);
}

void cleat_fake_clock_suspend_ms(struct cleat_fake_clock *fake, int64_t ms)
{
    atomic_fetch_add(&fake->boot_ms, ms);
    atomic_fetch_add(&fake->wall_ms, ms);
}

void cleat_fake_clock_set_wall_ms(struct cleat_fake_clock *fake, int64_t wall_ms)
{
    atomic_store(&fake->wall_ms, wall_ms);
}

void cleat_fake_clock_seed(struct cleat_fake_clock *fake, uint64_t seed)
{
    atomic_store(&fake->random_state, seed << 20);
}
