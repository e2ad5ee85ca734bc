/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The installation's rights are those that the server uses: none is missing, none is too much. Told
 * from the API server's audit of a server that does all it can do.
 */
#include <pthread.h>

#include "base/mem.h"
#include "integration/install_fixture.h"

#define CALLS_MAX 1024
#define NAME_BYTES 96

struct call {
    char verb[16], group[64], resource[64], name[NAME_BYTES], namespace_[64];
    int code;
};

struct audit {
    pthread_mutex_t lock;
    struct call calls[CALLS_MAX]; /* each once */
    size_t count;
};

static void on_audit(void *arg, const struct cleat_audit *audit)
{
    struct audit *log = arg;
    struct call call = {.code = audit->code};
    size_t i = 0;
    if (strcmp(audit->user, INSTALL_USER) != 0 || audit->plural.length == 0)
        return;
    (void)snprintf(call.verb, sizeof(call.verb), "%s", audit->verb);
    (void)snprintf(call.group, sizeof(call.group), "%.*s", CLEAT_STR_ARG(audit->group));
    (void)snprintf(call.resource, sizeof(call.resource), "%.*s%s%.*s", CLEAT_STR_ARG(audit->plural),
                   audit->subresource.length > 0 ? "/" : "", CLEAT_STR_ARG(audit->subresource));
    (void)snprintf(call.namespace_, sizeof(call.namespace_), "%.*s",
                   CLEAT_STR_ARG(audit->namespace_));
    (void)snprintf(call.name, sizeof(call.name), "%.*s", CLEAT_STR_ARG(audit->name));
    pthread_mutex_lock(&log->lock);
    while (i < log->count && memcmp(&log->calls[i], &call, sizeof(call)) != 0)
        i++;
    if (i == log->count && i < CALLS_MAX)
        log->calls[log->count++] = call;
    pthread_mutex_unlock(&log->lock);
}

static bool called(struct audit *log, const char *verb, const char *resource,
                   const char *namespace_)
{
    bool found = false;
    pthread_mutex_lock(&log->lock);
    for (size_t i = 0; !found && i < log->count; i++)
        found = strcmp(log->calls[i].verb, verb) == 0 && log->calls[i].code < 300 &&
                strcmp(log->calls[i].resource, resource) == 0 &&
                (!namespace_ || strcmp(log->calls[i].namespace_, namespace_) == 0);
    pthread_mutex_unlock(&log->lock);
    return found;
}

/* ---- what the server can be brought to do ---- */

static void make_configmap(struct install *install)
{
    ck_assert_int_eq(cluster_make(&install->cluster, &install_configmaps, "platform",
                                  "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{"
                                  "\"name\":\"conf\"},\"data\":{\"k\":\"one\"},\"immutable\":"
                                  "true}"),
                     0);
}

static bool copy_says(struct install *install, const struct cleat_resource *resource,
                      const char *name, const char *value)
{
    return cluster_has(&install->cluster, resource, "a", name, "data.k", value);
}

/* Copies of both kinds are made, put right, made anew where they can't be changed, and taken away.
 */
static void copies_live(struct install *install)
{
    ck_assert_int_eq(install_mirror(install, "Secret", "reg"), 0);
    ck_assert_int_eq(install_mirror(install, "ConfigMap", "conf"), 0);
    CLEAT_WAIT_FOR(copy_says(install, &install_secrets, "reg", "b25l"), INSTALL_LIMIT_MS);
    CLEAT_WAIT_FOR(copy_says(install, &install_configmaps, "conf", "one"), INSTALL_LIMIT_MS);
    ck_assert_int_eq(cluster_patch(&install->cluster, &install_secrets, "platform", "reg",
                                   "{\"data\":{\"k\":\"dHdv\"}}"),
                     0);
    CLEAT_WAIT_FOR(copy_says(install, &install_secrets, "reg", "dHdv"), INSTALL_LIMIT_MS);
    ck_assert_int_eq(cluster_remove(&install->cluster, &install_configmaps, "platform", "conf"), 0);
    ck_assert_int_eq(cluster_make(&install->cluster, &install_configmaps, "platform",
                                  "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{"
                                  "\"name\":\"conf\"},\"data\":{\"k\":\"two\"}}"),
                     0);
    CLEAT_WAIT_FOR(copy_says(install, &install_configmaps, "conf", "two"), INSTALL_LIMIT_MS);
    ck_assert_int_eq(cluster_patch(&install->cluster, &install_configmaps, "platform", "conf",
                                   "{\"data\":{\"k\":\"three\"}}"),
                     0);
    CLEAT_WAIT_FOR(copy_says(install, &install_configmaps, "conf", "three"), INSTALL_LIMIT_MS);
    ck_assert_int_eq(cluster_patch(&install->cluster, &install_namespaces, NULL, "a",
                                   "{\"metadata\":{\"labels\":{\"team\":null}}}"),
                     0);
    CLEAT_WAIT_FOR(!install_has(install, &install_secrets, "a", "reg"), INSTALL_LIMIT_MS);
    CLEAT_WAIT_FOR(!install_has(install, &install_configmaps, "a", "conf"), INSTALL_LIMIT_MS);
}

