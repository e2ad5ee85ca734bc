/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of a test's own, removed with everything in it.
 */
#ifndef CLEAT_TESTS_TEMP_DIR_H
#define CLEAT_TESTS_TEMP_DIR_H

#include <limits.h>

struct cleat_temp_dir {
    char path[PATH_MAX];
};

/** Makes a fresh directory below $TMPDIR or /tmp; fails the test where it can't. */
void cleat_temp_dir_init(struct cleat_temp_dir *dir);
/** Removes it with everything in it. */
void cleat_temp_dir_fini(struct cleat_temp_dir *dir);
/** "<dir>/<name>", borrowed until the next call of any thread. */
const char *cleat_temp_dir_path(const struct cleat_temp_dir *dir, const char *name);
/** Writes a file in it with @text as content, mode 0600. */
void cleat_temp_dir_write(const struct cleat_temp_dir *dir, const char *name, const char *text);

#endif
