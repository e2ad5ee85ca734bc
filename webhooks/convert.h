/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answering a ConversionReview (apiextensions.k8s.io/v1).
 */
#ifndef CLEAT_WEBHOOKS_CONVERT_H
#define CLEAT_WEBHOOKS_CONVERT_H

#include "webhooks/registry.h"

/**
 * Converts the review's objects, all or none. 0 with an answer appended (which may say Failure),
 * -EINVAL where the body isn't a ConversionReview v1.
 */
int cleat_convert_answer(struct cleat_webhooks *webhooks, struct cleat_value root,
                         struct cleat_buffer *answer, struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
