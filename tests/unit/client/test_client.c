/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs: what each sends, byte for byte, and what it makes of the answer. */
#include <stdio.h>
#include "base/mem.h"
#include "support/client_fixture.h"
#include "support/suite.h"

static const struct cleat_resource pods = {{"", "v1", "Pod"}, "pods", "pod", true, CLEAT_VERB_GET};
static const struct cleat_resource nodes = {
    {"", "v1", "Node"}, "nodes", "node", false, CLEAT_VERB_GET};
static const struct cleat_resource deployments = {
    {"apps", "v1", "Deployment"}, "deployments", "deployment", true, CLEAT_VERB_GET};

#define POD                                                                               \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":" \
    "\"default\",\"resourceVersion\":\"7\"},\"spec\":{\"nodeName\":\"n1\"}}"

/* The last request, and the answers in order (the last one stays). */
struct script {
    char line[4096];
    char accept[256];
    char content_type[128];
    char encoding[64];
    char body[2048];
    int status;
    const char *headers;
    const char *answers[8];
    char lines[8][1024];
};

static void script_run(void *arg, struct script_exchange *exchange,
                       const struct script_request *request)
{
    struct script *script = arg;
    size_t at = request->number - 1 < 7 ? request->number - 1 : 7;
    (void)snprintf(script->line, sizeof(script->line), "%s %.4000s", request->method,
                   request->target);
    (void)snprintf(script->lines[at], sizeof(script->lines[at]), "%s %.1000s", request->method,
                   request->target);
    (void)snprintf(script->body, sizeof(script->body), "%s", request->body);
    script_header(request, "accept", script->accept, sizeof(script->accept));
    script_header(request, "content-type", script->content_type, sizeof(script->content_type));
    script_header(request, "accept-encoding", script->encoding, sizeof(script->encoding));
    while (at > 0 && !script->answers[at])
        at--;
    script_reply(exchange, script->status ? script->status : 200, script->headers,
                 script->answers[at] ? script->answers[at] : POD);
}

static void open_client(struct client_fixture *fixture, struct script *script)
{
    client_fixture_init(fixture, script_run, script);
    client_fixture_open(fixture);
}

static struct cleat_client_target target_of(const struct cleat_resource *resource,
                                            const char *namespace_, const char *name,
                                            const char *subresource)
{
    return (struct cleat_client_target){resource, namespace_, name, subresource};
}

