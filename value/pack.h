/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packing of strings that Kubernetes is full of. A string that can be packed always is, so that
 * there is one form per string and equality stays equality of references. Private to value/.
 *
 *   immediate    RFC 3339 times in whole seconds, UTC, as 2026-01-31T23:59:59Z, of 2010 to 2043
 * (any heap) PACK_UUID    lower-case UUIDs: 16 bytes PACK_IPV4    dotted decimal: 4 bytes
 *   PACK_DIGEST  anything up to 90 bytes before 64 lower-case hex digits (image and container ids):
 * key, 32 bytes PACK_TAIL    generated names: at least 5 bytes ending in '-', then five of the
 * letters that Kubernetes' rand.String draws from: key, 4 bytes
 */
#ifndef CLEAT_VALUE_PACK_H
#define CLEAT_VALUE_PACK_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/str.h>
#include <cleat/value.h>

enum pack_type { PACK_NONE, PACK_UUID, PACK_IPV4, PACK_DIGEST, PACK_TAIL };

#define PACK_WORDS_MAX 9
#define PACK_PREFIX_BYTES_MAX 90
#define PACK_TIME_BYTES 20

/* What a string packs into. */
struct pack {
    enum pack_type type;
    struct cleat_str prefix; /* DIGEST, TAIL: to be stored as a key, whose reference is words[0] */
    uint32_t words[PACK_WORDS_MAX];
    uint32_t count; /* words, with the prefix's */
};

/** Finds how @text is packed; @ret's type is PACK_NONE where it isn't. */
void cleat__pack(struct cleat_str text, struct pack *ret);
/** Writes the text of packed @words to @scratch, with a NUL. @prefix as above. */
struct cleat_str cleat__unpack(enum pack_type type, const uint32_t *words, struct cleat_str prefix,
                               struct cleat_scratch *scratch);

/** True where the 20 bytes are a time that can be a reference by itself; @ret is that reference. */
bool cleat__pack_time(const char *text, uint32_t *ret);
/** Writes the time that @ref is. */
struct cleat_str cleat__unpack_time(uint32_t ref, struct cleat_scratch *scratch);

#endif
