/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Differences as patches: the texts that are made, and that applying them gives what was wanted,
 * for thousands of pairs of values made by chance (with fixed seeds).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cleat/draft.h>
#include <cleat/patch.h>
#include "base/mem.h"
#include "json.h"
#include "support/chaos.h"
#include "support/suite.h"

struct row {
    const char *from;
    const char *to;
    const char *patch;
};

static const struct row patch_rows[] = {
    {"{}", "{}", "[]"},
    {"[1,{\"a\":[]}]", "[1,{\"a\":[]}]", "[]"},
    {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", "[]"},
    {"{\"a\":1}", "{\"a\":1.0}", "[]"},
    {"{\"a\":100}", "{\"a\":1e2}", "[]"},
    {"{\"a\":1}", "{\"a\":2}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}]"},
    {"{\"a\":1}", "{\"a\":\"1\"}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":\"1\"}]"},
    {"{\"a\":1}", "{}", "[{\"op\":\"remove\",\"path\":\"/a\"}]"},
    {"{\"a\":null}", "{}", "[{\"op\":\"remove\",\"path\":\"/a\"}]"},
    {"{}", "{\"a\":null}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":null}]"},
    {"{\"m\":{\"n\":\"x\"}}", "{\"m\":{\"n\":\"x\",\"labels\":{\"a/b\":\"1\",\"c\":\"2\"}}}",
     "[{\"op\":\"add\",\"path\":\"/m/labels\",\"value\":{\"a/b\":\"1\",\"c\":\"2\"}}]"},
    {"{\"m\":{\"a/b~c\":1}}", "{\"m\":{\"a/b~c\":2}}",
     "[{\"op\":\"replace\",\"path\":\"/m/a~1b~0c\",\"value\":2}]"},
    {"{\"~1\":1,\"/\":1,\"\":1,\"\\\"\":1}", "{\"~1\":2,\"/\":2,\"\":2,\"\\\"\":2}",
     "[{\"op\":\"replace\",\"path\":\"/~01\",\"value\":2},{\"op\":\"replace\",\"path\":\"/"
     "~1\",\"value\":2},"
     "{\"op\":\"replace\",\"path\":\"/\",\"value\":2},{\"op\":\"replace\",\"path\":\"/"
     "\\\"\",\"value\":2}]"},
    {"{\"a\":{}}", "{\"a\":[]}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":[]}]"},
    {"{\"a\":{\"b\":1}}", "[1]", "[{\"op\":\"replace\",\"path\":\"\",\"value\":[1]}]"},
    {"1", "2", "[{\"op\":\"replace\",\"path\":\"\",\"value\":2}]"},
    {"1", "1.0", "[]"},
    {"[]", "[1,2]",
     "[{\"op\":\"add\",\"path\":\"/0\",\"value\":1},{\"op\":\"add\",\"path\":\"/1\",\"value\":2}]"},
    {"[1,2,3]", "[]",
     "[{\"op\":\"remove\",\"path\":\"/2\"},{\"op\":\"remove\",\"path\":\"/1\"},"
     "{\"op\":\"remove\",\"path\":\"/0\"}]"},
    {"[1,2,3]", "[1,3]", "[{\"op\":\"remove\",\"path\":\"/1\"}]"},
    {"[1,3]", "[1,2,3]", "[{\"op\":\"add\",\"path\":\"/1\",\"value\":2}]"},
    {"[1,2,3]", "[2,3]", "[{\"op\":\"remove\",\"path\":\"/0\"}]"},
    {"[2,3]", "[1,2,3]", "[{\"op\":\"add\",\"path\":\"/0\",\"value\":1}]"},
    {"[1,1,1]", "[1,1]", "[{\"op\":\"remove\",\"path\":\"/2\"}]"},
    {"[1,2,3,4]", "[1,9,4]",
     "[{\"op\":\"replace\",\"path\":\"/1\",\"value\":9},{\"op\":\"remove\",\"path\":\"/2\"}]"},
    {"[1,9,4]", "[1,2,3,4]",
     "[{\"op\":\"replace\",\"path\":\"/1\",\"value\":2},{\"op\":\"add\",\"path\":\"/"
     "2\",\"value\":3}]"},
    {"{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"x:1\"},{\"name\":\"b\",\"image\":\"y:"
     "1\"}]}}",
     "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"x:1\"},{\"name\":\"b\",\"image\":\"y:"
     "2\"}]}}",
     "[{\"op\":\"replace\",\"path\":\"/spec/containers/1/image\",\"value\":\"y:2\"}]"},
    {"{\"a\":1,\"b\":{\"c\":[1]}}", "{\"b\":{\"c\":[1,2],\"d\":0}}",
     "[{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"add\",\"path\":\"/b/c/1\",\"value\":2},"
     "{\"op\":\"add\",\"path\":\"/b/d\",\"value\":0}]"},
};

