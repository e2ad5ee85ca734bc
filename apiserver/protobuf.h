/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies that kubectl's typed commands (create namespace, create secret, auth can-i, …) send in
 * Kubernetes' protobuf form. A few kinds are known; what isn't is refused, never half read. Source:
 * the field numbers of Kubernetes' generated.proto files; protobuf's encoding.
 */
#ifndef CLEAT_APISERVER_PROTOBUF_H
#define CLEAT_APISERVER_PROTOBUF_H

#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/str.h>
#include <stdbool.h>

/** True for application/vnd.kubernetes.protobuf. */
bool cleat_api_protobuf_is(const char *content_type);
/**
 * Appends the JSON of @body: the envelope ("k8s", NUL, then runtime.Unknown) with its object.
 * -EOPNOTSUPP for a kind or field that isn't known, -EINVAL for what isn't well formed.
 */
int cleat_api_protobuf_decode(struct cleat_str body, struct cleat_buffer *json,
                              struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
