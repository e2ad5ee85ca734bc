/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From bytes to tokens, and from tokens to what they mean where the parser stands. See
 * parser_state.h.
 */
#include <errno.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "value/number.h"
#include "value/parser_state.h"

int cleat__parser_fail(struct cleat_parser *parser, const char *at, int code, const char *what,
                       struct cleat_err *err)
{
    uint64_t place = parser->offset + (uint64_t)(at - parser->origin);
    parser->state = STATE_FAILED;
    return cleat_err_set(err, code, "JSON: %s at byte %llu", what, (unsigned long long)place);
}

static const char *code_text(int code)
{
    switch (code) {
    case -EEXIST: return "a key is doubled";
    case -E2BIG: return "a value is too large";
    case -ENOBUFS: return "the heap is full";
    default: return "no memory";
    }
}

/* A failure inside an object breaks that object; elsewhere it ends the text. */
int cleat__parser_broken(struct cleat_parser *parser, const char *at, int code, const char *what,
                         struct cleat_err *err)
{
    int r = cleat__item_break(parser, code == -EEXIST ? -EINVAL : code, what);
    return r == 0 ? 0 : cleat__parser_fail(parser, at, r, what, err);
}

/* Strings. */

static int text_reserve(struct cleat_parser *parser, size_t length)
{
    if (length <= parser->text_capacity)
        return 0;
    size_t capacity = length * 2 > 256 ? length * 2 : 256;
    char *text = cleat_mem_realloc(parser->text, capacity);
    if (!text)
        return -ENOMEM;
    parser->text = text;
    parser->text_capacity = capacity;
    return 0;
}

/*
 * The string whose bytes are @raw, without its escapes and checked. 0; 1 where it broke the object;
 * negative where it ended the text.
 */
static int parser_text(struct cleat_parser *parser, struct cleat_str raw, unsigned flags,
                       struct cleat_str *ret, struct cleat_err *err)
{
    *ret = raw;
    if ((flags & SCAN_ESCAPES) != 0) {
        int r = text_reserve(parser, raw.length + 1);
        if (r != 0) {
            r = cleat__parser_broken(parser, raw.data, r, code_text(r), err);
            return r == 0 ? 1 : r;
        }
        r = cleat__scan_unescape(raw, parser->text, &ret->length);
        if (r == SCAN_LONE_SURROGATE) {
            r = cleat__parser_broken(parser, raw.data, -EINVAL,
                                     "half of a surrogate pair in a string", err);
            return r == 0 ? 1 : r;
        }
        if (r != 0)
            return cleat__parser_fail(parser, raw.data, -EINVAL, "an unknown escape in a string",
                                      err);
        ret->data = parser->text;
    }
    if ((flags & SCAN_WIDE) != 0 && !cleat_utf8_valid(raw))
        return cleat__parser_fail(parser, raw.data, -EINVAL, "invalid UTF-8 in a string", err);
    return 0;
}

/* After a value: what comes next, and whether an object, a frame or the text ended with it. */
int cleat__parser_done(struct cleat_parser *parser, const char *at, uint32_t ref,
                       struct cleat_err *err)
{
    bool document = parser->options.mode == CLEAT_PARSER_DOCUMENT;
    parser->state = parser->depth > 0 ? STATE_NEXT : STATE_END;
    if (parser->in_item && !parser->item_done && parser->depth == parser->item_depth) {
        int r = cleat__item_end(parser, at, ref);
        if (r != 0) {
            parser->state = STATE_FAILED;
            return cleat_err_set(err, r, "the receiver of objects stopped the parser");
        }
    } else if (parser->depth == 0 && !document && parser->options.mode == CLEAT_PARSER_WATCH) {
        int r = cleat__item_frame_end(parser);
        if (r != 0) {
            parser->state = STATE_FAILED;
            return cleat_err_set(err, r, "the receiver of events stopped the parser");
        }
        parser->state = STATE_VALUE;
        parser->site = parser->root;
        parser->want = WANT_CHECK;
    }
    return 0;
}

