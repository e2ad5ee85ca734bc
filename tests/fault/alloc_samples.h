/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that the sweeps of memory work on: small enough to sweep each request, with everything in
 * them that allocates differently.
 */
#ifndef CLEAT_TESTS_ALLOC_SAMPLES_H
#define CLEAT_TESTS_ALLOC_SAMPLES_H

#include <check.h>
#include <errno.h>
#include <cleat/document.h>
#include "support/sweep.h"

#define SAMPLE_LONG                                                                            \
    "a string that is longer than what fits into a reference, \\u00e9\\n with \\\"escapes\\\"" \
    " and more"
#define SAMPLE_POD                                                                                \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web-0\",\"namespace\":"     \
    "\"shop\",\"uid\":\"b6a8c9a0-0000-4000-8000-000000000001\",\"resourceVersion\":\"41\","       \
    "\"labels\":{\"app\":\"web\",\"tier\":\"front\",\"release\":\"stable\"},\"annotations\":{"    \
    "\"note\":\"" SAMPLE_LONG "\"},\"managedFields\":[{\"manager\":\"kubectl\",\"fieldsV1\":{}}]" \
    "},\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"registry.example/a:1.2.3\","         \
    "\"ports\":[{\"containerPort\":80},{\"containerPort\":443}],\"resources\":{\"limits\":{"      \
    "\"cpu\":\"500m\",\"memory\":\"128Mi\"}}},{\"name\":\"b\",\"image\":\"registry.example/b:9\"" \
    ",\"ports\":[]}],\"weight\":0.25,\"priority\":-12345678901,\"nodeName\":\"node-17\","         \
    "\"selector\":{\"matchLabels\":{\"app\":\"web\"},\"matchExpressions\":[{\"key\":\"tier\","    \
    "\"operator\":\"In\",\"values\":[\"front\",\"back\"]}]},"                                     \
    "\"tolerations\":[null,true,false,[[]],{}]},\"status\":{\"phase\":\"Running\",\"conditions\"" \
    ":[{\"type\":\"Ready\",\"status\":\"True\"}]}}"

/** Runs @step where everything before went well. */
#define SAMPLE_STEP(r, step) \
    do {                     \
        if ((r) == 0)        \
            (r) = (step);    \
    } while (0)

/** A document for a stage; fails the test where it can't be made. */
static inline struct cleat_document *sample_document(const char *json)
{
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_document_parse(cleat_str_of(json), &document, &err) == 0, "%s", err.text);
    return document;
}

/** A failure of memory that has no text of its own gets one, so that the sweep sees it was told. */
static inline int sample_named(int r, struct cleat_err *err)
{
    return r == -ENOMEM && err->code == 0 ? cleat_err_set(err, r, "no memory") : r;
}

#endif
