/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in cleat-copies' webhooks. Pure; any thread.
 */
#ifndef CLEAT_KINDS_MIRROR_HOOKS_H
#define CLEAT_KINDS_MIRROR_HOOKS_H

#include <cleat/buffer.h>
#include <cleat/gvk.h>

/* A kind as rules name it. */
struct mirror_hooks_kind {
    char group[CLEAT_GROUP_BYTES_MAX];
    char version[CLEAT_VERSION_BYTES_MAX];
    char plural[CLEAT_KIND_BYTES_MAX];
};

/* Where the API server finds us. */
struct mirror_hooks_where {
    const char *url;        /* base URL, or NULL: by the Service */
    const char *namespace_; /* of the Service */
};

/** Appends the array of webhooks: empty without kinds. @bundle: base64, or "". Returns the buffer's
 * state. */
int cleat__mirror_hooks_write(const struct mirror_hooks_where *where, struct cleat_str bundle,
                              const struct mirror_hooks_kind *kinds, size_t count,
                              struct cleat_buffer *json);

#endif
