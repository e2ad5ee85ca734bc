/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/pieces.h"

#include "base/check.h"

void cleat_api_pieces_clear(struct cleat_api_pieces *pieces)
{
    pieces->count = pieces->index = pieces->offset = 0;
}

void cleat_api_pieces_add(struct cleat_api_pieces *pieces, struct cleat_str part)
{
    cleat_assert(pieces->count < CLEAT_API_PIECES_MAX);
    if (part.length)
        pieces->parts[pieces->count++] = part;
}

bool cleat_api_pieces_done(const struct cleat_api_pieces *pieces)
{
    return pieces->index == pieces->count;
}

size_t cleat_api_pieces_copy(struct cleat_api_pieces *pieces, char *bytes, size_t size)
{
    size_t copied = 0;
    while (copied < size && !cleat_api_pieces_done(pieces)) {
        struct cleat_str part = pieces->parts[pieces->index];
        size_t length = part.length - pieces->offset;
        if (length > size - copied)
            length = size - copied;
        memcpy(bytes + copied, part.data + pieces->offset, length);
        copied += length;
        pieces->offset += length;
        if (pieces->offset == part.length) {
            pieces->index++;
            pieces->offset = 0;
        }
    }
    return copied;
}