/* A scalar that is built. */
static int parser_scalar(struct cleat_parser *parser, const char *at, int r, uint32_t ref,
                         struct cleat_err *err)
{
    if (r == 0)
        r = cleat__parser_push(parser, ref);
    if (r != 0) {
        r = cleat__parser_broken(parser, at, r, code_text(r), err);
        ref = CLEAT_REF_ABSENT;
    }
    return r == 0 ? cleat__parser_done(parser, at, ref, err) : r;
}

/* The same inside an object, where nothing ends with it. */
static inline int parser_scalar_inside(struct cleat_parser *parser, const char *at, uint32_t ref,
                                       struct cleat_err *err)
{
    if (parser->value_count == parser->value_capacity || parser->depth == parser->item_depth)
        return parser_scalar(parser, at, 0, ref, err);
    parser->values[parser->value_count] = ref;
    parser->keys[parser->value_count++] = parser->key;
    parser->state = STATE_NEXT;
    return 0;
}

/* True where the value that begins is built and nothing else is to be done for it. */
static inline bool parser_is_plain(const struct cleat_parser *parser)
{
    return parser->want == WANT_BUILD && parser->site->role == ROLE_NONE;
}

/* The last string at this site again? Returns the end of it, or NULL. */
static const char *site_again(const struct cleat_parser *parser, const struct site *site,
                              const char *at, const char *end)
{
    size_t length = site->copy_length;
    if (length == 0 || (size_t)(end - at) < length + 2 || at[length + 1] != '"' ||
        !scan_same(at + 1, site->copy, length))
        return NULL;
    if (ref_is_node(site->copy_ref)) { /* it may have been freed, and its place used again */
        const uint32_t *node = node_at(parser->main.heap, site->copy_ref);
        if (node_header(node) % NODE_COUNT_ONE != header_make(NODE_STRING, (uint32_t)length, 0) ||
            !scan_same((const char *)(node + 1), site->copy, length))
            return NULL;
    }
    return at + length + 2;
}

static void site_remember(const struct cleat_parser *parser, struct site *site,
                          struct cleat_str text, uint32_t ref)
{
    if (text.length == 0 || text.length > SITE_COPY_BYTES_MAX || site == &parser->anything ||
        !parser->target->heap->is_pool)
        return;
    if (ref_is_node(ref) && node_type(node_at(parser->target->heap, ref)) != NODE_STRING)
        return;
    memcpy(site->copy, text.data, text.length);
    site->copy_length = (uint8_t)text.length;
    site->copy_ref = ref;
}

static int parser_string_value(struct cleat_parser *parser, struct cleat_str raw, unsigned flags,
                               const char *after, struct cleat_err *err)
{
    struct site *site = parser->site;
    struct cleat_str text;
    uint32_t ref = CLEAT_REF_ABSENT;
    int r = parser_text(parser, raw, flags, &text, err);
    if (r < 0)
        return r;
    if (r == 0 && site && site->role != ROLE_NONE)
        r = cleat__item_capture(parser, (enum role)site->role, text, false);
    if (r < 0)
        return cleat__parser_fail(parser, after, r, code_text(r), err);
    if (r > 0 || parser->want != WANT_BUILD)
        return cleat__parser_done(parser, after, CLEAT_REF_ABSENT, err);
    r = cleat_heap_str(parser->target->heap, text, &ref);
    if (r == 0 && (flags & SCAN_ESCAPES) == 0)
        site_remember(parser, site, text, ref);
    return parser_scalar(parser, after, r, ref, err);
}

/* Keys. */

/* What becomes of the member whose site is @field, in a frame that is built. */
static int member_want(struct cleat_parser *parser, struct site *field)
{
    parser->site = field;
    parser->want = field->left_out ? WANT_CHECK : field->dropped ? WANT_DROP : WANT_BUILD;
    parser->state = STATE_COLON;
    return 0;
}

