/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small set of CA certificates in order: the newest first, then those that are still trusted
 * beside it. What a Secret or a caBundle holds is read into one, whatever it is: garbage,
 * duplicates, certificates that are no CA's and what is beyond the maximum are left out. Pure; one
 * thread at a time.
 */
#ifndef CLEAT_CERTS_TRUST_H
#define CLEAT_CERTS_TRUST_H

#include <stdbool.h>
#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/str.h>
#include "certs/x509.h"

#define CLEAT_TRUST_MAX 16
/* Of the text of a full set. */
#define CLEAT_TRUST_BYTES_MAX ((size_t)256 * 1024)

struct cleat_trust {
    size_t count;
    X509 *certs[CLEAT_TRUST_MAX]; /* a reference each */
};

#define CLEAT_TRUST_INIT \
    {                    \
        0                \
    }

/** Drops all; repeatable. */
void cleat_trust_fini(struct cleat_trust *trust);
/** Appends @cert (one more reference), unless it's there, is no CA's, or the set is full. */
void cleat_trust_add_cert(struct cleat_trust *trust, X509 *cert);
/** Appends those in @pem that haven't expired at @now_unix_s (CLEAT_X509_ANY_TIME: all). */
void cleat_trust_add(struct cleat_trust *trust, struct cleat_str pem, int64_t now_unix_s);
/** Appends those of @other from @first on that haven't expired. */
void cleat_trust_add_from(struct cleat_trust *trust, const struct cleat_trust *other, size_t first,
                          int64_t now_unix_s);
bool cleat_trust_has(const struct cleat_trust *trust, const X509 *cert);
/** True where @a and @b hold the same certificates in the same order. */
bool cleat_trust_equal(const struct cleat_trust *a, const struct cleat_trust *b);
/** True where one of the set verifies the server's certificate @chain_pem at @unix_s. */
bool cleat_trust_verifies(const struct cleat_trust *trust, struct cleat_str chain_pem,
                          int64_t unix_s);
/** Appends the set as PEM. 0, -ENOMEM, or the buffer's failure. */
int cleat_trust_write(const struct cleat_trust *trust,
                      struct cleat_buffer *buffer) CLEAT_MUST_CHECK;

#endif