START_TEST(test_patch_texts)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (size_t i = 0; i < sizeof(patch_rows) / sizeof(patch_rows[0]); i++) {
        struct cleat_document *from = json_document(patch_rows[i].from);
        struct cleat_document *to = json_document(patch_rows[i].to);
        cleat_buffer_reset(&buffer);
        ck_assert_int_eq(
            cleat_patch_diff(cleat_document_root(from), cleat_document_root(to), &buffer, NULL), 0);
        ck_assert_str_eq(buffer.data, patch_rows[i].patch);
        cleat_document_unref(from);
        cleat_document_unref(to);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

static const struct row merge_rows[] = {
    {"{}", "{}", "{}"},
    {"{\"a\":1}", "{\"a\":1.0}", "{}"},
    {"{\"a\":1,\"b\":2}", "{\"b\":2}", "{\"a\":null}"},
    {"{\"a\":1}", "{\"a\":{\"b\":2}}", "{\"a\":{\"b\":2}}"},
    {"{\"a\":{\"b\":2}}", "{\"a\":1}", "{\"a\":1}"},
    {"{\"a\":{\"b\":2}}", "{\"a\":{}}", "{\"a\":{\"b\":null}}"},
    {"{\"a\":[1,2]}", "{\"a\":[1]}", "{\"a\":[1]}"},
    {"{\"a\":[1]}", "{\"a\":[null,{\"b\":null}]}", "{\"a\":[null,{\"b\":null}]}"},
    {"{\"a\":null}", "{\"a\":null,\"b\":1}", "{\"b\":1}"},
    {"{\"m\":{\"l\":{\"a\":\"1\",\"b\":\"2\"},\"n\":\"x\"},\"s\":{\"r\":1}}",
     "{\"m\":{\"l\":{\"b\":\"3\",\"c\":\"4\"},\"n\":\"x\"},\"s\":{\"r\":2,\"t\":{\"u\":{}}}}",
     "{\"m\":{\"l\":{\"a\":null,\"b\":\"3\",\"c\":\"4\"}},\"s\":{\"r\":2,\"t\":{\"u\":{}}}}"},
    {"{\"a\":{\"b\":{\"c\":{\"d\":1}}},\"e\":1}", "{\"a\":{\"b\":{\"c\":{\"d\":2}}},\"e\":2}",
     "{\"a\":{\"b\":{\"c\":{\"d\":2}}},\"e\":2}"},
    {"{\"a\":{\"x\":{\"k\":1},\"y\":{\"k\":1}}}", "{\"a\":{\"x\":{\"k\":2},\"y\":{\"k\":2}}}",
     "{\"a\":{\"x\":{\"k\":2},\"y\":{\"k\":2}}}"},
    {"{\"a\":1}", "[1,null]", "[1,null]"},
    {"[1]", "{\"a\":1}", "{\"a\":1}"},
    {"5", "5", "5"},
    {"{\"a\":1}", "null", "null"},
};

START_TEST(test_merge_texts)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (size_t i = 0; i < sizeof(merge_rows) / sizeof(merge_rows[0]); i++) {
        struct cleat_document *from = json_document(merge_rows[i].from);
        struct cleat_document *to = json_document(merge_rows[i].to);
        cleat_buffer_reset(&buffer);
        ck_assert_int_eq(cleat_patch_merge_diff(cleat_document_root(from), cleat_document_root(to),
                                                &buffer, NULL),
                         0);
        ck_assert_str_eq(buffer.data, merge_rows[i].patch);
        cleat_document_unref(from);
        cleat_document_unref(to);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

/* What a merge patch can't say, with the member's path. */
START_TEST(test_merge_cannot_set_null)
{
    static const struct row rows[] = {
        {"{}", "{\"a\":null}", "a is null"},
        {"{\"a\":1}", "{\"a\":null}", "a is null"},
        {"{}", "{\"a\":{\"b\":{\"c\":null}}}", "a.b.c is null"},
        {"{\"a\":[1]}", "{\"a\":{\"b\":null}}", "a.b is null"},
        {"{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1,\"x y\":null}}", "a[\"x y\"] is null"},
        {"[1]", "{\"a\":null}", "a is null"},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_document *from = json_document(rows[i].from), *to = json_document(rows[i].to);
        struct cleat_err err = CLEAT_ERR_INIT;
        cleat_buffer_reset(&buffer);
        (void)cleat_buffer_text(&buffer, "before");
        ck_assert_int_eq(cleat_patch_merge_diff(cleat_document_root(from), cleat_document_root(to),
                                                &buffer, &err),
                         -EINVAL);
        ck_assert_msg(strncmp(err.text, rows[i].patch, strlen(rows[i].patch)) == 0, "%s", err.text);
        ck_assert_str_eq(buffer.data, "before");
        cleat_document_unref(from);
        cleat_document_unref(to);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

#define HOLE "\"" JSON_DROPPED "\""

/* Both kinds of patches where something wasn't kept: the text, or a part of the message. */
static const struct hole_row {
    const char *from;
    const char *to;
    const char *patch; /* NULL: refused */
    const char *merge; /* NULL: refused */
    const char *message;
} hole_rows[] = {
    {"{\"a\":" HOLE ",\"b\":1}", "{\"a\":" HOLE ",\"b\":2}",
     "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":2}]", "{\"b\":2}", NULL},
    {"{\"a\":" HOLE "}", "{}", "[{\"op\":\"remove\",\"path\":\"/a\"}]", "{\"a\":null}", NULL},
    {"{\"a\":" HOLE "}", "{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]",
     "{\"a\":1}", NULL},
    {"{\"a\":" HOLE "}", "{\"a\":{\"b\":1}}",
     "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":{\"b\":1}}]", NULL, "a wasn't kept"},
    {"{\"a\":1}", "{\"a\":" HOLE "}", NULL, NULL, "a wasn't kept"},
    {"{}", "{\"a\":" HOLE "}", NULL, NULL, "a wasn't kept"},
    {"{}", "{\"a\":{\"b\":[" HOLE "]}}", NULL, NULL, "a.b[0] wasn't kept"},
    {"{\"l\":[{\"n\":1,\"x\":" HOLE "}]}", "{\"l\":[{\"n\":2,\"x\":" HOLE "}]}",
     "[{\"op\":\"replace\",\"path\":\"/l/0/n\",\"value\":2}]", NULL, "l[0].x wasn't kept"},
    {"{\"l\":[{\"x\":" HOLE "}]}", "{\"l\":[{\"x\":" HOLE "},{\"n\":1}]}",
     "[{\"op\":\"add\",\"path\":\"/l/1\",\"value\":{\"n\":1}}]", NULL, "l[0].x wasn't kept"},
    /* which of the two went? they look alike, and aren't */
    {"{\"l\":[{\"x\":" HOLE "},{\"x\":" HOLE "}]}", "{\"l\":[{\"x\":" HOLE "}]}", NULL, NULL, "l"},
    {"{\"l\":[{\"x\":" HOLE "}]}", "{\"l\":[{\"n\":1},{\"x\":" HOLE "}]}", NULL, NULL, "l"},
};

static void hole_check(const struct hole_row *row, bool merge)
{
    const char *wanted = merge ? row->merge : row->patch;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_heap *arena = NULL;
    struct cleat_value from, to;
    int r;

    ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
    from = json_holes(arena, row->from);
    to = json_holes(arena, row->to);
    r = merge ? cleat_patch_merge_diff(from, to, &buffer, &err)
              : cleat_patch_diff(from, to, &buffer, &err);
    ck_assert_msg(r == (wanted ? 0 : -EINVAL), "%s to %s: %d %s", row->from, row->to, r, err.text);
    if (wanted)
        ck_assert_str_eq(buffer.data, wanted);
    else
        ck_assert_msg(strncmp(err.text, row->message, strlen(row->message)) == 0, "%s", err.text);
    cleat_heap_free(arena);
    cleat_buffer_fini(&buffer);
}

START_TEST(test_not_kept)
{
    for (size_t i = 0; i < sizeof(hole_rows) / sizeof(hole_rows[0]); i++) {
        hole_check(&hole_rows[i], false);
        hole_check(&hole_rows[i], true);
    }
}
END_TEST

START_TEST(test_absent)
{
    struct cleat_document *document = json_document("{}");
    struct cleat_value value = cleat_document_root(document);
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    ck_assert_int_eq(cleat_patch_diff(CLEAT_VALUE_NONE, value, &buffer, NULL), -EINVAL);
    ck_assert_int_eq(cleat_patch_diff(value, CLEAT_VALUE_NONE, &buffer, NULL), -EINVAL);
    ck_assert_int_eq(cleat_patch_merge_diff(CLEAT_VALUE_NONE, value, &buffer, NULL), -EINVAL);
    ck_assert_int_eq(cleat_patch_merge_diff(value, CLEAT_VALUE_NONE, &buffer, NULL), -EINVAL);
    ck_assert_uint_eq(buffer.length, 0);
    cleat_document_unref(document);
    cleat_buffer_fini(&buffer);
}
END_TEST

/* -- by chance -- */

static uint64_t chance_state;

static unsigned chance(unsigned below)
{
    chance_state = chance_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(chance_state >> 33) % below;
}

/* A value of few keys and few scalars, so that two of them have much in common. */
static void chance_value(struct cleat_buffer *text, unsigned depth, bool nulls)
{
    static const char *const scalars[] = {"1",     "2",           "1.0",        "true",
                                          "false", "\"\"",        "\"a\"",      "\"b\"",
                                          "2.50",  "\"\\u0000\"", "\"x\\\"y\"", "1e1"};
    static const char *const keys[] = {"a", "b", "c", "a/b", "~", "~1", "", "0", "-", "k\\\"q"};
    unsigned kind = chance(depth == 0 ? 2 : 8), count = chance(5), used = 0;
    bool first = true;

    if (kind < 2) {
        (void)cleat_buffer_text(text, nulls && chance(6) == 0 ? "null" : scalars[chance(12)]);
        return;
    }
    (void)cleat_buffer_byte(text, kind < 5 ? '{' : '[');
    for (unsigned i = 0; i < count; i++) {
        unsigned key = chance(10);
        if (kind < 5 && (used & 1u << key))
            continue;
        used |= 1u << key;
        (void)cleat_buffer_text(text, first ? "" : ",");
        first = false;
        if (kind < 5)
            (void)cleat_buffer_format(text, "\"%s\":", keys[key]);
        chance_value(text, depth - 1, nulls);
    }
    (void)cleat_buffer_byte(text, kind < 5 ? '}' : ']');
}

static struct cleat_document *chance_document(bool nulls)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_document *document;

    chance_value(&text, 4, nulls);
    document = json_document(text.data);
    cleat_buffer_fini(&text);
    return document;
}

static void check_patch(struct cleat_value from, struct cleat_value to)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB), shown = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_document *patch, *result = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;

    ck_assert_msg(cleat_patch_diff(from, to, &text, &err) == 0, "%s", err.text);
    patch = json_document(text.data);
    ck_assert_int_eq(cleat_value_count(cleat_document_root(patch)) == 0,
                     cleat_value_equal(from, to));
    ck_assert_msg(cleat_patch_apply(from, cleat_document_root(patch), &result, &err) == 0, "%s: %s",
                  text.data, err.text);
    ck_assert_msg(cleat_value_equal(cleat_document_root(result), to), "%s from %s", text.data,
                  json_text(&shown, from));
    cleat_document_unref(result);
    cleat_document_unref(patch);
    cleat_buffer_fini(&text);
    cleat_buffer_fini(&shown);
}

/* True where it could be said as a merge patch. */
static bool check_merge(struct cleat_value from, struct cleat_value to)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB), shown = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_document *patch, *result = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = cleat_patch_merge_diff(from, to, &text, &err);

    if (r < 0) {
        ck_assert_msg(r == -EINVAL && strstr(err.text, "is null"), "%s", err.text);
        ck_assert_ptr_nonnull(strstr(json_text(&shown, to), "null"));
    } else {
        patch = json_document(text.data);
        ck_assert_int_eq(cleat_patch_merge(from, cleat_document_root(patch), &result, &err), 0);
        ck_assert_msg(cleat_value_equal(cleat_document_root(result), to), "%s from %s", text.data,
                      json_text(&shown, from));
        cleat_document_unref(result);
        cleat_document_unref(patch);
    }
    cleat_buffer_fini(&text);
    cleat_buffer_fini(&shown);
    return r == 0;
}

