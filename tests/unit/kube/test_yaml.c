/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/yaml.h"

#include <cleat/write.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "kube/yaml_scalar.h"
#include "kube_document.h"
#include "support/chaos.h"
#include "support/suite.h"

/* True where the YAML text means the JSON. */
static bool means(const char *yaml, const char *json)
{
    struct cleat_document *document = NULL;
    struct cleat_document *expected = document_of(json);
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1u << 20);
    int r = cleat_yaml_parse(cleat_str_of(yaml), &document, &err);
    ck_assert_msg(r == 0, "%s: %s", yaml, err.text);
    bool same = cleat_value_equal(cleat_document_root(document), cleat_document_root(expected));
    if (!same && cleat_write_json(&buffer, cleat_document_root(document), NULL) == 0)
        fprintf(stderr, "%s\nmeans %s\n", yaml, buffer.data);
    cleat_buffer_fini(&buffer);
    cleat_document_unref(document);
    cleat_document_unref(expected);
    return same;
}

START_TEST(test_structure)
{
    static const char *const cases[][2] = {
        {"a: 1\nb:\n- x\n- w: 2\n  z: 3\nc: {d: [1, 2], e: {}}\n",
         "{'a':1,'b':['x',{'w':2,'z':3}],'c':{'d':[1,2],'e':{}}}"},
        {"- a\n- - b\n  - c\n- []\n", "['a',['b','c'],[]]"},
        {"---\na: |\n  line 1\n  line 2\nb: >-\n  folded\n  text\n...\n",
         "{'a':'line 1\\nline 2\\n','b':'folded text'}"},
        {"# only a comment\na: b # and one more\n", "{'a':'b'}"},
        {"a: 'it''s'\nb: \"x\\ty\\u00e4\\0\"\n", "{'a':'it\\u0027s','b':'x\\ty\xc3\xa4\\u0000'}"},
        {"? a\n: b\n", "{'a':'b'}"},
        {"a:\nb: ~\nc: null\n", "{'a':null,'b':null,'c':null}"},
        {"{\"json\": [true, 1.5, \"x\"]}", "{'json':[true,1.5,'x']}"},
        {"plain text", "'plain text'"},
        {"1: a\ntrue: b\nno: c\n1.50: d\n0x10: e\n",
         "{'1':'a','true':'b','false':'c','1.50':'d','16':'e'}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert(means(cases[i][0], cases[i][1]));
}
END_TEST

START_TEST(test_scalars)
{
    static const char *const cases[][2] = {
        {"true", "true"},
        {"True", "true"},
        {"TRUE", "true"},
        {"tRue", "'tRue'"},
        {"yes", "true"},
        {"Yes", "true"},
        {"y", "true"},
        {"on", "true"},
        {"no", "false"},
        {"NO", "false"},
        {"N", "false"},
        {"off", "false"},
        {"\"yes\"", "'yes'"},
        {"'no'", "'no'"},
        {"~", "null"},
        {"Null", "null"},
        {"nULL", "'nULL'"},
        {"0", "0"},
        {"-0", "0"},
        {"+7", "7"},
        {"007", "7"},
        {"0777", "511"},
        {"-0777", "-511"},
        {"0o17", "15"},
        {"08", "8"},
        {"0x1F", "31"},
        {"-0x1f", "-31"},
        {"0xg", "'0xg'"},
        {"0b101", "5"},
        {"0b102", "'0b102'"},
        {"1_000", "1000"},
        {"_1", "'_1'"},
        {"9223372036854775807", "9223372036854775807"},
        {"123456789012345678901234567890", "123456789012345678901234567890"},
        {"0xffffffffffffffff", "18446744073709551615"},
        {"1.5", "1.5"},
        {"-1.5e3", "-1500"},
        {".5", "0.5"},
        {"5.", "5"},
        {"00.5", "0.5"},
        {"1e3", "1000"},
        {"1e400", "'1e400'"},
        {"0.0001e310", "'0.0001e310'"},
        {"1e", "'1e'"},
        {".", "'.'"},
        {"{y: 1}", "{'true':1}"},
        {"-a", "'-a'"},
        {"1.2.3", "'1.2.3'"},
        {"10.0.0.1", "'10.0.0.1'"},
        {"2026-01-02", "'2026-01-02'"},
        {"2026-01-02T03:04:05Z", "'2026-01-02T03:04:05Z'"},
        {"1:30", "'1:30'"},
        {"100m", "'100m'"},
        {"1Gi", "'1Gi'"},
        {"!!str 1", "'1'"},
        {"! 1", "'1'"},
        {"!!int '1'", "1"},
        {"!!float 1", "1"},
        {"!!bool 'yes'", "true"},
        {"!!null ''", "null"},
        {"!!map {a: 1}", "{'a':1}"},
        {"!!seq [1]", "[1]"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char yaml[256], json[256];
        snprintf(yaml, sizeof(yaml), "v: %s\n", cases[i][0]);
        snprintf(json, sizeof(json), "{'v':%s}", cases[i][1]);
        ck_assert(means(yaml, json));
    }
}
END_TEST

START_TEST(test_wrong)
{
    static const struct {
        const char *yaml;
        const char *text; /* part of the error */
    } cases[] = {
        {"", "no YAML document"},
        {"# nothing\n", "no YAML document"},
        {"a: 1\n---\nb: 2\n", "more than one"},
        {"a: &x 1\nb: 2\n", "line 1, column 4: anchors and aliases"},
        {"a: *x\n", "line 1, column 4: anchors and aliases"},
        {"a: &x\n  b: 1\n", "anchors"},
        {"a: 1\nb: 2\na: 3\n", "line 3, column 1: key is there twice: a"},
        {"a:\n  yes: 1\n  true: 2\n", "line 3, column 3: key is there twice: true"},
        {"a: !custom 1\n", "tag is refused: !custom"},
        {"a: !!binary aGk=\n", "tag is refused"},
        {"a: !!timestamp 2026-01-02\n", "tag is refused"},
        {"a: !!map x\n", "tag is refused"},
        {"a: !!str {}\n", "tag is refused"},
        {"a: !!int x\n", "doesn't fit its tag: x"},
        {"a: !!bool 1\n", "doesn't fit its tag"},
        {"a: .inf\n", "no such number"},
        {"a: .NaN\n", "no such number"},
        {"[a]: 1\n", "key must be a scalar"},
        {"{}: 1\n", "key must be a scalar"},
        {"~: 1\n", "key can't be null"},
        {"\"a\\0b\": 1\n", "NUL"},
        {"<<: {a: 1}\n", "merge keys"},
        {"a: [1\n", "line"},
        {"a: b: c\n", "line 1"},
        {"\ta: 1\n", "line 1"},
        {"a: \"\xff\"\n", "offset"},
        {"%YAML 3.0\n---\na: 1\n", "line 1"},
        {"a: }\n", "line 1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_document *document = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        int r = cleat_yaml_parse(cleat_str_of(cases[i].yaml), &document, &err);
        ck_assert_msg(r == -EINVAL, "%s gave %d", cases[i].yaml, r);
        ck_assert_msg(strstr(err.text, cases[i].text), "%s: %s", cases[i].yaml, err.text);
        ck_assert_ptr_null(strchr(err.text, '\n'));
    }
}
END_TEST

/* @count times @text. */
static void repeat(struct cleat_buffer *buffer, const char *text, int count)
{
    for (int i = 0; i < count; i++)
        cleat_buffer_text(buffer, text);
}

START_TEST(test_limits)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1u << 24);
    struct cleat_document *document = NULL;
    repeat(&text, "[", CLEAT_YAML_DEPTH_MAX);
    repeat(&text, "]", CLEAT_YAML_DEPTH_MAX);
    ck_assert_int_eq(cleat_yaml_parse(cleat_buffer_view(&text), &document, NULL), 0);
    document = cleat_document_unref(document);
    cleat_buffer_reset(&text);
    /* Stopped early, whatever comes behind: this would take seconds to read whole. */
    repeat(&text, "[", 500000);
    ck_assert_int_eq(cleat_yaml_parse(cleat_buffer_view(&text), &document, NULL), -E2BIG);
    cleat_buffer_reset(&text);
    repeat(&text, "{a: ", 200000);
    ck_assert_int_eq(cleat_yaml_parse(cleat_buffer_view(&text), &document, NULL), -E2BIG);
    cleat_buffer_reset(&text);
    cleat_buffer_text(&text, "[");
    repeat(&text, "1,", CLEAT_YAML_NODES_MAX - 1);
    cleat_buffer_text(&text, "]");
    ck_assert_int_eq(cleat_yaml_parse(cleat_buffer_view(&text), &document, NULL), 0);
    document = cleat_document_unref(document);
    text.data[text.length - 1] = '1';
    ck_assert_int_eq(cleat_yaml_parse(cleat_buffer_view(&text), &document, NULL), -E2BIG);
    cleat_buffer_reset(&text);
    repeat(&text, "a", CLEAT_YAML_BYTES_MAX + 1);
    ck_assert_int_eq(cleat_yaml_parse(cleat_buffer_view(&text), &document, NULL), -E2BIG);
    cleat_buffer_fini(&text);
}
END_TEST

static int count_documents(void *arg, struct cleat_document *document)
{
    int *count = arg;
    ck_assert(cleat_value_is_present(cleat_document_root(document)));
    return ++*count == 3 ? -ECANCELED : 0;
}

START_TEST(test_each)
{
    int count = 0;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_int_eq(cleat_yaml_each(CLEAT_STR("---\n---\na: 1\n---\n# none\n---\nb: 2\n...\n"),
                                     count_documents, &count, &err),
                     0);
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(cleat_yaml_each(CLEAT_STR("c: 1\n---\nd: 1\n"), count_documents, &count, &err),
                     -ECANCELED);
    ck_assert_int_eq(count, 3);
    ck_assert_int_eq(err.code, 0);
    /* What came before an error was handed out. */
    count = 0;
    ck_assert_int_eq(
        cleat_yaml_each(CLEAT_STR("a: 1\n---\nb: *x\n"), count_documents, &count, &err), -EINVAL);
    ck_assert_int_eq(count, 1);
    ck_assert_msg(strstr(err.text, "line 3"), "%s", err.text);
}
END_TEST

START_TEST(test_line)
{
    static const char text[] = "a: 1\n"
                               "b:\n"
                               "  c: 2\n"
                               "  d:\n"
                               "  - e: 3\n"
                               "  - e: 4\n"
                               "    \"x.y\": 5\n";
    static const struct {
        const char *path;
        int line;
    } cases[] = {
        {"a", 1},      {"b", 3},        {"b.c", 3},
        {"b.d[0]", 5}, {"b.d[1]", 6},   {"b.d[1].e", 6},
        {"b.d[2]", 0}, {"none", 0},     {"b.d[1][\"x.y\"]", 7},
        {"a.b", 0},    {"b.d[*].e", 0}, {"b[0]", 0},
        {"b.d.e", 0},  {"[", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(cleat_yaml_line(cleat_str_of(text), cases[i].path) == cases[i].line, "%s",
                      cases[i].path);
}
END_TEST

START_TEST(test_write)
{
    static const char *const cases[][2] = {
        {"{'apiVersion':'v1','kind':'List','items':[{'a':1,'b':[2,[3]]},[],{}]}",
         "apiVersion: v1\nkind: List\nitems:\n- a: 1\n  b:\n  - 2\n  - - 3\n- []\n- {}\n"},
        {"{'a':{'b':{'c':null}},'d':true,'e':1.50}", "a:\n  b:\n    c: null\nd: true\ne: 1.50\n"},
        {"{'yes':'no','1':'1','a b':'c: d','':''}",
         "\"yes\": \"no\"\n\"1\": \"1\"\na b: \"c: d\"\n\"\": \"\"\n"},
        {"{'t':'2026-01-02T03:04:05Z','v':'v1.2.3','u':'https://x.y/z?a=b','i':'10.0.0.1'}",
         "t: \"2026-01-02T03:04:05Z\"\nv: v1.2.3\nu: \"https://x.y/z?a=b\"\ni: \"10.0.0.1\"\n"},
        {"{'a':'line 1\\n  line 2\\n','b':'x\\n\\ny','c':'x\\n\\n','d':1}",
         "a: |\n  line 1\n    line 2\nb: |-\n  x\n\n  y\nc: |+\n  x\n\nd: 1\n"},
        {"{'a':'trailing \\nblank','b':'\\nfirst','c':' x\\ny','d':'x\\ty\\nz'}",
         "a: \"trailing \\nblank\"\nb: \"\\nfirst\"\nc: \" x\\ny\"\nd: \"x\\ty\\nz\"\n"},
        {"['x',['y\\nz'],{'k':'l\\nm'}]", "- x\n- - |-\n    y\n    z\n- k: |-\n    l\n    m\n"},
        {"{}", " {}\n"},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1u << 20);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_document *document = document_of(cases[i][0]);
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat_yaml_write(&buffer, cleat_document_root(document), &err), 0);
        ck_assert_str_eq(buffer.data, cases[i][1]);
        ck_assert(means(buffer.data, cases[i][0]));
        cleat_buffer_reset(&buffer);
        cleat_document_unref(document);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

/* Random JSON whose strings are what YAML readers stumble over. */
struct maker {
    uint64_t state;
    struct cleat_buffer text;
};

static unsigned draw(struct maker *maker, unsigned below)
{
    maker->state = maker->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(maker->state >> 33) % below;
}

static void make_string(struct maker *maker)
{
    static const char *const pieces[] = {
        "a",       "Z",        "0",       "9",       ".",
        "-",       "_",        " ",       ":",       ": ",
        "#",       " #",       ",",       "[",       "]",
        "{",       "}",        "\\\"",    "\\\\",    "'",
        "\\n",     "\\t",      "|",       ">",       "&",
        "*",       "!",        "%",       "@",       "`",
        "yes",     "null",     "~",       "1e5",     "0x1",
        "---",     "..",       "\\n\\n",  "- ",      "? ",
        "\\u0001", "\xc3\xa4", "\\u2028", "\\u00a0", "=",
        "<<",      "\\r",      "\\u007f", "\\ufeff", "\xf0\x9f\x98\x80",
    };
    unsigned count = draw(maker, 6);
    cleat_buffer_byte(&maker->text, '"');
    for (unsigned i = 0; i < count; i++)
        cleat_buffer_text(&maker->text, pieces[draw(maker, sizeof(pieces) / sizeof(pieces[0]))]);
    cleat_buffer_byte(&maker->text, '"');
}

static void make_value(struct maker *maker, int depth)
{
    static const char *const scalars[] = {"null", "true", "false", "0",
                                          "-1",   "1.50", "1e5",   "-0.0"};
    unsigned sort = draw(maker, depth > 0 ? 4 : 2);
    if (sort == 0) {
        cleat_buffer_text(&maker->text, scalars[draw(maker, sizeof(scalars) / sizeof(scalars[0]))]);
    } else if (sort == 1) {
        make_string(maker);
    } else {
        unsigned count = draw(maker, 4);
        cleat_buffer_byte(&maker->text, sort == 2 ? '[' : '{');
        for (unsigned i = 0; i < count; i++) {
            cleat_buffer_text(&maker->text, i ? "," : "");
            if (sort == 3) {
                make_string(maker);
                maker->text.length--; /* the index makes keys different */
                cleat_buffer_format(&maker->text, "%u\":", i);
            }
            make_value(maker, depth - 1);
        }
        cleat_buffer_byte(&maker->text, sort == 2 ? ']' : '}');
    }
}

START_TEST(test_round_trip)
{
    struct maker maker = {7, CLEAT_BUFFER_INIT(1u << 20)};
    struct cleat_buffer yaml = CLEAT_BUFFER_INIT(1u << 20);
    for (int i = 0; i < 20000; i++) {
        struct cleat_document *document = NULL, *again = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        cleat_buffer_text(&maker.text, "{\"v\":");
        make_value(&maker, 4);
        cleat_buffer_text(&maker.text, "}");
        int r = cleat_document_parse(cleat_buffer_view(&maker.text), &document, &err);
        ck_assert_msg(r == 0, "%s: %s", maker.text.data, err.text);
        ck_assert_int_eq(cleat_yaml_write(&yaml, cleat_document_root(document), &err), 0);
        r = cleat_yaml_parse(cleat_buffer_view(&yaml), &again, &err);
        ck_assert_msg(r == 0, "%s\n%s%s", maker.text.data, yaml.data, err.text);
        ck_assert_msg(cleat_value_equal(cleat_document_root(document), cleat_document_root(again)),
                      "%s\n%s", maker.text.data, yaml.data);
        cleat_document_unref(document);
        cleat_document_unref(again);
        cleat_buffer_reset(&maker.text);
        cleat_buffer_reset(&yaml);
    }
    cleat_buffer_fini(&maker.text);
    cleat_buffer_fini(&yaml);
}
END_TEST

START_TEST(test_write_wrong)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(1u << 20);
    struct cleat_buffer json = CLEAT_BUFFER_INIT(1u << 20);
    struct cleat_err err = CLEAT_ERR_INIT;
    cleat_buffer_text(&buffer, "kept");
    ck_assert_int_eq(cleat_yaml_write(&buffer, CLEAT_VALUE_NONE, &err), -ENODATA);
    cleat_buffer_text(&json, "{'a':{'");
    repeat(&json, "k", 1001);
    cleat_buffer_text(&json, "':1}}");
    struct cleat_document *document = document_of(json.data);
    ck_assert_int_eq(cleat_yaml_write(&buffer, cleat_document_root(document), NULL), -EINVAL);
    cleat_document_unref(document);
    document = document_of("{'a':1e400}");
    ck_assert_int_eq(cleat_yaml_write(&buffer, cleat_document_root(document), NULL), -EINVAL);
    cleat_document_unref(document);
    ck_assert(buffer_is(&buffer, "kept"));
    cleat_buffer_fini(&buffer);
    cleat_buffer_fini(&json);
}
END_TEST

static int parse_once(void *arg)
{
    struct cleat_document *document = NULL;
    int r = cleat_yaml_parse(CLEAT_STR("a: [1, 2, {b: c, d: e}]\nf: g\n"), &document, NULL);
    cleat_document_unref(document);
    return r;
}

START_TEST(test_memory)
{
    ck_assert_uint_gt(cleat_chaos_sweep_tolerant(parse_once, NULL), 5);
}
END_TEST

CLEAT_SUITE_MAIN("yaml", test_structure, test_scalars, test_wrong, test_limits, test_each,
                 test_line, test_write, test_round_trip, test_write_wrong, test_memory)
