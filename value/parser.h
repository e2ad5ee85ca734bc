/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streaming JSON parser: takes chunks of any size, puts values straight into a heap, applies a
 * projection on the way. Three modes: one document; a Kubernetes List whose items are handed out as
 * each closes; a watch stream of {"type": …, "object": …} frames. One thread at a time, which is
 * the heap's writer while it feeds. Nothing blocks. A parser learns the form of what it reads: keep
 * one for many texts of a kind.
 *
 *   chunks ─► tokens ─► values in the heap ─► on_item(root, names, version), or finish(root)
 *
 * What breaks one object only hands it out as broken and goes on: a doubled key, NUL in a key, half
 * of a surrogate pair, nesting beyond 128, its size, a string instead of which something else names
 * it, no name, no room in the heap. What breaks the text itself (syntax, UTF-8, an unknown escape,
 * members of the list or frame doubled) ends the stream with -EINVAL; a text that opens more than
 * 65,664 levels or has a number longer than an object may be ends it with -E2BIG. Where the chunks
 * end never matters.
 *
 * In what a projection drops, everything is checked but doubled keys. The rest of a string that
 * alone exceeds the object's size isn't checked either.
 *
 * Source: RFC 8259; Kubernetes API Concepts, "efficient detection of changes" and "streaming
 * lists".
 */
#ifndef CLEAT_VALUE_PARSER_H
#define CLEAT_VALUE_PARSER_H

#include <cleat/err.h>
#include <cleat/projection.h>
#include <cleat/str.h>
#include <cleat/value.h>
#include "value/heap.h"

enum cleat_parser_mode { CLEAT_PARSER_DOCUMENT, CLEAT_PARSER_LIST, CLEAT_PARSER_WATCH };

/*
 * One object of a list or one frame of a watch; everything borrowed for the callback. A broken one
 * has the names that could still be read: the name, if there is one, unless the text ends.
 */
struct cleat_parser_item {
    struct cleat_str type;        /* watch: "ADDED", …; list: "" */
    struct cleat_value root;      /* in the heap, projected, without apiVersion, kind,
                                     metadata.resourceVersion, not held yet; for BOOKMARK and ERROR whole
                                     and      in a heap of the parser's own */
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

/* What a list says about itself; borrowed until the parser's next use. */
struct cleat_parser_list {
    struct cleat_str api_version;
    struct cleat_str kind;
    struct cleat_str resource_version;
    struct cleat_str continue_;
    int64_t remaining; /* remainingItemCount, or -1 */
};

struct cleat_parser_options {
    struct cleat_heap
        *heap; /* borrowed: outlives the parser; the caller is its writer while it feeds */
    enum cleat_parser_mode mode;
    const struct cleat_projection
        *projection;         /* borrowed: outlives the parser; NULL keeps everything */
    size_t object_bytes_max; /* of one document, item or frame's object; 0:
                                CLEAT_OBJECT_BYTES_MAX */
    /*
     * Lists and watches: returns 0 to go on or a negative errno, which ends the feed with it. May
     * hold and drop values of the heap and make new ones; may not use this parser or sweep the
     * pool.
     */
    int (*on_item)(void *arg, const struct cleat_parser_item *item);
    void *arg;
};

struct cleat_parser;

/** A parser, ready for a text. @options are copied. @ret is new. 0 or -ENOMEM. */
int cleat_parser_new(const struct cleat_parser_options *options, struct cleat_parser **ret,
                     struct cleat_err *err) CLEAT_MUST_CHECK;
/** Frees it and gives back what it holds of an unfinished object; NULL is fine; returns NULL. */
struct cleat_parser *cleat_parser_free(struct cleat_parser *parser);
/**
 * Ready for a new text with the same options, in @heap (NULL: the same as before). A parser stays
 * with its pool; among arenas it may change. An arena that was reset needs this too.
 */
void cleat_parser_reset(struct cleat_parser *parser, struct cleat_heap *heap);
/**
 * Takes the next bytes, borrowed for the call. Returns 0; -EINVAL, -E2BIG, -ENOBUFS or -ENOMEM with
 * the place in
 * @err; or what on_item returned. After a failure only reset and free do something.
 */
int cleat_parser_feed(struct cleat_parser *parser, const char *bytes, size_t length,
                      struct cleat_err *err) CLEAT_MUST_CHECK;
/**
 * The text ended. Documents: @ret (may be NULL else) is the root, not held yet. Returns 0, or
 * -EINVAL where it ended too early. Then a reset makes the parser ready for the next.
 */
int cleat_parser_finish(struct cleat_parser *parser, struct cleat_value *ret,
                        struct cleat_err *err) CLEAT_MUST_CHECK;
/** Lists: what is known of the list's own metadata so far. */
void cleat_parser_list(const struct cleat_parser *parser, struct cleat_parser_list *ret);
/** Memory that grew with what was read, and stays after a reset: a list of millions of values makes
 * it large even where its heap holds next to nothing. */
size_t cleat_parser_bytes(const struct cleat_parser *parser);
/** Watches: true between frames, that is where a stream may end cleanly. */
bool cleat_parser_between(const struct cleat_parser *parser);

#endif
