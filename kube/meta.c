/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/meta.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <cleat/call.h>
#include <cleat/write.h>

#include "base/utf8.h"

#define META_FIELD_MANAGER_BYTES_MAX 128

/* Reading parameters */

/* A whole number that isn't negative; absent or empty leaves @ret. */
static int meta_read_int(const struct cleat_query *query, const char *name, int64_t *ret,
                         struct cleat_err *err)
{
    struct cleat_str text = cleat_query_get(query, name);
    int64_t number = 0;
    if (text.length == 0)
        return 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c < '0' || c > '9' || number > (INT64_MAX - 9) / 10)
            return cleat_err_set(err, -EINVAL, "%s: \"%.*s\" isn't a whole number from 0", name,
                                 CLEAT_STR_ARG(text));
        number = number * 10 + (c - '0');
    }
    *ret = number;
    return 0;
}

/* A boolean as the API server reads one: "false" and "0" are false, anything else that is there is
 * true. */
static bool meta_read_bool(const struct cleat_query *query, const char *name, bool *ret_set)
{
    struct cleat_str text = cleat_query_get(query, name);
    if (ret_set)
        *ret_set = text.data != NULL;
    return text.data && !cleat_str_is(text, "false") && !cleat_str_is(text, "0");
}

/* One of the texts, or empty. */
static int meta_check_choice(struct cleat_str text, const char *name, const char *const *choices,
                             struct cleat_err *err)
{
    if (text.length == 0)
        return 0;
    for (size_t i = 0; choices[i]; i++)
        if (cleat_str_is(text, choices[i]))
            return 0;
    return cleat_err_set(err, -EINVAL, "%s: \"%.*s\" isn't supported", name, CLEAT_STR_ARG(text));
}

/* dryRun may be given more than once; All is the only value. */
static int meta_read_dry_run(const struct cleat_query *query, bool *ret, struct cleat_err *err)
{
    for (size_t i = 0; i < query->count; i++) {
        if (!cleat_str_is(query->parameters[i].name, "dryRun"))
            continue;
        struct cleat_str value = query->parameters[i].value;
        if (!cleat_str_is(value, "All"))
            return cleat_err_set(err, -EINVAL, "dryRun: \"%.*s\" isn't supported, only All",
                                 CLEAT_STR_ARG(value));
        *ret = true;
    }
    return 0;
}

/* Writing parameters */

static void meta_add_str(struct cleat_buffer *buffer, bool *first, const char *name,
                         struct cleat_str value)
{
    if (value.length > 0)
        cleat_query_add(buffer, first, name, value);
}

static void meta_add_int(struct cleat_buffer *buffer, bool *first, const char *name, int64_t value)
{
    char text[24];
    if (value <= 0)
        return;
    snprintf(text, sizeof(text), "%" PRId64, value);
    cleat_query_add(buffer, first, name, cleat_str_of(text));
}

static void meta_add_bool(struct cleat_buffer *buffer, bool *first, const char *name, bool set,
                          bool value)
{
    if (set)
        cleat_query_add(buffer, first, name, value ? CLEAT_STR("true") : CLEAT_STR("false"));
}

/* ListOptions */

void cleat_list_options_write(const struct cleat_list_options *options, struct cleat_buffer *buffer,
                              bool *first)
{
    meta_add_str(buffer, first, "labelSelector", options->label_selector);
    meta_add_str(buffer, first, "fieldSelector", options->field_selector);
    meta_add_bool(buffer, first, "watch", options->watch, true);
    meta_add_bool(buffer, first, "allowWatchBookmarks", options->allow_watch_bookmarks, true);
    meta_add_bool(buffer, first, "sendInitialEvents", options->set_send_initial_events,
                  options->send_initial_events);
    meta_add_str(buffer, first, "resourceVersion", options->resource_version);
    meta_add_str(buffer, first, "resourceVersionMatch", options->resource_version_match);
    meta_add_int(buffer, first, "timeoutSeconds", options->timeout_s);
    meta_add_int(buffer, first, "limit", options->limit);
    meta_add_str(buffer, first, "continue", options->continue_);
}