START_TEST(test_any_two_values)
{
    int said = 0;

    chance_state = 20240601;
    for (int i = 0; i < 4000; i++) {
        struct cleat_document *from = chance_document(true), *to = chance_document(i % 2 == 0);
        check_patch(cleat_document_root(from), cleat_document_root(to));
        said += check_merge(cleat_document_root(from), cleat_document_root(to));
        cleat_document_unref(from);
        cleat_document_unref(to);
    }
    ck_assert_int_gt(said, 2000);
    ck_assert_int_lt(said, 4000);
}
END_TEST

/* The same with both in one pool, where equal parts are the same node. */
START_TEST(test_any_two_values_of_a_pool)
{
    struct cleat_heap *pool = NULL;

    chance_state = 4711;
    ck_assert_int_eq(cleat_pool_new(64 * CLEAT_MIB, &pool), 0);
    for (int i = 0; i < 2000; i++) {
        struct cleat_document *from = chance_document(true), *to = chance_document(true);
        uint32_t from_ref = 0, to_ref = 0;
        ck_assert_int_eq(cleat_heap_copy(pool, cleat_document_root(from), &from_ref), 0);
        ck_assert_int_eq(cleat_heap_copy(pool, cleat_document_root(to), &to_ref), 0);
        check_patch((struct cleat_value){pool, from_ref}, (struct cleat_value){pool, to_ref});
        (void)check_merge((struct cleat_value){pool, from_ref}, (struct cleat_value){pool, to_ref});
        check_patch(cleat_document_root(from), (struct cleat_value){pool, to_ref});
        cleat_document_unref(from);
        cleat_document_unref(to);
    }
    cleat_heap_free(pool);
}
END_TEST