START_TEST(test_get)
{
    struct script script = {.status = 0};
    struct client_fixture fixture;
    struct cleat_object *object = NULL;
    struct cleat_client_target target = target_of(&pods, "default", "a", NULL);
    open_client(&fixture, &script);
    ck_assert_int_eq(cleat_client_get(fixture.client, &target, NULL, &object, &fixture.err), 0);
    ck_assert_str_eq(script.line, "GET /api/v1/namespaces/default/pods/a");
    ck_assert_str_eq(script.accept, "application/json");
    ck_assert_str_eq(script.encoding, "");
    ck_assert(cleat_str_is(cleat_object_name(object), "a"));
    ck_assert(cleat_str_is(cleat_object_resource_version(object), "7"));
    ck_assert(cleat_value_is(cleat_object_find(object, "spec.nodeName"), "n1"));
    object = cleat_object_unref(object);
    const struct cleat_client_call call = {.metadata_only = true, .resource_version = "0"};
    ck_assert_int_eq(cleat_client_get(fixture.client, &target, &call, NULL, &fixture.err), 0);
    ck_assert_str_eq(script.line, "GET /api/v1/namespaces/default/pods/a?resourceVersion=0");
    ck_assert_str_eq(script.accept, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,"
                                    "application/json");
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_paths)
{
    static const struct {
        const struct cleat_resource *resource;
        const char *namespace_, *name, *subresource, *line;
    } cases[] = {
        {&nodes, NULL, "n", NULL, "GET /api/v1/nodes/n"},
        {&nodes, "", "n", "", "GET /api/v1/nodes/n"},
        {&nodes, NULL, "n", "status", "GET /api/v1/nodes/n/status"},
        {&deployments, "x", "d", "scale", "GET /apis/apps/v1/namespaces/x/deployments/d/scale"},
        {&pods, "x", "system:a b?#&", NULL,
         "GET /api/v1/namespaces/x/pods/system%3Aa%20b%3F%23%26"},
    };
    struct script script = {.status = 0};
    struct client_fixture fixture;
    open_client(&fixture, &script);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_client_target target =
            target_of(cases[i].resource, cases[i].namespace_, cases[i].name, cases[i].subresource);
        ck_assert_int_eq(cleat_client_get(fixture.client, &target, NULL, NULL, NULL), 0);
        ck_assert_str_eq(script.line, cases[i].line);
    }
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_refused_before_sending)
{
    static const struct {
        const struct cleat_resource *resource;
        const char *namespace_, *name, *fact;
    } cases[] = {
        {&pods, "", "a", "pods: a namespace is needed"},
        {&pods, NULL, "a", "pods: a namespace is needed"},
        {&pods, "default", "", "pods: a name is needed"},
        {&pods, "default", NULL, "pods: a name is needed"},
        {&nodes, "default", "n", "nodes: cluster-scoped, but namespace \"default\" was given"},
        {&nodes, NULL, "..", "name \"..\": can't be part of a path"},
        {&nodes, NULL, "a/b", "name \"a/b\": can't be part of a path"},
        {&nodes, NULL, "a%2Fb", "name \"a%2Fb\": can't be part of a path"},
        {&pods, "../kube-system", "a", "namespace \"../kube-system\": can't be part of a path"},
    };
    struct script script = {.status = 0};
    struct client_fixture fixture;
    open_client(&fixture, &script);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_client_target target =
            target_of(cases[i].resource, cases[i].namespace_, cases[i].name, NULL);
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat_client_delete(fixture.client, &target, NULL, NULL, &err), -EINVAL);
        ck_assert_str_eq(err.text, cases[i].fact);
        ck_assert_int_eq(cleat_client_get(fixture.client, &target, NULL, NULL, NULL), -EINVAL);
        ck_assert_int_eq(cleat_client_patch(fixture.client, &target, CLEAT_PATCH_MERGE,
                                            CLEAT_STR("{}"), NULL, NULL, NULL),
                         -EINVAL);
    }
    struct cleat_client_target named = target_of(&pods, NULL, "a", NULL);
    ck_assert_int_eq(cleat_client_delete_collection(fixture.client, &named, NULL, NULL), -EINVAL);
    ck_assert_int_eq(cleat_client_list(fixture.client, &named, NULL, NULL, NULL), -EINVAL);
    ck_assert_uint_eq(script_server_connections(fixture.server), 0);
    client_fixture_fini(&fixture);
}
END_TEST

static struct cleat_document *document_of(const char *json)
{
    struct cleat_document *document = NULL;
    ck_assert_int_eq(cleat_document_parse(cleat_str_of(json), &document, NULL), 0);
    return document;
}

START_TEST(test_create)
{
    struct script script = {.status = 201};
    struct client_fixture fixture;
    struct cleat_document *body = document_of(
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"generateName\":\"a-\"}}");
    struct cleat_object *object = NULL;
    struct cleat_client_target target = target_of(&pods, "default", NULL, NULL);
    open_client(&fixture, &script);
    ck_assert_int_eq(cleat_client_create(fixture.client, &target, cleat_document_root(body), NULL,
                                         &object, &fixture.err),
                     0);
    ck_assert_str_eq(script.line, "POST /api/v1/namespaces/default/pods?fieldManager=cleat");
    ck_assert_str_eq(script.content_type, "application/json");
    ck_assert_str_eq(
        script.body,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"generateName\":\"a-\"}}");
    ck_assert(cleat_str_is(cleat_object_name(object), "a"));
    object = cleat_object_unref(object);

    const struct cleat_client_call call = {
        .field_manager = "me", .field_validation = "Strict", .dry_run = true};
    target.name = "ignored for the collection";
    ck_assert_int_eq(cleat_client_create(fixture.client, &target, cleat_document_root(body), &call,
                                         NULL, &fixture.err),
                     0);
    ck_assert_ptr_nonnull(strstr(script.line, "/pods?"));
    ck_assert_ptr_nonnull(strstr(script.line, "fieldManager=me"));
    ck_assert_ptr_nonnull(strstr(script.line, "fieldValidation=Strict"));
    ck_assert_ptr_nonnull(strstr(script.line, "dryRun=All"));

    target.name = "a";
    target.subresource = "eviction";
    ck_assert_int_eq(cleat_client_create(fixture.client, &target, cleat_document_root(body), NULL,
                                         NULL, &fixture.err),
                     0);
    ck_assert_str_eq(script.line,
                     "POST /api/v1/namespaces/default/pods/a/eviction?fieldManager=cleat");
    ck_assert_int_eq(
        cleat_client_create(fixture.client, &target, CLEAT_VALUE_NONE, NULL, NULL, &fixture.err),
        -EINVAL);
    cleat_document_unref(body);
    client_fixture_fini(&fixture);
}
END_TEST

