/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applying patches: the cases of tests/cases/patch (a directory each: target.json, patch.json or
 * merge.json, and result.json or error.txt with the outcome and a part of the message), then limits
 * and failures.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cleat/patch.h>
#include "base/mem.h"
#include "json.h"
#include "support/chaos.h"
#include "support/suite.h"

/* The file's text without the line's end, new; NULL where there is no such file. */
static char *case_file(const char *name, const char *file)
{
    char path[512];
    char *text = NULL;
    size_t size = 0;
    FILE *stream;

    (void)snprintf(path, sizeof(path), "%s/tests/cases/patch/%s/%s", CLEAT_SOURCE_DIR, name, file);
    stream = fopen(path, "re");
    if (!stream)
        return NULL;
    if (getdelim(&text, &size, '\0', stream) < 0)
        ck_abort_msg("%s is empty", path);
    (void)fclose(stream);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static struct cleat_document *case_document(const char *name, const char *file)
{
    char *text = case_file(name, file);
    struct cleat_document *document = text ? json_document(text) : NULL;

    free(text);
    return document;
}

static void case_check_error(const char *name, const char *wanted, int r,
                             const struct cleat_err *err)
{
    bool test = strncmp(wanted, "test ", 5) == 0;
    const char *part = strchr(wanted, ' ') + 1;

    ck_assert_msg(r == (test ? CLEAT_PATCH_TEST : -EINVAL), "%s: outcome %d", name, r);
    ck_assert_msg(strstr(err->text, part) != NULL, "%s: \"%s\" isn't in \"%s\"", name, part,
                  err->text);
}

static void case_run(const char *name)
{
    struct cleat_document *target = case_document(name, "target.json");
    struct cleat_document *patch = case_document(name, "patch.json");
    struct cleat_document *merge = case_document(name, "merge.json"), *result = NULL;
    char *wanted = case_file(name, "result.json"), *error = case_file(name, "error.txt");
    struct cleat_buffer before = CLEAT_BUFFER_INIT(CLEAT_MIB), after = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_err err = CLEAT_ERR_INIT;
    int r;

    ck_assert_msg(target && (patch || merge) && (wanted || error), "%s lacks a file", name);
    (void)json_text(&before, cleat_document_root(target));
    if (patch)
        r = cleat_patch_apply(cleat_document_root(target), cleat_document_root(patch), &result,
                              &err);
    else
        r = cleat_patch_merge(cleat_document_root(target), cleat_document_root(merge), &result,
                              &err);
    if (error) {
        case_check_error(name, error, r, &err);
        ck_assert_ptr_null(result);
    } else {
        ck_assert_msg(r == 0, "%s: %s", name, cleat_err_text(&err));
        json_check(cleat_document_root(result), wanted);
    }
    ck_assert_str_eq(json_text(&after, cleat_document_root(target)), before.data);
    cleat_document_unref(result);
    cleat_document_unref(merge);
    cleat_document_unref(patch);
    cleat_document_unref(target);
    cleat_buffer_fini(&before);
    cleat_buffer_fini(&after);
    free(wanted);
    free(error);
}

START_TEST(test_cases)
{
    DIR *dir = opendir(CLEAT_SOURCE_DIR "/tests/cases/patch");
    struct dirent *entry;
    int count = 0;

    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        case_run(entry->d_name);
        count++;
    }
    (void)closedir(dir);
    ck_assert_int_ge(count, 100);
}
END_TEST

/* Numbers are tested by value and kept by their bytes. */
START_TEST(test_numbers)
{
    struct cleat_document *target = json_document("{\"a\":1.0,\"b\":1e2,\"c\":0.10}");
    struct cleat_document *patch =
        json_document("[{\"op\":\"test\",\"path\":\"/a\",\"value\":1},"
                      "{\"op\":\"test\",\"path\":\"/b\",\"value\":100},"
                      "{\"op\":\"add\",\"path\":\"/d\",\"value\":12345678901234567890}]");
    struct cleat_document *result = NULL;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_MIB);

    ck_assert_int_eq(
        cleat_patch_apply(cleat_document_root(target), cleat_document_root(patch), &result, NULL),
        0);
    ck_assert_str_eq(json_text(&buffer, cleat_document_root(result)),
                     "{\"a\":1.0,\"b\":1e2,\"c\":0.10,\"d\":12345678901234567890}");
    cleat_document_unref(result);
    cleat_document_unref(patch);
    cleat_document_unref(target);
    cleat_buffer_fini(&buffer);
}
END_TEST

