/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A counted TLS bundle: certificate chain, key and CA as PEM bytes. The seam between who makes
 * certificates and who serves them. Frozen; any thread.
 */
#ifndef CLEAT_BUNDLE_H
#define CLEAT_BUNDLE_H

#include <stdint.h>
#include <cleat/err.h>
#include <cleat/macro.h>
#include <cleat/str.h>

CLEAT_BEGIN

struct cleat_bundle;

/** Copies and checks: key and leaf match, the chain parses. -EINVAL. @ca_pem may be empty. @ret is
 * new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_bundle_new(struct cleat_str cert_pem,
                                                   struct cleat_str key_pem,
                                                   struct cleat_str ca_pem,
                                                   struct cleat_bundle **ret,
                                                   struct cleat_err *err);
/** Takes a reference; returns @bundle. Any thread. */
CLEAT_EXPORT struct cleat_bundle *cleat_bundle_ref(struct cleat_bundle *bundle);
/** Wipes the key with the last reference. Returns NULL. */
CLEAT_EXPORT struct cleat_bundle *cleat_bundle_unref(struct cleat_bundle *bundle);
/** The chain of certificates as PEM, leaf first. Borrowed while the caller holds @bundle. */
CLEAT_EXPORT struct cleat_str cleat_bundle_cert(const struct cleat_bundle *bundle);
/** The leaf's private key as PEM. Borrowed while the caller holds @bundle; never log it. */
CLEAT_EXPORT struct cleat_str cleat_bundle_key(const struct cleat_bundle *bundle);
/** The certificates that verify the chain, as PEM; "" where they are unknown. Borrowed. */
CLEAT_EXPORT struct cleat_str cleat_bundle_ca(const struct cleat_bundle *bundle);
/** Of the leaf, in Unix seconds. */
CLEAT_EXPORT int64_t cleat_bundle_not_before_unix_s(const struct cleat_bundle *bundle);
/** The end of that time. */
CLEAT_EXPORT int64_t cleat_bundle_not_after_unix_s(const struct cleat_bundle *bundle);

CLEAT_END

#endif
