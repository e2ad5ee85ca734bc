/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/condition.h>

#include "kinds/mirror/status.h"
#include "fixture.h"
#include "support/fake_clock.h"
#include "support/suite.h"

static struct mirror_tally tally;

static struct cleat_draft *written(const struct cleat_object *object)
{
    struct cleat_fake_clock clock;
    struct cleat_draft *draft = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    cleat_fake_clock_init(&clock);
    ck_assert_int_eq(cleat_draft_new(cleat_object_value(object), &draft, NULL), 0);
    ck_assert_msg(cleat__mirror_status_write(&tally, object, &clock.clock, draft, &err) == 0, "%s",
                  err.text);
    return draft;
}

static struct cleat_value condition(struct cleat_draft *draft, const char *type)
{
    return cleat_condition_get(cleat_value_find(cleat_draft_value(draft), "status.conditions"),
                               type);
}

/* Of what is found in namespaces the worst counts, and what is wrong as a whole above it. */
START_TEST(test_reasons)
{
    static const enum mirror_reason order[] = {MIRROR_PROGRESSING, MIRROR_REFUSED, MIRROR_CONFLICT,
                                               MIRROR_FAILED};
    tally = (struct mirror_tally){0};
    ck_assert(cleat__mirror_tally_reason(&tally) == MIRROR_SYNCED);
    for (size_t i = 0; i < 4; i++) {
        cleat__mirror_tally_fail(&tally, CLEAT_STR("ci"), order[i], "x");
        ck_assert(cleat__mirror_tally_reason(&tally) == order[i]);
    }
    cleat__mirror_tally_fail(&tally, CLEAT_STR("ci"), MIRROR_PROGRESSING, "x");
    ck_assert(cleat__mirror_tally_reason(&tally) == MIRROR_FAILED);
    cleat__mirror_tally_whole(&tally, MIRROR_SOURCE_MISSING, false, "y");
    ck_assert(cleat__mirror_tally_reason(&tally) == MIRROR_SOURCE_MISSING);
    cleat__mirror_tally_whole(&tally, MIRROR_KIND_UNKNOWN, true, "z");
    cleat__mirror_tally_whole(&tally, MIRROR_FORBIDDEN, true, "less");
    ck_assert(cleat__mirror_tally_reason(&tally) == MIRROR_KIND_UNKNOWN);
    ck_assert_str_eq(tally.whole_message, "z");
}
END_TEST

START_TEST(test_synced)
{
    struct cleat_object *object = fixture_mirror("{" FIXTURE_SOURCE "}");
    tally = (struct mirror_tally){.desired = 2, .ready = 2, .judged = true};
    (void)snprintf(tally.source_version, sizeof(tally.source_version), "4711");
    struct cleat_draft *draft = written(object);
    struct cleat_value root = cleat_draft_value(draft);
    ck_assert_int_eq(cleat_value_int_or(cleat_value_find(root, "status.observedGeneration"), 0), 3);
    ck_assert_int_eq(cleat_value_int_or(cleat_value_find(root, "status.desired"), 0), 2);
    ck_assert_int_eq(cleat_value_int_or(cleat_value_find(root, "status.ready"), 0), 2);
    ck_assert(cleat_value_is(cleat_value_find(root, "status.sourceResourceVersion"), "4711"));
    ck_assert(!cleat_value_is_present(cleat_value_find(root, "status.failures")));
    ck_assert(cleat_value_is(cleat_value_get(condition(draft, "Ready"), "status"), "True"));
    ck_assert(!cleat_value_is_present(condition(draft, "Stalled")));
    cleat_draft_free(draft);
    cleat_object_unref(object);
}
END_TEST

START_TEST(test_failures)
{
    struct cleat_object *object = fixture_mirror("{" FIXTURE_SOURCE "}");
    tally = (struct mirror_tally){.desired = 12, .judged = true};
    for (int i = 0; i < 12; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "ns-%02d", i);
        cleat__mirror_tally_fail(&tally, cleat_str_of(name), MIRROR_CONFLICT, "odd \"%d\"\n", i);
    }
    struct cleat_draft *draft = written(object);
    struct cleat_value failures = cleat_value_find(cleat_draft_value(draft), "status.failures");
    ck_assert_uint_eq(cleat_value_count(failures), MIRROR_FAILURES_MAX);
    ck_assert(cleat_value_is(cleat_value_find(failures, "[9].namespace"), "ns-09"));
    ck_assert(cleat_value_is(cleat_value_find(failures, "[9].message"), "odd \"9\"\n"));
    ck_assert(cleat_value_is(cleat_value_find(failures, "[0].reason"), "Conflict"));
    ck_assert(cleat_value_is(cleat_value_get(condition(draft, "Ready"), "reason"), "Conflict"));
    ck_assert(cleat_value_is(cleat_value_get(condition(draft, "Stalled"), "status"), "True"));
    cleat_draft_free(draft);
    cleat_object_unref(object);
}
END_TEST

