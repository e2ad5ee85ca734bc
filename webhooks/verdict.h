/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verdict: what a handler decided, and its encoding as an AdmissionReview's response. It lives on
 * the stack of who answers; nothing in it is allocated but the draft that it may own.
 */
#ifndef CLEAT_WEBHOOKS_VERDICT_H
#define CLEAT_WEBHOOKS_VERDICT_H

#include <cleat/buffer.h>
#include <cleat/webhook.h>

#define CLEAT_VERDICT_MESSAGE_BYTES 4096
#define CLEAT_VERDICT_WARNING_BYTES 257
#define CLEAT_VERDICT_AUDIT_BYTES 1024

enum cleat_decision { CLEAT_DECISION_NONE, CLEAT_DECISION_ALLOWED, CLEAT_DECISION_DENIED };

struct cleat_verdict {
    enum cleat_decision decision;
    int code;                  /* of a denial */
    struct cleat_draft *draft; /* what to patch, or NULL */
    struct cleat_draft *owned; /* made by cleat_verdict_draft */
    size_t warning_count;
    size_t audit_count;
    char reason[64];
    /* From here on nothing is cleared beforehand. */
    char message[CLEAT_VERDICT_MESSAGE_BYTES];
    char warnings[CLEAT_WARNINGS_MAX][CLEAT_VERDICT_WARNING_BYTES];
    struct {
        char key[256];
        char value[CLEAT_VERDICT_AUDIT_BYTES];
    } audits[CLEAT_AUDIT_MAX];
};

void cleat_verdict_init(struct cleat_verdict *verdict);
/** Frees the draft that it owns; repeatable. */
void cleat_verdict_fini(struct cleat_verdict *verdict);
/**
 * Appends the AdmissionReview with the response to @uid. @original is what the patch starts from.
 * Negative: nothing that could be taken for an answer was appended (the diff failed, the buffer is
 * full).
 */
int cleat_verdict_write(const struct cleat_verdict *verdict, struct cleat_str uid,
                        struct cleat_value original, struct cleat_buffer *answer,
                        struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
