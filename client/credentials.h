/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials of a client as they are now. Files are read again when due (token: each minute,
 * 10 s early; client certificate, key and CA: when they change), exec plugins run when what they
 * gave expires or was rejected. What the transport gets is a counted, constant set with a
 * generation number.
 *
 *   config, files, exec plugin ─► credentials ─► set {Authorization, certificate, key, CA} ─►
 * transport
 *
 * Any thread. Nothing is read or run under the lock: one caller at a time refreshes, the others go
 * on with the set that there is.
 */
#ifndef CLEAT_CLIENT_CREDENTIALS_H
#define CLEAT_CLIENT_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/kubeconfig.h>
#include <cleat/log.h>

struct cleat_credentials;

/* What a request and its connection need; constant, counted. */
struct cleat_credentials_set {
    uint64_t generation; /* from 1; another number whenever any of the below is different */
    uint64_t
        tls_generation; /* from 1; another number whenever certificate, key or CA are different:
                           connections made with an older one must be closed, watches too */
    const char *authorization; /* value of the Authorization header ("Bearer …", "Basic …"), or
                                  NULL: send none */
    const char *client_cert_pem; /* or NULL */
    const char *client_key_pem;  /* or NULL */
    const char *ca_pem;          /* or NULL: the system's */
};

struct cleat_credentials_options {
    const struct cleat_kubeconfig *config; /* what is needed of it is copied */
    const struct cleat_clock *clock;       /* borrowed; NULL: the system's */
    struct cleat_log *log;                 /* borrowed; NULL: none */
    bool allow_exec;                       /* else an exec stanza that would be needed is -EACCES */
    int64_t exec_timeout_ms;               /* 0: 30,000 */
};

/** Takes over the config's credentials. Neither reads files nor runs plugins. @ret is new. -EINVAL,
 * -EACCES, -ENOMEM. */
int cleat_credentials_new(const struct cleat_credentials_options *options,
                          struct cleat_credentials **ret, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Frees, also a plugin that runs; sets that are still held stay valid. NULL is fine; returns NULL.
 */
struct cleat_credentials *cleat_credentials_free(struct cleat_credentials *credentials);

/**
 * The current set; @ret is new. Refreshes what is due first: with @may_block it waits for a plugin
 * (at most its time limit); without, it only reads local files, starts a due plugin or looks how
 * far it is, and returns the old set, or -EAGAIN where there is none yet: ask again in a few 10 ms.
 * A file or a plugin that fails keeps what was there.
 */
int cleat_credentials_lookup(struct cleat_credentials *credentials, bool may_block,
                             const struct cleat_credentials_set **ret,
                             struct cleat_err *err) CLEAT_MUST_CHECK;
/**
 * The server answered 401 to a request made with set @generation: token file and plugin are due at
 * once, unless they were refreshed since. Whether the request is tried again is the caller's
 * business. Doesn't block.
 */
void cleat_credentials_reject(struct cleat_credentials *credentials, uint64_t generation);

const struct cleat_credentials_set *cleat_credentials_set_ref(
    const struct cleat_credentials_set *set);
/** Drops a reference; secrets are wiped with the last; NULL is fine; returns NULL. */
const struct cleat_credentials_set *cleat_credentials_set_unref(
    const struct cleat_credentials_set *set);

static inline void cleat_credentials_set_unrefp(const struct cleat_credentials_set **set)
{
    *set = cleat_credentials_set_unref(*set);
}

#endif
