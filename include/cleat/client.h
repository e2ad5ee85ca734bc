/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of one API server. Unary calls run on the caller's thread with a pooled connection
 * (HTTP/1.1 keep-alive) and a deadline; on the threads that drive watches and events they return
 * -EDEADLK. Answers are counted objects. Server errors come as negative codes with reason, status
 * and causes in @err (see status.h). Any thread.
 */
#ifndef CLEAT_CLIENT_H
#define CLEAT_CLIENT_H

#include <cleat/clock.h>
#include <cleat/draft.h>
#include <cleat/err.h>
#include <cleat/gvk.h>
#include <cleat/kubeconfig.h>
#include <cleat/log.h>
#include <cleat/object.h>

CLEAT_BEGIN

struct cleat_client;

/** Called for each request that ended; for metrics. @code 0: no answer. Any thread; must not block.
 */
typedef void (*cleat_client_observe_fn)(void *arg, const char *method, const char *host, int code,
                                        int64_t duration_ns);

/** Called for each 299 Warning of the server; @text is borrowed for the call. Any thread; must not
 * block. */
typedef void (*cleat_client_warning_fn)(void *arg, const char *text);

struct cleat_client_options {
    const struct cleat_kubeconfig *config; /* copied */
    const struct cleat_clock *clock;       /* borrowed; NULL: the system's */
    struct cleat_log *log;                 /* borrowed; NULL: none */
    const char *user_agent;                /* NULL: "cleat/<version>" */
    const char *field_manager;             /* default of each write; NULL: "cleat" */
    int64_t timeout_ms;                    /* of a unary call; 0: 30,000 */
    int64_t connect_timeout_ms;            /* 0: 10,000 */
    int retries_max;                       /* 0: 10; only where safe or Retry-After says so */
    bool dry_run;                          /* every write with dryRun=All */
    cleat_client_observe_fn observe;       /* may be NULL */
    void *observe_arg;
    /* Asked right before a request is handed to the wire, at each try; non-zero refuses it
     * (fencing). */
    int (*fence)(void *arg, bool write, struct cleat_err *err);
    void *fence_arg;
    double qps;      /* tries of unary calls a second, retries too, watches not; 0: no limit */
    int burst;       /* tries that may come at once where @qps is set; 0: twice @qps, at least 1 */
    bool http1_only; /* streams: no HTTP/2 even where the server offers it */
    bool allow_exec; /* the config's exec plugin may be run */
    cleat_client_warning_fn warning; /* may be NULL: then each text is logged once */
    void *warning_arg;
};

/** Makes a client of one server; connects on the first call. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_new(const struct cleat_client_options *options,
                                                   struct cleat_client **ret,
                                                   struct cleat_err *err);
/** Another client on the same connections and credentials with a fence of its own. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_fenced(struct cleat_client *client,
                                                      int (*fence)(void *, bool,
                                                                   struct cleat_err *),
                                                      void *arg, struct cleat_client **ret);
/** Takes a reference; returns @client. Any thread. */
CLEAT_EXPORT struct cleat_client *cleat_client_ref(struct cleat_client *client);
/** Drops a reference; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_client *cleat_client_unref(struct cleat_client *client);
/** The server's URL; borrowed. */
CLEAT_EXPORT const char *cleat_client_server(const struct cleat_client *client);

/** Where an object is: resource, namespace ("" or NULL for cluster scope or all), name,
 * subresource. */
struct cleat_client_target {
    const struct cleat_resource *resource;
    const char *namespace_;
    const char *name;
    const char *subresource; /* "status", "scale", …; NULL */
};

/** Options of all verbs; zeroed ones are the defaults. */
struct cleat_client_call {
    int64_t deadline_mono_ms;     /* 0: the client's timeout from now */
    const char *field_manager;    /* NULL: the client's */
    const char *field_validation; /* "Ignore", "Warn", "Strict"; NULL: the server's default */
    bool dry_run;
    bool force;                 /* apply: take over fields */
    const char *label_selector; /* list, deletecollection */
    const char *field_selector;
    const char *resource_version; /* get, list */
    const char *resource_version_match;
    int64_t limit; /* list: page size; 0: the server's choice */
    const char *continue_;
    bool metadata_only; /* get, list: as=PartialObjectMetadata */
    const char *uid;    /* delete: preconditions */
    const char *precondition_resource_version;
    const char *propagation; /* delete: "Foreground", "Background", "Orphan" */
    int64_t grace_period_s;  /* delete: with set_grace_period */
    bool set_grace_period;
};

enum cleat_patch_type {
    CLEAT_PATCH_JSON,
    CLEAT_PATCH_MERGE,
    CLEAT_PATCH_STRATEGIC,
    CLEAT_PATCH_APPLY
};

