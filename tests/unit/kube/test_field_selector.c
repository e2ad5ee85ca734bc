/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/selector.h>
#include <errno.h>
#include <string.h>

#include "kube_document.h"
#include "support/chaos.h"
#include "support/suite.h"

static struct cleat_field_selector *parse(const char *text)
{
    struct cleat_field_selector *selector = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = cleat_field_selector_parse(cleat_str_of(text), &selector, &err);
    ck_assert_msg(r == 0, "%s: %s", text, err.text);
    return selector;
}

START_TEST(test_text)
{
    static const char *const cases[][2] = {
        {"", ""},
        {",,", ""},
        {"a=b", "a=b"},
        {"a==b", "a=b"},
        {"a!=b", "a!=b"},
        {"a=", "a="},
        {"a.b=c,d!=e", "a.b=c,d!=e"},
        {"d!=e,a.b=c", "a.b=c,d!=e"},
        {"a=b,", "a=b"},
        {"a=b\\,c", "a=b\\,c"},
        {"a=b\\=c", "a=b\\=c"},
        {"a=b\\\\", "a=b\\\\"},
        {"a=b\\\\,c=d", "a=b\\\\,c=d"},
        {"a=b c", "a=b c"},
        {"a=!b", "a=!b"},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_field_selector *selector = parse(cases[i][0]);
        ck_assert_int_eq(cleat_field_selector_write(selector, &buffer), 0);
        ck_assert_msg(buffer_is(&buffer, cases[i][1]), "%s", cases[i][0]);
        cleat_field_selector_free(selector);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_wrong)
{
    static const char *const wrong[] = {"a",      "!a",    "=b",    "a.=b",   ".a=b",
                                        "a..b=c", "a=b=c", "a=b\\", "a=\\b",  "a=b,c",
                                        "a",      "a>b",   "a===b", "a!=b=c", "!=b"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct cleat_field_selector *selector = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_msg(cleat_field_selector_parse(cleat_str_of(wrong[i]), &selector, &err) ==
                          -EINVAL,
                      "took %s", wrong[i]);
        ck_assert_ptr_nonnull(strstr(err.text, "field selector"));
    }
}
END_TEST

START_TEST(test_requirements)
{
    struct cleat_field_selector *selector = parse("spec.nodeName!=n\\,1,metadata.name=x");
    struct cleat_str path, value;
    bool equal = false;
    ck_assert_uint_eq(cleat_field_selector_count(selector), 2);
    cleat_field_selector_at(selector, 0, &path, &value, &equal);
    ck_assert(cleat_str_is(path, "metadata.name") && cleat_str_is(value, "x") && equal);
    cleat_field_selector_at(selector, 1, &path, &value, &equal);
    ck_assert(cleat_str_is(path, "spec.nodeName") && cleat_str_is(value, "n,1") && !equal);
    cleat_field_selector_free(selector);
}
END_TEST

START_TEST(test_matches)
{
    static const struct {
        const char *selector;
        bool matches;
    } cases[] = {
        {"", true},
        {"metadata.name=x", true},
        {"metadata.name=y", false},
        {"metadata.name!=y", true},
        {"metadata.name!=x", false},
        {"spec.nodeName=", true},
        {"spec.nodeName!=", false},
        {"spec.none=", true},
        {"spec.none=x", false},
        {"spec.none!=x", true},
        {"spec.unset=", true},
        {"spec.hostNetwork=true", true},
        {"spec.hostNetwork=True", false},
        {"spec.off=false", true},
        {"spec.priority=100", true},
        {"spec.priority!=100", false},
        {"spec.priority=100.0", false},
        {"spec.list=", false},
        {"metadata.name=x,spec.priority=100", true},
        {"metadata.name=x,spec.priority=1", false},
        {"metadata.uid=6f9619ff-8b86-d011-b42d-00cf4fc964ff", true},
        {"metadata.name.deeper=", true},
    };
    struct cleat_document *document =
        document_of("{'metadata':{'name':'x','uid':'6f9619ff-8b86-d011-b42d-00cf4fc964ff'},"
                    "'spec':{'nodeName':'','hostNetwork':true,'off':false,'priority':100,"
                    "'list':[],'unset':null}}");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_field_selector *selector = parse(cases[i].selector);
        ck_assert_msg(cleat_field_selector_matches(selector, cleat_document_root(document)) ==
                          cases[i].matches,
                      "%s", cases[i].selector);
        cleat_field_selector_free(selector);
    }
    cleat_document_unref(document);
}
END_TEST

static int parse_once(void *arg)
{
    struct cleat_field_selector *selector = NULL;
    int r = cleat_field_selector_parse(CLEAT_STR("a.b=c,d!=e\\,f"), &selector, NULL);
    cleat_field_selector_free(selector);
    return r;
}

START_TEST(test_memory)
{
    ck_assert_uint_ge(cleat_chaos_sweep(parse_once, NULL), 4);
}
END_TEST

CLEAT_SUITE_MAIN("field_selector", test_text, test_wrong, test_requirements, test_matches,
                 test_memory)