/* A key of an object that is built without steps. */
static int key_plain(struct cleat_parser *parser, struct frame *frame, struct cleat_str key)
{
    struct site *field = cleat__site_plain(parser, frame->site, key);
    if (!field)
        return -ENOMEM;
    if (field->left_out) { /* nothing on the stack tells a doubled one */
        uint32_t bit = 1u << field->role;
        if ((parser->seen_left & bit) != 0)
            return -EEXIST;
        parser->seen_left |= bit;
        return member_want(parser, field);
    }
    int r = cleat__heap_key(parser->target->heap, key, &parser->key);
    return r == 0 ? member_want(parser, field) : r;
}

static int key_build(struct cleat_parser *parser, struct frame *frame, struct cleat_str key)
{
    if (key.length > CLEAT_VALUE_KEY_BYTES_MAX)
        return -E2BIG;
    if (!frame->plain) {
        int r = cleat__step_take(parser, frame->site, frame->step, key, &frame->step);
        if (r != -ENOBUFS)
            return r == 0 ? member_want(parser, frame->step->field) : r;
        r = cleat__parser_flatten(parser, frame);
        if (r != 0)
            return r;
    }
    return key_plain(parser, frame, key);
}

/* A key in a frame that isn't built: only sites with a role count. */
static int key_check(struct cleat_parser *parser, const struct frame *frame, struct cleat_str key)
{
    struct site *field = frame->site ? cleat__site_find(frame->site, key) : NULL;
    parser->site = field && field->role != ROLE_NONE ? field : NULL;
    parser->want = WANT_CHECK;
    parser->state = STATE_COLON;
    if (parser->site && field->role >= ROLE_TYPE && field->role != ROLE_METADATA) {
        uint32_t bit = 1u << field->role; /* members of what wraps objects */
        if ((parser->seen & bit) != 0)
            return -EEXIST;
        parser->seen |= bit;
    }
    return 0;
}

static int parser_key(struct cleat_parser *parser, struct cleat_str raw, unsigned flags,
                      struct cleat_err *err)
{
    struct frame *frame = &parser->frames[parser->depth - 1];
    struct cleat_str key;
    int r = parser_text(parser, raw, flags, &key, err);
    if (r < 0)
        return r;
    if (r == 0 && (flags & SCAN_ESCAPES) != 0 && memchr(key.data, 0, key.length))
        r = cleat__parser_broken(parser, raw.data, -EINVAL, "NUL in a key", err);
    if (r < 0)
        return r;
    parser->state = STATE_COLON;
    if (frame->build) {
        r = key_build(parser, frame, key);
        r = r == 0 ? 0 : cleat__parser_broken(parser, raw.data, r, code_text(r), err);
    }
    if (r == 0 && !frame->build) {
        r = key_check(parser, frame, key);
        r = r == 0 ? 0 : cleat__parser_fail(parser, raw.data, -EINVAL, code_text(r), err);
    }
    return r;
}

/* The key that came next last time, with its quotes and colon? Returns what is behind it, or NULL.
 */
static const char *key_again(struct cleat_parser *parser, struct frame *frame, const char *at,
                             const char *end)
{
    struct step *next = frame->step->next;
    if (!next)
        return NULL;
    struct site *field = next->field;
    size_t length = field->text_length;
    if (length == 0 || (size_t)(end - at) < length || !scan_same(at, field->text, length))
        return NULL;
    frame->step = next;
    (void)member_want(parser, field);
    parser->state = STATE_VALUE;
    return at + length;
}

/* Objects and arrays. */

/* True where what is remembered of the site's text still holds. */
static bool site_raw_valid(const struct cleat_parser *parser, const struct site *site)
{
    return site->raw_length > 0 &&
           site->raw_mark == *heap_mark_of(parser->main.heap, site->raw_ref);
}

/* The same object or array as before at this site, byte for byte? Returns its end, or NULL. */
static const char *raw_again(const struct cleat_parser *parser, const struct site *site,
                             const char *at, const char *end)
{
    if (parser->target != &parser->main || !site_raw_valid(parser, site) ||
        (size_t)(end - at) < site->raw_length || memcmp(at, site->raw, site->raw_length) != 0)
        return NULL;
    return at + site->raw_length;
}

