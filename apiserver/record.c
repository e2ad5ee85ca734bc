/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/record.h"

#include <cleat/gvk.h>
#include <cleat/write.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/mem.h"

/* Metadata in the order in which Kubernetes writes it; others follow. */
static const char *const record_before[] = {"name", "generateName", "namespace", "uid"};
static const char *const record_after[] = {
    "generation",   "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
    "labels",       "annotations",       "ownerReferences",   "finalizers",
    "managedFields"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool record_listed(struct cleat_str key, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cleat_str_is(key, names[i]))
            return true;
    return false;
}

static int record_member(struct cleat_buffer *tail, const char **separator, struct cleat_str key,
                         struct cleat_value value, struct cleat_err *err)
{
    if (!cleat_value_is_present(value))
        return 0;
    cleat_buffer_text(tail, *separator);
    *separator = ",";
    cleat_write_string(tail, key);
    cleat_buffer_byte(tail, ':');
    return cleat_write_json(tail, value, err);
}

static int record_members(struct cleat_buffer *tail, const char **separator,
                          struct cleat_value metadata, const char *const *names, size_t count,
                          struct cleat_err *err)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = record_member(tail, separator, cleat_str_of(names[i]),
                               cleat_value_get(metadata, names[i]), err);
    return result;
}

static int record_rest(struct cleat_buffer *tail, const char **separator,
                       struct cleat_value metadata, struct cleat_err *err)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < cleat_value_count(metadata); i++) {
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(metadata, i, &key);
        if (!cleat_str_is(key, "resourceVersion") && !cleat_str_is(key, "selfLink") &&
            !record_listed(key, record_before, COUNT(record_before)) &&
            !record_listed(key, record_after, COUNT(record_after)))
            result = record_member(tail, separator, key, value, err);
    }
    return result;
}

/* "metadata":{…,"resourceVersion":"0",…} */
static int record_write_metadata(struct cleat_api_record *record, struct cleat_value metadata,
                                 struct cleat_buffer *tail, struct cleat_err *err)
{
    const char *separator = "";
    cleat_buffer_text(tail, "\"metadata\":{");
    int result =
        record_members(tail, &separator, metadata, record_before, COUNT(record_before), err);
    cleat_buffer_text(tail, separator);
    cleat_buffer_text(tail, "\"resourceVersion\":\"");
    record->version_at = tail->length;
    record->version_length = 1;
    cleat_buffer_text(tail, "0\"");
    separator = ",";
    if (result == 0)
        result = record_members(tail, &separator, metadata, record_after, COUNT(record_after), err);
    if (result == 0)
        result = record_rest(tail, &separator, metadata, err);
    cleat_buffer_byte(tail, '}');
    record->meta_length = tail->length;
    return result;
}

static int record_write_tail(struct cleat_api_record *record, struct cleat_value root,
                             struct cleat_err *err)
{
    struct cleat_buffer tail = CLEAT_BUFFER_INIT(CLEAT_DOCUMENT_BYTES_MAX);
    int result = record_write_metadata(record, cleat_value_get(root, "metadata"), &tail, err);
    const char *separator = ",";
    for (size_t i = 0; result == 0 && i < cleat_value_count(root); i++) {
        struct cleat_str key;
        struct cleat_value value = cleat_value_member(root, i, &key);
        if (!cleat_str_is(key, "metadata") && !cleat_str_is(key, "apiVersion") &&
            !cleat_str_is(key, "kind"))
            result = record_member(&tail, &separator, key, value, err);
    }
    cleat_buffer_byte(&tail, '}');
    if (result == 0 && tail.failed)
        result = cleat_err_set(err, tail.failed, "the object can't be written");
    if (result == 0) {
        record->tail_length = tail.length;
        record->tail = cleat_buffer_take(&tail);
    }
    cleat_buffer_fini(&tail);
    return result;
}

static int record_set_key(struct cleat_api_record *record, struct cleat_value metadata,
                          struct cleat_err *err)
{
    struct cleat_scratch name_scratch;
    struct cleat_scratch namespace_scratch;
    struct cleat_str name = cleat_value_text(cleat_value_get(metadata, "name"), &name_scratch);
    struct cleat_str namespace_ =
        cleat_value_text(cleat_value_get(metadata, "namespace"), &namespace_scratch);
    if (!name.length || memchr(name.data, 0, name.length) ||
        (namespace_.length && memchr(namespace_.data, 0, namespace_.length)))
        return cleat_err_set(err, -EINVAL, "the object has no name");
    record->key = namespace_.length ? cleat_mem_format("%.*s/%.*s", CLEAT_STR_ARG(namespace_),
                                                       CLEAT_STR_ARG(name))
                                    : cleat_mem_strndup(name.data, name.length);
    if (!record->key)
        return cleat_err_set(err, -ENOMEM, "no memory for an object");
    record->namespace_ = (struct cleat_str){record->key, namespace_.length};
    record->name = (struct cleat_str){record->key + (namespace_.length ? namespace_.length + 1 : 0),
                                      name.length};
    return 0;
}

static int record_fill(struct cleat_api_record *record, struct cleat_value root, bool keep_document,
                       struct cleat_err *err)
{
    struct cleat_value metadata = cleat_value_get(root, "metadata");
    int result = record_set_key(record, metadata, err);
    if (result != 0)
        return result;
    struct cleat_scratch scratch;
    struct cleat_str uid = cleat_value_text(cleat_value_get(metadata, "uid"), &scratch);
    snprintf(record->uid, sizeof(record->uid), "%.*s", CLEAT_STR_ARG(uid));
    struct cleat_value deleted = cleat_value_get(metadata, "deletionTimestamp");
    record->deleting = cleat_value_type(deleted) == CLEAT_TYPE_STRING;
    record->owned = cleat_value_count(cleat_value_get(metadata, "ownerReferences")) > 0;
    result = record_write_tail(record, root, err);
    if (result == 0 && keep_document)
        result = cleat_document_copy(root, &record->document, err);
    return result;
}

