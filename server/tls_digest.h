/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A keyed digest of what mustn't be kept itself, as tokens: HMAC-SHA-256 (RFC 2104, FIPS 180-4)
 * with a key that the process makes and never shows.
 */
#ifndef CLEAT_SERVER_TLS_DIGEST_H
#define CLEAT_SERVER_TLS_DIGEST_H

#include <cleat/clock.h>
#include <cleat/str.h>

#define CLEAT_DIGEST_BYTES 32

struct cleat_digest_key {
    unsigned char bytes[CLEAT_DIGEST_BYTES];
};

struct cleat_digest {
    unsigned char bytes[CLEAT_DIGEST_BYTES];
};

/** A new random key. */
void cleat_digest_key_make(const struct cleat_clock *clock, struct cleat_digest_key *ret);
/** The digest of @text. 0, or -EIO where GnuTLS refuses. Any thread. */
int cleat_digest_make(const struct cleat_digest_key *key, struct cleat_str text,
                      struct cleat_digest *ret) CLEAT_MUST_CHECK;

#endif
