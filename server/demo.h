/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demo's world: an embedded API server in this process, a `cleat serve` process against it, and
 * a user's client beside. Server and user are two identities, and RBAC is on. The story's steps
 * look at this world through the API.
 */
#ifndef CLEAT_SERVER_DEMO_H
#define CLEAT_SERVER_DEMO_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include <cleat/apiserver.h>
#include <cleat/buffer.h>
#include <cleat/client.h>
#include <cleat/discovery.h>
#include <cleat/err.h>

#define CLEAT_DEMO_WAIT_MS 20000

struct cleat_demo {
    struct cleat_apiserver *apiserver;
    struct cleat_client *client; /* the user's */
    struct cleat_discovery *discovery;
    char folder[64];       /* of its own, below TMPDIR or /tmp; removed at the end */
    char user_config[128]; /* kubeconfig files in it */
    char server_config[128];
    char server_log[128];
    pid_t server; /* 0: not running */
    int webhook_port;
    int metrics_port;
    int health_port;
    struct cleat_buffer note; /* what the current step has to tell */
};

/** Starts the API server, writes both kubeconfigs, installs Cleat's own manifests. */
int cleat_demo_init(struct cleat_demo *demo, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Ends everything, removes the folder; repeatable. */
void cleat_demo_fini(struct cleat_demo *demo);
/** Starts `cleat serve` as a process of its own, with its log in the folder. */
int cleat_demo_serve(struct cleat_demo *demo, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Sends @signal_number to it and waits for its end. */
void cleat_demo_kill(struct cleat_demo *demo, int signal_number);

/* ---- looking and doing, as the user ---- */

/** Creates an object given as JSON text (formatted). */
int cleat_demo_create(struct cleat_demo *demo, const char *kind, struct cleat_err *err,
                      const char *format, ...) CLEAT_PRINTF(4, 5) CLEAT_MUST_CHECK;
/** Merge-patches an object. */
int cleat_demo_patch(struct cleat_demo *demo, const char *kind, const char *namespace_,
                     const char *name, const char *merge_patch,
                     struct cleat_err *err) CLEAT_MUST_CHECK;
int cleat_demo_delete(struct cleat_demo *demo, const char *kind, const char *namespace_,
                      const char *name, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Reads an object live; @ret is new. -ENOENT. */
int cleat_demo_get(struct cleat_demo *demo, const char *kind, const char *namespace_,
                   const char *name, struct cleat_object **ret,
                   struct cleat_err *err) CLEAT_MUST_CHECK;
/* Where an object is; @namespace_ NULL for cluster scope. */
struct cleat_demo_place {
    const char *kind;
    const char *namespace_;
    const char *name;
};

/**
 * Waits until the string or number at @path of the object is @value, or, with @value NULL, until
 * the object is gone. -ETIMEDOUT says what was seen last, -ESRCH that the server's process has
 * ended.
 */
int cleat_demo_wait(struct cleat_demo *demo, const struct cleat_demo_place *place, const char *path,
                    const char *value, struct cleat_err *err) CLEAT_MUST_CHECK;
/** GET on one of the server's loopback ports (plain HTTP): the status, with the body in @body;
 * negative. */
int cleat_demo_http(int port, const char *path, struct cleat_buffer *body,
                    struct cleat_err *err) CLEAT_MUST_CHECK;
/** Waits until GET @path answers 200. */
int cleat_demo_wait_http(struct cleat_demo *demo, int port, const char *path,
                         struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
