/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server without sockets on a fake clock: requests go in as text, answers come out as documents.
 * Header only.
 */
#ifndef CLEAT_TESTS_API_FIXTURE_H
#define CLEAT_TESTS_API_FIXTURE_H

#include <cleat/apiserver.h>
#include <cleat/document.h>
#include <cleat/path.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "apiserver/server.h"
#include "base/limits.h"
#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/wait.h"

struct api {
    struct cleat_fake_clock clock;
    struct cleat_apiserver *server;
    struct cleat_api_server *core;
    struct cleat_api_user *admin;
    char authorization[128];
};

/* One answer. */
struct reply {
    int code;
    int retry_after_s;
    char content_type[128];
    struct cleat_buffer text;
    struct cleat_document *document; /* NULL where the text isn't one JSON value */
};

struct api_call {
    const char *method;
    const char *path; /* with the query */
    const char *body; /* NULL: none */
    const char *content_type;
    const char *accept;
    const char *authorization; /* NULL: the administrator's */
    const char *const
        *headers; /* further ones, name and value by turns; NULL-terminated, or NULL */
};

static inline void api_init_with(struct api *api, struct cleat_apiserver_options *options)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    cleat_fake_clock_init(&api->clock);
    options->clock = &api->clock.clock;
    options->plain_http = true;
    int result = cleat_apiserver_new(options, &api->server, &err);
    ck_assert_msg(result == 0, "%s", err.text);
    api->core = cleat_api_server_of(api->server);
    struct cleat_kubeconfig *config = NULL;
    ck_assert_int_eq(cleat_apiserver_kubeconfig(api->server, "admin", NULL, &config, &err), 0);
    snprintf(api->authorization, sizeof(api->authorization), "Bearer %s", config->token);
    (void)cleat_kubeconfig_free(config);
}

static inline void api_init(struct api *api)
{
    struct cleat_apiserver_options options = {.no_gc = true};
    api_init_with(api, &options);
}

static inline void api_fini(struct api *api)
{
    api->server = cleat_apiserver_free(api->server);
}

static inline void reply_fini(struct reply *reply)
{
    reply->document = cleat_document_unref(reply->document);
    cleat_buffer_fini(&reply->text);
}

static inline void api_drain(struct cleat_api_stream *stream, struct cleat_buffer *text)
{
    int64_t length = stream->length;
    int64_t got = 0;
    /* An odd size, so that pieces are cut everywhere. */
    char bytes[1009];
    while ((got = stream->read(stream, -1, bytes, sizeof(bytes))) > 0)
        cleat_buffer_append(text, bytes, (size_t)got);
    ck_assert_int_eq(got, 0);
    ck_assert(length < 0 || (size_t)length == text->length);
}

static inline void api_headers(const struct cleat_api_http *http,
                               void (*fn)(void *arg, const char *name, const char *value),
                               void *arg)
{
    const struct api_call *call = http->arg;
    for (const char *const *header = call->headers; header && *header; header += 2)
        fn(arg, header[0], header[1]);
}

/* Begins a call; its answer is ended by the caller. */
static inline void api_begin(struct api *api, const struct api_call *call,
                             struct cleat_api_response *response)
{
    char path[2048];
    snprintf(path, sizeof(path), "%s", call->path);
    char *mark = strchr(path, '?');
    if (mark)
        *mark = 0;
    const struct cleat_api_http http = {
        .method = call->method,
        .path = path,
        .query = mark ? mark + 1 : "",
        .body = cleat_str_of(call->body),
        .authorization = call->authorization ? call->authorization : api->authorization,
        .headers = api_headers,
        .arg = (void *)call,
        .accept = call->accept,
        .content_type = call->content_type ? call->content_type : "application/json",
    };
    cleat_api_server_handle(api->core, &http, response);
}