/* The first @arg requests collide. */
static void script_collides(void *arg, struct script_exchange *exchange,
                            const struct script_request *request)
{
    if (request->number <= *(unsigned *)arg)
        script_reply(exchange, 409, NULL,
                     "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"there\"}");
    else
        script_reply(exchange, 201, NULL, POD);
}

START_TEST(test_create_collides)
{
    static const struct {
        const char *name;
        unsigned collisions;
        int result;
        unsigned requests;
    } cases[] = {
        {"\"generateName\":\"a-\"", 2, 0, 3},
        {"\"generateName\":\"a-\"", 99, -EEXIST, 4},
        {"\"name\":\"a\"", 1, -EEXIST, 1},
        {"\"name\":\"a\",\"generateName\":\"a-\"", 1, -EEXIST, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned collisions = cases[i].collisions;
        struct client_fixture fixture;
        struct cleat_document *body = NULL;
        struct cleat_client_target target = target_of(&pods, "default", NULL, NULL);
        client_fixture_init(&fixture, script_collides, &collisions);
        client_fixture_open(&fixture);
        ck_assert_int_eq(cleat_document_format(&body, NULL, "{\"metadata\":{%s}}", cases[i].name),
                         0);
        ck_assert_int_eq(cleat_client_create(fixture.client, &target, cleat_document_root(body),
                                             NULL, NULL, &fixture.err),
                         cases[i].result);
        ck_assert_uint_eq(script_server_requests(fixture.server), cases[i].requests);
        ck_assert_int_eq(fixture.err.code, cases[i].result);
        cleat_document_unref(body);
        client_fixture_fini(&fixture);
    }
}
END_TEST

START_TEST(test_update_draft)
{
    struct script script = {.status = 200};
    struct client_fixture fixture;
    struct cleat_object *object = NULL;
    struct cleat_draft *draft = NULL;
    struct cleat_client_target target = target_of(&pods, "default", "a", "status");
    open_client(&fixture, &script);
    ck_assert_int_eq(cleat_object_parse(CLEAT_STR(POD), &object, NULL), 0);
    ck_assert_int_eq(cleat_draft_new(cleat_object_value(object), &draft, NULL), 0);
    ck_assert_int_eq(cleat_draft_set_text(draft, "status.phase", "Running", NULL), 0);
    ck_assert_int_eq(cleat_draft_set_text(draft, "metadata.resourceVersion", "forged", NULL), 0);
    ck_assert_int_eq(
        cleat_client_update_draft(fixture.client, &target, object, draft, NULL, NULL, &fixture.err),
        0);
    ck_assert_str_eq(script.line,
                     "PUT /api/v1/namespaces/default/pods/a/status?fieldManager=cleat");
    ck_assert_ptr_nonnull(strstr(script.body, "\"resourceVersion\":\"7\""));
    ck_assert_ptr_nonnull(strstr(script.body, "\"phase\":\"Running\""));
    ck_assert_ptr_nonnull(strstr(script.body, "\"kind\":\"Pod\""));
    ck_assert_ptr_null(strstr(script.body, "forged"));
    cleat_draft_free(draft);
    object = cleat_object_unref(object);

    ck_assert_int_eq(
        cleat_object_parse(CLEAT_STR("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}"), &object,
                           NULL),
        0);
    ck_assert_int_eq(cleat_draft_new(cleat_object_value(object), &draft, NULL), 0);
    cleat_err_clear(&fixture.err);
    ck_assert_int_eq(
        cleat_client_update_draft(fixture.client, &target, object, draft, NULL, NULL, &fixture.err),
        -EINVAL);
    ck_assert_str_eq(fixture.err.text, "Pod a: no resourceVersion to update from");
    ck_assert_uint_eq(script_server_requests(fixture.server), 1);
    cleat_draft_free(draft);
    cleat_object_unref(object);
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_patch)
{
    static const struct {
        enum cleat_patch_type type;
        const char *content_type;
        const char *query;
    } cases[] = {
        {CLEAT_PATCH_JSON, "application/json-patch+json", "?fieldManager=cleat"},
        {CLEAT_PATCH_MERGE, "application/merge-patch+json", "?fieldManager=cleat"},
        {CLEAT_PATCH_STRATEGIC, "application/strategic-merge-patch+json", "?fieldManager=cleat"},
        {CLEAT_PATCH_APPLY, "application/apply-patch+yaml", "force=true"},
    };
    struct script script = {.status = 200};
    struct client_fixture fixture;
    struct cleat_client_target target = target_of(&pods, "default", "a", NULL);
    const struct cleat_client_call call = {.force = true};
    open_client(&fixture, &script);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(cleat_client_patch(fixture.client, &target, cases[i].type,
                                            CLEAT_STR("[{}]"), &call, NULL, NULL),
                         0);
        ck_assert_str_eq(script.content_type, cases[i].content_type);
        ck_assert_str_eq(script.body, "[{}]");
        ck_assert_msg(strstr(script.line, cases[i].query) != NULL, "%s", script.line);
        ck_assert(i == 3 || strstr(script.line, "force") == NULL);
    }
    ck_assert_int_eq(cleat_client_patch(fixture.client, &target, CLEAT_PATCH_MERGE, CLEAT_STR(""),
                                        NULL, NULL, NULL),
                     -EINVAL);
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_delete)
{
    struct script script = {.answers = {"{\"kind\":\"Status\",\"status\":\"Success\"}"}};
    struct client_fixture fixture;
    struct cleat_object *object = NULL;
    struct cleat_client_target target = target_of(&pods, "default", "a", NULL);
    const struct cleat_client_call call = {.uid = "u-1",
                                           .precondition_resource_version = "7",
                                           .propagation = "Foreground",
                                           .set_grace_period = true};
    open_client(&fixture, &script);
    ck_assert_int_eq(cleat_client_delete(fixture.client, &target, &call, &object, NULL), 0);
    ck_assert_str_eq(script.line, "DELETE /api/v1/namespaces/default/pods/a");
    ck_assert(cleat_str_is(cleat_object_kind(object), "Status"));
    object = cleat_object_unref(object);
    struct cleat_document *body = document_of(script.body);
    struct cleat_value root = cleat_document_root(body);
    ck_assert(cleat_value_is(cleat_value_get(root, "kind"), "DeleteOptions"));
    ck_assert(cleat_value_is(cleat_value_find(root, "preconditions.uid"), "u-1"));
    ck_assert(cleat_value_is(cleat_value_find(root, "preconditions.resourceVersion"), "7"));
    ck_assert(cleat_value_is(cleat_value_get(root, "propagationPolicy"), "Foreground"));
    ck_assert_int_eq(cleat_value_int_or(cleat_value_get(root, "gracePeriodSeconds"), -1), 0);
    ck_assert(!cleat_value_is_present(cleat_value_get(root, "dryRun")));
    cleat_document_unref(body);

    struct cleat_client_target all = target_of(&pods, "default", NULL, NULL);
    const struct cleat_client_call labelled = {.label_selector = "a=b,c in (d,e)"};
    ck_assert_int_eq(cleat_client_delete_collection(fixture.client, &all, &labelled, NULL), 0);
    ck_assert_str_eq(script.line, "DELETE /api/v1/namespaces/default/"
                                  "pods?labelSelector=a%3Db%2Cc%20in%20%28d%2Ce%29");
    ck_assert_ptr_nonnull(strstr(script.body, "DeleteOptions"));
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_dry_run_client)
{
    struct script script = {.status = 200};
    struct client_fixture fixture;
    struct cleat_client_target target = target_of(&pods, "default", "a", NULL);
    struct cleat_document *body = document_of(POD);
    client_fixture_init(&fixture, script_run, &script);
    fixture.options.dry_run = true;
    fixture.options.field_manager = "tool";
    client_fixture_open(&fixture);
    ck_assert_int_eq(
        cleat_client_update(fixture.client, &target, cleat_document_root(body), NULL, NULL, NULL),
        0);
    ck_assert_ptr_nonnull(strstr(script.line, "dryRun=All"));
    ck_assert_ptr_nonnull(strstr(script.line, "fieldManager=tool"));
    ck_assert_int_eq(cleat_client_patch(fixture.client, &target, CLEAT_PATCH_JSON, CLEAT_STR("[]"),
                                        NULL, NULL, NULL),
                     0);
    ck_assert_ptr_nonnull(strstr(script.line, "dryRun=All"));
    ck_assert_int_eq(cleat_client_delete(fixture.client, &target, NULL, NULL, NULL), 0);
    ck_assert_ptr_nonnull(strstr(script.body, "\"dryRun\":[\"All\"]"));
    ck_assert_int_eq(cleat_client_get(fixture.client, &target, NULL, NULL, NULL), 0);
    ck_assert_ptr_null(strstr(script.line, "dryRun"));
    cleat_document_unref(body);
    client_fixture_fini(&fixture);
}
END_TEST