/* @call may be NULL. @ret is new; where it may be NULL the answer is dropped. */
/** Reads one object from the server. -ENOENT where it isn't there. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_get(struct cleat_client *client,
                                                   const struct cleat_client_target *target,
                                                   const struct cleat_client_call *call,
                                                   struct cleat_object **ret,
                                                   struct cleat_err *err);
/** Creates @body. -EEXIST where the name is taken. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_create(
    struct cleat_client *client, const struct cleat_client_target *target, struct cleat_value body,
    const struct cleat_client_call *call, struct cleat_object **ret, struct cleat_err *err);
/**
 * Replaces the object by @body; its resourceVersion, where it has one, is the precondition.
 * -EAGAIN on a conflict.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_update(
    struct cleat_client *client, const struct cleat_client_target *target, struct cleat_value body,
    const struct cleat_client_call *call, struct cleat_object **ret, struct cleat_err *err);
/** Updates to what @draft makes of @object (resourceVersion of @object is the precondition).
 * -ENODATA if partial. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_update_draft(
    struct cleat_client *client, const struct cleat_client_target *target,
    const struct cleat_object *object, struct cleat_draft *draft,
    const struct cleat_client_call *call, struct cleat_object **ret, struct cleat_err *err);
/** Changes the object by @body, a patch of @type. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_patch(
    struct cleat_client *client, const struct cleat_client_target *target,
    enum cleat_patch_type type, struct cleat_str body, const struct cleat_client_call *call,
    struct cleat_object **ret, struct cleat_err *err);
/** @ret (may be NULL): the deleted object or the Status. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_delete(struct cleat_client *client,
                                                      const struct cleat_client_target *target,
                                                      const struct cleat_client_call *call,
                                                      struct cleat_object **ret,
                                                      struct cleat_err *err);
/** Deletes every object that the target's namespace and the call's selectors name. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_delete_collection(
    struct cleat_client *client, const struct cleat_client_target *target,
    const struct cleat_client_call *call, struct cleat_err *err);
/** One page; @ret is the List object, its metadata.continue says whether there is more. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_list(struct cleat_client *client,
                                                    const struct cleat_client_target *target,
                                                    const struct cleat_client_call *call,
                                                    struct cleat_object **ret,
                                                    struct cleat_err *err);
/** All pages, item by item; stops where @fn returns non-zero and returns that. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_list_each(
    struct cleat_client *client, const struct cleat_client_target *target,
    const struct cleat_client_call *call, int (*fn)(void *arg, struct cleat_value item), void *arg,
    struct cleat_err *err);
/**
 * Watches on the caller's thread until the stream ends (0), @fn returns non-zero (that), or an
 * error. For tools and tests; controllers use a cache. @type is "ADDED", "MODIFIED", "DELETED",
 * "BOOKMARK" or "ERROR".
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_watch(struct cleat_client *client,
                                                     const struct cleat_client_target *target,
                                                     const struct cleat_client_call *call,
                                                     int (*fn)(void *arg, struct cleat_str type,
                                                               struct cleat_object *object),
                                                     void *arg, struct cleat_err *err);
/** Any request on a path of the server ("/version"): @body may be empty. @ret may be NULL. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_raw(struct cleat_client *client, const char *method,
                                                   const char *path, struct cleat_str body,
                                                   struct cleat_document **ret,
                                                   struct cleat_err *err);

/** What a SubjectAccessReview asks. NULL strings are left out. */
struct cleat_access_question {
    const char *user; /* NULL: a SelfSubjectAccessReview */
    const char *uid;
    struct cleat_value groups; /* array of strings, or absent */
    struct cleat_value extra;  /* object of arrays, or absent */
    const char *verb, *group, *version, *plural, *subresource, *namespace_, *name;
    const char *path; /* non-resource */
};
/** Asks; @ret_allowed; @err's text isn't touched by a refusal, whose reason goes to @ret_reason
 * (may be NULL). */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_access(struct cleat_client *client,
                                                      const struct cleat_access_question *question,
                                                      int64_t deadline_mono_ms, bool *ret_allowed,
                                                      char ret_reason[256], struct cleat_err *err);
/** TokenReview; @ret is the review with its status. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_token_review(struct cleat_client *client,
                                                            const char *token,
                                                            struct cleat_object **ret,
                                                            struct cleat_err *err);
/** SelfSubjectReview: who we are; @ret is the review. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_client_whoami(struct cleat_client *client,
                                                      struct cleat_object **ret,
                                                      struct cleat_err *err);

CLEAT_END

#endif
