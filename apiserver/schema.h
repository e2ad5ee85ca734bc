/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structural schemas of custom resources, compiled once per version: pruning, defaulting,
 * validation. A compiled schema is constant; any thread. Source: Kubernetes documentation,
 * "Extend the Kubernetes API with CustomResourceDefinitions"; the texts are those of its API
 * server. x-kubernetes-validations (CEL) are accepted and not evaluated.
 */
#ifndef CLEAT_APISERVER_SCHEMA_H
#define CLEAT_APISERVER_SCHEMA_H

#include <cleat/buffer.h>
#include <cleat/document.h>
#include "apiserver/report.h"

struct cleat_api_schema;

/**
 * Compiles @source, an openAPIV3Schema, and checks that it is structural: each fault is reported
 * below the report's path. A reference to @document, which holds @source, is kept. Returns 0 with a
 * new @ret, -EINVAL where something was reported, -ENOMEM.
 */
int cleat_api_schema_new(struct cleat_document *document, struct cleat_value source,
                         struct cleat_api_report *report,
                         struct cleat_api_schema **ret) CLEAT_MUST_CHECK;
/** NULL is fine; returns NULL. */
struct cleat_api_schema *cleat_api_schema_free(struct cleat_api_schema *schema);

/**
 * Prunes unknown fields of @object and puts in defaults. @ret is a new document, or untouched where
 * nothing changed. Dropped fields are told to @unknown (may be NULL) as its paths. 0, -ENOMEM,
 * -E2BIG.
 */
int cleat_api_schema_fill(const struct cleat_api_schema *schema, struct cleat_value object,
                          struct cleat_api_report *unknown, struct cleat_document **ret,
                          struct cleat_err *err) CLEAT_MUST_CHECK;
/** Reports every violation of @object. */
void cleat_api_schema_validate(const struct cleat_api_schema *schema, struct cleat_value object,
                               struct cleat_api_report *report);

#endif
