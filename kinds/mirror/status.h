/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one pass over a Mirror has found, and the status that says so. One thread at a time.
 */
#ifndef CLEAT_KINDS_MIRROR_STATUS_H
#define CLEAT_KINDS_MIRROR_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/clock.h>
#include <cleat/draft.h>
#include <cleat/err.h>
#include <cleat/macro.h>
#include <cleat/object.h>

/* Reasons of Ready, from the best on: of several the last applies. */
enum mirror_reason {
    MIRROR_SYNCED,
    MIRROR_PROGRESSING,
    MIRROR_REFUSED,
    MIRROR_CONFLICT,
    MIRROR_FAILED,
    MIRROR_SOURCE_MISSING,
    MIRROR_FORBIDDEN,
    MIRROR_KIND_UNKNOWN,
    MIRROR_REASON_COUNT
};

#define MIRROR_FAILURES_MAX 10
#define MIRROR_MESSAGE_BYTES 400

struct mirror_failure {
    char namespace_[64];
    enum mirror_reason reason;
    char message[MIRROR_MESSAGE_BYTES];
};

/* Zeroed: nothing found yet. */
struct mirror_tally {
    size_t desired, ready;
    size_t counts[MIRROR_REASON_COUNT]; /* namespaces by what is wrong with them */
    struct mirror_failure failures[MIRROR_FAILURES_MAX];
    size_t failure_count;
    size_t absent;                    /* named, but there is no such namespace */
    size_t terminating;               /* being deleted */
    size_t refusing;                  /* refuse copies by their label */
    size_t unserved;                  /* selected, but the source doesn't allow them */
    size_t copied, repaired, removed; /* writes of this pass */
    char first[64];                   /* namespace of the first write; "" */
    enum mirror_reason whole;         /* of the Mirror as a whole */
    char whole_message[MIRROR_MESSAGE_BYTES];
    bool stalled;             /* won't mend by itself */
    bool not_observed;        /* the generation isn't acted on: status doesn't claim it */
    bool judged;              /* desired, ready and failures were found; else they stay */
    char missing_keys[200];   /* as struct mirror_content */
    char source_version[128]; /* "": the source isn't there */
};

/** "Synced", …; static. */
const char *cleat__mirror_reason_name(enum mirror_reason reason);
/** Notes what is wrong with one namespace; the first ten are kept with their words. */
void cleat__mirror_tally_fail(struct mirror_tally *tally, struct cleat_str namespace_,
                              enum mirror_reason reason, const char *format, ...)
    CLEAT_PRINTF(4, 5);
/** Notes what is wrong with the Mirror as a whole; the worse reason stays. */
void cleat__mirror_tally_whole(struct mirror_tally *tally, enum mirror_reason reason, bool stalled,
                               const char *format, ...) CLEAT_PRINTF(4, 5);
/** The reason of Ready. */
enum mirror_reason cleat__mirror_tally_reason(const struct mirror_tally *tally);
/** The message of Ready. */
void cleat__mirror_tally_message(const struct mirror_tally *tally, char *text, size_t size);
/** Changes status in @draft, a draft over the Mirror @object, to what @tally says. */
int cleat__mirror_status_write(const struct mirror_tally *tally, const struct cleat_object *object,
                               const struct cleat_clock *clock, struct cleat_draft *draft,
                               struct cleat_err *err) CLEAT_MUST_CHECK;
/**
 * The one event of the pass, or NULL for none: its reason ("Copied", "Repaired", "Removed",
 * "Conflict", "SourceMissing", "Failed"); @previous is Ready's reason before. *@ret_warning: its
 * type.
 */
const char *cleat__mirror_tally_event(const struct mirror_tally *tally, struct cleat_str previous,
                                      bool *ret_warning, char *note, size_t size);

#endif
