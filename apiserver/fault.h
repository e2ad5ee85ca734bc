/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults on cue, and the count of requests. Any thread.
 */
#ifndef CLEAT_APISERVER_FAULT_H
#define CLEAT_APISERVER_FAULT_H

#include <cleat/apiserver.h>
#include "apiserver/failure.h"

struct cleat_api_faults;

/* What one request suffers. */
struct cleat_api_fault_action {
    int id; /* of the rule; 0: nothing */
    int status;
    int64_t delay_ms;
    int64_t cut_after_bytes; /* -1: never */
    bool freeze;
    bool drop;
};

int cleat_api_faults_new(const struct cleat_clock *clock,
                         struct cleat_api_faults **ret) CLEAT_MUST_CHECK;
struct cleat_api_faults *cleat_api_faults_free(struct cleat_api_faults *faults);
int cleat_api_faults_add(struct cleat_api_faults *faults,
                         const struct cleat_fault *fault) CLEAT_MUST_CHECK;
void cleat_api_faults_clear(struct cleat_api_faults *faults, int id);
/** Counts a request and finds what it suffers. @query may be "". */
struct cleat_api_fault_action cleat_api_faults_match(struct cleat_api_faults *faults,
                                                     const char *method, const char *path,
                                                     const char *query);
uint64_t cleat_api_faults_requests(struct cleat_api_faults *faults, const char *method,
                                   const char *path, const char *query);
/**
 * Waits @wait_ms (< 0: until rule @id is removed), but no longer than until the server stops or the
 * client at socket @fd is gone. False where the request should be given up.
 */
bool cleat_api_faults_wait(struct cleat_api_faults *faults, int id, int64_t wait_ms, int fd);
/** Waits are possible (again). */
void cleat_api_faults_start(struct cleat_api_faults *faults);
/** Ends all waits until the next start. */
void cleat_api_faults_stop(struct cleat_api_faults *faults);
/** The Status of a rule with a code. */
void cleat_api_faults_fail(int status, struct cleat_api_failure *failure);

#endif
