/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/apiserver.h>

#include <cleat/write.h>
#include <errno.h>

#include "apiserver/builtin.h"
#include "apiserver/fault.h"
#include "apiserver/http.h"
#include "apiserver/janitor.h"
#include "apiserver/policy.h"
#include "apiserver/put.h"
#include "apiserver/server.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"
#include "certs/authority.h"
#include "kube/base64.h"

#define APISERVER_MAGIC 0x41504953u

struct cleat_apiserver {
    unsigned magic;
    struct cleat_api_server core;
    char *listen;
    char *ca_pem; /* NULL: plain HTTP */
    char *cert_pem;
    char *key_pem;
};

struct cleat_api_server *cleat_api_server_of(struct cleat_apiserver *server)
{
    return &server->core;
}

/* A certificate of our own for loopback. By the system's clock: that is what clients judge it by.
 */
static int apiserver_certify(struct cleat_apiserver *server, struct cleat_err *err)
{
    static const char *const names[] = {"127.0.0.1", "::1", "localhost", "kubernetes", NULL};
    const struct cleat_clock *clock = cleat_clock_system();
    struct cleat_bundle *bundle = NULL;
    CLEAT_CLEANUP(cleat_authority_freep) struct cleat_authority *authority = NULL;
    int result =
        cleat_authority_new("cleat-apiserver", CLEAT_AUTHORITY_LIFETIME_S, clock, &authority, err);
    if (result == 0)
        result =
            cleat_authority_issue(authority, names, CLEAT_LEAF_LIFETIME_S, clock, &bundle, err);
    if (result != 0)
        return result;
    struct cleat_str ca = cleat_authority_cert(authority);
    struct cleat_str cert = cleat_bundle_cert(bundle);
    struct cleat_str key = cleat_bundle_key(bundle);
    server->ca_pem = cleat_mem_strndup(ca.data, ca.length);
    server->cert_pem = cleat_mem_strndup(cert.data, cert.length);
    server->key_pem = cleat_mem_strndup(key.data, key.length);
    (void)cleat_bundle_unref(bundle);
    if (!server->ca_pem || !server->cert_pem || !server->key_pem)
        return cleat_err_set(err, -ENOMEM, "no memory for a certificate");
    server->core.ca_pem = server->ca_pem;
    return 0;
}

static int apiserver_parts(struct cleat_apiserver *server,
                           const struct cleat_apiserver_options *options, struct cleat_err *err)
{
    struct cleat_api_server *core = &server->core;
    int result = cleat_api_registry_init(&core->registry, core->clock, options->history_max);
    cleat_api_tokens_init(&core->tokens);
    if (result == 0)
        result = cleat_api_faults_new(core->clock, &core->faults);
    if (result == 0)
        result = cleat_api_builtin_add(&core->registry);
    if (result == 0 && !options->no_gc)
        result = cleat_api_janitor_new(core, &core->janitor);
    if (result != 0)
        return cleat_err_set(err, result, "no memory for an API server");
    if (!options->plain_http)
        result = apiserver_certify(server, err);
    if (result == 0 && options->token_file)
        result = cleat_api_tokens_load(&core->tokens, options->token_file, err);
    if (result == 0)
        result = cleat_api_policy_init(core, err);
    if (result == 0)
        result = cleat_api_builtin_namespaces(core, err);
    return result == 0 ? cleat_api_policy_bootstrap(core, err) : result;
}

int cleat_apiserver_new(const struct cleat_apiserver_options *options, struct cleat_apiserver **ret,
                        struct cleat_err *err)
{
    struct cleat_apiserver *server = cleat_mem_zalloc(1, sizeof(*server));
    if (!server)
        return cleat_err_set(err, -ENOMEM, "no memory for an API server");
    server->magic = APISERVER_MAGIC;
    server->core.clock = options->clock ? options->clock : cleat_clock_system();
    server->core.log = options->log;
    server->core.rbac = options->rbac;
    server->core.plain_http = options->plain_http;
    server->core.ca_pem = "";
    server->core.audit = options->audit;
    server->core.audit_arg = options->audit_arg;
    server->core.no_watch_list = options->no_watch_list;
    server->listen = cleat_mem_strdup(options->listen ? options->listen : "127.0.0.1:0");
    int result = server->listen ? apiserver_parts(server, options, err)
                                : cleat_err_set(err, -ENOMEM, "no memory for an API server");
    if (result != 0) {
        (void)cleat_apiserver_free(server);
        return result;
    }
    *ret = server;
    return 0;
}

