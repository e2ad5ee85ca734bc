/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser's insides, shared by parser.c (chunks), parser_token.c (tokens), parser_skip.c (what
 * isn't kept), parser_site.c (what was learned), parser_build.c (values) and parser_item.c (lists
 * and watches). Private to these.
 *
 * Learning: objects of one kind look alike, so the parser keeps a site for each place in them (a
 * path, with all elements of an array as one). A site knows what the projection says there, the
 * string last seen there, and for objects the keys that came one after another, as a tree of steps:
 * the step reached at the closing brace stands for this very list of keys and carries its shape and
 * their order. So the next object of this form is read by comparing bytes with what is expected; a
 * new form costs a step. Doubled keys are looked for when a step is made, once. Where a place sees
 * too many different keys (labels, data), its objects are read without steps and their keys put in
 * order each time.
 */
#ifndef CLEAT_VALUE_PARSER_STATE_H
#define CLEAT_VALUE_PARSER_STATE_H

#include "base/limits.h"
#include "value/node.h"
#include "value/parser.h"
#include "value/projection_node.h"
#include "value/scan.h"

#define SITE_FIELDS_MAX 96
#define STEP_FIELDS_MAX (SITE_FIELDS_MAX + 16) /* with those that have roles */
_Static_assert(STEP_FIELDS_MAX <= SHAPE_ORDERED_MAX, "shapes of steps fit");
#define SITE_STEPS_MAX 512
#define SITE_COPY_BYTES_MAX 96
#define PARSER_SITES_MAX 8192
#define PARSER_STEPS_MAX 32768
#define PARSER_DEEP_MAX 65536
#define SITE_ELEMENTS 8
#define PARSER_RAW_BYTES_MAX (1 * CLEAT_MIB)
#define SITE_RAW_BYTES_MAX 2048

/* What a string at a site is captured as. */
enum role {
    ROLE_NONE,
    ROLE_API_VERSION, /* of an item: these three are left out of its root */
    ROLE_KIND,
    ROLE_RESOURCE_VERSION,
    ROLE_NAME,
    ROLE_NAMESPACE,
    ROLE_UID,
    ROLE_TYPE, /* of a watch's frame */
    ROLE_LIST_API_VERSION,
    ROLE_LIST_KIND,
    ROLE_LIST_RESOURCE_VERSION,
    ROLE_LIST_CONTINUE,
    ROLE_STRINGS, /* those above are strings */
    ROLE_LIST_REMAINING = ROLE_STRINGS,
    ROLE_METADATA,
    ROLE_LIST_METADATA,
    ROLE_ITEMS,
    ROLE_ITEM,
    ROLE_OBJECT,
};

struct site;

/* A list of keys: its last one, and what stands for those before. The first step has no field. */
struct step {
    struct site *field;
    struct step *parent;
    struct step *children;
    struct step *sibling;
    struct step *next; /* the child taken last */
    uint32_t count;    /* fields that aren't left out */
    uint32_t shape;    /* valid where @stamp is the target's */
    uint32_t stamp;
    bool in_order;   /* the source's order is the shape's */
    uint16_t *order; /* else: for each place in the shape the place in the source */
};

struct site {
    struct site *parent;
    struct site *fields; /* for objects: the members' sites */
    struct site *sibling;
    struct site *element;   /* for arrays */
    struct site **elements; /* the first ones apart, once the parser has seen some objects */
    struct site *any;       /* members of objects read without steps */
    const struct projection_node *projection;
    struct step first;
    char *text; /* "key": as it stands in the source; NULL where it would need escapes */
    uint32_t text_length;
    struct cleat_str key; /* owned by the parser */
    uint32_t key_ref;     /* valid where @key_stamp is the target's */
    uint32_t key_stamp;
    uint16_t field_count;
    uint16_t step_count;
    uint8_t role;
    bool has_roles;    /* something below is captured */
    bool left_out;     /* captured, not built */
    bool dropped;      /* by the projection */
    bool crowded;      /* objects here are read without steps */
    uint32_t last_ref; /* the last object or array here */
    uint32_t raw_ref;  /* the value whose text is @raw */
    uint32_t raw_mark; /* the mark of that, when it was known to live */
    char *raw;         /* where a value came twice: its text */
    uint32_t raw_length;
    uint32_t raw_capacity;
    uint8_t copy_length; /* the last string here, where it was short and plain */
    uint32_t copy_ref;
    char copy[SITE_COPY_BYTES_MAX];
};

/* Where values go: the heap given, or the side arena of bookmarks and errors. */
struct target {
    struct cleat_heap *heap;
    uint64_t epoch; /* the heap's, when @stamp was chosen */
    uint32_t stamp; /* changes when references of keys and shapes may have become invalid */
};

