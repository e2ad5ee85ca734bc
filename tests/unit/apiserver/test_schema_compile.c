/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which schemas are refused when a definition is written, and in which words.
 */
#include <errno.h>

#include "base/mem.h"
#include "schema_fixture.h"

struct compile_case {
    const char *schema; /* of spec.x */
    const char *words;  /* behind the path of it */
};

#define BASE "properties[spec].properties[x]"

START_TEST(test_refused)
{
    static const struct compile_case cases[] = {
        {"{}", ".type: Required value: must not be empty for specified object fields"},
        {"{'type':'text'}",
         ".type: Unsupported value: \"text\": supported values: \"array\", \"boolean\", "
         "\"integer\", \"number\", \"object\", \"string\""},
        {"{'type':'array'}", ".items: Required value: must be specified"},
        {"{'type':'array','items':{}}",
         ".items.type: Required value: must not be empty for specified array items"},
        {"{'type':'object','additionalProperties':{}}",
         ".additionalProperties.type: Required value: must not be empty for specified object "
         "fields"},
        {"{'type':'object','properties':{'a':{'type':'string'}},'additionalProperties':{'type':"
         "'string'}}",
         ".additionalProperties: Forbidden: additionalProperties and properties are mutual "
         "exclusive"},
        {"{'type':'string','pattern':'('}",
         ".pattern: Invalid value: \"(\": must be a valid regular expression, but isn't: missing "
         "closing parenthesis at 1"},
        {"{'type':'string','minLength':-1}",
         ".minLength: Invalid value: -1: must be greater than or equal to 0"},
        {"{'type':'string','$ref':'#/definitions/x'}", ".$ref: Forbidden: not supported"},
        {"{'type':'string','uniqueItems':true}",
         ".uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity "
         "becomes quadratic"},
        {"{'type':'array','items':{'type':'string'},'x-kubernetes-list-type':'bag'}",
         ".x-kubernetes-list-type: Unsupported value: \"bag\": supported values: \"atomic\", "
         "\"map\", \"set\""},
        {"{'type':'array','items':{'type':'object','properties':{'n':{'type':'string'}}},"
         "'x-kubernetes-list-type':'map'}",
         ".x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type "
         "is map"},
        {"{'type':'array','items':{'type':'object','properties':{'n':{'type':'string'}}},"
         "'x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['m']}",
         ".x-kubernetes-list-map-keys: Invalid value: [\"m\"]: entries must all be names of item "
         "properties"},
        /* Junctors say something about values, and nothing about what is kept. */
        {"{'type':'string','anyOf':[{'type':'string'}]}",
         ".anyOf[0].type: Forbidden: must be empty to be structural"},
        {"{'type':'string','not':{'default':'x'}}",
         ".not.default: Forbidden: must be empty to be structural"},
        {"{'type':'object','allOf':[{'additionalProperties':false}]}",
         ".allOf[0].additionalProperties: Forbidden: must be empty to be structural"},
        /* A default has to be fine by its own schema. */
        {"{'type':'integer','default':'x'}",
         ".default: Invalid value: \"string\": " BASE ".default in body must be of type integer: "
         "\"string\""},
        {"{'type':'string','enum':['a'],'default':'b'}",
         ".default: Unsupported value: \"b\": supported values: \"a\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char spec[2048];
        char words[2048];
        struct said said;
        said_init(&said);
        snprintf(spec, sizeof(spec), "{'type':'object','properties':{'x':%s}}", cases[i].schema);
        snprintf(words, sizeof(words), BASE "%s", cases[i].words);
        ck_assert_msg(schema_of(spec, &said) == NULL, "%s: compiled", cases[i].schema);
        ck_assert_msg(strcmp(said_text(&said), words) == 0, "%s: %s, not %s", cases[i].schema,
                      said_text(&said), words);
        ck_assert_uint_eq(said.report.path.length, 0);
        said_fini(&said);
    }
}
END_TEST

START_TEST(test_root)
{
    static const struct compile_case cases[] = {
        {"{}", "type: Required value: must not be empty at the root"},
        {"{'type':'string'}", "type: Invalid value: \"string\": must be object at the root"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct said said;
        struct cleat_api_schema *schema = NULL;
        struct cleat_document *document = json_of(cases[i].schema);
        said_init(&said);
        ck_assert_int_eq(
            cleat_api_schema_new(document, cleat_document_root(document), &said.report, &schema),
            -EINVAL);
        ck_assert_ptr_null(schema);
        ck_assert_str_eq(said_text(&said), cases[i].words);
        (void)cleat_document_unref(document);
        said_fini(&said);
    }
    ck_assert_ptr_null(cleat_api_schema_free(NULL));
}
END_TEST

/* Uses every allocation that compiling makes. */
static const char compile_rich[] =
    "{'type':'object','required':['a'],'properties':{'b':{'type':'string','pattern':'^x$','format':"
    "'date'},'a':{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['n'],"
    "'items':{'type':'object','properties':{'n':{'type':'string'}}}},'c':{'type':'object',"
    "'additionalProperties':{'type':'integer','default':5}}},'oneOf':[{'required':['b']},{'not':{"
    "'required':['b']}}]}";

static int compile_once(struct cleat_document *document, uint64_t nth, bool *ret_failed)
{
    struct cleat_api_report report;
    struct cleat_api_schema *schema = NULL;
    cleat_api_report_init(&report, NULL, NULL);
    /* The path has its memory before any is refused: a lost path only shortens a text. */
    size_t mark = cleat_api_report_at(&report, "%200s", "");
    cleat_api_report_leave(&report, mark);
    cleat_mem_fail_at(nth, false);
    int result = cleat_api_schema_new(document, cleat_document_root(document), &report, &schema);
    *ret_failed = cleat_mem_failed();
    cleat_mem_fail_at(0, false);
    ck_assert_int_eq(result == 0, schema != NULL);
    (void)cleat_api_schema_free(schema);
    cleat_api_report_fini(&report);
    return result;
}

START_TEST(test_no_memory)
{
    struct cleat_document *document = json_of(compile_rich);
    uint64_t nth = 0;
    bool failed = true;
    while (failed && nth++ < 500)
        ck_assert_int_eq(compile_once(document, nth, &failed), failed ? -ENOMEM : 0);
    ck_assert(!failed);
    ck_assert_uint_gt(nth, 40);
    (void)cleat_document_unref(document);
}
END_TEST

CLEAT_SUITE_MAIN("schema-compile", test_refused, test_root, test_no_memory)