/* Texts that JSON Patch in data files can't hold, or that are easier to read here. */
static int apply(const char *target_text, const char *patch_text, struct cleat_document **ret,
                 struct cleat_err *err)
{
    struct cleat_document *target = json_document(target_text), *patch = json_document(patch_text);
    int r = cleat_patch_apply(cleat_document_root(target), cleat_document_root(patch), ret, err);

    cleat_document_unref(patch);
    cleat_document_unref(target); /* the result shares nothing with either */
    return r;
}

START_TEST(test_operations_maximum)
{
    struct cleat_buffer patch = CLEAT_BUFFER_INIT(16 * CLEAT_MIB);
    struct cleat_document *result = NULL;

    for (size_t extra = 0; extra < 2; extra++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        cleat_buffer_reset(&patch);
        (void)cleat_buffer_byte(&patch, '[');
        for (size_t i = 0; i < CLEAT_PATCH_OPERATIONS_MAX + extra; i++)
            (void)cleat_buffer_format(&patch, "%s{\"op\":\"add\",\"path\":\"/-\",\"value\":%zu}",
                                      i ? "," : "", i);
        ck_assert_int_eq(cleat_buffer_byte(&patch, ']'), 0);
        ck_assert_int_eq(apply("[]", patch.data, &result, &err), extra ? -E2BIG : 0);
        if (extra)
            ck_assert_ptr_nonnull(strstr(err.text, "10001 operations"));
        else
            ck_assert_uint_eq(cleat_value_count(cleat_document_root(result)),
                              CLEAT_PATCH_OPERATIONS_MAX);
    }
    cleat_document_unref(result);
    cleat_buffer_fini(&patch);
}
END_TEST

/* Copies that double: in memory they would be shared, as text they would be gigabytes. */
START_TEST(test_copy_bomb)
{
    struct cleat_buffer patch = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_document *result = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;

    (void)cleat_buffer_byte(&patch, '[');
    for (int i = 0; i < 40; i++)
        (void)cleat_buffer_format(&patch, "%s{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}",
                                  i ? "," : "");
    ck_assert_int_eq(cleat_buffer_byte(&patch, ']'), 0);
    ck_assert_int_eq(
        apply("{\"a\":[\"0123456789012345678901234567890123456789\"]}", patch.data, &result, &err),
        -E2BIG);
    ck_assert_ptr_nonnull(strstr(err.text, "is more than may be copied"));
    ck_assert_ptr_null(result);
    cleat_buffer_fini(&patch);
}
END_TEST

/* The budget counts text: 3 MiB fit, one byte more doesn't. */
START_TEST(test_copy_budget_is_exact)
{
    size_t half = CLEAT_PATCH_COPY_BYTES_MAX / 2 - 2; /* and two quotes */
    char *target = malloc(half + 64);
    struct cleat_document *result = NULL;
    static const char twice[] = "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"},"
                                "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"}]";

    for (size_t extra = 0; extra < 2; extra++) {
        (void)snprintf(target, half + 64, "{\"a\":\"");
        memset(target + 6, 'x', half + extra);
        (void)snprintf(target + 6 + half + extra, 8, "\"}");
        ck_assert_int_eq(apply(target, twice, &result, NULL), extra ? -E2BIG : 0);
    }
    cleat_document_unref(result);
    free(target);
}
END_TEST

/* Appends @template with each # replaced. */
static void fill_in(struct cleat_buffer *buffer, const char *template, const char *text)
{
    for (const char *c = template; *c; c++)
        (void)(*c == '#' ? cleat_buffer_text(buffer, text) : cleat_buffer_byte(buffer, *c));
    ck_assert_int_eq(buffer->failed, 0);
}

