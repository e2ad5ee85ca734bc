/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times as Kubernetes writes them (RFC 3339, UTC) and durations as Go writes them.
 */
#ifndef CLEAT_TIME_H
#define CLEAT_TIME_H

#include <cleat/err.h>
#include <cleat/str.h>
#include <stdint.h>

CLEAT_BEGIN

#define CLEAT_TIME_BYTES 32

/** Writes "2006-01-02T15:04:05Z" (metav1.Time) with its NUL; years 0–9999. Returns @text. */
CLEAT_EXPORT const char *cleat_time_write(int64_t unix_ms, char text[CLEAT_TIME_BYTES]);
/** Writes "2006-01-02T15:04:05.000000Z" (metav1.MicroTime). */
CLEAT_EXPORT const char *cleat_time_write_micro(int64_t unix_us, char text[CLEAT_TIME_BYTES]);
/** Parses RFC 3339 with any offset and fraction. -EINVAL. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_time_parse(struct cleat_str text, int64_t *ret_unix_us);
/** Parses a Go duration ("1h30m", "500ms", "-2s", "0") into nanoseconds. -EINVAL, -ERANGE. */
CLEAT_EXPORT CLEAT_MUST_CHECK int cleat_duration_parse(struct cleat_str text, int64_t *ret_ns);
/** Writes a duration as Go does ("1h30m0s"). */
CLEAT_EXPORT const char *cleat_duration_write(int64_t ns, char text[CLEAT_TIME_BYTES]);

CLEAT_END

#endif
