/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in cleat-copies' webhooks. Pure; any thread.
 */
#ifndef CLEAT_KINDS_MIRROR_HOOKS_H
#define CLEAT_KINDS_MIRROR_HOOKS_H

#include <cleat/buffer.h>
#include <cleat/gvk.h>
#include <cleat/value.h>

/* Our entry in the configuration; any other is somebody else's. */
#define MIRROR_HOOKS_NAME "copies.mirrors.cleat.dev"

/* A kind as rules name it. */
struct mirror_hooks_kind {
    char group[CLEAT_GROUP_BYTES_MAX];
    char version[CLEAT_VERSION_BYTES_MAX];
    char plural[CLEAT_KIND_BYTES_MAX];
};

/* Where the API server finds us, and who we are. */
struct mirror_hooks_where {
    const char *url;        /* base URL, or NULL: by the Service */
    const char *namespace_; /* of the Service */
    const char *username;   /* our own, whose writes needn't be judged; NULL: not known */
};

/**
 * Appends the array of webhooks as it should be where @have is (an array, or absent): our entry
 * with exactly these kinds, none without any, and all others as and where they are. @bundle:
 * base64, or
 * "". Returns the buffer's state.
 */
int cleat__mirror_hooks_write(const struct mirror_hooks_where *where, struct cleat_str bundle,
                              const struct mirror_hooks_kind *kinds, size_t count,
                              struct cleat_value have, struct cleat_buffer *json);
/** Our entry of an array of webhooks; absent where there is none. */
struct cleat_value cleat__mirror_hooks_own(struct cleat_value hooks);

#endif
