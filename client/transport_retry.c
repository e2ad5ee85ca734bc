/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which failed tries are made again, and when. What the server may have carried out is never sent
 * twice: a write is repeated only where the server said that it wants it later (429 or 5xx with
 * Retry-After) or where its body wasn't begun. After client-go's rest/with_retry.go; a broken
 * connection is tried again sooner and less often than there.
 */
#include "client/transport_curl.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"

#define RETRY_CONNECTION_MAX 3
#define RETRY_CONNECTION_FIRST_MS 100
#define RETRY_LOOK_MS 500 /* whether the call is still wanted */

struct retry_state {
    int tries;                /* made so far */
    int broken;               /* of these, connections that broke */
    bool refreshed;           /* new credentials were asked for */
    int64_t deadline_mono_ms; /* 0: none */
};

void cleat_transport_answer_init(struct cleat_transport_answer *answer)
{
    answer->code = 0;
    cleat_buffer_init(&answer->body, TRANSPORT_ANSWER_BYTES_MAX);
}

void cleat_transport_answer_fini(struct cleat_transport_answer *answer)
{
    cleat_buffer_fini(&answer->body);
}

int64_t cleat__transport_limit(struct transport_limiter *limiter, int64_t now_mono_ms)
{
    if (limiter->per_ms <= 0)
        return 0;
    double passed = (double)(now_mono_ms - limiter->at_mono_ms);
    limiter->at_mono_ms = now_mono_ms;
    limiter->level -= passed * limiter->per_ms;
    limiter->level = (limiter->level < 0 ? 0 : limiter->level) + 1;
    double over = limiter->level - limiter->burst;
    return over > 0 ? (int64_t)(over / limiter->per_ms + 0.999) : 0;
}

static void retry_wait(struct cleat_transport *transport,
                       const struct cleat_transport_request *request, int64_t wait_ms)
{
    if (wait_ms <= 0)
        return;
    if (transport->wait) {
        transport->wait(transport->wait_arg, wait_ms);
        return;
    }
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t until_ms = cleat_clock_mono_ms(clock) + wait_ms;
    cleat_lock_take(&transport->lock);
    for (int64_t left = wait_ms; left > 0 && !cleat__transport_aborted(request);
         left = until_ms - cleat_clock_mono_ms(clock))
        (void)cleat_cond_wait_ms(&transport->never, &transport->lock,
                                 left < RETRY_LOOK_MS ? left : RETRY_LOOK_MS);
    cleat_lock_release(&transport->lock);
}

/* False where the wait would end at the deadline or later. */
static bool retry_fits(const struct cleat_transport *transport, const struct retry_state *state,
                       int64_t wait_ms)
{
    return state->deadline_mono_ms == 0 ||
           cleat_clock_mono_ms(transport->clock) + wait_ms < state->deadline_mono_ms;
}

/* Waits for a token of the rate limit. */
static int retry_throttle(struct cleat_transport *transport,
                          const struct cleat_transport_request *request,
                          const struct retry_state *state, struct cleat_err *err)
{
    if (request->watch)
        return 0;
    cleat_lock_take(&transport->lock);
    int64_t wait_ms =
        cleat__transport_limit(&transport->limiter, cleat_clock_mono_ms(transport->clock));
    cleat_lock_release(&transport->lock);
    if (wait_ms > 0 && !retry_fits(transport, state, wait_ms)) {
        return cleat_err_set(
            err, -ETIMEDOUT,
            "%s %s%.*s: the client's rate limit leaves no time before the deadline",
            request->method, transport->endpoint.display, (int)strcspn(request->path, "?"),
            request->path);
    }
    if (transport->limiter.per_ms > 0)
        cleat__client_metrics_limit(&transport->metrics, request->method, transport->endpoint.host,
                                    wait_ms);
    retry_wait(transport, request, wait_ms);
    return 0;
}

static bool retry_is_broken(CURLcode code)
{
    return code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
           code == CURLE_SEND_FAIL_REWIND || code == CURLE_PARTIAL_FILE;
}

/* The connection was refused or broke: how long to wait, or -1 where it mustn't be tried again. */
static int64_t retry_after_break(struct cleat_transport *transport, const struct transport_try *try,
                                 struct retry_state *state)
{
    bool get = strcmp(try->request->method, "GET") == 0;
    bool unsent = try->request->body.length > 0 && try->body_sent == 0 && try->head.code == 0;
    bool again =
        retry_is_broken(try->code) ? get || unsent : get && try->code == CURLE_COULDNT_CONNECT;
    if (!again || !try->handed || try->began || state->broken >= RETRY_CONNECTION_MAX)
        return -1;
    int64_t wait_ms = RETRY_CONNECTION_FIRST_MS;
    for (int i = 0; i < state->broken; i++)
        wait_ms *= 3;
    state->broken++;
    return wait_ms + (int64_t)cleat_clock_random_below(transport->clock, (uint64_t)wait_ms / 2);
}

