/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge to jansson, for documents built from nothing with its packer. The only header that
 * names it. One thread per jansson value, as jansson has it; nothing blocks.
 *
 *   json_pack ─► cleat_jansson_document_take ─► document         value ─► cleat_jansson_of ─►
 * json_t
 */
#ifndef CLEAT_JANSSON_H
#define CLEAT_JANSSON_H

#include <jansson.h>
#include <cleat/document.h>
#include <cleat/err.h>
#include <cleat/value.h>

CLEAT_BEGIN

/**
 * A document with the content of @json (borrowed). Reals get the shortest text that reads back the
 * same. Returns 0; -E2BIG beyond the depth of 128 or the size of a document (a tree that holds
 * itself ends there too); -EINVAL for text that isn't UTF-8, a NUL in a key, a NULL value; -ENOMEM.
 * @ret is new.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_jansson_document(const json_t *json,
                                                         struct cleat_document **ret,
                                                         struct cleat_err *err);
/**
 * The same, stealing @json: it is released even on failure. NULL is -ENOMEM, so that json_pack can
 * be given as it is.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_jansson_document_take(json_t *json,
                                                              struct cleat_document **ret,
                                                              struct cleat_err *err);
/**
 * A jansson tree with the content of @value; @ret is new, the caller's to json_decref. Integers
 * stay integers, what has a fraction or an exponent becomes the nearest real. Returns 0, -ERANGE
 * for numbers that jansson can't hold, -ENODATA for what wasn't kept, -EINVAL for an absent value,
 * -E2BIG beyond the depth of 128, -ENOMEM.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_jansson_of(struct cleat_value value, json_t **ret,
                                                   struct cleat_err *err);

CLEAT_END

#endif
