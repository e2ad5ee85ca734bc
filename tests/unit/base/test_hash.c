/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"
#include "support/suite.h"

START_TEST(test_same_bytes_same_hash)
{
    char text[600];
    memset(text, 'x', sizeof(text));
    for (size_t length = 0; length <= sizeof(text); length += 7) {
        ck_assert_uint_eq(cleat_hash_bytes(text, length), cleat_hash_bytes(text, length));
        ck_assert_uint_eq(cleat_hash_bytes(text, length),
                          cleat_hash_more(cleat_hash_seed(), text, length));
    }
}
END_TEST

START_TEST(test_other_bytes_other_hash)
{
    ck_assert_uint_ne(cleat_hash_bytes("a", 1), cleat_hash_bytes("b", 1));
    ck_assert_uint_ne(cleat_hash_bytes("a", 1), cleat_hash_bytes("a\0", 2));
    uint64_t ab = cleat_hash_more(cleat_hash_bytes("a", 1), "b", 1);
    uint64_t ba = cleat_hash_more(cleat_hash_bytes("b", 1), "a", 1);
    ck_assert_uint_ne(ab, ba);
}
END_TEST

/* The low bits choose a slot: they must spread similar keys. */
START_TEST(test_spread)
{
    size_t slots[64] = {0};
    for (int i = 0; i < 6400; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "namespace-%d", i);
        slots[cleat_hash_bytes(key, strlen(key)) & 63]++;
    }
    for (size_t i = 0; i < 64; i++) {
        ck_assert_uint_gt(slots[i], 50);
        ck_assert_uint_lt(slots[i], 170);
    }
}
END_TEST

static void *hash_ask(void *arg)
{
    *(uint64_t *)arg = cleat_hash_seed();
    return NULL;
}

START_TEST(test_one_seed_for_all_threads)
{
    struct cleat_thread threads[4] = {CLEAT_THREAD_INIT};
    uint64_t seeds[4] = {0};
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(cleat_thread_start(&threads[i], "hash", 0, hash_ask, &seeds[i], NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        cleat_thread_join(&threads[i]);
        ck_assert_uint_eq(seeds[i], cleat_hash_seed());
    }
}
END_TEST

/* Another process has another seed. Runs first, before this process has chosen its own. */
START_TEST(test_seed_per_process)
{
    uint64_t seeds[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        int pipe_fds[2];
        int status = 0;
        ck_assert_int_eq(pipe(pipe_fds), 0);
        pid_t child = fork();
        if (child == 0) {
            uint64_t seed = cleat_hash_seed();
            _exit(write(pipe_fds[1], &seed, sizeof(seed)) == sizeof(seed) ? 0 : 1);
        }
        ck_assert_int_eq(read(pipe_fds[0], &seeds[i], sizeof(seeds[i])), sizeof(seeds[i]));
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        (void)close(pipe_fds[0]);
        (void)close(pipe_fds[1]);
    }
    ck_assert_uint_ne(seeds[0], seeds[1]);
}
END_TEST

CLEAT_SUITE_MAIN("hash", test_seed_per_process, test_same_bytes_same_hash,
                 test_other_bytes_other_hash, test_spread, test_one_seed_for_all_threads)