/* The value stands in the patch where that has a #, else in the target at /m/x. */
static int apply_depth(const char *operations, size_t target_depth, size_t value_depth)
{
    char *target = json_nested(target_depth, "0"), *value = json_nested(value_depth, "1");
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB), patch = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_document *result = NULL;
    int r;

    (void)cleat_buffer_format(&text, "{\"t\":%s,\"m\":{\"x\":%s}}", target,
                              strchr(operations, '#') ? "0" : value);
    fill_in(&patch, operations, value);
    r = apply(text.data, patch.data, &result, NULL);
    cleat_document_unref(result);
    cleat_buffer_fini(&text);
    cleat_buffer_fini(&patch);
    free(target);
    free(value);
    return r;
}

/* 100 arrays at /t, the value goes below 3 containers. */
START_TEST(test_depth)
{
    static const struct {
        const char *patch;
        size_t fits; /* the deepest value that does */
    } rows[] = {
        {"[{\"op\":\"add\",\"path\":\"/t/0/0/0\",\"value\":#}]", 124},
        {"[{\"op\":\"replace\",\"path\":\"/t/0/0\",\"value\":#}]", 125},
        {"[{\"op\":\"move\",\"from\":\"/m/x\",\"path\":\"/t/0/0/-\"}]", 124},
        {"[{\"op\":\"copy\",\"from\":\"/m/x\",\"path\":\"/t/0/0/-\"}]", 124},
        /* an opened container moves: its own height counts, not what it was */
        {"[{\"op\":\"add\",\"path\":\"/m/y\",\"value\":1},{\"op\":\"remove\",\"path\":\"/m/y\"},"
         "{\"op\":\"move\",\"from\":\"/m\",\"path\":\"/t/0/0/-\"}]",
         123},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_msg(apply_depth(rows[i].patch, 100, rows[i].fits) == 0, "row %zu", i);
        ck_assert_msg(apply_depth(rows[i].patch, 100, rows[i].fits + 1) == -E2BIG, "row %zu", i);
    }
}
END_TEST

/*
 * What was deep once and isn't any more may go deep again. Looking anew is limited: a patch that
 * asks for it over and over is refused instead of costing more and more.
 */
START_TEST(test_depth_that_shrank)
{
    static const char once[] = "{\"op\":\"move\",\"from\":\"/m\",\"path\":\"/o\"},"
                               "{\"op\":\"copy\",\"from\":\"/t\",\"path\":\"/o/y\"},"
                               "{\"op\":\"remove\",\"path\":\"/o/y\"},"
                               "{\"op\":\"move\",\"from\":\"/o\",\"path\":\"/t#/x\"},"
                               "{\"op\":\"move\",\"from\":\"/t#/x\",\"path\":\"/m\"}";
    char *deep = json_nested(100, "{}"), *path = malloc(2 * 100 + 1);
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB), patch = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (int i = 0; i < 100; i++)
        memcpy(path + 2 * i, "/0", 3);
    (void)cleat_buffer_format(&text, "{\"t\":%s,\"m\":{\"x\":[1]}}", deep);
    for (int times = 1; times <= 40; times += 13) {
        struct cleat_document *result = NULL;
        cleat_buffer_reset(&patch);
        for (int i = 0; i < times; i++) {
            (void)cleat_buffer_byte(&patch, i ? ',' : '[');
            fill_in(&patch, once, path);
        }
        (void)cleat_buffer_byte(&patch, ']');
        ck_assert_int_eq(apply(text.data, patch.data, &result, NULL), times <= 16 ? 0 : -E2BIG);
        cleat_document_unref(result);
    }
    cleat_buffer_fini(&text);
    cleat_buffer_fini(&patch);
    free(deep);
    free(path);
}
END_TEST

/* A document that grows deeper with each operation stops at the limit, whichever way it's built. */
START_TEST(test_depth_built_step_by_step)
{
    static const char *const steps[] = {
        "{\"op\":\"add\",\"path\":\"/x\",\"value\":[]},{\"op\":\"move\",\"from\":\"/"
        "a\",\"path\":\"/x/0\"},"
        "{\"op\":\"move\",\"from\":\"/x\",\"path\":\"/a\"}",
        "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/x\"},{\"op\":\"replace\",\"path\":\"/"
        "a\",\"value\":{}},"
        "{\"op\":\"move\",\"from\":\"/x\",\"path\":\"/a/x\"}",
    };
    struct cleat_buffer patch = CLEAT_BUFFER_INIT(CLEAT_MIB);

    for (size_t i = 0; i < 2; i++)
        for (int count = 126; count <= 129; count++) {
            struct cleat_document *result = NULL;
            cleat_buffer_reset(&patch);
            (void)cleat_buffer_byte(&patch, '[');
            for (int j = 0; j < count; j++)
                (void)cleat_buffer_format(&patch, "%s%s", j ? "," : "", steps[i]);
            ck_assert_int_eq(cleat_buffer_byte(&patch, ']'), 0);
            ck_assert_int_eq(apply("{\"a\":[1]}", patch.data, &result, NULL),
                             count > 126 ? -E2BIG : 0);
            cleat_document_unref(result);
        }
    cleat_buffer_fini(&patch);
}
END_TEST

