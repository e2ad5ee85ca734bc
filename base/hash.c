/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <pthread.h>

#define XXH_INLINE_ALL
#ifdef CLEAT_DEBUG
#define XXH_NO_INLINE_HINTS 1 /* -Og doesn't do what always_inline demands */
#endif
#include <xxhash.h>

#include <cleat/clock.h>

static pthread_once_t hash_once = PTHREAD_ONCE_INIT;
static uint64_t
    hash_seed; /* written once, inside pthread_once, which orders it before every reader */

static void hash_seed_choose(void)
{
    cleat_clock_random(cleat_clock_system(), &hash_seed, sizeof(hash_seed));
}

uint64_t cleat_hash_seed(void)
{
    (void)pthread_once(&hash_once, hash_seed_choose); /* fails only for a bad control variable */
    return hash_seed;
}

uint64_t cleat_hash_bytes(const void *data, size_t length)
{
    return XXH3_64bits_withSeed(data, length, cleat_hash_seed());
}

uint64_t cleat_hash_more(uint64_t seed, const void *data, size_t length)
{
    return XXH3_64bits_withSeed(data, length, seed);
}
