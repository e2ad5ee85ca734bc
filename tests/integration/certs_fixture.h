/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Webhook configurations on an embedded API server, each with webhooks of ours and of somebody
 * else's, and what is published in them, for the tests of rotators.
 */
#ifndef CLEAT_TESTS_CERTS_FIXTURE_H
#define CLEAT_TESTS_CERTS_FIXTURE_H

#include <cleat/certs.h>
#include "base/mem.h"
#include "certs/authority.h"
#include "certs/bundle.h"
#include "certs/trust.h"
#include "certs/x509.h"
#include "integration/cluster.h"
#include "kube/base64.h"

#define CERTS_NAMESPACE "cleat-system"
#define CERTS_SECRET "cleat-webhook-cert"
#define CERTS_URL "https://127.0.0.1:4443/base"

static const char *const certs_names[] = {"cleat.cleat-system.svc", "127.0.0.1", NULL};

static const struct cleat_resource certs_namespaces = {.gvk = {"", "v1", "Namespace"},
                                                       .plural = "namespaces"};
static const struct cleat_resource certs_secrets = {
    .gvk = {"", "v1", "Secret"}, .plural = "secrets", .namespaced = true};
static const struct cleat_resource certs_resources[] = {
    [CLEAT_CA_VALIDATING] = {.gvk = {"admissionregistration.k8s.io", "v1",
                                     "ValidatingWebhookConfiguration"},
                             .plural = "validatingwebhookconfigurations"},
    [CLEAT_CA_MUTATING] = {.gvk = {"admissionregistration.k8s.io", "v1",
                                   "MutatingWebhookConfiguration"},
                           .plural = "mutatingwebhookconfigurations"},
};

/* The last isn't there. */
static const struct cleat_ca_target certs_targets[] = {
    {CLEAT_CA_VALIDATING, "cleat-validating"},
    {CLEAT_CA_MUTATING, "cleat-mutating"},
    {CLEAT_CA_VALIDATING, "cleat-copies"},
    {CLEAT_CA_VALIDATING, "not-there"},
};

#define CERTS_TARGETS (sizeof(certs_targets) / sizeof(certs_targets[0]))

#define CERTS_HOOK(name, where)                                                                \
    "{\"name\":\"" name ".example.com\",\"admissionReviewVersions\":[\"v1\"],\"sideEffects\":" \
    "\"None\",\"clientConfig\":{" where "}}"
#define CERTS_OUR_SERVICE \
    "\"service\":{\"name\":\"cleat\",\"namespace\":\"cleat-system\",\"path\":\"/x\"}"
#define CERTS_OTHER_SERVICE \
    "\"service\":{\"name\":\"cleat\",\"namespace\":\"other\",\"path\":\"/x\"},\"caBundle\":\"%s\""
#define CERTS_OUR_URL "\"url\":\"" CERTS_URL "/x\""
#define CERTS_OTHER_URL "\"url\":\"" CERTS_URL "sic/x\",\"caBundle\":\"%s\""

/* Two of four webhooks are ours: those at 0 and 2. */
static inline void certs_make_configuration(struct cluster *cluster, enum cleat_ca_target_kind kind,
                                            const char *name, const char *foreign)
{
    char *json = cleat_mem_format(
        "{\"apiVersion\":\"admissionregistration.k8s.io/v1\",\"kind\":\"%s\",\"metadata\":{"
        "\"name\":\"%s\"},\"webhooks\":[" CERTS_HOOK("a", CERTS_OUR_SERVICE) "," CERTS_HOOK(
            "b",
            CERTS_OTHER_SERVICE) "," CERTS_HOOK("c",
                                                CERTS_OUR_URL) "," CERTS_HOOK("d",
                                                                              CERTS_OTHER_URL) "]}",
        certs_resources[kind].gvk.kind, name, foreign, foreign);
    ck_assert_int_eq(cluster_make(cluster, &certs_resources[kind], NULL, json), 0);
    cleat_mem_free(json);
}

/* A CA that nobody knows, as base64 of PEM; new. */
static inline char *certs_foreign_bundle(void)
{
    struct cleat_authority *other = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(65536);
    ck_assert_int_eq(cleat_authority_new("other", 86400, cleat_clock_system(), &other, NULL), 0);
    ck_assert_int_eq(cleat_base64_encode(&text, cleat_authority_cert(other)), 0);
    cleat_authority_free(other);
    return cleat_buffer_take(&text);
}

static inline void certs_open(struct cluster *cluster)
{
    char *foreign = certs_foreign_bundle();
    cluster_open(cluster);
    ck_assert_int_eq(
        cluster_make(cluster, &certs_namespaces, NULL,
                     "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":"
                     "\"" CERTS_NAMESPACE "\"}}"),
        0);
    certs_make_configuration(cluster, CLEAT_CA_VALIDATING, "cleat-validating", foreign);
    certs_make_configuration(cluster, CLEAT_CA_MUTATING, "cleat-mutating", foreign);
    certs_make_configuration(cluster, CLEAT_CA_VALIDATING, "cleat-copies", foreign);
    cleat_free(foreign);
}

static inline struct cleat_rotator_options certs_options(struct cluster *cluster)
{
    return (struct cleat_rotator_options){.client = cluster->admin,
                                          .namespace_ = CERTS_NAMESPACE,
                                          .secret = CERTS_SECRET,
                                          .names = certs_names,
                                          .targets = certs_targets,
                                          .target_count = CERTS_TARGETS,
                                          .owner = {CERTS_NAMESPACE, "cleat", CERTS_URL}};
}

