/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of libraries, where they let it be given to them: jansson, libcurl, OpenSSL by their
 * functions, libyaml by the two symbols that it calls. While a sweep of libraries runs, their
 * requests count as ours; else they go to the system. GnuTLS and libmicrohttpd take no functions,
 * and aren't swept.
 */
#ifndef CLEAT_TESTS_ALLOC_LIBRARIES_H
#define CLEAT_TESTS_ALLOC_LIBRARIES_H

#include <check.h>
#include <curl/curl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/sweep.h"

static inline void *alloc_library_malloc(size_t size)
{
    return cleat_sweep_libraries() ? cleat_mem_alloc(size) : malloc(size ? size : 1);
}

static inline void *alloc_library_realloc(void *memory, size_t size)
{
    return cleat_sweep_libraries() ? cleat_mem_realloc(memory, size)
                                   : realloc(memory, size ? size : 1);
}

static inline void *alloc_library_calloc(size_t count, size_t size)
{
    return cleat_sweep_libraries() ? cleat_mem_zalloc(count, size) : calloc(count, size);
}

static inline char *alloc_library_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = alloc_library_malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

static inline void *alloc_ssl_malloc(size_t size, const char *file, int line)
{
    return size > 0 ? alloc_library_malloc(size) : NULL;
}

static inline void *alloc_ssl_realloc(void *memory, size_t size, const char *file, int line)
{
    return alloc_library_realloc(memory, size);
}

static inline void alloc_ssl_free(void *memory, const char *file, int line)
{
    free(memory);
}

/* libyaml calls these through its own table of symbols, where a program's come first. */
__attribute__((visibility("default"))) void *yaml_malloc(size_t size);
__attribute__((visibility("default"))) void *yaml_realloc(void *memory, size_t size);

void *yaml_malloc(size_t size)
{
    return alloc_library_malloc(size);
}

void *yaml_realloc(void *memory, size_t size)
{
    return memory ? alloc_library_realloc(memory, size) : alloc_library_malloc(size);
}

/** Before anything else of the program: the libraries take these only before their first request.
 */
static inline void alloc_libraries_hook(void)
{
    int taken = CRYPTO_set_mem_functions(alloc_ssl_malloc, alloc_ssl_realloc, alloc_ssl_free);
    CURLcode code =
        curl_global_init_mem(CURL_GLOBAL_ALL, alloc_library_malloc, free, alloc_library_realloc,
                             alloc_library_strdup, alloc_library_calloc);
    json_set_alloc_funcs(alloc_library_malloc, free);
    if (taken != 1 || code != CURLE_OK)
        abort();
}

#endif
