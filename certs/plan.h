/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan: what is to be done with a serving certificate, from what is there and the time alone.
 * The life cycle is tested here, without a cluster.
 */
#ifndef CLEAT_CERTS_PLAN_H
#define CLEAT_CERTS_PLAN_H

#include <stdint.h>
#include <cleat/str.h>

enum cleat_plan_action {
    CLEAT_PLAN_KEEP,  /* serve what is there */
    CLEAT_PLAN_ISSUE, /* the CA is good: issue a new leaf under it */
    CLEAT_PLAN_RENEW, /* start anew with a CA of our own */
};

/* PEM texts as they were found; empty where there is nothing. */
struct cleat_plan_state {
    struct cleat_str cert;
    struct cleat_str key;
    struct cleat_str ca;
    struct cleat_str ca_key;
};

/**
 * Decides at @now_unix_s for a certificate that must cover @names (NULL-terminated). A leaf is
 * renewed when two thirds of its life have passed, a CA too. *@ret_why (may be NULL) is a static
 * text.
 */
enum cleat_plan_action cleat_plan(const struct cleat_plan_state *state, const char *const *names,
                                  int64_t now_unix_s, const char **ret_why);

#endif