/* What the API server's validation of ListOptions demands. */
static int meta_check_list(const struct cleat_list_options *options, struct cleat_err *err)
{
    static const char *const matches[] = {"Exact", "NotOlderThan", NULL};
    struct cleat_str match = options->resource_version_match;
    int r = meta_check_choice(match, "resourceVersionMatch", matches, err);
    if (r < 0)
        return r;
    if (options->watch && options->set_send_initial_events) {
        if (!cleat_str_is(match, "NotOlderThan"))
            return cleat_err_set(err, -EINVAL,
                                 "sendInitialEvents needs resourceVersionMatch NotOlderThan");
        if (options->send_initial_events && !options->allow_watch_bookmarks)
            return cleat_err_set(err, -EINVAL, "sendInitialEvents needs allowWatchBookmarks");
        return 0;
    }
    if (options->set_send_initial_events)
        return cleat_err_set(err, -EINVAL, "sendInitialEvents is for watches only");
    if (match.length == 0)
        return 0;
    if (options->watch)
        return cleat_err_set(err, -EINVAL,
                             "resourceVersionMatch is for watches with sendInitialEvents only");
    if (options->resource_version.length == 0)
        return cleat_err_set(err, -EINVAL, "resourceVersionMatch needs resourceVersion");
    if (options->continue_.length > 0)
        return cleat_err_set(err, -EINVAL, "resourceVersionMatch can't go with continue");
    if (cleat_str_is(match, "Exact") && cleat_str_is(options->resource_version, "0"))
        return cleat_err_set(err, -EINVAL, "resourceVersionMatch Exact can't go with version 0");
    return 0;
}

int cleat_list_options_read(const struct cleat_query *query, struct cleat_list_options *ret,
                            struct cleat_err *err)
{
    struct cleat_list_options options = {
        .label_selector = cleat_query_get(query, "labelSelector"),
        .field_selector = cleat_query_get(query, "fieldSelector"),
        .resource_version = cleat_query_get(query, "resourceVersion"),
        .resource_version_match = cleat_query_get(query, "resourceVersionMatch"),
        .continue_ = cleat_query_get(query, "continue"),
        .watch = meta_read_bool(query, "watch", NULL),
        .allow_watch_bookmarks = meta_read_bool(query, "allowWatchBookmarks", NULL),
    };
    options.send_initial_events =
        meta_read_bool(query, "sendInitialEvents", &options.set_send_initial_events);
    int r = meta_read_int(query, "limit", &options.limit, err);
    if (r == 0)
        r = meta_read_int(query, "timeoutSeconds", &options.timeout_s, err);
    if (r == 0)
        r = meta_check_list(&options, err);
    if (r == 0)
        *ret = options;
    return r;
}

/* Options of writes */

void cleat_write_options_write(const struct cleat_write_options *options,
                               struct cleat_buffer *buffer, bool *first)
{
    meta_add_str(buffer, first, "fieldManager", options->field_manager);
    meta_add_str(buffer, first, "fieldValidation", options->field_validation);
    meta_add_str(buffer, first, "dryRun", options->dry_run ? CLEAT_STR("All") : CLEAT_STR(""));
    meta_add_bool(buffer, first, "force", options->set_force, options->force);
}

static int meta_check_manager(struct cleat_str manager, struct cleat_err *err)
{
    if (manager.length > META_FIELD_MANAGER_BYTES_MAX)
        return cleat_err_set(err, -EINVAL, "fieldManager has more than %d bytes",
                             META_FIELD_MANAGER_BYTES_MAX);
    for (size_t at = 0; at < manager.length;) {
        char escaped[8];
        size_t covered = cleat_utf8_escape(manager.data + at, manager.length - at, escaped);
        if (escaped[0])
            return cleat_err_set(err, -EINVAL, "fieldManager holds what can't be printed");
        at += covered;
    }
    return 0;
}

int cleat_write_options_read(const struct cleat_query *query, struct cleat_write_options *ret,
                             struct cleat_err *err)
{
    static const char *const validations[] = {"Ignore", "Warn", "Strict", NULL};
    struct cleat_write_options options = {
        .field_manager = cleat_query_get(query, "fieldManager"),
        .field_validation = cleat_query_get(query, "fieldValidation"),
    };
    options.force = meta_read_bool(query, "force", &options.set_force);
    int r = meta_check_choice(options.field_validation, "fieldValidation", validations, err);
    if (r == 0)
        r = meta_check_manager(options.field_manager, err);
    if (r == 0)
        r = meta_read_dry_run(query, &options.dry_run, err);
    if (r == 0)
        *ret = options;
    return r;
}

/* DeleteOptions */

static void meta_write_member(struct cleat_buffer *buffer, const char *lead, const char *name,
                              struct cleat_str value)
{
    if (value.length == 0)
        return;
    cleat_buffer_format(buffer, "%s\"%s\":", lead, name);
    cleat_write_string(buffer, value);
}

