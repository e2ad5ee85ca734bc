/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas and objects out of texts with single quotes, and what a report said as one text:
 * "FIELD: DETAIL; FIELD: DETAIL". Header only.
 */
#ifndef CLEAT_TESTS_SCHEMA_FIXTURE_H
#define CLEAT_TESTS_SCHEMA_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include <cleat/document.h>
#include <cleat/write.h>

#include "apiserver/schema.h"
#include "base/limits.h"
#include "support/suite.h"

/* A report, and what it said. */
struct said {
    struct cleat_api_report report;
    struct cleat_buffer text;
};

static inline void said_add(void *arg, const char *reason, const char *field, const char *detail)
{
    struct said *said = arg;
    ck_assert_msg(strncmp(reason, "FieldValue", 10) == 0, "reason %s", reason);
    cleat_buffer_text(&said->text, said->text.length ? "; " : "");
    cleat_buffer_format(&said->text, "%s: %s", field, detail);
}

static inline void said_init(struct said *said)
{
    cleat_api_report_init(&said->report, said_add, said);
    cleat_buffer_init(&said->text, CLEAT_MIB);
}

static inline void said_fini(struct said *said)
{
    cleat_api_report_fini(&said->report);
    cleat_buffer_fini(&said->text);
}

static inline const char *said_text(const struct said *said)
{
    return said->text.length ? said->text.data : "";
}

/* JSON in which ' stands for the quotation mark. */
static inline struct cleat_document *json_of(const char *text)
{
    char json[8192];
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_document *document = NULL;
    ck_assert_uint_lt(strlen(text), sizeof(json));
    snprintf(json, sizeof(json), "%s", text);
    for (char *byte = json; *byte; byte++)
        *byte = *byte == '\'' ? '"' : *byte;
    int result = cleat_document_parse(cleat_str_of(json), &document, &err);
    ck_assert_msg(result == 0, "%s: %s", json, err.text);
    return document;
}

/* The schema whose spec is @spec; NULL where it has faults, which @said tells. */
static inline struct cleat_api_schema *schema_of(const char *spec, struct said *said)
{
    char text[8192];
    snprintf(text, sizeof(text), "{'type':'object','properties':{'spec':%s}}", spec);
    struct cleat_api_schema *schema = NULL;
    struct cleat_document *document = json_of(text);
    int result =
        cleat_api_schema_new(document, cleat_document_root(document), &said->report, &schema);
    ck_assert_int_eq(result == 0, said->report.count == 0);
    (void)cleat_document_unref(document);
    return schema;
}

/* An object with that spec. */
static inline struct cleat_document *object_of(const char *spec)
{
    char text[8192];
    snprintf(text, sizeof(text),
             "{'apiVersion':'example.com/v1','kind':'T','metadata':{'name':'t'},'spec':%s}", spec);
    return json_of(text);
}

#endif
