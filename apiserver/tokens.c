/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/tokens.h"

#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"

#define TOKENS_MAX 10000
#define TOKENS_FILE_BYTES_MAX (4 * CLEAT_MIB)
#define TOKENS_FIELDS_MAX 8

struct tokens_entry {
    struct cleat_api_user *user;
    char token[];
};

void cleat_api_tokens_init(struct cleat_api_tokens *tokens)
{
    cleat_lock_init(&tokens->lock, CLEAT_LOCK_CREDENTIALS);
    cleat_map_init(&tokens->map, TOKENS_MAX);
}

static void tokens_entry_free(struct tokens_entry *entry)
{
    (void)cleat_api_user_unref(entry->user);
    cleat_mem_wipe(entry->token, strlen(entry->token));
    cleat_mem_free(entry);
}

void cleat_api_tokens_fini(struct cleat_api_tokens *tokens)
{
    size_t cursor = 0;
    struct tokens_entry *entry = NULL;
    while ((entry = cleat_map_next(&tokens->map, &cursor, NULL)))
        tokens_entry_free(entry);
    cleat_map_fini(&tokens->map);
    cleat_lock_fini(&tokens->lock);
}

int cleat_api_tokens_add(struct cleat_api_tokens *tokens, struct cleat_str token,
                         struct cleat_api_user *user)
{
    struct tokens_entry *entry = cleat_mem_alloc(sizeof(*entry) + token.length + 1);
    if (!entry)
        return -ENOMEM;
    memcpy(entry->token, token.data, token.length);
    entry->token[token.length] = 0;
    entry->user = cleat_api_user_ref(user);
    struct cleat_str key = {entry->token, token.length};
    cleat_lock_take(&tokens->lock);
    int result =
        cleat_map_get(&tokens->map, key) ? -EEXIST : cleat_map_set(&tokens->map, key, entry);
    cleat_lock_release(&tokens->lock);
    if (result != 0)
        tokens_entry_free(entry);
    return result;
}

int cleat_api_tokens_make(struct cleat_api_tokens *tokens, const struct cleat_clock *clock,
                          struct cleat_api_user *user, char **ret)
{
    unsigned char random[24];
    char token[2 * sizeof(random) + 1];
    cleat_clock_random(clock, random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(token + 2 * i, 3, "%02x", random[i]);
    int result = cleat_api_tokens_add(tokens, cleat_str_of(token), user);
    char *copy = result == 0 ? cleat_mem_strdup(token) : NULL;
    cleat_mem_wipe(token, sizeof(token));
    if (result != 0 || !copy)
        return result != 0 ? result : -ENOMEM;
    *ret = copy;
    return 0;
}

struct cleat_api_user *cleat_api_tokens_find(struct cleat_api_tokens *tokens,
                                             struct cleat_str token)
{
    cleat_lock_take(&tokens->lock);
    struct tokens_entry *entry = cleat_map_get(&tokens->map, token);
    struct cleat_api_user *user = entry ? cleat_api_user_ref(entry->user) : NULL;
    cleat_lock_release(&tokens->lock);
    return user;
}

/* One field of a CSV line, unquoted in place: quotes may hold commas, a doubled one stands for
 * itself. Returns where the next field begins, or NULL. */
static char *tokens_field(char *in)
{
    char *out = in;
    bool quoted = *in == '"';
    in += quoted;
    for (; *in && (quoted || *in != ','); in++) {
        if (quoted && *in == '"' && in[1] != '"') {
            quoted = false;
            continue;
        }
        in += quoted && *in == '"';
        *out++ = *in;
    }
    bool more = *in == ',';
    *out = 0;
    return more ? in + 1 : NULL;
}

static size_t tokens_split(char *line, char *fields[TOKENS_FIELDS_MAX])
{
    size_t count = 0;
    while (line && count < TOKENS_FIELDS_MAX) {
        fields[count++] = line;
        line = tokens_field(line);
    }
    return count;
}

static int tokens_add_groups(struct cleat_api_user *user, const char *text)
{
    int result = 0;
    while (result == 0 && *text) {
        size_t length = strcspn(text, ",");
        const char *from = text;
        size_t kept = length;
        while (kept && from[0] == ' ')
            from++, kept--;
        while (kept && from[kept - 1] == ' ')
            kept--;
        if (kept)
            result = cleat_api_user_add_group(user, (struct cleat_str){from, kept});
        text += length + (text[length] == ',');
    }
    return result;
}

static int tokens_line(struct cleat_api_tokens *tokens, char *line, const char *name, int number,
                       struct cleat_err *err)
{
    char *fields[TOKENS_FIELDS_MAX];
    size_t count = tokens_split(line, fields);
    if (count < 3)
        return cleat_err_set(err, -EINVAL, "%s:%d: a token line needs token, user and uid", name,
                             number);
    if (!fields[0][0] || !fields[1][0])
        return cleat_err_set(err, -EINVAL, "%s:%d: empty token or user", name, number);
    struct cleat_api_user *user = NULL;
    int result = cleat_api_user_new(cleat_str_of(fields[1]), cleat_str_of(fields[2]), &user);
    if (result == 0 && count > 3)
        result = tokens_add_groups(user, fields[3]);
    if (result == 0)
        result = cleat_api_user_add_group(user, CLEAT_STR("system:authenticated"));
    if (result == 0)
        result = cleat_api_tokens_add(tokens, cleat_str_of(fields[0]), user);
    (void)cleat_api_user_unref(user);
    if (result < 0)
        return cleat_err_set(err, result == -EEXIST ? -EINVAL : result, "%s:%d: %s", name, number,
                             result == -EEXIST ? "the token is there twice" : "can't be kept");
    return 0;
}

int cleat_api_tokens_parse(struct cleat_api_tokens *tokens, struct cleat_str text, const char *name,
                           struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_mem_freep) char *copy = cleat_mem_strndup(text.data, text.length);
    if (!copy)
        return cleat_err_set(err, -ENOMEM, "%s: no memory", name);
    int result = 0;
    int number = 0;
    for (char *line = copy; result == 0 && line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = 0;
        number++;
        size_t length = strlen(line);
        if (length && line[length - 1] == '\r')
            line[--length] = 0;
        if (length && line[0] != '#')
            result = tokens_line(tokens, line, name, number, err);
        line = end ? end + 1 : NULL;
    }
    cleat_mem_wipe(copy, text.length);
    return result;
}

static int tokens_read(FILE *file, struct cleat_buffer *buffer)
{
    size_t got = 0;
    do {
        char *room = cleat_buffer_reserve(buffer, 4096);
        if (!room)
            return buffer->failed;
        got = fread(room, 1, 4096, file);
        cleat_buffer_advance(buffer, got);
    } while (got > 0);
    return ferror(file) ? -EIO : 0;
}

int cleat_api_tokens_load(struct cleat_api_tokens *tokens, const char *path, struct cleat_err *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return cleat_err_set(err, -errno, "token file %s: %s", path, strerror(errno));
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(TOKENS_FILE_BYTES_MAX);
    int result = tokens_read(file, &buffer);
    (void)fclose(file); /* only read */
    if (result == 0)
        result = cleat_api_tokens_parse(tokens, cleat_buffer_view(&buffer), path, err);
    else
        (void)cleat_err_set(err, result, "token file %s: can't be read", path);
    if (buffer.data)
        cleat_mem_wipe(buffer.data, buffer.length);
    cleat_buffer_fini(&buffer);
    return result;
}
