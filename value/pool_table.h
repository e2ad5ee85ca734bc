/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of a pool: from the hash of a node's content to its reference. Private to pool.c.
 *
 * The table is many small tables (segments), chosen by the hash's top bits; each grows by an eighth
 * when it is 85% full, so that growing never needs more than a thousandth of the whole at once, and
 * the load stays between 75 and 85%. A bucket is one cache line of ten references with 16 bits of
 * hash each; those 16 bits also say which bucket a reference belongs to, so that growing reads no
 * nodes. A full bucket spills into the next one and counts how many references went past it, so
 * that a search knows where to end.
 */
#ifndef CLEAT_VALUE_POOL_TABLE_H
#define CLEAT_VALUE_POOL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define TABLE_SLOTS 10
#define TABLE_SLOTS_MASK ((1u << TABLE_SLOTS) - 1)
#define TABLE_SEGMENT_BITS 7
#define TABLE_SEGMENTS (1u << TABLE_SEGMENT_BITS)
#define TABLE_SPILL_MAX UINT16_MAX /* stays there: such a bucket is always searched past */

struct table_bucket {
    uint16_t tags[TABLE_SLOTS];
    uint16_t used; /* bits */
    uint16_t spill;
    uint32_t refs[TABLE_SLOTS];
};

struct table_segment {
    struct table_bucket *buckets;
    uint32_t bucket_count;
    uint32_t count;
};

struct table {
    struct table_segment segments[TABLE_SEGMENTS];
    size_t *bytes; /* the heap's account */
    size_t bytes_max;
};

static inline uint16_t table_tag(uint64_t hash)
{
    return (uint16_t)(hash >> 32);
}

static inline struct table_segment *table_segment(struct table *table, uint64_t hash)
{
    return &table->segments[hash >> (64 - TABLE_SEGMENT_BITS)];
}

static inline uint32_t table_home(const struct table_segment *segment, uint16_t tag)
{
    return (uint32_t)((uint64_t)tag * segment->bucket_count >> 16);
}

/* Bits of the slots in use whose tag is @tag. */
static inline uint32_t table_match(const struct table_bucket *bucket, uint16_t tag)
{
    uint32_t bits = 0;
#if defined(__SSE2__)
    __m128i wanted = _mm_set1_epi16((short)tag);
    __m128i tags = _mm_loadu_si128((const __m128i *)(const void *)bucket->tags);
    __m128i equal = _mm_packs_epi16(_mm_cmpeq_epi16(tags, wanted), _mm_setzero_si128());
    bits = (uint32_t)_mm_movemask_epi8(equal);
    bits |= (uint32_t)(bucket->tags[8] == tag) << 8 | (uint32_t)(bucket->tags[9] == tag) << 9;
#else
    for (uint32_t i = 0; i < TABLE_SLOTS; i++)
        bits |= (uint32_t)(bucket->tags[i] == tag) << i;
#endif
    return bits & bucket->used;
}

static inline uint32_t table_next(const struct table_segment *segment, uint32_t index)
{
    return index + 1 == segment->bucket_count ? 0 : index + 1;
}

void table_fini(struct table *table);
/** Makes sure that one more reference of @hash fits. 0, -ENOMEM, -ENOBUFS. */
int table_prepare(struct table *table, uint64_t hash) CLEAT_MUST_CHECK;
/** Adds @ref; prepared before. */
void table_insert(struct table *table, uint64_t hash, uint32_t ref);
/** Removes @ref, which is there. */
void table_remove(struct table *table, uint64_t hash, uint32_t ref);

#endif
