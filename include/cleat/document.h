/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A counted document: a frozen value with an arena of its own. The count is atomic; a document may
 * be read and released on any thread.
 */
#ifndef CLEAT_DOCUMENT_H
#define CLEAT_DOCUMENT_H

#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/value.h>

CLEAT_BEGIN

struct cleat_document;

/**
 * Parses one JSON text (RFC 8259), whole. Duplicate keys, lone surrogates, a BOM, invalid UTF-8,
 * NUL in a key, nesting beyond 128, trailing bytes and more than CLEAT_DOCUMENT_BYTES_MAX (64 MiB)
 * are errors: -EINVAL, -E2BIG, with the byte's offset in @err. @ret is new.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_document_parse(struct cleat_str json,
                                                       struct cleat_document **ret,
                                                       struct cleat_err *err);
/** A document with a deep copy of @value; NOT_KEPT is -EINVAL. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_document_copy(struct cleat_value value,
                                                      struct cleat_document **ret,
                                                      struct cleat_err *err);
/** Formats JSON (as printf; the format's result is parsed): for tests and short bodies. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_document_format(struct cleat_document **ret,
                                                        struct cleat_err *err, const char *format,
                                                        ...) CLEAT_PRINTF(3, 4);
/** Takes a reference; returns @document. Any thread. */
CLEAT_EXPORT struct cleat_document *cleat_document_ref(struct cleat_document *document);
/** Drops a reference; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_document *cleat_document_unref(struct cleat_document *document);
/** The root value. Borrowed while the caller holds @document. */
CLEAT_EXPORT struct cleat_value cleat_document_root(const struct cleat_document *document);
/** Bytes of memory that the document holds. */
CLEAT_EXPORT size_t cleat_document_bytes(const struct cleat_document *document);

static inline void cleat_document_unrefp(struct cleat_document **document)
{
    *document = cleat_document_unref(*document);
}

CLEAT_END

#endif
