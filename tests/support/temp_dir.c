/* SPDX-License-Identifier: Apache-2.0 */
#include "support/temp_dir.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void cleat_temp_dir_init(struct cleat_temp_dir *dir)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(dir->path, sizeof(dir->path), "%s/cleat-test-XXXXXX", base ? base : "/tmp");
    ck_assert_msg(mkdtemp(dir->path) != NULL, "%s can't be made", dir->path);
}

static int temp_dir_remove(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    return remove(path);
}

void cleat_temp_dir_fini(struct cleat_temp_dir *dir)
{
    ck_assert_int_eq(nftw(dir->path, temp_dir_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *cleat_temp_dir_path(const struct cleat_temp_dir *dir, const char *name)
{
    static char path[2 * PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", dir->path, name);
    return path;
}

void cleat_temp_dir_write(const struct cleat_temp_dir *dir, const char *name, const char *text)
{
    int fd = open(cleat_temp_dir_path(dir, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(close(fd), 0);
}
