/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validation by schemas: what is fine, and what is said where it isn't, word by word.
 */
#include "schema_fixture.h"

/* What is said of an object whose spec.x is @value under @schema; "" where it is fine. */
static void expect_said(const char *schema, const char *value, const char *words)
{
    char spec[4096];
    struct said said;
    said_init(&said);
    snprintf(spec, sizeof(spec), "{'type':'object','properties':{'x':%s}}", schema);
    struct cleat_api_schema *compiled = schema_of(spec, &said);
    ck_assert_msg(compiled != NULL, "%s: %s", schema, said_text(&said));
    snprintf(spec, sizeof(spec), "{'x':%s}", value);
    struct cleat_document *object = object_of(spec);
    cleat_api_schema_validate(compiled, cleat_document_root(object), &said.report);
    ck_assert_msg(strcmp(said_text(&said), words) == 0, "%s of %s: %s, not %s", value, schema,
                  said_text(&said), words);
    /* The path is where it was. */
    ck_assert_uint_eq(said.report.path.length, 0);
    (void)cleat_document_unref(object);
    (void)cleat_api_schema_free(compiled);
    said_fini(&said);
}

struct schema_case {
    const char *schema;
    const char *value;
    const char *words;
};

static void expect_all(const struct schema_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_said(cases[i].schema, cases[i].value, cases[i].words);
}

#define EXPECT_ALL(cases) expect_all((cases), sizeof(cases) / sizeof((cases)[0]))

#define WRONG_TYPE(got, wanted) \
    "spec.x: Invalid value: \"" got "\": spec.x in body must be of type " wanted ": \"" got "\""

START_TEST(test_types)
{
    static const char *const values[] = {"{}", "[]", "'a'", "1.5", "7", "true", "null"};
    static const char *const names[] = {"object",  "array",   "string", "number",
                                        "integer", "boolean", "null"};
    static const char *const types[] = {"object", "array",   "string",
                                        "number", "integer", "boolean"};
    for (size_t t = 0; t < 6; t++)
        for (size_t v = 0; v < 7; v++) {
            char schema[128];
            char words[256] = "";
            bool fits = t == v || (t == 3 && v == 4); /* an integer is a number */
            snprintf(schema, sizeof(schema), "{'type':'%s'%s}", types[t],
                     t == 1 ? ",'items':{'type':'string'}" : "");
            if (!fits)
                snprintf(words, sizeof(words),
                         "spec.x: Invalid value: \"%s\": spec.x in body must be of type %s: \"%s\"",
                         names[v], types[t], names[v]);
            expect_said(schema, values[v], words);
        }
}
END_TEST