static int fence_writes(void *arg, bool write, struct cleat_err *err)
{
    return write ? cleat_err_set(err, -EPERM, "lost the lease")
                 : client_fixture_fence(arg, write, err);
}

START_TEST(test_fenced)
{
    struct script script = {.status = 200};
    struct client_fixture fixture;
    struct cleat_client *fenced = NULL;
    struct cleat_client_target target = target_of(&pods, "default", "a", NULL);
    open_client(&fixture, &script);
    ck_assert_int_eq(cleat_client_fenced(fixture.client, fence_writes, &fixture, &fenced), 0);
    ck_assert_int_eq(cleat_client_get(fenced, &target, NULL, NULL, NULL), 0);
    ck_assert_int_eq(cleat_client_delete(fenced, &target, NULL, NULL, &fixture.err), -EPERM);
    ck_assert_int_eq(cleat_client_raw(fenced, "POST", "/x", CLEAT_STR("{}"), NULL, NULL), -EPERM);
    ck_assert_int_eq(cleat_client_delete(fixture.client, &target, NULL, NULL, NULL), 0);
    ck_assert_uint_eq(script_server_connections(fixture.server), 1);
    cleat_client_unref(fenced);
    client_fixture_fini(&fixture);
}
END_TEST

#define PAGE(continue_, items)                                                       \
    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":" \
    "\"9\"" continue_ "},\"items\":[" items "]}"
