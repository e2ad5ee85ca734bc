/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/response.h"

#include "base/limits.h"

void cleat_api_response_init(struct cleat_api_response *response)
{
    *response = (struct cleat_api_response){.code = 200, .content_type = "application/json"};
    cleat_buffer_init(&response->body, 2 * CLEAT_DOCUMENT_BYTES_MAX);
    cleat_buffer_init(&response->warnings, 64 * CLEAT_KIB);
}

void cleat_api_response_fini(struct cleat_api_response *response)
{
    if (response->stream)
        response->stream->free(response->stream);
    response->stream = NULL;
    cleat_buffer_fini(&response->body);
    cleat_buffer_fini(&response->warnings);
}

void cleat_api_response_fail(struct cleat_api_response *response,
                             const struct cleat_api_failure *failure)
{
    if (response->stream)
        response->stream->free(response->stream);
    response->stream = NULL;
    cleat_buffer_reset(&response->body);
    response->code = failure->code ? failure->code : 500;
    response->retry_after_s = failure->retry_after_s;
    response->content_type = "application/json";
    (void)cleat_api_failure_write(failure, &response->body); /* sticky in the buffer */
    cleat_buffer_byte(&response->body, '\n');
    if (response->body.failed)
        response->code = 500;
}
