/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run of borrowed strings that is copied out bit by bit: what a list item or a watch event is
 * made of.
 */
#ifndef CLEAT_APISERVER_PIECES_H
#define CLEAT_APISERVER_PIECES_H

#include <cleat/str.h>
#include <stdbool.h>

#define CLEAT_API_PIECES_MAX 8

struct cleat_api_pieces {
    struct cleat_str parts[CLEAT_API_PIECES_MAX];
    size_t count;
    size_t index;
    size_t offset;
};

void cleat_api_pieces_clear(struct cleat_api_pieces *pieces);
void cleat_api_pieces_add(struct cleat_api_pieces *pieces, struct cleat_str part);
bool cleat_api_pieces_done(const struct cleat_api_pieces *pieces);
/** Copies what fits into @size bytes; returns how many. */
size_t cleat_api_pieces_copy(struct cleat_api_pieces *pieces, char *bytes, size_t size);

#endif
