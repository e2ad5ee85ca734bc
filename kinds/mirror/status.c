/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cleat/condition.h>
#include <cleat/write.h>

static const char *const status_reasons[MIRROR_REASON_COUNT] = {
    [MIRROR_SYNCED] = "Synced",       [MIRROR_PROGRESSING] = "Progressing",
    [MIRROR_REFUSED] = "Refused",     [MIRROR_CONFLICT] = "Conflict",
    [MIRROR_FAILED] = "Failed",       [MIRROR_SOURCE_MISSING] = "SourceMissing",
    [MIRROR_FORBIDDEN] = "Forbidden", [MIRROR_KIND_UNKNOWN] = "KindUnknown",
};

const char *cleat__mirror_reason_name(enum mirror_reason reason)
{
    return status_reasons[reason];
}

void cleat__mirror_tally_fail(struct mirror_tally *tally, struct cleat_str namespace_,
                              enum mirror_reason reason, const char *format, ...)
{
    tally->counts[reason]++;
    if (tally->failure_count == MIRROR_FAILURES_MAX)
        return;
    struct mirror_failure *failure = &tally->failures[tally->failure_count++];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(failure->message, sizeof(failure->message), format, args); /* cut is fine */
    va_end(args);
    (void)snprintf(failure->namespace_, sizeof(failure->namespace_), "%.*s",
                   CLEAT_STR_ARG(namespace_));
    failure->reason = reason;
}

void cleat__mirror_tally_whole(struct mirror_tally *tally, enum mirror_reason reason, bool stalled,
                               const char *format, ...)
{
    if (reason < tally->whole || (reason == tally->whole && tally->whole_message[0]))
        return;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(tally->whole_message, sizeof(tally->whole_message), format, args);
    va_end(args);
    tally->whole = reason;
    tally->stalled = stalled;
}

enum mirror_reason cleat__mirror_tally_reason(const struct mirror_tally *tally)
{
    enum mirror_reason reason = tally->whole;
    for (int i = MIRROR_REASON_COUNT - 1; i > (int)reason; i--)
        if (tally->counts[i] > 0)
            return (enum mirror_reason)i;
    return reason;
}

/* A Mirror stalls where only a person can mend what is wrong. */
static bool tally_stalled(const struct mirror_tally *tally)
{
    enum mirror_reason reason = cleat__mirror_tally_reason(tally);
    if (reason == tally->whole && tally->whole_message[0])
        return tally->stalled;
    return reason == MIRROR_CONFLICT || reason == MIRROR_REFUSED;
}

struct status_text {
    char *text;
    size_t size;
    size_t used;
};

CLEAT_PRINTF(2, 3) static void text_add(struct status_text *text, const char *format, ...)
{
    va_list args;
    if (text->used > 0 && text->used + 2 < text->size) {
        memcpy(text->text + text->used, "; ", 3);
        text->used += 2;
    }
    va_start(args, format);
    int length = vsnprintf(text->text + text->used, text->size - text->used, format, args);
    va_end(args);
    if (length > 0)
        text->used += (size_t)length;
    if (text->used >= text->size)
        text->used = text->size - 1;
}

static const char *text_s(size_t count)
{
    return count == 1 ? "" : "s";
}

static void tally_describe_counts(const struct mirror_tally *tally, struct status_text *text)
{
    text_add(text, "%zu of %zu cop%s true", tally->ready, tally->desired,
             tally->desired == 1 ? "y is" : "ies are");
    for (int i = MIRROR_REASON_COUNT - 1; i > MIRROR_PROGRESSING; i--)
        if (tally->counts[i] > 0)
            text_add(text, "%zu %s", tally->counts[i], status_reasons[i]);
    if (tally->failure_count > 0 && tally->failures[0].reason != MIRROR_PROGRESSING)
        text_add(text, "%s: %s", tally->failures[0].namespace_, tally->failures[0].message);
    if (tally->counts[MIRROR_PROGRESSING] > 0)
        text_add(text, "%zu under way", tally->counts[MIRROR_PROGRESSING]);
    if (tally->refusing > 0)
        text_add(text, "%zu namespace%s refuse%s copies", tally->refusing, text_s(tally->refusing),
                 tally->refusing == 1 ? "s" : "");
    if (tally->unserved > 0)
        text_add(text, "the source isn't allowed in %zu selected namespace%s", tally->unserved,
                 text_s(tally->unserved));
    if (tally->absent > 0)
        text_add(text, "%zu named namespace%s exist", tally->absent,
                 tally->absent == 1 ? " doesn't" : "s don't");
    if (tally->terminating > 0)
        text_add(text, "%zu namespace%s being deleted", tally->terminating,
                 tally->terminating == 1 ? " is" : "s are");
    if (tally->missing_keys[0])
        text_add(text, "the source lacks: %s", tally->missing_keys);
}

void cleat__mirror_tally_message(const struct mirror_tally *tally, char *out, size_t size)
{
    struct status_text text = {out, size, 0};
    out[0] = '\0';
    if (tally->whole_message[0])
        text_add(&text, "%s", tally->whole_message);
    if (tally->judged)
        tally_describe_counts(tally, &text);
}

