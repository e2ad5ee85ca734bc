/* SPDX-License-Identifier: Apache-2.0 */
/* YAML: what can be read and written as YAML reads as the same again. */
#include <stdint.h>
#include <cleat/document.h>
#include "base/check.h"
#include "base/limits.h"
#include "kube/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fuzz_document(void *arg, struct cleat_document *document)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(4 * CLEAT_MIB);
    struct cleat_document *again = NULL;
    struct cleat_value root = cleat_document_root(document);
    if (cleat_yaml_write(&text, root, NULL) == 0 && text.length <= CLEAT_MIB / 2) {
        int r = cleat_yaml_parse(cleat_buffer_view(&text), &again, NULL);
        cleat_assert(r == 0);
        cleat_assert(cleat_value_equal(root, cleat_document_root(again)));
    }
    cleat_document_unref(again);
    cleat_buffer_fini(&text);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cleat_str text = {(const char *)data, size};
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    if (cleat_yaml_parse(text, &document, &err) < 0)
        cleat_assert(err.text[0]);
    cleat_document_unref(document);
    int r = cleat_yaml_each(text, fuzz_document, NULL, NULL);
    cleat_assert(r <= 0);
    cleat_assert(cleat_yaml_line(text, "a.b") >= 0);
    return 0;
}
