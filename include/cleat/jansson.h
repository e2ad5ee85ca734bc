/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge to jansson, for documents built from nothing with its packer. The only header that names it.
 */
#ifndef CLEAT_JANSSON_H
#define CLEAT_JANSSON_H

#include <jansson.h>
#include <cleat/document.h>
#include <cleat/err.h>
#include <cleat/value.h>

CLEAT_BEGIN

/** A document with the content of @json (borrowed). Depth and size limits as for parsing. @ret is new. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_jansson_document(const json_t *json, struct cleat_document **ret,
                                                         struct cleat_err *err);
/** The same, releasing @json even on failure; NULL is -ENOMEM, so that json_pack can be given as it is. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_jansson_document_take(json_t *json, struct cleat_document **ret,
                                                              struct cleat_err *err);
/** A new jansson tree of @value; -ERANGE for numbers that jansson can't hold, -ENODATA for NOT_KEPT. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_jansson_of(struct cleat_value value, json_t **ret,
                                                   struct cleat_err *err);

CLEAT_END

#endif