/* Passes over an object or array that isn't built. Returns its end, or NULL. */
static const char *parser_pass(struct cleat_parser *parser, const char *at, const char *end)
{
    uint32_t depth = parser->depth - (parser->in_item ? parser->item_depth : 0);
    if (parser->skip_failed || parser->deep > 0 || parser->site || depth >= CLEAT_VALUE_DEPTH_MAX)
        return NULL;
    const char *after = cleat__parser_skip(at, end, CLEAT_VALUE_DEPTH_MAX - depth);
    parser->skip_failed = !after;
    return after;
}

/* Levels beyond the limit of depth, in an object that is broken by them. */
static int deep_open(struct cleat_parser *parser, const char *at, bool is_object,
                     struct cleat_err *err)
{
    if (parser->deep == PARSER_DEEP_MAX)
        return cleat__parser_fail(parser, at, -E2BIG, "nesting without end", err);
    uint32_t place = parser->deep++;
    uint8_t bit = (uint8_t)(1u << place % 8);
    parser->deep_bits[place / 8] &= (uint8_t)~bit;
    parser->deep_bits[place / 8] |= is_object ? bit : 0;
    parser->state = is_object ? STATE_FIRST : STATE_ELEMENT;
    parser->site = NULL;
    parser->want = WANT_CHECK;
    return 0;
}

/* True where what is open innermost is an object. */
static bool parser_in_object(const struct cleat_parser *parser)
{
    if (parser->deep > 0) {
        uint32_t place = parser->deep - 1;
        return (parser->deep_bits[place / 8] >> place % 8 & 1) != 0;
    }
    return parser->frames[parser->depth - 1].is_object;
}

/* The next element of an array. */
static void parser_element(struct cleat_parser *parser)
{
    struct frame *frame = &parser->frames[parser->depth - 1];
    parser->site = NULL;
    parser->want = WANT_CHECK;
    if (parser->deep == 0 && frame->build) {
        struct site *child = cleat__site_element(parser, frame->site, frame->index++);
        parser->site = child ? child : frame->child; /* that one is there */
        parser->want = parser->site->dropped ? WANT_DROP : WANT_BUILD;
    } else if (parser->deep == 0 && frame->site && frame->site->role == ROLE_ITEMS &&
               !parser->in_item) {
        parser->site = frame->child;
    }
}

static int parser_open(struct cleat_parser *parser, const char *at, bool is_object,
                       struct cleat_err *err)
{
    bool full = parser->depth - (parser->in_item ? parser->item_depth : 0) >= CLEAT_VALUE_DEPTH_MAX;
    if (full || parser->deep > 0) {
        int r = parser->deep > 0
                    ? 0
                    : cleat__parser_broken(parser, at, -E2BIG, "nesting is too deep", err);
        return r == 0 ? deep_open(parser, at, is_object, err) : r;
    }
    parser->state = is_object ? STATE_FIRST : STATE_ELEMENT;
    if (parser->want == WANT_BUILD) {
        uint64_t start = parser->offset + (uint64_t)(at - parser->origin);
        int r = cleat__parser_open(parser, is_object, start);
        if (r == 0) {
            if (!is_object)
                parser_element(parser);
            return 0;
        }
        r = cleat__parser_broken(parser, at, r, code_text(r), err);
        if (r != 0)
            return r;
    }
    struct frame *frame = &parser->frames[parser->depth++];
    *frame = (struct frame){.site = parser->site, .is_object = is_object};
    if (frame->site && frame->site->role == ROLE_ITEMS)
        frame->child = frame->site->element;
    if (!is_object)
        parser_element(parser);
    return 0;
}

