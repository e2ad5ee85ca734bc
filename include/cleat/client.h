/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of one API server. Unary calls run on the caller's thread with a pooled connection
 * (HTTP/1.1 keep-alive) and a deadline; on the threads that drive watches and events they return
 * -EDEADLK. Answers are counted objects. Any thread, unless a function says otherwise.
 *
 *   target + call + body ─► path, query, JSON ─► pooled connection ─► API server
 *   struct cleat_object or struct cleat_err   ◄─ answer
 *
 * Errors of all calls. What the server refused comes as status.h decodes it, with http_status,
 * reason, message and causes in @err: -ENOENT (404), -EEXIST (409 AlreadyExists), -EAGAIN (409
 * Conflict), -EACCES (403), -EPERM (401), -ESTALE (410), -EINVAL (400, 422), -EBUSY (429), -EIO
 * (5xx). Where no answer came: -ECONNREFUSED, -ECONNRESET (a write may have been carried out),
 * -EHOSTUNREACH, -ETIMEDOUT, -EKEYREJECTED (the certificate), -EPROTO, -EMSGSIZE (an answer above
 * 64 MiB). Before anything was sent: -EINVAL (a name or namespace that is missing or can't be part
 * of a path), -E2BIG, -EDEADLK, and what the fence returned.
 *
 * What is tried again by itself: any verb where the server answered 429 or 5xx with Retry-After; a
 * GET whose connection was refused or broke (three times), and once after 401 with new credentials.
 * A write whose answer was lost is never sent again.
 */
#ifndef CLEAT_CLIENT_H
#define CLEAT_CLIENT_H

#include <cleat/call.h>
#include <cleat/clock.h>
#include <cleat/draft.h>
#include <cleat/err.h>
#include <cleat/gvk.h>
#include <cleat/kubeconfig.h>
#include <cleat/log.h>
#include <cleat/metrics.h>
#include <cleat/object.h>

CLEAT_BEGIN

struct cleat_client;

/** Called for each try that ended, a watch when its headers came; for metrics. @host is
 * "host:port";
 * @code 0: no answer. Any thread; must not block. */
typedef void (*cleat_client_observe_fn)(void *arg, const char *method, const char *host, int code,
                                        int64_t duration_ns);

/** Called for each 299 Warning of the server; @text is borrowed for the call. Any thread; must not
 * block. */
typedef void (*cleat_client_warning_fn)(void *arg, const char *text);

/** Asked right before a request is handed to the wire, at each try, with whether it writes;
 * anything but 0 refuses it and is returned by the call. Any thread; must not block. */
typedef int (*cleat_client_fence_fn)(void *arg, bool write, struct cleat_err *err);

struct cleat_client_options {
    const struct cleat_kubeconfig *config; /* copied */
    const struct cleat_clock *clock;       /* borrowed; NULL: the system's */
    struct cleat_log *log;                 /* borrowed; NULL: none */
    const char *user_agent;                /* NULL: "cleat/<version>" */
    const char *field_manager;             /* default of each write; NULL: "cleat" */
    int64_t timeout_ms;                    /* of a unary call with its retries; 0: 30,000 */
    int64_t connect_timeout_ms;            /* of one connection; 0: 10,000 */
    int retries_max;                       /* 0: 10; only where safe or Retry-After says so */
    bool dry_run;                          /* every write with dryRun=All */
    cleat_client_observe_fn observe;       /* may be NULL */
    void *observe_arg;
    struct cleat_metrics *metrics; /* rest_client_requests_total; borrowed for the client's life;
                                      NULL: none */
    bool metrics_detailed;         /* durations, sizes, retries, waits and name look-ups too */
    cleat_client_fence_fn fence;   /* fencing; may be NULL */
    void *fence_arg;
    double qps;      /* tries of unary calls a second, retries too, watches not; 0: no limit */
    int burst;       /* tries that may come at once where @qps is set; 0: twice @qps, at least 1 */
    bool http1_only; /* streams: no HTTP/2 even where the server offers it */
    bool allow_exec; /* the config's exec plugin may be run */
    cleat_client_warning_fn warning; /* may be NULL: then each text is logged once */
    void *warning_arg;
};

