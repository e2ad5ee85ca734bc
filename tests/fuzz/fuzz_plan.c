/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Secret with certificates that anybody may have written, and caBundles. The first byte says
 * which parts come from the input (bits: leaf, key, CAs, CA's key, published), the others being
 * good ones; the second how much later it is, in eighths of the leaf's life, and its highest bit
 * whether we serve something. The rest is divided by '%' into the parts. Whatever it is, the plan
 * keeps its bounds, and never keeps a leaf that isn't valid.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cleat/clock.h>
#include "certs/authority.h"
#include "certs/bundle.h"
#include "certs/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LEAF_S 8000
#define PARTS 5

static const char *const fuzz_names[] = {"a.example", NULL};

static int64_t fuzz_wall_ms(void *arg)
{
    return INT64_C(1800000000000);
}

static void fuzz_random(void *arg, void *bytes, size_t length)
{
    memset(bytes, 0x5a, length);
}

static const struct cleat_clock fuzz_clock = {
    .wall_ms = fuzz_wall_ms, .mono_ms = fuzz_wall_ms, .random = fuzz_random};

static struct cleat_authority *fuzz_authority;
static struct cleat_bundle *fuzz_bundle;

static void fuzz_make(void)
{
    if (fuzz_bundle)
        return;
    if (cleat_authority_new("ca", 10 * LEAF_S, &fuzz_clock, &fuzz_authority, NULL) < 0 ||
        cleat_authority_issue(fuzz_authority, fuzz_names, LEAF_S, &fuzz_clock, &fuzz_bundle, NULL) <
            0)
        abort();
}

/* The next part of @rest, up to '%'. */
static struct cleat_str fuzz_next(struct cleat_str *rest)
{
    const char *end = rest->length > 0 ? memchr(rest->data, '%', rest->length) : NULL;
    struct cleat_str part = {rest->data, end ? (size_t)(end - rest->data) : rest->length};
    size_t used = part.length + (end ? 1 : 0);
    rest->data += used;
    rest->length -= used;
    return part;
}

static void fuzz_check(const struct cleat_plan_state *state, const struct cleat_plan *plan,
                       int64_t now_ms)
{
    struct cleat_trust trust = CLEAT_TRUST_INIT;
    if (plan->older.count > CLEAT_TRUST_MAX - 1 || plan->next_unix_ms <= now_ms || !plan->why)
        abort();
    if (plan->leaf == CLEAT_PLAN_LEAF_SERVED && !state->served)
        abort();
    if (plan->leaf != CLEAT_PLAN_LEAF_STORED)
        return;
    cleat_trust_add(&trust, state->ca, CLEAT_X509_ANY_TIME);
    if (!cleat_trust_verifies(&trust, state->cert, now_ms / 1000))
        abort();
    cleat_trust_fini(&trust);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    fuzz_make();
    struct cleat_str rest = {(const char *)data + 2, size - 2};
    struct cleat_str parts[PARTS] = {cleat_bundle_cert(fuzz_bundle), cleat_bundle_key(fuzz_bundle),
                                     cleat_authority_cert(fuzz_authority),
                                     cleat_authority_key(fuzz_authority),
                                     cleat_authority_cert(fuzz_authority)};
    for (size_t i = 0; i < PARTS; i++)
        if (data[0] & (1u << i))
            parts[i] = fuzz_next(&rest);
    struct cleat_trust trust = CLEAT_TRUST_INIT;
    const struct cleat_trust *const published[] = {&trust};
    struct cleat_plan plan;
    cleat_trust_add(&trust, parts[4], CLEAT_X509_ANY_TIME);
    const struct cleat_plan_state state = {.cert = parts[0],
                                           .key = parts[1],
                                           .ca = parts[2],
                                           .ca_key = parts[3],
                                           .newest_until_unix_s = data[1] * INT64_C(1000000),
                                           .older_until_unix_s = data[1] * INT64_C(8000000),
                                           .served = data[1] & 0x80 ? fuzz_bundle : NULL,
                                           .published = published,
                                           .published_count = 1,
                                           .names = fuzz_names,
                                           .leaf_lifetime_s = LEAF_S};
    int64_t now_ms = fuzz_wall_ms(NULL) + (data[1] & 0x7f) * (LEAF_S / 8) * INT64_C(1000);
    if (cleat_plan_make(&state, now_ms, &plan) < 0)
        abort();
    fuzz_check(&state, &plan, now_ms);
    (void)cleat_plan_adopts(&state, fuzz_bundle, now_ms); /* must only end */
    cleat_plan_fini(&plan);
    cleat_trust_fini(&trust);
    return 0;
}