/* Remembers a value that ended in front of @after. */
static void parser_learn(struct cleat_parser *parser, const struct frame *frame, const char *after,
                         uint32_t ref)
{
    struct site *site = frame->site;
    if (!ref_is_node(ref) || ref == CLEAT_REF_ABSENT || site == &parser->anything ||
        !parser->target->heap->is_pool)
        return;
    if (frame->start < parser->offset || (ref == site->raw_ref && site_raw_valid(parser, site))) {
        site->last_ref = ref; /* its text isn't all here, or is known */
        return;
    }
    const char *first = parser->origin + (frame->start - parser->offset);
    cleat__site_learn(parser, site, (struct cleat_str){first, (size_t)(after - first)}, ref);
}

static int parser_close(struct cleat_parser *parser, const char *at, struct cleat_err *err)
{
    if (parser->deep > 0) {
        parser->deep--;
        parser->state = STATE_NEXT;
        return 0;
    }
    struct frame *frame = &parser->frames[parser->depth - 1];
    uint32_t ref = CLEAT_REF_ABSENT;
    if (frame->build) {
        int r = cleat__parser_close(parser, frame, &ref);
        if (r != 0) {
            r = cleat__parser_broken(parser, at, r, code_text(r), err);
            ref = CLEAT_REF_ABSENT;
        }
        if (r != 0)
            return r;
        parser_learn(parser, frame, at + 1, ref);
    }
    parser->depth--;
    return cleat__parser_done(parser, at + 1, ref, err);
}

/* Values. */

/* What must be looked at before a value is read. */
static int parser_value_begin(struct cleat_parser *parser, const char *at, struct cleat_err *err)
{
    struct site *site = parser->site;
    bool wraps = parser->depth == 0 && parser->options.mode != CLEAT_PARSER_DOCUMENT;
    int r = 0;
    if (wraps && *at != '{')
        return cleat__parser_fail(parser, at, -EINVAL, "an object is wanted", err);
    if (site && site->role == ROLE_ITEMS && *at != '[' && *at != 'n')
        return cleat__parser_fail(parser, at, -EINVAL, "items is no array", err);
    if (site && site->role != ROLE_NONE && (*at == '{' || *at == '[')) {
        struct cleat_str none = {NULL, 0};
        r = cleat__item_capture(parser, (enum role)site->role, none, false);
        if (r != 0)
            return cleat__parser_fail(parser, at, r, code_text(r), err);
    }
    if (parser->want == WANT_DROP) {
        r = cleat__parser_push(parser, REF_NOT_KEPT);
        r = r == 0 ? 0 : cleat__parser_broken(parser, at, r, code_text(r), err);
        parser->want = WANT_CHECK;
        parser->site = NULL;
    } else if (!parser->in_item && site &&
               (site->role == ROLE_ITEM || site->role == ROLE_OBJECT || site == parser->item)) {
        cleat__item_begin(parser, at);
    }
    return r;
}

static int parser_number(struct cleat_parser *parser, struct cleat_str text, const char *after,
                         struct cleat_err *err)
{
    uint32_t ref = CLEAT_REF_ABSENT;
    struct site *site = parser->site;
    int64_t number;
    if (parser->want == WANT_BUILD) {
        int r = cleat_heap_number(parser->target->heap, text, &ref);
        if (r != -EINVAL)
            return parser_scalar(parser, after, r, ref, err);
    } else if (cleat__number_valid(text)) {
        if (site && site->role == ROLE_LIST_REMAINING && cleat__number_exact(text, &number))
            parser->remaining = number;
        return cleat__parser_done(parser, after, ref, err);
    }
    return cleat__parser_fail(parser, text.data, -EINVAL, "a malformed number", err);
}

