/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cleat/document.h>

#include "base/lock.h"
#include "base/thread.h"
#include "controller/event_book.h"
#include "controller/recorder.h"
#include "support/client_fixture.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/wait.h"

#define NAMESPACED                                                                        \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\"," \
    "\"namespace\":\"team\",\"uid\":\"u1\",\"resourceVersion\":\"5\"}}"
#define CLUSTERED                                                                              \
    "{\"apiVersion\":\"cleat.dev/v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"m\"," \
    "\"uid\":\"u2\",\"resourceVersion\":\"6\"}}"

static struct cleat_object *parse(const char *json)
{
    struct cleat_object *object = NULL;
    ck_assert_int_eq(cleat_object_parse(cleat_str_of(json), &object, NULL), 0);
    return object;
}

static struct cleat_document *write_note(const struct cleat_event_note *note,
                                         const char *namespace_)
{
    const struct recorder_source source = {"cleat", "host", CLEAT_FAKE_CLOCK_WALL_MS, 0xabcdef01u};
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1 << 16);
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_str where = {0};
    char name[CLEAT__EVENT_NAME_BYTES];
    ck_assert_int_eq(cleat__recorder_write(&source, note, &buffer, name, &where), 0);
    ck_assert(cleat_str_is(where, namespace_));
    ck_assert_ptr_nonnull(strstr(buffer.data, name));
    cleat_buffer_byte(&buffer, ',');
    cleat__recorder_write_series(&buffer, 3, CLEAT_FAKE_CLOCK_WALL_MS + 1000);
    cleat_buffer_byte(&buffer, '}');
    ck_assert_msg(cleat_document_parse(cleat_buffer_view(&buffer), &document, &err) == 0, "%s: %s",
                  err.text, buffer.data);
    cleat_buffer_fini(&buffer);
    return document;
}

static void expect(struct cleat_document *document, const char *path, const char *wanted)
{
    struct cleat_scratch scratch;
    struct cleat_str text =
        cleat_value_text(cleat_value_find(cleat_document_root(document), path), &scratch);
    ck_assert_msg(cleat_str_is(text, wanted), "%s is %.*s", path, CLEAT_STR_ARG(text));
}