int cleat_delete_options_write(const struct cleat_delete_options *options,
                               struct cleat_buffer *buffer)
{
    cleat_buffer_text(buffer, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\"");
    if (options->set_grace_period)
        cleat_buffer_format(buffer, ",\"gracePeriodSeconds\":%" PRId64, options->grace_period_s);
    if (options->uid.length || options->resource_version.length) {
        cleat_buffer_text(buffer, ",\"preconditions\":{");
        meta_write_member(buffer, "", "uid", options->uid);
        meta_write_member(buffer, options->uid.length ? "," : "", "resourceVersion",
                          options->resource_version);
        cleat_buffer_byte(buffer, '}');
    }
    meta_write_member(buffer, ",", "propagationPolicy", options->propagation);
    if (options->dry_run)
        cleat_buffer_text(buffer, ",\"dryRun\":[\"All\"]");
    cleat_buffer_byte(buffer, '}');
    return buffer->failed;
}

static bool meta_is_set(struct cleat_value value)
{
    enum cleat_value_type type = cleat_value_type(value);
    return type != CLEAT_TYPE_ABSENT && type != CLEAT_TYPE_NULL;
}

/* A string member; absent or null is empty. */
static int meta_body_str(struct cleat_value value, const char *name, struct cleat_scratch *scratch,
                         struct cleat_str *ret, struct cleat_err *err)
{
    *ret = (struct cleat_str){NULL, 0};
    if (meta_is_set(value) && cleat_value_str(value, scratch, ret) != 0)
        return cleat_err_set(err, -EINVAL, "%s is no string", name);
    return 0;
}

static int meta_body_dry_run(struct cleat_value value, bool *ret, struct cleat_err *err)
{
    if (!meta_is_set(value))
        return 0;
    for (size_t i = 0; i < cleat_value_count(value); i++)
        if (!cleat_value_is(cleat_value_at(value, i), "All"))
            return cleat_err_set(err, -EINVAL, "dryRun: only All is supported");
    if (cleat_value_type(value) != CLEAT_TYPE_ARRAY)
        return cleat_err_set(err, -EINVAL, "dryRun is no array");
    *ret = cleat_value_count(value) > 0;
    return 0;
}

static int meta_body_grace(struct cleat_value value, struct cleat_delete_options *options,
                           struct cleat_err *err)
{
    if (!meta_is_set(value))
        return 0;
    if (cleat_value_int(value, &options->grace_period_s) != 0)
        return cleat_err_set(err, -EINVAL, "gracePeriodSeconds is no whole number");
    options->set_grace_period = true;
    return 0;
}

/* The old way to ask for a propagation; the new one wins nothing beside it: both are refused. */
static int meta_orphan(bool set, bool orphan, struct cleat_delete_options *options,
                       struct cleat_err *err)
{
    if (!set)
        return 0;
    if (options->propagation.length > 0)
        return cleat_err_set(err, -EINVAL,
                             "orphanDependents and propagationPolicy can't both be given");
    options->propagation = orphan ? CLEAT_STR("Orphan") : CLEAT_STR("Background");
    return 0;
}

static int meta_delete_body(struct cleat_value body, struct cleat_delete_options_scratch *scratch,
                            struct cleat_delete_options *options, struct cleat_err *err)
{
    struct cleat_value preconditions = cleat_value_get(body, "preconditions");
    struct cleat_value orphan = cleat_value_get(body, "orphanDependents");
    if (cleat_value_type(body) != CLEAT_TYPE_OBJECT)
        return cleat_err_set(err, -EINVAL, "DeleteOptions is no object");
    int r = meta_body_grace(cleat_value_get(body, "gracePeriodSeconds"), options, err);
    if (r == 0)
        r = meta_body_str(cleat_value_get(preconditions, "uid"), "preconditions.uid", &scratch->uid,
                          &options->uid, err);
    if (r == 0)
        r = meta_body_str(cleat_value_get(preconditions, "resourceVersion"),
                          "preconditions.resourceVersion", &scratch->resource_version,
                          &options->resource_version, err);
    if (r == 0)
        r = meta_body_str(cleat_value_get(body, "propagationPolicy"), "propagationPolicy",
                          &scratch->propagation, &options->propagation, err);
    if (r == 0)
        r = meta_body_dry_run(cleat_value_get(body, "dryRun"), &options->dry_run, err);
    if (r == 0)
        r = meta_orphan(meta_is_set(orphan), cleat_value_is_true(orphan), options, err);
    return r;
}