START_TEST(test_pointer_deeper_than_values)
{
    struct cleat_buffer patch = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_document *result = NULL;

    (void)cleat_buffer_text(&patch, "[{\"op\":\"test\",\"value\":1,\"path\":\"");
    for (int i = 0; i < CLEAT_VALUE_DEPTH_MAX + 1; i++)
        (void)cleat_buffer_text(&patch, "/a");
    ck_assert_int_eq(cleat_buffer_text(&patch, "\"}]"), 0);
    ck_assert_int_eq(apply("{}", patch.data, &result, &err), -E2BIG);
    ck_assert_ptr_nonnull(strstr(err.text, "is too deep"));
    cleat_buffer_fini(&patch);
}
END_TEST

/*
 * 10,000 changes of an array of 200,000 elements and of an object of 50,000 members: not a matter
 * of seconds. The bound is far above what it takes and far below what shifting everything would.
 */
static void many_changes(const char *target_text, const char *operation, size_t count_wanted)
{
    struct cleat_buffer patch = CLEAT_BUFFER_INIT(16 * CLEAT_MIB);
    struct cleat_document *result = NULL;

    (void)cleat_buffer_byte(&patch, '[');
    for (int i = 0; i < CLEAT_PATCH_OPERATIONS_MAX; i++) {
        (void)cleat_buffer_text(&patch, i ? "," : "");
        for (const char *c = operation; *c; c++) /* # is the operation's number */
            (void)(*c == '#' ? cleat_buffer_format(&patch, "%d", i)
                             : cleat_buffer_byte(&patch, *c));
    }
    ck_assert_int_eq(cleat_buffer_byte(&patch, ']'), 0);
    ck_assert_int_eq(apply(target_text, patch.data, &result, NULL), 0);
    ck_assert_uint_eq(cleat_value_count(cleat_document_root(result)), count_wanted);
    cleat_document_unref(result);
    cleat_buffer_fini(&patch);
}

START_TEST(test_many_changes_of_a_large_array)
{
    const size_t count = 200000;
    char *text = malloc(2 * count + 2);

    for (size_t i = 0; i < count; i++)
        memcpy(text + 2 * i, i ? ",7" : "[7", 2);
    memcpy(text + 2 * count, "]", 2);
    many_changes(text, "{\"op\":\"add\",\"path\":\"/0\",\"value\":#}", count + 10000);
    many_changes(text, "{\"op\":\"add\",\"path\":\"/100000\",\"value\":#}", count + 10000);
    many_changes(text, "{\"op\":\"remove\",\"path\":\"/0\"}", count - 10000);
    many_changes(text, "{\"op\":\"remove\",\"path\":\"/150000\"}", count - 10000);
    many_changes(text, "{\"op\":\"move\",\"from\":\"/0\",\"path\":\"/-\"}", count);
    many_changes(text, "{\"op\":\"replace\",\"path\":\"/#\",\"value\":[]}", count);
    many_changes(text, "{\"op\":\"test\",\"path\":\"/#\",\"value\":7}", count);
    free(text);
}
END_TEST

