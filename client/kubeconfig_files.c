/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kubeconfig_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "client/file.h"
#include "kube/base64.h"
#include "kube/yaml.h"

/* Buffers of these files hold secrets. */
static void kubeconfig_wipe(struct cleat_buffer *buffer)
{
    if (buffer->data)
        cleat_mem_wipe(buffer->data, buffer->capacity);
    cleat_buffer_fini(buffer);
}

static void kubeconfig_file_fini(struct kubeconfig_file *file)
{
    file->path = cleat_mem_free(file->path);
    file->document = cleat_document_unref(file->document);
    kubeconfig_wipe(&file->text);
}

void cleat__kubeconfig_files_fini(struct kubeconfig_files *files)
{
    while (files->count > 0)
        kubeconfig_file_fini(&files->files[--files->count]);
}

/* Checks that it is a Config of version v1 where it says what it is. */
static int kubeconfig_check_kind(const struct kubeconfig_file *file, struct cleat_err *err)
{
    static const char *const wanted[][2] = {{"apiVersion", "v1"}, {"kind", "Config"}};
    struct cleat_value root = cleat_document_root(file->document);
    if (cleat_value_type(root) != CLEAT_TYPE_OBJECT)
        return cleat_err_set(err, -EINVAL, "%s: is no kubeconfig", file->path);
    for (size_t i = 0; i < 2; i++) {
        struct cleat_value value = cleat_value_get(root, wanted[i][0]);
        if (cleat_value_is_present(value) && !cleat_value_is(value, wanted[i][1]))
            return cleat_err_set(err, -EINVAL, "%s:%d: %s must be %s", file->path,
                                 cleat_yaml_line(cleat_buffer_view(&file->text), wanted[i][0]),
                                 wanted[i][0], wanted[i][1]);
    }
    return 0;
}

static int kubeconfig_file_parse(struct kubeconfig_file *file, struct cleat_err *err)
{
    int r = cleat_yaml_parse(cleat_buffer_view(&file->text), &file->document, err);
    if (r < 0) {
        cleat_err_prefix(err, "%s", file->path);
        return r;
    }
    return kubeconfig_check_kind(file, err);
}

int cleat__kubeconfig_files_add(struct kubeconfig_files *files, const char *path, bool may_lack,
                                struct cleat_err *err)
{
    struct cleat_err own = CLEAT_ERR_INIT;
    if (files->count == CLEAT_KUBECONFIG_FILES_MAX)
        return cleat_err_set(err, -E2BIG, "KUBECONFIG names more than %d files",
                             CLEAT_KUBECONFIG_FILES_MAX);
    struct kubeconfig_file *file = &files->files[files->count];
    *file = (struct kubeconfig_file){.text = CLEAT_BUFFER_INIT(CLEAT_YAML_BYTES_MAX)};
    file->path = cleat_mem_strdup(path);
    int r = file->path ? cleat_file_read(path, true, &file->text, &own) : -ENOMEM;
    if (r < 0) {
        kubeconfig_file_fini(file);
        if (r == -ENOENT && may_lack)
            return 0;
        return cleat_err_set(err, r, "kubeconfig %s", r == -ENOMEM ? path : own.text);
    }
    files->count++;
    return kubeconfig_file_parse(file, err);
}

struct cleat_str cleat__kubeconfig_current(const struct kubeconfig_files *files,
                                           struct cleat_scratch *scratch)
{
    for (size_t i = 0; i < files->count; i++) {
        struct cleat_value root = cleat_document_root(files->files[i].document);
        struct cleat_str current =
            cleat_value_text(cleat_value_get(root, "current-context"), scratch);
        if (current.length > 0)
            return current;
    }
    return CLEAT_STR("");
}

/* All paths, for complaints. */
static void kubeconfig_names(const struct kubeconfig_files *files, char *text, size_t room)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < files->count && used + 1 < room; i++)
        used +=
            (size_t)snprintf(text + used, room - used, "%s%s", i ? ", " : "", files->files[i].path);
}