#define ITEM(name)                    \
    "{\"metadata\":{\"name\":\"" name \
    "\",\"namespace\":\"d\",\"resourceVersion\":\"5\"},\"spec\":{}}"

START_TEST(test_list)
{
    struct script script = {.answers = {PAGE(",\"continue\":\"c1\"", ITEM("a"))}};
    struct client_fixture fixture;
    struct cleat_object *list = NULL;
    struct cleat_client_target target = target_of(&pods, NULL, NULL, NULL);
    const struct cleat_client_call call = {.limit = 1,
                                           .label_selector = "a=b",
                                           .field_selector = "metadata.name=a",
                                           .resource_version = "5",
                                           .resource_version_match = "NotOlderThan",
                                           .metadata_only = true};
    open_client(&fixture, &script);
    ck_assert_int_eq(cleat_client_list(fixture.client, &target, &call, &list, NULL), 0);
    ck_assert_ptr_nonnull(strstr(script.line, "GET /api/v1/pods?"));
    ck_assert_ptr_nonnull(strstr(script.line, "labelSelector=a%3Db"));
    ck_assert_ptr_nonnull(strstr(script.line, "fieldSelector=metadata.name%3Da"));
    ck_assert_ptr_nonnull(strstr(script.line, "limit=1"));
    ck_assert_ptr_nonnull(strstr(script.line, "resourceVersion=5"));
    ck_assert_ptr_nonnull(strstr(script.line, "resourceVersionMatch=NotOlderThan"));
    ck_assert_str_eq(script.encoding, "gzip");
    ck_assert_ptr_nonnull(strstr(script.accept, "as=PartialObjectMetadataList"));
    ck_assert(cleat_value_is(cleat_object_find(list, "metadata.continue"), "c1"));
    cleat_object_unref(list);
    client_fixture_fini(&fixture);
}
END_TEST

struct names {
    char text[256];
    int stop_after;
    int count;
};

static int collect_name(void *arg, struct cleat_value item)
{
    struct names *names = arg;
    struct cleat_scratch scratch;
    struct cleat_str name = cleat_value_text(cleat_value_find(item, "metadata.name"), &scratch);
    size_t used = strlen(names->text);
    (void)snprintf(names->text + used, sizeof(names->text) - used, "%.*s ", CLEAT_STR_ARG(name));
    ck_assert(cleat_value_is(cleat_value_find(item, "metadata.resourceVersion"), "5"));
    ck_assert(cleat_value_is(cleat_value_find(item, "metadata.namespace"), "d"));
    ck_assert(cleat_value_is(cleat_value_get(item, "kind"), "Pod"));
    ck_assert(cleat_value_is(cleat_value_get(item, "apiVersion"), "v1"));
    ck_assert(cleat_value_is_present(cleat_value_get(item, "spec")));
    names->count++;
    return names->count == names->stop_after ? 42 : 0;
}

