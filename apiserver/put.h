/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixtures: objects stored as they are, without admission.
 */
#ifndef CLEAT_APISERVER_PUT_H
#define CLEAT_APISERVER_PUT_H

#include "apiserver/server.h"

/**
 * Creates or replaces @object, gives it a uid, creationTimestamp and generation where it has none,
 * and makes its namespace where that isn't there. @keep_document: faster reading by selectors, more
 * memory.
 */
int cleat_api_put(struct cleat_api_server *server, struct cleat_value object, bool keep_document,
                  struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