START_TEST(test_fields)
{
    struct cleat_object *regarding = parse(NAMESPACED), *related = parse(CLUSTERED);
    const struct cleat_event_note note = {
        .regarding = regarding,
        .related = related,
        .warning = true,
        .reason = "Failed",
        .action = "Copying",
        .note = "a \"quoted\" text",
    };
    struct cleat_document *event = write_note(&note, "team");
    static const struct {
        const char *path, *value;
    } fields[] = {
        {"apiVersion", "events.k8s.io/v1"},
        {"kind", "Event"},
        {"metadata.namespace", "team"},
        {"eventTime", "2026-01-02T03:04:05.678000Z"},
        {"reportingController", "cleat"},
        {"reportingInstance", "host"},
        {"action", "Copying"},
        {"reason", "Failed"},
        {"type", "Warning"},
        {"note", "a \"quoted\" text"},
        {"regarding.apiVersion", "apps/v1"},
        {"regarding.kind", "Deployment"},
        {"regarding.namespace", "team"},
        {"regarding.name", "web"},
        {"regarding.uid", "u1"},
        {"regarding.resourceVersion", "5"},
        {"series.lastObservedTime", "2026-01-02T03:04:06.678000Z"},
        {"related.kind", "Mirror"},
        {"related.namespace", ""},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        expect(event, fields[i].path, fields[i].value);
    char name[64];
    (void)snprintf(name, sizeof(name), "web.%llxabcdef01",
                   (unsigned long long)CLEAT_FAKE_CLOCK_WALL_MS);
    expect(event, "metadata.name", name);
    cleat_document_unref(event);
    cleat_object_unref(regarding);
    cleat_object_unref(related);
}
END_TEST

START_TEST(test_cluster_scoped)
{
    struct cleat_object *regarding = parse(CLUSTERED);
    const struct cleat_event_note note = {.regarding = regarding, .reason = "Synced"};
    struct cleat_document *event = write_note(&note, "default");
    expect(event, "metadata.namespace", "default");
    expect(event, "type", "Normal");
    expect(event, "action", "Synced"); /* it's required, and nobody gave one */
    ck_assert(!cleat_value_is_present(cleat_value_find(cleat_document_root(event), "note")));
    ck_assert(!cleat_value_is_present(cleat_value_find(cleat_document_root(event), "related")));
    cleat_document_unref(event);
    cleat_object_unref(regarding);
}
END_TEST

START_TEST(test_cut)
{
    struct cleat_object *regarding = parse(NAMESPACED);
    char note_text[1100], reason[200];
    struct cleat_scratch scratch;
    memset(reason, 'R', sizeof(reason));
    reason[199] = '\0';
    memset(note_text, 'n', sizeof(note_text));
    memcpy(note_text + 1023, "\xc3\xa4", 2); /* a character across the limit */
    note_text[1099] = '\0';
    const struct cleat_event_note note = {
        .regarding = regarding, .reason = reason, .action = reason, .note = note_text};
    struct cleat_document *event = write_note(&note, "team");
    struct cleat_value root = cleat_document_root(event);
    ck_assert_uint_eq(cleat_value_text(cleat_value_get(root, "note"), &scratch).length, 1023);
    ck_assert_uint_eq(cleat_value_text(cleat_value_get(root, "reason"), &scratch).length, 128);
    ck_assert_uint_eq(cleat_value_text(cleat_value_get(root, "action"), &scratch).length, 128);
    cleat_document_unref(event);
    cleat_object_unref(regarding);
}
END_TEST

/* What makes two notes the same: not the text, not the version of the object. */
START_TEST(test_key)
{
    struct cleat_object *object = parse(NAMESPACED), *clustered = parse(CLUSTERED);
    struct cleat_object *newer =
        parse("{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\","
              "\"namespace\":\"team\",\"uid\":\"u1\",\"resourceVersion\":\"6\"}}");
    const struct {
        struct cleat_event_note note;
        bool same;
    } cases[] = {
        {{.regarding = object, .reason = "A"}, true},
        {{.regarding = newer, .reason = "A", .note = "other"}, true},
        {{.regarding = object, .reason = "A", .action = "A"}, true},
        {{.regarding = object, .reason = "A", .action = "B"}, false},
        {{.regarding = object, .reason = "B", .action = "A"}, false},
        {{.regarding = object, .reason = "A", .warning = true}, false},
        {{.regarding = clustered, .reason = "A"}, false},
        {{.regarding = object, .related = clustered, .reason = "A"}, false},
    };
    struct cleat_buffer first = CLEAT_BUFFER_INIT(1 << 16);
    size_t bytes = 0, first_bytes = 0;
    ck_assert_int_eq(cleat__recorder_write_key(&cases[0].note, &first, &first_bytes), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_buffer key = CLEAT_BUFFER_INIT(1 << 16);
        ck_assert_int_eq(cleat__recorder_write_key(&cases[i].note, &key, &bytes), 0);
        ck_assert_msg(cleat_str_equal(cleat_buffer_view(&first), cleat_buffer_view(&key)) ==
                          cases[i].same,
                      "case %zu", i);
        ck_assert_int_eq(bytes == first_bytes, cases[i].note.regarding != clustered);
        cleat_buffer_fini(&key);
    }
    cleat_buffer_fini(&first);
    cleat_object_unref(object);
    cleat_object_unref(newer);
    cleat_object_unref(clustered);
}
END_TEST

/* ---- sending ---- */

#define INBOX_MAX 64

struct inbox {
    struct cleat_lock lock;
    struct cleat_cond cond;
    bool held;
    bool broken; /* connections are closed without an answer */
    int status;
    _Atomic(int) count;
    char lines[INBOX_MAX][160];
    char bodies[INBOX_MAX][1024];
};

static void inbox_run(void *arg, struct script_exchange *exchange,
                      const struct script_request *request)
{
    struct inbox *inbox = arg;
    cleat_lock_take(&inbox->lock);
    int count = atomic_load(&inbox->count);
    if (count < INBOX_MAX) {
        (void)snprintf(inbox->lines[count], sizeof(inbox->lines[0]), "%s %.140s", request->method,
                       request->target);
        (void)snprintf(inbox->bodies[count], sizeof(inbox->bodies[0]), "%.1000s", request->body);
    }
    atomic_fetch_add(&inbox->count, 1);
    while (inbox->held)
        cleat_cond_wait(&inbox->cond, &inbox->lock);
    bool broken = inbox->broken;
    int status = inbox->status;
    cleat_lock_release(&inbox->lock);
    if (broken)
        script_close(exchange, true);
    else
        script_reply(exchange, status, NULL,
                     status < 300 ? request->body : "{\"kind\":\"Status\",\"apiVersion\":\"v1\"}");
}

static void inbox_hold(struct inbox *inbox, bool held)
{
    cleat_lock_take(&inbox->lock);
    inbox->held = held;
    cleat_cond_broadcast(&inbox->cond);
    cleat_lock_release(&inbox->lock);
}

static void inbox_answer(struct inbox *inbox, int status, bool broken)
{
    cleat_lock_take(&inbox->lock);
    inbox->status = status;
    inbox->broken = broken;
    cleat_lock_release(&inbox->lock);
}

/* Of a request that has come; under the lock, so that what the server wrote is seen. */
static void inbox_get(struct inbox *inbox, int at, const char **ret_line, const char **ret_body)
{
    cleat_lock_take(&inbox->lock);
    ck_assert_int_gt(atomic_load(&inbox->count), at);
    *ret_line = inbox->lines[at];
    *ret_body = inbox->bodies[at];
    cleat_lock_release(&inbox->lock);
}

static bool inbox_said(struct inbox *inbox, int at, const char *line, const char *body)
{
    const char *got_line = NULL, *got_body = NULL;
    inbox_get(inbox, at, &got_line, &got_body);
    bool said = strstr(got_line, line) && strstr(got_body, body);
    if (!said)
        (void)fprintf(stderr, "request %d: %s %s\n", at, got_line, got_body);
    return said;
}

struct fixture {
    struct inbox inbox;
    struct client_fixture client;
    struct cleat_fake_clock fake;
    struct cleat_metrics *metrics;
    struct cleat_recorder *recorder;
    struct cleat_object *object;
};

static void fixture_open(struct fixture *f)
{
    *f = (struct fixture){.inbox = {.status = 201}};
    cleat_lock_init(&f->inbox.lock, CLEAT_LOCK_TEST);
    cleat_cond_init(&f->inbox.cond);
    client_fixture_init(&f->client, inbox_run, &f->inbox);
    client_fixture_open(&f->client);
    cleat_fake_clock_init(&f->fake);
    f->object = parse(NAMESPACED);
    ck_assert_int_eq(cleat_metrics_new(&f->metrics), 0);
    const struct cleat_recorder_options options = {
        .client = f->client.client, .clock = &f->fake.clock, .metrics = f->metrics};
    ck_assert_int_eq(cleat_recorder_new(&options, &f->recorder, NULL), 0);
}

static void fixture_close(struct fixture *f)
{
    ck_assert_ptr_null(cleat_recorder_free(f->recorder));
    cleat_metrics_free(f->metrics);
    cleat_object_unref(f->object);
    client_fixture_fini(&f->client);
    cleat_cond_fini(&f->inbox.cond);
    cleat_lock_fini(&f->inbox.lock);
}

static void post(struct fixture *f, const char *reason)
{
    const struct cleat_event_note note = {.regarding = f->object, .reason = reason};
    cleat_recorder_post(f->recorder, &note);
}

/* Of an object of its own, so that no limit of spam is met. */
static void post_other(struct fixture *f, int number)
{
    char json[256];
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p%d\","
                   "\"namespace\":\"team\",\"uid\":\"u%d\"}}",
                   number, number);
    struct cleat_object *object = parse(json);
    const struct cleat_event_note note = {.regarding = object, .reason = "R"};
    cleat_recorder_post(f->recorder, &note);
    cleat_object_unref(object);
}

