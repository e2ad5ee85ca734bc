/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to webhooks on the client's transport: TLS by the configuration's bundle alone, HTTP/1.1,
 * connections kept alive, one transport for each place and bundle.
 */
#include <cleat/kubeconfig.h>
#include <errno.h>
#include <string.h>

#include "apiserver/webhook.h"
#include "base/lock.h"
#include "base/map.h"
#include "base/mem.h"

#define CALL_TRANSPORTS_MAX 64
#define CALL_ANSWER_BYTES_MAX (16u * 1024 * 1024)

struct call_place {
    char *key;
    struct cleat_transport *transport;
};

struct cleat_api_callers {
    const struct cleat_clock *clock;
    struct cleat_lock lock;
    struct cleat_map places; /* by key */
};

int cleat_api_callers_new(const struct cleat_clock *clock, struct cleat_api_callers **ret)
{
    struct cleat_api_callers *callers = cleat_mem_zalloc(1, sizeof(*callers));
    if (!callers)
        return -ENOMEM;
    callers->clock = clock;
    cleat_lock_init(&callers->lock, CLEAT_LOCK_WEBHOOKS);
    cleat_map_init(&callers->places, CALL_TRANSPORTS_MAX);
    *ret = callers;
    return 0;
}

static void place_free(struct call_place *place)
{
    if (!place)
        return;
    (void)cleat_transport_unref(place->transport);
    cleat_mem_free(place->key);
    cleat_mem_free(place);
}

/* Takes any place out, or NULL. Under the lock. */
static struct call_place *callers_take(struct cleat_api_callers *callers)
{
    size_t cursor = 0;
    struct call_place *place = cleat_map_next(&callers->places, &cursor, NULL);
    return place ? cleat_map_remove(&callers->places, cleat_str_of(place->key)) : NULL;
}

struct cleat_api_callers *cleat_api_callers_free(struct cleat_api_callers *callers)
{
    if (!callers)
        return NULL;
    struct call_place *place = NULL;
    while ((place = callers_take(callers)) != NULL)
        place_free(place);
    cleat_map_fini(&callers->places);
    cleat_lock_fini(&callers->lock);
    return cleat_mem_free(callers);
}

static int place_new(const struct cleat_api_callers *callers,
                     const struct cleat_api_webhook_target *target, struct call_place **ret,
                     struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_kubeconfig_freep) struct cleat_kubeconfig *config = NULL;
    struct call_place *place = cleat_mem_zalloc(1, sizeof(*place));
    int result = place ? cleat_kubeconfig_new(target->origin, &config) : -ENOMEM;
    if (result == 0)
        result = cleat_kubeconfig_set(&config->ca_pem, target->ca_pem);
    if (result == 0)
        result = cleat_kubeconfig_set(&config->tls_server_name, target->server_name);
    const struct cleat_client_options options = {
        .config = config, .clock = callers->clock, .user_agent = "kube-apiserver-admission"};
    if (result == 0)
        result = cleat_transport_new(&options, &place->transport, err);
    if (result != 0) {
        place_free(place);
        return result;
    }
    *ret = place;
    return 0;
}

static struct cleat_transport *callers_find(struct cleat_api_callers *callers, const char *key)
{
    cleat_lock_take(&callers->lock);
    const struct call_place *place = cleat_map_get(&callers->places, cleat_str_of(key));
    struct cleat_transport *transport = place ? cleat_transport_ref(place->transport) : NULL;
    cleat_lock_release(&callers->lock);
    return transport;
}

/* Keeps a place, unless another thread was faster; the oldest ways go where there are too many. */
static void callers_keep(struct cleat_api_callers *callers, struct call_place *place)
{
    struct call_place *old = NULL;
    cleat_lock_take(&callers->lock);
    if (callers->places.count == CALL_TRANSPORTS_MAX)
        old = callers_take(callers);
    bool kept = !cleat_map_get(&callers->places, cleat_str_of(place->key)) &&
                cleat_map_set(&callers->places, cleat_str_of(place->key), place) == 0;
    cleat_lock_release(&callers->lock);
    place_free(old);
    if (!kept)
        place_free(place);
}

static int callers_transport(struct cleat_api_callers *callers,
                             const struct cleat_api_webhook_target *target,
                             struct cleat_transport **ret, struct cleat_err *err)
{
    struct call_place *place = NULL;
    char *key =
        cleat_mem_format("%s|%s|%s", target->origin, target->server_name ? target->server_name : "",
                         target->ca_pem ? target->ca_pem : "");
    if (!key)
        return -ENOMEM;
    *ret = callers_find(callers, key);
    int result = *ret ? 0 : place_new(callers, target, &place, err);
    if (!place) {
        cleat_mem_free(key);
        return result;
    }
    place->key = key;
    *ret = cleat_transport_ref(place->transport);
    callers_keep(callers, place);
    return 0;
}

/* What Go's client would say. */
static int call_fail(const struct cleat_api_webhook_target *target, int result,
                     const struct cleat_err *why, struct cleat_err *err)
{
    const char *host = target->origin + strlen("https://");
    if (why->http_status)
        return cleat_err_set(err, result,
                             "an error on the server (\"%.200s\") has prevented the request from "
                             "succeeding (HTTP %d)",
                             cleat_err_text(why), why->http_status);
    if (result == -ETIMEDOUT)
        return cleat_err_set(err, result, "Post \"%s\": context deadline exceeded",
                             target->display);
    if (result == -ECONNREFUSED)
        return cleat_err_set(err, result, "Post \"%s\": dial tcp %s: connect: connection refused",
                             target->display, host);
    if (result == -EKEYREJECTED)
        return cleat_err_set(err, result,
                             "Post \"%s\": tls: failed to verify certificate: x509: %.120s",
                             target->display, cleat_err_text(why));
    if (result == -ECONNRESET)
        return cleat_err_set(err, result, "Post \"%s\": EOF", target->display);
    return cleat_err_set(err, result, "Post \"%s\": %.160s", target->display, cleat_err_text(why));
}

int cleat_api_callers_post(struct cleat_api_callers *callers,
                           const struct cleat_api_webhook_target *target, struct cleat_str body,
                           int64_t timeout_ms, struct cleat_transport_answer *answer,
                           struct cleat_err *err)
{
    struct cleat_err why = CLEAT_ERR_INIT;
    struct cleat_transport *transport = NULL;
    CLEAT_CLEANUP(cleat_mem_freep)
    char *path = cleat_mem_format("%s?timeout=%llds", target->path, (long long)(timeout_ms / 1000));
    int result = path ? callers_transport(callers, target, &transport, &why) : -ENOMEM;
    const struct cleat_transport_request request = {
        .method = "POST",
        .path = path,
        .body = body,
        .accept = "application/json, */*",
        .write = true,
        .deadline_mono_ms = cleat_clock_mono_ms(callers->clock) + timeout_ms,
    };
    if (result == 0)
        result = cleat_transport_call(transport, &request, answer, &why);
    (void)cleat_transport_unref(transport);
    if (result == 0 && answer->body.length > CALL_ANSWER_BYTES_MAX)
        result = cleat_err_set(&why, -EMSGSIZE, "the answer is longer than 16 MiB");
    return result == 0 ? 0 : call_fail(target, result, &why, err);
}
