/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pruning and defaulting: what comes out, and which fields are told to be unknown.
 */
#include "schema_fixture.h"

struct fill_case {
    const char *schema;  /* of spec */
    const char *spec;    /* that goes in */
    const char *wanted;  /* that comes out; NULL: nothing changes */
    const char *unknown; /* fields, by spaces */
};

static void fill_note(void *arg, const char *reason, const char *field, const char *detail)
{
    struct said *said = arg;
    ck_assert_str_eq(reason, "FieldValueInvalid");
    ck_assert_ptr_nonnull(strstr(detail, "unknown field \""));
    ck_assert_ptr_nonnull(strstr(detail, field));
    cleat_buffer_text(&said->text, said->text.length ? " " : "");
    cleat_buffer_text(&said->text, field);
}

static void expect_object(struct cleat_document *got, const char *wanted, const char *schema)
{
    struct cleat_document *document = object_of(wanted);
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_MIB);
    ck_assert_msg(got != NULL, "%s: unchanged, not %s", schema, wanted);
    ck_assert_int_eq(cleat_write_json(&text, cleat_document_root(got), NULL), 0);
    ck_assert_msg(cleat_value_equal(cleat_document_root(got), cleat_document_root(document)),
                  "%s: %s, not %s", schema, text.data, wanted);
    cleat_buffer_fini(&text);
    (void)cleat_document_unref(document);
}

static void expect_fill(const struct fill_case *wanted)
{
    struct said said;
    struct said unknown;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_document *got = NULL;
    struct cleat_document *again = NULL;
    said_init(&said);
    said_init(&unknown);
    unknown.report.fn = fill_note;
    struct cleat_api_schema *schema = schema_of(wanted->schema, &said);
    ck_assert_msg(schema != NULL, "%s: %s", wanted->schema, said_text(&said));
    struct cleat_document *object = object_of(wanted->spec);
    ck_assert_int_eq(
        cleat_api_schema_fill(schema, cleat_document_root(object), &unknown.report, &got, &err), 0);
    if (wanted->wanted) {
        expect_object(got, wanted->wanted, wanted->schema);
        /* What was filled stays as it is, and needs nobody to be told. */
        ck_assert_int_eq(
            cleat_api_schema_fill(schema, cleat_document_root(got), NULL, &again, &err), 0);
        ck_assert_ptr_null(again);
    } else
        ck_assert_msg(got == NULL, "%s: changed", wanted->schema);
    ck_assert_msg(strcmp(said_text(&unknown), wanted->unknown) == 0, "%s: unknown %s, not %s",
                  wanted->schema, said_text(&unknown), wanted->unknown);
    (void)cleat_document_unref(got);
    (void)cleat_document_unref(object);
    (void)cleat_api_schema_free(schema);
    said_fini(&unknown);
    said_fini(&said);
}

static void expect_fills(const struct fill_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_fill(&cases[i]);
}

#define EXPECT_FILLS(cases) expect_fills((cases), sizeof(cases) / sizeof((cases)[0]))

#define OBJECT(fields) "{'type':'object','properties':{" fields "}}"

START_TEST(test_prune)
{
    static const struct fill_case cases[] = {
        {OBJECT("'a':{'type':'string'}"), "{'a':'1'}", NULL, ""},
        {OBJECT("'a':{'type':'string'}"), "{'a':'1','b':{'c':1}}", "{'a':'1'}", "spec.b"},
        /* What is of the wrong type is left to validation. */
        {OBJECT("'a':{'type':'string'}"), "'text'", NULL, ""},
        {OBJECT("'a':" OBJECT("'b':{'type':'string'}")), "{'a':{'b':'1','c':2,'d':3}}",
         "{'a':{'b':'1'}}", "spec.a.c spec.a.d"},
        {OBJECT("'a':{'type':'array','items':" OBJECT("'b':{'type':'string'}") "}"),
         "{'a':[{'b':'1'},{'c':2},[],{'b':'2','c':3}]}", "{'a':[{'b':'1'},{},[],{'b':'2'}]}",
         "spec.a[1].c spec.a[3].c"},
        {"{'type':'object','additionalProperties':" OBJECT("'b':{'type':'string'}") "}",
         "{'one':{'b':'1'},'two':{'c':1}}", "{'one':{'b':'1'},'two':{}}", "spec.two.c"},
        {"{'type':'object'}", "{'a':1}", "{}", "spec.a"},
        {"{'type':'object','additionalProperties':true}", "{'a':{'b':1}}", NULL, ""},
    };
    EXPECT_FILLS(cases);
}
END_TEST

START_TEST(test_preserve)
{
    static const struct fill_case cases[] = {
        {"{'type':'object','x-kubernetes-preserve-unknown-fields':true}", "{'a':{'b':[1,null]}}",
         NULL, ""},
        /* What is specified below is pruned again. */
        {"{'type':'object','x-kubernetes-preserve-unknown-fields':true,'properties':{'a':" OBJECT(
             "'b':{'type':'string'}") "}}",
         "{'a':{'b':'1','c':2},'d':{'e':3}}", "{'a':{'b':'1'},'d':{'e':3}}", "spec.a.c"},
        {OBJECT("'a':{'x-kubernetes-preserve-unknown-fields':true}"), "{'a':[{'b':1}],'c':1}",
         "{'a':[{'b':1}]}", "spec.c"},
        {OBJECT("'a':{'x-kubernetes-int-or-string':true}"), "{'a':'5%'}", NULL, ""},
        /* Type and metadata of an embedded resource stay without being specified. */
        {OBJECT("'a':{'type':'object','x-kubernetes-embedded-resource':true,'properties':{'spec':{"
                "'type':'object'}}}"),
         "{'a':{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'},'spec':{'x':1},'y':2}}",
         "{'a':{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'},'spec':{}}}",
         "spec.a.spec.x spec.a.y"},
    };
    EXPECT_FILLS(cases);
}
END_TEST