/* What wasn't judged keeps its counts; what isn't acted on doesn't claim its generation. */
START_TEST(test_not_observed)
{
    struct cleat_object *object = fixture_object(
        "{'metadata':{'name':'web','generation':4},'status':{'observedGeneration':3,'desired':7,"
        "'conditions':[{'type':'Stalled','status':'True','reason':'Conflict','message':'',"
        "'lastTransitionTime':'2026-01-01T00:00:00Z'}]}}");
    tally = (struct mirror_tally){.not_observed = true};
    cleat__mirror_tally_whole(&tally, MIRROR_PROGRESSING, false, "waits");
    struct cleat_draft *draft = written(object);
    struct cleat_value root = cleat_draft_value(draft);
    ck_assert_int_eq(cleat_value_int_or(cleat_value_find(root, "status.observedGeneration"), 0), 3);
    ck_assert_int_eq(cleat_value_int_or(cleat_value_find(root, "status.desired"), 0), 7);
    ck_assert(cleat_value_is(cleat_value_get(condition(draft, "Ready"), "message"), "waits"));
    ck_assert(!cleat_value_is_present(condition(draft, "Stalled")));
    cleat_draft_free(draft);
    cleat_object_unref(object);
}
END_TEST

START_TEST(test_messages)
{
    char text[1024], small[16];
    tally = (struct mirror_tally){.desired = 3,
                                  .ready = 1,
                                  .judged = true,
                                  .absent = 1,
                                  .terminating = 2,
                                  .refusing = 1,
                                  .unserved = 2,
                                  .missing_keys = "a, b"};
    cleat__mirror_tally_fail(&tally, CLEAT_STR("ci"), MIRROR_FAILED, "quota");
    cleat__mirror_tally_message(&tally, text, sizeof(text));
    ck_assert_str_eq(text,
                     "1 of 3 copies are true; 1 Failed; ci: quota; 1 namespace refuses copies; the "
                     "source isn't allowed in 2 selected namespaces; 1 named namespace doesn't "
                     "exist; 2 namespaces are being deleted; the source lacks: a, b");
    cleat__mirror_tally_message(&tally, small, sizeof(small));
    ck_assert_str_eq(small, "1 of 3 copies a");
}
END_TEST

static const struct {
    size_t copied, repaired, removed;
    enum mirror_reason reason;
    const char *previous;
    const char *event; /* NULL: none */
    bool warning;
} events[] = {
    {0, 0, 0, MIRROR_SYNCED, "Synced", NULL, false},
    {3, 0, 0, MIRROR_SYNCED, "", "Copied", false},
    {3, 1, 0, MIRROR_SYNCED, "Synced", "Repaired", false},
    {0, 0, 2, MIRROR_SYNCED, "Synced", "Removed", false},
    {0, 0, 0, MIRROR_CONFLICT, "Synced", "Conflict", true},
    {0, 0, 0, MIRROR_CONFLICT, "Conflict", NULL, false},
    {1, 0, 0, MIRROR_CONFLICT, "Conflict", "Copied", false},
    {0, 0, 0, MIRROR_SOURCE_MISSING, "Synced", "SourceMissing", true},
    {1, 0, 0, MIRROR_FAILED, "Synced", "Failed", true},
    {0, 0, 0, MIRROR_REFUSED, "Synced", NULL, false},
};

START_TEST(test_events)
{
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        char note[1024];
        bool warning = false;
        tally = (struct mirror_tally){.copied = events[i].copied,
                                      .repaired = events[i].repaired,
                                      .removed = events[i].removed,
                                      .first = "ci"};
        cleat__mirror_tally_whole(&tally, events[i].reason, false, "words");
        const char *event = cleat__mirror_tally_event(&tally, cleat_str_of(events[i].previous),
                                                      &warning, note, sizeof(note));
        ck_assert_msg(event && events[i].event ? strcmp(event, events[i].event) == 0
                                               : event == events[i].event,
                      "%zu: %s", i, event ? event : "none");
        ck_assert(warning == events[i].warning);
        ck_assert(!event || note[0]);
    }
}
END_TEST

CLEAT_SUITE_MAIN("mirror status", test_reasons, test_synced, test_failures, test_not_observed,
                 test_messages, test_events)
