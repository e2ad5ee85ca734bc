/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The evaluator of matchConditions: what holds, what is an error, what is refused; and that no text
 * makes it read beyond its end.
 */
#include "apiserver/condition.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cleat/document.h>

#include "base/mem.h"
#include "support/suite.h"

/* Both expressions of deploy/base/webhooks.yaml. */
#define SPEC_CHANGES "request.operation == 'CREATE' || object.spec != oldObject.spec"
#define NOT_DELETED "!has(object.metadata.deletionTimestamp)"

struct situation {
    struct cleat_document *document;
    struct cleat_api_condition_vars vars;
};

/* @text: {"request": …, "object": …, "oldObject": …} */
static void situation_init(struct situation *situation, const char *text)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    int result = cleat_document_parse(cleat_str_of(text), &situation->document, &err);
    ck_assert_msg(result == 0, "%s: %s", text, err.text);
    struct cleat_value root = cleat_document_root(situation->document);
    situation->vars = (struct cleat_api_condition_vars){
        .request = cleat_value_get(root, "request"),
        .object = cleat_value_get(root, "object"),
        .old_object = cleat_value_get(root, "oldObject"),
    };
}

static void situation_fini(struct situation *situation)
{
    situation->document = cleat_document_unref(situation->document);
}

START_TEST(test_what_is_shipped)
{
    static const struct {
        const char *situation;
        int spec_changes;
        int not_deleted;
    } cases[] = {
        {"{\"request\":{\"operation\":\"CREATE\"},\"object\":{\"metadata\":{},\"spec\":{\"a\":1}}}",
         1, 1},
        {"{\"request\":{\"operation\":\"UPDATE\"},\"object\":{\"metadata\":{},\"spec\":{\"a\":1}},"
         "\"oldObject\":{\"metadata\":{},\"spec\":{\"a\":1}}}",
         0, 1},
        {"{\"request\":{\"operation\":\"UPDATE\"},\"object\":{\"metadata\":{},\"spec\":{\"a\":1}},"
         "\"oldObject\":{\"metadata\":{},\"spec\":{\"a\":2}}}",
         1, 1},
        /* The order of members is no change. */
        {"{\"request\":{\"operation\":\"UPDATE\"},\"object\":{\"metadata\":{},\"spec\":{\"a\":1,"
         "\"b\":2}},\"oldObject\":{\"metadata\":{},\"spec\":{\"b\":2,\"a\":1}}}",
         0, 1},
        {"{\"request\":{\"operation\":\"UPDATE\"},\"object\":{\"metadata\":{\"deletionTimestamp\":"
         "\"2026-01-02T03:04:05Z\"},\"spec\":{\"a\":1}},\"oldObject\":{\"metadata\":{},\"spec\":{"
         "\"a\":1}}}",
         0, 0},
        /* Without a spec there is nothing to compare. */
        {"{\"request\":{\"operation\":\"UPDATE\"},\"object\":{\"metadata\":{}},\"oldObject\":{"
         "\"metadata\":{},\"spec\":{}}}",
         -EINVAL, 1},
        {"{\"request\":{\"operation\":\"DELETE\"},\"object\":null,\"oldObject\":{\"metadata\":{},"
         "\"spec\":{}}}",
         -EINVAL, -EINVAL},
    };
    ck_assert_int_eq(cleat_api_condition_check(CLEAT_STR(SPEC_CHANGES), NULL), 0);
    ck_assert_int_eq(cleat_api_condition_check(CLEAT_STR(NOT_DELETED), NULL), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct situation situation;
        situation_init(&situation, cases[i].situation);
        ck_assert_msg(cleat_api_condition_eval(CLEAT_STR(SPEC_CHANGES), &situation.vars, NULL) ==
                          cases[i].spec_changes,
                      "spec-changes: %s", cases[i].situation);
        ck_assert_msg(cleat_api_condition_eval(CLEAT_STR(NOT_DELETED), &situation.vars, NULL) ==
                          cases[i].not_deleted,
                      "not-being-deleted: %s", cases[i].situation);
        situation_fini(&situation);
    }
}
END_TEST

