/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/version.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/limits.h"
#include "kube/base64.h"

/* Decimal digits without a sign; false where it's anything else or doesn't fit. */
static bool version_digits(struct cleat_str text, uint64_t *ret)
{
    uint64_t number = 0;
    if (!text.length || text.length > 19)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret = number;
    return true;
}

int cleat_api_version_read(struct cleat_str text, uint64_t *ret, struct cleat_api_failure *failure)
{
    *ret = 0;
    if (!text.length || version_digits(text, ret))
        return 0;
    return cleat_api_fail(failure, 400, NULL,
                          "Invalid value: \"%.*s\": resourceVersion must be a number",
                          CLEAT_STR_ARG(text));
}

int cleat_api_version_reached(uint64_t version, uint64_t revision,
                              struct cleat_api_failure *failure)
{
    if (version <= revision)
        return 0;
    int result = cleat_api_fail(failure, 504, "Timeout",
                                "Too large resource version: %" PRIu64 ", current: %" PRIu64,
                                version, revision);
    failure->retry_after_s = 1;
    cleat_api_fail_cause(failure, "ResourceVersionTooLarge", NULL, "Too large resource version");
    return result;
}

void cleat_api_token_write(const struct cleat_api_token *token, struct cleat_buffer *buffer)
{
    char text[700];
    int length = snprintf(text, sizeof(text), "v1:%" PRIu64 ":%" PRIu64 ":%s", token->revision,
                          token->left, token->after);
    (void)cleat_base64_encode(buffer, (struct cleat_str){text, (size_t)length}); /* sticky */
}

/* Takes digits up to a colon off the front of @text. */
static bool token_number(struct cleat_str *text, uint64_t *ret)
{
    const char *colon = text->length ? memchr(text->data, ':', text->length) : NULL;
    size_t length = colon ? (size_t)(colon - text->data) : 0;
    if (!version_digits((struct cleat_str){text->data, length}, ret))
        return false;
    *text = (struct cleat_str){colon + 1, text->length - length - 1};
    return true;
}

static bool token_parse(struct cleat_str text, struct cleat_api_token *ret)
{
    if (text.length < 3 || memcmp(text.data, "v1:", 3) != 0)
        return false;
    text = (struct cleat_str){text.data + 3, text.length - 3};
    if (!token_number(&text, &ret->revision) || !token_number(&text, &ret->left))
        return false;
    if (!text.length || text.length >= sizeof(ret->after) || memchr(text.data, 0, text.length))
        return false;
    memcpy(ret->after, text.data, text.length);
    ret->after[text.length] = 0;
    return true;
}

int cleat_api_token_read(struct cleat_str text, struct cleat_api_token *ret,
                         struct cleat_api_failure *failure)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4 * CLEAT_KIB);
    bool fine = cleat_base64_decode(&buffer, text, NULL) == 0 &&
                token_parse(cleat_buffer_view(&buffer), ret);
    cleat_buffer_fini(&buffer);
    return fine ? 0
                : cleat_api_fail(failure, 400, NULL,
                                 "continue key is not valid: encoded continue "
                                 "key is malformed");
}
