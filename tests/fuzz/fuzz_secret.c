/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate Secret as someone may have left it: the input is the Secret's JSON, and as it is a
 * PEM text of each kind too. Whatever it holds, there is a plan.
 */
#include <stdint.h>
#include <cleat/document.h>
#include "base/check.h"
#include "certs/authority.h"
#include "certs/secret.h"
#include "certs/x509.h"

#define FUZZ_NOW_UNIX_S INT64_C(1767323045)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fuzz_each(void *arg, X509 *cert)
{
    (*(unsigned *)arg)++;
    (void)cleat_x509_not_before_unix_s(cert); /* whatever it is */
    return 0;
}

static void fuzz_plan(const struct cleat_plan_state *known)
{
    static const char *const names[] = {"cleat.cleat-system.svc", NULL};
    struct cleat_plan_state state = *known;
    struct cleat_plan plan = {0};
    state.names = names;
    state.leaf_lifetime_s = 3600;
    int r = cleat_plan_make(&state, FUZZ_NOW_UNIX_S * 1000, &plan);
    cleat_assert(r == 0);
    cleat_assert(plan.action <= CLEAT_PLAN_RENEW);
    cleat_assert(plan.next_unix_ms >= 0);
    cleat_plan_fini(&plan);
}

static void fuzz_pem(struct cleat_str pem)
{
    unsigned count = 0;
    struct cleat_authority *authority = NULL;
    struct cleat_trust trust = CLEAT_TRUST_INIT;
    const struct cleat_plan_state state = {.cert = pem, .key = pem, .ca = pem, .ca_key = pem};
    (void)cleat_x509_each(pem, fuzz_each, &count); /* whatever it is */
    if (cleat_authority_load(pem, pem, &authority, NULL) == 0)
        cleat_assert(cleat_authority_cert(authority).length > 0);
    authority = cleat_authority_free(authority);
    cleat_trust_add(&trust, pem, CLEAT_X509_ANY_TIME);
    cleat_trust_fini(&trust);
    int r = cleat_x509_verify(pem, pem, FUZZ_NOW_UNIX_S, NULL);
    cleat_assert(r <= 0);
    fuzz_plan(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cleat_str text = {(const char *)data, size};
    struct cleat_document *document = NULL;
    struct cleat_secret_data secret;
    struct cleat_plan_state state = {0};
    fuzz_pem(text);
    if (cleat_document_parse(text, &document, NULL) < 0)
        return 0;
    cleat_secret_data_init(&secret);
    int r = cleat_secret_data_read(&secret, cleat_document_root(document));
    cleat_assert(r == 0);
    cleat_secret_data_state(&secret, &state);
    fuzz_plan(&state);
    cleat_secret_data_fini(&secret);
    cleat_document_unref(document);
    return 0;
}