/* A change by chance; what the path doesn't allow is refused and is fine. */
static void chance_change(struct cleat_draft *draft)
{
    static const char *const keys[] = {"a", "b", "c", "a/b", "~", "~1", "", "0", "-", "k\"q"};
    struct cleat_path path = {.count = 1 + chance(3)};
    struct cleat_document *value = chance_document(false);
    int r = 0;

    for (size_t i = 0; i < path.count; i++) {
        path.segments[i].type = chance(3) ? CLEAT_SEGMENT_KEY : CLEAT_SEGMENT_INDEX;
        path.segments[i].key = cleat_str_of(keys[chance(10)]);
        path.segments[i].index = chance(4);
    }
    switch (chance(4)) {
    case 0: r = cleat_draft_remove_at(draft, &path, NULL); break;
    case 1: r = cleat_draft_append_at(draft, &path, cleat_document_root(value), NULL); break;
    default: r = cleat_draft_set_at(draft, &path, cleat_document_root(value), NULL); break;
    }
    ck_assert(r == 0 || r == -EINVAL);
    cleat_document_unref(value);
}

START_TEST(test_any_draft)
{
    int changed = 0;

    chance_state = 99;
    for (int i = 0; i < 3000; i++) {
        struct cleat_document *base = chance_document(true);
        struct cleat_draft *draft = NULL;
        ck_assert_int_eq(cleat_draft_new(cleat_document_root(base), &draft, NULL), 0);
        for (unsigned steps = 1 + chance(6); steps > 0; steps--) {
            chance_change(draft);
            ck_assert_int_eq(
                cleat_draft_changed(draft),
                !cleat_value_equal(cleat_draft_value(draft), cleat_document_root(base)));
            if (chance(2) == 0)
                check_patch(cleat_draft_base(draft), cleat_draft_value(draft));
        }
        check_patch(cleat_draft_base(draft), cleat_draft_value(draft));
        (void)check_merge(cleat_draft_base(draft), cleat_draft_value(draft));
        changed += cleat_draft_changed(draft);
        cleat_draft_free(draft);
        cleat_document_unref(base);
    }
    ck_assert_int_gt(changed, 1000);
}
END_TEST