START_TEST(test_list_each)
{
    struct script script = {.answers = {PAGE(",\"continue\":\"c 1\"", ITEM("a") "," ITEM("b")),
                                        PAGE(",\"continue\":\"c2\"", ""),
                                        PAGE("", ITEM("c") ",{\"metadata\":{}}," ITEM("e"))}};
    struct client_fixture fixture;
    struct names names = {.count = 0};
    struct cleat_client_target target = target_of(&pods, "d", NULL, NULL);
    const struct cleat_client_call call = {.resource_version = "0"};
    open_client(&fixture, &script);
    ck_assert_msg(cleat_client_list_each(fixture.client, &target, &call, collect_name, &names,
                                         &fixture.err) == 0,
                  "%s", cleat_err_text(&fixture.err));
    ck_assert_str_eq(names.text, "a b c e ");
    ck_assert_ptr_nonnull(strstr(script.lines[0], "limit=500"));
    ck_assert_ptr_nonnull(strstr(script.lines[0], "resourceVersion=0"));
    ck_assert_ptr_nonnull(strstr(script.lines[1], "continue=c%201"));
    ck_assert_ptr_null(strstr(script.lines[1], "resourceVersion"));
    ck_assert_ptr_nonnull(strstr(script.lines[2], "continue=c2"));
    ck_assert_uint_eq(script_server_requests(fixture.server), 3);

    struct names first = {.stop_after = 2};
    struct client_fixture other;
    open_client(&other, &script);
    ck_assert_int_eq(
        cleat_client_list_each(other.client, &target, &call, collect_name, &first, NULL), 42);
    ck_assert_str_eq(first.text, "a b ");
    ck_assert_uint_eq(script_server_requests(other.server), 1);
    client_fixture_fini(&other);
    client_fixture_fini(&fixture);
}
END_TEST

/* The second page is refused with 410. */
static void script_expires(void *arg, struct script_exchange *exchange,
                           const struct script_request *request)
{
    if (request->number == 1) {
        script_reply(exchange, 200, NULL, PAGE(",\"continue\":\"c1\"", ITEM("a")));
    } else {
        script_reply(exchange, 410, NULL,
                     "{\"kind\":\"Status\",\"message\":\"The provided continue parameter is too "
                     "old\",\"reason\":\"Expired\",\"code\":410}");
    }
}

START_TEST(test_expired_continue)
{
    struct client_fixture fixture;
    struct names names = {.count = 0};
    struct cleat_client_target target = target_of(&pods, "d", NULL, NULL);
    client_fixture_init(&fixture, script_expires, NULL);
    client_fixture_open(&fixture);
    ck_assert_int_eq(
        cleat_client_list_each(fixture.client, &target, NULL, collect_name, &names, &fixture.err),
        -ESTALE);
    ck_assert_str_eq(fixture.err.text,
                     "pods: list changed too much while it was read in pages: The "
                     "provided continue parameter is too old");
    ck_assert_str_eq(fixture.err.reason, "Expired");
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_list_that_breaks)
{
    static const char *const answers[] = {
        "{\"kind\":\"PodList\",\"items\":[{\"metadata\":",
        "[]",
        "not JSON",
        "",
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct script script = {.answers = {answers[i]}};
        struct client_fixture fixture;
        struct names names = {.count = 0};
        struct cleat_client_target target = target_of(&pods, "d", NULL, NULL);
        open_client(&fixture, &script);
        ck_assert_int_lt(cleat_client_list_each(fixture.client, &target, NULL, collect_name, &names,
                                                &fixture.err),
                         0);
        ck_assert_msg(strncmp(fixture.err.text, "GET http://127.0.0.1:", 21) == 0, "%s",
                      fixture.err.text);
        client_fixture_fini(&fixture);
    }
}
END_TEST

static void script_watch(void *arg, struct script_exchange *exchange,
                         const struct script_request *request)
{
    (void)snprintf(arg, 1024, "%.1000s", request->target);
    script_reply_chunked(exchange, 200, NULL);
    script_chunk_text(exchange, "{\"type\":\"ADDED\",\"object\":" POD "}\n{\"type\":\"MODIF");
    script_chunk_text(exchange, "IED\",\"object\":" POD "}\n");
    script_chunk_text(exchange,
                      "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":"
                      "\"v1\",\"metadata\":{\"resourceVersion\":\"12\"}}}\n");
    script_chunk_text(exchange, "{\"type\":\"DELETED\",\"object\":" POD "}\n");
    script_chunk_text(exchange, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,"
                                "\"message\":\"too old\"}}\n");
    script_chunk_end(exchange);
}

