/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/selector.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "kube_document.h"
#include "support/chaos.h"
#include "support/suite.h"

static struct cleat_selector *parse(const char *text)
{
    struct cleat_selector *selector = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = cleat_selector_parse(cleat_str_of(text), &selector, &err);
    ck_assert_msg(r == 0, "%s: %s", text, err.text);
    return selector;
}

START_TEST(test_text)
{
    /* What is read, and what is written back. */
    static const char *const cases[][2] = {
        {"", ""},
        {"  ", ""},
        {"a=b", "a=b"},
        {"a==b", "a=b"},
        {" a = b ", "a=b"},
        {"a!=b", "a!=b"},
        {"a", "a"},
        {"!a", "!a"},
        {"! a", "!a"},
        {"a=", "a="},
        {"a=,b", "a=,b"},
        {"a!=", "a!="},
        {"a in (b)", "a in (b)"},
        {"a in (c,b)", "a in (b,c)"},
        {"a in ( c , b , c )", "a in (b,c)"},
        {"a notin (b,c)", "a notin (b,c)"},
        {"a in (,b)", "a in (,b)"},
        {"a in (b,)", "a in (,b)"},
        {"a in (b,,c)", "a in (,b,c)"},
        {"a in (,)", "a in (,)"},
        {"a>1", "a>1"},
        {"a < 10", "a<10"},
        {"z=1,a=2", "a=2,z=1"},
        {"a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2",
         "a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2"},
        {"in", "in"},
        {"notin", "notin"},
        {"in in (in,notin)", "in in (in,notin)"},
        {"notin=in", "notin=in"},
        {"!in", "!in"},
        {"example.com/a-b_c.d=X", "example.com/a-b_c.d=X"},
        {"a=b,a!=c", "a=b,a!=c"},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_selector *selector = parse(cases[i][0]);
        ck_assert_int_eq(cleat_selector_write(selector, &buffer), 0);
        ck_assert_msg(buffer_is(&buffer, cases[i][1]), "%s", cases[i][0]);
        ck_assert_int_eq(cleat_selector_is_everything(selector), cases[i][1][0] == '\0');
        ck_assert(!cleat_selector_is_nothing(selector));
        cleat_selector_free(selector);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_text_wrong)
{
    static const char *const wrong[] = {
        ",",
        "a,",
        ",a",
        "a,,b",
        "a b",
        "a=b c",
        "a=b=c",
        "=b",
        "!",
        "!!a",
        "!a=b",
        "a in b",
        "a in",
        "a in (",
        "a in (b",
        "a in )",
        "a in ()",
        "a notin()",
        "a in (b c)",
        "a in (b=c)",
        "a>",
        "a>b",
        "a>-1",
        "a<1.5",
        "a>1,",
        "a/b/c",
        "-a",
        "a=-b",
        "a=b_",
        "a in (b))",
        "(a)",
        "a=(b)",
        "a===b",
        "a=!b",
        "a><1",
        "A/b=c",
        "a>99999999999999999999",
        "\xc3\xa4=b",
        "a=\xc3\xa4",
        "a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct cleat_selector *selector = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        int r = cleat_selector_parse(cleat_str_of(wrong[i]), &selector, &err);
        ck_assert_msg(r == -EINVAL, "took \"%s\": %d", wrong[i], r);
        ck_assert_msg(err.text[0], "%s", wrong[i]);
        ck_assert_ptr_null(selector);
    }
}
END_TEST

START_TEST(test_place_of_error)
{
    struct cleat_selector *selector = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_selector_parse(CLEAT_STR("a=b, c ? d"), &selector, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "\"?\" at offset 7"), "%s", err.text);
}
END_TEST