/* Two objects of 50,000 members in opposite orders: found by a map, not by looking at all pairs. */
START_TEST(test_large_objects)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(16 * CLEAT_MIB),
                        patch = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_document *from, *to;
    const int count = 50000;

    for (int i = 0; i < count; i++)
        (void)cleat_buffer_format(&text, "%s\"key%d\":{\"n\":%d}", i ? "," : "{", i, i);
    ck_assert_int_eq(cleat_buffer_byte(&text, '}'), 0);
    from = json_document(text.data);
    cleat_buffer_reset(&text);
    for (int i = count; i-- > 0;)
        (void)cleat_buffer_format(&text, "%s\"key%d\":{\"n\":%d}", i < count - 1 ? "," : "{", i,
                                  i == 7 ? 0 : i);
    ck_assert_int_eq(cleat_buffer_byte(&text, '}'), 0);
    to = json_document(text.data);
    ck_assert_int_eq(
        cleat_patch_diff(cleat_document_root(from), cleat_document_root(to), &patch, NULL), 0);
    ck_assert_str_eq(patch.data, "[{\"op\":\"replace\",\"path\":\"/key7/n\",\"value\":0}]");
    cleat_document_unref(from);
    cleat_document_unref(to);
    cleat_buffer_fini(&text);
    cleat_buffer_fini(&patch);
}
END_TEST

