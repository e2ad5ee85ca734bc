/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a kubeconfig as they were read, and typed access to what is in them: every complaint
 * names file, line and key.
 */
#ifndef CLEAT_CLIENT_KUBECONFIG_FILES_H
#define CLEAT_CLIENT_KUBECONFIG_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <cleat/buffer.h>
#include <cleat/document.h>
#include <cleat/err.h>
#include <cleat/kubeconfig.h>

#include "base/limits.h"

struct kubeconfig_file {
    char *path;
    struct cleat_buffer text;
    struct cleat_document *document;
};

struct kubeconfig_files {
    size_t count;
    struct kubeconfig_file files[CLEAT_KUBECONFIG_FILES_MAX];
};

/* An entry of clusters, contexts or users: whole, from the first file that has the name. */
struct kubeconfig_entry {
    const struct kubeconfig_file *file;
    struct cleat_value value; /* what stands below cluster, context or user */
    const char *list;         /* "clusters" */
    const char *member;       /* "cluster" */
    size_t index;             /* in the file's list */
    const char *name;         /* borrowed from the caller */
};

/** Reads one more file. -ENOENT where it isn't there: with @may_lack that is 0 and nothing is
 * added. */
int cleat__kubeconfig_files_add(struct kubeconfig_files *files, const char *path, bool may_lack,
                                struct cleat_err *err) CLEAT_MUST_CHECK;
void cleat__kubeconfig_files_fini(struct kubeconfig_files *files);
/** The first current-context that isn't empty, or "". */
struct cleat_str cleat__kubeconfig_current(const struct kubeconfig_files *files,
                                           struct cleat_scratch *scratch);
/** Finds an entry: -ENOENT names it and the files; a name that is twice in a file is -EINVAL. */
int cleat__kubeconfig_find(const struct kubeconfig_files *files, const char *list,
                           const char *member, const char *name, struct kubeconfig_entry *ret,
                           struct cleat_err *err) CLEAT_MUST_CHECK;
/** Complains about @key of @entry (NULL: about the entry itself): "file:line: key: text". Returns
 * @code. */
int cleat__kubeconfig_fail(const struct kubeconfig_entry *entry, const char *key, int code,
                           const char *text, struct cleat_err *err);
/** A string: @field becomes a copy, or stays NULL where there is none or it's empty. -EINVAL for
 * other types. */
int cleat__kubeconfig_text(const struct kubeconfig_entry *entry, const char *key, char **field,
                           struct cleat_err *err) CLEAT_MUST_CHECK;
/** A boolean; absent is false. */
int cleat__kubeconfig_bool(const struct kubeconfig_entry *entry, const char *key, bool *ret,
                           struct cleat_err *err) CLEAT_MUST_CHECK;
/** As text, but a path: a relative one is made one below the folder of the file that holds it. */
int cleat__kubeconfig_path(const struct kubeconfig_entry *entry, const char *key, char **field,
                           struct cleat_err *err) CLEAT_MUST_CHECK;
/** As text, but base64: @field becomes what it decodes to. NUL in it is -EINVAL. */
int cleat__kubeconfig_data(const struct kubeconfig_entry *entry, const char *key, char **field,
                           struct cleat_err *err) CLEAT_MUST_CHECK;
/** @path made relative to the folder of the entry's file, new, or NULL. */
char *cleat__kubeconfig_resolve(const struct kubeconfig_entry *entry, const char *path);

/** Takes what a cluster's entry says into @config. */
int cleat__kubeconfig_cluster(const struct kubeconfig_entry *entry,
                              const struct cleat_kubeconfig_options *options,
                              struct cleat_kubeconfig *config,
                              struct cleat_err *err) CLEAT_MUST_CHECK;
/** Takes what a user's entry says into @config. */
int cleat__kubeconfig_user(const struct kubeconfig_entry *entry,
                           const struct cleat_kubeconfig_options *options,
                           struct cleat_kubeconfig *config, struct cleat_err *err) CLEAT_MUST_CHECK;
/** Reads a text file into @field: tokens (@trim) and PEM. -EINVAL for an empty one, NUL inside. */
int cleat__kubeconfig_slurp(const char *path, bool trim, char **field,
                            struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