START_TEST(test_defaults)
{
    static const struct fill_case cases[] = {
        {OBJECT("'a':{'type':'string','default':'x'}"), "{}", "{'a':'x'}", ""},
        {OBJECT("'a':{'type':'string','default':'x'}"), "{'a':''}", NULL, ""},
        {OBJECT("'a':{'type':'integer','default':0},'b':{'type':'boolean','default':false}"), "{}",
         "{'a':0,'b':false}", ""},
        /* Below what is there, not where there is nothing. */
        {OBJECT("'a':" OBJECT("'b':{'type':'integer','default':3}")), "{'a':{}}", "{'a':{'b':3}}",
         ""},
        {OBJECT("'a':" OBJECT("'b':{'type':'integer','default':3}")), "{}", NULL, ""},
        /* A default has the defaults of its own fields. */
        {OBJECT("'a':{'type':'object','default':{},'properties':{'b':{'type':'integer','default':"
                "3}}}"),
         "{}", "{'a':{'b':3}}", ""},
        {OBJECT("'a':{'type':'object','default':{'b':7},'properties':{'b':{'type':'integer',"
                "'default':3},'c':{'type':'string','default':'x'}}}"),
         "{}", "{'a':{'b':7,'c':'x'}}", ""},
        {OBJECT("'a':{'type':'array','items':" OBJECT("'b':{'type':'integer','default':3}") "}"),
         "{'a':[{},{'b':4}]}", "{'a':[{'b':3},{'b':4}]}", ""},
        {"{'type':'object','additionalProperties':" OBJECT(
             "'b':{'type':'integer','default':3}") "}",
         "{'k':{}}", "{'k':{'b':3}}", ""},
        {OBJECT("'a':{'type':'array','items':{'type':'string'},'default':['x','y']}"), "{}",
         "{'a':['x','y']}", ""},
    };
    EXPECT_FILLS(cases);
}
END_TEST

START_TEST(test_nulls)
{
    static const struct fill_case cases[] = {
        /* Not nullable: as if it weren't there. */
        {OBJECT("'a':{'type':'string'}"), "{'a':null}", "{}", ""},
        {OBJECT("'a':{'type':'string','default':'x'}"), "{'a':null}", "{'a':'x'}", ""},
        {OBJECT("'a':{'x-kubernetes-int-or-string':true,'default':5}"), "{'a':null}", "{'a':5}",
         ""},
        {"{'type':'object','additionalProperties':{'type':'string'}}", "{'k':null}", "{}", ""},
        /* Nullable: it stays, and beats the default. */
        {OBJECT("'a':{'type':'string','nullable':true}"), "{'a':null}", NULL, ""},
        {OBJECT("'a':{'type':'string','nullable':true,'default':'x'}"), "{'a':null}", NULL, ""},
        {OBJECT("'a':{'type':'string','nullable':true,'default':'x'}"), "{}", "{'a':'x'}", ""},
        /* Nullable with null as its default. */
        {OBJECT("'a':{'type':'string','nullable':true,'default':null}"), "{}", "{'a':null}", ""},
        /* Elements are never dropped. */
        {OBJECT("'a':{'type':'array','items':{'type':'string'}}"), "{'a':[null]}", NULL, ""},
        {OBJECT("'a':{'x-kubernetes-preserve-unknown-fields':true}"), "{'a':null}", NULL, ""},
    };
    EXPECT_FILLS(cases);
}
END_TEST

/* The object's own type and metadata need no schema; what stands beside spec does. */
START_TEST(test_root)
{
    struct said said;
    struct said unknown;
    struct cleat_document *got = NULL;
    said_init(&said);
    said_init(&unknown);
    unknown.report.fn = fill_note;
    struct cleat_api_schema *schema = schema_of("{'type':'object'}", &said);
    struct cleat_document *object =
        json_of("{'apiVersion':'a/v1','kind':'K','metadata':{'name':'n','labels':{'x':'y'}},"
                "'spec':{},'status':{},'data':1}");
    struct cleat_document *wanted =
        json_of("{'apiVersion':'a/v1','kind':'K','metadata':{'name':'n','labels':{'x':'y'}},"
                "'spec':{}}");
    ck_assert_int_eq(
        cleat_api_schema_fill(schema, cleat_document_root(object), &unknown.report, &got, NULL), 0);
    ck_assert_ptr_nonnull(got);
    ck_assert(cleat_value_equal(cleat_document_root(got), cleat_document_root(wanted)));
    ck_assert_str_eq(said_text(&unknown), "status data");
    (void)cleat_document_unref(got);
    (void)cleat_document_unref(wanted);
    (void)cleat_document_unref(object);
    (void)cleat_api_schema_free(schema);
    said_fini(&unknown);
    said_fini(&said);
}
END_TEST

CLEAT_SUITE_MAIN("schema-fill", test_prune, test_preserve, test_defaults, test_nulls, test_root)