/* true, false, null or a number: @text is all that could belong to it. */
static int parser_word(struct cleat_parser *parser, struct cleat_str text, const char *after,
                       struct cleat_err *err)
{
    uint32_t ref = cleat_str_is(text, "null")    ? REF_NULL
                   : cleat_str_is(text, "true")  ? REF_TRUE
                   : cleat_str_is(text, "false") ? REF_FALSE
                                                 : CLEAT_REF_ABSENT;
    if (text.length == 0)
        return cleat__parser_fail(parser, text.data, -EINVAL, "an unexpected byte", err);
    bool digits = text.data[0] == '-' || (text.data[0] >= '0' && text.data[0] <= '9');
    if (ref == CLEAT_REF_ABSENT && !digits)
        return cleat__parser_fail(parser, text.data, -EINVAL, "an unknown word", err);
    if (parser->site && parser->site->role != ROLE_NONE) {
        struct cleat_str none = {NULL, 0};
        int r = cleat__item_capture(parser, (enum role)parser->site->role, none, ref == REF_NULL);
        if (r != 0)
            return cleat__parser_fail(parser, text.data, r, code_text(r), err);
    }
    if (digits)
        return parser_number(parser, text, after, err);
    return parser->want == WANT_BUILD ? parser_scalar(parser, after, 0, ref, err)
                                      : cleat__parser_done(parser, after, ref, err);
}

/* A string, as a key or a value. Returns where it ended, or @at where it isn't whole. */
static const char *run_string(struct cleat_parser *parser, const char *at, const char *end,
                              int *ret, struct cleat_err *err)
{
    unsigned flags = 0;
    bool is_key = parser->state == STATE_FIRST || parser->state == STATE_KEY;
    const char *close = scan_string(at + 1, end, &flags);
    if ((flags & SCAN_CONTROL) != 0) {
        *ret = cleat__parser_fail(parser, close, -EINVAL, "a control byte in a string", err);
        return at;
    }
    if ((flags & SCAN_UNENDED) != 0)
        return at;
    struct cleat_str raw = {at + 1, (size_t)(close - at - 1)};
    if (is_key) {
        *ret = parser_key(parser, raw, flags, err);
    } else if (flags == 0 && parser_is_plain(parser)) {
        uint32_t ref = CLEAT_REF_ABSENT;
        int r = cleat_heap_str(parser->target->heap, raw, &ref);
        if (r == 0) {
            site_remember(parser, parser->site, raw, ref);
            *ret = parser_scalar_inside(parser, close + 1, ref, err);
        } else {
            *ret = parser_scalar(parser, close + 1, r, ref, err);
        }
    } else {
        *ret = parser_value_begin(parser, at, err);
        if (*ret == 0)
            *ret = parser_string_value(parser, raw, flags, close + 1, err);
    }
    return close + 1;
}

/* True where the text is an integer of up to seven digits, which fits in a reference. */
static inline bool small_number(const char *at, const char *end, uint32_t *ret)
{
    int64_t number = 0;
    if (end - at < 1 || end - at > 7 || (*at == '0' && end - at > 1))
        return false;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        number = number * 10 + (*at - '0');
    }
    *ret = ref_of_small(number);
    return true;
}

static const char *run_value(struct cleat_parser *parser, const char *at, const char *end, int *ret,
                             struct cleat_err *err)
{
    if (*at == '"') {
        struct site *site = parser->site;
        if (parser->want == WANT_BUILD && site->copy_length > 0 &&
            parser->target == &parser->main && site->role == ROLE_NONE) {
            const char *after = site_again(parser, site, at, end);
            if (after) {
                *ret = parser_scalar_inside(parser, after, site->copy_ref, err);
                return after;
            }
        }
        return run_string(parser, at, end, ret, err);
    }
    if (*at == '{' || *at == '[') {
        if (parser->want == WANT_BUILD && parser->site->raw_length > 0) {
            const char *after = raw_again(parser, parser->site, at, end);
            if (after) {
                *ret = parser_scalar_inside(parser, after, parser->site->raw_ref, err);
                return after;
            }
        }
        *ret = parser_is_plain(parser) ? 0 : parser_value_begin(parser, at, err);
        const char *passed =
            *ret == 0 && parser->want == WANT_CHECK ? parser_pass(parser, at, end) : NULL;
        if (passed) {
            *ret = cleat__parser_done(parser, passed, CLEAT_REF_ABSENT, err);
            return passed;
        }
        if (*ret == 0)
            *ret = parser_open(parser, at, *at == '{', err);
        return at + 1;
    }
    const char *after = at;
    while (after < end && word_byte(*after))
        after++;
    if (after == end && !parser->whole)
        return at;
    uint32_t small;
    if (parser_is_plain(parser) && small_number(at, after, &small)) {
        *ret = parser_scalar_inside(parser, after, small, err);
        return after;
    }
    *ret = parser_value_begin(parser, at, err);
    if (*ret == 0)
        *ret = parser_word(parser, (struct cleat_str){at, (size_t)(after - at)}, after, err);
    return after;
}

