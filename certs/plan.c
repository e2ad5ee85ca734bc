/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/authority.h"
#include "certs/bundle.h"
#include "certs/plan.h"
#include "certs/x509.h"

/* True once two thirds of the time between the two have passed, or before it has begun. */
static bool plan_due(int64_t not_before_s, int64_t not_after_s, int64_t now_s)
{
    return now_s < not_before_s || now_s >= not_before_s + (not_after_s - not_before_s) / 3 * 2;
}

/* What is wrong with the CA, or NULL. */
static const char *plan_authority(const struct cleat_plan_state *state, int64_t now_s)
{
    CLEAT_CLEANUP(cleat_authority_freep) struct cleat_authority *authority = NULL;
    CLEAT_CLEANUP(cleat_x509_freep) X509 *cert = NULL;
    if (state->ca.length == 0 || state->ca_key.length == 0)
        return "there is no CA";
    if (cleat_authority_load(state->ca, state->ca_key, &authority, NULL) < 0 ||
        cleat_x509_read(state->ca, &cert, NULL) < 0)
        return "the CA can't be read";
    if (plan_due(cleat_x509_not_before_unix_s(cert), cleat_x509_not_after_unix_s(cert), now_s))
        return "the CA is due for renewal";
    return NULL;
}

/* What is wrong with the leaf, or NULL. */
static const char *plan_leaf(const struct cleat_plan_state *state, const char *const *names,
                             int64_t now_s)
{
    CLEAT_CLEANUP(cleat_bundle_unrefp) struct cleat_bundle *bundle = NULL;
    if (state->cert.length == 0 || state->key.length == 0)
        return "there is no certificate";
    if (cleat_bundle_new(state->cert, state->key, state->ca, &bundle, NULL) < 0)
        return "the certificate can't be read or doesn't fit its key";
    if (plan_due(cleat_bundle_not_before_unix_s(bundle), cleat_bundle_not_after_unix_s(bundle),
                 now_s))
        return "the certificate is due for renewal";
    if (!cleat_bundle_covers(bundle, names))
        return "the certificate doesn't cover all names";
    if (cleat_x509_verify(state->cert, state->ca, now_s, NULL) < 0)
        return "the certificate isn't the CA's";
    return NULL;
}

enum cleat_plan_action cleat_plan(const struct cleat_plan_state *state, const char *const *names,
                                  int64_t now_unix_s, const char **ret_why)
{
    enum cleat_plan_action action = CLEAT_PLAN_RENEW;
    const char *why = plan_authority(state, now_unix_s);
    if (!why) {
        why = plan_leaf(state, names, now_unix_s);
        action = why ? CLEAT_PLAN_ISSUE : CLEAT_PLAN_KEEP;
    }
    if (ret_why)
        *ret_why = why ? why : "the certificate is good";
    return action;
}