/* A later start listens where this one does. */
static int apiserver_keep_address(struct cleat_apiserver *server, struct cleat_err *err)
{
    const char *url = cleat_apiserver_url(server);
    char *listen = cleat_mem_strdup(strstr(url, "://") + 3);
    if (!listen)
        return cleat_err_set(err, -ENOMEM, "no memory for an address");
    cleat_mem_free(server->listen);
    server->listen = listen;
    return 0;
}

int cleat_apiserver_start(struct cleat_apiserver *server, struct cleat_err *err)
{
    cleat_assert(server->magic == APISERVER_MAGIC && !server->core.http);
    const struct cleat_api_http_options options = {
        .listen = server->listen, .cert_pem = server->cert_pem, .key_pem = server->key_pem};
    server->core.stopping = false;
    cleat_api_faults_start(server->core.faults);
    int result = cleat_api_http_start(&server->core, &options, &server->core.http, err);
    if (result != 0)
        return result;
    result = apiserver_keep_address(server, err);
    if (result == 0 && server->core.janitor)
        result = cleat_api_janitor_start(server->core.janitor, err);
    if (result != 0)
        cleat_apiserver_stop(server);
    return result;
}

void cleat_apiserver_stop(struct cleat_apiserver *server)
{
    cleat_assert(server->magic == APISERVER_MAGIC);
    if (!server->core.http)
        return;
    server->core.stopping = true;
    cleat_api_faults_stop(server->core.faults);
    cleat_api_registry_wake(&server->core.registry, false);
    if (server->core.janitor)
        cleat_api_janitor_stop(server->core.janitor);
    server->core.http = cleat_api_http_stop(server->core.http);
}

struct cleat_apiserver *cleat_apiserver_free(struct cleat_apiserver *server)
{
    if (!server)
        return NULL;
    cleat_apiserver_stop(server);
    server->core.janitor = cleat_api_janitor_free(server->core.janitor);
    cleat_api_policy_fini(&server->core);
    cleat_api_registry_fini(&server->core.registry);
    cleat_api_tokens_fini(&server->core.tokens);
    server->core.faults = cleat_api_faults_free(server->core.faults);
    cleat_mem_free(server->listen);
    cleat_mem_free(server->ca_pem);
    cleat_mem_free(server->cert_pem);
    if (server->key_pem)
        cleat_mem_wipe(server->key_pem, strlen(server->key_pem));
    cleat_mem_free(server->key_pem);
    server->magic = 0;
    return cleat_mem_free(server);
}

const char *cleat_apiserver_url(const struct cleat_apiserver *server)
{
    return server->core.http ? cleat_api_http_url(server->core.http) : "";
}

const char *cleat_apiserver_ca(const struct cleat_apiserver *server)
{
    return server->core.ca_pem;
}

/* A token for the user; new. */
static int apiserver_token(struct cleat_apiserver *server, const char *name,
                           const char *const *groups, char **ret)
{
    static const char *const masters[] = {"system:masters", NULL};
    struct cleat_api_user *user = NULL;
    int result = cleat_api_user_new(cleat_str_of(name), CLEAT_STR(""), &user);
    for (const char *const *group = groups ? groups : masters; result == 0 && *group; group++)
        result = cleat_api_user_add_group(user, cleat_str_of(*group));
    if (result == 0 && !cleat_api_user_in(user, "system:authenticated"))
        result = cleat_api_user_add_group(user, CLEAT_STR("system:authenticated"));
    if (result == 0)
        result = cleat_api_tokens_make(&server->core.tokens, server->core.clock, user, ret);
    (void)cleat_api_user_unref(user);
    return result;
}

