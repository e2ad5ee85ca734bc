/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How to reach an API server: from kubeconfig files, from inside a cluster, or by hand.
 */
#ifndef CLEAT_KUBECONFIG_H
#define CLEAT_KUBECONFIG_H

#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/macro.h>
#include <stdbool.h>
#include <stddef.h>

CLEAT_BEGIN

/** Everything that a client needs to know; strings are owned by the config. Constant after loading.
 */
struct cleat_kubeconfig {
    char *server;          /* "https://host:port/prefix"; never NULL */
    char *ca_pem;          /* CA certificates, or NULL: the system's */
    char *ca_file;         /* where ca_pem came from, or NULL */
    char *tls_server_name; /* SNI and name to verify, or NULL: the host */
    bool insecure;         /* insecure-skip-tls-verify: refused unless allow_insecure was given */
    char *client_cert_pem; /* or NULL */
    char *client_key_pem;
    char *client_cert_file; /* re-read when it changes */
    char *client_key_file;
    char *token;      /* bearer token, or NULL */
    char *token_file; /* re-read each minute, or NULL */
    char *username;   /* basic authentication, or NULL */
    char *password;
    char *as_user; /* impersonation */
    char *as_uid;
    char **as_groups; /* NULL-terminated, or NULL */
    char *exec_json;  /* the exec plugin's stanza as JSON, or NULL; run only where allowed */
    char *proxy_url;  /* only from the file itself, never from the environment */
    bool disable_compression;
    char *namespace_; /* of the context; "default" where it names none */
    char *context;    /* name of the context, "" in a cluster */
};

struct cleat_kubeconfig_options {
    const char *
        path; /* --kubeconfig: must exist; NULL: KUBECONFIG, then in-cluster, then ~/.kube/config */
    const char *context; /* NULL: current-context */
    bool allow_exec;     /* exec plugins are code execution: off unless asked for */
    bool allow_insecure;
    const char *root; /* for tests: put in front of the in-cluster mount and home; NULL */
};

/** Loads a config. -ENOENT, -EINVAL, … with file, line and key in @err. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_kubeconfig_load(
    const struct cleat_kubeconfig_options *options, struct cleat_kubeconfig **ret,
    struct cleat_err *err);
/** A config with only a server, to be filled by hand with cleat_kubeconfig_set. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_kubeconfig_new(const char *server,
                                                       struct cleat_kubeconfig **ret);
/** Replaces one of the owned strings by a copy of @value (NULL: none). */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_kubeconfig_set(char **field, const char *value);
/** Wipes and frees; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_kubeconfig *cleat_kubeconfig_free(struct cleat_kubeconfig *config);

static inline void cleat_kubeconfig_freep(struct cleat_kubeconfig **config)
{
    *config = cleat_kubeconfig_free(*config);
}

CLEAT_END

#endif
