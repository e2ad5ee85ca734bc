/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cleat/document.h>

#include "base/lock.h"
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
    ck_assert_int_eq(cleat__recorder_write(&source, note, &buffer, &where), 0);
    ck_assert(cleat_str_is(where, namespace_));
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

/* ---- sending ---- */

struct inbox {
    struct cleat_lock lock;
    struct cleat_cond cond;
    bool held;
    int status;
    _Atomic(int) count;
    char target[256];
    char reasons[16][32];
};

static void inbox_run(void *arg, struct script_exchange *exchange,
                      const struct script_request *request)
{
    struct inbox *inbox = arg;
    cleat_lock_take(&inbox->lock);
    while (inbox->held)
        cleat_cond_wait(&inbox->cond, &inbox->lock);
    const char *reason = strstr(request->body, "\"reason\":\"");
    int count = atomic_load(&inbox->count);
    (void)snprintf(inbox->target, sizeof(inbox->target), "%s %.200s", request->method,
                   request->target);
    if (reason && count < 16)
        (void)sscanf(reason + 10, "%31[^\"]", inbox->reasons[count]);
    atomic_fetch_add(&inbox->count, 1);
    cleat_lock_release(&inbox->lock);
    script_reply(exchange, inbox->status, NULL, request->body);
}

static void inbox_hold(struct inbox *inbox, bool held)
{
    cleat_lock_take(&inbox->lock);
    inbox->held = held;
    cleat_cond_broadcast(&inbox->cond);
    cleat_lock_release(&inbox->lock);
}

struct fixture {
    struct inbox inbox;
    struct client_fixture client;
    struct cleat_jobs *jobs;
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
    f->object = parse(NAMESPACED);
    ck_assert_int_eq(cleat_jobs_new(1, 0, &f->jobs, NULL), 0);
    ck_assert_int_eq(
        cleat_recorder_new(f->client.client, f->jobs, NULL, NULL, "cleat", &f->recorder, NULL), 0);
}

static void fixture_close(struct fixture *f)
{
    ck_assert_ptr_null(cleat_recorder_free(f->recorder));
    cleat_jobs_free(f->jobs);
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

START_TEST(test_sends_in_order)
{
    struct fixture f;
    char reason[16];
    fixture_open(&f);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(reason, sizeof(reason), "R%d", i);
        post(&f, reason);
    }
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    ck_assert_int_eq(atomic_load(&f.inbox.count), 10);
    ck_assert_ptr_nonnull(
        strstr(f.inbox.target, "POST /apis/events.k8s.io/v1/namespaces/team/events"));
    for (int i = 0; i < 10; i++) {
        (void)snprintf(reason, sizeof(reason), "R%d", i);
        ck_assert_str_eq(f.inbox.reasons[i], reason);
    }
    ck_assert_uint_eq(cleat_recorder_dropped(f.recorder), 0);
    fixture_close(&f);
}
END_TEST

/* A refused event is lost, the next one isn't. */
START_TEST(test_refused)
{
    struct fixture f;
    fixture_open(&f);
    f.inbox.status = 403;
    post(&f, "A");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    post(&f, "B");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10000), 0);
    ck_assert_int_eq(atomic_load(&f.inbox.count), 2);
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
        post(&f, "A");
    ck_assert_uint_ge(cleat_recorder_dropped(f.recorder), 9); /* one may be on its way */
    ck_assert_uint_le(cleat_recorder_dropped(f.recorder), 10);
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 10), -ETIMEDOUT);
    cleat_jobs_stop(f.jobs);
    inbox_hold(&f.inbox, false);
    fixture_close(&f); /* drops the rest */
}
END_TEST

START_TEST(test_pool_stopped)
{
    struct fixture f;
    fixture_open(&f);
    cleat_jobs_stop(f.jobs);
    post(&f, "A");
    ck_assert_int_eq(cleat__recorder_flush(f.recorder, 1000), 0); /* nothing is on its way */
    ck_assert_int_eq(atomic_load(&f.inbox.count), 0);
    fixture_close(&f);
}
END_TEST

CLEAT_SUITE_MAIN("recorder", test_fields, test_cluster_scoped, test_cut, test_sends_in_order,
                 test_refused, test_full, test_pool_stopped)
