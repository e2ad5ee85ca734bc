/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents for the tests of kube/: JSON with apostrophes for quotation marks, kept until the end
 * of the program.
 */
#ifndef CLEAT_TESTS_KUBE_DOCUMENT_H
#define CLEAT_TESTS_KUBE_DOCUMENT_H

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <cleat/buffer.h>
#include <cleat/document.h>

/* A document that the caller unrefs. */
static inline struct cleat_document *document_of(const char *json)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(1u << 24);
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    for (const char *c = json; *c; c++)
        cleat_buffer_byte(&text, *c == '\'' ? '"' : *c);
    int r = cleat_document_parse(cleat_buffer_view(&text), &document, &err);
    ck_assert_msg(r == 0, "%s: %s", json, err.text);
    cleat_buffer_fini(&text);
    return document;
}

/* True where @buffer holds @text, written with apostrophes for quotation marks; empties it. */
static inline bool buffer_is(struct cleat_buffer *buffer, const char *text)
{
    bool same = buffer->length == strlen(text);
    for (size_t i = 0; same && i < buffer->length; i++)
        same = buffer->data[i] == (text[i] == '\'' ? '"' : text[i]);
    if (!same)
        fprintf(stderr, "got      %s\ninstead  %s\n", buffer->data ? buffer->data : "", text);
    cleat_buffer_reset(buffer);
    return same;
}

#endif