struct frame {
    struct site *site;  /* NULL where nothing needs to be known */
    struct step *step;  /* objects that are built with steps */
    struct site *child; /* arrays: of the elements */
    uint64_t start;     /* offset of its first byte in the text */
    uint32_t index;     /* arrays: of the element */
    uint32_t base;      /* on the stack of values: its own place, the first child is behind it */
    bool is_object;
    bool build;
    bool plain; /* an object that is built without steps: keys are on the stack of keys */
};

/* What becomes of the value that comes next. */
enum want {
    WANT_BUILD,
    WANT_DROP,  /* NOT_KEPT takes its place */
    WANT_CHECK, /* nothing, but it may be captured */
};

enum parser_state {
    STATE_VALUE,   /* a value must come */
    STATE_ELEMENT, /* a value or ] */
    STATE_FIRST,   /* a key or } */
    STATE_KEY,
    STATE_COLON,
    STATE_NEXT, /* , or the end of what is open */
    STATE_END,  /* only white space */
    STATE_FAILED,
};

struct capture {
    char *data;
    size_t length;
    size_t capacity;
};

/* What stands above the object in a list or a watch. */
#define PARSER_WRAP_DEPTH 2
#define PARSER_FRAMES (CLEAT_VALUE_DEPTH_MAX + PARSER_WRAP_DEPTH)

struct parser_block;

struct cleat_parser {
    uint32_t magic;
    struct cleat_parser_options options;
    struct target main;
    struct target side;
    struct target *target;
    uint32_t stamps; /* the last one given out */

    struct parser_block *blocks; /* memory of sites and steps */
    size_t block_used;
    size_t raw_bytes; /* of texts that are remembered */
    uint32_t site_count;
    uint32_t step_count;
    struct site *root;      /* of the text */
    struct site *item;      /* of objects */
    struct site *side_item; /* of bookmarks and errors */
    struct site anything;   /* stands for whatever is too much to learn */

    enum parser_state state;
    struct site *site; /* of the value that comes next; NULL where it's only checked */
    enum want want;    /* what becomes of it */
    uint32_t key;      /* and its key, in objects without steps; else 0 */
    uint32_t depth;
    uint32_t item_depth; /* frames above the object being read */
    struct frame frames[PARSER_FRAMES];
    uint32_t deep;                          /* levels beyond the limit, in a broken object */
    uint8_t deep_bits[PARSER_DEEP_MAX / 8]; /* whether each is an object */

    uint32_t *values;
    uint32_t *keys; /* for objects without steps, at the same places */
    uint32_t value_count;
    uint32_t value_capacity;
    uint32_t held; /* that many of these, while the parser waits for bytes and until they go */
    bool key_held;
    uint32_t *words;
    uint32_t word_capacity;

    struct capture captured[ROLE_STRINGS];
    int64_t remaining;
    uint32_t seen;      /* wrapping members that came, by role */
    uint32_t seen_left; /* members of the object that are left out, where steps don't tell */

    struct cleat_heap *side_heap;
    bool in_item;
    bool item_done; /* watches: the frame had its object */
    bool is_side;   /* the object goes to the side arena */
    uint32_t item_ref;
    size_t item_bytes;
    uint64_t item_start;
    struct cleat_err broken; /* code 0: it's fine */
    int result;              /* of the callback */

    char *carry; /* a token that chunks cut */
    size_t carry_length;
    size_t carry_capacity;
    bool skipping;      /* an oversized string: the rest isn't kept */
    bool skip_slash;    /* its last byte was a lone backslash */
    bool skip_failed;   /* passing over a value met the end of the input */
    bool seasoned;      /* some object was read before */
    bool whole;         /* the input can't go on: its end ends a number */
    const char *origin; /* first byte of the input */
    uint64_t offset;    /* of @origin in the text */

    char *text; /* a string without its escapes */
    size_t text_capacity;
};

#define PARSER_MAGIC 0x70617273u

/* parser_site.c */

void *cleat__parser_memory(struct cleat_parser *parser, size_t size) CLEAT_MUST_CHECK;
void cleat__parser_memory_free(struct cleat_parser *parser);
/** A new site below @parent (NULL: a root); NULL where memory is short or the budget is used up. */
struct site *cleat__site_new(struct cleat_parser *parser, struct site *parent, struct cleat_str key,
                             const struct projection_node *projection);
/** A new member's site. */
struct site *cleat__site_add(struct cleat_parser *parser, struct site *parent,
                             struct cleat_str key);
/** The member's site, or NULL. */
struct site *cleat__site_find(const struct site *site, struct cleat_str key);
/** The site of elements; NULL where memory is short. */
struct site *cleat__site_element(struct cleat_parser *parser, struct site *site, uint32_t index);
/** The site of a member of an object without steps. */
struct site *cleat__site_plain(struct cleat_parser *parser, struct site *site,
                               struct cleat_str key);
