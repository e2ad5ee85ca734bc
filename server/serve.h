/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server as a whole: the only wiring. Makes every part, in the order in which the parts need
 * each other, runs the manager, takes everything down again.
 */
#ifndef CLEAT_SERVER_SERVE_H
#define CLEAT_SERVER_SERVE_H

#include <cleat/err.h>
#include <cleat/log.h>
#include "server/options.h"

/**
 * Serves until SIGTERM or SIGINT, or until something fails. 0 after an orderly stop; negative with
 * one line in @err; after -ETIMEDOUT something still runs, and only ending the process is safe. The
 * main thread only.
 */
int cleat_serve(const struct cleat_serve_options *options, struct cleat_log *log,
                struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
