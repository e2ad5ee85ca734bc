/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out in the parts that need no sockets: reviews, the queue, the store with its
 * indexes and events, certificates, the pure rules of Mirror, what is printed for people.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cleat/health.h>
#include <cleat/jobs.h>
#include <cleat/kubeconfig.h>
#include <cleat/metrics.h>
#include <cleat/queue.h>
#include <cleat/webhook.h>

#include "certs/authority.h"
#include "certs/secret.h"
#include "fault/alloc_libraries.h"
#include "fault/alloc_samples.h"
#include "kinds/mirror/copy.h"
#include "kinds/mirror/hooks.h"
#include "kinds/mirror/status.h"
#include "server/manifests.h"
#include "support/fake_clock.h"
#include "support/temp_dir.h"
#include "unit/controller/store_fixture.h"
#include "unit/kinds/mirror/fixture.h"
#include "webhooks/registry.h"

/* ---- reviews ---- */

#define REVIEW_HEAD "\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\""
#define REVIEW                                                                                   \
    "{" REVIEW_HEAD ",\"request\":{\"uid\":\"u-1\",\"kind\":{\"group\":\"\",\"version\":\"v1\"," \
    "\"kind\":\"Pod\"},\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":\"pods\"},"  \
    "\"operation\":\"CREATE\",\"userInfo\":{\"username\":\"bob\",\"groups\":[\"a\",\"b\"]},"     \
    "\"object\":" SAMPLE_POD "}}"
#define CONVERT_OBJECT(name)                                                        \
    "{\"apiVersion\":\"example.com/v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":" \
    "\"" name "\"},\"spec\":{\"size\":3}}"
#define CONVERT                                                                              \
    "{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"ConversionReview\",\"request\":" \
    "{\"uid\":\"u\",\"desiredAPIVersion\":\"example.com/v2\",\"objects\":[" CONVERT_OBJECT(  \
        "a") "," CONVERT_OBJECT("b") "]}}"

static int admit_deny(void *arg, const struct cleat_review *review, struct cleat_verdict *verdict,
                      struct cleat_err *err)
{
    cleat_verdict_warn(verdict, "look at %.*s", CLEAT_STR_ARG(review->name));
    cleat_verdict_audit(verdict, "key", "value");
    cleat_verdict_deny(verdict, 0, NULL, "no %.*s here, ever", CLEAT_STR_ARG(review->name));
    return 0;
}

static int admit_mutate(void *arg, const struct cleat_review *review, struct cleat_verdict *verdict,
                        struct cleat_err *err)
{
    struct cleat_draft *draft = NULL;
    int r = cleat_verdict_draft(verdict, review, &draft, err);
    SAMPLE_STEP(r, cleat_draft_set_text(draft, "metadata.labels.seen", "yes, it was", err));
    SAMPLE_STEP(r, cleat_draft_remove(draft, "spec.containers[0]", err));
    if (r == 0)
        cleat_verdict_patch(verdict, draft);
    return r;
}

static int convert_size(void *arg, struct cleat_value object, struct cleat_str to,
                        struct cleat_draft *draft, struct cleat_err *err)
{
    int r = cleat_draft_set(draft, "spec.width", cleat_value_find(object, "spec.size"), err);
    SAMPLE_STEP(r, cleat_draft_remove(draft, "spec.size", err));
    return r;
}

struct reviews {
    struct cleat_metrics *metrics;
    struct cleat_webhooks *webhooks;
    struct cleat_buffer answer; /* made beforehand: an edge has it, too */
};