static void advance(struct fixture *f, int64_t ms)
{
    cleat_fake_clock_advance_ms(&f->fake, ms);
    cleat__recorder_poke(f->recorder);
}

static double dropped(struct fixture *f, const char *reason)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1 << 16);
    char line[128];
    (void)snprintf(line, sizeof(line), "cleat_events_dropped_total{reason=\"%s\"} ", reason);
    ck_assert_int_eq(cleat_metrics_write(f->metrics, &text), 0);
    const char *at = strstr(text.data, line);
    ck_assert_ptr_nonnull(at);
    double value = strtod(at + strlen(line), NULL);
    cleat_buffer_fini(&text);
    return value;
}

START_TEST(test_sends_in_order)
{
    struct fixture f;
    char reason[32];
    fixture_open(&f);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(reason, sizeof(reason), "R%d", i);
        post(&f, reason);
    }
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    ck_assert_int_eq(atomic_load(&f.inbox.count), 10);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(reason, sizeof(reason), "\"reason\":\"R%d\"", i);
        ck_assert(
            inbox_said(&f.inbox, i, "POST /apis/events.k8s.io/v1/namespaces/team/events", reason));
    }
    ck_assert(inbox_said(&f.inbox, 0, "", "\"reportingController\":\"cleat\""));
    ck_assert(inbox_said(&f.inbox, 0, "", "\"reportingInstance\":\"cleat-"));
    ck_assert_uint_eq(cleat_recorder_dropped(f.recorder), 0);
    fixture_close(&f);
}
END_TEST

