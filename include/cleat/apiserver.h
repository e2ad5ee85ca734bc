/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded API server: a Kubernetes API in memory, ready in milliseconds, for tests and
 * demonstrations. A revisioned log makes watch, resume, compaction and 410 real. Listens on
 * loopback only, with TLS and tokens.
 */
#ifndef CLEAT_APISERVER_H
#define CLEAT_APISERVER_H

#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/kubeconfig.h>
#include <cleat/log.h>
#include <cleat/str.h>
#include <cleat/value.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

CLEAT_BEGIN

struct cleat_apiserver;

/** One request that was answered, for audits. All borrowed for the call. */
struct cleat_audit {
    const char *user; /* who acted, after impersonation; "" where nobody was known */
    const char
        *verb; /* "get", "list", "watch", "create", …; of other paths the method in lower case */
    const char *path;       /* as on the wire, without the query */
    struct cleat_str group; /* "" is core, and for paths that aren't about resources */
    struct cleat_str plural;
    struct cleat_str subresource;
    struct cleat_str namespace_;
    struct cleat_str name;
    int code; /* HTTP status */
};

/** Called for each answered request, on its thread, when its head is decided; must not block. */
typedef void (*cleat_audit_fn)(void *arg, const struct cleat_audit *audit);

/** Zeroed ones are the defaults. Strings are copied. */
struct cleat_apiserver_options {
    const char
        *listen; /* "HOST:PORT", loopback addresses only; NULL: "127.0.0.1:0", any free port */
    const struct cleat_clock *clock; /* borrowed; NULL: the system's */
    struct cleat_log *log;           /* borrowed; NULL: none */
    bool rbac;                       /* evaluate RBAC for every request */
    bool plain_http;        /* no TLS: for looking at the wire and behind a TLS proxy in tests */
    const char *token_file; /* Kubernetes' CSV: token,user,uid,"group1,group2"; NULL: only tokens
                               that cleat_apiserver_kubeconfig makes */
    size_t history_max; /* events of each resource kept for resuming; 0: 100,000. What old versions
                           hold is bounded too, by 64 MiB a resource */
    bool no_watch_list; /* answer streaming lists as servers before 1.32 do */
    bool no_gc;         /* no garbage collector and no namespace controller */
    cleat_audit_fn audit; /* may be NULL */
    void *audit_arg;
};

/**
 * Makes a server with the built-in kinds and the namespaces default, kube-system, kube-public and
 * kube-node-lease. -EINVAL with file and line for a token file that can't be read, -ENOMEM. @ret is
 * new. Doesn't listen yet.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_apiserver_new(const struct cleat_apiserver_options *options,
                                                      struct cleat_apiserver **ret,
                                                      struct cleat_err *err);
/**
 * Listens and serves; ready when it returns. After a stop it may be started again, at the same
 * address and with all its objects, history and tokens: as a server that was restarted. -EINVAL for
 * an address that isn't loopback, -EADDRINUSE.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_apiserver_start(struct cleat_apiserver *server,
                                                        struct cleat_err *err);
/** Ends all connections (streams in good order, but at most half a second later) and threads; waits
 * for them. Repeatable. */
CLEAT_EXPORT void cleat_apiserver_stop(struct cleat_apiserver *server);
/** Stops and frees; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_apiserver *cleat_apiserver_free(struct cleat_apiserver *server);
/** "https://127.0.0.1:<port>"; borrowed until the stop; "" before the start. */
CLEAT_EXPORT const char *cleat_apiserver_url(const struct cleat_apiserver *server);
/** The CA of the server's certificate as PEM, "" for plain HTTP; borrowed. */
CLEAT_EXPORT const char *cleat_apiserver_ca(const struct cleat_apiserver *server);
/** A config for user @user of groups @groups (NULL-terminated; NULL: system:masters), with a token
 * of its own. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_apiserver_kubeconfig(struct cleat_apiserver *server,
                                                             const char *user,
                                                             const char *const *groups,
                                                             struct cleat_kubeconfig **ret,
                                                             struct cleat_err *err);
/** The same as a kubeconfig file's text, for kubectl. New; cleat_free. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_apiserver_kubeconfig_text(struct cleat_apiserver *server,
                                                                  const char *user,
                                                                  const char *const *groups,
                                                                  char **ret,
                                                                  struct cleat_err *err);
/** Stores an object without admission (create or replace), for fixtures. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_apiserver_put(struct cleat_apiserver *server,
                                                      struct cleat_value object,
                                                      struct cleat_err *err);
/**
 * As cleat_apiserver_put from JSON text, for loading many: less is kept per object, so that
 * selectors cost more. The text is parsed twice at most; about 20,000 objects of 7 KB a second.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_apiserver_load(struct cleat_apiserver *server,
                                                       struct cleat_str json,
                                                       struct cleat_err *err);
/** Sends a bookmark on all watches that allow them, now. */
CLEAT_EXPORT void cleat_apiserver_bookmark(struct cleat_apiserver *server);
/** Drops the history up to now: a resume from before answers 410. */
CLEAT_EXPORT void cleat_apiserver_compact(struct cleat_apiserver *server);

/** Faults on cue; rules are tried in the order of adding. */
struct cleat_fault {
    const char *method; /* NULL: any */
    const char *path;   /* prefix of the path; NULL: any */
    const char *query;  /* part of the query, as "watch=true"; NULL: any */
    int status; /* answer this code instead (429 with Retry-After: 1; 410, 409, 500 with a Status)
                 */
    int64_t delay_ms;        /* wait first */
    int64_t cut_after_bytes; /* > 0: cut the connection after so many bytes of body */
    bool freeze;    /* send headers (and initial bytes up to cut_after_bytes), then nothing */
    bool drop;      /* close without an answer */
    unsigned skip;  /* let so many matching requests pass first */
    unsigned times; /* then act so often; 0: for ever */
};
/** Adds a rule (copied); its id (> 0) or negative. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_apiserver_fault(struct cleat_apiserver *server,
                                                        const struct cleat_fault *fault);
/** Removes one rule, or all with id 0; what is frozen goes on. */
CLEAT_EXPORT void cleat_apiserver_fault_clear(struct cleat_apiserver *server, int id);
/** Requests so far that match method, path prefix and query part (NULL: any). */
CLEAT_EXPORT uint64_t cleat_apiserver_requests(struct cleat_apiserver *server, const char *method,
                                               const char *path, const char *query);

CLEAT_END

#endif
