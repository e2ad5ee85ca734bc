/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out at each place, over whole scenarios. A scene says how a stage is set, what
 * is run on it and how to see that nothing is torn; the sweep runs it once untouched to count its
 * requests for memory, then again and again with the first request failing, the second, and so on:
 * "once" with that request alone, "ever" with all after it too. After each injection
 *
 *   - the run must have ended with 0 (where the scene can get over it) or with a named error,
 *   - the scene must find its state whole,
 *   - the same run without a fault must succeed,
 *   - nothing may be leaked.
 *
 * Runs are made in a child, this program started anew, so that a crash or a hang costs one
 * injection, is counted with its number, and the sweep goes on behind it. One injection is
 * repeated, with the stack of the refused request, by
 *
 *     fault_test_alloc_values sweep SCENE once|ever NUMBER
 *
 * Where a scene makes more requests than @most, one of each call stack's first and last are swept,
 * both ends in full, and of the rest each so-manieth: always the same ones.
 */
#ifndef CLEAT_TESTS_SWEEP_H
#define CLEAT_TESTS_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/err.h>

/** What a run returns where it got an answer that must not be: never counted as an error. */
#define CLEAT_SWEEP_WRONG 1

enum sweep_flag {
    SWEEP_TOLERANT = 1,  /* may get over a refused request and succeed */
    SWEEP_OTHER = 2,     /* may report it as something else than -ENOMEM (a broken connection) */
    SWEEP_UNNAMED = 4,   /* has no place for a text */
    SWEEP_ONCE = 8,      /* no "ever": the scene can't end without memory */
    SWEEP_LIBRARIES = 16 /* swept a second time with what libraries ask for, where they let us */
};

/** One scenario. */
struct sweep_scene {
    const char *name;
    void *(*open)(void);                          /* sets the stage; may be NULL */
    int (*run)(void *arg, struct cleat_err *err); /* 0, negative errno, CLEAT_SWEEP_WRONG */
    bool (*whole)(void *arg);                     /* nothing is torn; may be NULL */
    void (*close)(void *arg);                     /* may be NULL */
    unsigned flags;
    /* Whose requests count: "here" (the thread that runs it), "there" (all others), beginnings of
       threads' names; several with commas; NULL: everybody's. */
    const char *threads;
    size_t most; /* injections a mode, about; 0: 2,000 */
};

/**
 * For runs with threads of their own: from here on nothing is refused any more, and the run goes on
 * to what must then become true. Whether anything was refused stays known.
 */
void cleat_sweep_lift(void);
/** The same in the modes "ever" only: for what waits until there is memory, and may be refused
 * once. */
void cleat_sweep_lift_ever(void);
/** True while the libraries' requests are to be counted too; asked by their hooks. Any thread. */
bool cleat_sweep_libraries(void);

/** The whole program: sweeps all scenes (or those named), prints the tally @name (and
 * @name-libraries where any was) with at least @least injections, or does what the arguments say.
 */
int cleat_sweep_main(const char *name, const struct sweep_scene *scenes, size_t count,
                     uint64_t least, int argc, char **argv);

#endif
