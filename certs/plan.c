/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <openssl/evp.h>
#include "certs/authority.h"
#include "certs/bundle.h"
#include "certs/plan.h"
#include "certs/x509.h"

/* What the state comes to, once read. */
struct plan_view {
    const struct cleat_plan_state *state;
    int64_t now_s;
    int64_t now_ms;
    struct cleat_trust stored; /* all CAs in the Secret, expired ones too */
    X509 *newest;              /* borrowed from stored; NULL: it can't be used */
    const char *newest_why;    /* what is wrong with it */
    struct cleat_bundle *leaf; /* NULL: it can't be used */
    const char *leaf_why;      /* what is wrong with it, or why another is wanted; NULL: good */
    bool leaf_by_newest;
    bool served_good; /* what we serve may stand in the Secret */
};

static int64_t plan_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/*
 * When two thirds of a life have passed. It begins with the issue: our certificates are valid from
 * a while before, which must not count as life.
 */
static int64_t plan_due_ms(int64_t not_before_s, int64_t not_after_s)
{
    int64_t issued_s = not_before_s + CLEAT_CERT_BACKDATE_S;
    if (issued_s > not_after_s)
        issued_s = not_before_s;
    return issued_s * 1000 + (not_after_s - issued_s) * 2000 / 3;
}

static bool plan_is_due(int64_t not_before_s, int64_t not_after_s, int64_t now_ms)
{
    return now_ms < not_before_s * 1000 || now_ms >= plan_due_ms(not_before_s, not_after_s);
}

static int64_t plan_ca_due_ms(const X509 *cert)
{
    return plan_due_ms(cleat_x509_not_before_unix_s(cert), cleat_x509_not_after_unix_s(cert));
}

static int64_t plan_leaf_due_ms(const struct cleat_bundle *leaf)
{
    return plan_due_ms(cleat_bundle_not_before_unix_s(leaf), cleat_bundle_not_after_unix_s(leaf));
}

static bool plan_verified_by(X509 *ca, const struct cleat_bundle *leaf, int64_t now_s)
{
    return cleat_x509_verify_by(cleat_bundle_cert(leaf), &ca, 1, now_s, NULL) == 0;
}

/* ---- reading ---- */

static int view_read_authority(struct plan_view *view)
{
    CLEAT_CLEANUP(cleat_authority_freep) struct cleat_authority *authority = NULL;
    CLEAT_CLEANUP(cleat_x509_freep) X509 *first = NULL;
    const struct cleat_plan_state *state = view->state;
    cleat_trust_add(&view->stored, state->ca, CLEAT_X509_ANY_TIME);
    if (state->ca.length == 0 || state->ca_key.length == 0) {
        view->newest_why = "there is no CA";
        return 0;
    }
    int r = cleat_authority_load(state->ca, state->ca_key, &authority, NULL);
    if (r == -ENOMEM)
        return r;
    if (r < 0 || cleat_x509_read(state->ca, &first, NULL) < 0 || view->stored.count == 0 ||
        X509_cmp(first, view->stored.certs[0]) != 0)
        view->newest_why = "the CA can't be read or doesn't fit its key";
    else
        view->newest = view->stored.certs[0];
    return 0;
}

/* Why @leaf should be replaced though it can be served, or NULL. */
static const char *view_leaf_wish(const struct plan_view *view)
{
    if (plan_is_due(cleat_bundle_not_before_unix_s(view->leaf),
                    cleat_bundle_not_after_unix_s(view->leaf), view->now_ms))
        return "the certificate is due for renewal";
    if (!cleat_bundle_covers(view->leaf, view->state->names))
        return "the certificate doesn't cover all names";
    return view->leaf_by_newest ? NULL : "the certificate isn't the newest CA's";
}