/**
 * A client for the server in @options->config. Connects to nothing yet.
 * Ownership: @ret is new, freed by unref; config copied, clock and log borrowed for its life.
 * Returns 0; -EINVAL (a URL that isn't https, credentials over plain http, control characters),
 * -EACCES (an exec plugin that isn't allowed), -ENOMEM. Doesn't block.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_new(const struct cleat_client_options *options,
                                                   struct cleat_client **ret,
                                                   struct cleat_err *err);
/**
 * Another client on the same connections, credentials and rate limit with a fence of its own in
 * place of @client's. @ret is new; @arg is borrowed for its life. 0 or -ENOMEM.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_fenced(struct cleat_client *client,
                                                      int (*fence)(void *, bool,
                                                                   struct cleat_err *),
                                                      void *arg, struct cleat_client **ret);
/**
 * Makes the unary calls that are under way on @client end with -ECANCELED within about a second,
 * and later ones at once; @aborted false: calls are made again. For who has to stop while the
 * server hangs. Whether a write that was cut was carried out isn't known. Clients that
 * cleat_client_fenced made are aborted each by themselves. Any thread.
 */
CLEAT_EXPORT void cleat_client_abort(struct cleat_client *client, bool aborted);
/** One more reference; returns @client. */
CLEAT_EXPORT struct cleat_client *cleat_client_ref(struct cleat_client *client);
/** Drops a reference and with the last one closes the connections; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_client *cleat_client_unref(struct cleat_client *client);
/** The server's URL with its port; borrowed for the client's life. */
CLEAT_EXPORT const char *cleat_client_server(const struct cleat_client *client);

/** Where an object is; all borrowed for the call. */
struct cleat_client_target {
    const struct cleat_resource *resource; /* from discovery, or a constant for well-known kinds */
    const char *namespace_;                /* "" or NULL: cluster scope, or all for collections */
    const char *name;                      /* NULL for collections */
    const char *subresource;               /* "status", "scale", …; NULL */
};

/*
 * All verbs: @call may be NULL. @ret is new; where it may be NULL the answer is dropped. They block
 * until the answer or the deadline. Source: Kubernetes API Concepts; client-go's rest/request.go.
 */

