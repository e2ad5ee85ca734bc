/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a rotator asks of the objects that tell the API server whom to trust: reading the bundles of
 * the webhooks that are ours, and writing those that differ.
 */
#ifndef CLEAT_CERTS_INJECTOR_H
#define CLEAT_CERTS_INJECTOR_H

#include <cleat/certs.h>
#include "certs/trust.h"

#define CLEAT_INJECTION_PATH_BYTES 64

/* One clientConfig that is ours. */
struct cleat_injection_hook {
    char path[CLEAT_INJECTION_PATH_BYTES]; /* JSON Pointer of its caBundle */
    bool there;                            /* there is a caBundle, of whatever content */
    struct cleat_buffer pem;               /* decoded; empty where it can't be */
    struct cleat_trust trust;              /* the CAs in it */
    struct cleat_buffer wanted;            /* what is to stand there, as PEM; empty: leave it */
    const char *why;                       /* static: why it is to be changed */
};

/* An object as it was read. */
struct cleat_injection {
    const struct cleat_ca_target *target; /* borrowed */
    struct cleat_object *object;          /* NULL: it isn't there */
    size_t count;
    struct cleat_injection_hook *hooks;
};

/** The API resource of targets of that kind; static. */
const struct cleat_resource *cleat_injection_resource(enum cleat_ca_target_kind kind);
/** Reads @target; one that isn't there has no hooks. @ret is to be ended by cleat_injection_fini,
 * after an error too. Blocks. */
int cleat_injection_read(struct cleat_client *client, const struct cleat_ca_target *target,
                         const struct cleat_ca_owner *owner, struct cleat_injection *ret,
                         struct cleat_err *err) CLEAT_MUST_CHECK;
/**
 * Writes what is wanted where it differs, in one patch that fails (-EAGAIN) where the object has
 * changed since it was read. 0: nothing differs; 1: written. Blocks.
 */
int cleat_injection_write(struct cleat_client *client, const struct cleat_injection *injection,
                          struct cleat_err *err) CLEAT_MUST_CHECK;
void cleat_injection_fini(struct cleat_injection *injection);

#endif
