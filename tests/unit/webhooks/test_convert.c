/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <cleat/webhook.h>
#include "support/suite.h"

#define HEAD "\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"ConversionReview\""
#define OBJECT(version, name)                \
    "{\"apiVersion\":\"example.com/" version \
    "\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"size\":3}}"
#define REVIEW(desired, objects)                                            \
    "{" HEAD ",\"request\":{\"uid\":\"u\",\"desiredAPIVersion\":\"" desired \
    "\",\"objects\":[" objects "]}}"

static int rename_size(void *arg, struct cleat_value object, struct cleat_str to,
                       struct cleat_draft *draft, struct cleat_err *err)
{
    struct cleat_value name = cleat_value_find(object, "metadata.name");
    if (cleat_value_is(name, "bad"))
        return cleat_err_set(err, -EINVAL, "it has no size");
    if (cleat_value_is(name, "thief"))
        return cleat_draft_set_text(draft, "metadata.name", "other", err);
    int r = cleat_draft_set(draft, "spec.width", cleat_value_find(object, "spec.size"), err);
    return r < 0 ? r : cleat_draft_remove(draft, "spec.size", err);
}

static const struct {
    const char *name;
    const char *body;
    int status;
    const char *answer;
} cases[] = {
    {"converts all in order", REVIEW("example.com/v2", OBJECT("v1", "a") "," OBJECT("v1", "b")),
     200,
     "\"convertedObjects\":[{\"apiVersion\":\"example.com/v2\",\"kind\":\"Thing\",\"metadata\":{"
     "\"name\":\"a\"},\"spec\":{\"width\":3}},{\"apiVersion\":\"example.com/"
     "v2\",\"kind\":\"Thing\","
     "\"metadata\":{\"name\":\"b\"},\"spec\":{\"width\":3}}],\"result\":{\"status\":\"Success\"}}"
     "}"},
    {"none", REVIEW("example.com/v2", ""), 200, "\"convertedObjects\":[],"},
    {"one bad fails all", REVIEW("example.com/v2", OBJECT("v1", "a") "," OBJECT("v1", "bad")), 200,
     "\"uid\":\"u\",\"result\":{\"status\":\"Failure\",\"message\":\"object 1 (bad): it has no "
     "size\"}}}"},
    {"identity is kept", REVIEW("example.com/v2", OBJECT("v1", "thief")), 200,
     "the converter changed metadata.name"},
    {"same version", REVIEW("example.com/v1", OBJECT("v1", "a")), 200,
     "is of version example.com/v1"},
    {"other group", REVIEW("example.org/v2", OBJECT("v1", "a")), 200, "is another group"},
    {"no converter",
     REVIEW("example.com/v2", "{\"apiVersion\":\"example.com/v1\",\"kind\":\"None\"}"), 200,
     "there is no converter for kind None"},
    {"not a review", "{}", 400, "ConversionReview"},
    {"no uid", "{" HEAD ",\"request\":{\"desiredAPIVersion\":\"v\",\"objects\":[]}}", 400,
     "absent"},
    {"no objects", "{" HEAD ",\"request\":{\"uid\":\"u\",\"desiredAPIVersion\":\"v\"}}", 400,
     "absent"},
};

START_TEST(test_conversion)
{
    struct cleat_webhooks *webhooks = NULL;
    struct cleat_webhooks_options options = {0};
    struct cleat_gvk kind;
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(65536);
    ck_assert_int_eq(cleat_webhooks_new(&options, &webhooks, NULL), 0);
    ck_assert_int_eq(cleat_gvk_make(&kind, "example.com", "v2", "Thing"), 0);
    ck_assert_int_eq(cleat_webhooks_convert(webhooks, &kind, rename_size, NULL, NULL), 0);
    ck_assert_int_eq(cleat_webhooks_convert(webhooks, &kind, rename_size, NULL, NULL), -EEXIST);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int retry_after;
        cleat_buffer_reset(&answer);
        int status = cleat_webhooks_answer(webhooks, "/convert", "", cleat_str_of(cases[i].body),
                                           &answer, &retry_after);
        ck_assert_msg(status == cases[i].status, "%s: %d %s", cases[i].name, status, answer.data);
        ck_assert_msg(strstr(answer.data, cases[i].answer), "%s: %s", cases[i].name, answer.data);
    }
    cleat_buffer_fini(&answer);
    cleat_webhooks_free(webhooks);
}
END_TEST

CLEAT_SUITE_MAIN("convert", test_conversion)
