/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator's front. In production it is one relaxed load away from libc; once a test has
 * called cleat_mem_fail_at, requests are counted and the chosen ones fail.
 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cleat/buffer.h>

static atomic_bool mem_armed; /* set for good by the first cleat_mem_fail_at */
static _Atomic(uint64_t) mem_count;
static _Atomic(uint64_t) mem_nth;
static atomic_bool mem_and_after;
static atomic_bool mem_refused;
static bool (*_Atomic mem_counts)(void);
static void (*_Atomic mem_tell)(uint64_t request);

static bool mem_is_chosen(uint64_t request)
{
    uint64_t nth = atomic_load_explicit(&mem_nth, memory_order_relaxed);
    if (nth == 0)
        return false;
    return request == nth || (request > nth && atomic_load(&mem_and_after));
}

/* True where this request is to fail. The counter alone decides who is Nth, so that no order is
 * needed. */
static bool mem_refuse(void)
{
    if (!atomic_load_explicit(&mem_armed, memory_order_relaxed))
        return false;
    bool (*counts)(void) = atomic_load(&mem_counts);
    if (counts && !counts())
        return false;
    uint64_t request = atomic_fetch_add_explicit(&mem_count, 1, memory_order_relaxed) + 1;
    if (!mem_is_chosen(request))
        return false;
    atomic_store(&mem_refused, true);
    void (*tell)(uint64_t) = atomic_load(&mem_tell);
    if (tell)
        tell(request);
    return true;
}

void cleat_mem_fail_watch(bool (*counts)(void), void (*refused)(uint64_t request))
{
    atomic_store(&mem_counts, counts);
    atomic_store(&mem_tell, refused);
}

void cleat_mem_fail_at(uint64_t nth, bool and_after)
{
    atomic_store(&mem_nth, 0);
    atomic_store(&mem_count, 0);
    atomic_store(&mem_refused, false);
    atomic_store(&mem_and_after, and_after);
    atomic_store(&mem_nth, nth);
    atomic_store(&mem_armed, true);
}

uint64_t cleat_mem_requests(void)
{
    return atomic_load(&mem_count);
}

bool cleat_mem_failed(void)
{
    return atomic_load(&mem_refused);
}

void *cleat_mem_alloc(size_t size)
{
    return mem_refuse() ? NULL : malloc(size ? size : 1);
}

void *cleat_mem_zalloc(size_t count, size_t size)
{
    if (mem_refuse())
        return NULL;
    return count && size ? calloc(count, size) : calloc(1, 1);
}

void *cleat_mem_realloc(void *memory, size_t size)
{
    return mem_refuse() ? NULL : realloc(memory, size ? size : 1);
}

void *cleat_mem_aligned(size_t alignment, size_t size)
{
    void *memory = NULL;
    if (mem_refuse() || posix_memalign(&memory, alignment, size ? size : 1) != 0)
        return NULL;
    return memory;
}

void *cleat_mem_free(void *memory)
{
    free(memory);
    return NULL;
}

void cleat_free(void *memory)
{
    free(memory);
}

char *cleat_mem_strdup(const char *text)
{
    return cleat_mem_strndup(text, strlen(text));
}

char *cleat_mem_strndup(const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? cleat_mem_alloc(length + 1) : NULL;
    if (!copy)
        return NULL;
    if (length > 0)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

static char *mem_format(const char *format, va_list args) CLEAT_PRINTF(1, 0);

static char *mem_format(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : cleat_mem_alloc((size_t)length + 1);
    if (text)
        (void)vsnprintf(text, (size_t)length + 1, format, again); /* the length is known to fit */
    va_end(again);
    return text;
}

void *cleat_mem_map(size_t size)
{
    if (mem_refuse())
        return NULL;
    void *memory =
        mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void cleat_mem_unmap(void *memory, size_t size)
{
    if (memory)
        (void)munmap(memory, size ? size : 1); /* it was mapped so */
}

char *cleat_mem_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = mem_format(format, args);
    va_end(args);
    return text;
}

void cleat_mem_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0); /* whether anything was free doesn't matter */
#endif
}

void cleat_mem_wipe(void *memory, size_t size)
{
    if (size > 0)
        explicit_bzero(memory, size);
}