struct events {
    char text[512];
    int stop_after;
    int count;
};

static int collect_event(void *arg, struct cleat_str type, struct cleat_object *object)
{
    struct events *events = arg;
    size_t used = strlen(events->text);
    (void)snprintf(events->text + used, sizeof(events->text) - used, "%.*s %.*s %.*s;",
                   CLEAT_STR_ARG(type), CLEAT_STR_ARG(cleat_object_kind(object)),
                   CLEAT_STR_ARG(cleat_object_resource_version(object)));
    events->count++;
    return events->count == events->stop_after ? 7 : 0;
}

START_TEST(test_watch)
{
    struct client_fixture fixture;
    char target_text[1024];
    struct events events = {.count = 0};
    struct cleat_client_target target = target_of(&pods, "default", NULL, NULL);
    const struct cleat_client_call call = {.resource_version = "6", .label_selector = "x"};
    client_fixture_init(&fixture, script_watch, target_text);
    client_fixture_open(&fixture);
    ck_assert_msg(cleat_client_watch(fixture.client, &target, &call, collect_event, &events,
                                     &fixture.err) == 0,
                  "%s", cleat_err_text(&fixture.err));
    ck_assert_str_eq(events.text, "ADDED Pod 7;MODIFIED Pod 7;BOOKMARK Pod 12;DELETED Pod 7;"
                                  "ERROR Status ;");
    ck_assert_ptr_nonnull(strstr(target_text, "/api/v1/namespaces/default/pods?"));
    ck_assert_ptr_nonnull(strstr(target_text, "watch=true"));
    ck_assert_ptr_nonnull(strstr(target_text, "allowWatchBookmarks=true"));
    ck_assert_ptr_nonnull(strstr(target_text, "resourceVersion=6"));
    ck_assert_ptr_nonnull(strstr(target_text, "labelSelector=x"));
    ck_assert_ptr_null(strstr(target_text, "sendInitialEvents"));
    struct events first = {.stop_after = 2};
    ck_assert_int_eq(
        cleat_client_watch(fixture.client, &target, &call, collect_event, &first, NULL), 7);
    ck_assert_str_eq(first.text, "ADDED Pod 7;MODIFIED Pod 7;");
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_access)
{
    struct script script = {
        .answers = {
            "{\"kind\":\"SubjectAccessReview\",\"status\":{\"allowed\":true,\"reason\":\"ok\"}}",
            "{\"status\":{\"allowed\":false,\"reason\":\"no rule\"}}",
            "{\"status\":{\"allowed\":true,\"denied\":true}}", "{\"status\":{}}"}};
    struct client_fixture fixture;
    bool allowed = false;
    char reason[256];
    struct cleat_document *groups = document_of("[\"g1\",\"g2\"]");
    struct cleat_document *extra = document_of("{\"k\":[\"v\"]}");
    struct cleat_access_question question = {
        .user = "jane \"j\"",
        .uid = "u",
        .groups = cleat_document_root(groups),
        .extra = cleat_document_root(extra),
        .verb = "create",
        .group = "apps",
        .version = "v1",
        .plural = "deployments",
        .subresource = "scale",
        .namespace_ = "d",
    };
    client_fixture_init(&fixture, script_run, &script);
    fixture.options.dry_run = true;
    fixture.options.fence = fence_writes;
    client_fixture_open(&fixture);
    ck_assert_int_eq(
        cleat_client_access(fixture.client, &question, 0, &allowed, reason, &fixture.err), 0);
    ck_assert(allowed);
    ck_assert_str_eq(reason, "ok");
    ck_assert_str_eq(script.line, "POST /apis/authorization.k8s.io/v1/subjectaccessreviews");
    ck_assert_str_eq(
        script.body,
        "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\",\"spec\":{"
        "\"resourceAttributes\":{\"namespace\":\"d\",\"verb\":\"create\",\"group\":\"apps\","
        "\"version\":\"v1\",\"resource\":\"deployments\",\"subresource\":\"scale\"},"
        "\"user\":\"jane \\\"j\\\"\",\"uid\":\"u\",\"groups\":[\"g1\",\"g2\"],"
        "\"extra\":{\"k\":[\"v\"]}}}");
    const struct cleat_access_question self = {.verb = "get", .path = "/metrics"};
    ck_assert_int_eq(cleat_client_access(fixture.client, &self, 0, &allowed, reason, NULL), 0);
    ck_assert(!allowed);
    ck_assert_str_eq(reason, "no rule");
    ck_assert_str_eq(script.line, "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
    ck_assert_ptr_nonnull(strstr(
        script.body, "{\"nonResourceAttributes\":{\"path\":\"/metrics\",\"verb\":\"get\"}}"));
    ck_assert_int_eq(cleat_client_access(fixture.client, &self, 0, &allowed, NULL, NULL), 0);
    ck_assert(!allowed);
    ck_assert_int_eq(cleat_client_access(fixture.client, &self, 0, &allowed, NULL, NULL), -EPROTO);
    cleat_document_unref(groups);
    cleat_document_unref(extra);
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_reviews_and_raw)
{
    struct script script = {
        .answers = {"{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true}}"}};
    struct client_fixture fixture;
    struct cleat_object *review = NULL;
    struct cleat_document *document = NULL;
    open_client(&fixture, &script);
    ck_assert_int_eq(cleat_client_token_review(fixture.client, "t\n", &review, NULL), 0);
    ck_assert_str_eq(script.line, "POST /apis/authentication.k8s.io/v1/tokenreviews");
    ck_assert_ptr_nonnull(strstr(script.body, "\"spec\":{\"token\":\"t\\n\"}}"));
    ck_assert(cleat_value_is_true(cleat_object_find(review, "status.authenticated")));
    review = cleat_object_unref(review);
    ck_assert_int_eq(cleat_client_whoami(fixture.client, &review, NULL), 0);
    ck_assert_str_eq(script.line, "POST /apis/authentication.k8s.io/v1/selfsubjectreviews");
    cleat_object_unref(review);
    ck_assert_int_eq(
        cleat_client_raw(fixture.client, "GET", "/version?x=y", CLEAT_STR(""), &document, NULL), 0);
    ck_assert_str_eq(script.line, "GET /version?x=y");
    cleat_document_unref(document);
    ck_assert_int_eq(cleat_client_raw(fixture.client, "GET", "version", CLEAT_STR(""), NULL, NULL),
                     -EINVAL);
    ck_assert_int_eq(cleat_client_raw(fixture.client, "GET", "/a b", CLEAT_STR(""), NULL, NULL),
                     -EINVAL);
    client_fixture_fini(&fixture);
}
END_TEST

START_TEST(test_answers_that_are_none)
{
    static const struct {
        const char *answer;
        int result;
    } cases[] = {
        {"<html>", -EPROTO},
        {"", -EPROTO},
        {"[1,2]", -EINVAL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct script script = {.answers = {cases[i].answer}};
        struct client_fixture fixture;
        struct cleat_object *object = NULL;
        struct cleat_client_target target = target_of(&pods, "d", "a", NULL);
        open_client(&fixture, &script);
        ck_assert_int_eq(cleat_client_get(fixture.client, &target, NULL, &object, &fixture.err),
                         cases[i].result);
        ck_assert_ptr_null(object);
        ck_assert_int_ne(fixture.err.code, 0);
        client_fixture_fini(&fixture);
    }
}
END_TEST

START_TEST(test_conflict)
{
    struct script script = {
        .status = 409,
        .answers = {"{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"Operation cannot be "
                    "fulfilled on pods \\\"a\\\": the object has been modified\",\"reason\":"
                    "\"Conflict\",\"details\":{\"name\":\"a\",\"kind\":\"pods\"},\"code\":409}"}};
    struct client_fixture fixture;
    struct cleat_document *body = document_of(POD);
    struct cleat_client_target target = target_of(&pods, "default", "a", NULL);
    open_client(&fixture, &script);
    ck_assert_int_eq(cleat_client_update(fixture.client, &target, cleat_document_root(body), NULL,
                                         NULL, &fixture.err),
                     -EAGAIN);
    ck_assert_str_eq(fixture.err.reason, "Conflict");
    ck_assert_ptr_nonnull(strstr(fixture.err.text, "the object has been modified"));
    ck_assert_uint_eq(script_server_requests(fixture.server), 1);
    cleat_document_unref(body);
    client_fixture_fini(&fixture);
}
END_TEST

CLEAT_SUITE_MAIN("client", test_get, test_paths, test_refused_before_sending, test_create,
                 test_create_collides, test_update_draft, test_patch, test_delete,
                 test_dry_run_client, test_fenced, test_list, test_list_each, test_expired_continue,
                 test_list_that_breaks, test_watch, test_access, test_reviews_and_raw,
                 test_answers_that_are_none, test_conflict)
