/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cleat/quantity.h>
#include <cleat/time.h>
#include "base/limits.h"
#include "base/mem.h"
#include "client/file.h"
#include "kube/yaml.h"
#include "server/flags.h"

#define FLAG_KEY_BYTES 64
#define FLAG_LIST_MAX 256

static void *flag_place(const struct cleat_flag *flag, void *options)
{
    return (char *)options + flag->offset;
}

static char **list_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        cleat_mem_free(list[i]);
    return cleat_mem_free(list);
}

static int flag_set_text(const struct cleat_flag *flag, const char *text, void *options)
{
    char **place = flag_place(flag, options);
    char *copy = cleat_mem_strdup(text);
    if (!copy)
        return -ENOMEM;
    cleat_mem_free(*place);
    *place = copy;
    return 0;
}

static size_t list_count(char *const *list)
{
    size_t count = 0;
    while (list && list[count])
        count++;
    return count;
}

static int list_add(char ***list, const char *text, size_t length)
{
    size_t count = list_count(*list);
    if (count == FLAG_LIST_MAX)
        return -E2BIG;
    char **grown = cleat_mem_realloc(*list, (count + 2) * sizeof(char *));
    if (!grown)
        return -ENOMEM;
    *list = grown;
    grown[count] = cleat_mem_strndup(text, length);
    grown[count + 1] = NULL;
    return grown[count] ? 0 : -ENOMEM;
}

/* Appends the parts between commas, trimmed; empty ones don't count. */
static int flag_set_list(const struct cleat_flag *flag, const char *text, void *options)
{
    char ***place = flag_place(flag, options);
    int r = 0;
    while (r == 0 && *text) {
        size_t length = strcspn(text, ",");
        const char *start = text;
        text += length + (text[length] == ',');
        while (length > 0 && isspace((unsigned char)*start))
            start++, length--;
        while (length > 0 && isspace((unsigned char)start[length - 1]))
            length--;
        if (length > 0)
            r = list_add(place, start, length);
    }
    return r;
}

static int flag_set_bool(const struct cleat_flag *flag, const char *text, void *options)
{
    bool *place = flag_place(flag, options);
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return -EINVAL;
    *place = text[0] == 't';
    return 0;
}

static int flag_set_number(const struct cleat_flag *flag, const char *text, void *options)
{
    int64_t *place = flag_place(flag, options);
    int64_t number = 0;
    if (!*text)
        return -EINVAL;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text) || number > (INT64_MAX - 9) / 10)
            return -EINVAL;
        number = number * 10 + (*text - '0');
    }
    *place = number;
    return 0;
}

static int flag_set_bytes(const struct cleat_flag *flag, const char *text, void *options)
{
    int64_t *place = flag_place(flag, options);
    struct cleat_quantity quantity;
    if (cleat_quantity_parse(cleat_str_of(text), &quantity, NULL) < 0)
        return -EINVAL;
    __extension__ __int128 whole = quantity.nano / 1000000000;
    if (quantity.nano < 0 || quantity.nano % 1000000000 != 0 || whole > INT64_MAX)
        return -EINVAL;
    *place = (int64_t)whole;
    return 0;
}

static int flag_set_duration(const struct cleat_flag *flag, const char *text, void *options)
{
    int64_t *place = flag_place(flag, options);
    int64_t ns = 0;
    if (cleat_duration_parse(cleat_str_of(text), &ns) < 0 || ns < 0)
        return -EINVAL;
    *place = ns / 1000000;
    return 0;
}

static bool flag_choice(const struct cleat_flag *flag, const char *text)
{
    for (size_t i = 0; flag->choices && flag->choices[i]; i++)
        if (strcmp(flag->choices[i], text) == 0)
            return true;
    return !flag->choices;
}

static int flag_set(const struct cleat_flag *flag, const char *text, void *options)
{
    if (!flag_choice(flag, text))
        return -EINVAL;
    switch (flag->type) {
    case CLEAT_FLAG_TEXT: return flag_set_text(flag, text, options);
    case CLEAT_FLAG_LIST: return flag_set_list(flag, text, options);
    case CLEAT_FLAG_BOOL: return flag_set_bool(flag, text, options);
    case CLEAT_FLAG_NUMBER: return flag_set_number(flag, text, options);
    case CLEAT_FLAG_BYTES: return flag_set_bytes(flag, text, options);
    case CLEAT_FLAG_DURATION: return flag_set_duration(flag, text, options);
    }
    return -EINVAL;
}

/* What a value of the flag must look like, for messages. */
static void flag_expected(const struct cleat_flag *flag, struct cleat_buffer *text)
{
    static const char *const expected[] = {"a text",
                                           "a list",
                                           "true or false",
                                           "a whole number",
                                           "a number of bytes as 16Mi",
                                           "a duration as 15s or 500ms"};
    if (!flag->choices)
        (void)cleat_buffer_text(text, expected[flag->type]); /* sticky */
    for (size_t i = 0; flag->choices && flag->choices[i]; i++)
        (void)cleat_buffer_format(text, "%s%s", i == 0 ? "" : " or ", flag->choices[i]);
}