/** The step from @step by @key: known, or made. 0, -EEXIST (doubled), -ENOBUFS (no more steps
 * here), -ENOMEM. */
int cleat__step_take(struct cleat_parser *parser, struct site *site, struct step *step,
                     struct cleat_str key, struct step **ret) CLEAT_MUST_CHECK;
/** Makes shape and order of @step valid for the target. */
int cleat__step_shape(struct cleat_parser *parser, struct step *step) CLEAT_MUST_CHECK;
/** The reference of a field's key in the target. */
int cleat__site_key(struct cleat_parser *parser, struct site *field,
                    uint32_t *ret) CLEAT_MUST_CHECK;

/* parser_build.c */

/** Room for @count values in the array of words. */
int cleat__parser_words(struct cleat_parser *parser, size_t count) CLEAT_MUST_CHECK;
/** Puts a value on the stack, with its key. */
int cleat__parser_push(struct cleat_parser *parser, uint32_t ref) CLEAT_MUST_CHECK;
/** Opens a frame with the place for its reference. */
int cleat__parser_open(struct cleat_parser *parser, bool is_object,
                       uint64_t start) CLEAT_MUST_CHECK;
/** Makes the value of @frame, the topmost one, and puts it in its place on the stack. */
int cleat__parser_close(struct cleat_parser *parser, struct frame *frame,
                        uint32_t *ret) CLEAT_MUST_CHECK;
/** Notes the text of a value that came twice in a row, so that the next one may be known by it. */
void cleat__site_learn(struct cleat_parser *parser, struct site *site, struct cleat_str raw,
                       uint32_t ref);
/** Goes on in an object without steps. */
int cleat__parser_flatten(struct cleat_parser *parser, struct frame *frame) CLEAT_MUST_CHECK;
/** Holds what the stack refers to, before a wait for bytes. */
void cleat__parser_hold(struct cleat_parser *parser);
/** After the wait. */
void cleat__parser_resume(struct cleat_parser *parser);
/** Cuts the stack of values down to @count; what was held is given back. */
void cleat__parser_cut(struct cleat_parser *parser, uint32_t count);
/** Notes that references of keys and shapes may have become invalid. */
void cleat__parser_renew(struct cleat_parser *parser, struct target *target);

/* parser_token.c */

/** True for bytes that true, false, null and numbers are made of. */
static inline bool word_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '+' || c == '.';
}

/** Ends the text with @code at @at. Returns @code. */
int cleat__parser_fail(struct cleat_parser *parser, const char *at, int code, const char *what,
                       struct cleat_err *err);
/** A failure inside an object breaks that object (0); elsewhere it ends the text (negative). */
int cleat__parser_broken(struct cleat_parser *parser, const char *at, int code, const char *what,
                         struct cleat_err *err) CLEAT_MUST_CHECK;
/** After a value, of which @ref is what was built: what comes next, and what ended with it. */
int cleat__parser_done(struct cleat_parser *parser, const char *at, uint32_t ref,
                       struct cleat_err *err) CLEAT_MUST_CHECK;
/** Takes whole tokens. Returns the first byte that wasn't taken; a failure is in @ret. */
const char *cleat__parser_run(struct cleat_parser *parser, const char *at, const char *end,
                              int *ret, struct cleat_err *err);

/* parser_skip.c */

/**
 * The end of the object or array at @at, where it is all there and nothing about it is remarkable;
 * else NULL, and it must be read token by token. @depth_max: levels that it may have.
 */
const char *cleat__parser_skip(const char *at, const char *end, uint32_t depth_max);

/* parser_item.c */

/** Makes the sites that the mode needs. */
int cleat__item_sites(struct cleat_parser *parser) CLEAT_MUST_CHECK;
/** An object of a list or watch, or the document, begins at @at. */
void cleat__item_begin(struct cleat_parser *parser, const char *at);
/** It ended before @at; @ref is its root. */
int cleat__item_end(struct cleat_parser *parser, const char *at, uint32_t ref) CLEAT_MUST_CHECK;
/** A frame of a watch ended. */
int cleat__item_frame_end(struct cleat_parser *parser) CLEAT_MUST_CHECK;
/** A string, or another scalar (@text.data is NULL), for a role. */
int cleat__item_capture(struct cleat_parser *parser, enum role role, struct cleat_str text,
                        bool is_null) CLEAT_MUST_CHECK;
/** Copies an object as the parser would have built it: projected, without what is kept beside the
 * root. */
int cleat__project(struct cleat_heap *heap, struct cleat_value root,
                   const struct cleat_projection *projection, uint32_t *ret) CLEAT_MUST_CHECK;
/** Marks the object as broken (documents: fails). Returns 0, or the failure. */
int cleat__item_break(struct cleat_parser *parser, int code, const char *what);

#endif
