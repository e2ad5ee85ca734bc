/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sweep of faults did, in one line that people and tools/faults.sh read:
 *
 *     TALLY name=alloc runs=20 injections=812 least=500 crashes=0 leaks=0 wrong=0 note=twenty
 * scenarios
 *
 * A test under tests/fault/ counts into one struct cleat_tally per kind of fault and ends with
 * cleat_tally_end, which prints the line and fails the test where anything went wrong, or where
 * too little was done to mean anything. Several lines of one name are added up in the table of
 * `make faults`. Counts only: times differ between machines, and belong into the note.
 *
 *     struct cleat_tally tally = {.name = "wire-cut", .least = 1000, .note = "at each byte"};
 *     … tally.runs++; tally.injections++; if (!right) tally.wrong++; …
 *     cleat_tally_end(&tally);
 */
#ifndef CLEAT_TESTS_TALLY_H
#define CLEAT_TESTS_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Counts of one kind of fault. */
struct cleat_tally {
    const char *name;    /* short, of a-z, 0-9 and '-': one row of the table */
    uint64_t runs;       /* scenarios, loads, histories: how often something was put to the test */
    uint64_t injections; /* faults, requests or inputs that were put in */
    uint64_t least;      /* injections below which the run is void; 0: one is enough */
    uint64_t crashes;    /* ends of a process that weren't asked for, hangs among them */
    uint64_t leaks;      /* memory, descriptors or threads that stayed */
    uint64_t wrong;      /* answers, states or histories that must not be */
    const char *note;    /* one line for people, may be NULL */
};

/** The line of a tally into @text, NUL-terminated and without a newline; cut where it's too long.
 */
void cleat_tally_write(const struct cleat_tally *tally, char *text, size_t size);
/** True where nothing crashed, leaked or was wrong, and at least @least faults were put in. */
bool cleat_tally_is_good(const struct cleat_tally *tally);
/** Prints the line to stdout; fails the running test unless the tally is good. */
void cleat_tally_end(const struct cleat_tally *tally);

#endif
