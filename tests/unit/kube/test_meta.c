/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/meta.h"

#include <cleat/client.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kube_document.h"
#include "support/suite.h"

static void query_of(const char *text, struct cleat_query *query)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    *query = (struct cleat_query)CLEAT_QUERY_INIT;
    ck_assert_msg(cleat_query_parse(cleat_str_of(text), query, &err) == 0, "%s: %s", text,
                  err.text);
}

START_TEST(test_query)
{
    struct cleat_query query;
    query_of("a=1&b=x%20y+z&&c&d=&a=2&e%3D=%c3%A4&f=a=b", &query);
    ck_assert_uint_eq(query.count, 7);
    ck_assert(cleat_str_is(cleat_query_get(&query, "a"), "1"));
    ck_assert(cleat_str_is(cleat_query_get(&query, "b"), "x y z"));
    ck_assert_ptr_nonnull(cleat_query_get(&query, "c").data);
    ck_assert_uint_eq(cleat_query_get(&query, "c").length, 0);
    ck_assert(cleat_str_is(cleat_query_get(&query, "d"), ""));
    ck_assert(cleat_str_is(cleat_query_get(&query, "e="), "\xc3\xa4"));
    ck_assert(cleat_str_is(cleat_query_get(&query, "f"), "a=b"));
    ck_assert_ptr_null(cleat_query_get(&query, "g").data);
    ck_assert_str_eq(cleat_query_get(&query, "b").data, "x y z");
    cleat_query_fini(&query);
    cleat_query_fini(&query);
    query_of("", &query);
    ck_assert_uint_eq(query.count, 0);
}
END_TEST

START_TEST(test_query_wrong)
{
    static const struct {
        const char *text;
        int code;
    } wrong[] = {{"a=%", -EINVAL},   {"a=%2", -EINVAL},  {"a=%2g", -EINVAL},
                 {"a=%g2", -EINVAL}, {"a=%00", -EINVAL}, {"%=1", -EINVAL}};
    struct cleat_query query = CLEAT_QUERY_INIT;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert_msg(cleat_query_parse(cleat_str_of(wrong[i].text), &query, NULL) == wrong[i].code,
                      "%s", wrong[i].text);
        ck_assert_ptr_null(query.bytes);
    }
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1u << 20);
    for (int i = 0; i <= CLEAT_QUERY_PARAMETERS_MAX; i++)
        cleat_buffer_text(&text, "a=&");
    ck_assert_int_eq(cleat_query_parse(cleat_buffer_view(&text), &query, NULL), -E2BIG);
    while (text.length <= CLEAT_QUERY_BYTES_MAX)
        cleat_buffer_text(&text, "aaaaaaaaaaaaaaaa");
    ck_assert_int_eq(cleat_query_parse(cleat_buffer_view(&text), &query, NULL), -E2BIG);
    cleat_buffer_fini(&text);
}
END_TEST