static inline struct reply api_run(struct api *api, const struct api_call *call)
{
    struct reply reply = {0};
    struct cleat_api_response response;
    api_begin(api, call, &response);
    cleat_buffer_init(&reply.text, 64 * CLEAT_MIB);
    if (response.stream)
        api_drain(response.stream, &reply.text);
    else
        cleat_buffer_str(&reply.text, cleat_buffer_view(&response.body));
    reply.code = response.code;
    reply.retry_after_s = response.retry_after_s;
    snprintf(reply.content_type, sizeof(reply.content_type), "%s", response.content_type);
    if (reply.text.length)
        (void)!cleat_document_parse(cleat_buffer_view(&reply.text), &reply.document, NULL);
    cleat_api_response_fini(&response);
    return reply;
}

static inline struct reply api_do(struct api *api, const char *method, const char *path,
                                  const char *body)
{
    const struct api_call call = {.method = method, .path = path, .body = body};
    return api_run(api, &call);
}

/* The value at @path, which must be a string; borrowed until the next call on this thread. */
static inline const char *reply_text(const struct reply *reply, const char *path)
{
    static char text[4096];
    struct cleat_scratch scratch;
    ck_assert_msg(reply->document != NULL, "no JSON: %s", reply->text.data);
    struct cleat_value value = cleat_value_find(cleat_document_root(reply->document), path);
    struct cleat_str string = cleat_value_text(value, &scratch);
    snprintf(text, sizeof(text), "%.*s", CLEAT_STR_ARG(string));
    return text;
}

static inline int64_t reply_int(const struct reply *reply, const char *path)
{
    ck_assert_msg(reply->document != NULL, "no JSON: %s", reply->text.data);
    return cleat_value_int_or(cleat_value_find(cleat_document_root(reply->document), path), -1);
}

static inline size_t reply_count(const struct reply *reply, const char *path)
{
    ck_assert_msg(reply->document != NULL, "no JSON: %s", reply->text.data);
    return cleat_value_count(cleat_value_find(cleat_document_root(reply->document), path));
}

static inline bool reply_has(const struct reply *reply, const char *path)
{
    ck_assert_msg(reply->document != NULL, "no JSON: %s", reply->text.data);
    return cleat_value_is_present(cleat_value_find(cleat_document_root(reply->document), path));
}

#define ck_reply_code(reply, wanted)                                                  \
    ck_assert_msg((reply).code == (wanted), "%d, not %d: %s", (reply).code, (wanted), \
                  (reply).text.data)

/* A call whose code alone matters. */
static inline void api_expect(struct api *api, const char *method, const char *path,
                              const char *body, int code)
{
    struct reply reply = api_do(api, method, path, body);
    ck_reply_code(reply, code);
    reply_fini(&reply);
}

/* A call whose failure is all that is looked at. */
static inline void api_expect_status(struct api *api, const struct api_call *call, int code,
                                     const char *reason, const char *message)
{
    struct reply reply = api_run(api, call);
    ck_reply_code(reply, code);
    ck_assert_str_eq(reply_text(&reply, "kind"), "Status");
    ck_assert_str_eq(reply_text(&reply, "status"), "Failure");
    ck_assert_str_eq(reply_text(&reply, "reason"), reason);
    if (message)
        ck_assert_msg(strstr(reply_text(&reply, "message"), message) != NULL, "%s: not in %s",
                      message, reply.text.data);
    ck_assert_int_eq(reply_int(&reply, "code"), code);
    reply_fini(&reply);
}

#define API_CONFIGMAPS "/api/v1/namespaces/default/configmaps"

/* Makes a ConfigMap of that name with one value. */
static inline void api_configmap(struct api *api, const char *name, const char *value)
{
    char body[512];
    snprintf(body, sizeof(body),
             "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
             "\"labels\":{\"v\":\"%s\"}},\"data\":{\"v\":\"%s\"}}",
             name, value, value);
    api_expect(api, "POST", API_CONFIGMAPS, body, 201);
}

#endif
