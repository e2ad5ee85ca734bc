/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "kinds/mirror/guard.h"
#include "fixture.h"
#include "support/suite.h"

#define OURS "'clientConfig':{'service':{'path':'/validate-cleat-dev-v1alpha1-mirror'}}"
#define RULES(operations)                                                                     \
    "'rules':[{'apiGroups':['cleat.dev'],'apiVersions':['v1alpha1'],'resources':['mirrors']," \
    "'operations':[" operations "]}]"
#define BOTH RULES("'CREATE','UPDATE'")

static const struct {
    const char *hook;
    const char *text; /* NULL: closed */
} hooks[] = {
    {OURS "," BOTH, NULL},
    {OURS "," BOTH ",'failurePolicy':'Fail'", NULL},
    {OURS "," RULES("'*'") ",'failurePolicy':'Fail'", NULL},
    {"'clientConfig':{'url':'https://x:9443/a/validate-cleat-dev-v1alpha1-mirror'}," BOTH, NULL},
    {OURS "," BOTH
          ",'matchConditions':[{'name':'a','expression':'request.operation == \\u0027CREATE\\u0027 "
          "|| object.spec != oldObject.spec'},{'name':'b','expression':'!has(object.metadata."
          "deletionTimestamp)'}]",
     NULL},
    {OURS "," BOTH ",'objectSelector':{},'namespaceSelector':{}", NULL},
    {OURS "," BOTH ",'failurePolicy':'Ignore'", "failurePolicy"},
    {OURS "," RULES("'CREATE'"), "rules"},
    {OURS "," RULES("'UPDATE'"), "rules"},
    {OURS ",'rules':[]", "rules"},
    {OURS "," BOTH ",'objectSelector':{'matchLabels':{'a':'b'}}", "objectSelector"},
    {OURS "," BOTH ",'matchConditions':[{'name':'a','expression':'false'}]", "matchConditions"},
    {"'clientConfig':{'url':'https://x/else'}," BOTH, "no webhook"},
};

START_TEST(test_hooks)
{
    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        char text[2048];
        struct cleat_err err = CLEAT_ERR_INIT;
        (void)snprintf(text, sizeof(text), "{'webhooks':[{%s}]}", hooks[i].hook);
        struct cleat_object *object = fixture_object(text);
        int rc = cleat__mirror_guard_check(cleat_object_value(object), &err);
        ck_assert_msg(rc == (hooks[i].text ? -EPERM : 0), "%zu: %s", i, err.text);
        ck_assert_msg(!hooks[i].text || strstr(err.text, hooks[i].text), "%zu: %s", i, err.text);
        cleat_object_unref(object);
    }
}
END_TEST

START_TEST(test_none)
{
    struct cleat_object *object = fixture_object("{'metadata':{}}");
    ck_assert_int_eq(cleat__mirror_guard_check(cleat_object_value(object), NULL), -EPERM);
    cleat_object_unref(object);
}
END_TEST

CLEAT_SUITE_MAIN("mirror guard", test_hooks, test_none)