static void *open_reviews(void)
{
    static struct reviews reviews;
    const struct cleat_webhook_options deny = {.path = "/deny", .admit = admit_deny};
    const struct cleat_webhook_options mutate = {
        .path = "/mutate", .type = CLEAT_WEBHOOK_MUTATING, .admit = admit_mutate};
    struct cleat_gvk kind;
    reviews = (struct reviews){.answer = CLEAT_BUFFER_INIT(65536)};
    ck_assert_int_eq(cleat_metrics_new(&reviews.metrics), 0);
    const struct cleat_webhooks_options options = {.metrics = reviews.metrics};
    ck_assert_int_eq(cleat_webhooks_new(&options, &reviews.webhooks, NULL), 0);
    ck_assert_int_eq(cleat_webhooks_add(reviews.webhooks, &deny, NULL), 0);
    ck_assert_int_eq(cleat_webhooks_add(reviews.webhooks, &mutate, NULL), 0);
    ck_assert_int_eq(cleat_gvk_make(&kind, "example.com", "v2", "Thing"), 0);
    ck_assert_int_eq(cleat_webhooks_convert(reviews.webhooks, &kind, convert_size, NULL, NULL), 0);
    return &reviews;
}

static void close_reviews(void *arg)
{
    struct reviews *reviews = arg;
    cleat_buffer_fini(&reviews->answer);
    cleat_webhooks_free(reviews->webhooks);
    cleat_metrics_free(reviews->metrics);
}

/* Bytes that were counted for a review are given back whatever came of it. */
static bool whole_reviews(void *arg)
{
    struct reviews *reviews = arg;
    return cleat_budget_used(cleat_webhooks_budget(reviews->webhooks)) == 0;
}

/* An answer is right, or it is 500: never anything between, above all no "allowed" of a denial. */
static int review_ask(struct reviews *reviews, const char *path, const char *body,
                      const char *wanted, const char *never, struct cleat_err *err)
{
    int retry_after_s = 0;
    cleat_buffer_fini(&reviews->answer);
    int status = cleat_webhooks_answer(reviews->webhooks, path, "timeout=5s", cleat_str_of(body),
                                       &reviews->answer, &retry_after_s);
    const char *text = reviews->answer.data ? reviews->answer.data : "";
    if (never && strstr(text, never))
        return cleat_err_set(err, -EILSEQ, "%.200s", text), CLEAT_SWEEP_WRONG;
    if (reviews->answer.failed)
        return cleat_err_set(err, -ENOMEM, "no memory for the answer");
    if (status == 200 && strstr(text, wanted))
        return 0;
    if (status == 500 || strstr(text, "\"Failure\""))
        return cleat_err_set(err, -ENOMEM, "%d %.200s", status, text);
    return cleat_err_set(err, -EILSEQ, "%d %.200s", status, text), CLEAT_SWEEP_WRONG;
}

static int run_validate(void *arg, struct cleat_err *err)
{
    return review_ask(arg, "/deny", REVIEW, "no web-0 here", "\"allowed\":true", err);
}

/* Allowed is right here, but only with its patch. */
static int run_mutate(void *arg, struct cleat_err *err)
{
    return review_ask(arg, "/mutate", REVIEW, "\"allowed\":true,\"patchType\":\"JSONPatch\"",
                      "\"allowed\":true}", err);
}

static int run_convert(void *arg, struct cleat_err *err)
{
    return review_ask(arg, "/convert", CONVERT, "\"status\":\"Success\"",
                      "\"convertedObjects\":[],\"result\":{\"status\":\"Success\"", err);
}

/* ---- the queue ---- */

static int queue_fill(struct cleat_queue *queue, size_t *ret_added, struct cleat_err *err)
{
    int r = 0;
    for (int i = 0; r == 0 && i < 120; i++) {
        char name[32], namespace_[16];
        const struct cleat_queue_add add = {.priority = i % 3, .rate_limited = i % 7 == 0};
        (void)snprintf(name, sizeof(name), "a-name-that-is-long-%d", i);
        (void)snprintf(namespace_, sizeof(namespace_), "ns-%d", i % 5);
        r = cleat_queue_add(queue, "", namespace_, name, &add);
        *ret_added += r == 0;
    }
    return sample_named(r, err);
}

