/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that fail on cue, by preloading: stands between a program with its libraries and
 * libc. Only what a kernel may really do is done: EAGAIN only where a descriptor doesn't block,
 * ECONNRESET and EPIPE only on sockets, ENOSPC only on files. With AddressSanitizer its library
 * comes first in LD_PRELOAD, then this one: its interceptors call on to here.
 */
#include "fault/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static struct shim_board *_Atomic shim_board_mapped;
static _Thread_local bool shim_inside; /* what the shim calls itself doesn't count */

/* A data pointer that is a function's. */
static void *shim_next(const char *name)
{
    void *next = dlsym(RTLD_NEXT, name);
    if (!next)
        abort();
    return next;
}

#define SHIM_NEXT(name)                      \
    static __typeof__(&name) next;           \
    if (!next) {                             \
        void *found = shim_next(#name);      \
        memcpy(&next, &found, sizeof(next)); \
    }

__attribute__((constructor)) static void shim_begin(void)
{
    const char *path = getenv(SHIM_BOARD_ENV);
    shim_inside = true;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing stays where a test is ended */
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *memory =
            mmap(NULL, sizeof(struct shim_board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory != MAP_FAILED)
            atomic_store(&shim_board_mapped, memory);
        close(fd);
    }
    shim_inside = false;
}

/* ---- what may fail how ---- */

static bool shim_is_socket(int fd)
{
    int type;
    socklen_t length = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

static bool shim_is_file(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* Sockets and pipes: an eventfd, by which threads wake each other, is never full or interrupted. */
static bool shim_is_stream(int fd)
{
    struct stat status;
    return shim_is_socket(fd) || (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode));
}

static bool shim_is_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

static bool shim_may(enum shim_call call, int error, int fd, size_t length)
{
    bool moves = call == SHIM_READ || call == SHIM_WRITE;
    switch (error) {
    case SHIM_SHORT: return moves && length > 1 && (shim_is_socket(fd) || shim_is_file(fd));
    case EAGAIN:
        return call == SHIM_THREAD ||
               (fd >= 0 && shim_is_nonblocking(fd) && (!moves || shim_is_stream(fd)));
    case ECONNRESET:
    case EPIPE: return moves && shim_is_socket(fd);
    case ENOSPC:
    case EIO: return moves && shim_is_file(fd);
    case EINTR: return !moves || shim_is_stream(fd);
    default: return true;
    }
}

/* True where this call is the one to fail. */
static bool shim_strikes(enum shim_call call, int fd, size_t length, int *ret_error)
{
    struct shim_board *board = atomic_load(&shim_board_mapped);
    if (!board || shim_inside)
        return false;
    int saved = errno;
    shim_inside = true;
    atomic_fetch_add(&board->totals[call], 1);
    uint64_t nth = atomic_load(&board->nth);
    bool strikes = false;
    *ret_error = atomic_load(&board->error);
    if (nth > 0 && atomic_load(&board->call) == call && shim_may(call, *ret_error, fd, length)) {
        uint64_t seen = atomic_fetch_add(&board->seen, 1) + 1;
        strikes = seen >= nth && seen < nth + atomic_load(&board->times);
        if (strikes)
            atomic_fetch_add(&board->injected, 1);
    }
    shim_inside = false;
    errno = saved;
    return strikes;
}

/* For calls that only fail. */
static bool shim_fails(enum shim_call call, int fd)
{
    int error = 0;
    if (!shim_strikes(call, fd, 0, &error))
        return false;
    errno = error == SHIM_SHORT ? EINTR : error;
    return true;
}

/* For calls that move bytes: fails, or cuts @length to a part. */
static bool shim_moves(enum shim_call call, int fd, size_t *length)
{
    int error = 0;
    if (!shim_strikes(call, fd, *length, &error))
        return false;
    if (error == SHIM_SHORT) {
        *length = (*length + 2) / 3;
        return false;
    }
    errno = error;
    return true;
}

/* The same for vectors: short ones lose all but their first part. */
static bool shim_moves_vector(enum shim_call call, int fd, const struct iovec *vector, int *count,
                              struct iovec *first)
{
    size_t length = 0, cut;
    for (int i = 0; i < *count; i++)
        length += vector[i].iov_len;
    cut = length;
    if (shim_moves(call, fd, &cut))
        return true;
    if (cut<length && * count> 0) {
        *first = vector[0];
        first->iov_len = first->iov_len < cut ? first->iov_len : cut;
        *count = 1;
    }
    return false;
}

/* ---- moving bytes ---- */

ssize_t read(int fd, void *buffer, size_t length)
{
    SHIM_NEXT(read)
    return shim_moves(SHIM_READ, fd, &length) ? -1 : next(fd, buffer, length);
}

ssize_t write(int fd, const void *buffer, size_t length)
{
    SHIM_NEXT(write)
    return shim_moves(SHIM_WRITE, fd, &length) ? -1 : next(fd, buffer, length);
}

ssize_t recv(int fd, void *buffer, size_t length, int flags)
{
    SHIM_NEXT(recv)
    return shim_moves(SHIM_READ, fd, &length) ? -1 : next(fd, buffer, length, flags);
}

ssize_t recvfrom(int fd, void *buffer, size_t length, int flags, struct sockaddr *from,
                 socklen_t *from_length)
{
    SHIM_NEXT(recvfrom)
    return shim_moves(SHIM_READ, fd, &length) ? -1
                                              : next(fd, buffer, length, flags, from, from_length);
}

ssize_t send(int fd, const void *buffer, size_t length, int flags)
{
    SHIM_NEXT(send)
    return shim_moves(SHIM_WRITE, fd, &length) ? -1 : next(fd, buffer, length, flags);
}

ssize_t sendto(int fd, const void *buffer, size_t length, int flags, const struct sockaddr *to,
               socklen_t to_length)
{
    SHIM_NEXT(sendto)
    return shim_moves(SHIM_WRITE, fd, &length) ? -1
                                               : next(fd, buffer, length, flags, to, to_length);
}

ssize_t readv(int fd, const struct iovec *vector, int count)
{
    struct iovec first = {0};
    int left = count;
    SHIM_NEXT(readv)
    if (shim_moves_vector(SHIM_READ, fd, vector, &left, &first))
        return -1;
    return next(fd, first.iov_base ? &first : vector, left);
}

ssize_t writev(int fd, const struct iovec *vector, int count)
{
    struct iovec first = {0};
    int left = count;
    SHIM_NEXT(writev)
    if (shim_moves_vector(SHIM_WRITE, fd, vector, &left, &first))
        return -1;
    return next(fd, first.iov_base ? &first : vector, left);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    size_t length = 1;
    SHIM_NEXT(recvmsg)
    return shim_moves(SHIM_READ, fd, &length) ? -1 : next(fd, message, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct msghdr part = *message;
    struct iovec first = {0};
    int left = (int)message->msg_iovlen;
    SHIM_NEXT(sendmsg)
    if (shim_moves_vector(SHIM_WRITE, fd, message->msg_iov, &left, &first))
        return -1;
    if (first.iov_base) {
        part.msg_iov = &first;
        part.msg_iovlen = 1;
    }
    return next(fd, &part, flags);
}

/* ---- waiting ---- */

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    SHIM_NEXT(poll)
    return shim_fails(SHIM_POLL, -1) ? -1 : next(fds, count, timeout);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    SHIM_NEXT(ppoll)
    return shim_fails(SHIM_POLL, -1) ? -1 : next(fds, count, timeout, mask);
}

int select(int count, fd_set *reading, fd_set *writing, fd_set *special, struct timeval *timeout)
{
    SHIM_NEXT(select)
    return shim_fails(SHIM_POLL, -1) ? -1 : next(count, reading, writing, special, timeout);
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
    SHIM_NEXT(epoll_wait)
    return shim_fails(SHIM_POLL, -1) ? -1 : next(epoll, events, count, timeout);
}

/* ---- making descriptors ---- */

int accept(int fd, struct sockaddr *address, socklen_t *length)
{
    SHIM_NEXT(accept)
    return shim_fails(SHIM_ACCEPT, fd) ? -1 : next(fd, address, length);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    SHIM_NEXT(accept4)
    return shim_fails(SHIM_ACCEPT, fd) ? -1 : next(fd, address, length, flags);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    SHIM_NEXT(connect)
    return shim_fails(SHIM_CONNECT, -1) ? -1 : next(fd, address, length);
}

/* Files have a second name each, of those that were built for large ones. */
#define SHIM_OPEN_AS(name)                                                                \
    int name(const char *path, int flags, ...)                                            \
    {                                                                                     \
        va_list args;                                                                     \
        va_start(args, flags);                                                            \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(args, unsigned) : 0; \
        va_end(args);                                                                     \
        SHIM_NEXT(name)                                                                   \
        return shim_fails(SHIM_OPEN, -1) ? -1 : next(path, flags, mode);                  \
    }
#define SHIM_OPENAT_AS(name)                                                              \
    int name(int folder, const char *path, int flags, ...)                                \
    {                                                                                     \
        va_list args;                                                                     \
        va_start(args, flags);                                                            \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(args, unsigned) : 0; \
        va_end(args);                                                                     \
        SHIM_NEXT(name)                                                                   \
        return shim_fails(SHIM_OPEN, -1) ? -1 : next(folder, path, flags, mode);          \
    }
#define SHIM_FOPEN_AS(name)                                         \
    FILE *name(const char *path, const char *mode)                  \
    {                                                               \
        SHIM_NEXT(name)                                             \
        return shim_fails(SHIM_OPEN, -1) ? NULL : next(path, mode); \
    }
SHIM_OPEN_AS(open)
SHIM_OPEN_AS(open64)
SHIM_OPENAT_AS(openat)
SHIM_OPENAT_AS(openat64)
SHIM_FOPEN_AS(fopen)
SHIM_FOPEN_AS(fopen64)

int socket(int domain, int type, int protocol)
{
    SHIM_NEXT(socket)
    return shim_fails(SHIM_SOCKET, -1) ? -1 : next(domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int pair[2])
{
    SHIM_NEXT(socketpair)
    return shim_fails(SHIM_SOCKET, -1) ? -1 : next(domain, type, protocol, pair);
}

int pipe(int pair[2])
{
    SHIM_NEXT(pipe)
    return shim_fails(SHIM_SOCKET, -1) ? -1 : next(pair);
}

int pipe2(int pair[2], int flags)
{
    SHIM_NEXT(pipe2)
    return shim_fails(SHIM_SOCKET, -1) ? -1 : next(pair, flags);
}

int eventfd(unsigned int value, int flags)
{
    SHIM_NEXT(eventfd)
    return shim_fails(SHIM_SOCKET, -1) ? -1 : next(value, flags);
}

int epoll_create1(int flags)
{
    SHIM_NEXT(epoll_create1)
    return shim_fails(SHIM_SOCKET, -1) ? -1 : next(flags);
}

/* ---- threads and memory ---- */

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                   void *arg)
{
    SHIM_NEXT(pthread_create)
    return shim_fails(SHIM_THREAD, -1) ? errno : next(thread, attributes, fn, arg);
}