static int meta_delete_query(const struct cleat_query *query, struct cleat_delete_options *options,
                             struct cleat_err *err)
{
    bool set = false;
    int r = 0;
    struct cleat_str grace = cleat_query_get(query, "gracePeriodSeconds");
    if (!options->set_grace_period && grace.length > 0) {
        r = meta_read_int(query, "gracePeriodSeconds", &options->grace_period_s, err);
        options->set_grace_period = r == 0;
    }
    if (r == 0 && !options->dry_run)
        r = meta_read_dry_run(query, &options->dry_run, err);
    if (r < 0 || options->propagation.length > 0)
        return r;
    options->propagation = cleat_query_get(query, "propagationPolicy");
    bool orphan = meta_read_bool(query, "orphanDependents", &set);
    return meta_orphan(set, orphan, options, err);
}

int cleat_delete_options_read(struct cleat_value body, const struct cleat_query *query,
                              struct cleat_delete_options_scratch *scratch,
                              struct cleat_delete_options *ret, struct cleat_err *err)
{
    static const char *const policies[] = {"Orphan", "Background", "Foreground", NULL};
    struct cleat_delete_options options = {0};
    int r = 0;
    if (meta_is_set(body))
        r = meta_delete_body(body, scratch, &options, err);
    if (r == 0 && query)
        r = meta_delete_query(query, &options, err);
    if (r == 0)
        r = meta_check_choice(options.propagation, "propagationPolicy", policies, err);
    if (r == 0 && options.grace_period_s < 0)
        options.grace_period_s = 1; /* as the API server does: negative counts as 1 */
    if (r == 0)
        *ret = options;
    return r;
}

/* ListMeta */

void cleat_list_meta_write(const struct cleat_list_meta *meta, struct cleat_buffer *buffer)
{
    cleat_buffer_text(buffer, "{\"resourceVersion\":");
    cleat_write_string(buffer, meta->resource_version);
    meta_write_member(buffer, ",", "continue", meta->continue_);
    if (meta->remaining >= 0 && meta->continue_.length > 0)
        cleat_buffer_format(buffer, ",\"remainingItemCount\":%" PRId64, meta->remaining);
    cleat_buffer_byte(buffer, '}');
}

void cleat_list_meta_read(struct cleat_value list, struct cleat_list_meta_scratch *scratch,
                          struct cleat_list_meta *ret)
{
    struct cleat_value metadata = cleat_value_get(list, "metadata");
    ret->resource_version =
        cleat_value_text(cleat_value_get(metadata, "resourceVersion"), &scratch->resource_version);
    ret->continue_ = cleat_value_text(cleat_value_get(metadata, "continue"), &scratch->continue_);
    ret->remaining = cleat_value_int_or(cleat_value_get(metadata, "remainingItemCount"), -1);
}

/* Watch events, patches */

static const char *const watch_types[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};

const char *cleat_watch_type_name(enum cleat_watch_type type)
{
    return watch_types[type];
}

int cleat_watch_type_parse(struct cleat_str text, enum cleat_watch_type *ret, struct cleat_err *err)
{
    for (size_t i = 0; i < sizeof(watch_types) / sizeof(watch_types[0]); i++) {
        if (!cleat_str_is(text, watch_types[i]))
            continue;
        *ret = (enum cleat_watch_type)i;
        return 0;
    }
    return cleat_err_set(err, -EINVAL, "watch event of unknown type \"%.*s\"", CLEAT_STR_ARG(text));
}

const char *cleat_patch_type_content(int type)
{
    switch (type) {
    case CLEAT_PATCH_JSON: return "application/json-patch+json";
    case CLEAT_PATCH_STRATEGIC: return "application/strategic-merge-patch+json";
    case CLEAT_PATCH_APPLY: return "application/apply-patch+yaml";
    default: return "application/merge-patch+json";
    }
}

/* Resource versions */

bool cleat_resource_version_is_valid(struct cleat_str version)
{
    if (version.length == 0 || version.data[0] == '0')
        return false;
    for (size_t i = 0; i < version.length; i++)
        if (version.data[i] < '0' || version.data[i] > '9')
            return false;
    return true;
}

int cleat_resource_version_compare(struct cleat_str a, struct cleat_str b, int *ret)
{
    if (!cleat_resource_version_is_valid(a) || !cleat_resource_version_is_valid(b))
        return -EINVAL;
    if (a.length != b.length)
        *ret = a.length < b.length ? -1 : 1;
    else
        *ret = cleat_str_compare(a, b);
    return 0;
}