/* What was added comes out; what wasn't was refused: nothing is lost between. */
static int run_queue(void *arg, struct cleat_err *err)
{
    struct cleat_fake_clock clock;
    struct cleat_request request;
    struct cleat_queue *queue = NULL;
    size_t added = 0, taken = 0;
    cleat_fake_clock_init(&clock);
    const struct cleat_queue_options options = {.name = "swept", .clock = &clock.clock};
    int r = cleat_queue_new(&options, &queue, err);
    if (r < 0)
        return r;
    r = queue_fill(queue, &added, err);
    cleat_fake_clock_advance_ms(&clock, 3600000);
    while (cleat_queue_get(queue, 0, &request) == 0) {
        cleat_queue_done(queue, &request, NULL);
        taken++;
    }
    if (taken != added)
        r = CLEAT_SWEEP_WRONG;
    cleat_queue_stop(queue, false);
    cleat_queue_free(queue);
    return r;
}

/* ---- the store, its index, its events ---- */

struct stage {
    struct store_fixture store;
    struct cleat_index *index;
    struct cleat_handler *handler;
    struct cleat_heap *source; /* an arena with the objects to put */
    struct cleat_value one, two;
    uint16_t feed;
};

static void by_app(struct cleat_value object, void (*add)(void *ctx, struct cleat_str value),
                   void *ctx)
{
    struct cleat_scratch scratch;
    add(ctx, cleat_value_text(cleat_value_find(object, "metadata.labels.app"), &scratch));
}

static struct cleat_document *stage_document;

static void *open_stage(void)
{
    static struct stage stage;
    memset(&stage, 0, sizeof(stage));
    store_fixture_init(&stage.store);
    stage.feed = store_fixture_feed(&stage.store, NULL, NULL);
    cleat__store_feed_synced(stage.store.store, stage.feed, true, false);
    ck_assert_int_eq(cleat_store_index(stage.store.store, "app", by_app, &stage.index, NULL), 0);
    ck_assert_int_eq(cleat_store_handler(stage.store.store, store_fixture_tell, stage.store.told,
                                         &stage.handler, NULL),
                     0);
    store_fixture_turn(&stage.store);
    stage_document = sample_document("[" SAMPLE_POD ",{\"metadata\":{\"name\":\"web-0\","
                                     "\"namespace\":\"shop\",\"labels\":{\"app\":\"other\"}}}]");
    return &stage;
}

static int stage_put(struct stage *stage, const char *name, const char *version, size_t which,
                     struct cleat_err *err)
{
    struct store_item item = {.namespace_ = CLEAT_STR("shop"),
                              .name = cleat_str_of(name),
                              .version = cleat_str_of(version)};
    struct cleat_heap *pool = stage->store.lender->heap;
    struct cleat_value object = cleat_value_at(cleat_document_root(stage_document), which);
    uint32_t entry;
    int r = cleat_heap_copy(pool, object, &item.root);
    SAMPLE_STEP(r, cleat__store_put(stage->store.store, stage->feed, &item, &entry));
    cleat_pool_sweep(pool);
    return sample_named(r < 0 ? r : 0, err);
}

static size_t stage_found(struct stage *stage, const char *app)
{
    const struct cleat_store_query query = {.index = stage->index, .index_value = app};
    return cleat_store_count(stage->store.store, &query);
}

/* The store is emptied, without memory too: leaving is tried until it's done. */
static void stage_empty(struct stage *stage)
{
    cleat_sweep_lift();
    if (cleat__store_leave(stage->store.store, stage->feed) < 0)
        ck_abort_msg("leaving failed although there is memory");
    store_fixture_turn(&stage->store);
    (void)store_fixture_told(stage->store.told);
}