static const char condition_situation[] =
    "{\"request\":{\"operation\":\"UPDATE\",\"dryRun\":false,\"userInfo\":{\"username\":\"jo\"}},"
    "\"object\":{\"metadata\":{\"name\":\"n\",\"labels\":{\"a.io/b-c\":\"x\",\"e\":\"\"},"
    "\"none\":null},\"spec\":{\"n\":3,\"f\":1.5,\"list\":[1,2],\"on\":true}},"
    "\"oldObject\":{\"spec\":{\"n\":4,\"list\":[1,2]}}}";

START_TEST(test_eval)
{
    static const struct {
        const char *text;
        int wanted;
    } cases[] = {
        {"true", 1},
        {"false", 0},
        {"!true", 0},
        {"!!true", 1},
        {" \t\r\n true \n", 1},
        {"(true)", 1},
        {"((false) || (true))", 1},
        {"object.spec.on", 1},
        {"!request.dryRun", 1},
        /* == and != of each kind */
        {"1 == 1", 1},
        {"-1 == 1", 0},
        {"1 != 2", 1},
        {"'a' == \"a\"", 1},
        {"'a' == 'A'", 0},
        {"'' == object.metadata.labels.e", 1},
        {"null == null", 1},
        {"true != false", 1},
        {"'1' == 1", 0},
        {"object.spec.n == 3", 1},
        {"object.spec.n != oldObject.spec.n", 1},
        {"object.spec.list == oldObject.spec.list", 1},
        {"object.spec == oldObject.spec", 0},
        {"object.spec.f == 1", 0},
        {"object.metadata.none == null", 1},
        {"object != null", 1},
        {"oldObject == null", 0},
        {"request.userInfo.username == 'jo'", 1},
        {"object.metadata.labels['a.io/b-c'] == 'x'", 1},
        {"object.metadata.labels[ \"a.io/b-c\" ] == 'x'", 1},
        {"object['metadata']['name'] == 'n'", 1},
        /* precedence: ! before ==, == before &&, && before || */
        {"true || false && false", 1},
        {"(true || false) && false", 0},
        {"false && false || true", 1},
        {"!false && true", 1},
        {"1 == 1 && 2 == 2", 1},
        {"!has(object.nothing) || 1 == 2", 1},
        /* in */
        {"request.operation in ['CREATE', 'UPDATE']", 1},
        {"request.operation in ['CREATE','DELETE']", 0},
        {"request.operation in []", 0},
        {"3 in [1, 2, 3]", 1},
        {"object.spec.n in [oldObject.spec.n, 3]", 1},
        {"!(request.operation in ['DELETE'])", 1},
        {"'x' in ['a]', 'x']", 1},
        /* has() */
        {"has(object.metadata)", 1},
        {"has(object.metadata.labels.e)", 1},
        {"has(object.metadata.none)", 1},
        {"has(object.metadata.uid)", 0},
        {"has( object . metadata . name )", 1},
        {"has(object.status.phase)", -EINVAL}, /* what is before it must be there */
        {"has(object.status) && has(object.status.phase)", 0},
        /* Errors, and where the other side decides */
        {"object.status.phase == 'x'", -EINVAL},
        {"object.status == null", -EINVAL},
        {"true || object.status.on", 1},
        {"object.status.on || true", 1},
        {"false && object.status.on", 0},
        {"object.status.on && false", 0},
        {"object.status.on || false", -EINVAL},
        {"object.status.on && true", -EINVAL},
        {"!object.status.on", -EINVAL},
        {"'a' in [object.status.on]", -EINVAL},
        {"object.status.on in ['a']", -EINVAL},
        {"object.metadata.name.first == 'n'", -EINVAL},
        /* What isn't a boolean isn't a condition. */
        {"object.spec.n", -EINVAL},
        {"!object.spec.n", -EINVAL},
        {"object.spec.n && true", -EINVAL},
    };
    struct situation situation;
    situation_init(&situation, condition_situation);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_str text = cleat_str_of(cases[i].text);
        ck_assert_msg(cleat_api_condition_check(text, &err) == 0, "%s: %s", cases[i].text,
                      err.text);
        int result = cleat_api_condition_eval(text, &situation.vars, &err);
        ck_assert_msg(result == cases[i].wanted, "%s: %d, not %d (%s)", cases[i].text, result,
                      cases[i].wanted, err.text);
        ck_assert_int_eq(err.text[0] != 0, result < 0);
    }
    situation_fini(&situation);
}
END_TEST

