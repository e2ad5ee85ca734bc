/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Out of memory at every place: runs a function again and again, with the first request for memory
 * failing, then the second, and so on until it passes untouched. What it leaks is
 * AddressSanitizer's to find.
 */
#ifndef CLEAT_TESTS_CHAOS_H
#define CLEAT_TESTS_CHAOS_H

#include <stdint.h>

/** 0, or a negative errno. Makes, uses and releases everything it needs. */
typedef int (*cleat_chaos_fn)(void *arg);

/**
 * Sweeps @fn, each time with one failing request and then with all after it failing too. Fails the
 * test where a refused request wasn't reported as an error, or where the untouched run isn't 0.
 * Returns how many requests @fn makes.
 */
uint64_t cleat_chaos_sweep(cleat_chaos_fn fn, void *arg);
/** The same for functions that may get over a refused request: 0 is fine then as well. */
uint64_t cleat_chaos_sweep_tolerant(cleat_chaos_fn fn, void *arg);

#endif
