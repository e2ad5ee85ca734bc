/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streaming JSON parser: takes chunks of any size, puts values straight into a heap, applies a
 * projection on the way. Three modes: one document; a Kubernetes List whose items are handed out as
 * each closes; a watch stream of {"type": …, "object": …} frames. One thread.
 *
 * What breaks one object only (a doubled key, too deep, too large, no name) hands it out as broken
 * and goes on; what breaks the text itself (syntax, UTF-8) ends the stream with -EINVAL.
 */
#ifndef CLEAT_VALUE_PARSER_H
#define CLEAT_VALUE_PARSER_H

#include <cleat/err.h>
#include <cleat/projection.h>
#include <cleat/str.h>
#include <cleat/value.h>
#include "value/heap.h"

enum cleat_parser_mode { CLEAT_PARSER_DOCUMENT, CLEAT_PARSER_LIST, CLEAT_PARSER_WATCH };

/* One object of a list or one frame of a watch; everything borrowed for the callback. */
struct cleat_parser_item {
    struct cleat_str type; /* watch: "ADDED", …; list: "" */
    struct cleat_value
        root; /* in the heap, projected, without apiVersion, kind, metadata.resourceVersion;
                 for BOOKMARK and ERROR whole and in a heap of the parser's own */
    struct cleat_str api_version; /* "" where the item had none (items of a list often don't) */
    struct cleat_str kind;
    struct cleat_str resource_version;
    struct cleat_str namespace_; /* "" where it has none */
    struct cleat_str name;
    struct cleat_str uid;
    bool initial_events_end;        /* BOOKMARK with annotation k8s.io/initial-events-end: "true" */
    size_t bytes;                   /* of its JSON text */
    const struct cleat_err *broken; /* not NULL: skipped, and why; root is absent */
};

struct cleat_parser_list {
    struct cleat_str api_version; /* of the list itself; borrowed until the parser's next use */
    struct cleat_str kind;
    struct cleat_str resource_version;
    struct cleat_str continue_;
    int64_t remaining; /* remainingItemCount, or -1 */
};

struct cleat_parser_options {
    struct cleat_heap *heap; /* borrowed; the caller is its writer while it feeds */
    enum cleat_parser_mode mode;
    const struct cleat_projection *projection; /* borrowed; NULL keeps everything */
    size_t object_bytes_max; /* of one document, item or frame; 0: CLEAT_OBJECT_BYTES_MAX */
    /* Lists and watches: returns 0 to go on or a negative errno, which ends the feed with it. */
    int (*on_item)(void *arg, const struct cleat_parser_item *item);
    void *arg;
};

struct cleat_parser;

int cleat_parser_new(const struct cleat_parser_options *options, struct cleat_parser **ret,
                     struct cleat_err *err) CLEAT_MUST_CHECK;
struct cleat_parser *cleat_parser_free(struct cleat_parser *parser);
/** Ready for a new text with the same options (and @heap, unless NULL). */
void cleat_parser_reset(struct cleat_parser *parser, struct cleat_heap *heap);
/** Takes the next bytes. 0 or negative; after a failure only reset and free are allowed. */
int cleat_parser_feed(struct cleat_parser *parser, const char *bytes, size_t length,
                      struct cleat_err *err) CLEAT_MUST_CHECK;
/** The text ended. Documents: @ret (may be NULL else) is the root. -EINVAL where it ended too
 * early. */
int cleat_parser_finish(struct cleat_parser *parser, struct cleat_value *ret,
                        struct cleat_err *err) CLEAT_MUST_CHECK;
/** Lists: what is known of the list's own metadata so far. */
void cleat_parser_list(const struct cleat_parser *parser, struct cleat_parser_list *ret);
/** Watches: true between frames, that is where a stream may end cleanly. */
bool cleat_parser_between(const struct cleat_parser *parser);

#endif
