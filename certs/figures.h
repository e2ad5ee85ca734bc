/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What certificates tell the metrics. The seconds until expiry are made when they are asked for, so
 * that they go down without anybody's doing. Any thread after the making.
 */
#ifndef CLEAT_CERTS_FIGURES_H
#define CLEAT_CERTS_FIGURES_H

#include <stdbool.h>
#include <cleat/clock.h>
#include <cleat/err.h>
#include <cleat/metrics.h>

enum cleat_certificate { CLEAT_CERTIFICATE_LEAF, CLEAT_CERTIFICATE_CA, CLEAT_CERTIFICATE_COUNT };

struct cleat_figures {
    struct cleat_metrics *metrics; /* NULL: nothing is counted */
    const struct cleat_clock *clock;
    struct cleat_metric *expiry;
    /* Unix seconds, 0: none yet. Stored and loaded relaxed: a number alone. */
    _Atomic(int64_t) not_after_unix_s[CLEAT_CERTIFICATE_COUNT];
    struct cleat_series *rotations[CLEAT_CERTIFICATE_COUNT];
    struct cleat_series *errors;
};

/** Adds the families. Ended by cleat_figures_fini, after an error too. */
int cleat_figures_init(struct cleat_figures *figures, struct cleat_metrics *metrics,
                       const struct cleat_clock *clock, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Repeatable; fine on zeroed ones. */
void cleat_figures_fini(struct cleat_figures *figures);
/** Notes when the certificate in use ends; another than before is counted as a rotation where
 * @rotated. */
void cleat_figures_note(struct cleat_figures *figures, enum cleat_certificate which,
                        int64_t not_after_unix_s, bool rotated);
/** The one series of a counter without labels; borrowed. */
int cleat_figures_counter(struct cleat_metrics *metrics, const char *name, const char *help,
                          struct cleat_series **ret, struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
