/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a PodList of N generated pods: pods N [SEED]. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/pods.h"

/* Written out whenever this much is there. */
#define PODS_FLUSH_BYTES ((size_t)1 << 20)

static int flush(struct cleat_buffer *buffer)
{
    size_t written = fwrite(buffer->data, 1, buffer->length, stdout);
    int r = buffer->failed || written != buffer->length ? -1 : 0;
    cleat_buffer_reset(buffer);
    return r;
}

int main(int argc, char **argv)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4 * PODS_FLUSH_BYTES);
    char *end = NULL;
    unsigned long count = argc > 1 ? strtoul(argv[1], &end, 10) : 0;
    unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    if (argc < 2 || argc > 3 || *end != '\0' || count == 0) {
        fprintf(stderr, "usage: pods N [SEED]\n");
        return 2;
    }
    cleat_buffer_text(&buffer, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{"
                               "\"resourceVersion\":\"99000000\"},\"items\":[");
    for (unsigned long i = 0; i < count; i++) {
        cleat_buffer_text(&buffer, i > 0 ? "," : "");
        pods_write(&buffer, seed, i);
        if (buffer.length >= PODS_FLUSH_BYTES && flush(&buffer) != 0)
            return 1;
    }
    cleat_buffer_text(&buffer, "]}\n");
    int r = flush(&buffer);
    cleat_buffer_fini(&buffer);
    return r == 0 && fflush(stdout) == 0 ? 0 : 1;
}
