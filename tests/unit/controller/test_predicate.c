/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <cleat/predicate.h>

#include "support/suite.h"

static struct cleat_object *object_of(const char *json)
{
    struct cleat_object *object = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_object_parse(cleat_str_of(json), &object, &err) == 0, "%s", err.text);
    return object;
}

#define BASE                                                                              \
    "{\"metadata\":{\"generation\":1,\"resourceVersion\":\"5\",\"labels\":{\"a\":\"b\"}," \
    "\"annotations\":{\"c\":\"d\"}},\"spec\":{\"n\":1}}"

START_TEST(test_what_differs)
{
    enum { GENERATION = 1, VERSION = 2, LABELS = 4, ANNOTATIONS = 8, SPEC = 16 };
    static const struct cleat_predicate *const predicates[] = {
        &cleat_predicate_generation_changed, &cleat_predicate_resource_version_changed,
        &cleat_predicate_labels_changed, &cleat_predicate_annotations_changed,
        &cleat_predicate_spec_changed};
    static const struct {
        const char *now;
        unsigned passes;
    } cases[] = {
        {BASE, 0},
        {"{\"metadata\":{\"generation\":2,\"resourceVersion\":\"6\",\"labels\":{\"a\":\"b\"},"
         "\"annotations\":{\"c\":\"d\"}},\"spec\":{\"n\":2}}",
         GENERATION | VERSION | SPEC},
        {"{\"metadata\":{\"generation\":1,\"resourceVersion\":\"6\",\"labels\":{\"a\":\"x\"},"
         "\"annotations\":{\"c\":\"d\"}},\"spec\":{\"n\":1.0}}",
         VERSION | LABELS},
        {"{\"metadata\":{\"generation\":1,\"resourceVersion\":\"6\",\"labels\":{\"a\":\"b\"}},"
         "\"spec\":{\"n\":1}}",
         VERSION | ANNOTATIONS},
        {"{\"metadata\":{},\"spec\":{\"n\":1}}", GENERATION | VERSION | LABELS | ANNOTATIONS},
    };
    struct cleat_object *old = object_of(BASE);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_object *now = object_of(cases[i].now);
        struct cleat_event event = {.type = CLEAT_EVENT_UPDATED, .old_object = old, .object = now};
        for (size_t p = 0; p < 5; p++)
            ck_assert_msg(cleat_predicate_test(predicates[p], &event) ==
                              ((cases[i].passes >> p & 1) != 0),
                          "case %zu, predicate %zu", i, p);
        /* Whatever isn't an update passes, */
        event.type = CLEAT_EVENT_ADDED;
        for (size_t p = 0; p < 5; p++)
            ck_assert(cleat_predicate_test(predicates[p], &event));
        event.type = CLEAT_EVENT_DELETED;
        for (size_t p = 0; p < 5; p++)
            ck_assert(cleat_predicate_test(predicates[p], &event));
        /* and an update with one state alone. */
        event.type = CLEAT_EVENT_UPDATED;
        event.old_object = NULL;
        for (size_t p = 0; p < 5; p++)
            ck_assert(cleat_predicate_test(predicates[p], &event));
        now = cleat_object_unref(now);
    }
    old = cleat_object_unref(old);
}
END_TEST

START_TEST(test_resyncs_are_dropped)
{
    struct cleat_object *object = object_of(BASE);
    const struct cleat_event event = {
        .type = CLEAT_EVENT_RESYNC, .old_object = object, .object = object};
    ck_assert(!cleat_predicate_test(&cleat_predicate_resource_version_changed, &event));
    ck_assert(!cleat_predicate_test(&cleat_predicate_generation_changed, &event));
    ck_assert(!cleat_predicate_test(&cleat_predicate_spec_changed, &event));
    ck_assert(cleat_predicate_test(NULL, &event));
    object = cleat_object_unref(object);
}
END_TEST

static bool counting(const struct cleat_predicate *self, const struct cleat_event *event)
{
    unsigned *count = (unsigned *)(uintptr_t)self->arg;
    return ++*count > 1000;
}

static bool yes(const struct cleat_predicate *self, const struct cleat_event *event)
{
    return true;
}

START_TEST(test_combinations_stop_early)
{
    unsigned asked = 0;
    const struct cleat_predicate no = {counting, NULL, &asked}, si = {yes, NULL, NULL};
    const struct cleat_predicate *const no_si[] = {&no, &si, NULL};
    const struct cleat_predicate *const si_no[] = {&si, &no, NULL};
    const struct cleat_predicate *const only_no[] = {&no, NULL};
    const struct cleat_predicate *const none[] = {NULL};
    const struct cleat_event event = {.type = CLEAT_EVENT_ADDED};
    struct cleat_predicate and = cleat_predicate_and(no_si), or = cleat_predicate_or(si_no);
    ck_assert(!cleat_predicate_test(&and, &event));
    ck_assert_uint_eq(asked, 1);
    ck_assert(cleat_predicate_test(& or, &event));
    ck_assert_uint_eq(asked, 1);
    and = cleat_predicate_and(si_no);
    ck_assert(!cleat_predicate_test(&and, &event));
    or = cleat_predicate_or(only_no);
    ck_assert(!cleat_predicate_test(& or, &event));
    struct cleat_predicate not = cleat_predicate_not(only_no);
    ck_assert(cleat_predicate_test(&not, &event));
    and = cleat_predicate_and(none);
    or = cleat_predicate_or(none);
    ck_assert(cleat_predicate_test(&and, &event));
    ck_assert(!cleat_predicate_test(& or, &event));
}
END_TEST

START_TEST(test_selector_sees_who_stops_matching)
{
    struct cleat_selector *selector = NULL;
    ck_assert_int_eq(cleat_selector_parse(CLEAT_STR("a=b"), &selector, NULL), 0);
    struct cleat_predicate predicate = cleat_predicate_selector(selector);
    struct cleat_object *in = object_of("{\"metadata\":{\"labels\":{\"a\":\"b\"}}}");
    struct cleat_object *out = object_of("{\"metadata\":{\"labels\":{\"a\":\"c\"}}}");
    const struct {
        struct cleat_object *old, *now;
        bool passes;
    } cases[] = {{in, in, true},   {in, out, true},    {out, in, true},  {out, out, false},
                 {NULL, in, true}, {NULL, out, false}, {in, NULL, true}, {out, NULL, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct cleat_event event = {
            .type = CLEAT_EVENT_UPDATED, .old_object = cases[i].old, .object = cases[i].now};
        ck_assert_msg(cleat_predicate_test(&predicate, &event) == cases[i].passes, "case %zu", i);
    }
    in = cleat_object_unref(in);
    out = cleat_object_unref(out);
    selector = cleat_selector_free(selector);
}
END_TEST

CLEAT_SUITE_MAIN("predicate", test_what_differs, test_resyncs_are_dropped,
                 test_combinations_stop_early, test_selector_sees_who_stops_matching)
