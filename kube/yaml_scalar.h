/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plain YAML scalar means, as Kubernetes' own reader (sigs.k8s.io/yaml over YAML 1.1) takes
 * it: y, yes, on and their opposites are booleans; integers may be octal (leading 0 or 0o),
 * hexadecimal or binary and hold underscores; times stay strings; base 60 isn't known.
 */
#ifndef CLEAT_KUBE_YAML_SCALAR_H
#define CLEAT_KUBE_YAML_SCALAR_H

#include <stdbool.h>
#include <cleat/buffer.h>
#include <cleat/str.h>

enum yaml_scalar {
    YAML_SCALAR_STR,
    YAML_SCALAR_NULL,
    YAML_SCALAR_TRUE,
    YAML_SCALAR_FALSE,
    YAML_SCALAR_INT,
    YAML_SCALAR_FLOAT,
    YAML_SCALAR_NO_JSON, /* an infinity or NaN: JSON has no such number */
};

/** What @text means. Numbers are appended to @json (may be NULL) as JSON writes them; nothing else
 * is. */
enum yaml_scalar cleat__yaml_scalar(struct cleat_str text, struct cleat_buffer *json);

#endif
