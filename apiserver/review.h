/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reviews: questions that are asked by creating an object which is answered and not stored.
 * authorization.k8s.io/v1 (SubjectAccessReview and its kin) and authentication.k8s.io/v1
 * (TokenReview, SelfSubjectReview).
 */
#ifndef CLEAT_APISERVER_REVIEW_H
#define CLEAT_APISERVER_REVIEW_H

#include "apiserver/server.h"

/** The review hook. */
int cleat_api_review(struct cleat_api_server *server, struct cleat_api_request *request,
                     struct cleat_value body, struct cleat_buffer *answer,
                     struct cleat_api_failure *failure) CLEAT_MUST_CHECK;

#endif
