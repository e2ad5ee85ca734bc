/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files read whole: configs, tokens, certificates. And what tells that one changed.
 */
#ifndef CLEAT_CLIENT_FILE_H
#define CLEAT_CLIENT_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <cleat/buffer.h>
#include <cleat/err.h>

/** What a file was when it was looked at: another stamp means that it may have changed. */
struct cleat_file_stamp {
    dev_t device;
    ino_t inode;
    off_t bytes;
    int64_t modified_ns; /* Unix time */
    int64_t changed_ns;
    bool there;
};

/**
 * Appends the content of @path to @buffer, whose maximum bounds it: -E2BIG beyond. A directory is
 * -EISDIR; what is no regular file (a pipe) is read only where @any_type, else -EINVAL. Blocks on
 * the disk only, unless @any_type.
 */
int cleat_file_read(const char *path, bool any_type, struct cleat_buffer *buffer,
                    struct cleat_err *err) CLEAT_MUST_CHECK;
/** Looks at the file behind @path (symbolic links followed); one that isn't there has a stamp too.
 */
void cleat_file_stamp(const char *path, struct cleat_file_stamp *ret);
/** True where both stamps are the same. */
bool cleat_file_stamp_equal(const struct cleat_file_stamp *a, const struct cleat_file_stamp *b);

#endif
