/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A caBundle is to hold what the Secret holds, and what verifies this process. Another CA may be
 * that of a replica which hasn't told the Secret yet: it stays for a while. Garbage goes at once.
 */
#include <errno.h>
#include <string.h>
#include <openssl/evp.h>
#include "certs/bundle.h"
#include "certs/rotator.h"

#define STRANGER_GRACE_MS 60000

static int64_t publish_grace_ms(const struct cleat_rotator *rotator)
{
    int64_t life_ms = rotator->leaf_lifetime_s * 1000;
    return life_ms < STRANGER_GRACE_MS ? life_ms : STRANGER_GRACE_MS;
}

/* The stranger with that digest, or the one that it takes the place of: the youngest. */
static struct rotator_stranger *publish_stranger(struct cleat_rotator *rotator,
                                                 const unsigned char *digest)
{
    struct rotator_stranger *place = &rotator->strangers[0];
    int64_t now_ms = cleat_clock_mono_ms(rotator->clock);
    for (size_t i = 0; i < CLEAT_TRUST_MAX; i++) {
        struct rotator_stranger *stranger = &rotator->strangers[i];
        if (stranger->since_mono_ms != 0 &&
            memcmp(stranger->digest, digest, ROTATOR_DIGEST_BYTES) == 0)
            return stranger;
        if (place->since_mono_ms != 0 &&
            (stranger->since_mono_ms == 0 || stranger->since_mono_ms > place->since_mono_ms))
            place = stranger;
    }
    memcpy(place->digest, digest, ROTATOR_DIGEST_BYTES);
    place->since_mono_ms = now_ms;
    return place;
}

/* True while @cert may be a replica's. */
static bool publish_spares(struct cleat_rotator *rotator, const X509 *cert)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (X509_digest(cert, EVP_sha256(), digest, &length) != 1)
        return true;
    struct rotator_stranger *stranger = publish_stranger(rotator, digest);
    stranger->seen = true;
    int64_t known_ms = cleat_clock_mono_ms(rotator->clock) - stranger->since_mono_ms;
    return known_ms < publish_grace_ms(rotator);
}

static void publish_forget(struct cleat_rotator *rotator)
{
    for (size_t i = 0; i < CLEAT_TRUST_MAX; i++) {
        if (!rotator->strangers[i].seen)
            rotator->strangers[i].since_mono_ms = 0;
        rotator->strangers[i].seen = false;
    }
}

static const char *publish_why(const struct cleat_injection_hook *hook,
                               const struct cleat_trust *there, const struct cleat_trust *ours)
{
    if (!hook->there)
        return "there was none";
    if (there->count == 0)
        return "it held no CA";
    for (size_t i = 0; i < ours->count; i++)
        if (!cleat_trust_has(there, ours->certs[i]))
            return "a CA of ours wasn't in it";
    return "it held more than our CAs";
}

/* What one caBundle is to hold. */
static int publish_hook(struct cleat_rotator *rotator, const struct cleat_trust *ours,
                        int64_t now_s, struct cleat_injection_hook *hook)
{
    struct cleat_trust there = CLEAT_TRUST_INIT;
    struct cleat_trust wanted = CLEAT_TRUST_INIT;
    cleat_trust_add_from(&there, &hook->trust, 0, now_s);
    cleat_trust_add_from(&wanted, ours, 0, CLEAT_X509_ANY_TIME);
    for (size_t i = 0; i < there.count; i++)
        if (!cleat_trust_has(ours, there.certs[i]) && publish_spares(rotator, there.certs[i]))
            cleat_trust_add_cert(&wanted, there.certs[i]);
    int r = cleat_trust_write(&wanted, &hook->wanted);
    hook->why = publish_why(hook, &there, ours);
    cleat_trust_fini(&there);
    cleat_trust_fini(&wanted);
    return r;
}

static void publish_tell(struct cleat_rotator *rotator, const struct cleat_injection *injection)
{
    for (size_t i = 0; i < injection->count; i++) {
        const struct cleat_injection_hook *hook = &injection->hooks[i];
        if (!cleat_str_equal(cleat_buffer_view(&hook->pem), cleat_buffer_view(&hook->wanted)))
            cleat_info(rotator->log, "published our CAs",
                       cleat_log_text("name", injection->target->name),
                       cleat_log_text("why", hook->why));
    }
}

static int publish_target(struct cleat_rotator *rotator, const struct cleat_trust *ours,
                          int64_t now_s, struct cleat_injection *injection, struct cleat_err *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < injection->count; i++)
        r = publish_hook(rotator, ours, now_s, &injection->hooks[i]);
    if (r < 0)
        return cleat_err_set(err, r, "caBundle of %s: out of memory", injection->target->name);
    r = cleat_injection_write(rotator->client, injection, err);
    if (r > 0) {
        publish_tell(rotator, injection);
        cleat_series_add(rotator->injections, 1);
        rotator->writes++;
    }
    return r;
}

/* The Secret's CAs, and ours where it doesn't have them. */
static void publish_ours(const struct rotator_look *look, struct cleat_trust *ours)
{
    const struct cleat_bundle *served = look->state.served;
    int64_t now_s = look->now_unix_ms / 1000;
    cleat_trust_add(ours, look->state.ca, now_s);
    if (served && now_s < cleat_bundle_not_after_unix_s(served) &&
        !cleat_trust_verifies(ours, cleat_bundle_cert(served), now_s))
        cleat_trust_add(ours, cleat_bundle_ca(served), now_s);
}

int cleat__rotator_publish(struct cleat_rotator *rotator, struct rotator_look *look,
                           struct cleat_err *err)
{
    struct cleat_trust ours = CLEAT_TRUST_INIT;
    struct cleat_err local = CLEAT_ERR_INIT;
    int written = 0;
    publish_ours(look, &ours);
    for (size_t i = 0; ours.count > 0 && i < look->count; i++) {
        struct cleat_err one = CLEAT_ERR_INIT;
        int r =
            publish_target(rotator, &ours, look->now_unix_ms / 1000, &look->injections[i], &one);
        if (r > 0)
            written++;
        else if (r < 0 && (local.code == 0 || r != -EAGAIN)) /* the others are to get theirs */
            local = one;
    }
    publish_forget(rotator);
    cleat_trust_fini(&ours);
    return local.code < 0 ? cleat_err_set(err, local.code, "%s", cleat_err_text(&local)) : written;
}
