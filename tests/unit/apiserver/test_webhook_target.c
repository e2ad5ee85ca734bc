/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where webhooks are: URLs, Services by name, Endpoints; and bundles that hold nothing.
 */
#include "apiserver/webhook.h"

#include "api_fixture.h"

static const char *quoted(const char *text, char *json, size_t size)
{
    snprintf(json, size, "%s", text);
    for (char *byte = json; *byte; byte++)
        *byte = *byte == '\'' ? '"' : *byte;
    return json;
}

START_TEST(test_targets)
{
    static const struct {
        const char *hook;
        const char *origin; /* NULL: @words say why */
        const char *path;
        const char *server_name;
        const char *words; /* or what messages show */
    } cases[] = {
        {"{'clientConfig':{'url':'https://h.example:8443/a/b'}}", "https://h.example:8443", "/a/b",
         NULL, "https://h.example:8443/a/b?timeout=10s"},
        {"{'clientConfig':{'url':'https://h.example'},'timeoutSeconds':3}", "https://h.example",
         "/", NULL, "https://h.example?timeout=3s"},
        {"{'clientConfig':{'url':'http://h.example/'}}", NULL, NULL, NULL,
         "'https' is the only allowed URL scheme"},
        {"{'clientConfig':{'url':'https://h.example','caBundle':'Zm9v'}}", NULL, NULL, NULL,
         "unable to load root certificates: unable to parse bytes as PEM block"},
        {"{'clientConfig':{'service':{'namespace':'default','name':'by-name','path':'p'}}}",
         "https://localhost:9443", "/p", "by-name.default.svc",
         "https://by-name.default.svc:443/p?timeout=10s"},
        {"{'clientConfig':{'service':{'namespace':'default','name':'by-name','path':'/p',"
         "'port':444}}}",
         "https://localhost:444", "/p", "by-name.default.svc",
         "https://by-name.default.svc:444/p?timeout=10s"},
        {"{'clientConfig':{'service':{'namespace':'default','name':'by-address'}}}",
         "https://10.1.2.3:6443", "/", "by-address.default.svc",
         "https://by-address.default.svc:443/?timeout=10s"},
        {"{'clientConfig':{'service':{'namespace':'default','name':'six'}}}", "https://[::1]:443",
         "/", "six.default.svc", "https://six.default.svc:443/?timeout=10s"},
        {"{'clientConfig':{'service':{'namespace':'default','name':'alone'}}}", NULL, NULL, NULL,
         "no endpoints available for service \"alone\""},
        {"{'clientConfig':{'service':{'namespace':'default','name':'absent','path':'/p'}}}", NULL,
         NULL, NULL,
         "Post \"https://absent.default.svc:443/p?timeout=10s\": service \"absent\" not found"},
        {"{'clientConfig':{'service':{'namespace':'kube-public','name':'by-name'}}}", NULL, NULL,
         NULL, "service \"by-name\" not found"},
    };
    static const char *const objects[][2] = {
        {"/api/v1/namespaces/default/services",
         "{'metadata':{'name':'by-name'},'spec':{'type':'ExternalName','externalName':'localhost',"
         "'ports':[{'port':443,'targetPort':9443}]}}"},
        {"/api/v1/namespaces/default/services",
         "{'metadata':{'name':'alone'},'spec':{'ports':[{'port':443}]}}"},
        {"/api/v1/namespaces/default/endpoints",
         "{'metadata':{'name':'by-address'},'subsets':[{'addresses':[{'ip':'10.1.2.3'}],'ports':[{"
         "'port':6443}]}]}"},
        {"/api/v1/namespaces/default/endpoints",
         "{'metadata':{'name':'six'},'subsets':[{'addresses':[{'ip':'::1'}]}]}"},
    };
    char json[1024];
    struct api api;
    api_init(&api);
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
        api_expect(&api, "POST", objects[i][0], quoted(objects[i][1], json, sizeof(json)), 201);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_document *hook = NULL;
        struct cleat_api_webhook_target target;
        ck_assert_int_eq(cleat_document_parse(
                             cleat_str_of(quoted(cases[i].hook, json, sizeof(json))), &hook, NULL),
                         0);
        int result =
            cleat_api_webhook_target_init(api.core, cleat_document_root(hook), &target, &err);
        ck_assert_msg((result == 0) == (cases[i].origin != NULL), "case %zu: %d %s", i, result,
                      err.text);
        if (result == 0) {
            ck_assert_str_eq(target.origin, cases[i].origin);
            ck_assert_str_eq(target.path, cases[i].path);
            ck_assert_str_eq(target.display, cases[i].words);
            ck_assert_pstr_eq(target.server_name, cases[i].server_name);
        } else
            ck_assert_msg(strstr(err.text, cases[i].words) != NULL, "case %zu: %s", i, err.text);
        cleat_api_webhook_target_fini(&target);
        cleat_api_webhook_target_fini(&target);
        (void)cleat_document_unref(hook);
    }
    api_fini(&api);
}
END_TEST

CLEAT_SUITE_MAIN("webhook-target", test_targets)
