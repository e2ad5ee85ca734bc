/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <cleat/projection.h>
#include "support/chaos.h"
#include "support/suite.h"
#include "unit/value/json.h"

#define PATHS_MAX 4

/* "default", "all", "metadata", or paths separated by spaces. */
static struct cleat_projection *projection_of(const char *text)
{
    struct cleat_projection *projection = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    char copy[256], *save = NULL;
    const char *paths[PATHS_MAX];
    size_t count = 0;
    int r;
    if (strcmp(text, "default") == 0) {
        r = cleat_projection_default(&projection);
    } else if (strcmp(text, "all") == 0) {
        r = cleat_projection_all(&projection);
    } else if (strcmp(text, "metadata") == 0) {
        r = cleat_projection_metadata(&projection);
    } else {
        strncpy(copy, text, sizeof(copy) - 1);
        copy[sizeof(copy) - 1] = '\0';
        for (char *path = strtok_r(copy, " ", &save); path; path = strtok_r(NULL, " ", &save))
            paths[count++] = path;
        r = cleat_projection_paths(paths, count, &projection, &err);
    }
    ck_assert_msg(r == 0, "%s: %s", text, err.text);
    return projection;
}

static bool keeps(const struct cleat_projection *projection, const char *text)
{
    struct cleat_path path;
    ck_assert_int_eq(cleat_path_parse(text, &path, NULL), 0);
    return cleat_projection_keeps(projection, &path);
}

static const struct {
    const char *projection, *path;
    bool keeps;
} kept[] = {
    {"all", "metadata.managedFields", true},
    {"all", "", true},
    {"default", "metadata.managedFields", false},
    {"default", "metadata.managedFields[0].manager", false},
    {"default", "metadata.labels.managedFields", true},
    {"default", "managedFields", true},
    {"default", "spec.containers[3].image", true},
    {"default", "metadata", true},
    {"metadata", "metadata.labels.x", true},
    {"metadata", "metadata.managedFields", false},
    {"metadata", "kind", true},
    {"metadata", "apiVersion", true},
    {"metadata", "spec", false},
    {"metadata", "", false},
    {"spec.a", "spec.a.b[0].c", true},
    {"spec.a", "spec", false},
    {"spec.a", "spec.b", false},
    {"spec.a", "metadata.name", true},
    {"spec.a", "metadata.namespace", true},
    {"spec.a", "metadata.uid", true},
    {"spec.a", "metadata.resourceVersion", true},
    {"spec.a", "metadata.labels", false},
    {"spec.a", "kind", true},
    {"spec.l[*].x", "spec.l[7].x", true},
    {"spec.l[*].x", "spec.l[*].x.y", true},
    {"spec.l[*].x", "spec.l[7].y", false},
    {"spec.l[*].x", "spec.l[7]", false},
    {"spec.l[*].x", "spec.l.x", false},
    {"spec spec.a", "spec.b", true},
    {"spec.a spec", "spec.b", true},
    {"metadata", "metadata.name", true},
    {"metadata.managedFields", "metadata.managedFields[0].x", true},
};

START_TEST(test_keeps)
{
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        struct cleat_projection *projection = projection_of(kept[i].projection);
        ck_assert_msg(keeps(projection, kept[i].path) == kept[i].keeps, "%s: %s",
                      kept[i].projection, kept[i].path);
        cleat_projection_unref(projection);
    }
    ck_assert(keeps(NULL, "metadata.managedFields"));
}
END_TEST

static const struct {
    const char *a, *b;
    bool covers, back; /* whether a covers b, and b covers a */
} covered[] = {
    {"all", "default", true, false},
    {"default", "metadata", true, false},
    {"default", "spec.a", true, false},
    {"default", "metadata.managedFields", false, false},
    {"metadata", "metadata.labels", true, false},
    {"spec", "spec.a", true, false},
    {"spec.a", "spec.b", false, false},
    {"spec.a spec.b", "spec.b", true, false},
    {"spec.l[*]", "spec.l[*].x", true, false},
    {"spec.l", "spec.l[*]", true, false}, /* the list may be no list: then [*] keeps less */
    {"spec.l[*].x", "spec.l[*].y", false, false},
    {"spec.a spec.b", "spec.b spec.a", true, true},
    {"default", "default", true, true},
    {"metadata.name", "kind", true, true}, /* what is always kept adds nothing */
};