static int flag_bad_value(const struct cleat_flag *flag, const char *where, const char *name,
                          const char *value, int code, struct cleat_err *err)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(256);
    if (code == -ENOMEM)
        return cleat_err_set(err, code, "out of memory");
    flag_expected(flag, &text);
    (void)cleat_err_set(err, -EINVAL, "%s%s: \"%s\" isn't %s", where, name, value,
                        text.data ? text.data : "valid"); /* the code is returned below */
    cleat_buffer_fini(&text);
    return -EINVAL;
}

int cleat_flags_init(const struct cleat_flag *flags, void *options)
{
    for (const struct cleat_flag *flag = flags; flag->name; flag++) {
        int r = flag->initial ? flag_set(flag, flag->initial, options) : 0;
        if (r < 0)
            return r;
        if (!flag->initial && flag->type == CLEAT_FLAG_DURATION)
            *(int64_t *)flag_place(flag, options) = CLEAT_FLAG_NOT_GIVEN;
    }
    return 0;
}

void cleat_flags_fini(const struct cleat_flag *flags, void *options)
{
    for (const struct cleat_flag *flag = flags; flag->name; flag++) {
        if (flag->type == CLEAT_FLAG_TEXT) {
            char **text = flag_place(flag, options);
            *text = cleat_mem_free(*text);
        } else if (flag->type == CLEAT_FLAG_LIST) {
            char ***list = flag_place(flag, options);
            *list = list_free(*list);
        }
    }
}

/* A list that is given anew begins empty, then grows with each repetition. */
static void flag_begin(const struct cleat_flag *flag, uint64_t given, size_t index, void *options)
{
    if (flag->type == CLEAT_FLAG_LIST && !(given & (UINT64_C(1) << index))) {
        char ***list = flag_place(flag, options);
        *list = list_free(*list);
    }
}

static const struct cleat_flag *flag_find(const struct cleat_flag *flags, const char *name,
                                          size_t length)
{
    for (const struct cleat_flag *flag = flags; flag->name; flag++)
        if (strlen(flag->name) == length && memcmp(flag->name, name, length) == 0)
            return flag;
    return NULL;
}

/* Reads the flag at argv[*at]; *at is left on the last argument that it took. */
static int flags_parse_one(const struct cleat_flag *flags, int argc, char **argv, int *at,
                           void *options, uint64_t *given, struct cleat_err *err)
{
    /* -o is kubectl's habit. */
    const char *argument = strcmp(argv[*at], "-o") == 0 ? "--output" : argv[*at];
    if (strncmp(argument, "--", 2) != 0 || argument[2] == '\0')
        return cleat_err_set(err, -EINVAL, "unexpected argument \"%s\"", argument);
    const char *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) - 2 : strlen(argument) - 2;
    const struct cleat_flag *flag = flag_find(flags, argument + 2, length);
    if (!flag)
        return cleat_err_set(err, -EINVAL, "unknown flag --%.*s", (int)length, argument + 2);
    const char *value = equals ? equals + 1 : NULL;
    if (!value && flag->type == CLEAT_FLAG_BOOL)
        value = "true";
    else if (!value && *at + 1 < argc)
        value = argv[++*at];
    if (!value)
        return cleat_err_set(err, -EINVAL, "--%s needs a value", flag->name);
    size_t index = (size_t)(flag - flags);
    flag_begin(flag, *given, index, options);
    int r = flag_set(flag, value, options);
    if (r < 0)
        return flag_bad_value(flag, "--", flag->name, value, r, err);
    *given |= UINT64_C(1) << index;
    return 0;
}

int cleat_flags_parse(const struct cleat_flag *flags, int argc, char **argv, void *options,
                      uint64_t *ret_given, struct cleat_err *err)
{
    int r = 0;
    uint64_t given = 0;
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return 1;
    for (int i = 0; r == 0 && i < argc; i++)
        r = flags_parse_one(flags, argc, argv, &i, options, &given, err);
    if (r == 0)
        *ret_given = given;
    return r;
}

/* "webhook-bind-address" is "webhookBindAddress" in the file. */
static void flag_key(const struct cleat_flag *flag, char key[FLAG_KEY_BYTES])
{
    size_t length = 0;
    for (const char *c = flag->name; *c && length < FLAG_KEY_BYTES - 1; c++) {
        bool upper = *c == '-' && c[1];
        c += upper;
        key[length++] = upper ? (char)toupper((unsigned char)*c) : *c;
    }
    key[length] = '\0';
}

static const struct cleat_flag *flag_find_key(const struct cleat_flag *flags, struct cleat_str key)
{
    char name[FLAG_KEY_BYTES];
    for (const struct cleat_flag *flag = flags; flag->name; flag++) {
        flag_key(flag, name);
        if (!flag->no_file && cleat_str_is(key, name))
            return flag;
    }
    return NULL;
}

