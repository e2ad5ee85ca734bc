/* SPDX-License-Identifier: Apache-2.0 */
#include "server/authorizer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <cleat/document.h>
#include <cleat/write.h>
#include "base/limits.h"
#include "base/mem.h"
#include "base/reporter.h"
#include "server/verdicts.h"

#define AUTHORIZER_TOKEN_MS 60000
#define AUTHORIZER_ALLOWED_MS (5 * 60000)
#define AUTHORIZER_REFUSED_MS 30000
#define AUTHORIZER_WAIT_MS 10000
#define AUTHORIZER_TRIES 3
#define AUTHORIZER_PAUSE_MS 500
#define AUTHORIZER_REPORT_MS 30000
#define AUTHORIZER_TOKEN_BYTES_MAX (8 * CLEAT_KIB)
#define AUTHORIZER_USER_BYTES_MAX (256 * CLEAT_KIB)

enum authorizer_outcome {
    AUTHORIZER_ALLOWED,
    AUTHORIZER_UNAUTHENTICATED,
    AUTHORIZER_FORBIDDEN,
    AUTHORIZER_UNKNOWN,
    AUTHORIZER_OUTCOMES,
};

static const struct {
    const char *name;
    int status;
} outcomes[AUTHORIZER_OUTCOMES] = {
    [AUTHORIZER_ALLOWED] = {"allowed", 0},
    [AUTHORIZER_UNAUTHENTICATED] = {"unauthenticated", 401},
    [AUTHORIZER_FORBIDDEN] = {"forbidden", 403},
    [AUTHORIZER_UNKNOWN] = {"error", 503},
};

struct cleat_authorizer {
    struct cleat_client *client;
    const struct cleat_clock *clock;
    struct cleat_log *log;
    int64_t pause_ms;
    struct cleat_digest_key key;
    struct cleat_verdicts tokens; /* with the user, where somebody has the token */
    struct cleat_verdicts access;
    struct cleat_series *requests[AUTHORIZER_OUTCOMES];
    struct cleat_series *reviews[2]; /* of tokens, of access */
    struct cleat_reporter failures;
    struct cleat_lock lock; /* of the pause between tries */
    struct cleat_cond cond;
    bool stopping;
};

/* One request's way. */
struct authorizer_ask {
    struct cleat_authorizer *authorizer;
    char *token;               /* NUL-terminated, wiped */
    struct cleat_object *user; /* owned reference: whose it is */
    const char *verb;
    const char *path;
};

static int authorizer_metrics(struct cleat_authorizer *authorizer, struct cleat_metrics *metrics,
                              struct cleat_err *err)
{
    struct cleat_metric *requests = NULL;
    struct cleat_metric *reviews = NULL;
    static const char *const kinds[] = {"TokenReview", "SubjectAccessReview"};
    const struct cleat_metric_options request_options = {
        .type = CLEAT_METRIC_COUNTER,
        .name = "cleat_authorizer_requests_total",
        .help = "Requests for metrics by outcome: allowed, unauthenticated, forbidden or error.",
        .labels = {"outcome"}};
    const struct cleat_metric_options review_options = {
        .type = CLEAT_METRIC_COUNTER,
        .name = "cleat_authorizer_reviews_total",
        .help = "Questions to the API server about who may read metrics, by kind; others were "
                "answered from memory.",
        .labels = {"kind"}};
    int r = cleat_metrics_family(metrics, &request_options, &requests, err);
    if (r == 0)
        r = cleat_metrics_family(metrics, &review_options, &reviews, err);
    for (size_t i = 0; r == 0 && i < AUTHORIZER_OUTCOMES; i++)
        authorizer->requests[i] =
            cleat_metric_series(requests, (const char *const[]){outcomes[i].name});
    for (size_t i = 0; r == 0 && i < 2; i++)
        authorizer->reviews[i] = cleat_metric_series(reviews, &kinds[i]);
    return r;
}