START_TEST(test_covers)
{
    for (size_t i = 0; i < sizeof(covered) / sizeof(covered[0]); i++) {
        struct cleat_projection *a = projection_of(covered[i].a), *b = projection_of(covered[i].b);
        ck_assert_msg(cleat_projection_covers(a, b) == covered[i].covers, "%s, %s", covered[i].a,
                      covered[i].b);
        ck_assert_msg(cleat_projection_covers(b, a) == covered[i].back, "%s, %s", covered[i].b,
                      covered[i].a);
        ck_assert(cleat_projection_covers(a, a));
        ck_assert(cleat_projection_covers(NULL, a));
        cleat_projection_unref(a);
        cleat_projection_unref(b);
    }
}
END_TEST

/* A union covers both, and keeps of each path what either does. */
START_TEST(test_union)
{
    for (size_t i = 0; i < sizeof(covered) / sizeof(covered[0]); i++) {
        struct cleat_projection *a = projection_of(covered[i].a), *b = projection_of(covered[i].b);
        struct cleat_projection *both = NULL;
        ck_assert_int_eq(cleat_projection_union(a, b, &both), 0);
        ck_assert(cleat_projection_covers(both, a));
        ck_assert(cleat_projection_covers(both, b));
        ck_assert_int_eq(cleat_projection_covers(a, both), covered[i].covers);
        for (size_t j = 0; j < sizeof(kept) / sizeof(kept[0]); j++)
            ck_assert_int_eq(keeps(both, kept[j].path),
                             keeps(a, kept[j].path) || keeps(b, kept[j].path));
        cleat_projection_unref(a);
        cleat_projection_unref(b);
        cleat_projection_unref(both);
    }
}
END_TEST

START_TEST(test_wrong_paths)
{
    static const char *const paths[] = {"spec.l[0]", "spec..a", "[", "a[1].b"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct cleat_projection *projection = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        const char *both[] = {"spec.fine", paths[i]};
        ck_assert_int_eq(cleat_projection_paths(both, 2, &projection, &err), -EINVAL);
        ck_assert_ptr_null(projection);
        ck_assert_ptr_nonnull(strstr(err.text, paths[i]));
    }
}
END_TEST

START_TEST(test_count)
{
    struct cleat_projection *projection = projection_of("spec.a");
    ck_assert_ptr_eq(cleat_projection_ref(projection), projection);
    ck_assert_ptr_null(cleat_projection_unref(projection));
    ck_assert(keeps(projection, "spec.a"));
    cleat_projection_unrefp(&projection);
    ck_assert_ptr_null(projection);
    ck_assert_ptr_null(cleat_projection_unref(NULL));
}
END_TEST

static int projection_sweep(void *arg)
{
    static const char *const paths[] = {"spec.l[*].x", "status.a.b", "metadata.labels[\"q\"]"};
    struct cleat_projection *a = NULL, *b = NULL, *both = NULL;
    (void)arg;
    int r = cleat_projection_paths(paths, 3, &a, NULL);
    if (r == 0)
        r = cleat_projection_metadata(&b);
    if (r == 0)
        r = cleat_projection_union(a, b, &both);
    cleat_projection_unref(a);
    cleat_projection_unref(b);
    cleat_projection_unref(both);
    return r;
}

START_TEST(test_out_of_memory)
{
    ck_assert_uint_gt(cleat_chaos_sweep(projection_sweep, NULL), 20);
}
END_TEST

CLEAT_SUITE_MAIN("projection", test_keeps, test_covers, test_union, test_wrong_paths, test_count,
                 test_out_of_memory)