START_TEST(test_many_changes_of_a_large_object)
{
    const size_t count = 50000;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(4 * CLEAT_MIB);

    for (size_t i = 0; i < count; i++)
        (void)cleat_buffer_format(&text, "%s\"key%zu\":{\"a\":[]}", i ? "," : "{", i);
    ck_assert_int_eq(cleat_buffer_byte(&text, '}'), 0);
    many_changes(text.data, "{\"op\":\"add\",\"path\":\"/new#\",\"value\":#}", count + 10000);
    many_changes(text.data, "{\"op\":\"add\",\"path\":\"/key#\",\"value\":#}", count);
    many_changes(text.data, "{\"op\":\"remove\",\"path\":\"/key#\"}", count - 10000);
    many_changes(text.data, "{\"op\":\"add\",\"path\":\"/key#/a/-\",\"value\":#}", count);
    many_changes(text.data, "{\"op\":\"move\",\"from\":\"/key#\",\"path\":\"/new#\"}", count);
    many_changes(text.data, "{\"op\":\"move\",\"from\":\"/key1\",\"path\":\"/key1\"}", count);
    cleat_buffer_fini(&text);
}
END_TEST

/* Elements in their right order through splits and drops of the tree's chunks: against a plain
 * array. */
START_TEST(test_random_places_of_an_array)
{
    enum { COUNT = 3000 };
    static int model[2 * COUNT];
    size_t length = 0;
    unsigned state = 12345;
    struct cleat_buffer patch = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_document *result = NULL;

    (void)cleat_buffer_byte(&patch, '[');
    for (int i = 0; i < 2 * COUNT; i++) {
        size_t at;
        state = state * 1103515245u + 12345u;
        (void)cleat_buffer_text(&patch, i ? "," : "");
        if (length > 0 && (state >> 16) % 3 == 0) {
            at = (state >> 18) % length;
            memmove(model + at, model + at + 1, (--length - at) * sizeof(model[0]));
            (void)cleat_buffer_format(&patch, "{\"op\":\"remove\",\"path\":\"/%zu\"}", at);
        } else {
            at = (state >> 18) % (length + 1);
            memmove(model + at + 1, model + at, (length++ - at) * sizeof(model[0]));
            model[at] = i;
            (void)cleat_buffer_format(&patch, "{\"op\":\"add\",\"path\":\"/%zu\",\"value\":%d}", at,
                                      i);
        }
    }
    ck_assert_int_eq(cleat_buffer_byte(&patch, ']'), 0);
    ck_assert_int_eq(apply("[]", patch.data, &result, NULL), 0);
    ck_assert_uint_eq(cleat_value_count(cleat_document_root(result)), length);
    for (size_t i = 0; i < length; i++)
        ck_assert_int_eq(cleat_value_int_or(cleat_value_at(cleat_document_root(result), i), -1),
                         model[i]);
    cleat_document_unref(result);
    cleat_buffer_fini(&patch);
}
END_TEST

/* Names that come and go, so that an object's index and gaps are used: against a plain table. */
START_TEST(test_random_members_of_an_object)
{
    enum { NAMES = 60 };
    int model[NAMES];
    unsigned state = 777;
    struct cleat_buffer patch = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_document *result = NULL;
    size_t count = 0;

    for (int i = 0; i < NAMES; i++)
        model[i] = -1;
    (void)cleat_buffer_byte(&patch, '[');
    for (int i = 0; i < 5000; i++) {
        int name;
        state = state * 1103515245u + 12345u;
        name = (int)((state >> 16) % NAMES);
        (void)cleat_buffer_text(&patch, i ? "," : "");
        if (model[name] >= 0 && (i / 500 % 2 == 1 || (state >> 24) % 2)) {
            model[name] = -1;
            (void)cleat_buffer_format(&patch, "{\"op\":\"remove\",\"path\":\"/n%d\"}", name);
        } else {
            model[name] = i;
            (void)cleat_buffer_format(&patch, "{\"op\":\"add\",\"path\":\"/n%d\",\"value\":%d}",
                                      name, i);
        }
    }
    ck_assert_int_eq(cleat_buffer_byte(&patch, ']'), 0);
    ck_assert_int_eq(apply("{}", patch.data, &result, NULL), 0);
    for (int i = 0; i < NAMES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%d", i);
        ck_assert_int_eq(cleat_value_int_or(cleat_value_get(cleat_document_root(result), name), -1),
                         model[i]);
        count += model[i] >= 0;
    }
    ck_assert_uint_eq(cleat_value_count(cleat_document_root(result)), count);
    cleat_document_unref(result);
    cleat_buffer_fini(&patch);
}
END_TEST

