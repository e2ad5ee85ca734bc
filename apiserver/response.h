/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer: a body made at once, a list whose items are shared records, or a watch that goes on.
 */
#ifndef CLEAT_APISERVER_RESPONSE_H
#define CLEAT_APISERVER_RESPONSE_H

#include <cleat/buffer.h>
#include "apiserver/failure.h"
#include "apiserver/record.h"

struct cleat_api_server;
struct cleat_api_stream;

struct cleat_api_response {
    int code;
    const char *content_type;
    struct cleat_buffer body;        /* all of it, or what comes before the stream */
    struct cleat_api_stream *stream; /* owned, or NULL */
    struct cleat_buffer warnings;    /* texts, each with a newline */
    int retry_after_s;
};

/* The rest of a body. */
struct cleat_api_stream {
    /* Bytes that will come, or -1 where that isn't known. */
    int64_t length;
    /*
     * Writes up to @size bytes; waits where there are none yet. @fd is the connection's socket,
     * whose end ends the wait. Returns how many, 0 at the end, negative on failure.
     */
    int64_t (*read)(struct cleat_api_stream *stream, int fd, char *bytes, size_t size);
    void (*free)(struct cleat_api_stream *stream);
};

void cleat_api_response_init(struct cleat_api_response *response);
void cleat_api_response_fini(struct cleat_api_response *response);
/** Makes the answer a Status. */
void cleat_api_response_fail(struct cleat_api_response *response,
                             const struct cleat_api_failure *failure);

#endif
