/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing small files that hold secrets.
 */
#ifndef CLEAT_SERVER_FILE_H
#define CLEAT_SERVER_FILE_H

#include <cleat/err.h>
#include <cleat/macro.h>

/** Writes @text to @path, readable by its owner alone from the first byte. Negative errno with the
 * path in @err. */
int cleat_write_private_file(const char *path, const char *text,
                             struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
