/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credential plugins: a program that prints an ExecCredential of client.authentication.k8s.io/v1 or
 * v1beta1. It gets no stdin, a process group of its own, a time limit, and what it prints is
 * bounded. Source: Kubernetes documentation, "Authenticating", client-go credential plugins.
 *
 * One thread at a time.
 */
#ifndef CLEAT_CLIENT_CREDENTIALS_EXEC_H
#define CLEAT_CLIENT_CREDENTIALS_EXEC_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/kubeconfig.h>

struct credentials_exec;

/* What a plugin gave; strings are owned by whoever gets it. */
struct credentials_exec_answer {
    char *token;    /* or NULL */
    char *cert_pem; /* both or neither */
    char *key_pem;
    bool expires;
    int64_t expires_unix_ms;
};

/** Takes over the config's stanza. -EINVAL where it isn't one. @ret is new. */
int cleat__credentials_exec_new(const struct cleat_kubeconfig *config,
                                const struct cleat_clock *clock, int64_t timeout_ms,
                                struct credentials_exec **ret,
                                struct cleat_err *err) CLEAT_MUST_CHECK;
/** Kills what runs, frees; returns NULL. */
struct credentials_exec *cleat__credentials_exec_free(struct credentials_exec *exec);
/**
 * Starts the plugin where it doesn't run, and looks after it: until its end where @may_block, else
 * only once. 0 with an answer; -EAGAIN while it runs; -ETIMEDOUT, -E2BIG, -EIO, -EINVAL and what
 * starting it may return.
 */
int cleat__credentials_exec_step(struct credentials_exec *exec, bool may_block,
                                 struct credentials_exec_answer *ret,
                                 struct cleat_err *err) CLEAT_MUST_CHECK;
/** Wipes and frees the strings; repeatable. */
void cleat__credentials_exec_answer_fini(struct credentials_exec_answer *answer);

#endif