int cleat_authorizer_new(const struct cleat_authorizer_options *options,
                         struct cleat_authorizer **ret, struct cleat_err *err)
{
    struct cleat_authorizer *authorizer = cleat_mem_zalloc(1, sizeof(*authorizer));
    if (!authorizer)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    authorizer->client = cleat_client_ref(options->client);
    authorizer->clock = options->clock ? options->clock : cleat_clock_system();
    authorizer->log = options->log;
    authorizer->pause_ms = options->pause_ms > 0 ? options->pause_ms : AUTHORIZER_PAUSE_MS;
    cleat_lock_init(&authorizer->lock, CLEAT_LOCK_SERVER);
    cleat_cond_init(&authorizer->cond);
    cleat_digest_key_make(authorizer->clock, &authorizer->key);
    cleat_reporter_init(&authorizer->failures, authorizer->clock, AUTHORIZER_REPORT_MS);
    int r = cleat_verdicts_init(&authorizer->tokens, authorizer->clock, AUTHORIZER_TOKEN_MS,
                                AUTHORIZER_TOKEN_MS, AUTHORIZER_WAIT_MS);
    if (r == 0)
        r = cleat_verdicts_init(&authorizer->access, authorizer->clock, AUTHORIZER_ALLOWED_MS,
                                AUTHORIZER_REFUSED_MS, AUTHORIZER_WAIT_MS);
    if (r == 0)
        r = authorizer_metrics(authorizer, options->metrics, err);
    if (r < 0) {
        cleat_authorizer_free(authorizer);
        return cleat_err_set(err, r, "authorizer: out of memory");
    }
    *ret = authorizer;
    return 0;
}

struct cleat_authorizer *cleat_authorizer_free(struct cleat_authorizer *authorizer)
{
    if (!authorizer)
        return NULL;
    cleat_verdicts_fini(&authorizer->tokens);
    cleat_verdicts_fini(&authorizer->access);
    cleat_cond_fini(&authorizer->cond);
    cleat_lock_fini(&authorizer->lock);
    cleat_mem_wipe(&authorizer->key, sizeof(authorizer->key));
    cleat_client_unref(authorizer->client);
    return cleat_mem_free(authorizer);
}

/* RFC 6750 section 2.1: the scheme in any case, spaces, and characters that are no others'. An
 * empty text where it's nothing of that. */
static struct cleat_str authorizer_bearer(struct cleat_str header)
{
    static const char scheme[] = "bearer ";
    const size_t length = sizeof(scheme) - 1;
    struct cleat_str none = {NULL, 0};
    if (header.length <= length || strncasecmp(header.data, scheme, length) != 0)
        return none;
    struct cleat_str token = {header.data + length, header.length - length};
    while (token.length > 0 && token.data[0] == ' ')
        token = (struct cleat_str){token.data + 1, token.length - 1};
    while (token.length > 0 && token.data[token.length - 1] == ' ')
        token.length--;
    for (size_t i = 0; i < token.length; i++)
        if (token.data[i] <= ' ' || token.data[i] > '~')
            return none;
    return token.length <= AUTHORIZER_TOKEN_BYTES_MAX ? token : none;
}

/* True where another try may help; false too when the pause was cut short by the stop. */
static bool authorizer_again(struct cleat_authorizer *authorizer, int tried,
                             const struct cleat_err *err)
{
    const struct cleat_clock *system = cleat_clock_system(); /* as for every wait */
    bool mends = err->http_status == 0 || err->http_status == 429 || err->http_status >= 500;
    if (!mends || err->code == -EKEYREJECTED || err->code == -ENOMEM || err->code == -ECANCELED ||
        tried == AUTHORIZER_TRIES)
        return false;
    int64_t pause_ms = authorizer->pause_ms * (tried + 1) / 2;
    int64_t until_ms = cleat_clock_mono_ms(system) + pause_ms +
                       (int64_t)cleat_clock_random_below(authorizer->clock, (uint64_t)pause_ms / 5);
    cleat_lock_take(&authorizer->lock);
    int64_t left_ms;
    while (!authorizer->stopping && (left_ms = until_ms - cleat_clock_mono_ms(system)) > 0)
        (void)cleat_cond_wait_ms(&authorizer->cond, &authorizer->lock, left_ms); /* looks again */
    bool again = !authorizer->stopping;
    cleat_lock_release(&authorizer->lock);
    return again;
}