static void scrape(struct install *install)
{
    struct http_client client;
    struct http_reply *reply = cleat_mem_zalloc(1, sizeof(*reply));
    ck_assert(http_client_open(&client, (uint16_t)install->metrics_port, true));
    ck_assert(http_client_text(&client,
                               "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
                               "Bearer of-nobody\r\n\r\n"));
    http_client_read(&client, reply, false);
    ck_assert_int_eq(reply->status, 401);
    http_client_close(&client);
    cleat_mem_free(reply);
}

/* ---- grants against calls ---- */

static bool list_has(struct cleat_value list, const char *text)
{
    for (size_t i = 0; i < cleat_value_count(list); i++)
        if (cleat_value_is(cleat_value_at(list, i), text))
            return true;
    return false;
}

/* True where @call is what @verb of @rule is for. Lists and watches are by name where the rule is.
 */
static bool rule_is_for(struct cleat_value rule, const char *verb, const struct call *call)
{
    struct cleat_value names = cleat_value_get(rule, "resourceNames");
    bool collection = strcmp(verb, "list") == 0 || strcmp(verb, "watch") == 0;
    return strcmp(call->verb, verb) == 0 && call->code != 403 &&
           list_has(cleat_value_get(rule, "apiGroups"), call->group) &&
           list_has(cleat_value_get(rule, "resources"), call->resource) &&
           (cleat_value_count(names) == 0 || collection || list_has(names, call->name));
}

struct unused {
    const struct audit *log;
    char text[2048];
    size_t length;
};

static void check_rule(struct unused *unused, const char *role, struct cleat_value rule)
{
    struct cleat_value verbs = cleat_value_get(rule, "verbs");
    struct cleat_scratch scratch[2];
    for (size_t i = 0; i < cleat_value_count(verbs); i++) {
        struct cleat_str verb = cleat_value_text(cleat_value_at(verbs, i), &scratch[0]);
        struct cleat_str resource =
            cleat_value_text(cleat_value_find(rule, "resources[0]"), &scratch[1]);
        bool used = false;
        for (size_t j = 0; !used && j < unused->log->count; j++)
            used = rule_is_for(rule, verb.data, &unused->log->calls[j]);
        if (!used)
            unused->length += (size_t)snprintf(
                unused->text + unused->length, sizeof(unused->text) - unused->length,
                " %s: %.*s %.*s;", role, CLEAT_STR_ARG(verb), CLEAT_STR_ARG(resource));
    }
}

static int check_role(void *arg, struct cleat_value object, struct cleat_err *err)
{
    struct cleat_value kind = cleat_value_get(object, "kind");
    struct cleat_value rules = cleat_value_get(object, "rules");
    struct cleat_scratch scratch;
    struct cleat_str name = cleat_value_text(cleat_value_find(object, "metadata.name"), &scratch);
    if ((!cleat_value_is(kind, "ClusterRole") && !cleat_value_is(kind, "Role")) ||
        cleat_str_is(name, "cleat-metrics-reader")) /* somebody else's */
        return 0;
    for (size_t i = 0; i < cleat_value_count(rules); i++)
        check_rule(arg, name.data, cleat_value_at(rules, i));
    return 0;
}

static void check_audit(struct audit *log)
{
    const struct cleat_manifests_options options = {.crds = false};
    struct unused unused = {.log = log};
    ck_assert_uint_lt(log->count, CALLS_MAX);
    for (size_t i = 0; i < log->count; i++)
        ck_assert_msg(log->calls[i].code != 403, "not granted: %s %s.%s %s/%s", log->calls[i].verb,
                      log->calls[i].resource, log->calls[i].group, log->calls[i].namespace_,
                      log->calls[i].name);
    ck_assert_int_eq(cleat_manifests_each(&options, check_role, &unused, NULL), 0);
    ck_assert_msg(unused.length == 0, "granted and not used:%s", unused.text);
}

/* A server's life on an API server with streaming lists, or one of before. */
static void live(struct audit *log, bool old)
{
    struct install install;
    install_open(&install, (struct cleat_apiserver_options){
                               .no_watch_list = old, .audit = on_audit, .audit_arg = log});
    install_namespace(&install, "platform", "");
    install_namespace(&install, "a", "\"team\":\"true\"");
    install_secret(&install, "platform", "reg", "");
    make_configmap(&install);
    install_serve(&install, "--webhook-cert-lifetime=4s --webhook-ca-lifetime=600s");
    CLEAT_WAIT_FOR(install_ready(&install), INSTALL_LIMIT_MS);
    copies_live(&install);
    scrape(&install);
    CLEAT_WAIT_FOR(called(log, "update", "secrets", "cleat-system"), INSTALL_LIMIT_MS);
    CLEAT_WAIT_FOR(called(log, "create", "events", "default"), INSTALL_LIMIT_MS);
    child_end(&install.server, SIGTERM, INSTALL_LIMIT_MS);
    install_close(&install);
}

START_TEST(test_rights_are_those_that_are_used)
{
    static struct audit log = {.lock = PTHREAD_MUTEX_INITIALIZER};
    live(&log, false);
    live(&log, true);
    check_audit(&log);
}
END_TEST

CLEAT_SUITE_MAIN("rights", test_rights_are_those_that_are_used)