int cleat_apiserver_kubeconfig(struct cleat_apiserver *server, const char *user,
                               const char *const *groups, struct cleat_kubeconfig **ret,
                               struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_mem_freep) char *token = NULL;
    struct cleat_kubeconfig *config = NULL;
    int result = apiserver_token(server, user, groups, &token);
    if (result == 0)
        result = cleat_kubeconfig_new(cleat_apiserver_url(server), &config);
    if (result == 0)
        result = cleat_kubeconfig_set(&config->token, token);
    if (result == 0 && server->ca_pem)
        result = cleat_kubeconfig_set(&config->ca_pem, server->ca_pem);
    if (result != 0) {
        (void)cleat_kubeconfig_free(config);
        return cleat_err_set(err, result, "user %s: a config can't be made", user);
    }
    *ret = config;
    return 0;
}

/* A kubeconfig is YAML, and JSON is YAML. */
static void apiserver_write_config(const struct cleat_apiserver *server, const char *user,
                                   const char *token, struct cleat_buffer *text)
{
    cleat_buffer_text(text, "{\"kind\":\"Config\",\"apiVersion\":\"v1\",\"current-context\":"
                            "\"cleat\",\"clusters\":[{\"name\":\"cleat\",\"cluster\":{\"server\":");
    cleat_write_string(text, cleat_str_of(cleat_apiserver_url(server)));
    if (server->ca_pem) {
        cleat_buffer_text(text, ",\"certificate-authority-data\":\"");
        cleat_base64_encode(text, cleat_str_of(server->ca_pem));
        cleat_buffer_byte(text, '"');
    }
    cleat_buffer_text(text, "}}],\"users\":[{\"name\":");
    cleat_write_string(text, cleat_str_of(user));
    cleat_buffer_text(text, ",\"user\":{\"token\":");
    cleat_write_string(text, cleat_str_of(token));
    cleat_buffer_text(text, "}}],\"contexts\":[{\"name\":\"cleat\",\"context\":{\"cluster\":"
                            "\"cleat\",\"namespace\":\"default\",\"user\":");
    cleat_write_string(text, cleat_str_of(user));
    cleat_buffer_text(text, "}}]}\n");
}

int cleat_apiserver_kubeconfig_text(struct cleat_apiserver *server, const char *user,
                                    const char *const *groups, char **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_mem_freep) char *token = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    int result = apiserver_token(server, user, groups, &token);
    if (result == 0) {
        apiserver_write_config(server, user, token, &text);
        result = text.failed;
    }
    if (result == 0)
        *ret = cleat_buffer_take(&text);
    cleat_buffer_fini(&text);
    return result == 0 ? 0 : cleat_err_set(err, result, "user %s: a config can't be made", user);
}

int cleat_apiserver_put(struct cleat_apiserver *server, struct cleat_value object,
                        struct cleat_err *err)
{
    return cleat_api_put(&server->core, object, true, err);
}

int cleat_apiserver_load(struct cleat_apiserver *server, struct cleat_str json,
                         struct cleat_err *err)
{
    struct cleat_document *document = NULL;
    int result = cleat_document_parse(json, &document, err);
    if (result == 0)
        result = cleat_api_put(&server->core, cleat_document_root(document), false, err);
    (void)cleat_document_unref(document);
    return result;
}

void cleat_apiserver_bookmark(struct cleat_apiserver *server)
{
    cleat_api_registry_wake(&server->core.registry, true);
}

void cleat_apiserver_compact(struct cleat_apiserver *server)
{
    cleat_api_registry_compact(&server->core.registry);
}

int cleat_apiserver_fault(struct cleat_apiserver *server, const struct cleat_fault *fault)
{
    return cleat_api_faults_add(server->core.faults, fault);
}

void cleat_apiserver_fault_clear(struct cleat_apiserver *server, int id)
{
    cleat_api_faults_clear(server->core.faults, id);
}

uint64_t cleat_apiserver_requests(struct cleat_apiserver *server, const char *method,
                                  const char *path, const char *query)
{
    return cleat_api_faults_requests(server->core.faults, method, path, query);
}
