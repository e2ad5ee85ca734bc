/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test and the preloaded shim share: a file that both have mapped. The test arms a fault (a
 * call, what it fails with, which one in turn); the shim counts, fails, and says what it did. So a
 * fault can be put into a program that has been running for long.
 *
 *     LD_PRELOAD=libcleat_shim.so CLEAT_SHIM_BOARD=file cleat serve …
 */
#ifndef CLEAT_TESTS_SHIM_H
#define CLEAT_TESTS_SHIM_H

#include <stdatomic.h>
#include <stdint.h>

#define SHIM_BOARD_ENV "CLEAT_SHIM_BOARD"
#define SHIM_SHORT (-1) /* instead of an errno: fewer bytes than there could be */

/** Calls of one family share a number: what they share is what they may fail with. */
enum shim_call {
    SHIM_READ,    /* read, readv, recv, recvfrom, recvmsg */
    SHIM_WRITE,   /* write, writev, send, sendto, sendmsg */
    SHIM_POLL,    /* poll, ppoll, select, epoll_wait */
    SHIM_ACCEPT,  /* accept, accept4 */
    SHIM_CONNECT, /* connect */
    SHIM_OPEN,    /* open, openat, fopen */
    SHIM_SOCKET,  /* socket, socketpair, pipe, pipe2, eventfd, epoll_create1 */
    SHIM_THREAD,  /* pthread_create */
    SHIM_CALLS
};

struct shim_board {
    _Atomic(uint64_t) nth; /* counted from arming; 0: nothing fails */
    _Atomic(uint64_t) times;
    _Atomic(uint32_t) call;
    _Atomic(int32_t) error; /* an errno, or SHIM_SHORT */
    _Atomic(uint64_t) seen; /* calls that could have failed, since arming */
    _Atomic(uint64_t) injected;
    _Atomic(uint64_t) totals[SHIM_CALLS]; /* since the program's start */
};

#endif