START_TEST(test_query_write)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    bool first = true;
    cleat_query_add(&buffer, &first, "a", CLEAT_STR("x in (y,z)"));
    cleat_query_add(&buffer, &first, "b", CLEAT_STR("-._~09AZaz/?&=+%\xc3"));
    ck_assert(!first);
    ck_assert(buffer_is(&buffer, "?a=x%20in%20%28y%2Cz%29&b=-._~09AZaz%2F%3F%26%3D%2B%25%C3"));
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_list_options)
{
    struct cleat_list_options options = {
        .label_selector = CLEAT_STR("a=b,c"),
        .field_selector = CLEAT_STR("metadata.name=x"),
        .resource_version = CLEAT_STR("7"),
        .resource_version_match = CLEAT_STR("NotOlderThan"),
        .timeout_s = 300,
        .watch = true,
        .allow_watch_bookmarks = true,
        .set_send_initial_events = true,
        .send_initial_events = true,
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    struct cleat_query query;
    struct cleat_list_options read;
    bool first = true;
    cleat_list_options_write(&options, &buffer, &first);
    ck_assert_str_eq(buffer.data,
                     "?labelSelector=a%3Db%2Cc&fieldSelector=metadata.name%3Dx&watch=true"
                     "&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersion=7"
                     "&resourceVersionMatch=NotOlderThan&timeoutSeconds=300");
    query_of(buffer.data + 1, &query);
    ck_assert_int_eq(cleat_list_options_read(&query, &read, NULL), 0);
    ck_assert(cleat_str_equal(read.label_selector, options.label_selector));
    ck_assert(cleat_str_equal(read.field_selector, options.field_selector));
    ck_assert(cleat_str_equal(read.resource_version, options.resource_version));
    ck_assert(read.watch && read.allow_watch_bookmarks);
    ck_assert(read.set_send_initial_events && read.send_initial_events);
    ck_assert_int_eq(read.timeout_s, 300);
    cleat_query_fini(&query);
    cleat_buffer_reset(&buffer);
    options = (struct cleat_list_options){.limit = 500, .continue_ = CLEAT_STR("t/+=")};
    first = true;
    cleat_list_options_write(&options, &buffer, &first);
    ck_assert(buffer_is(&buffer, "?limit=500&continue=t%2F%2B%3D"));
    options = (struct cleat_list_options){0};
    first = true;
    cleat_list_options_write(&options, &buffer, &first);
    ck_assert_uint_eq(buffer.length, 0);
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_list_options_read)
{
    static const struct {
        const char *text;
        int result;
    } cases[] = {
        {"", 0},
        {"watch=1", 0},
        {"watch", 0},
        {"limit=5&continue=x", 0},
        {"limit=-1", -EINVAL},
        {"limit=x", -EINVAL},
        {"limit=99999999999999999999", -EINVAL},
        {"timeoutSeconds=1.5", -EINVAL},
        {"resourceVersion=7&resourceVersionMatch=Exact", 0},
        {"resourceVersion=0&resourceVersionMatch=NotOlderThan", 0},
        {"resourceVersion=0&resourceVersionMatch=Exact", -EINVAL},
        {"resourceVersionMatch=Exact", -EINVAL},
        {"resourceVersion=7&resourceVersionMatch=exact", -EINVAL},
        {"resourceVersion=7&resourceVersionMatch=Exact&continue=x", -EINVAL},
        {"watch=1&resourceVersion=7&resourceVersionMatch=Exact", -EINVAL},
        {"watch=1&sendInitialEvents=true&allowWatchBookmarks=true"
         "&resourceVersionMatch=NotOlderThan",
         0},
        {"watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan", 0},
        {"watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan", -EINVAL},
        {"watch=1&sendInitialEvents=true&allowWatchBookmarks=true", -EINVAL},
        {"sendInitialEvents=true", -EINVAL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_query query;
        struct cleat_list_options options;
        struct cleat_err err = CLEAT_ERR_INIT;
        query_of(cases[i].text, &query);
        ck_assert_msg(cleat_list_options_read(&query, &options, &err) == cases[i].result, "%s: %s",
                      cases[i].text, err.text);
        cleat_query_fini(&query);
    }
    static const struct {
        const char *text;
        bool watch;
    } booleans[] = {{"watch=true", true},   {"watch=1", true},  {"watch", true},
                    {"watch=false", false}, {"watch=0", false}, {"", false}};
    for (size_t i = 0; i < sizeof(booleans) / sizeof(booleans[0]); i++) {
        struct cleat_query query;
        struct cleat_list_options options;
        query_of(booleans[i].text, &query);
        ck_assert_int_eq(cleat_list_options_read(&query, &options, NULL), 0);
        ck_assert_int_eq(options.watch, booleans[i].watch);
        cleat_query_fini(&query);
    }
}
END_TEST

START_TEST(test_write_options)
{
    struct cleat_write_options options = {.field_manager = CLEAT_STR("cleat mirror"),
                                          .field_validation = CLEAT_STR("Strict"),
                                          .dry_run = true,
                                          .set_force = true,
                                          .force = true};
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    struct cleat_query query;
    struct cleat_write_options read;
    bool first = false;
    cleat_write_options_write(&options, &buffer, &first);
    ck_assert_str_eq(buffer.data,
                     "&fieldManager=cleat%20mirror&fieldValidation=Strict&dryRun=All&force=true");
    query_of(buffer.data + 1, &query);
    ck_assert_int_eq(cleat_write_options_read(&query, &read, NULL), 0);
    ck_assert(cleat_str_is(read.field_manager, "cleat mirror"));
    ck_assert(cleat_str_is(read.field_validation, "Strict"));
    ck_assert(read.dry_run && read.set_force && read.force);
    cleat_query_fini(&query);
    cleat_buffer_fini(&buffer);
    static const char *const wrong[] = {"dryRun=None", "dryRun=", "dryRun=All&dryRun=x",
                                        "fieldValidation=strict", "fieldManager=a%0ab"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        query_of(wrong[i], &query);
        ck_assert_msg(cleat_write_options_read(&query, &read, NULL) == -EINVAL, "%s", wrong[i]);
        cleat_query_fini(&query);
    }
}
END_TEST

START_TEST(test_write_options_manager)
{
    struct cleat_query query;
    struct cleat_write_options read;
    char text[160];
    int start = snprintf(text, sizeof(text), "fieldManager=");
    memset(text + start, 'm', 129);
    text[start + 129] = '\0';
    query_of(text, &query);
    ck_assert_int_eq(cleat_write_options_read(&query, &read, NULL), -EINVAL);
    cleat_query_fini(&query);
    text[start + 128] = '\0';
    query_of(text, &query);
    ck_assert_int_eq(cleat_write_options_read(&query, &read, NULL), 0);
    cleat_query_fini(&query);
}
END_TEST

START_TEST(test_delete_options_write)
{
    static const struct {
        struct cleat_delete_options options;
        const char *json;
    } cases[] = {
        {{0}, "{'kind':'DeleteOptions','apiVersion':'v1'}"},
        {{.set_grace_period = true},
         "{'kind':'DeleteOptions','apiVersion':'v1','gracePeriodSeconds':0}"},
        {{.uid = {"u", 1}, .resource_version = {"7", 1}},
         "{'kind':'DeleteOptions','apiVersion':'v1','preconditions':{'uid':'u',"
         "'resourceVersion':'7'}}"},
        {{.resource_version = {"7", 1}, .propagation = {"Foreground", 10}, .dry_run = true},
         "{'kind':'DeleteOptions','apiVersion':'v1','preconditions':{'resourceVersion':'7'},"
         "'propagationPolicy':'Foreground','dryRun':['All']}"},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(cleat_delete_options_write(&cases[i].options, &buffer), 0);
        ck_assert(buffer_is(&buffer, cases[i].json));
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_delete_options_read)
{
    static const struct {
        const char *body; /* NULL: none */
        const char *query;
        int result;
        bool set_grace;
        int64_t grace;
        const char *uid, *version, *propagation;
        bool dry_run;
    } cases[] = {
        {NULL, "", 0, false, 0, "", "", "", false},
        {"null", "", 0, false, 0, "", "", "", false},
        {"{}", "", 0, false, 0, "", "", "", false},
        {"{'gracePeriodSeconds':0,'preconditions':{'uid':'u','resourceVersion':'7'},"
         "'propagationPolicy':'Orphan','dryRun':['All']}",
         "", 0, true, 0, "u", "7", "Orphan", true},
        {NULL, "gracePeriodSeconds=5&propagationPolicy=Background&dryRun=All", 0, true, 5, "", "",
         "Background", true},
        {"{'gracePeriodSeconds':1}", "gracePeriodSeconds=5", 0, true, 1, "", "", "", false},
        {"{'propagationPolicy':'Foreground'}", "propagationPolicy=Orphan", 0, false, 0, "", "",
         "Foreground", false},
        {"{'orphanDependents':true}", "", 0, false, 0, "", "", "Orphan", false},
        {"{'orphanDependents':false}", "", 0, false, 0, "", "", "Background", false},
        {NULL, "orphanDependents=true", 0, false, 0, "", "", "Orphan", false},
        {"{'gracePeriodSeconds':-1}", "", 0, true, 1, "", "", "", false},
        {"{'orphanDependents':true,'propagationPolicy':'Orphan'}", "", -EINVAL, false, 0, "", "",
         "", false},
        {"[]", "", -EINVAL, false, 0, "", "", "", false},
        {"{'gracePeriodSeconds':'1'}", "", -EINVAL, false, 0, "", "", "", false},
        {"{'gracePeriodSeconds':1.5}", "", -EINVAL, false, 0, "", "", "", false},
        {"{'propagationPolicy':'orphan'}", "", -EINVAL, false, 0, "", "", "", false},
        {"{'propagationPolicy':1}", "", -EINVAL, false, 0, "", "", "", false},
        {"{'preconditions':{'uid':1}}", "", -EINVAL, false, 0, "", "", "", false},
        {"{'dryRun':['None']}", "", -EINVAL, false, 0, "", "", "", false},
        {"{'dryRun':'All'}", "", -EINVAL, false, 0, "", "", "", false},
        {NULL, "gracePeriodSeconds=x", -EINVAL, false, 0, "", "", "", false},
        {NULL, "propagationPolicy=x", -EINVAL, false, 0, "", "", "", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_document *document = cases[i].body ? document_of(cases[i].body) : NULL;
        struct cleat_value body = document ? cleat_document_root(document) : CLEAT_VALUE_NONE;
        struct cleat_query query;
        struct cleat_delete_options_scratch scratch;
        struct cleat_delete_options options = {0};
        query_of(cases[i].query, &query);
        ck_assert_msg(cleat_delete_options_read(body, &query, &scratch, &options, NULL) ==
                          cases[i].result,
                      "case %zu", i);
        if (cases[i].result == 0) {
            ck_assert_int_eq(options.set_grace_period, cases[i].set_grace);
            ck_assert_int_eq(options.grace_period_s, cases[i].grace);
            ck_assert(cleat_str_is(options.uid, cases[i].uid));
            ck_assert(cleat_str_is(options.resource_version, cases[i].version));
            ck_assert(cleat_str_is(options.propagation, cases[i].propagation));
            ck_assert_int_eq(options.dry_run, cases[i].dry_run);
        }
        cleat_query_fini(&query);
        cleat_document_unref(document);
    }
}
END_TEST

START_TEST(test_list_meta)
{
    static const struct {
        struct cleat_list_meta meta;
        const char *json;
        int64_t remaining; /* when read back */
    } cases[] = {
        {{{"7", 1}, {"", 0}, -1}, "{'resourceVersion':'7'}", -1},
        {{{"7", 1}, {"c", 1}, 12},
         "{'resourceVersion':'7','continue':'c','remainingItemCount':12}",
         12},
        {{{"7", 1}, {"c", 1}, -1}, "{'resourceVersion':'7','continue':'c'}", -1},
    };
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[256];
        struct cleat_list_meta_scratch scratch;
        struct cleat_list_meta read;
        cleat_list_meta_write(&cases[i].meta, &buffer);
        ck_assert(buffer_is(&buffer, cases[i].json));
        snprintf(json, sizeof(json), "{'metadata':%s}", cases[i].json);
        struct cleat_document *document = document_of(json);
        cleat_list_meta_read(cleat_document_root(document), &scratch, &read);
        ck_assert(cleat_str_equal(read.resource_version, cases[i].meta.resource_version));
        ck_assert(cleat_str_equal(read.continue_, cases[i].meta.continue_));
        ck_assert_int_eq(read.remaining, cases[i].remaining);
        cleat_document_unref(document);
    }
    cleat_buffer_fini(&buffer);
}
END_TEST

START_TEST(test_watch_types)
{
    static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};
    for (size_t i = 0; i < 5; i++) {
        enum cleat_watch_type type = CLEAT_WATCH_ERROR;
        ck_assert_int_eq(cleat_watch_type_parse(cleat_str_of(names[i]), &type, NULL), 0);
        ck_assert_uint_eq(type, i);
        ck_assert_str_eq(cleat_watch_type_name(type), names[i]);
    }
    enum cleat_watch_type type;
    ck_assert_int_eq(cleat_watch_type_parse(CLEAT_STR("added"), &type, NULL), -EINVAL);
    ck_assert_int_eq(cleat_watch_type_parse(CLEAT_STR(""), &type, NULL), -EINVAL);
    ck_assert_str_eq(cleat_patch_type_content(CLEAT_PATCH_JSON), "application/json-patch+json");
    ck_assert_str_eq(cleat_patch_type_content(CLEAT_PATCH_MERGE), "application/merge-patch+json");
    ck_assert_str_eq(cleat_patch_type_content(CLEAT_PATCH_STRATEGIC),
                     "application/strategic-merge-patch+json");
    ck_assert_str_eq(cleat_patch_type_content(CLEAT_PATCH_APPLY), "application/apply-patch+yaml");
}
END_TEST

START_TEST(test_resource_versions)
{
    static const struct {
        const char *a, *b;
        int result; /* 2: can't be compared */
    } cases[] = {
        {"1", "1", 0},
        {"1", "2", -1},
        {"10", "9", 1},
        {"9", "10", -1},
        {"0", "1", 2},
        {"1", "0", 2},
        {"", "1", 2},
        {"01", "1", 2},
        {"1a", "1", 2},
        {"-1", "1", 2},
        {"99999999999999999999999", "100000000000000000000000", -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int order = 2;
        int r = cleat_resource_version_compare(cleat_str_of(cases[i].a), cleat_str_of(cases[i].b),
                                               &order);
        ck_assert_int_eq(r, cases[i].result == 2 ? -EINVAL : 0);
        if (r == 0)
            ck_assert_int_eq((order > 0) - (order < 0), cases[i].result);
    }
}
END_TEST

CLEAT_SUITE_MAIN("meta", test_query, test_query_wrong, test_query_write, test_list_options,
                 test_list_options_read, test_write_options, test_write_options_manager,
                 test_delete_options_write, test_delete_options_read, test_list_meta,
                 test_watch_types, test_resource_versions)
