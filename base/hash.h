/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keyed hashing (xxHash's XXH3 with a seed per process, set before the first thread), so that what
 * the network sends can't choose collisions.
 */
#ifndef CLEAT_BASE_HASH_H
#define CLEAT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <cleat/str.h>

/** The process's seed; random, chosen on the first call. */
uint64_t cleat_hash_seed(void);
/** Hash of @length bytes. */
uint64_t cleat_hash_bytes(const void *data, size_t length);
/** Hash of @length bytes on top of @seed, for hashing several parts. */
uint64_t cleat_hash_more(uint64_t seed, const void *data, size_t length);

#endif