/* Finds @name in one file. 0, 1 where it isn't there, or -EINVAL where it is there twice. */
static int kubeconfig_find_in(const struct kubeconfig_file *file, struct kubeconfig_entry *ret,
                              struct cleat_err *err)
{
    struct cleat_value list = cleat_value_get(cleat_document_root(file->document), ret->list);
    bool found = false;
    for (size_t i = 0; i < cleat_value_count(list); i++) {
        struct cleat_value element = cleat_value_at(list, i);
        if (!cleat_value_is(cleat_value_get(element, "name"), ret->name))
            continue;
        ret->file = file;
        ret->index = i;
        if (found)
            return cleat__kubeconfig_fail(ret, NULL, -EINVAL, "the name is there twice", err);
        ret->value = cleat_value_get(element, ret->member);
        found = true;
    }
    return !found;
}

int cleat__kubeconfig_find(const struct kubeconfig_files *files, const char *list,
                           const char *member, const char *name, struct kubeconfig_entry *ret,
                           struct cleat_err *err)
{
    char names[256];
    struct kubeconfig_entry entry = {.list = list, .member = member, .name = name};
    for (size_t i = 0; i < files->count; i++) {
        int r = kubeconfig_find_in(&files->files[i], &entry, err);
        if (r > 0)
            continue;
        if (r == 0)
            *ret = entry;
        return r;
    }
    kubeconfig_names(files, names, sizeof(names));
    return cleat_err_set(err, -ENOENT, "%s: there is no %s \"%s\" in %s", names, member, name,
                         list);
}

int cleat__kubeconfig_fail(const struct kubeconfig_entry *entry, const char *key, int code,
                           const char *text, struct cleat_err *err)
{
    char path[160];
    int length = snprintf(path, sizeof(path), "%s[%zu]", entry->list, entry->index);
    if (key)
        snprintf(path + length, sizeof(path) - (size_t)length, ".%s[\"%s\"]", entry->member, key);
    int line = cleat_yaml_line(cleat_buffer_view(&entry->file->text), path);
    return cleat_err_set(err, code, "%s:%d: %s \"%s\"%s%s: %s", entry->file->path, line,
                         entry->member, entry->name, key ? ": " : "", key ? key : "", text);
}

/* The value of @key, or absent; null counts as absent. -EINVAL for another type. */
static int kubeconfig_get(const struct kubeconfig_entry *entry, const char *key,
                          enum cleat_value_type type, struct cleat_value *ret,
                          struct cleat_err *err)
{
    struct cleat_value value = cleat_value_get(entry->value, key);
    enum cleat_value_type found = cleat_value_type(value);
    *ret = CLEAT_VALUE_NONE;
    if (found == CLEAT_TYPE_ABSENT || found == CLEAT_TYPE_NULL)
        return 0;
    *ret = value;
    if (found == type)
        return 0;
    char text[64];
    snprintf(text, sizeof(text), "is %s instead of %s", cleat_value_type_name(found),
             cleat_value_type_name(type));
    return cleat__kubeconfig_fail(entry, key, -EINVAL, text, err);
}

int cleat__kubeconfig_text(const struct kubeconfig_entry *entry, const char *key, char **field,
                           struct cleat_err *err)
{
    struct cleat_scratch scratch;
    struct cleat_value value = CLEAT_VALUE_NONE;
    int r = kubeconfig_get(entry, key, CLEAT_TYPE_STRING, &value, err);
    struct cleat_str text = cleat_value_text(value, &scratch);
    if (r < 0 || text.length == 0)
        return r;
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 127)
            return cleat__kubeconfig_fail(entry, key, -EINVAL, "holds a control character", err);
    *field = cleat_mem_strndup(text.data, text.length);
    return *field ? 0 : cleat_err_set(err, -ENOMEM, "out of memory");
}

