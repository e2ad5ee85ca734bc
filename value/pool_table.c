/* SPDX-License-Identifier: Apache-2.0 */
#include "value/pool_table.h"

#include <errno.h>

#include "base/check.h"
#include "base/mem.h"

void table_fini(struct table *table)
{
    for (uint32_t i = 0; i < TABLE_SEGMENTS; i++)
        table->segments[i].buckets = cleat_mem_free(table->segments[i].buckets);
}

static void segment_insert(struct table_segment *segment, uint16_t tag, uint32_t ref)
{
    uint32_t index = table_home(segment, tag);
    struct table_bucket *bucket = &segment->buckets[index];
    while (bucket->used == TABLE_SLOTS_MASK) {
        bucket->spill += bucket->spill < TABLE_SPILL_MAX;
        index = table_next(segment, index);
        bucket = &segment->buckets[index];
    }
    uint32_t slot = (uint32_t)__builtin_ctz(~(uint32_t)bucket->used);
    bucket->used |= (uint16_t)(1u << slot);
    bucket->tags[slot] = tag;
    bucket->refs[slot] = ref;
    segment->count++;
}

static int segment_grow(struct table *table, struct table_segment *segment)
{
    struct table_segment grown = {.bucket_count =
                                      segment->bucket_count + 1 + segment->bucket_count / 8};
    size_t more = (grown.bucket_count - segment->bucket_count) * sizeof(*grown.buckets);
    if (*table->bytes + more > table->bytes_max)
        return -ENOBUFS;
    grown.buckets = cleat_mem_zalloc(grown.bucket_count, sizeof(*grown.buckets));
    if (!grown.buckets)
        return -ENOMEM;
    for (uint32_t i = 0; i < segment->bucket_count; i++) {
        const struct table_bucket *bucket = &segment->buckets[i];
        for (uint32_t bits = bucket->used; bits != 0; bits &= bits - 1) {
            uint32_t slot = (uint32_t)__builtin_ctz(bits);
            segment_insert(&grown, bucket->tags[slot], bucket->refs[slot]);
        }
    }
    (void)cleat_mem_free(segment->buckets);
    *segment = grown;
    *table->bytes += more;
    return 0;
}

int table_prepare(struct table *table, uint64_t hash)
{
    struct table_segment *segment = table_segment(table, hash);
    uint64_t room = (uint64_t)segment->bucket_count * TABLE_SLOTS;
    if (segment->count * 25 < room * 23)
        return 0;
    int r = segment_grow(table, segment);
    return r != 0 && segment->count < room ? 0 : r; /* fuller than wanted, but it goes on */
}

void table_insert(struct table *table, uint64_t hash, uint32_t ref)
{
    segment_insert(table_segment(table, hash), table_tag(hash), ref);
}

void table_remove(struct table *table, uint64_t hash, uint32_t ref)
{
    struct table_segment *segment = table_segment(table, hash);
    uint16_t tag = table_tag(hash);
    uint32_t index = table_home(segment, tag);
    for (uint32_t seen = 0; seen < segment->bucket_count; seen++) {
        struct table_bucket *bucket = &segment->buckets[index];
        for (uint32_t bits = table_match(bucket, tag); bits != 0; bits &= bits - 1) {
            uint32_t slot = (uint32_t)__builtin_ctz(bits);
            if (bucket->refs[slot] == ref) {
                bucket->used &= (uint16_t) ~(1u << slot);
                segment->count--;
                return;
            }
        }
        bucket->spill -= bucket->spill < TABLE_SPILL_MAX; /* it had gone past this one */
        index = table_next(segment, index);
    }
    cleat_assert(!"a node is in its pool's table");
}
