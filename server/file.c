/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server/file.h"

/* All of it, however the kernel cuts it. 0 or an errno. */
static int file_write(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : EIO;
        text += written;
        length -= (size_t)written;
    }
    return 0;
}

int cleat_write_private_file(const char *path, const char *text, struct cleat_err *err)
{
    int fd;
    do
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return cleat_err_set(err, -errno, "%s: %s", path, strerror(errno));
    /* An old file may have been open to others. */
    int failed = fchmod(fd, 0600) < 0 ? errno : file_write(fd, text, strlen(text));
    if (close(fd) < 0 && !failed)
        failed = errno;
    return failed ? cleat_err_set(err, -failed, "%s: %s", path, strerror(failed)) : 0;
}