/* What is kept of a review: the user, and not the token that stands in its spec. */
static int review_user(const struct cleat_object *review, struct cleat_object **ret,
                       struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(AUTHORIZER_USER_BYTES_MAX);
    int r = cleat_write_json(&text, cleat_object_find(review, "status.user"), err);
    if (r == 0)
        r = text.failed;
    if (r == 0)
        r = cleat_document_parse(cleat_buffer_view(&text), &document, err);
    if (r == 0)
        r = cleat_object_of(document, ret, err);
    cleat_buffer_fini(&text);
    return r;
}

/* A name that a C string can't hold would be taken for a shorter one. */
static bool user_named(const struct cleat_object *review)
{
    struct cleat_scratch scratch;
    struct cleat_str name =
        cleat_value_text(cleat_object_find(review, "status.user.username"), &scratch);
    return name.length > 0 && !memchr(name.data, 0, name.length);
}

static int ask_token_once(struct authorizer_ask *ask, struct cleat_object **ret,
                          struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *review = NULL;
    bool authenticated = false;
    cleat_series_add(ask->authorizer->reviews[0], 1);
    int r = cleat_client_token_review(ask->authorizer->client, ask->token, &review, err);
    if (r == 0 &&
        cleat_value_bool(cleat_object_find(review, "status.authenticated"), &authenticated) != 0)
        authenticated = false; /* left out where it's false */
    if (r == 0 && (!authenticated || !user_named(review)))
        return CLEAT_KEPT_REFUSED;
    if (r == 0)
        r = review_user(review, ret, err);
    return r < 0 ? r : CLEAT_KEPT_ALLOWED;
}

/* Nobody is made known by it: @ret stays. */
static int ask_access_once(struct authorizer_ask *ask, struct cleat_object **ret,
                           struct cleat_err *err)
{
    struct cleat_scratch scratch[2];
    struct cleat_value user = cleat_object_value(ask->user);
    bool allowed = false;
    const struct cleat_access_question question = {
        .user = cleat_value_text(cleat_value_get(user, "username"), &scratch[0]).data,
        .uid = cleat_value_text(cleat_value_get(user, "uid"), &scratch[1]).data,
        .groups = cleat_value_get(user, "groups"),
        .extra = cleat_value_get(user, "extra"),
        .verb = ask->verb,
        .path = ask->path};
    cleat_series_add(ask->authorizer->reviews[1], 1);
    int r = cleat_client_access(ask->authorizer->client, &question, 0, &allowed, NULL, err);
    if (r < 0)
        return r;
    return allowed ? CLEAT_KEPT_ALLOWED : CLEAT_KEPT_REFUSED;
}

/* One review, once more where that may help: @once is one of the two above. */
static int ask_again(struct authorizer_ask *ask,
                     int (*once)(struct authorizer_ask *ask, struct cleat_object **ret,
                                 struct cleat_err *err),
                     struct cleat_object **ret, struct cleat_err *err)
{
    struct cleat_err local = CLEAT_ERR_INIT;
    int tried = 0;
    int r;
    do {
        cleat_err_clear(&local);
        r = once(ask, ret, &local);
        tried++;
    } while (r < 0 && authorizer_again(ask->authorizer, tried, &local));
    if (r < 0 && err)
        *err = local;
    return r;
}

static int ask_token(void *arg, struct cleat_object **ret, struct cleat_err *err)
{
    return ask_again(arg, ask_token_once, ret, err);
}

static int ask_access(void *arg, struct cleat_object **ret, struct cleat_err *err)
{
    return ask_again(arg, ask_access_once, ret, err);
}

