/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patches: the input's first line is a document, the rest another. Both are tried as target and
 * patch of either kind, and as the two ends of a difference, whose patch must lead from one to the
 * other. Whatever comes out must be written and read again as the same value.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cleat/document.h>
#include <cleat/patch.h>
#include <cleat/write.h>
#include "base/check.h"
#include "base/limits.h"

#define FUZZ_TEXT_BYTES_MAX (16 * CLEAT_MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was made can be written, and reads back as itself. */
static void check_text(struct cleat_value value)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(FUZZ_TEXT_BYTES_MAX);
    struct cleat_document *again = NULL;
    int r = cleat_write_json(&text, value, NULL);

    if (r == 0) {
        r = cleat_document_parse(cleat_buffer_view(&text), &again, NULL);
        cleat_assert(r == 0);
        cleat_assert(cleat_value_equal(cleat_document_root(again), value));
        cleat_document_unref(again);
    } else {
        cleat_assert(r == -ENOBUFS);
    }
    cleat_buffer_fini(&text);
}

static void try_patch(struct cleat_value target, struct cleat_value patch)
{
    struct cleat_document *result = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = cleat_patch_apply(target, patch, &result, &err);

    cleat_assert(r == 0 || r == CLEAT_PATCH_TEST || (r < 0 && err.text[0]));
    if (r == 0)
        check_text(cleat_document_root(result));
    cleat_document_unref(result);
    result = NULL;
    r = cleat_patch_merge(target, patch, &result, NULL);
    cleat_assert(r == 0);
    check_text(cleat_document_root(result));
    cleat_document_unref(result);
}

/* Applying the difference gives what was wanted. */
static void try_diff(struct cleat_value from, struct cleat_value to, int merge)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(FUZZ_TEXT_BYTES_MAX);
    struct cleat_document *patch = NULL, *result = NULL;
    int r = merge ? cleat_patch_merge_diff(from, to, &text, NULL)
                  : cleat_patch_diff(from, to, &text, NULL);

    if (r == 0) {
        r = cleat_document_parse(cleat_buffer_view(&text), &patch, NULL);
        if (r == 0) { /* a value near the depth's limit has a patch beyond it */
            r = merge ? cleat_patch_merge(from, cleat_document_root(patch), &result, NULL)
                      : cleat_patch_apply(from, cleat_document_root(patch), &result, NULL);
            cleat_assert(r == 0 || r == -E2BIG); /* more operations than may be */
            cleat_assert(r < 0 || cleat_value_equal(cleat_document_root(result), to));
        }
    } else {
        cleat_assert(merge && r == -EINVAL); /* a null that would have to be set */
    }
    cleat_document_unref(result);
    cleat_document_unref(patch);
    cleat_buffer_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *line = size ? memchr(text, '\n', size) : NULL;
    struct cleat_document *one = NULL, *two = NULL;
    struct cleat_str first, rest;

    if (!line)
        return 0;
    first = (struct cleat_str){text, (size_t)(line - text)};
    rest = (struct cleat_str){line + 1, size - first.length - 1};
    if (cleat_document_parse(first, &one, NULL) == 0 &&
        cleat_document_parse(rest, &two, NULL) == 0) {
        struct cleat_value a = cleat_document_root(one), b = cleat_document_root(two);
        try_patch(a, b);
        try_diff(a, b, 0);
        try_diff(b, a, 0);
        try_diff(a, b, 1);
        try_diff(b, a, 1);
    }
    cleat_document_unref(one);
    cleat_document_unref(two);
    return 0;
}