static int run_store(void *arg, struct cleat_err *err)
{
    struct stage *stage = arg;
    struct cleat_object *object = NULL;
    size_t before = 0;
    int r = stage_put(stage, "web-0", "41", 0, err);
    for (int i = 0; r == 0 && i < 20; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "web-%d", i + 1);
        r = stage_put(stage, name, "42", 0, err);
        before += r == 0;
    }
    if (r == 0) {
        r = stage_put(stage, "web-0", "43", 1, err);
        /* Whole or not at all: the index and the object agree. */
        if (stage_found(stage, "other") != (size_t)(r == 0))
            r = CLEAT_SWEEP_WRONG;
    }
    if (r == 0) {
        r = cleat_store_lookup(stage->store.store, CLEAT_STR("shop"), CLEAT_STR("web-0"), &object);
        if (r > 0 ||
            (r == 0 && !cleat_value_is(cleat_object_find(object, "metadata.labels.app"), "other")))
            r = CLEAT_SWEEP_WRONG;
    }
    if (r == 0 && stage_found(stage, "web") != before)
        r = CLEAT_SWEEP_WRONG;
    cleat_object_unref(object);
    cleat_sweep_lift_ever(); /* events wait for memory rather than be lost */
    store_fixture_turn(&stage->store);
    if (r == 0 && !strstr(stage->store.told, "shop/web-0@43"))
        r = CLEAT_SWEEP_WRONG;
    stage_empty(stage);
    return sample_named(r, err);
}

static bool whole_store(void *arg)
{
    struct stage *stage = arg;
    return cleat_store_count(stage->store.store, NULL) == 0 && stage_found(stage, "web") == 0 &&
           stage_found(stage, "other") == 0;
}

static void close_stage(void *arg)
{
    struct stage *stage = arg;
    stage->handler = cleat_handler_remove(stage->handler);
    store_fixture_fini(&stage->store);
    cleat_document_unref(stage_document);
}

/* A handler that comes later is told all that is there, whether there was memory at first or not.
 */
static int run_late_handler(void *arg, struct cleat_err *err)
{
    struct stage *stage = arg;
    static char told[8192];
    struct cleat_handler *late = NULL;
    told[0] = '\0';
    int r = stage_put(stage, "web-0", "41", 0, err);
    SAMPLE_STEP(r, stage_put(stage, "web-1", "42", 0, err));
    SAMPLE_STEP(r, cleat_store_handler(stage->store.store, store_fixture_tell, told, &late, err));
    if (r == 0) {
        cleat_sweep_lift_ever();
        store_fixture_turn(&stage->store);
        if (!strstr(told, "*shop/web-0@41") || !strstr(told, "*shop/web-0@42")) {
            (void)cleat_err_set(err, -EILSEQ, "told %.200s", told);
            r = CLEAT_SWEEP_WRONG;
        }
    }
    late = cleat_handler_remove(late);
    stage_empty(stage);
    return r;
}

/* ---- kubeconfig ---- */

static struct cleat_temp_dir config_dir;

static void *open_config(void)
{
    static struct cleat_kubeconfig_options options;
    static char path[PATH_MAX];
    cleat_temp_dir_init(&config_dir);
    cleat_temp_dir_write(&config_dir, "token", "a-token");
    cleat_temp_dir_write(
        &config_dir, "config",
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: "
        "{cluster: k, user: u, namespace: team}\n- name: d\n  context: {cluster: k, user: v}\n"
        "clusters:\n- name: k\n  cluster: {server: 'https://127.0.0.1:6443/prefix', "
        "tls-server-name: x}\nusers:\n- name: u\n  user: {tokenFile: token, as: a, as-groups: "
        "[b, c]}\n- name: v\n  user: {username: n, password: p}\n");
    (void)snprintf(path, sizeof(path), "%s", cleat_temp_dir_path(&config_dir, "config"));
    options.path = path;
    return &options;
}

static int run_config(void *arg, struct cleat_err *err)
{
    struct cleat_kubeconfig *config = NULL;
    int r = cleat_kubeconfig_load(arg, &config, err);
    if (r == 0 && (strcmp(config->server, "https://127.0.0.1:6443/prefix") != 0 ||
                   strcmp(config->as_groups[1], "c") != 0 || !config->token_file))
        r = CLEAT_SWEEP_WRONG;
    cleat_kubeconfig_free(config);
    return r;
}

