/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SubjectAccessReviews asked in parallel: the caller asks too, so that a busy pool delays but never
 * stops it. Blocks, at most until the deadline.
 */
#ifndef CLEAT_KINDS_MIRROR_ACCESS_H
#define CLEAT_KINDS_MIRROR_ACCESS_H

#include <cleat/client.h>
#include <cleat/err.h>
#include <cleat/jobs.h>
#include <cleat/webhook.h>

#define MIRROR_ACCESS_HELPERS_MAX 8

/* One question and its answer. */
struct mirror_question {
    const char *verb;    /* static */
    char namespace_[64]; /* "": in all */
    char name[254];      /* "": any */
    bool allowed;        /* the answer */
    int code;            /* negative where there is none */
    char reason[256];
};

struct mirror_access {
    struct cleat_client *client;
    struct cleat_jobs *jobs;           /* NULL: the caller asks alone */
    const struct cleat_review *review; /* who asks, and until when */
    const struct cleat_resource *resource;
};

/** Asks all @questions and fills in the answers. 0, or the first failure: -EAGAIN where time ran
 * out. */
int cleat__mirror_access_ask(const struct mirror_access *access, struct mirror_question *questions,
                             size_t count, struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
