/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that asks the system for memory. Tests can tell it to fail the Nth request (and, if
 * wanted, all after it); what is never released is AddressSanitizer's to find. Any thread.
 */
#ifndef CLEAT_BASE_MEM_H
#define CLEAT_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/macro.h>
#include <cleat/str.h>

/** @size bytes (0 counts as 1), or NULL. */
void *cleat_mem_alloc(size_t size) CLEAT_MUST_CHECK;
/** @count × @size zeroed bytes, or NULL, also when the product overflows. */
void *cleat_mem_zalloc(size_t count, size_t size) CLEAT_MUST_CHECK;
/** As realloc; on failure the old block stays. */
void *cleat_mem_realloc(void *memory, size_t size) CLEAT_MUST_CHECK;
/** As aligned_alloc. Released by cleat_mem_free. */
void *cleat_mem_aligned(size_t alignment, size_t size) CLEAT_MUST_CHECK;
/** Releases; NULL is fine. Returns NULL, for x = cleat_mem_free(x). */
void *cleat_mem_free(void *memory);
/** @size zeroed bytes of pages of their own, which the system has back at once with
 * cleat_mem_unmap; or NULL. For what is large and short-lived. */
void *cleat_mem_map(size_t size) CLEAT_MUST_CHECK;
/** Releases what cleat_mem_map gave for @size; NULL is fine. */
void cleat_mem_unmap(void *memory, size_t size);
/** A NUL-terminated copy of a text, or NULL. */
char *cleat_mem_strdup(const char *text) CLEAT_MUST_CHECK;
/** A NUL-terminated copy of @length bytes, or NULL. */
char *cleat_mem_strndup(const char *text, size_t length) CLEAT_MUST_CHECK;
/** A formatted, NUL-terminated new text, or NULL. */
char *cleat_mem_format(const char *format, ...) CLEAT_PRINTF(1, 2) CLEAT_MUST_CHECK;
/** Gives the system back what is free inside the allocator, as after a load that grew many tables.
 * Takes milliseconds; any thread. */
void cleat_mem_trim(void);
/** Overwrites secrets in a way that no compiler drops. */
void cleat_mem_wipe(void *memory, size_t size);

/** From now on the @nth request (1 is the next) fails; with @and_after all later ones too. 0: none.
 */
void cleat_mem_fail_at(uint64_t nth, bool and_after);
/** Requests since the last cleat_mem_fail_at. */
uint64_t cleat_mem_requests(void);
/** True where a request was made to fail since the last cleat_mem_fail_at. */
bool cleat_mem_failed(void);
/**
 * For sweeps: @counts is asked at each request whether it counts at all (NULL: all do), @refused is
 * told of each that fails (NULL: nobody). Both run on the thread that asks, and must not ask for
 * memory here. Set while nothing fails; stays until it is set anew.
 */
void cleat_mem_fail_watch(bool (*counts)(void), void (*refused)(uint64_t request));

/** Cleanup function for owned locals: CLEAT_CLEANUP(cleat_mem_freep) char *x = NULL. */
static inline void cleat_mem_freep(void *pointer)
{
    void **memory = pointer;
    *memory = cleat_mem_free(*memory);
}

#endif
