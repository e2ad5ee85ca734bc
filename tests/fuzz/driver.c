/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for libFuzzer where there is none: runs an entry over the seed files in the directories
 * given and, with --mutate N first, over N repeatable damages of each. Each input lies in a block
 * of exactly its size, so that AddressSanitizer sees a read beyond it.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

#define DRIVER_INPUT_BYTES_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct driver {
    unsigned long mutations;
    unsigned long inputs;
    uint64_t random;
};

static size_t driver_below(struct driver *driver, size_t bound)
{
    driver->random = driver->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return bound > 0 ? (size_t)(driver->random >> 33) % bound : 0;
}

static void driver_run(struct driver *driver, const uint8_t *data, size_t size)
{
    uint8_t *exact = cleat_mem_alloc(size);
    if (!exact) {
        (void)fprintf(stderr, "out of memory\n");
        exit(1);
    }
    memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size); /* always 0; trouble ends the process */
    cleat_mem_free(exact);
    driver->inputs++;
}

/* One damage in place; returns the new size, at most twice the old one. */
static size_t driver_damage(struct driver *driver, uint8_t *data, size_t size)
{
    static const uint8_t sharp[] = {0x00, 0xff, 0x80, '"', '\\', '{',
                                    '[',  '}',  ',',  '-', '9',  '\n'};
    size_t at = driver_below(driver, size);
    size_t run = 1 + driver_below(driver, size - at < 16 ? size - at : 16);
    switch (driver_below(driver, 5)) {
    case 0: data[at] ^= (uint8_t)(1u << driver_below(driver, 8)); return size;
    case 1: data[at] = sharp[driver_below(driver, sizeof(sharp))]; return size;
    case 2: memmove(data + at, data + at + run, size - at - run); return size - run;
    case 3: memmove(data + at + run, data + at, size - at); return size + run;
    default: return at;
    }
}

static void driver_mutate(struct driver *driver, const uint8_t *seed, size_t size)
{
    uint8_t *data = cleat_mem_alloc(2 * size + 64);
    for (unsigned long i = 0; data && i < driver->mutations && size > 0; i++) {
        size_t length = size;
        memcpy(data, seed, size);
        for (size_t rounds = 1 + driver_below(driver, 3); rounds > 0 && length > 0; rounds--)
            length = driver_damage(driver, data, length);
        driver_run(driver, data, length);
    }
    cleat_mem_free(data);
}

static void driver_file(struct driver *driver, const char *path)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *data = cleat_mem_alloc(DRIVER_INPUT_BYTES_MAX);
    if (!file || !data) {
        (void)fprintf(stderr, "%s: can't be read\n", path);
        exit(1);
    }
    size_t size = fread(data, 1, DRIVER_INPUT_BYTES_MAX, file);
    (void)fclose(file); /* only read from */
    driver->random = 1;
    driver_run(driver, data, size);
    driver_mutate(driver, data, size);
    cleat_mem_free(data);
}

static int driver_is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* A seed file, or every file of a directory in the order of their names. */
static void driver_path(struct driver *driver, const char *path)
{
    struct stat status;
    struct dirent **entries = NULL;
    if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode)) {
        driver_file(driver, path);
        return;
    }
    int count = scandir(path, &entries, driver_is_input, alphasort);
    if (count < 0) {
        (void)fprintf(stderr, "%s: can't be read\n", path);
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        char *file = cleat_mem_format("%s/%s", path, entries[i]->d_name);
        driver_file(driver, file ? file : path);
        cleat_mem_free(file);
        cleat_mem_free(entries[i]);
    }
    cleat_mem_free(entries);
}

int main(int argc, char **argv)
{
    struct driver driver = {0};
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "--mutate") == 0) {
        driver.mutations = strtoul(argv[2], NULL, 10);
        first = 3;
    }
    for (int i = first; i < argc; i++)
        driver_path(&driver, argv[i]);
    (void)printf("%lu inputs\n", driver.inputs);
    return driver.inputs > 0 ? 0 : 1;
}
