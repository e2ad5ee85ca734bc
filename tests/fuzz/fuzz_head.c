/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a request: the first byte says what the target is, then lines: method, version,
 * headers as "name:value". A head is taken only where nothing in it is ambiguous.
 */
#include <stdint.h>
#include <string.h>
#include "base/check.h"
#include "base/mem.h"
#include "server/http_head.h"

#define FUZZ_BODY_BYTES_MAX ((size_t)1000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_judge(const struct cleat_http_head *head, const struct cleat_http_target *target)
{
    struct cleat_http_refusal refusal = {0};
    int r = cleat_http_head_check(head, target, FUZZ_BODY_BYTES_MAX, &refusal);
    cleat_assert(r == 0 || r == 1);
    if (r == 1) {
        cleat_assert(refusal.status >= 400 && refusal.status < 600 && refusal.text);
        cleat_assert((refusal.status == 405) == (refusal.allow != NULL));
        return;
    }
    cleat_assert(head->hosts == 1 && head->lengths <= 1 && head->encodings == 0 && !head->broken);
    cleat_assert(head->types <= 1 && head->authorizations <= 1 && !head->length_broken);
    if (target->kind == CLEAT_HTTP_WEBHOOK) {
        cleat_assert(strcmp(head->method, "POST") == 0);
        cleat_assert(head->lengths == 1 && head->length <= FUZZ_BODY_BYTES_MAX);
        cleat_assert(strncasecmp(head->content_type, "application/json", 16) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cleat_http_head head = {0};
    struct cleat_http_target target = {0};
    if (size < 1)
        return 0;
    target.kind = (enum cleat_http_kind)(data[0] % (CLEAT_HTTP_HEALTH + 1));
    char *text = cleat_mem_alloc(size);
    cleat_assert(text);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    char *rest = text;
    const char *method = strsep(&rest, "\n"), *version = strsep(&rest, "\n");
    head.method = method;
    head.version = version ? version : "HTTP/1.1";
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        char *value = strchr(line, ':');
        if (value)
            *value++ = '\0';
        cleat_http_head_header(&head, line, value ? value : ""); /* as the edge does */
    }
    fuzz_judge(&head, &target);
    cleat_mem_free(text);
    return 0;
}
