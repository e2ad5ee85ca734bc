/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML (1.1 core types as Kubernetes' own reader takes them) into documents: kubeconfig, config
 * file, manifests. File cap 1 MiB, depth 32 and 65,536 nodes checked while events are read, aliases
 * refused, duplicate keys refused, tags other than the core ones refused. Errors carry line and
 * column.
 */
#ifndef CLEAT_KUBE_YAML_H
#define CLEAT_KUBE_YAML_H

#include <cleat/document.h>
#include <cleat/err.h>

/** Parses exactly one YAML document. @ret is new. */
int cleat_yaml_parse(struct cleat_str text, struct cleat_document **ret,
                     struct cleat_err *err) CLEAT_MUST_CHECK;
/** Calls @fn for each document of a stream (separated by ---; empty ones are skipped). Stops at
 * non-zero. */
int cleat_yaml_each(struct cleat_str text, int (*fn)(void *arg, struct cleat_document *document),
                    void *arg, struct cleat_err *err) CLEAT_MUST_CHECK;
/** The line (from 1) on which the top-level or nested key at @path ("a.b") stands in @text; 0
 * unknown. */
int cleat_yaml_line(struct cleat_str text, const char *path);
/** Appends @value as block-style YAML, for manifests. */
int cleat_yaml_write(struct cleat_buffer *buffer, struct cleat_value value,
                     struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