START_TEST(test_matches)
{
    static const struct {
        const char *selector;
        const char *labels; /* NULL: absent */
        bool matches;
    } cases[] = {
        {"", NULL, true},
        {"", "{}", true},
        {"a=b", "{'a':'b'}", true},
        {"a=b", "{'a':'c'}", false},
        {"a=b", "{'A':'b'}", false},
        {"a=b", "{}", false},
        {"a=b", NULL, false},
        {"a!=b", "{'a':'c'}", true},
        {"a!=b", "{'a':'b'}", false},
        {"a!=b", "{}", true},
        {"a!=b", NULL, true},
        {"a notin (b,c)", "{'a':'c'}", false},
        {"a notin (b,c)", "{'a':'d'}", true},
        {"a notin (b,c)", "{}", true},
        {"a in (b,c)", "{'a':'c'}", true},
        {"a in (b,c)", "{'a':'d'}", false},
        {"a in (b,c)", "{}", false},
        {"a in (,c)", "{'a':''}", true},
        {"a in (,c)", "{}", false},
        {"a=", "{'a':''}", true},
        {"a=", "{}", false},
        {"a", "{'a':''}", true},
        {"a", "{'b':'a'}", false},
        {"!a", "{'b':'a'}", true},
        {"!a", "{'a':''}", false},
        {"a>1", "{'a':'2'}", true},
        {"a>1", "{'a':'1'}", false},
        {"a>1", "{'a':'10'}", true},
        {"a<10", "{'a':'9'}", true},
        {"a<10", "{'a':'007'}", true},
        {"a<10", "{'a':'x'}", false},
        {"a<10", "{'a':''}", false},
        {"a<10", "{}", false},
        {"a>1", "{'a':'99999999999999999999'}", false},
        {"a=b,c=d", "{'a':'b','c':'d'}", true},
        {"a=b,c=d", "{'a':'b'}", false},
        {"a=b,a!=b", "{'a':'b'}", false},
        /* values that a heap may store packed */
        {"a in (6f9619ff-8b86-d011-b42d-00cf4fc964ff,x)",
         "{'a':'6f9619ff-8b86-d011-b42d-00cf4fc964ff'}", true},
        {"a=10.0.0.1", "{'a':'10.0.0.1'}", true},
        /* what isn't a string can't be chosen by value */
        {"a=1", "{'a':1}", false},
        {"a", "{'a':1}", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_selector *selector = parse(cases[i].selector);
        struct cleat_document *document = cases[i].labels ? document_of(cases[i].labels) : NULL;
        struct cleat_value labels = document ? cleat_document_root(document) : CLEAT_VALUE_NONE;
        ck_assert_msg(cleat_selector_matches(selector, labels) == cases[i].matches, "\"%s\" on %s",
                      cases[i].selector, cases[i].labels ? cases[i].labels : "none");
        cleat_selector_free(selector);
        cleat_document_unref(document);
    }
}
END_TEST

START_TEST(test_many_values)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1u << 20);
    cleat_buffer_text(&text, "app in (");
    for (int i = 0; i < 1000; i++)
        cleat_buffer_format(&text, "%sv%d", i ? "," : "", i * 7 % 1000);
    cleat_buffer_text(&text, ")");
    struct cleat_selector *selector = parse(text.data);
    for (int i = 0; i < 1010; i++) {
        char json[64];
        snprintf(json, sizeof(json), "{'app':'v%d'}", i);
        struct cleat_document *document = document_of(json);
        ck_assert_int_eq(cleat_selector_matches(selector, cleat_document_root(document)), i < 1000);
        cleat_document_unref(document);
    }
    cleat_selector_free(selector);
    cleat_buffer_fini(&text);
}
END_TEST