/* Values deeper than any parser makes. */
START_TEST(test_depth)
{
    struct cleat_heap *arena = NULL;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    uint32_t from = 0, to = 0;

    ck_assert_int_eq(cleat_arena_new(64 * CLEAT_MIB, &arena), 0);
    ck_assert_int_eq(cleat_heap_int(arena, 1, &from), 0);
    ck_assert_int_eq(cleat_heap_int(arena, 2, &to), 0);
    for (int depth = 1; depth <= 20000; depth++) {
        struct cleat_member member = {CLEAT_STR("k"), from};
        ck_assert_int_eq(cleat_heap_object(arena, &member, 1, &from), 0);
        member.ref = to;
        ck_assert_int_eq(cleat_heap_object(arena, &member, 1, &to), 0);
        if (depth == CLEAT_VALUE_DEPTH_MAX)
            ck_assert_int_eq(cleat_patch_diff((struct cleat_value){arena, from},
                                              (struct cleat_value){arena, to}, &buffer, NULL),
                             0);
    }
    ck_assert_int_eq(cleat_patch_diff((struct cleat_value){arena, from},
                                      (struct cleat_value){arena, to}, &buffer, NULL),
                     -E2BIG);
    ck_assert_int_eq(cleat_patch_merge_diff((struct cleat_value){arena, from},
                                            (struct cleat_value){arena, to}, &buffer, NULL),
                     -E2BIG);
    cleat_heap_free(arena);
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_buffer_maximum)
{
    struct cleat_document *from = json_document("{\"a\":1,\"c\":{\"d\":1}}");
    struct cleat_document *to = json_document("{\"b\":\"a text\",\"c\":{\"d\":2}}");

    for (size_t max = 0; max < 200; max++) {
        struct cleat_buffer patch = CLEAT_BUFFER_INIT(max), merge = CLEAT_BUFFER_INIT(max);
        int r = cleat_patch_diff(cleat_document_root(from), cleat_document_root(to), &patch, NULL);
        ck_assert_int_eq(r, max < 112 ? -ENOBUFS : 0);
        ck_assert_uint_eq(patch.length, r == 0 ? 112 : 0);
        r = cleat_patch_merge_diff(cleat_document_root(from), cleat_document_root(to), &merge,
                                   NULL);
        ck_assert_int_eq(r, max < 35 ? -ENOBUFS : 0);
        ck_assert_uint_eq(merge.length, r == 0 ? 35 : 0);
        cleat_buffer_fini(&patch);
        cleat_buffer_fini(&merge);
    }
    cleat_document_unref(from);
    cleat_document_unref(to);
}
END_TEST

static int sweep_diff(void *arg)
{
    struct cleat_document **pair = arg;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);
    int r =
        cleat_patch_diff(cleat_document_root(pair[0]), cleat_document_root(pair[1]), &buffer, NULL);

    if (r == 0)
        r = cleat_patch_merge_diff(cleat_document_root(pair[0]), cleat_document_root(pair[1]),
                                   &buffer, NULL);
    cleat_buffer_fini(&buffer);
    return r;
}

START_TEST(test_out_of_memory)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_document *pair[2];

    for (int i = 0; i < 100; i++) /* enough for a map */
        (void)cleat_buffer_format(&text, "%s\"key%d\":[%d]", i ? "," : "{", i, i);
    ck_assert_int_eq(cleat_buffer_byte(&text, '}'), 0);
    pair[0] = json_document(text.data);
    pair[1] = json_document("{\"key3\":[4,5],\"x\":{\"y\":\"a longer text\"}}");
    ck_assert_uint_ge(cleat_chaos_sweep(sweep_diff, pair), 5);
    cleat_document_unref(pair[0]);
    cleat_document_unref(pair[1]);
    cleat_buffer_fini(&text);
}
END_TEST

CLEAT_SUITE_MAIN("diff", test_patch_texts, test_merge_texts, test_merge_cannot_set_null,
                 test_not_kept, test_absent, test_any_two_values, test_any_two_values_of_a_pool,
                 test_any_draft, test_large_objects, test_depth, test_buffer_maximum,
                 test_out_of_memory)
