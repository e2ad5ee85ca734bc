/* SPDX-License-Identifier: Apache-2.0 */
#include "client/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

#define FILE_CHUNK_BYTES (4 * CLEAT_KIB)

static void file_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Reads to the end of the file. */
static int file_drain(int fd, const char *path, struct cleat_buffer *buffer, struct cleat_err *err)
{
    for (;;) {
        char chunk[FILE_CHUNK_BYTES];
        ssize_t length = read(fd, chunk, sizeof(chunk));
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return cleat_err_set(err, -errno, "%s: %s", path, strerror(errno));
        if (length == 0)
            return 0;
        int r = cleat_buffer_append(buffer, chunk, (size_t)length);
        if (r == -ENOBUFS)
            return cleat_err_set(err, -E2BIG, "%s: more than %zu bytes", path, buffer->bytes_max);
        if (r < 0)
            return cleat_err_set(err, r, "%s: out of memory", path);
    }
}

int cleat_file_read(const char *path, bool any_type, struct cleat_buffer *buffer,
                    struct cleat_err *err)
{
    struct stat status;
    CLEAT_CLEANUP(file_close) int fd = -1;
    /* Without waiting for a pipe's other side where pipes aren't wanted anyway. */
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (any_type ? 0 : O_NONBLOCK));
    while (fd < 0 && errno == EINTR);
    if (fd < 0 || fstat(fd, &status) < 0)
        return cleat_err_set(err, -errno, "%s: %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return cleat_err_set(err, -EISDIR, "%s: is a directory", path);
    if (!S_ISREG(status.st_mode) && !any_type)
        return cleat_err_set(err, -EINVAL, "%s: is no regular file", path);
    return file_drain(fd, path, buffer, err);
}

static int64_t file_ns(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void cleat_file_stamp(const char *path, struct cleat_file_stamp *ret)
{
    struct stat status;
    memset(ret, 0, sizeof(*ret));
    if (stat(path, &status) < 0)
        return;
    ret->device = status.st_dev;
    ret->inode = status.st_ino;
    ret->bytes = status.st_size;
    ret->modified_ns = file_ns(status.st_mtim);
    ret->changed_ns = file_ns(status.st_ctim);
    ret->there = true;
}

bool cleat_file_stamp_equal(const struct cleat_file_stamp *a, const struct cleat_file_stamp *b)
{
    return a->there == b->there && a->device == b->device && a->inode == b->inode &&
           a->bytes == b->bytes && a->modified_ns == b->modified_ns &&
           a->changed_ns == b->changed_ns;
}