static int view_read_leaf(struct plan_view *view)
{
    CLEAT_CLEANUP(cleat_bundle_unrefp) struct cleat_bundle *leaf = NULL;
    const struct cleat_plan_state *state = view->state;
    int r = -EINVAL;
    if (state->cert.length > 0 && state->key.length > 0)
        r = cleat_bundle_new(state->cert, state->key, CLEAT_STR(""), &leaf, NULL);
    if (r == -ENOMEM)
        return r;
    if (state->cert.length == 0 || state->key.length == 0)
        view->leaf_why = "there is no certificate";
    else if (r < 0)
        view->leaf_why = "the certificate can't be read or doesn't fit its key";
    else if (view->now_s >= cleat_bundle_not_after_unix_s(leaf))
        view->leaf_why = "the certificate has expired";
    else if (!cleat_trust_verifies(&view->stored, cleat_bundle_cert(leaf), view->now_s))
        view->leaf_why = "the certificate isn't the CA's";
    if (view->leaf_why)
        return 0;
    view->leaf = leaf;
    leaf = NULL;
    view->leaf_by_newest = view->newest && plan_verified_by(view->newest, view->leaf, view->now_s);
    view->leaf_why = view_leaf_wish(view);
    return 0;
}

/* True where @served hasn't ended and its own CAs vouch for it. */
static bool plan_bundle_alive(const struct cleat_bundle *served, int64_t now_s)
{
    struct cleat_trust trust = CLEAT_TRUST_INIT;
    cleat_trust_add(&trust, cleat_bundle_ca(served), now_s);
    bool alive = now_s < cleat_bundle_not_after_unix_s(served) &&
                 cleat_trust_verifies(&trust, cleat_bundle_cert(served), now_s);
    cleat_trust_fini(&trust);
    return alive;
}

static int view_init(struct plan_view *view, const struct cleat_plan_state *state, int64_t now_ms)
{
    *view = (struct plan_view){.state = state, .now_ms = now_ms, .now_s = now_ms / 1000};
    int r = view_read_authority(view);
    if (r == 0)
        r = view_read_leaf(view);
    view->served_good = state->served && plan_bundle_alive(state->served, view->now_s);
    return r;
}

static void view_fini(struct plan_view *view)
{
    cleat_bundle_unref(view->leaf);
    cleat_trust_fini(&view->stored);
}

/* ---- what is published ---- */

static bool plan_ca_published(const struct cleat_plan_state *state, const X509 *cert)
{
    bool published = !state->published_unknown;
    for (size_t i = 0; published && i < state->published_count; i++)
        published = cleat_trust_has(state->published[i], cert);
    return published;
}

bool cleat_plan_published(const struct cleat_plan_state *state, const struct cleat_bundle *bundle,
                          int64_t now_unix_ms)
{
    bool verified = !state->published_unknown;
    for (size_t i = 0; verified && i < state->published_count; i++) {
        const struct cleat_trust *trust = state->published[i];
        if (i > 0 && cleat_trust_equal(trust, state->published[i - 1]))
            continue; /* as usual */
        verified = cleat_trust_verifies(trust, cleat_bundle_cert(bundle), now_unix_ms / 1000);
    }
    return verified;
}

bool cleat_plan_adopts(const struct cleat_plan_state *state, const struct cleat_bundle *candidate,
                       int64_t now_unix_ms)
{
    const struct cleat_bundle *served = state->served;
    if (!served || now_unix_ms / 1000 >= cleat_bundle_not_after_unix_s(served))
        return true;
    if (cleat_str_equal(cleat_bundle_cert(served), cleat_bundle_cert(candidate)))
        return true; /* the same leaf with another list of CAs */
    return cleat_plan_published(state, candidate, now_unix_ms);
}

/* ---- the list of CAs ---- */

/* The CAs in the Secret behind @first that are still worth trusting, and ours where it isn't. */
static void plan_collect_older(const struct plan_view *view, size_t first, struct cleat_plan *plan)
{
    const struct cleat_plan_state *state = view->state;
    cleat_trust_add_from(&plan->older, &view->stored, first, view->now_s);
    if (!view->served_good ||
        cleat_trust_verifies(&view->stored, cleat_bundle_cert(state->served), view->now_s))
        return;
    /* Room for it: what nobody vouches for goes last. */
    struct cleat_trust own = CLEAT_TRUST_INIT;
    struct cleat_trust joined = CLEAT_TRUST_INIT;
    cleat_trust_add(&own, cleat_bundle_ca(state->served), view->now_s);
    for (size_t i = 0; i < own.count; i++)
        if (plan_verified_by(own.certs[i], state->served, view->now_s))
            cleat_trust_add_cert(&joined, own.certs[i]);
    cleat_trust_add_from(&joined, &plan->older, 0, view->now_s);
    cleat_trust_fini(&own);
    cleat_trust_fini(&plan->older);
    plan->older = joined;
}