/* The failures as JSON; what is in a message may be anything. */
static int status_failures(const struct mirror_tally *tally, struct cleat_draft *draft,
                           struct cleat_err *err)
{
    struct cleat_buffer json = CLEAT_BUFFER_INIT(64 * 1024);
    size_t count = 0;
    cleat_buffer_byte(&json, '[');
    for (size_t i = 0; i < tally->failure_count; i++) {
        const struct mirror_failure *failure = &tally->failures[i];
        cleat_buffer_text(&json, count++ > 0 ? ",{\"namespace\":" : "{\"namespace\":");
        cleat_write_string(&json, cleat_str_of(failure->namespace_));
        cleat_buffer_format(&json,
                            ",\"reason\":\"%s\",\"message\":", status_reasons[failure->reason]);
        cleat_write_string(&json, cleat_str_of(failure->message));
        cleat_buffer_byte(&json, '}');
    }
    cleat_buffer_byte(&json, ']');
    int rc = json.failed ? cleat_err_set(err, json.failed, "status: out of memory") : 0;
    if (rc == 0)
        rc = count > 0 ? cleat_draft_set_json(draft, "status.failures", json.data, err)
                       : cleat_draft_remove(draft, "status.failures", err);
    cleat_buffer_fini(&json);
    return rc;
}

static int status_counts(const struct mirror_tally *tally, struct cleat_draft *draft,
                         struct cleat_err *err)
{
    int rc = cleat_draft_set_int(draft, "status.desired", (int64_t)tally->desired, err);
    if (rc == 0)
        rc = cleat_draft_set_int(draft, "status.ready", (int64_t)tally->ready, err);
    if (rc == 0 && tally->source_version[0])
        rc =
            cleat_draft_set_text(draft, "status.sourceResourceVersion", tally->source_version, err);
    return rc == 0 ? status_failures(tally, draft, err) : rc;
}

static int status_conditions(const struct mirror_tally *tally, int64_t generation,
                             const struct cleat_clock *clock, struct cleat_draft *draft,
                             struct cleat_err *err)
{
    char message[1024];
    enum mirror_reason reason = cleat__mirror_tally_reason(tally);
    cleat__mirror_tally_message(tally, message, sizeof(message));
    struct cleat_condition condition = {
        .type = "Ready",
        .status = reason == MIRROR_SYNCED ? "True" : "False",
        .reason = status_reasons[reason],
        .message = message,
        .observed_generation = generation,
    };
    int rc = cleat_condition_set(draft, &condition, clock, err);
    if (rc < 0)
        return rc;
    if (!tally_stalled(tally))
        return cleat_condition_remove(draft, "Stalled", err);
    condition.type = "Stalled";
    condition.status = "True";
    rc = cleat_condition_set(draft, &condition, clock, err);
    return rc < 0 ? rc : 0;
}

int cleat__mirror_status_write(const struct mirror_tally *tally, const struct cleat_object *object,
                               const struct cleat_clock *clock, struct cleat_draft *draft,
                               struct cleat_err *err)
{
    int64_t generation = cleat_object_generation(object);
    int rc = 0;
    if (!tally->not_observed)
        rc = cleat_draft_set_int(draft, "status.observedGeneration", generation, err);
    if (rc == 0 && tally->judged)
        rc = status_counts(tally, draft, err);
    return rc == 0 ? status_conditions(tally, generation, clock, draft, err) : rc;
}

static bool event_is_warning(enum mirror_reason reason)
{
    return reason == MIRROR_CONFLICT || reason == MIRROR_FAILED || reason == MIRROR_SOURCE_MISSING;
}

const char *cleat__mirror_tally_event(const struct mirror_tally *tally, struct cleat_str previous,
                                      bool *ret_warning, char *note, size_t size)
{
    struct status_text text = {note, size, 0};
    enum mirror_reason reason = cleat__mirror_tally_reason(tally);
    bool worse = event_is_warning(reason) && !cleat_str_is(previous, status_reasons[reason]);
    if (!worse && tally->copied + tally->repaired + tally->removed == 0)
        return NULL;
    note[0] = '\0';
    if (tally->copied > 0)
        text_add(&text, "copied to %zu namespace%s", tally->copied, text_s(tally->copied));
    if (tally->repaired > 0)
        text_add(&text, "repaired in %zu namespace%s", tally->repaired, text_s(tally->repaired));
    if (tally->removed > 0)
        text_add(&text, "removed from %zu namespace%s", tally->removed, text_s(tally->removed));
    if (tally->first[0])
        text_add(&text, "first: %s", tally->first);
    if (worse && tally->whole_message[0])
        text_add(&text, "%s", tally->whole_message);
    else if (worse && tally->failure_count > 0)
        text_add(&text, "%s: %s", tally->failures[0].namespace_, tally->failures[0].message);
    *ret_warning = worse;
    if (worse)
        return status_reasons[reason];
    return tally->repaired > 0 ? "Repaired" : tally->copied > 0 ? "Copied" : "Removed";
}
