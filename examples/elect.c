/* SPDX-License-Identifier: Apache-2.0 */
/* A lock of one's own for leader election: a file in a folder that all replicas share, no cluster
 * needed. Arguments: FILE and a NAME. Of several that run, one says "leads". */
#define _POSIX_C_SOURCE 200809L /* O_CLOEXEC, whatever the language is called */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <cleat/cleat.h>

struct file_lock {
    const char *path;
    char seen[1024]; /* what the file held when it was read or written last */
};

/* The file's text; -ENOENT where there is none. */
static int load(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t length = read(fd, text, size - 1);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length < 0 ? -EIO : 0;
}

/* All or nothing: whoever reads sees the old text or the new one. */
static int save(const char *path, const char *text)
{
    char fresh[4096];
    int r = 0;
    if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
        return -ENAMETOOLONG;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fsync(fd) < 0)
        r = -EIO;
    if (close(fd) < 0 || (r == 0 && rename(fresh, path) < 0))
        r = -EIO;
    return r;
}

static int file_read(void *arg, int64_t deadline_mono_ms, struct cleat_election_record *ret,
                     struct cleat_buffer *raw, struct cleat_err *err)
{
    struct file_lock *lock = arg;
    int r = load(lock->path, lock->seen, sizeof(lock->seen));
    if (r == -ENOENT)
        return CLEAT_ELECTION_ABSENT;
    if (r < 0)
        return cleat_err_set(err, r, "%s: %s", lock->path, strerror(-r));
    cleat_buffer_text(raw, lock->seen);
    return cleat_election_record_parse(cleat_str_of(lock->seen), ret, err);
}

/* Under the lock of a second file: looks whether it's still what was seen, and writes. */
static int swap(struct file_lock *lock, bool create, const char *text)
{
    char now[sizeof(lock->seen)];
    int r = load(lock->path, now, sizeof(now));
    if (create && r != -ENOENT)
        return r < 0 ? r : -EEXIST;
    if (!create && (r < 0 || strcmp(now, lock->seen) != 0))
        return -EAGAIN; /* another was faster */
    r = save(lock->path, text);
    if (r == 0)
        snprintf(lock->seen, sizeof(lock->seen), "%s", text);
    return r;
}

static int file_write(struct file_lock *lock, bool create,
                      const struct cleat_election_record *record, struct cleat_err *err)
{
    char guard[4096];
    struct cleat_buffer text = CLEAT_BUFFER_INIT(sizeof(lock->seen) - 1);
    int r = cleat_election_record_write(record, &text);
    snprintf(guard, sizeof(guard), "%s.lock", lock->path);
    int fd = r == 0 ? open(guard, O_RDWR | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (r == 0 && fd < 0)
        r = cleat_err_set(err, -errno, "%s: %s", guard, strerror(errno));
    if (r == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        r = -EAGAIN; /* another writes just now */
    if (r == 0)
        r = swap(lock, create, text.data);
    if (fd >= 0)
        close(fd);
    cleat_buffer_fini(&text);
    return r;
}

static int file_create(void *arg, int64_t deadline_mono_ms,
                       const struct cleat_election_record *record, struct cleat_err *err)
{
    return file_write(arg, true, record, err);
}

static int file_update(void *arg, int64_t deadline_mono_ms,
                       const struct cleat_election_record *record, struct cleat_err *err)
{
    return file_write(arg, false, record, err);
}

static const char *file_describe(void *arg)
{
    const struct file_lock *lock = arg;
    return lock->path;
}

static const struct cleat_election_lock_ops file_ops = {
    .read = file_read, .create = file_create, .update = file_update, .describe = file_describe};

/* What only the leader does. */
static int lead(void *arg, struct cleat_err *err)
{
    printf("%s leads\n", (const char *)arg);
    return 0;
}

static void follow(void *arg)
{
    printf("%s doesn't lead any more\n", (const char *)arg);
}

int main(int argc, char **argv)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_manager *manager = NULL;
    struct file_lock lock = {.path = argc > 1 ? argv[1] : "leader"};
    char *name = argc > 2 ? argv[2] : NULL;
    const struct cleat_manager_options options = {
        .elect = true,
        .stand_again = true,
        .election = {.lock = {&file_ops, &lock},
                     .name = "elect",
                     .identity = name,
                     .lease_duration_ms = 3000,
                     .renew_deadline_ms = 2000,
                     .retry_period_ms = 500},
    };
    const struct cleat_runnable work = {.name = "work",
                                        .group = CLEAT_GROUP_ELECTED,
                                        .start = lead,
                                        .stop = follow,
                                        .arg = name ? name : argv[0]};
    int r = cleat_manager_new(&options, &manager, &err);
    if (r == 0)
        r = cleat_manager_signals(manager, &err);
    if (r == 0)
        r = cleat_manager_add(manager, &work, &err);
    if (r == 0)
        r = cleat_manager_run(manager, &err); /* until SIGTERM or SIGINT */
    if (r < 0)
        fprintf(stderr, "elect: %s\n", cleat_err_text(&err));
    cleat_manager_free(manager);
    return r < 0;
}
