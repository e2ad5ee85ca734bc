/* SPDX-License-Identifier: Apache-2.0 */
#include "client/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/suite.h"
#include "support/temp_dir.h"

START_TEST(test_read)
{
    struct cleat_temp_dir dir;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(10);
    struct cleat_err err = CLEAT_ERR_INIT;
    cleat_temp_dir_init(&dir);
    cleat_temp_dir_write(&dir, "f", "0123456789");
    ck_assert_int_eq(cleat_file_read(cleat_temp_dir_path(&dir, "f"), false, &buffer, &err), 0);
    ck_assert(cleat_str_is(cleat_buffer_view(&buffer), "0123456789"));
    cleat_buffer_reset(&buffer);
    cleat_temp_dir_write(&dir, "f", "0123456789a");
    ck_assert_int_eq(cleat_file_read(cleat_temp_dir_path(&dir, "f"), false, &buffer, &err), -E2BIG);
    ck_assert_msg(strstr(err.text, "/f: more than 10 bytes"), "%s", err.text);
    cleat_buffer_reset(&buffer);
    cleat_temp_dir_write(&dir, "f", "");
    ck_assert_int_eq(cleat_file_read(cleat_temp_dir_path(&dir, "f"), false, &buffer, NULL), 0);
    ck_assert_uint_eq(buffer.length, 0);
    cleat_buffer_fini(&buffer);
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_other_types)
{
    struct cleat_temp_dir dir;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(100);
    cleat_temp_dir_init(&dir);
    ck_assert_int_eq(cleat_file_read(dir.path, true, &buffer, NULL), -EISDIR);
    ck_assert_int_eq(cleat_file_read(cleat_temp_dir_path(&dir, "none"), false, &buffer, NULL),
                     -ENOENT);
    /* A pipe that nobody writes to doesn't block where none is wanted. */
    ck_assert_int_eq(mkfifo(cleat_temp_dir_path(&dir, "pipe"), 0600), 0);
    ck_assert_int_eq(cleat_file_read(cleat_temp_dir_path(&dir, "pipe"), false, &buffer, NULL),
                     -EINVAL);
    int ends[2];
    char path[64];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "text", 4), 4);
    ck_assert_int_eq(close(ends[1]), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
    ck_assert_int_eq(cleat_file_read(path, true, &buffer, NULL), 0);
    ck_assert(cleat_str_is(cleat_buffer_view(&buffer), "text"));
    ck_assert_int_eq(close(ends[0]), 0);
    cleat_buffer_fini(&buffer);
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_stamp)
{
    struct cleat_temp_dir dir;
    struct cleat_file_stamp none, first, second;
    char path[8192];
    cleat_temp_dir_init(&dir);
    snprintf(path, sizeof(path), "%s", cleat_temp_dir_path(&dir, "f"));
    cleat_file_stamp(path, &none);
    ck_assert(!none.there);
    cleat_temp_dir_write(&dir, "f", "a");
    cleat_file_stamp(path, &first);
    ck_assert(first.there && !cleat_file_stamp_equal(&none, &first));
    cleat_file_stamp(path, &second);
    ck_assert(cleat_file_stamp_equal(&first, &second));
    /* Same size, same name, another file. */
    cleat_temp_dir_write(&dir, "g", "b");
    ck_assert_int_eq(rename(cleat_temp_dir_path(&dir, "g"), path), 0);
    cleat_file_stamp(path, &second);
    ck_assert(!cleat_file_stamp_equal(&first, &second));
    /* As a mounted Secret: the link moves. */
    ck_assert_int_eq(unlink(path), 0);
    cleat_temp_dir_write(&dir, "v1", "x");
    cleat_temp_dir_write(&dir, "v2", "x");
    ck_assert_int_eq(symlink("v1", path), 0);
    cleat_file_stamp(path, &first);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("v2", path), 0);
    cleat_file_stamp(path, &second);
    ck_assert(!cleat_file_stamp_equal(&first, &second));
    cleat_temp_dir_fini(&dir);
}
END_TEST

CLEAT_SUITE_MAIN("file", test_read, test_other_types, test_stamp)