static void close_config(void *arg)
{
    cleat_temp_dir_fini(&config_dir);
}

/* ---- metrics and health ---- */

static int check_broken(void *arg, struct cleat_err *err)
{
    return cleat_err_set(err, -EIO, "it isn't well");
}

static int health_ask(struct cleat_health *health, struct cleat_err *err)
{
    struct cleat_buffer body = CLEAT_BUFFER_INIT(4096);
    int code = cleat_health_answer(health, "readyz", "", "verbose", &body);
    int r = body.failed ? cleat_err_set(err, -ENOMEM, "no body") : 0;
    if (code == 200)
        r = CLEAT_SWEEP_WRONG; /* a failing check is never well */
    cleat_buffer_fini(&body);
    return r;
}

static int run_figures(void *arg, struct cleat_err *err)
{
    static const double buckets[] = {0.1, 1, 10};
    struct cleat_metrics *metrics = NULL;
    struct cleat_metric *counter = NULL, *histogram = NULL;
    struct cleat_health *health = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(65536);
    const struct cleat_metric_options options[] = {
        {CLEAT_METRIC_COUNTER, "cleat_swept_total", "Swept.", {"a", "b"}},
        {CLEAT_METRIC_HISTOGRAM, "cleat_swept_seconds", "Time.", {"a"}, buckets, 3}};
    const char *values[] = {"x", "a longer value with \"quotes\""};
    int r = cleat_metrics_new(&metrics);
    SAMPLE_STEP(r, cleat_metrics_family(metrics, &options[0], &counter, err));
    SAMPLE_STEP(r, cleat_metrics_family(metrics, &options[1], &histogram, err));
    SAMPLE_STEP(r, cleat_health_new(&health));
    SAMPLE_STEP(r, cleat_health_add(health, "broken", true, check_broken, NULL));
    if (r == 0) {
        cleat_series_add(cleat_metric_series(counter, values), 2);
        cleat_series_observe(cleat_metric_series(histogram, values), 0.5);
        r = cleat_metrics_write(metrics, &text);
    }
    if (r == 0 && !strstr(text.data, "cleat_swept_total"))
        r = CLEAT_SWEEP_WRONG;
    SAMPLE_STEP(r, health_ask(health, err));
    cleat_buffer_fini(&text);
    cleat_health_free(health);
    cleat_metrics_free(metrics);
    return sample_named(r, err);
}

/* ---- certificates ---- */

/* A CA, a leaf, a Secret of both, and back again. */
static int certificates_keep(const struct cleat_authority *authority,
                             const struct cleat_bundle *bundle, struct cleat_err *err)
{
    const struct cleat_secret_content content = {.cert = cleat_bundle_cert(bundle),
                                                 .key = cleat_bundle_key(bundle),
                                                 .ca = cleat_authority_cert(authority),
                                                 .ca_key = cleat_authority_key(authority)};
    struct cleat_authority *again = NULL;
    struct cleat_bundle *copy = NULL;
    struct cleat_draft *draft = NULL;
    struct cleat_secret_data data;
    struct cleat_value secret = CLEAT_VALUE_NONE;
    cleat_secret_data_init(&data);
    int r = cleat_draft_new(CLEAT_VALUE_NONE, &draft, err);
    SAMPLE_STEP(r, cleat_secret_content_set(draft, &content, err));
    SAMPLE_STEP(r, cleat_draft_freeze(draft, &secret, err));
    SAMPLE_STEP(r, cleat_secret_data_read(&data, secret));
    SAMPLE_STEP(r, cleat_authority_load(cleat_buffer_view(&data.ca),
                                        cleat_buffer_view(&data.ca_key), &again, err));
    SAMPLE_STEP(r, cleat_bundle_new(cleat_buffer_view(&data.cert), cleat_buffer_view(&data.key),
                                    cleat_buffer_view(&data.ca), &copy, err));
    if (r == 0 && !cleat_str_equal(cleat_bundle_cert(copy), cleat_bundle_cert(bundle)))
        r = CLEAT_SWEEP_WRONG;
    cleat_secret_data_fini(&data);
    cleat_draft_free(draft);
    cleat_bundle_unref(copy);
    cleat_authority_free(again);
    return r;
}

