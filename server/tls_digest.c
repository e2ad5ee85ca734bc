/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tls_digest.h"

#include <errno.h>
#include <gnutls/crypto.h>

void cleat_digest_key_make(const struct cleat_clock *clock, struct cleat_digest_key *ret)
{
    cleat_clock_random(clock, ret->bytes, sizeof(ret->bytes));
}

int cleat_digest_make(const struct cleat_digest_key *key, struct cleat_str text,
                      struct cleat_digest *ret)
{
    int r = gnutls_hmac_fast(GNUTLS_MAC_SHA256, key->bytes, sizeof(key->bytes), text.data,
                             text.length, ret->bytes);
    return r == 0 ? 0 : -EIO;
}
