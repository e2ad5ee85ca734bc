/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/condition.h>
#include <cleat/path.h>
#include <cleat/write.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "kube_document.h"
#include "support/fake_clock.h"
#include "support/suite.h"

#define T1 "2026-01-02T03:04:05Z"
#define T1_MS 1767323045000
#define T2 "2026-01-02T04:04:05Z"
#define T2_MS (T1_MS + 3600000)

static struct cleat_fake_clock fake;
static struct cleat_draft *draft;

static void start(const char *json)
{
    static struct cleat_document *document;
    draft = cleat_draft_free(draft);
    document = cleat_document_unref(document);
    document = document_of(json);
    cleat_fake_clock_init(&fake);
    cleat_fake_clock_set_wall_ms(&fake, T1_MS);
    ck_assert_int_eq(cleat_draft_new(cleat_document_root(document), &draft, NULL), 0);
}

static int set(const char *type, const char *status, const char *reason, const char *message,
               int64_t generation)
{
    struct cleat_condition condition = {type, status, reason, message, generation};
    return cleat_condition_set(draft, &condition, &fake.clock, NULL);
}

static bool conditions_are(const char *json)
{
    struct cleat_document *document = document_of(json);
    struct cleat_value conditions = cleat_value_find(cleat_draft_value(draft), "status.conditions");
    bool same = cleat_value_equal(conditions, cleat_document_root(document));
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1u << 16);
    if (!same && cleat_write_json(&buffer, conditions, NULL) == 0)
        fprintf(stderr, "got %s\n", buffer.data);
    cleat_buffer_fini(&buffer);
    cleat_document_unref(document);
    return same;
}

#define READY(status, time, reason, message, rest)                                            \
    "{'type':'Ready','status':'" status "','lastTransitionTime':'" time "','reason':'" reason \
    "','message':'" message "'" rest "}"

START_TEST(test_life)
{
    start("{}");
    ck_assert_int_eq(set("Ready", "False", "Starting", "not yet", 1), 0);
    ck_assert(conditions_are(
        "[" READY("False", T1, "Starting", "not yet", ",'observedGeneration':1") "]"));
    cleat_fake_clock_set_wall_ms(&fake, T2_MS);
    ck_assert_int_eq(set("Ready", "False", "Starting", "not yet", 1), 1);
    /* The time stays while the status does. */
    ck_assert_int_eq(set("Ready", "False", "Waiting", NULL, 2), 0);
    ck_assert(conditions_are("[" READY("False", T1, "Waiting", "", ",'observedGeneration':2") "]"));
    ck_assert_int_eq(set("Ready", "True", "Done", "", 0), 0);
    ck_assert(conditions_are("[" READY("True", T2, "Done", "", "") "]"));
    ck_assert_int_eq(set("Ready", "True", "Done", "", 0), 1);
}
END_TEST

START_TEST(test_others_stay)
{
    start("{'status':{'conditions':[{'type':'A','status':'True','x':1},"
          "{'type':'Ready','status':'True','lastTransitionTime':'" T1 "'}],'n':1}}");
    cleat_fake_clock_set_wall_ms(&fake, T2_MS);
    ck_assert_int_eq(set("Ready", "True", "Fine", "m", 0), 0);
    ck_assert(conditions_are(
        "[{'type':'A','status':'True','x':1}," READY("True", T1, "Fine", "m", "") "]"));
    ck_assert_int_eq(set("B", "Unknown", "Why", "m", 0), 0);
    ck_assert_uint_eq(
        cleat_value_count(cleat_value_find(cleat_draft_value(draft), "status.conditions")), 3);
    ck_assert_int_eq(cleat_condition_remove(draft, "Ready", NULL), 0);
    ck_assert_int_eq(cleat_condition_remove(draft, "none", NULL), 0);
    struct cleat_value conditions = cleat_value_find(cleat_draft_value(draft), "status.conditions");
    ck_assert(cleat_value_is_present(cleat_condition_get(conditions, "A")));
    ck_assert(!cleat_value_is_present(cleat_condition_get(conditions, "Ready")));
    ck_assert(
        cleat_value_is(cleat_value_get(cleat_condition_get(conditions, "B"), "status"), "Unknown"));
}
END_TEST

START_TEST(test_repaired)
{
    /* Without a time, or with null for conditions. */
    start(
        "{'status':{'conditions':[{'type':'Ready','status':'True','reason':'R','message':'m'}]}}");
    ck_assert_int_eq(set("Ready", "True", "R", "m", 0), 0);
    ck_assert(conditions_are("[" READY("True", T1, "R", "m", "") "]"));
    start("{'status':{'conditions':null}}");
    ck_assert_int_eq(set("Ready", "True", "R", "m", 0), 0);
    ck_assert(conditions_are("[" READY("True", T1, "R", "m", "") "]"));
}
END_TEST

START_TEST(test_wrong)
{
    static const struct cleat_condition wrong[] = {
        {"", "True", "R", "", 0},    {NULL, "True", "R", "", 0},       {"A", "true", "R", "", 0},
        {"A", NULL, "R", "", 0},     {"A", "True", "", "", 0},         {"A", "True", NULL, "", 0},
        {"A", "True", "1R", "", 0},  {"A", "True", "a b", "", 0},      {"A", "True", "a:", "", 0},
        {"A", "True", "a\n", "", 0}, {"A", "True", "\xc3\xa4", "", 0},
    };
    start("{}");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat_condition_set(draft, &wrong[i], &fake.clock, &err), -EINVAL);
        ck_assert(err.text[0]);
    }
    ck_assert(!cleat_draft_changed(draft));
    ck_assert_int_eq(set("A", "True", "A:b,c_1", "", 0), 0);
}
END_TEST

START_TEST(test_long_message)
{
    size_t length = 40000;
    char *message = cleat_mem_zalloc(length + 1, 1);
    struct cleat_scratch scratch;
    ck_assert_ptr_nonnull(message);
    /* Two bytes each, one of them at the cut. */
    message[0] = 'x';
    for (size_t i = 1; i + 1 < length; i += 2)
        memcpy(message + i, "\xc3\xa4", 2);
    start("{}");
    ck_assert_int_eq(set("A", "True", "R", message, 0), 0);
    struct cleat_str text = cleat_value_text(
        cleat_value_find(cleat_draft_value(draft), "status.conditions[0].message"), &scratch);
    ck_assert_uint_eq(text.length, 32767);
    ck_assert_int_eq(set("A", "True", "R", message, 0), 1);
    cleat_mem_free(message);
}
END_TEST

START_TEST(test_get)
{
    struct cleat_document *document = document_of("{'a':[1,{'type':'X'}],'b':{}}");
    struct cleat_value root = cleat_document_root(document);
    ck_assert(cleat_value_is_present(cleat_condition_get(cleat_value_get(root, "a"), "X")));
    ck_assert(!cleat_value_is_present(cleat_condition_get(cleat_value_get(root, "a"), "Y")));
    ck_assert(!cleat_value_is_present(cleat_condition_get(cleat_value_get(root, "b"), "X")));
    ck_assert(!cleat_value_is_present(cleat_condition_get(CLEAT_VALUE_NONE, "X")));
    cleat_document_unref(document);
}
END_TEST

CLEAT_SUITE_MAIN("condition", test_life, test_others_stay, test_repaired, test_wrong,
                 test_long_message, test_get)