/* The second one makes a series of the first, by a patch; further ones are only counted. */
START_TEST(test_series)
{
    struct fixture f;
    fixture_open(&f);
    post(&f, "A");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    inbox_answer(&f.inbox, 200, false);
    advance(&f, 1000);
    post(&f, "A");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    ck_assert(inbox_said(&f.inbox, 0, "POST ", "\"reason\":\"A\""));
    ck_assert(inbox_said(&f.inbox, 1, "PATCH /apis/events.k8s.io/v1/namespaces/team/events/web.",
                         "{\"series\":{\"count\":2,\"lastObservedTime\":\"2026-01-02T03:04:06."
                         "678000Z\"}}"));
    for (int i = 0; i < 5; i++)
        post(&f, "A");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    ck_assert_int_eq(atomic_load(&f.inbox.count), 2);
    /* It has ended: the last count is told. */
    advance(&f, CLEAT__EVENT_IDLE_MS);
    CLEAT_WAIT_FOR(atomic_load(&f.inbox.count) == 3, 10000);
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    ck_assert(inbox_said(&f.inbox, 2, "PATCH ", "\"count\":7"));
    post(&f, "B");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    /* At the stop what is counted is told. */
    post(&f, "B");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    post(&f, "B");
    ck_assert_int_eq(cleat__recorder_stop(f.recorder, 20000), 0);
    ck_assert_int_eq(atomic_load(&f.inbox.count), 6);
    ck_assert(inbox_said(&f.inbox, 5, "PATCH ", "\"count\":3"));
    ck_assert_uint_eq(cleat_recorder_dropped(f.recorder), 0);
    fixture_close(&f);
}
END_TEST

/* Somebody deleted the event: it's made again, as the series that it is. */
START_TEST(test_patch_of_nothing)
{
    struct fixture f;
    fixture_open(&f);
    post(&f, "A");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    inbox_answer(&f.inbox, 404, false);
    inbox_hold(&f.inbox, true);
    post(&f, "A");
    CLEAT_WAIT_FOR(atomic_load(&f.inbox.count) == 2, 10000);
    inbox_hold(&f.inbox, false);
    CLEAT_WAIT_FOR(atomic_load(&f.inbox.count) == 3, 10000);
    ck_assert(inbox_said(&f.inbox, 1, "PATCH ", "\"count\":2"));
    ck_assert(inbox_said(&f.inbox, 2, "POST ", "\"series\":{\"count\":2"));
    /* To that, 404 is no namespace: refused for good. */
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    ck_assert_int_eq(atomic_load(&f.inbox.count), 3);
    ck_assert_double_eq(dropped(&f, "refused"), 1);
    fixture_close(&f);
}
END_TEST

/* A refused event is lost, the next one isn't. */
START_TEST(test_refused)
{
    struct fixture f;
    fixture_open(&f);
    inbox_answer(&f.inbox, 403, false);
    post(&f, "A");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    inbox_answer(&f.inbox, 201, false);
    post(&f, "B");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    ck_assert_int_eq(atomic_load(&f.inbox.count), 2);
    ck_assert_double_eq(dropped(&f, "refused"), 1);
    ck_assert_uint_eq(cleat_recorder_dropped(f.recorder), 1);
    fixture_close(&f);
}
END_TEST

/* Nobody answers: twelve tries, ten seconds apart, the first pause shorter. Then the next one. */
START_TEST(test_unreachable)
{
    struct fixture f;
    fixture_open(&f);
    inbox_answer(&f.inbox, 201, true);
    post(&f, "A");
    post(&f, "B");
    for (int tries = 1; tries <= 12; tries++) {
        CLEAT_WAIT_FOR(atomic_load(&f.inbox.count) >= tries, 10000);
        ck_assert(inbox_said(&f.inbox, tries - 1, "POST ", "\"reason\":\"A\""));
        ck_assert(tries == 12 || dropped(&f, "unreachable") == 0);
        while (tries < 12 && atomic_load(&f.inbox.count) == tries) {
            advance(&f, 10000); /* it may not have failed yet: as often as it takes */
            cleat_wait_moment();
        }
    }
    CLEAT_WAIT_FOR(cleat_recorder_dropped(f.recorder) == 1, 10000);
    ck_assert_double_eq(dropped(&f, "unreachable"), 1);
    inbox_answer(&f.inbox, 201, false);
    while (cleat__recorder_flush(f.recorder, 1) < 0)
        advance(&f, 10000);
    const char *line = NULL, *body = NULL;
    inbox_get(&f.inbox, atomic_load(&f.inbox.count) - 1, &line, &body);
    ck_assert_ptr_nonnull(strstr(body, "\"reason\":\"B\""));
    ck_assert_uint_eq(cleat_recorder_dropped(f.recorder), 1);
    fixture_close(&f);
}
END_TEST