static int certificates_of(const char *const *names, struct cleat_err *err)
{
    struct cleat_authority *authority = NULL;
    struct cleat_bundle *bundle = NULL;
    int r = cleat_authority_new("swept", 86400, cleat_clock_system(), &authority, err);
    SAMPLE_STEP(r,
                cleat_authority_issue(authority, names, 3600, cleat_clock_system(), &bundle, err));
    SAMPLE_STEP(r, certificates_keep(authority, bundle, err));
    cleat_bundle_unref(bundle);
    cleat_authority_free(authority);
    return sample_named(r, err);
}

static int run_certificates(void *arg, struct cleat_err *err)
{
    static const char *const names[] = {"cleat.cleat-system.svc", "127.0.0.1", NULL};
    return certificates_of(names, err);
}

/* ---- Mirror ---- */

struct mirrors {
    struct cleat_object *mirror, *source, *existing;
};

static void *open_mirrors(void)
{
    static struct mirrors mirrors;
    mirrors.mirror = fixture_mirror(
        "{" FIXTURE_SOURCE ",'targets':{'namespaceSelector':{'matchLabels':{'a':'b'}}},'copy':{"
        "'labels':{'x':'y'},'annotations':{'x':'y'},'keys':['a']}}");
    mirrors.source = fixture_object("{'type':'Opaque','data':{'a':'YQ==','b':'Yg=='}}");
    mirrors.existing = fixture_object(
        "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'reg','namespace':'ci',"
        "'resourceVersion':'5','labels':{'m':'n'}},'data':{'z':'eg=='},'extra':1}");
    return &mirrors;
}

static void close_mirrors(void *arg)
{
    struct mirrors *mirrors = arg;
    cleat_object_unref(mirrors->mirror);
    cleat_object_unref(mirrors->source);
    cleat_object_unref(mirrors->existing);
}

static int run_mirror_copy(void *arg, struct cleat_err *err)
{
    static const struct cleat_gvk secret = {"", "v1", "Secret"};
    struct mirrors *m = arg;
    struct mirror_spec spec;
    struct mirror_content content = {0};
    struct cleat_draft *made = NULL;
    struct cleat_value body = CLEAT_VALUE_NONE;
    int r = cleat__mirror_spec_read(cleat_object_value(m->mirror), &spec, err);
    if (r < 0)
        return sample_named(r, err);
    const struct mirror_marks marks = {m->mirror, &spec, &secret};
    r = cleat__mirror_content_make(&spec, &secret, cleat_object_value(m->source), &content, err);
    SAMPLE_STEP(
        r, cleat__mirror_copy_body(&marks, &content, CLEAT_STR("ci"), m->existing, &made, err));
    SAMPLE_STEP(r, cleat_draft_freeze(made, &body, err));
    if (r == 0 && (!cleat_value_is(cleat_value_find(body, "data.a"), "YQ==") ||
                   cleat_value_is_present(cleat_value_find(body, "data.b"))))
        r = CLEAT_SWEEP_WRONG;
    if (r == 0) {
        int state = cleat__mirror_copy_compare(&marks, &content, body);
        r = state == MIRROR_COPY_TRUE ? 0 : state < 0 ? state : CLEAT_SWEEP_WRONG;
    }
    cleat_draft_free(made);
    cleat__mirror_content_fini(&content);
    cleat__mirror_spec_fini(&spec);
    return sample_named(r, err);
}

