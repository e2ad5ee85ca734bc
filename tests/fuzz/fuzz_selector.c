/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label and field selectors from text: what is accepted must be written as a text that is accepted,
 * written the same again, and matches the same labels. The seeds' first byte chooses: 'f' for field
 * selectors.
 */
#include <cleat/document.h>
#include <cleat/selector.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char fuzz_labels[] =
    "{\"a\":\"b\",\"app\":\"web\",\"x.y/z\":\"\",\"n\":\"7\",\"metadata\":{\"name\":\"x\"}}";

static struct cleat_value fuzz_object(void)
{
    static struct cleat_document *document;
    if (!document && cleat_document_parse(cleat_str_of(fuzz_labels), &document, NULL) < 0)
        abort();
    return cleat_document_root(document);
}

/* Aborts unless both buffers hold the same. */
static void fuzz_same(struct cleat_buffer *a, struct cleat_buffer *b)
{
    if (!cleat_str_equal(cleat_buffer_view(a), cleat_buffer_view(b)))
        abort();
    cleat_buffer_fini(a);
    cleat_buffer_fini(b);
}

static void fuzz_label(struct cleat_str text)
{
    CLEAT_CLEANUP(cleat_selector_freep) struct cleat_selector *selector = NULL;
    CLEAT_CLEANUP(cleat_selector_freep) struct cleat_selector *again = NULL;
    struct cleat_buffer first = CLEAT_BUFFER_INIT(1u << 22);
    struct cleat_buffer second = CLEAT_BUFFER_INIT(1u << 22);
    struct cleat_err err = CLEAT_ERR_INIT;
    if (cleat_selector_parse(text, &selector, &err) < 0) {
        if (!err.text[0])
            abort();
        return;
    }
    if (cleat_selector_write(selector, &first) < 0)
        abort();
    if (cleat_selector_parse(cleat_buffer_view(&first), &again, NULL) < 0)
        abort();
    if (cleat_selector_write(again, &second) < 0)
        abort();
    if (cleat_selector_matches(selector, fuzz_object()) !=
        cleat_selector_matches(again, fuzz_object()))
        abort();
    fuzz_same(&first, &second);
}

static void fuzz_field(struct cleat_str text)
{
    CLEAT_CLEANUP(cleat_field_selector_freep) struct cleat_field_selector *selector = NULL;
    CLEAT_CLEANUP(cleat_field_selector_freep) struct cleat_field_selector *again = NULL;
    struct cleat_buffer first = CLEAT_BUFFER_INIT(1u << 22);
    struct cleat_buffer second = CLEAT_BUFFER_INIT(1u << 22);
    if (cleat_field_selector_parse(text, &selector, NULL) < 0)
        return;
    if (cleat_field_selector_write(selector, &first) < 0 ||
        cleat_field_selector_parse(cleat_buffer_view(&first), &again, NULL) < 0 ||
        cleat_field_selector_write(again, &second) < 0)
        abort();
    if (cleat_field_selector_matches(selector, fuzz_object()) !=
        cleat_field_selector_matches(again, fuzz_object()))
        abort();
    fuzz_same(&first, &second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct cleat_str text = {(const char *)data + 1, size - 1};
    if (data[0] == 'f')
        fuzz_field(text);
    else
        fuzz_label(text);
    return 0;
}