int cleat_api_record_new(struct cleat_value root, bool keep_document, struct cleat_api_record **ret,
                         struct cleat_err *err)
{
    struct cleat_api_record *record = cleat_mem_zalloc(1, sizeof(*record));
    if (!record)
        return cleat_err_set(err, -ENOMEM, "no memory for an object");
    atomic_init(&record->refs, 1);
    int result = record_fill(record, root, keep_document, err);
    if (result != 0) {
        (void)cleat_api_record_unref(record);
        return result;
    }
    *ret = record;
    return 0;
}

int cleat_api_record_of(struct cleat_document *document, struct cleat_api_record **ret,
                        struct cleat_err *err)
{
    struct cleat_api_record *record = NULL;
    int result = cleat_api_record_new(cleat_document_root(document), false, &record, err);
    if (result != 0)
        return result;
    record->document = cleat_document_ref(document);
    *ret = record;
    return 0;
}

/* The tail of @record with other digits. */
static char *record_tail_at(const struct cleat_api_record *record, const char *digits,
                            size_t length)
{
    size_t rest_at = record->version_at + record->version_length;
    size_t rest = record->tail_length - rest_at;
    char *tail = cleat_mem_alloc(record->version_at + length + rest + 1);
    if (!tail)
        return NULL;
    memcpy(tail, record->tail, record->version_at);
    memcpy(tail + record->version_at, digits, length);
    memcpy(tail + record->version_at + length, record->tail + rest_at, rest);
    tail[record->version_at + length + rest] = 0;
    return tail;
}

int cleat_api_record_at(const struct cleat_api_record *record, uint64_t version,
                        struct cleat_api_record **ret)
{
    char digits[24];
    size_t length = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, version);
    struct cleat_api_record *copy = cleat_mem_zalloc(1, sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    atomic_init(&copy->refs, 1);
    copy->version = version;
    copy->deleting = record->deleting;
    copy->owned = record->owned;
    copy->version_at = record->version_at;
    memcpy(copy->uid, record->uid, sizeof(copy->uid));
    copy->document = record->document ? cleat_document_ref(record->document) : NULL;
    copy->key = cleat_mem_strdup(record->key);
    copy->tail = record_tail_at(record, digits, length);
    if (!copy->key || !copy->tail) {
        (void)cleat_api_record_unref(copy);
        return -ENOMEM;
    }
    copy->namespace_ = (struct cleat_str){copy->key, record->namespace_.length};
    copy->name =
        (struct cleat_str){copy->key + (record->name.data - record->key), record->name.length};
    copy->version_length = length;
    copy->tail_length = record->tail_length - record->version_length + length;
    copy->meta_length = record->meta_length - record->version_length + length;
    *ret = copy;
    return 0;
}

struct cleat_api_record *cleat_api_record_ref(struct cleat_api_record *record)
{
    atomic_fetch_add_explicit(&record->refs, 1, memory_order_relaxed);
    return record;
}

struct cleat_api_record *cleat_api_record_unref(struct cleat_api_record *record)
{
    if (!record || atomic_fetch_sub_explicit(&record->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    (void)cleat_document_unref(record->document);
    cleat_mem_free(record->key);
    cleat_mem_free(record->tail);
    return cleat_mem_free(record);
}

void cleat_api_record_write(const struct cleat_api_record *record, const char *api_version,
                            const char *kind, struct cleat_buffer *buffer)
{
    cleat_buffer_text(buffer, "{\"kind\":");
    cleat_write_string(buffer, cleat_str_of(kind));
    cleat_buffer_text(buffer, ",\"apiVersion\":");
    cleat_write_string(buffer, cleat_str_of(api_version));
    cleat_buffer_byte(buffer, ',');
    cleat_buffer_append(buffer, record->tail, record->tail_length);
}

int cleat_api_record_whole(const struct cleat_api_record *record, const char *api_version,
                           const char *kind, struct cleat_document **ret, struct cleat_err *err)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_DOCUMENT_BYTES_MAX);
    cleat_api_record_write(record, api_version, kind, &buffer);
    int result = buffer.failed ? cleat_err_set(err, buffer.failed, "the object can't be written")
                               : cleat_document_parse(cleat_buffer_view(&buffer), ret, err);
    cleat_buffer_fini(&buffer);
    return result;
}

int cleat_api_record_document(const struct cleat_api_record *record, struct cleat_document **ret,
                              struct cleat_err *err)
{
    if (!record->document)
        return cleat_api_record_whole(record, "", "", ret, err);
    *ret = cleat_document_ref(record->document);
    return 0;
}

int cleat_api_record_metadata(const struct cleat_api_record *record, struct cleat_document **ret,
                              struct cleat_err *err)
{
    if (record->document) {
        *ret = cleat_document_ref(record->document);
        return 0;
    }
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(CLEAT_DOCUMENT_BYTES_MAX);
    cleat_buffer_byte(&buffer, '{');
    cleat_buffer_append(&buffer, record->tail, record->meta_length);
    cleat_buffer_byte(&buffer, '}');
    int result = buffer.failed ? cleat_err_set(err, buffer.failed, "the object can't be written")
                               : cleat_document_parse(cleat_buffer_view(&buffer), ret, err);
    cleat_buffer_fini(&buffer);
    return result;
}
