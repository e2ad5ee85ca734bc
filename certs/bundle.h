/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the certificate layer alone asks of a bundle.
 */
#ifndef CLEAT_CERTS_BUNDLE_H
#define CLEAT_CERTS_BUNDLE_H

#include <stdbool.h>
#include <cleat/bundle.h>

/** True where the leaf covers each of @names (NULL-terminated). */
bool cleat_bundle_covers(const struct cleat_bundle *bundle, const char *const *names);
/** True where both hold the same bytes. */
bool cleat_bundle_equal(const struct cleat_bundle *a, const struct cleat_bundle *b);

static inline void cleat_bundle_unrefp(struct cleat_bundle **bundle)
{
    *bundle = cleat_bundle_unref(*bundle);
}

#endif