int cleat__kubeconfig_bool(const struct kubeconfig_entry *entry, const char *key, bool *ret,
                           struct cleat_err *err)
{
    struct cleat_value value = CLEAT_VALUE_NONE;
    int r = kubeconfig_get(entry, key, CLEAT_TYPE_BOOL, &value, err);
    if (r == 0)
        *ret = cleat_value_is_true(value);
    return r;
}

char *cleat__kubeconfig_resolve(const struct kubeconfig_entry *entry, const char *path)
{
    const char *slash = strrchr(entry->file->path, '/');
    if (path[0] == '/' || !slash)
        return cleat_mem_strdup(path);
    return cleat_mem_format("%.*s/%s", (int)(slash - entry->file->path), entry->file->path, path);
}

int cleat__kubeconfig_path(const struct kubeconfig_entry *entry, const char *key, char **field,
                           struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_mem_freep) char *text = NULL;
    int r = cleat__kubeconfig_text(entry, key, &text, err);
    if (r < 0 || !text)
        return r;
    *field = cleat__kubeconfig_resolve(entry, text);
    return *field ? 0 : cleat_err_set(err, -ENOMEM, "out of memory");
}

int cleat__kubeconfig_data(const struct kubeconfig_entry *entry, const char *key, char **field,
                           struct cleat_err *err)
{
    struct cleat_buffer bytes = CLEAT_BUFFER_INIT(CLEAT_YAML_BYTES_MAX);
    struct cleat_err own = CLEAT_ERR_INIT;
    CLEAT_CLEANUP(cleat_mem_freep) char *text = NULL;
    int r = cleat__kubeconfig_text(entry, key, &text, err);
    if (r < 0 || !text)
        return r;
    r = cleat_base64_decode(&bytes, cleat_str_of(text), &own);
    if (r == -EINVAL)
        r = cleat__kubeconfig_fail(entry, key, r, own.text, err);
    else if (r < 0)
        r = cleat_err_set(err, r, "out of memory");
    else if (bytes.length == 0 || memchr(bytes.data, '\0', bytes.length))
        r = cleat__kubeconfig_fail(entry, key, -EINVAL, "holds no text", err);
    if (r == 0)
        *field = cleat_buffer_take(&bytes);
    cleat_mem_wipe(text, strlen(text));
    kubeconfig_wipe(&bytes);
    return r;
}

/* Blanks and line ends around a token are no part of it. */
static void kubeconfig_trim(struct cleat_str *text)
{
    while (text->length > 0 && strchr(" \t\r\n", text->data[text->length - 1]))
        text->length--;
    while (text->length > 0 && strchr(" \t\r\n", text->data[0])) {
        text->data++;
        text->length--;
    }
}

int cleat__kubeconfig_slurp(const char *path, bool trim, char **field, struct cleat_err *err)
{
    struct cleat_buffer bytes = CLEAT_BUFFER_INIT(CLEAT_YAML_BYTES_MAX);
    int r = cleat_file_read(path, false, &bytes, err);
    struct cleat_str text = cleat_buffer_view(&bytes);
    if (r == 0 && text.length > 0 && memchr(text.data, '\0', text.length))
        r = cleat_err_set(err, -EINVAL, "%s: is no text", path);
    if (r == 0 && trim)
        kubeconfig_trim(&text);
    if (r == 0 && text.length == 0)
        r = cleat_err_set(err, -EINVAL, "%s: is empty", path);
    for (size_t i = 0; r == 0 && trim && i < text.length; i++)
        if ((unsigned char)text.data[i] <= ' ' || (unsigned char)text.data[i] >= 127)
            r = cleat_err_set(err, -EINVAL, "%s: holds no token", path);
    if (r == 0) {
        *field = cleat_mem_strndup(text.data, text.length);
        r = *field ? 0 : cleat_err_set(err, -ENOMEM, "out of memory");
    }
    kubeconfig_wipe(&bytes);
    return r;
}