START_TEST(test_error_names_the_key)
{
    struct situation situation;
    struct cleat_err err = CLEAT_ERR_INIT;
    situation_init(&situation, condition_situation);
    ck_assert_int_eq(
        cleat_api_condition_eval(CLEAT_STR("object.status.phase == 'x'"), &situation.vars, &err),
        -EINVAL);
    ck_assert_str_eq(err.text, "no such key: phase");
    situation_fini(&situation);
}
END_TEST

START_TEST(test_refused)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"", "expected a value at offset 0"},
        {"   ", "expected a value"},
        {"true true", "only ==, !=, &&, ||, !, in and has() are supported at offset 5"},
        {"true &&", "expected a value"},
        {"|| true", "expected a value"},
        {"true & true", "only =="},
        {"(true", "expected )"},
        {"true)", "only =="},
        {"()", "expected a value"},
        {"'open", "string without an end"},
        {"'a\\'b' == 'c'", "escapes in strings aren't supported"},
        {"1", "expected a boolean"},
        {"'a'", "expected a boolean"},
        {"null", "expected a boolean"},
        {"1 && true", "expected a boolean"},
        {"!1", "expected a boolean"},
        {"1 < 2", "expected a boolean before"},
        {"object.n < 2", "only =="},
        {"object.n + 1 == 2", "only =="},
        {"object.n == 1.5", "only =="},
        {"1 == 1 == true", "only =="},
        {"object.n == 12345678901234567890", "only =="},
        {"true ? true : false", "only =="},
        {"variables.x == 1", "only request, object and oldObject are known"},
        {"objects.x == 1", "only request, object and oldObject are known"},
        {"object.", "expected a field"},
        {"object..x == 1", "expected a field"},
        {"object.1 == 1", "expected a field"},
        {"object.x[0] == 1", "expected a key in quotes"},
        {"object['x' == 1", "expected ]"},
        {"object.name.startsWith('x')", "functions other than has() aren't supported"},
        {"object.list.all(x, x == 1)", "functions other than has() aren't supported"},
        {"size(object.list) == 1", "only request, object and oldObject are known"},
        {"has(object)", "has() wants a field"},
        {"has()", "only request, object and oldObject are known"},
        {"has(object.x", "expected )"},
        {"has object.x", "expected ("},
        {"has(1)", "only request"},
        {"1 in 2", "in wants a list"},
        {"1 in [1", "expected ]"},
        {"1 in [1 2]", "expected ]"},
        {"1 in [,]", "expected a value"},
        {"- 1 == 1", "expected a value"},
        {"!", "expected a value"},
        {"\xff\xfe", "expected a value"},
    };
    struct situation situation;
    situation_init(&situation, condition_situation);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        struct cleat_str text = cleat_str_of(cases[i].text);
        ck_assert_msg(cleat_api_condition_check(text, &err) == -EINVAL, "taken: %s", cases[i].text);
        ck_assert_msg(strstr(err.text, cases[i].words) != NULL, "%s: %s, not %s", cases[i].text,
                      err.text, cases[i].words);
        /* Nor is it evaluated to anything. */
        ck_assert_msg(cleat_api_condition_eval(text, &situation.vars, NULL) == -EINVAL,
                      "evaluated: %s", cases[i].text);
    }
    situation_fini(&situation);
}
END_TEST

