/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Meta types of the wire, encoded and decoded here once for client and embedded server: query
 * strings (ListOptions, GetOptions, options of writes), DeleteOptions, ListMeta, types of watch
 * events, types of patches, resource versions. No I/O; any thread.
 */
#ifndef CLEAT_KUBE_META_H
#define CLEAT_KUBE_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cleat/buffer.h>
#include <cleat/err.h>
#include <cleat/value.h>

#define CLEAT_QUERY_PARAMETERS_MAX 64
#define CLEAT_QUERY_BYTES_MAX (32u * 1024)

/* A decoded query string: names and values in order, in a block of its own. */
struct cleat_query_parameter {
    struct cleat_str name; /* NUL-terminated; borrowed from the query */
    struct cleat_str value;
};

struct cleat_query {
    size_t count;
    char *bytes; /* owned */
    struct cleat_query_parameter parameters[CLEAT_QUERY_PARAMETERS_MAX];
};

#define CLEAT_QUERY_INIT \
    {                    \
        0                \
    }

/**
 * Decodes "a=b&c=%20d" (without the question mark; "+" is a blank) into @ret, which must be empty.
 * -EINVAL for broken percent signs and NUL, -E2BIG beyond the bounds above.
 */
int cleat_query_parse(struct cleat_str text, struct cleat_query *ret,
                      struct cleat_err *err) CLEAT_MUST_CHECK;
/** Frees; repeatable. */
void cleat_query_fini(struct cleat_query *query);
/** The first value of that name, or {NULL, 0}. */
struct cleat_str cleat_query_get(const struct cleat_query *query, const char *name);
/** Appends "name=value" with "?" or "&" in front as @first says (and clears it); the value
 * percent-encoded. */
void cleat_query_add(struct cleat_buffer *buffer, bool *first, const char *name,
                     struct cleat_str value);
/** Appends @text percent-encoded, all but RFC 3986's unreserved characters: for one segment of a
 * path too. */
void cleat_query_escape(struct cleat_buffer *buffer, struct cleat_str text);

/* metav1.ListOptions; strings are borrowed, empty ones are left out. */
struct cleat_list_options {
    struct cleat_str label_selector;
    struct cleat_str field_selector;
    struct cleat_str resource_version;
    struct cleat_str resource_version_match; /* "Exact", "NotOlderThan" */
    struct cleat_str continue_;
    int64_t limit;     /* 0: none */
    int64_t timeout_s; /* 0: none */
    bool watch;
    bool allow_watch_bookmarks;
    bool set_send_initial_events; /* sendInitialEvents was given */
    bool send_initial_events;
};

/** Appends the options as query parameters after what @first says. */
void cleat_list_options_write(const struct cleat_list_options *options, struct cleat_buffer *buffer,
                              bool *first);
/** Reads the options; strings are borrowed from @query. -EINVAL names the parameter. */
int cleat_list_options_read(const struct cleat_query *query, struct cleat_list_options *ret,
                            struct cleat_err *err) CLEAT_MUST_CHECK;

/* Options of create, update, patch. */
struct cleat_write_options {
    struct cleat_str field_manager;
    struct cleat_str field_validation; /* "Ignore", "Warn", "Strict" */
    bool dry_run;                      /* dryRun=All */
    bool set_force;                    /* patch: force was given */
    bool force;
};

void cleat_write_options_write(const struct cleat_write_options *options,
                               struct cleat_buffer *buffer, bool *first);
/** -EINVAL: dryRun other than All, unknown fieldValidation, a fieldManager beyond 128 bytes or not
 * printable. */
int cleat_write_options_read(const struct cleat_query *query, struct cleat_write_options *ret,
                             struct cleat_err *err) CLEAT_MUST_CHECK;

/* metav1.DeleteOptions; strings are borrowed. */
struct cleat_delete_options {
    bool set_grace_period;
    int64_t grace_period_s;
    struct cleat_str uid;              /* preconditions */
    struct cleat_str resource_version; /* preconditions */
    struct cleat_str propagation;      /* "Orphan", "Background", "Foreground"; "" unset */
    bool dry_run;
};

/** Room for the strings of decoded DeleteOptions. */
struct cleat_delete_options_scratch {
    struct cleat_scratch uid;
    struct cleat_scratch resource_version;
    struct cleat_scratch propagation;
};

/** Appends the body {"kind": "DeleteOptions", "apiVersion": "v1", …}. */
int cleat_delete_options_write(const struct cleat_delete_options *options,
                               struct cleat_buffer *buffer) CLEAT_MUST_CHECK;
/**
 * Reads options from @body (absent: none) and, for what the body doesn't say, from @query (may be
 * NULL), as the API server does: gracePeriodSeconds, propagationPolicy, orphanDependents, dryRun.
 * -EINVAL names the field.
 */
int cleat_delete_options_read(struct cleat_value body, const struct cleat_query *query,
                              struct cleat_delete_options_scratch *scratch,
                              struct cleat_delete_options *ret,
                              struct cleat_err *err) CLEAT_MUST_CHECK;

/* metav1.ListMeta; strings are borrowed. */
struct cleat_list_meta {
    struct cleat_str resource_version;
    struct cleat_str continue_;
    int64_t remaining; /* remainingItemCount, or -1 */
};

/** Room for the strings of a decoded ListMeta whose heap packs them. */
struct cleat_list_meta_scratch {
    struct cleat_scratch resource_version;
    struct cleat_scratch continue_;
};

/** Appends {"resourceVersion": …, "continue": …, "remainingItemCount": …}: the value of a list's
 * "metadata". */
void cleat_list_meta_write(const struct cleat_list_meta *meta, struct cleat_buffer *buffer);
/** Reads the metadata of @list (the list object); what isn't there is empty, remaining then -1. */
void cleat_list_meta_read(struct cleat_value list, struct cleat_list_meta_scratch *scratch,
                          struct cleat_list_meta *ret);

/* Types of watch events. */
enum cleat_watch_type {
    CLEAT_WATCH_ADDED,
    CLEAT_WATCH_MODIFIED,
    CLEAT_WATCH_DELETED,
    CLEAT_WATCH_BOOKMARK,
    CLEAT_WATCH_ERROR,
};

/** "ADDED", …; static. */
const char *cleat_watch_type_name(enum cleat_watch_type type);
/** -EINVAL for an unknown type: a decode error. */
int cleat_watch_type_parse(struct cleat_str text, enum cleat_watch_type *ret,
                           struct cleat_err *err) CLEAT_MUST_CHECK;

/** "application/json-patch+json", …; @type is an enum cleat_patch_type of cleat/client.h. Static.
 */
const char *cleat_patch_type_content(int type);

/** True for decimal digits without a leading zero ("0" isn't one): such versions can be compared.
 */
bool cleat_resource_version_is_valid(struct cleat_str version);
/** <0, 0 or >0 in @ret; -EINVAL where one of them can't be compared. Source: apimachinery's
 * resourceversion helper. */
int cleat_resource_version_compare(struct cleat_str a, struct cleat_str b,
                                   int *ret) CLEAT_MUST_CHECK;

#endif
