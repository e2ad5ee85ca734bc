/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a rate-limited key has to wait: exponential back-off per key, and a token bucket over
 * all of them. Pure arithmetic over a time that is handed in.
 */
#ifndef CLEAT_CONTROLLER_QUEUE_LIMIT_H
#define CLEAT_CONTROLLER_QUEUE_LIMIT_H

#include <stdint.h>

struct queue_limit {
    int64_t base_ns;
    int64_t max_ns;
    double bucket_per_ns; /* 0: no bucket */
    double bucket_burst;
    double tokens; /* may be negative: tokens that are promised already */
    int64_t filled_ns;
};

void cleat__queue_limit_init(struct queue_limit *limit, int64_t base_ms, int64_t max_ms,
                             double bucket_per_s, unsigned bucket_burst, int64_t now_ns);
/** The delay after @failures failures in a row (0: the first delay): base × 2^failures, at most the
 * maximum. */
int64_t cleat__queue_limit_backoff(const struct queue_limit *limit, unsigned failures);
/**
 * Takes a token, or promises one; returns the nanoseconds until it's there. What is promised never
 * exceeds the maximal back-off: beyond that nothing more is reserved.
 */
int64_t cleat__queue_limit_reserve(struct queue_limit *limit, int64_t now_ns);

#endif