/* The digest of who asks for what: all that a SubjectAccessReview depends on. */
static int ask_digest(const struct authorizer_ask *ask, struct cleat_digest *ret)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(AUTHORIZER_USER_BYTES_MAX);
    (void)cleat_buffer_format(&text, "%s %s ", ask->verb, ask->path); /* sticky */
    int r = cleat_write_json(&text, cleat_object_value(ask->user), NULL);
    if (r == 0)
        r = text.failed;
    if (r == 0)
        r = cleat_digest_make(&ask->authorizer->key, cleat_buffer_view(&text), ret);
    cleat_buffer_fini(&text);
    return r;
}

static int ask_run(struct authorizer_ask *ask, struct cleat_err *err)
{
    struct cleat_authorizer *authorizer = ask->authorizer;
    struct cleat_digest digest;
    struct cleat_object *nothing = NULL;
    bool fresh;
    int r = cleat_digest_make(&authorizer->key, cleat_str_of(ask->token), &digest);
    if (r == 0)
        r = cleat_verdicts_get(&authorizer->tokens, &digest, ask_token, ask, &ask->user, &fresh,
                               err);
    if (r != CLEAT_KEPT_ALLOWED)
        return r < 0 ? r : AUTHORIZER_UNAUTHENTICATED;
    r = ask_digest(ask, &digest);
    if (r == 0)
        r = cleat_verdicts_get(&authorizer->access, &digest, ask_access, ask, &nothing, &fresh,
                               err);
    if (r < 0)
        return r;
    return r == CLEAT_KEPT_ALLOWED ? AUTHORIZER_ALLOWED : AUTHORIZER_FORBIDDEN;
}

static int authorizer_outcome(struct cleat_authorizer *authorizer, struct cleat_str token,
                              const char *verb, const char *path)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct authorizer_ask ask = {.authorizer = authorizer, .verb = verb, .path = path};
    if (token.length == 0)
        return AUTHORIZER_UNAUTHENTICATED;
    ask.token = cleat_mem_strndup(token.data, token.length);
    int r = ask.token ? ask_run(&ask, &err) : -ENOMEM;
    if (ask.token)
        cleat_mem_wipe(ask.token, token.length);
    cleat_mem_free(ask.token);
    (void)cleat_object_unref(ask.user);
    if (r >= 0) {
        cleat_reporter_reset(&authorizer->failures);
        return r;
    }
    if (r != -EBUSY && r != -ECANCELED)
        cleat_report(&authorizer->failures, authorizer->log, CLEAT_LOG_WARN,
                     "who may read metrics can't be asked", cleat_log_err(&err));
    return AUTHORIZER_UNKNOWN;
}

int cleat_authorizer_judge(void *arg, struct cleat_str authorization, const char *verb,
                           const char *path)
{
    struct cleat_authorizer *authorizer = arg;
    int outcome = authorizer_outcome(authorizer, authorizer_bearer(authorization), verb, path);
    cleat_series_add(authorizer->requests[outcome], 1);
    return outcomes[outcome].status;
}

static int authorizer_start(void *arg, struct cleat_err *err)
{
    return 0;
}

static void authorizer_stop(void *arg)
{
    struct cleat_authorizer *authorizer = arg;
    cleat_lock_take(&authorizer->lock);
    authorizer->stopping = true;
    cleat_cond_broadcast(&authorizer->cond);
    cleat_lock_release(&authorizer->lock);
    cleat_verdicts_stop(&authorizer->tokens);
    cleat_verdicts_stop(&authorizer->access);
    cleat_client_abort(authorizer->client, true);
}

struct cleat_runnable cleat_authorizer_runnable(struct cleat_authorizer *authorizer)
{
    return (struct cleat_runnable){.name = "authorizer",
                                   .group = CLEAT_GROUP_HTTP,
                                   .start = authorizer_start,
                                   .stop = authorizer_stop,
                                   .arg = authorizer};
}
