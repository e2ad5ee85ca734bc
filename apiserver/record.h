/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record is one version of one object: frozen, counted, with its JSON made once and shared by
 * every list and watch that sends it. The JSON is kept without apiVersion and kind, which whoever
 * serves it puts in front:
 *
 *   {"kind":K,"apiVersion":V,  + tail        tail = "metadata":{…},"spec":{…},…}
 */
#ifndef CLEAT_APISERVER_RECORD_H
#define CLEAT_APISERVER_RECORD_H

#include <cleat/buffer.h>
#include <cleat/document.h>
#include <cleat/draft.h>
#include <cleat/err.h>
#include <cleat/str.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cleat_api_record {
    atomic_uint refs;
    uint64_t version; /* resourceVersion */
    char *key;        /* "namespace/name", or "name" for cluster scope; owned, NUL-terminated */
    struct cleat_str namespace_;
    struct cleat_str name;
    char uid[64];
    bool deleting;      /* metadata.deletionTimestamp is set */
    bool owned;         /* metadata.ownerReferences isn't empty */
    char *tail;         /* owned */
    size_t tail_length; /* bytes */
    size_t meta_length; /* of `"metadata":{…}` at the start of the tail */
    size_t version_at;  /* where the digits of resourceVersion begin in the tail */
    size_t version_length;
    struct cleat_document
        *document; /* without a trustworthy resourceVersion; NULL: parse the tail */
};

/**
 * Makes a record of @root (an object with metadata.name), version 0. @keep_document: keep a parsed
 * copy too. -EINVAL where it has no name. @ret is new.
 */
int cleat_api_record_new(struct cleat_value root, bool keep_document, struct cleat_api_record **ret,
                         struct cleat_err *err) CLEAT_MUST_CHECK;
/** A record of @document's root that keeps (a reference of) the document itself. @ret is new. */
int cleat_api_record_of(struct cleat_document *document, struct cleat_api_record **ret,
                        struct cleat_err *err) CLEAT_MUST_CHECK;
/** A copy of @record with another resourceVersion; shares the document. @ret is new. */
int cleat_api_record_at(const struct cleat_api_record *record, uint64_t version,
                        struct cleat_api_record **ret) CLEAT_MUST_CHECK;
struct cleat_api_record *cleat_api_record_ref(struct cleat_api_record *record);
/** NULL is fine; returns NULL. */
struct cleat_api_record *cleat_api_record_unref(struct cleat_api_record *record);
/**
 * The object as a document: @ret is a new reference. For reading anything but resourceVersion,
 * apiVersion and kind, which are only right in what cleat_api_record_whole makes.
 */
int cleat_api_record_document(const struct cleat_api_record *record, struct cleat_document **ret,
                              struct cleat_err *err) CLEAT_MUST_CHECK;
/** The same where nothing but metadata will be read: cheaper where the object isn't kept parsed. */
int cleat_api_record_metadata(const struct cleat_api_record *record, struct cleat_document **ret,
                              struct cleat_err *err) CLEAT_MUST_CHECK;
/** The whole object as @api_version and @kind with its resourceVersion: a new document. */
int cleat_api_record_whole(const struct cleat_api_record *record, const char *api_version,
                           const char *kind, struct cleat_document **ret,
                           struct cleat_err *err) CLEAT_MUST_CHECK;
/** Appends the whole object as JSON. */
void cleat_api_record_write(const struct cleat_api_record *record, const char *api_version,
                            const char *kind, struct cleat_buffer *buffer);

static inline void cleat_api_record_unrefp(struct cleat_api_record **record)
{
    *record = cleat_api_record_unref(*record);
}

#endif
