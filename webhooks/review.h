/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of AdmissionReview v1.
 */
#ifndef CLEAT_WEBHOOKS_REVIEW_H
#define CLEAT_WEBHOOKS_REVIEW_H

#include <cleat/err.h>
#include <cleat/webhook.h>

/* A decoded review with room for strings that its heap stores packed. */
struct cleat_review_room {
    struct cleat_review review;
    struct cleat_scratch scratch[10];
};

/**
 * Reads @root (borrowed for the room's life). Sets everything of the review but deadline, clock and
 * log. -EINVAL for whatever isn't a well-formed AdmissionReview v1, with what is wrong in @err.
 */
int cleat_review_decode(struct cleat_value root, struct cleat_review_room *room,
                        struct cleat_err *err) CLEAT_MUST_CHECK;

/** "CREATE", …; static. */
const char *cleat_operation_name(enum cleat_operation operation);

#endif