static inline void certs_turn(struct cleat_rotator *rotator)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_rotator_turn(rotator, &err) == 0, "%s", err.text);
}

/* The base64 text at @path of a target. */
static inline void certs_bundle_text(struct cluster *cluster, const struct cleat_ca_target *target,
                                     const char *path, struct cleat_buffer *ret)
{
    const struct cleat_client_target where = {.resource = &certs_resources[target->kind],
                                              .name = target->name};
    struct cleat_object *object = NULL;
    struct cleat_scratch scratch;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_client_get(cluster->admin, &where, NULL, &object, &err) == 0, "%s",
                  err.text);
    cleat_buffer_reset(ret);
    (void)cleat_buffer_str(ret, cleat_value_text(cleat_object_find(object, path), &scratch));
    cleat_object_unref(object);
}

/* The PEM that is published in the first webhook of a target. */
static inline void certs_published(struct cluster *cluster, const struct cleat_ca_target *target,
                                   struct cleat_buffer *ret)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT((size_t)1 << 20);
    certs_bundle_text(cluster, target, "webhooks[0].clientConfig.caBundle", &text);
    cleat_buffer_reset(ret);
    ck_assert_int_eq(cleat_base64_decode(ret, cleat_buffer_view(&text), NULL), 0);
    cleat_buffer_fini(&text);
}

/* How many CAs are published in a target; -1 where they aren't those of the others. */
static inline int certs_published_count(struct cluster *cluster)
{
    struct cleat_buffer first = CLEAT_BUFFER_INIT((size_t)1 << 20);
    struct cleat_buffer other = CLEAT_BUFFER_INIT((size_t)1 << 20);
    struct cleat_trust trust = CLEAT_TRUST_INIT;
    certs_published(cluster, &certs_targets[0], &first);
    bool same = true;
    for (size_t i = 1; i < CERTS_TARGETS - 1; i++) {
        certs_published(cluster, &certs_targets[i], &other);
        same = same && cleat_str_equal(cleat_buffer_view(&first), cleat_buffer_view(&other));
    }
    cleat_trust_add(&trust, cleat_buffer_view(&first), CLEAT_X509_ANY_TIME);
    int count = same ? (int)trust.count : -1;
    cleat_trust_fini(&trust);
    cleat_buffer_fini(&first);
    cleat_buffer_fini(&other);
    return count;
}

/* True where all targets verify what @rotator serves at that time. */
static inline bool certs_verified(struct cluster *cluster, struct cleat_rotator *rotator,
                                  int64_t unix_s)
{
    struct cleat_buffer pem = CLEAT_BUFFER_INIT((size_t)1 << 20);
    struct cleat_bundle *bundle = cleat_rotator_bundle(rotator);
    bool verified = bundle != NULL;
    for (size_t i = 0; verified && i < CERTS_TARGETS - 1; i++) {
        certs_published(cluster, &certs_targets[i], &pem);
        verified = cleat_x509_verify(cleat_bundle_cert(bundle), cleat_buffer_view(&pem), unix_s,
                                     NULL) == 0;
    }
    cleat_bundle_unref(bundle);
    cleat_buffer_fini(&pem);
    return verified;
}

/* True where the webhooks of somebody else have what they had: one bundle, not among ours. */
static inline bool certs_foreign_untouched(struct cluster *cluster)
{
    static const char *const paths[] = {"webhooks[1].clientConfig.caBundle",
                                        "webhooks[3].clientConfig.caBundle"};
    struct cleat_buffer text = CLEAT_BUFFER_INIT((size_t)1 << 20);
    struct cleat_buffer pem = CLEAT_BUFFER_INIT((size_t)1 << 20);
    bool untouched = true;
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++) {
            struct cleat_trust trust = CLEAT_TRUST_INIT;
            certs_bundle_text(cluster, &certs_targets[i], paths[j], &text);
            cleat_buffer_reset(&pem);
            ck_assert_int_eq(cleat_base64_decode(&pem, cleat_buffer_view(&text), NULL), 0);
            cleat_trust_add(&trust, cleat_buffer_view(&pem), CLEAT_X509_ANY_TIME);
            untouched = untouched && trust.count == 1;
            char name[64] = "";
            if (trust.count == 1)
                X509_NAME_get_text_by_NID(X509_get_subject_name(trust.certs[0]), NID_commonName,
                                          name, sizeof(name));
            untouched = untouched && strcmp(name, "other") == 0;
            cleat_trust_fini(&trust);
        }
    }
    cleat_buffer_fini(&text);
    cleat_buffer_fini(&pem);
    return untouched;
}

/* Writes @base64 (NULL: takes it away) into the first webhook's caBundle. */
static inline void certs_break_bundle(struct cluster *cluster, const struct cleat_ca_target *target,
                                      const char *base64)
{
    const struct cleat_client_target where = {.resource = &certs_resources[target->kind],
                                              .name = target->name};
    const char *pointer = "/webhooks/0/clientConfig/caBundle";
    char *patch = base64 ? cleat_mem_format("[{\"op\":\"add\",\"path\":\"%s\",\"value\":\"%s\"}]",
                                            pointer, base64)
                         : cleat_mem_format("[{\"op\":\"remove\",\"path\":\"%s\"}]", pointer);
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = cleat_client_patch(cluster->admin, &where, CLEAT_PATCH_JSON, cleat_str_of(patch), NULL,
                               NULL, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    cleat_mem_free(patch);
}

#endif