/* A target with holes: nothing of a hole is guessed, and no document is made with one. */
START_TEST(test_not_kept)
{
    static const struct {
        const char *patch;
        const char *part; /* of the message; NULL: it works */
    } rows[] = {
        {"[{\"op\":\"add\",\"path\":\"/m/f/x\",\"value\":1}]",
         "leads into what the projection didn't keep"},
        {"[{\"op\":\"test\",\"path\":\"/m/f\",\"value\":1}]",
         "leads into what the projection didn't keep"},
        {"[{\"op\":\"test\",\"path\":\"/m/f/x\",\"value\":1}]",
         "leads into what the projection didn't keep"},
        {"[{\"op\":\"copy\",\"from\":\"/m\",\"path\":\"/n\"}]",
         "holds what the projection didn't keep"},
        {"[{\"op\":\"copy\",\"from\":\"/m/f/x\",\"path\":\"/n\"}]",
         "leads into what the projection didn't keep"},
        {"[]", ""},
        {"[{\"op\":\"move\",\"from\":\"/m/f\",\"path\":\"/n\"}]", ""},
        {"[{\"op\":\"remove\",\"path\":\"/m/f\"}]", NULL},
        {"[{\"op\":\"replace\",\"path\":\"/m/f\",\"value\":3}]", NULL},
    };
    struct cleat_heap *arena = NULL;
    struct cleat_value target;

    ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
    target = json_holes(arena, "{\"m\":{\"f\":\"" JSON_DROPPED "\",\"g\":1}}");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_document *patch = json_document(rows[i].patch), *result = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        int r = cleat_patch_apply(target, cleat_document_root(patch), &result, &err);
        ck_assert_msg(r == (rows[i].part ? -EINVAL : 0), "%s: %d %s", rows[i].patch, r, err.text);
        if (rows[i].part)
            ck_assert_msg(strstr(err.text, rows[i].part) != NULL, "%s: %s", rows[i].patch,
                          err.text);
        cleat_document_unref(result);
        cleat_document_unref(patch);
    }
    cleat_heap_free(arena);
}
END_TEST

START_TEST(test_merge_not_kept)
{
    static const struct {
        const char *patch;
        int r;
    } rows[] = {
        {"{\"m\":{\"f\":{\"x\":1}}}", -EINVAL},
        {"{\"m\":{\"f\":{}}}", -EINVAL},
        {"{\"m\":{\"g\":2}}", -EINVAL},
        {"{\"m\":{\"f\":null}}", 0},
        {"{\"m\":{\"f\":[1]}}", 0},
        {"{\"m\":null}", 0},
    };
    struct cleat_heap *arena = NULL;
    struct cleat_value target;

    ck_assert_int_eq(cleat_arena_new(CLEAT_MIB, &arena), 0);
    target = json_holes(arena, "{\"m\":{\"f\":\"" JSON_DROPPED "\",\"g\":1}}");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cleat_document *patch = json_document(rows[i].patch), *result = NULL;
        ck_assert_msg(cleat_patch_merge(target, cleat_document_root(patch), &result, NULL) ==
                          rows[i].r,
                      "%s", rows[i].patch);
        cleat_document_unref(result);
        cleat_document_unref(patch);
    }
    cleat_heap_free(arena);
}
END_TEST

START_TEST(test_absent)
{
    struct cleat_document *patch = json_document("[]"), *result = NULL;

    ck_assert_int_eq(cleat_patch_apply(CLEAT_VALUE_NONE, cleat_document_root(patch), &result, NULL),
                     -EINVAL);
    ck_assert_int_eq(cleat_patch_apply(cleat_document_root(patch), CLEAT_VALUE_NONE, &result, NULL),
                     -EINVAL);
    ck_assert_int_eq(cleat_patch_merge(CLEAT_VALUE_NONE, cleat_document_root(patch), &result, NULL),
                     -EINVAL);
    ck_assert_int_eq(cleat_patch_merge(cleat_document_root(patch), CLEAT_VALUE_NONE, &result, NULL),
                     -EINVAL);
    ck_assert_ptr_null(result);
    cleat_document_unref(patch);
}
END_TEST