START_TEST(test_type_details)
{
    static const struct schema_case cases[] = {
        /* Whole numbers count as integers however they are written. */
        {"{'type':'integer'}", "7.0", ""},
        {"{'type':'integer'}", "1e3", ""},
        {"{'type':'integer'}", "-9223372036854775808", ""},
        {"{'type':'integer'}", "1e-3", WRONG_TYPE("number", "integer")},
        {"{'type':'integer','format':'int32'}", "2147483647", ""},
        {"{'type':'integer','format':'int32'}", "2147483648",
         "spec.x: Invalid value: 2147483648: spec.x in body must be of type int32"},
        {"{'type':'string','nullable':true}", "null", ""},
        {"{'type':'string','nullable':true}", "1", WRONG_TYPE("integer", "string")},
        {"{'x-kubernetes-preserve-unknown-fields':true}", "[1,{'a':null}]", ""},
        {"{'x-kubernetes-int-or-string':true}", "'50%'", ""},
        {"{'x-kubernetes-int-or-string':true}", "50", ""},
        {"{'x-kubernetes-int-or-string':true}", "true", WRONG_TYPE("boolean", "integer,string")},
        {"{'x-kubernetes-int-or-string':true}", "0.5", WRONG_TYPE("number", "integer,string")},
        {"{'x-kubernetes-int-or-string':true,'anyOf':[{'type':'integer'},{'type':'string'}]}", "{}",
         WRONG_TYPE("object", "integer,string")},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(test_enum)
{
    static const struct schema_case cases[] = {
        {"{'type':'string','enum':['b','c']}", "'b'", ""},
        {"{'type':'string','enum':['b','c']}", "'a'",
         "spec.x: Unsupported value: \"a\": supported values: \"b\", \"c\""},
        {"{'type':'integer','enum':[1,2]}", "2", ""},
        {"{'type':'integer','enum':[1,2]}", "3",
         "spec.x: Unsupported value: 3: supported values: \"1\", \"2\""},
        /* Of the wrong type, that alone is said. */
        {"{'type':'string','enum':['1']}", "1", WRONG_TYPE("integer", "string")},
        {"{'type':'string','nullable':true,'enum':['a']}", "null", ""},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(test_strings)
{
    static const struct schema_case cases[] = {
        {"{'type':'string','minLength':1}", "''",
         "spec.x: Invalid value: \"\": spec.x in body should be at least 1 chars long"},
        {"{'type':'string','minLength':0,'maxLength':0}", "''", ""},
        /* Code points, not bytes nor UTF-16 units. */
        {"{'type':'string','maxLength':3}", "'äöü'", ""},
        {"{'type':'string','maxLength':1}", "'\xF0\x9F\x9A\x80'", ""},
        {"{'type':'string','maxLength':1}", "'\\ud83d\\ude80'", ""},
        {"{'type':'string','minLength':2}", "'\xF0\x9F\x9A\x80'",
         "spec.x: Invalid value: \"\xF0\x9F\x9A\x80\": spec.x in body should be at least 2 chars "
         "long"},
        {"{'type':'string','maxLength':2}", "'äöü'",
         "spec.x: Too long: may not be more than 2 bytes"},
        {"{'type':'string','pattern':'^a+$'}", "'aaa'", ""},
        {"{'type':'string','pattern':'^a+$'}", "'ab'",
         "spec.x: Invalid value: \"ab\": spec.x in body should match '^a+$'"},
        /* It may match anywhere; the end is the very end. */
        {"{'type':'string','pattern':'b'}", "'abc'", ""},
        {"{'type':'string','pattern':'^a$'}", "'a\\n'",
         "spec.x: Invalid value: \"a\\n\": spec.x in body should match '^a$'"},
        {"{'type':'string','pattern':'^.$'}", "'ä'", ""},
        {"{'type':'string','pattern':'^a','minLength':3}", "'b'",
         "spec.x: Invalid value: \"b\": spec.x in body should be at least 3 chars long; "
         "spec.x: Invalid value: \"b\": spec.x in body should match '^a'"},
        {"{'type':'string','format':'ipv4'}", "'10.0.0.256'",
         "spec.x: Invalid value: \"10.0.0.256\": spec.x in body must be of type ipv4: "
         "\"10.0.0.256\""},
    };
    EXPECT_ALL(cases);
}
END_TEST

/* A pattern that would take for ever counts as one that doesn't match. */
START_TEST(test_pattern_limits)
{
    expect_said("{'type':'string','pattern':'^(a+)+$'}",
                "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'",
                "spec.x: Invalid value: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\": spec.x in "
                "body should match '^(a+)+$'");
}
END_TEST

START_TEST(test_formats)
{
    static const struct {
        const char *format;
        const char *value;
        bool fine;
    } cases[] = {
        {"date", "2024-02-29", true},
        {"date", "2023-02-29", false},
        {"date", "2024-2-9", false},
        {"date-time", "2024-02-29T01:02:03Z", true},
        {"date-time", "2024-02-29T01:02:03.5+02:00", true},
        {"date-time", "2024-02-29", false},
        {"duration", "1h30m", true},
        {"duration", "soon", false},
        {"ipv4", "10.0.0.1", true},
        {"ipv4", "::1", false},
        {"ipv4", "", false},
        {"ipv6", "fe80::1", true},
        {"ipv6", "10.0.0.1", false},
        {"ipv6", "fe80:::1", false},
        {"cidr", "10.0.0.0/8", true},
        {"cidr", "10.0.0.0/33", false},
        {"cidr", "10.0.0.0/", false},
        {"cidr", "10.0.0.0/08", false},
        {"cidr", "10.0.0.0/1x", false},
        {"cidr", "fe80::/64", true},
        {"cidr", "fe80::/129", false},
        {"cidr", "10.0.0.0", false},
        {"byte", "Zm9v", true},
        {"byte", "Zm9", false},
        {"byte", "Zm 9", false},
        {"uuid", "123e4567-e89b-12d3-a456-426614174000", true},
        {"uuid", "123e4567e89b12d3a456426614174000", true},
        {"uuid", "123e4567-e89b-12d3-a456-42661417400", false},
        {"uuid", "123e4567-e89b-12d3-a456-42661417400g", false},
        {"email", "a@example.com", true},
        {"email", "@example.com", false},
        {"email", "a@", false},
        {"email", "a", false},
        {"uri", "https://example.com/x", true},
        {"uri", "/x", true},
        {"uri", "x", false},
        {"uri", "", false},
        {"hostname", "a.example.com", true},
        {"hostname", "-a", false},
        {"wombat", "anything", true}, /* not one that is checked */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char schema[128];
        char value[128];
        char words[512] = "";
        snprintf(schema, sizeof(schema), "{'type':'string','format':'%s'}", cases[i].format);
        snprintf(value, sizeof(value), "'%s'", cases[i].value);
        if (!cases[i].fine)
            snprintf(words, sizeof(words),
                     "spec.x: Invalid value: \"%s\": spec.x in body must be of type %s: \"%s\"",
                     cases[i].value, cases[i].format, cases[i].value);
        expect_said(schema, value, words);
    }
}
END_TEST

START_TEST(test_numbers)
{
    static const struct schema_case cases[] = {
        {"{'type':'integer','minimum':1}", "1", ""},
        {"{'type':'integer','minimum':1}", "0",
         "spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1"},
        {"{'type':'integer','minimum':1,'exclusiveMinimum':true}", "1",
         "spec.x: Invalid value: 1: spec.x in body should be greater than 1"},
        {"{'type':'integer','maximum':5}", "5", ""},
        {"{'type':'integer','maximum':5}", "6",
         "spec.x: Invalid value: 6: spec.x in body should be less than or equal to 5"},
        {"{'type':'integer','maximum':5,'exclusiveMaximum':true}", "5",
         "spec.x: Invalid value: 5: spec.x in body should be less than 5"},
        /* Beyond what a double can tell apart. */
        {"{'type':'integer','maximum':9007199254740992}", "9007199254740993",
         "spec.x: Invalid value: 9007199254740993: spec.x in body should be less than or equal to "
         "9007199254740992"},
        {"{'type':'number','minimum':0.5}", "0.5", ""},
        {"{'type':'number','minimum':0.5}", "0.25",
         "spec.x: Invalid value: 0.25: spec.x in body should be greater than or equal to 0.5"},
        {"{'type':'integer','multipleOf':3}", "9", ""},
        {"{'type':'integer','multipleOf':3}", "-3", ""},
        {"{'type':'integer','multipleOf':3}", "10",
         "spec.x: Invalid value: 10: spec.x in body should be a multiple of 3"},
        {"{'type':'number','multipleOf':0.1}", "0.3", ""},
        {"{'type':'integer','multipleOf':-1}", "-9223372036854775808", ""},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(test_objects)
{
    static const struct schema_case cases[] = {
        {"{'type':'object','required':['a','b'],'properties':{'a':{'type':'string'},'b':{'type':"
         "'string'}}}",
         "{'b':''}", "spec.x.a: Required value"},
        {"{'type':'object','required':['a','b'],'properties':{'a':{'type':'string'},'b':{'type':"
         "'string'}}}",
         "{}", "spec.x.a: Required value; spec.x.b: Required value"},
        {"{'type':'object','properties':{'a':{'type':'object','required':['z'],'properties':{'z':{"
         "'type':'string'}}}}}",
         "{}", ""},
        {"{'type':'object','properties':{'a':{'type':'object','required':['z'],'properties':{'z':{"
         "'type':'string'}}}}}",
         "{'a':{}}", "spec.x.a.z: Required value"},
        {"{'type':'object','additionalProperties':{'type':'string'}}", "{'k':'v'}", ""},
        {"{'type':'object','additionalProperties':{'type':'string'}}", "{'k':1}",
         "spec.x.k: Invalid value: \"integer\": spec.x.k in body must be of type string: "
         "\"integer\""},
        {"{'type':'object','additionalProperties':{'type':'string'},'minProperties':1}", "{}",
         "spec.x: Invalid value: {}: spec.x in body should have at least 1 properties"},
        {"{'type':'object','additionalProperties':{'type':'string'},'maxProperties':1}",
         "{'a':'','b':''}", "spec.x: Too many: 2: must have at most 1 items"},
        {"{'type':'object','additionalProperties':false}", "{'a':1}",
         "spec.x: Invalid value: \"a\": spec.x.a in body is a forbidden property"},
        {"{'type':'object','additionalProperties':true}", "{'a':1}", ""},
        {"{'type':'object','x-kubernetes-embedded-resource':true,"
         "'x-kubernetes-preserve-unknown-fields':true}",
         "{'apiVersion':'v1','kind':'Pod'}", ""},
        {"{'type':'object','x-kubernetes-embedded-resource':true,"
         "'x-kubernetes-preserve-unknown-fields':true}",
         "{'kind':''}",
         "spec.x.apiVersion: Required value: must not be empty; "
         "spec.x.kind: Required value: must not be empty"},
    };
    EXPECT_ALL(cases);
}
END_TEST

#define SET_OF "{'type':'array','x-kubernetes-list-type':'set','items':{'type':'string'}}"
#define MAP_OF(keys)                                                                         \
    "{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':[" keys     \
    "],'items':{'type':'object','properties':{'n':{'type':'string'},'p':{'type':'integer'}," \
    "'v':{'type':'string'}}}}"

START_TEST(test_arrays)
{
    static const struct schema_case cases[] = {
        {"{'type':'array','items':{'type':'string'}}", "['a',1,'b',2]",
         "spec.x[1]: Invalid value: \"integer\": spec.x[1] in body must be of type string: "
         "\"integer\"; "
         "spec.x[3]: Invalid value: \"integer\": spec.x[3] in body must be of type string: "
         "\"integer\""},
        {"{'type':'array','minItems':2,'items':{'type':'string'}}", "['a','b']", ""},
        {"{'type':'array','maxItems':2,'items':{'type':'string'}}", "['a','b']", ""},
        /* Of one that is too long, nothing else is looked at. */
        {"{'type':'array','maxItems':2,'items':{'type':'string'}}", "['a','b',3]",
         "spec.x: Too many: 3: must have at most 2 items"},
        {"{'type':'array','items':{'type':'string'}}", "['a','a']", ""},
        {SET_OF, "['a','b']", ""},
        {SET_OF, "['a','b','a','a']",
         "spec.x[2]: Duplicate value: \"a\"; spec.x[3]: Duplicate value: \"a\""},
        {MAP_OF("'n'"), "[{'n':'a','v':'1'},{'n':'b','v':'1'}]", ""},
        {MAP_OF("'n'"), "[{'n':'a','v':'1'},{'n':'a','v':'2'}]",
         "spec.x[1]: Duplicate value: {\"n\":\"a\"}"},
        {MAP_OF("'n','p'"), "[{'n':'a','p':1},{'n':'a','p':2},{'n':'a'}]", ""},
        {MAP_OF("'n','p'"), "[{'n':'a','p':1},{'n':'a','p':1}]",
         "spec.x[1]: Duplicate value: {\"n\":\"a\",\"p\":1}"},
    };
    EXPECT_ALL(cases);
}
END_TEST

#define NOT_ANY "\"spec.x\" must validate at least one schema (anyOf)"
#define NOT_ONE "\"spec.x\" must validate one and only one schema (oneOf). Found "

START_TEST(test_junctors)
{
    static const struct schema_case cases[] = {
        {"{'type':'integer','anyOf':[{'minimum':10},{'maximum':1}]}", "0", ""},
        {"{'type':'integer','anyOf':[{'minimum':10},{'maximum':1}]}", "5",
         "spec.x: Invalid value: 5: " NOT_ANY},
        {"{'type':'integer','oneOf':[{'minimum':10},{'maximum':20}]}", "5", ""},
        {"{'type':'integer','oneOf':[{'minimum':10},{'maximum':20}]}", "15",
         "spec.x: Invalid value: 15: " NOT_ONE "2 valid alternatives"},
        {"{'type':'integer','oneOf':[{'minimum':10},{'maximum':1}]}", "5",
         "spec.x: Invalid value: 5: " NOT_ONE "none valid"},
        {"{'type':'integer','not':{'enum':[3]}}", "4", ""},
        {"{'type':'integer','not':{'enum':[3]}}", "3",
         "spec.x: Invalid value: 3: \"spec.x\" must not validate the schema (not)"},
        /* Each of allOf says its own. */
        {"{'type':'integer','allOf':[{'minimum':10},{'multipleOf':2}]}", "5",
         "spec.x: Invalid value: 5: spec.x in body should be greater than or equal to 10; "
         "spec.x: Invalid value: 5: spec.x in body should be a multiple of 2"},
        {"{'type':'object','properties':{'a':{'type':'string'},'b':{'type':'string'}},"
         "'oneOf':[{'required':['a']},{'required':['b']}]}",
         "{'a':'1'}", ""},
        {"{'type':'object','properties':{'a':{'type':'string'},'b':{'type':'string'}},"
         "'oneOf':[{'required':['a']},{'required':['b']}]}",
         "{'a':'1','b':'2'}",
         "spec.x: Invalid value: {\"a\":\"1\",\"b\":\"2\"}: " NOT_ONE "2 valid alternatives"},
    };
    EXPECT_ALL(cases);
}
END_TEST

/* Where several things are wrong, all are said, each at its place. */
START_TEST(test_everything_is_said)
{
    struct said said;
    said_init(&said);
    struct cleat_api_schema *schema = schema_of(
        "{'type':'object','required':['y'],'properties':{'x':{'type':'string','enum':['b','c']},"
        "'y':{'type':'string'},'z':{'type':'integer'}}}",
        &said);
    struct cleat_document *object = object_of("{'x':'a','z':'1'}");
    cleat_api_schema_validate(schema, cleat_document_root(object), &said.report);
    ck_assert_uint_eq(said.report.count, 3);
    ck_assert_ptr_nonnull(strstr(
        said_text(&said), "spec.x: Unsupported value: \"a\": supported values: \"b\", \"c\""));
    ck_assert_ptr_nonnull(strstr(said_text(&said), "spec.y: Required value"));
    ck_assert_ptr_nonnull(strstr(said_text(&said),
                                 "spec.z: Invalid value: \"string\": spec.z in body must be of "
                                 "type integer: \"string\""));
    (void)cleat_document_unref(object);
    (void)cleat_api_schema_free(schema);
    said_fini(&said);
}
END_TEST

CLEAT_SUITE_MAIN("schema", test_types, test_type_details, test_enum, test_strings,
                 test_pattern_limits, test_formats, test_numbers, test_objects, test_arrays,
                 test_junctors, test_everything_is_said)
