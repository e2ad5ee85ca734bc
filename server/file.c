/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server/file.h"

int cleat_write_private_file(const char *path, const char *text, struct cleat_err *err)
{
    size_t length = strlen(text);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return cleat_err_set(err, -errno, "%s: %s", path, strerror(errno));
    /* An old file may have been open to others. */
    ssize_t written = fchmod(fd, 0600) < 0 ? -1 : write(fd, text, length);
    int failed = written < 0 ? errno : written < (ssize_t)length ? ENOSPC : 0;
    if (close(fd) < 0 && !failed)
        failed = errno;
    return failed ? cleat_err_set(err, -failed, "%s: %s", path, strerror(failed)) : 0;
}