static int flag_set_scalar(const struct cleat_flag *flag, struct cleat_value value, void *options)
{
    struct cleat_scratch scratch;
    struct cleat_str text;
    bool truth;
    switch (cleat_value_type(value)) {
    case CLEAT_TYPE_STRING:
        if (cleat_value_str(value, &scratch, &text) != 0 || flag->type == CLEAT_FLAG_BOOL)
            return -EINVAL;
        return flag_set(flag, text.data, options);
    case CLEAT_TYPE_NUMBER: {
        char number[64];
        if (cleat_value_number(value, &scratch, &text) != 0 || text.length >= sizeof(number))
            return -EINVAL;
        memcpy(number, text.data, text.length);
        number[text.length] = '\0';
        return flag->type == CLEAT_FLAG_TEXT ? -EINVAL : flag_set(flag, number, options);
    }
    case CLEAT_TYPE_BOOL:
        if (cleat_value_bool(value, &truth) != 0 || flag->type != CLEAT_FLAG_BOOL)
            return -EINVAL;
        return flag_set(flag, truth ? "true" : "false", options);
    default: return -EINVAL;
    }
}

static int flag_set_value(const struct cleat_flag *flag, struct cleat_value value, void *options)
{
    int r = 0;
    if (cleat_value_type(value) != CLEAT_TYPE_ARRAY)
        return flag_set_scalar(flag, value, options);
    if (flag->type != CLEAT_FLAG_LIST)
        return -EINVAL;
    for (size_t i = 0; r == 0 && i < cleat_value_count(value); i++)
        r = flag_set_scalar(flag, cleat_value_at(value, i), options);
    return r;
}

static int flags_file_key(const struct cleat_flag *flags, const char *where, struct cleat_str key,
                          struct cleat_value value, uint64_t given, void *options,
                          struct cleat_err *err)
{
    const struct cleat_flag *flag = flag_find_key(flags, key);
    if (!flag)
        return cleat_err_set(err, -EINVAL, "%s: unknown key %.*s", where, CLEAT_STR_ARG(key));
    size_t index = (size_t)(flag - flags);
    if (given & (UINT64_C(1) << index))
        return 0;
    flag_begin(flag, 0, index, options);
    int r = flag_set_value(flag, value, options);
    if (r < 0) {
        struct cleat_scratch scratch;
        char name[FLAG_KEY_BYTES];
        struct cleat_str text = cleat_value_text(value, &scratch);
        if (text.length == 0 && cleat_value_number(value, &scratch, &text) != 0)
            text = (struct cleat_str){0};
        flag_key(flag, name);
        cleat_err_clear(err);
        r = flag_bad_value(flag, "", name,
                           text.length ? text.data : cleat_value_type_name(cleat_value_type(value)),
                           r, err);
        cleat_err_prefix(err, "%s", where);
    }
    return r;
}

static int flags_file_root(const struct cleat_flag *flags, const char *path, struct cleat_str yaml,
                           struct cleat_value root, uint64_t given, void *options,
                           struct cleat_err *err)
{
    if (!cleat_value_is(cleat_value_get(root, "apiVersion"), "config.cleat.dev/v1alpha1") ||
        !cleat_value_is(cleat_value_get(root, "kind"), "CleatConfig"))
        return cleat_err_set(err, -EINVAL, "%s: not a CleatConfig of config.cleat.dev/v1alpha1",
                             path);
    for (size_t i = 0; i < cleat_value_count(root); i++) {
        struct cleat_str key;
        char where[512];
        struct cleat_value value = cleat_value_member(root, i, &key);
        if (cleat_str_is(key, "apiVersion") || cleat_str_is(key, "kind"))
            continue;
        snprintf(where, sizeof(where), "%.400s:%d", path, cleat_yaml_line(yaml, key.data));
        int r = flags_file_key(flags, where, key, value, given, options, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int cleat_flags_file(const struct cleat_flag *flags, const char *path, uint64_t given,
                     void *options, struct cleat_err *err)
{
    struct cleat_document *document = NULL;
    struct cleat_err local = CLEAT_ERR_INIT;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(CLEAT_YAML_BYTES_MAX);
    int r = cleat_file_read(path, true, &text, err); /* names the path itself */
    if (r == 0 && (r = cleat_yaml_parse(cleat_buffer_view(&text), &document, &local)) < 0)
        r = cleat_err_set(err, r, "%s: %s", path, cleat_err_text(&local));
    if (r == 0)
        r = flags_file_root(flags, path, cleat_buffer_view(&text), cleat_document_root(document),
                            given, options, err);
    cleat_document_unref(document);
    cleat_buffer_fini(&text);
    return r;
}

void cleat_flags_help(const struct cleat_flag *flags, struct cleat_buffer *buffer)
{
    for (const struct cleat_flag *flag = flags; flag->name; flag++) {
        struct cleat_buffer left = CLEAT_BUFFER_INIT(256);
        (void)cleat_buffer_format(&left, "--%s%s%s", flag->name, flag->placeholder ? " " : "",
                                  flag->placeholder ? flag->placeholder : ""); /* sticky */
        (void)cleat_buffer_format(buffer, "  %-44s %s", left.data ? left.data : "", flag->help);
        if (flag->initial && flag->initial[0])
            (void)cleat_buffer_format(buffer, " (%s)", flag->initial); /* sticky */
        (void)cleat_buffer_byte(buffer, '\n');                         /* sticky */
        cleat_buffer_fini(&left);
    }
}