static int run_mirror_hooks(void *arg, struct cleat_err *err)
{
    static const struct mirror_hooks_kind kinds[] = {{"", "v1", "secrets"},
                                                     {"apps", "v1", "deployments"}};
    const struct mirror_hooks_where where = {NULL, "cleat-system", NULL};
    struct cleat_buffer json = CLEAT_BUFFER_INIT(1 << 20);
    int r = cleat__mirror_hooks_write(&where, CLEAT_STR("Zm9v"), kinds, 2, CLEAT_VALUE_NONE, &json);
    if (r == 0 && (!strstr(json.data, "secrets") || !strstr(json.data, "deployments")))
        r = CLEAT_SWEEP_WRONG; /* a webhook that lacks a kind lets its copies be changed */
    cleat_buffer_fini(&json);
    return sample_named(r, err);
}

/* ---- manifests ---- */

struct manifests_seen {
    size_t count;
    size_t rules;
};

static int manifests_see(void *arg, struct cleat_value object, struct cleat_err *err)
{
    struct manifests_seen *seen = arg;
    seen->count++;
    if (!cleat_value_is_present(object))
        return cleat_err_set(err, -EILSEQ, "an absent object");
    if (cleat_value_is(cleat_value_get(object, "kind"), "ClusterRole"))
        seen->rules += cleat_value_count(cleat_value_get(object, "rules"));
    return 0;
}

static struct manifests_seen manifests_wanted;

static int manifests_run(struct manifests_seen *seen, struct cleat_err *err)
{
    char kind[] = "Secret", *kinds[] = {kind, NULL};
    const struct cleat_manifests_options options = {
        .kinds = kinds, .webhook_url = "https://cleat.example:9443/x/", .cert_manager = true};
    *seen = (struct manifests_seen){0};
    return sample_named(cleat_manifests_each(&options, manifests_see, seen, err), err);
}

static void *open_manifests(void)
{
    ck_assert_int_eq(manifests_run(&manifests_wanted, NULL), 0);
    ck_assert_uint_gt(manifests_wanted.rules, 0);
    return NULL;
}

/* No rule more than was asked for: rights that weren't dropped would be rights too many. */
static int run_manifests(void *arg, struct cleat_err *err)
{
    struct manifests_seen seen;
    int r = manifests_run(&seen, err);
    if (r == 0 && (seen.count != manifests_wanted.count || seen.rules != manifests_wanted.rules))
        r = CLEAT_SWEEP_WRONG;
    return r;
}

#define OF(label, stage, fn, check, more)                                     \
    {                                                                         \
        .name = (label), .open = open_##stage, .run = (fn), .whole = (check), \
        .close = close_##stage, .flags = (more)                               \
    }

static const struct sweep_scene scenes[] = {
    OF("review-validate", reviews, run_validate, whole_reviews, SWEEP_TOLERANT),
    OF("review-mutate", reviews, run_mutate, whole_reviews, SWEEP_TOLERANT),
    OF("review-convert", reviews, run_convert, whole_reviews, SWEEP_TOLERANT),
    {.name = "queue", .run = run_queue, .flags = SWEEP_TOLERANT},
    OF("store-index-events", stage, run_store, whole_store, SWEEP_TOLERANT),
    OF("store-late-handler", stage, run_late_handler, whole_store, SWEEP_TOLERANT),
    OF("kubeconfig", config, run_config, NULL, SWEEP_TOLERANT | SWEEP_LIBRARIES),
    {.name = "metrics-health", .run = run_figures, .flags = SWEEP_TOLERANT},
    {.name = "certificates",
     .run = run_certificates,
     .flags = SWEEP_TOLERANT | SWEEP_LIBRARIES,
     .most = 600},
    OF("mirror-copy", mirrors, run_mirror_copy, NULL, SWEEP_TOLERANT),
    {.name = "mirror-hooks", .run = run_mirror_hooks, .flags = 0},
    {.name = "manifests", .open = open_manifests, .run = run_manifests, .flags = SWEEP_TOLERANT},
};

int main(int argc, char **argv)
{
    alloc_libraries_hook();
    return cleat_sweep_main("alloc-parts", scenes, sizeof(scenes) / sizeof(scenes[0]), 1000, argc,
                            argv);
}