static bool plan_needs(const struct plan_view *view, X509 *ca)
{
    return (view->leaf && plan_verified_by(ca, view->leaf, view->now_s)) ||
           (view->served_good && plan_verified_by(ca, view->state->served, view->now_s));
}

/* The newest CA takes a place itself; of what is too much the last goes that we don't need. */
static void plan_trim_older(const struct plan_view *view, struct cleat_plan *plan)
{
    struct cleat_trust *older = &plan->older;
    while (older->count > CLEAT_TRUST_MAX - 1) {
        size_t at = older->count - 1;
        while (at > 0 && plan_needs(view, older->certs[at]))
            at--;
        X509_free(older->certs[at]);
        older->count--;
        for (size_t i = at; i < older->count; i++)
            older->certs[i] = older->certs[i + 1];
    }
}

/* The last end of what is known to be under an older CA than @newest (NULL: under any). */
static int64_t plan_older_until(const struct plan_view *view, X509 *newest)
{
    const struct cleat_bundle *served = view->state->served;
    int64_t until_s = view->state->older_until_unix_s;
    if (view->leaf && !(newest && view->leaf_by_newest))
        until_s = plan_max(until_s, cleat_bundle_not_after_unix_s(view->leaf));
    if (view->served_good && !(newest && plan_verified_by(newest, served, view->now_s)))
        until_s = plan_max(until_s, cleat_bundle_not_after_unix_s(served));
    return until_s;
}

/* The list where the newest CA stays. */
static void plan_keep_newest(const struct plan_view *view, struct cleat_plan *plan)
{
    plan_collect_older(view, 1, plan);
    plan_trim_older(view, plan);
    plan->newest_until_unix_s = view->state->newest_until_unix_s;
    if (view->leaf_by_newest)
        plan->newest_until_unix_s =
            plan_max(plan->newest_until_unix_s, cleat_bundle_not_after_unix_s(view->leaf));
    plan->older_until_unix_s = plan_older_until(view, view->newest);
    if (plan->older.count == 0)
        plan->older_until_unix_s = 0;
    else if (plan->older_until_unix_s == 0) /* the record is gone: a leaf may be so young */
        plan->older_until_unix_s = view->now_s + view->state->leaf_lifetime_s;
    if (view->leaf_by_newest && view->now_s > plan->older_until_unix_s) {
        cleat_trust_fini(&plan->older);
        plan->older_until_unix_s = 0;
    }
}

/* ---- the decision ---- */

static void plan_renew(const struct plan_view *view, const char *why, struct cleat_plan *plan)
{
    const struct cleat_plan_state *state = view->state;
    plan->action = CLEAT_PLAN_RENEW;
    plan->why = why;
    plan->leaf = view->leaf          ? CLEAT_PLAN_LEAF_STORED
                 : view->served_good ? CLEAT_PLAN_LEAF_SERVED
                                     : CLEAT_PLAN_LEAF_NEW;
    plan_collect_older(view, 0, plan);
    plan_trim_older(view, plan);
    plan->older_until_unix_s =
        plan_max(plan_older_until(view, NULL), view->newest ? state->newest_until_unix_s : 0);
    if (plan->older.count > 0 && plan->older_until_unix_s == 0)
        plan->older_until_unix_s = view->now_s + state->leaf_lifetime_s;
}

/* True where the newest CA is to be replaced now. One that nothing was issued under yet waits for
 * its publication, as long as it lasts. */
static bool plan_renews(const struct plan_view *view)
{
    int64_t not_before_s = cleat_x509_not_before_unix_s(view->newest);
    int64_t not_after_s = cleat_x509_not_after_unix_s(view->newest);
    if (!plan_is_due(not_before_s, not_after_s, view->now_ms))
        return false;
    return view->now_s < not_before_s || view->now_s >= not_after_s || !view->leaf ||
           view->leaf_by_newest;
}