static const char *run_key(struct cleat_parser *parser, const char *at, const char *end, int *ret,
                           struct cleat_err *err)
{
    if (*at != '"') {
        *ret = cleat__parser_fail(parser, at, -EINVAL, "a key is wanted", err);
        return at;
    }
    if (parser->deep > 0) {
        unsigned flags = 0;
        struct cleat_str text;
        const char *close = scan_string(at + 1, end, &flags);
        if ((flags & SCAN_UNENDED) != 0 && (flags & SCAN_CONTROL) == 0)
            return at;
        *ret = (flags & SCAN_CONTROL) != 0
                   ? cleat__parser_fail(parser, close, -EINVAL, "a control byte in a string", err)
                   : parser_text(parser, (struct cleat_str){at + 1, (size_t)(close - at - 1)},
                                 flags, &text, err);
        *ret = *ret > 0 ? 0 : *ret;
        parser->state = *ret == 0 ? STATE_COLON : STATE_FAILED;
        parser->site = NULL;
        parser->want = WANT_CHECK;
        return close + 1;
    }
    struct frame *frame = &parser->frames[parser->depth - 1];
    if (frame->build && !frame->plain) {
        const char *after = key_again(parser, frame, at, end);
        if (after)
            return after;
    }
    return run_string(parser, at, end, ret, err);
}

/* , or the end of what is open. */
static const char *run_next(struct cleat_parser *parser, const char *at, int *ret,
                            struct cleat_err *err)
{
    bool in_object = parser_in_object(parser);
    if (*at == ',') {
        parser->state = in_object ? STATE_KEY : STATE_VALUE;
        if (!in_object)
            parser_element(parser);
    } else if (*at == (in_object ? '}' : ']')) {
        *ret = parser_close(parser, at, err);
    } else {
        *ret = cleat__parser_fail(parser, at, -EINVAL,
                                  "a comma or the end of what is open is wanted", err);
    }
    return at + 1;
}

/* Takes whole tokens. Returns the first byte that wasn't taken. */
const char *cleat__parser_run(struct cleat_parser *parser, const char *at, const char *end,
                              int *ret, struct cleat_err *err)
{
    while (*ret == 0) {
        const char *before;
        at = scan_blanks(at, end);
        if (at == end)
            break;
        before = at;
        switch (parser->state) {
        case STATE_ELEMENT:
            if (*at == ']') {
                *ret = parser_close(parser, at, err);
                at++;
                break;
            }
            at = run_value(parser, at, end, ret, err);
            break;
        case STATE_VALUE: at = run_value(parser, at, end, ret, err); break;
        case STATE_FIRST:
            if (*at == '}') {
                *ret = parser_close(parser, at, err);
                at++;
                break;
            }
            at = run_key(parser, at, end, ret, err);
            break;
        case STATE_KEY: at = run_key(parser, at, end, ret, err); break;
        case STATE_COLON:
            if (*at != ':') {
                *ret = cleat__parser_fail(parser, at, -EINVAL, "a colon is wanted", err);
                break;
            }
            parser->state = STATE_VALUE;
            at++;
            break;
        case STATE_NEXT: at = run_next(parser, at, ret, err); break;
        case STATE_END:
            *ret = cleat__parser_fail(parser, at, -EINVAL, "bytes behind the end of the text", err);
            break;
        case STATE_FAILED: cleat_assert(parser->state != STATE_FAILED); break;
        }
        if (at == before)
            break;
    }
    return at;
}