/* @open so many times, then true, then @close as often. */
static int condition_nested(const char *open, const char *close, size_t count)
{
    char text[4096] = "";
    ck_assert_uint_lt(count * 2 + 5, sizeof(text));
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        text[at++] = open[0];
    memcpy(text + at, "true", 4);
    at += 4;
    for (size_t i = 0; close[0] && i < count; i++)
        text[at++] = close[0];
    return cleat_api_condition_check((struct cleat_str){text, at}, NULL);
}

START_TEST(test_depth)
{
    ck_assert_int_eq(condition_nested("(", ")", 32), 0);
    ck_assert_int_eq(condition_nested("(", ")", 33), -EINVAL);
    ck_assert_int_eq(condition_nested("!", "", 32), 0);
    ck_assert_int_eq(condition_nested("!", "", 33), -EINVAL);
    ck_assert_int_eq(condition_nested("(", ")", 2000), -EINVAL);
    ck_assert_int_eq(condition_nested("!", "", 2000), -EINVAL);
}
END_TEST

/* Checks and evaluates a copy that ends where its memory does: sanitizers see a byte too far. */
static void condition_bear(const char *text, size_t length, const struct situation *situation)
{
    char *copy = cleat_mem_alloc(length ? length : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, length);
    struct cleat_str view = {copy, length};
    int checked = cleat_api_condition_check(view, NULL);
    int result = cleat_api_condition_eval(view, &situation->vars, NULL);
    ck_assert(checked == 0 || checked == -EINVAL);
    ck_assert(result == 0 || result == 1 || result == -EINVAL);
    cleat_mem_free(copy);
}

START_TEST(test_garbage)
{
    static const char *const seeds[] = {
        SPEC_CHANGES,
        NOT_DELETED,
        "request.operation in ['CREATE', 'UPDATE'] && (object['spec'].n != -3 || null == false)",
    };
    static const char bytes[] = "()[]!=&|'\".,- \\\n\0\xff"
                                "01aontrue";
    uint32_t state = 1;
    struct situation situation;
    situation_init(&situation, condition_situation);
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        size_t length = strlen(seeds[i]);
        for (size_t cut = 0; cut <= length; cut++) {
            condition_bear(seeds[i], cut, &situation);
            condition_bear(seeds[i] + cut, length - cut, &situation);
        }
        for (size_t round = 0; round < 3000; round++) {
            char damaged[128];
            memcpy(damaged, seeds[i], length);
            for (size_t j = 0; j <= round % 3; j++) {
                state = state * 1664525U + 1013904223U;
                damaged[(state >> 16) % length] = bytes[(state >> 8) % (sizeof(bytes) - 1)];
            }
            condition_bear(damaged, length, &situation);
        }
    }
    ck_assert_int_eq(cleat_api_condition_check((struct cleat_str){NULL, 0}, NULL), -EINVAL);
    situation_fini(&situation);
}
END_TEST

/* Texts longer than the evaluator keeps are still compared whole. */
START_TEST(test_long_texts)
{
    char text[2048];
    char long_text[401];
    memset(long_text, 'a', 400);
    long_text[400] = 0;
    struct situation situation;
    snprintf(text, sizeof(text),
             "{\"request\":{},\"object\":{\"a\":\"%s\",\"b\":\"%s\",\"c\":\"%sb\"}}", long_text,
             long_text, long_text);
    situation_init(&situation, text);
    ck_assert_int_eq(
        cleat_api_condition_eval(CLEAT_STR("object.a == object.b"), &situation.vars, NULL), 1);
    ck_assert_int_eq(
        cleat_api_condition_eval(CLEAT_STR("object.a == object.c"), &situation.vars, NULL), 0);
    ck_assert_int_eq(cleat_api_condition_eval(CLEAT_STR("object.a == 'a'"), &situation.vars, NULL),
                     0);
    situation_fini(&situation);
    snprintf(text, sizeof(text), "object.a == '%s'", long_text);
    ck_assert_int_eq(cleat_api_condition_check(cleat_str_of(text), NULL), -EINVAL);
}
END_TEST

CLEAT_SUITE_MAIN("condition", test_what_is_shipped, test_eval, test_error_names_the_key,
                 test_refused, test_depth, test_garbage, test_long_texts)
