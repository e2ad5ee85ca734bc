/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies that somebody changes each time they are written: another mutating webhook, another
 * controller. Such a copy is written again after a growing delay only, until its Mirror or its
 * source changes. Under a lock of its own; any thread.
 */
#ifndef CLEAT_KINDS_MIRROR_CONTEST_H
#define CLEAT_KINDS_MIRROR_CONTEST_H

#include <stdbool.h>
#include <stdint.h>
#include <cleat/str.h>
#include "base/lock.h"
#include "base/map.h"

#define MIRROR_CONTEST_FIRST_MS 10000
#define MIRROR_CONTEST_MAX_MS 3600000
#define MIRROR_CONTEST_WINDOW_MS 60000
#define MIRROR_CONTEST_REPAIRS_MAX 5 /* in a window; the next is held back */

struct mirror_contest {
    struct cleat_lock lock;
    struct cleat_map entries;
};

/* Which copy, in which version of what it should be; all borrowed. */
struct mirror_contest_key {
    struct cleat_str uid; /* of the Mirror */
    struct cleat_str namespace_;
    int64_t generation;              /* of the Mirror */
    struct cleat_str source_version; /* resourceVersion */
};

void cleat__mirror_contest_init(struct mirror_contest *contest);
void cleat__mirror_contest_fini(struct mirror_contest *contest);
/** Milliseconds until the copy may be written again; 0: now. */
int64_t cleat__mirror_contest_wait_ms(struct mirror_contest *contest,
                                      const struct mirror_contest_key *key, int64_t now_mono_ms);
/** The copy was put right; @differs: the API server's answer still isn't what was written. */
void cleat__mirror_contest_note(struct mirror_contest *contest,
                                const struct mirror_contest_key *key, bool differs,
                                int64_t now_mono_ms);

#endif