static bool plan_list_differs(const struct plan_view *view, const struct cleat_plan *plan)
{
    struct cleat_trust wanted = CLEAT_TRUST_INIT;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_TRUST_BYTES_MAX);
    cleat_trust_add_cert(&wanted, view->newest);
    cleat_trust_add_from(&wanted, &plan->older, 0, CLEAT_X509_ANY_TIME);
    bool differs = cleat_trust_write(&wanted, &text) == 0 &&
                   !cleat_str_equal(cleat_buffer_view(&text), view->state->ca);
    cleat_buffer_fini(&text);
    cleat_trust_fini(&wanted);
    return differs || plan->older_until_unix_s != view->state->older_until_unix_s ||
           plan->newest_until_unix_s != view->state->newest_until_unix_s;
}

static void plan_look_at_newest(const struct plan_view *view, struct cleat_plan *plan)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (X509_digest(view->newest, EVP_sha256(), digest, &length) == 1)
        memcpy(plan->newest, digest, sizeof(plan->newest));
    plan->published = plan_ca_published(view->state, view->newest);
}

static void plan_leaf_or_list(const struct plan_view *view, struct cleat_plan *plan)
{
    const struct cleat_plan_state *state = view->state;
    bool settled =
        state->published_count == 0 ||
        (state->settled && memcmp(state->settled, plan->newest, sizeof(plan->newest)) == 0);
    bool published = plan->published && settled;
    plan->why = view->leaf_why;
    plan->action = CLEAT_PLAN_ISSUE;
    plan->leaf = CLEAT_PLAN_LEAF_NEW;
    if (!view->leaf && !published && view->served_good) {
        plan->action = CLEAT_PLAN_TRUST; /* what we serve is still trusted */
        plan->leaf = CLEAT_PLAN_LEAF_SERVED;
    } else if (view->leaf && (!view->leaf_why || (!view->leaf_by_newest && !published))) {
        plan->leaf = CLEAT_PLAN_LEAF_STORED;
        plan->waiting = view->leaf_why != NULL;
        plan->action = CLEAT_PLAN_KEEP;
        plan->why = view->leaf_why ? "the newest CA isn't published yet" : "all is good";
    }
    if (plan->action == CLEAT_PLAN_KEEP && plan_list_differs(view, plan)) {
        plan->action = CLEAT_PLAN_TRUST;
        plan->why = "the list of CAs isn't as it should be";
    }
}

static void plan_earliest(struct cleat_plan *plan, int64_t unix_ms, int64_t now_ms)
{
    if (unix_ms > now_ms && unix_ms < plan->next_unix_ms)
        plan->next_unix_ms = unix_ms;
}

static void plan_set_next(const struct plan_view *view, struct cleat_plan *plan)
{
    plan->next_unix_ms = INT64_MAX;
    if (view->newest) {
        int64_t end_ms = cleat_x509_not_after_unix_s(view->newest) * 1000;
        plan_earliest(plan, plan_ca_due_ms(view->newest), view->now_ms);
        plan_earliest(plan, end_ms, view->now_ms);
    }
    if (view->leaf) {
        int64_t end_ms = cleat_bundle_not_after_unix_s(view->leaf) * 1000;
        plan_earliest(plan, plan_leaf_due_ms(view->leaf), view->now_ms);
        plan_earliest(plan, end_ms, view->now_ms);
    }
    if (plan->older_until_unix_s > 0 && plan->older_until_unix_s < INT64_MAX / 1000 - 1)
        plan_earliest(plan, (plan->older_until_unix_s + 1) * 1000, view->now_ms);
}

int cleat_plan_make(const struct cleat_plan_state *state, int64_t now_unix_ms,
                    struct cleat_plan *ret)
{
    struct plan_view view;
    *ret = (struct cleat_plan){.action = CLEAT_PLAN_KEEP};
    int r = view_init(&view, state, now_unix_ms);
    if (r == 0 && !view.newest) {
        plan_renew(&view, view.newest_why, ret);
    } else if (r == 0 && plan_renews(&view)) {
        plan_renew(&view, "the CA is due for renewal", ret);
    } else if (r == 0) {
        plan_keep_newest(&view, ret);
        plan_look_at_newest(&view, ret);
        plan_leaf_or_list(&view, ret);
    }
    plan_set_next(&view, ret);
    view_fini(&view);
    return r;
}

void cleat_plan_fini(struct cleat_plan *plan)
{
    cleat_trust_fini(&plan->older);
}