/* Values of a pool: short strings, packed ones and shared nodes as target and as patch. */
START_TEST(test_pool)
{
    struct cleat_heap *pool = NULL;
    struct cleat_document *result = NULL;
    struct cleat_value target, patch;

    ck_assert_int_eq(cleat_pool_new(16 * CLEAT_MIB, &pool), 0);
    target =
        json_holes(pool, "{\"a\":{\"k\":[1,2]},\"b\":{\"k\":[1,2]},"
                         "\"uid\":\"b7e9c1d2-1111-4222-8333-0123456789ab\",\"ip\":\"10.0.0.1\"}");
    patch = json_holes(pool, "[{\"op\":\"add\",\"path\":\"/a/k/-\",\"value\":3},"
                             "{\"op\":\"copy\",\"from\":\"/uid\",\"path\":\"/u\"},"
                             "{\"op\":\"move\",\"from\":\"/ip\",\"path\":\"/i\"}]");
    ck_assert_int_eq(cleat_patch_apply(target, patch, &result, NULL), 0);
    cleat_heap_free(pool); /* the result shares nothing with it */
    json_check(cleat_document_root(result),
               "{\"a\":{\"k\":[1,2,3]},\"b\":{\"k\":[1,2]},"
               "\"uid\":\"b7e9c1d2-1111-4222-8333-0123456789ab\","
               "\"u\":\"b7e9c1d2-1111-4222-8333-0123456789ab\",\"i\":\"10.0.0.1\"}");
    cleat_document_unref(result);
}
END_TEST

struct sweep {
    struct cleat_document *target;
    struct cleat_document *patch;
    struct cleat_document *merge;
};

static int sweep_apply(void *arg)
{
    struct sweep *sweep = arg;
    struct cleat_document *result = NULL;
    int r = cleat_patch_apply(cleat_document_root(sweep->target), cleat_document_root(sweep->patch),
                              &result, NULL);

    ck_assert(r == 0 || !result);
    cleat_document_unref(result);
    return r;
}

static int sweep_merge(void *arg)
{
    struct sweep *sweep = arg;
    struct cleat_document *result = NULL;
    int r = cleat_patch_merge(cleat_document_root(sweep->target), cleat_document_root(sweep->merge),
                              &result, NULL);

    ck_assert(r == 0 || !result);
    cleat_document_unref(result);
    return r;
}

START_TEST(test_out_of_memory)
{
    struct sweep sweep = {
        json_document(
            "{\"a\":{\"b\":[1,2,3,4,5,6,7,8,9,10]},\"l\":{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,"
            "\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":1,\"k\":2,\"l\":3,\"m\":4,\"n\":5,\"o\":6}}"),
        json_document("[{\"op\":\"add\",\"path\":\"/a/b/-\",\"value\":[1]},"
                      "{\"op\":\"add\",\"path\":\"/l/x~1y\",\"value\":{\"a\":{}}},"
                      "{\"op\":\"add\",\"path\":\"/l/p\",\"value\":\"a string\"},"
                      "{\"op\":\"move\",\"from\":\"/a/b/3\",\"path\":\"/l/q\"},"
                      "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"},"
                      "{\"op\":\"test\",\"path\":\"/l/q\",\"value\":4},"
                      "{\"op\":\"remove\",\"path\":\"/l/a\"},"
                      "{\"op\":\"replace\",\"path\":\"/l/b\",\"value\":\"another string\"}]"),
        json_document(
            "{\"a\":{\"b\":null,\"n\":{\"x\":{\"y\":\"a string\"}}},\"l\":{\"a\":null,\"x\":2,"
            "\"y\":[1,2],\"z\":3}}"),
    };

    ck_assert_uint_ge(cleat_chaos_sweep_tolerant(sweep_apply, &sweep), 10);
    ck_assert_uint_ge(cleat_chaos_sweep_tolerant(sweep_merge, &sweep), 5);
    cleat_document_unref(sweep.target);
    cleat_document_unref(sweep.patch);
    cleat_document_unref(sweep.merge);
}
END_TEST

CLEAT_SUITE_MAIN("patch", test_cases, test_numbers, test_operations_maximum, test_copy_bomb,
                 test_copy_budget_is_exact, test_depth, test_depth_that_shrank,
                 test_depth_built_step_by_step, test_pointer_deeper_than_values,
                 test_many_changes_of_a_large_array, test_many_changes_of_a_large_object,
                 test_random_places_of_an_array, test_random_members_of_an_object, test_not_kept,
                 test_merge_not_kept, test_absent, test_pool, test_out_of_memory)