START_TEST(test_object)
{
    static const struct {
        const char *object;
        const char *text;
    } cases[] = {
        {"{}", ""},
        {"{'matchLabels':null,'matchExpressions':null}", ""},
        {"{'matchLabels':{},'matchExpressions':[]}", ""},
        {"{'matchLabels':{'b':'2','a':'1'}}", "a=1,b=2"},
        {"{'matchLabels':{'a':''}}", "a="},
        {"{'matchExpressions':[{'key':'a','operator':'In','values':['2','1','2']}]}", "a in (1,2)"},
        {"{'matchExpressions':[{'key':'a','operator':'NotIn','values':['1']}]}", "a notin (1)"},
        {"{'matchExpressions':[{'key':'b','operator':'Exists'},"
         "{'key':'a','operator':'DoesNotExist','values':[]}]}",
         "!a,b"},
        {"{'matchLabels':{'b':'1'},'matchExpressions':[{'key':'a','operator':'Exists'}]}", "a,b=1"},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_document *document = document_of(cases[i].object);
        struct cleat_selector *selector = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_msg(cleat_selector_of(cleat_document_root(document), &selector, &err) == 0,
                      "%s: %s", cases[i].object, err.text);
        cleat_document_unref(document); /* the selector keeps nothing of it */
        ck_assert_int_eq(cleat_selector_write(selector, &buffer), 0);
        ck_assert_msg(buffer_is(&buffer, cases[i].text), "%s", cases[i].object);
        cleat_selector_free(selector);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_object_wrong)
{
    static const char *const wrong[] = {
        "[]",
        "'a=b'",
        "{'matchlabels':{'a':'b'}}",
        "{'matchLabels':[]}",
        "{'matchLabels':{'a':1}}",
        "{'matchLabels':{'a':null}}",
        "{'matchLabels':{'-a':'b'}}",
        "{'matchLabels':{'a':'b c'}}",
        "{'matchExpressions':{}}",
        "{'matchExpressions':['a']}",
        "{'matchExpressions':[{'key':'a'}]}",
        "{'matchExpressions':[{'operator':'Exists'}]}",
        "{'matchExpressions':[{'key':'a','operator':'in','values':['b']}]}",
        "{'matchExpressions':[{'key':'a','operator':'Gt','values':['1']}]}",
        "{'matchExpressions':[{'key':'a','operator':'In'}]}",
        "{'matchExpressions':[{'key':'a','operator':'In','values':[]}]}",
        "{'matchExpressions':[{'key':'a','operator':'In','values':'b'}]}",
        "{'matchExpressions':[{'key':'a','operator':'In','values':[1]}]}",
        "{'matchExpressions':[{'key':'a','operator':'Exists','values':['b']}]}",
        "{'matchExpressions':[{'key':'a','operator':'Exists','value':'b'}]}",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct cleat_document *document = document_of(wrong[i]);
        struct cleat_selector *selector = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_msg(cleat_selector_of(cleat_document_root(document), &selector, &err) == -EINVAL,
                      "took %s", wrong[i]);
        ck_assert(err.text[0]);
        cleat_document_unref(document);
    }
}
END_TEST

START_TEST(test_nothing)
{
    struct cleat_document *document = document_of("{'a':null,'labels':{'x':'y'}}");
    struct cleat_value root = cleat_document_root(document);
    const struct cleat_value none[] = {CLEAT_VALUE_NONE, cleat_value_get(root, "a")};
    for (size_t i = 0; i < 2; i++) {
        struct cleat_buffer buffer = CLEAT_BUFFER_INIT(64);
        struct cleat_selector *selector = NULL;
        ck_assert_int_eq(cleat_selector_of(none[i], &selector, NULL), 0);
        ck_assert(cleat_selector_is_nothing(selector));
        ck_assert(!cleat_selector_is_everything(selector));
        ck_assert(!cleat_selector_matches(selector, cleat_value_get(root, "labels")));
        ck_assert(!cleat_selector_matches(selector, CLEAT_VALUE_NONE));
        ck_assert_int_eq(cleat_selector_write(selector, &buffer), -EINVAL);
        ck_assert_uint_eq(buffer.length, 0);
        cleat_selector_free(selector);
    }
    cleat_document_unref(document);
}
END_TEST

START_TEST(test_limits)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1u << 20);
    struct cleat_selector *selector = NULL;
    for (int i = 0; i <= CLEAT_SELECTOR_REQUIREMENTS_MAX; i++)
        cleat_buffer_format(&text, "%sk%d", i ? "," : "", i);
    ck_assert_int_eq(cleat_selector_parse(cleat_buffer_view(&text), &selector, NULL), -E2BIG);
    cleat_buffer_reset(&text);
    cleat_buffer_text(&text, "k in (0");
    for (int i = 1; i <= CLEAT_SELECTOR_VALUES_MAX; i++)
        cleat_buffer_format(&text, ",%d", i);
    cleat_buffer_text(&text, ")");
    ck_assert_int_eq(cleat_selector_parse(cleat_buffer_view(&text), &selector, NULL), -E2BIG);
    cleat_buffer_reset(&text);
    while (text.length <= CLEAT_SELECTOR_BYTES_MAX)
        cleat_buffer_text(&text, "                                                        ");
    ck_assert_int_eq(cleat_selector_parse(cleat_buffer_view(&text), &selector, NULL), -E2BIG);
    cleat_buffer_fini(&text);
}
END_TEST

static int parse_once(void *arg)
{
    struct cleat_selector *selector = NULL;
    int r = cleat_selector_parse(CLEAT_STR("a=b,c!=d,e in (f,g,h,i,j,k),h notin (i),j,!k,l>1,m<2"),
                                 &selector, NULL);
    cleat_selector_free(selector);
    return r;
}

START_TEST(test_memory)
{
    ck_assert_uint_gt(cleat_chaos_sweep(parse_once, NULL), 5);
}
END_TEST

CLEAT_SUITE_MAIN("selector", test_text, test_text_wrong, test_place_of_error, test_matches,
                 test_many_values, test_object, test_object_wrong, test_nothing, test_limits,
                 test_memory)