/* The credentials were refused: true where there are others now. */
static bool retry_refresh(struct cleat_transport *transport, const struct transport_try *try)
{
    cleat_credentials_reject(transport->credentials, try->generation);
    if (strcmp(try->request->method, "GET") != 0)
        return false;
    CLEAT_CLEANUP(cleat_credentials_set_unrefp) const struct cleat_credentials_set *set = NULL;
    return cleat_credentials_lookup(transport->credentials, true, &set, NULL) == 0 &&
           set->generation != try->generation;
}

/* An answer >= 300: how long to wait, or -1. */
static int64_t retry_after_answer(struct cleat_transport *transport,
                                  const struct transport_try *try, struct retry_state *state)
{
    int code = try->head.code;
    if (code == 401 && !state->refreshed) {
        state->refreshed = true;
        return retry_refresh(transport, try) ? 0 : -1;
    }
    return (code == 429 || code >= 500) && try->head.has_retry_after ? try->head.retry_after_ms
                                                                     : -1;
}

/* One try and its judgement: 0 done, 1 again after *@ret_wait_ms (with @err of this time), or
 * negative. */
static int retry_once(struct transport_try *try, struct retry_state *state, int64_t *ret_wait_ms,
                      struct cleat_err *err)
{
    struct cleat_transport *transport = try->transport;
    int result = cleat__transport_try(try, err);
    try->answer->code = try->head.code;
    int64_t wait_ms = -1;
    if (result == 0 && try->head.code < 300)
        return 0;
    if (result == 0) {
        result = cleat__transport_refuse(transport, try->request->method, try->request->path,
                                         &try->head, cleat_buffer_view(&try->answer->body), err);
        wait_ms = retry_after_answer(transport, try, state);
    } else {
        wait_ms = retry_after_break(transport, try, state);
    }
    if (wait_ms < 0 || state->tries > transport->retries_max ||
        !retry_fits(transport, state, wait_ms))
        return result;
    *ret_wait_ms = wait_ms;
    return 1;
}

/* What the next try may take; 0 is without limit, negative: nothing is left. */
static int64_t retry_timeout_ms(const struct cleat_transport *transport,
                                const struct retry_state *state)
{
    if (state->deadline_mono_ms == 0)
        return 0;
    int64_t left_ms = state->deadline_mono_ms - cleat_clock_mono_ms(transport->clock);
    return left_ms > 0 ? left_ms : -1;
}

static int retry_until_done(struct cleat_transport *transport,
                            const struct cleat_transport_request *request,
                            struct cleat_transport_answer *answer, struct cleat_err *err)
{
    struct retry_state state = {.deadline_mono_ms = request->deadline_mono_ms};
    if (state.deadline_mono_ms == 0 && !request->watch)
        state.deadline_mono_ms = cleat_clock_mono_ms(transport->clock) + transport->timeout_ms;
    for (;;) {
        int result = retry_throttle(transport, request, &state, err);
        if (result < 0)
            return result;
        struct transport_try try = {.transport = transport, .request = request, .answer = answer};
        try.timeout_ms = retry_timeout_ms(transport, &state);
        if (try.timeout_ms < 0) {
            return cleat_err_set(err, -ETIMEDOUT, "%s %s%.*s: the deadline has passed",
                                 request->method, transport->endpoint.display,
                                 (int)strcspn(request->path, "?"), request->path);
        }
        int64_t wait_ms = 0;
        state.tries++;
        result = retry_once(&try, &state, &wait_ms, err);
        if (result <= 0)
            return result;
        cleat__client_metrics_retry(&transport->metrics, request->method, transport->endpoint.host,
                                    try.head.code);
        cleat_err_clear(err);
        cleat_buffer_reset(&answer->body);
        retry_wait(transport, request, wait_ms);
    }
}

int cleat_transport_call(struct cleat_transport *transport,
                         const struct cleat_transport_request *request,
                         struct cleat_transport_answer *answer, struct cleat_err *err)
{
    cleat_assert(request->path[0] == '/');
    cleat_assert(answer->body.length == 0);
    struct cleat_err local = CLEAT_ERR_INIT;
    int result = cleat_transport_may_block(request->path, &local);
    int64_t began_ns = cleat_clock_mono_ns(transport->clock);
    if (result == 0)
        result = retry_until_done(transport, request, answer, &local);
    if (!request->watch)
        cleat__client_metrics_done(&transport->metrics, request->method, transport->endpoint.host,
                                   cleat_clock_mono_ns(transport->clock) - began_ns,
                                   request->body.length, answer->body.length);
    if (result != 0 && err && err->code == 0)
        *err = local;
    return result;
}
