/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate authority of our own: EC P-256, SHA-256, its certificate and key as PEM. Pure: time
 * and randomness for serial numbers come from the clock. Constant after the making; any thread.
 */
#ifndef CLEAT_CERTS_AUTHORITY_H
#define CLEAT_CERTS_AUTHORITY_H

#include <cleat/bundle.h>
#include <cleat/clock.h>
#include <cleat/err.h>

struct cleat_authority;

#define CLEAT_AUTHORITY_LIFETIME_S ((int64_t)10 * 365 * 86400)
#define CLEAT_LEAF_LIFETIME_S ((int64_t)365 * 86400)
/* Validity starts so long in the past, for clocks that go after ours. */
#define CLEAT_CERT_BACKDATE_S 3600

/** A new CA with @common_name, valid for @lifetime_s from now. @ret is new. */
int cleat_authority_new(const char *common_name, int64_t lifetime_s,
                        const struct cleat_clock *clock, struct cleat_authority **ret,
                        struct cleat_err *err) CLEAT_MUST_CHECK;
/** A CA from its PEM texts. -EINVAL where they don't belong together or it's no CA. */
int cleat_authority_load(struct cleat_str cert_pem, struct cleat_str key_pem,
                         struct cleat_authority **ret, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Wipes and frees; NULL is fine; returns NULL. */
struct cleat_authority *cleat_authority_free(struct cleat_authority *authority);
/** Borrowed for the authority's life. */
struct cleat_str cleat_authority_cert(const struct cleat_authority *authority);
struct cleat_str cleat_authority_key(const struct cleat_authority *authority);
int64_t cleat_authority_not_after_unix_s(const struct cleat_authority *authority);

/**
 * A serving certificate with a new key for @names (DNS names and IP addresses, NULL-terminated, at
 * least one), valid for @lifetime_s, never longer than the CA. The bundle's CA is ours. @ret is
 * new.
 */
int cleat_authority_issue(const struct cleat_authority *authority, const char *const *names,
                          int64_t lifetime_s, const struct cleat_clock *clock,
                          struct cleat_bundle **ret, struct cleat_err *err) CLEAT_MUST_CHECK;

static inline void cleat_authority_freep(struct cleat_authority **authority)
{
    *authority = cleat_authority_free(*authority);
}

#endif
