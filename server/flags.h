/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command-line flags, and the same names in camelCase as keys of the config file: one table says
 * what there is, what it is called, of which type and where it goes. A flag wins over the file.
 */
#ifndef CLEAT_SERVER_FLAGS_H
#define CLEAT_SERVER_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/value.h>

enum cleat_flag_type {
    CLEAT_FLAG_TEXT,   /* char *, owned by the options */
    CLEAT_FLAG_LIST,   /* char **, NULL-terminated, owned; the flag may be repeated, commas separate
                        */
    CLEAT_FLAG_BOOL,   /* bool */
    CLEAT_FLAG_NUMBER, /* int64_t, not negative */
    CLEAT_FLAG_BYTES,  /* int64_t: a quantity as "16Mi" */
    CLEAT_FLAG_DURATION, /* int64_t in milliseconds: a Go duration */
};

/* A duration without a default that nobody gave. */
#define CLEAT_FLAG_NOT_GIVEN (-1)

struct cleat_flag {
    const char *name; /* "webhook-bind-address" */
    enum cleat_flag_type type;
    size_t offset;              /* in the options */
    const char *initial;        /* default as text; NULL: none */
    const char *const *choices; /* NULL-terminated, or NULL: anything */
    const char *placeholder;    /* "ADDRESS"; NULL for booleans */
    const char *help;           /* one line */
    bool no_file;               /* not a key of the config file */
};

/** A table ends with a flag without a name. Sets all defaults; -ENOMEM. */
int cleat_flags_init(const struct cleat_flag *flags, void *options) CLEAT_MUST_CHECK;
/** Frees what the options own; repeatable. */
void cleat_flags_fini(const struct cleat_flag *flags, void *options);
/**
 * Reads "--name=value", "--name value", "--bool", "--bool=false". Outcome 1: --help was asked for.
 * -EINVAL names the flag and the fact. @ret_given (as many bits as flags, at most 64) tells which
 * were given.
 */
int cleat_flags_parse(const struct cleat_flag *flags, int argc, char **argv, void *options,
                      uint64_t *ret_given, struct cleat_err *err) CLEAT_MUST_CHECK;
/**
 * Reads the config file @path (YAML: apiVersion config.cleat.dev/v1alpha1, kind CleatConfig),
 * skipping what is in @given. An unknown key or a bad value is -EINVAL with file, line and key.
 */
int cleat_flags_file(const struct cleat_flag *flags, const char *path, uint64_t given,
                     void *options, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Appends one line per flag. */
void cleat_flags_help(const struct cleat_flag *flags, struct cleat_buffer *buffer);

#endif
