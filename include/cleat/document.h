/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A counted document: a frozen value with an arena of its own. The count is atomic; a document may
 * be read and released on any thread. Nothing here blocks.
 *
 *   JSON text ─► cleat_document_parse ─► root ─► getters, draft, client
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
 * NUL in a key, nesting beyond 128, a key beyond 64 KiB, trailing bytes and more than
 * CLEAT_DOCUMENT_BYTES_MAX (64 MiB) are errors. @json is borrowed for the call. @ret is new; its
 * members keep the order of the text, its numbers their digits. Returns 0, -EINVAL or -E2BIG with
 * the byte's offset in @err, -ENOMEM, or -ENOBUFS where its memory would exceed sixteen times the
 * longest text.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_document_parse(struct cleat_str json,
                                                       struct cleat_document **ret,
                                                       struct cleat_err *err);
/**
 * A document with a deep copy of @value, which is borrowed for the call. @ret is new. Returns 0,
 * -EINVAL where something in it wasn't kept, -E2BIG where it is more than 128 deep, -ENOBUFS or
 * -ENOMEM.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_document_copy(struct cleat_value value,
                                                      struct cleat_document **ret,
                                                      struct cleat_err *err);
/**
 * Parses what @format gives, as printf: for tests and short bodies. Arguments aren't escaped: give
 * none that came from elsewhere. @ret is new. Returns as cleat_document_parse.
 */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_document_format(struct cleat_document **ret,
                                                        struct cleat_err *err, const char *format,
                                                        ...) CLEAT_PRINTF(3, 4);
/** Takes a reference; returns @document. Any thread. */
/** One more reference; returns @document. */
CLEAT_EXPORT struct cleat_document *cleat_document_ref(struct cleat_document *document);
/** Drops a reference, freeing with the last; NULL is fine; returns NULL. */
CLEAT_EXPORT struct cleat_document *cleat_document_unref(struct cleat_document *document);
/** The root value. Borrowed while the caller holds @document. */
/** The root, valid while a reference is held. */
CLEAT_EXPORT struct cleat_value cleat_document_root(const struct cleat_document *document);
/** Bytes of memory that the document holds, its text not among them. */
CLEAT_EXPORT size_t cleat_document_bytes(const struct cleat_document *document);

/** Cleanup function for owned locals. */
static inline void cleat_document_unrefp(struct cleat_document **document)
{
    *document = cleat_document_unref(*document);
}

CLEAT_END

#endif
