/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/queue_limit.h"

#define BACKOFF_BASE_MS 5
#define BACKOFF_MAX_MS 1000000
#define NS_PER_MS INT64_C(1000000)

void cleat__queue_limit_init(struct queue_limit *limit, int64_t base_ms, int64_t max_ms,
                             double bucket_per_s, unsigned bucket_burst, int64_t now_ns)
{
    double burst = bucket_burst > 0 ? (double)bucket_burst : 1;
    *limit = (struct queue_limit){
        .base_ns = (base_ms > 0 ? base_ms : BACKOFF_BASE_MS) * NS_PER_MS,
        .max_ns = (max_ms > 0 ? max_ms : BACKOFF_MAX_MS) * NS_PER_MS,
        .bucket_per_ns = bucket_per_s > 0 ? bucket_per_s / 1e9 : 0,
        .bucket_burst = burst,
        .tokens = burst,
        .filled_ns = now_ns,
    };
}

int64_t cleat__queue_limit_backoff(const struct queue_limit *limit, unsigned failures)
{
    int64_t delay_ns = limit->base_ns;
    for (unsigned i = 0; i < failures && delay_ns < limit->max_ns; i++)
        delay_ns = delay_ns > limit->max_ns / 2 ? limit->max_ns : delay_ns * 2;
    return delay_ns < limit->max_ns ? delay_ns : limit->max_ns;
}

int64_t cleat__queue_limit_reserve(struct queue_limit *limit, int64_t now_ns)
{
    if (limit->bucket_per_ns <= 0)
        return 0;
    limit->tokens += (double)(now_ns - limit->filled_ns) * limit->bucket_per_ns;
    limit->filled_ns = now_ns;
    if (limit->tokens > limit->bucket_burst)
        limit->tokens = limit->bucket_burst;
    limit->tokens -= 1;
    if (limit->tokens >= 0)
        return 0;
    double wait_ns = -limit->tokens / limit->bucket_per_ns;
    if (wait_ns > (double)limit->max_ns) {
        limit->tokens += 1;
        return limit->max_ns;
    }
    return (int64_t)wait_ns;
}