/* An API server that hangs stops nobody: what is beyond the queue is dropped and counted. */
START_TEST(test_full)
{
    struct fixture f;
    fixture_open(&f);
    inbox_hold(&f.inbox, true);
    for (int i = 0; i < 1010; i++)
        post_other(&f, i);
    ck_assert_double_eq(dropped(&f, "full"), 10);
    post_other(&f, 5); /* known: it needs no place */
    ck_assert_uint_eq(cleat_recorder_dropped(f.recorder), 10);
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10), -ETIMEDOUT);
    ck_assert_int_eq(cleat__recorder_stop(f.recorder, 20000), 0); /* gives up the call */
    ck_assert_double_eq(dropped(&f, "stopped"), 1000);
    post(&f, "late");
    ck_assert_double_eq(dropped(&f, "stopped"), 1001);
    inbox_hold(&f.inbox, false);
    fixture_close(&f);
}
END_TEST

START_TEST(test_spam)
{
    struct fixture f;
    char reason[16];
    fixture_open(&f);
    for (int i = 0; i < 30; i++) {
        (void)snprintf(reason, sizeof(reason), "R%d", i);
        post(&f, reason);
    }
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    ck_assert_int_eq(atomic_load(&f.inbox.count), 25);
    ck_assert_double_eq(dropped(&f, "spam"), 5);
    fixture_close(&f);
}
END_TEST

START_TEST(test_never_posted)
{
    struct fixture f;
    fixture_open(&f);
    ck_assert_int_eq(cleat__recorder_stop(f.recorder, 0), 0);
    post(&f, "A");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 1000), 0); /* nothing is on its way */
    ck_assert_int_eq(atomic_load(&f.inbox.count), 0);
    fixture_close(&f);
}
END_TEST

struct racer {
    struct fixture *f;
    struct cleat_thread thread;
};

static void *racer_run(void *arg)
{
    struct racer *racer = arg;
    for (int i = 0; i < 200; i++)
        post(racer->f, i % 2 ? "A" : "B");
    return NULL;
}

/* Posted on many threads at once nothing is lost, doubled or miscounted. */
START_TEST(test_many_threads)
{
    struct fixture f;
    struct racer racers[4];
    unsigned long long counts[2] = {0};
    fixture_open(&f);
    for (int i = 0; i < 4; i++) {
        racers[i] = (struct racer){.f = &f};
        ck_assert_int_eq(
            cleat_thread_start(&racers[i].thread, "racer", 0, racer_run, &racers[i], NULL), 0);
    }
    for (int i = 0; i < 4; i++)
        cleat_thread_join(&racers[i].thread);
    ck_assert_int_eq(cleat__recorder_stop(f.recorder, 20000), 0);
    int posts = 0;
    for (int i = 0; i < atomic_load(&f.inbox.count); i++) {
        const char *line = NULL, *body = NULL;
        inbox_get(&f.inbox, i, &line, &body);
        posts += strncmp(line, "POST", 4) == 0;
        const char *count = strstr(body, "\"count\":");
        if (!count)
            continue;
        unsigned long long number = strtoull(count + 8, NULL, 10);
        if (number > counts[0])
            counts[0] = number;
        counts[1] += number == 400;
    }
    ck_assert_int_eq(posts, 2);
    ck_assert_uint_eq(counts[0], 400);
    ck_assert_uint_eq(counts[1], 2);
    ck_assert_uint_eq(cleat_recorder_dropped(f.recorder), 0);
    fixture_close(&f);
}
END_TEST

CLEAT_SUITE_MAIN("recorder", test_fields, test_cluster_scoped, test_cut, test_key,
                 test_sends_in_order, test_series, test_patch_of_nothing, test_refused,
                 test_unreachable, test_full, test_spam, test_never_posted, test_many_threads)