/** Reads one object. @ret may be NULL: only whether it's there. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_get(struct cleat_client *client,
                                                   const struct cleat_client_target *target,
                                                   const struct cleat_client_call *call,
                                                   struct cleat_object **ret,
                                                   struct cleat_err *err);
/**
 * Creates @body, an object with apiVersion, kind and metadata.name or metadata.generateName: the
 * name then stands in @ret (may be NULL). @target's name counts only with a subresource (eviction,
 * token, binding). -EEXIST; -ENODATA where a part of @body wasn't kept.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_create(
    struct cleat_client *client, const struct cleat_client_target *target, struct cleat_value body,
    const struct cleat_client_call *call, struct cleat_object **ret, struct cleat_err *err);
/**
 * Replaces the object by @body. metadata.resourceVersion in @body is the precondition (-EAGAIN
 * where the object has changed since); without it built-in kinds are overwritten. -ENODATA as for
 * create.
 * @ret may be NULL.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_update(
    struct cleat_client *client, const struct cleat_client_target *target, struct cleat_value body,
    const struct cleat_client_call *call, struct cleat_object **ret, struct cleat_err *err);
/**
 * Updates to what @draft makes of @object; the resourceVersion of @object is the precondition,
 * whatever the draft says. -ENODATA where @object is partial (patch it), -EINVAL where it has no
 * version, -EAGAIN where it has changed since. @ret may be NULL.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_update_draft(
    struct cleat_client *client, const struct cleat_client_target *target,
    const struct cleat_object *object, struct cleat_draft *draft,
    const struct cleat_client_call *call, struct cleat_object **ret, struct cleat_err *err);
/**
 * Patches with @body, JSON text as @type wants it (YAML too for apply). A resourceVersion in the
 * body makes it a precondition. @ret may be NULL.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_patch(
    struct cleat_client *client, const struct cleat_client_target *target,
    enum cleat_patch_type type, struct cleat_str body, const struct cleat_client_call *call,
    struct cleat_object **ret, struct cleat_err *err);
/**
 * Deletes one object, with the preconditions, propagation and grace period of @call in a
 * DeleteOptions body. @ret (may be NULL): the object as it was or is being deleted, or a Status.
 * -EAGAIN where a precondition doesn't hold.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_delete(struct cleat_client *client,
                                                      const struct cleat_client_target *target,
                                                      const struct cleat_client_call *call,
                                                      struct cleat_object **ret,
                                                      struct cleat_err *err);
/** Deletes all objects of a kind that @call's selectors choose, in a namespace or, where the server
 * offers that, in all. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_delete_collection(
    struct cleat_client *client, const struct cleat_client_target *target,
    const struct cleat_client_call *call, struct cleat_err *err);
/** Lists one page; @ret is the List object, its metadata.continue says whether there is more. The
 * whole page is held: for much use list_each. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_list(struct cleat_client *client,
                                                    const struct cleat_client_target *target,
                                                    const struct cleat_client_call *call,
                                                    struct cleat_object **ret,
                                                    struct cleat_err *err);
/**
 * Lists everything in pages (500 each, unless @call has a limit) and hands out each object as it
 * arrives: no more than one is ever held. @item is borrowed for the call of @fn and has apiVersion
 * and kind even where the list's items don't. Objects that can't be read are logged and left out.
 * Ends where
 * @fn returns non-zero and returns that; -ESTALE where the pages outlived the server's history
 * (begin anew). @fn may call this client.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_list_each(
    struct cleat_client *client, const struct cleat_client_target *target,
    const struct cleat_client_call *call, int (*fn)(void *arg, struct cleat_value item), void *arg,
    struct cleat_err *err);
/**
 * Watches on the caller's thread until the stream ends (0), @fn returns non-zero (that), or an
 * error. For tools and tests; controllers use a cache. @type is "ADDED", "MODIFIED", "DELETED",
 * "BOOKMARK" or "ERROR" (@object is then a Status); @object is borrowed for the call of @fn, which
 * may take a reference. Without a deadline it lasts until the server ends it.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_watch(struct cleat_client *client,
                                                     const struct cleat_client_target *target,
                                                     const struct cleat_client_call *call,
                                                     int (*fn)(void *arg, struct cleat_str type,
                                                               struct cleat_object *object),
                                                     void *arg, struct cleat_err *err);
/** Any request on a path of the server ("/version?x=y", percent-encoded): @body may be empty, else
 * it's JSON. @ret (may be NULL) is the parsed answer. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_raw(struct cleat_client *client, const char *method,
                                                   const char *path, struct cleat_str body,
                                                   struct cleat_document **ret,
                                                   struct cleat_err *err);

/** What a SubjectAccessReview asks. NULL and empty strings are left out. */
struct cleat_access_question {
    const char *user; /* NULL: a SelfSubjectAccessReview */
    const char *uid;
    struct cleat_value groups; /* array of strings, or absent */
    struct cleat_value extra;  /* object of arrays, or absent */
    const char *verb, *group, *version, *plural, *subresource, *namespace_, *name;
    const char *path; /* non-resource */
};
/**
 * Asks whether somebody may do something (authorization.k8s.io/v1). *@ret_allowed is the answer; a
 * refusal is no error, its reason goes to @ret_reason (may be NULL). Changes nothing: dry run
 * doesn't apply, and the fence is asked as for a read. -EPROTO for a review without a status.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_access(struct cleat_client *client,
                                                      const struct cleat_access_question *question,
                                                      int64_t deadline_mono_ms, bool *ret_allowed,
                                                      char ret_reason[256], struct cleat_err *err);
/** Asks whose @token is (TokenReview, authentication.k8s.io/v1); @ret is the review with its
 * status. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_token_review(struct cleat_client *client,
                                                            const char *token,
                                                            struct cleat_object **ret,
                                                            struct cleat_err *err);
/** Asks who we are (SelfSubjectReview, authentication.k8s.io/v1); @ret is the review:
 * status.userInfo. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_whoami(struct cleat_client *client,
                                                      struct cleat_object **ret,
                                                      struct cleat_err *err);

CLEAT_END

#endif
