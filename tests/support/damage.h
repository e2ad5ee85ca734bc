/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Systematic damage of a JSON text: every member and element of it missing, null, of each other
 * type, empty, huge, doubled, in the wrong case, joined by an unknown one, with bytes that no JSON
 * may have; and the text as a whole cut at every byte, with a BOM, with more behind it.
 *
 * The text is worked on as bytes, with no parser of the product: what is damaged can't depend on
 * what is tested.
 */
#ifndef CLEAT_TESTS_DAMAGE_H
#define CLEAT_TESTS_DAMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <cleat/str.h>

/** One damaged text; all borrowed for the call. */
struct cleat_damage {
    const char *path;      /* of what was damaged, as "request.userInfo.groups[0]"; "": the whole */
    const char *what;      /* what was done to it: "missing", "doubled", … */
    bool malformed;        /* no reader may take this, wherever it is */
    struct cleat_str text; /* with a NUL behind it */
};

typedef void (*cleat_damage_fn)(void *arg, const struct cleat_damage *damage);

/** Calls @fn for each damage of @text, a valid and compact JSON document; returns how many. */
size_t cleat_damage_each(const char *text, cleat_damage_fn fn, void *arg);

#endif
