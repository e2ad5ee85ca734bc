/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <cleat/time.h>
#include "base/limits.h"
#include "base/mem.h"
#include "certs/secret.h"
#include "kube/base64.h"

#define SECRET_VALUE_BYTES_MAX (256 * CLEAT_KIB)

static const char *const secret_keys[] = {"tls.crt", "tls.key", "ca.crt", "ca.key"};

#define SECRET_KEY_COUNT (sizeof(secret_keys) / sizeof(secret_keys[0]))

static struct cleat_buffer *secret_buffer(struct cleat_secret_data *data, size_t index)
{
    struct cleat_buffer *const buffers[] = {&data->cert, &data->key, &data->ca, &data->ca_key};
    return buffers[index];
}

void cleat_secret_data_init(struct cleat_secret_data *data)
{
    for (size_t i = 0; i < SECRET_KEY_COUNT; i++)
        cleat_buffer_init(secret_buffer(data, i), SECRET_VALUE_BYTES_MAX);
}

void cleat_secret_data_fini(struct cleat_secret_data *data)
{
    for (size_t i = 0; i < SECRET_KEY_COUNT; i++) {
        struct cleat_buffer *buffer = secret_buffer(data, i);
        if (buffer->data)
            cleat_mem_wipe(buffer->data, buffer->length);
        cleat_buffer_fini(buffer);
    }
}

static int64_t secret_until(struct cleat_value secret, const char *annotation)
{
    int64_t unix_us = 0;
    struct cleat_scratch scratch;
    struct cleat_value annotations =
        cleat_value_get(cleat_value_get(secret, "metadata"), "annotations");
    struct cleat_str text = cleat_value_text(cleat_value_get(annotations, annotation), &scratch);
    if (text.length == 0 || cleat_time_parse(text, &unix_us) < 0 || unix_us < 0)
        return 0;
    return unix_us / 1000000;
}

int cleat_secret_data_read(struct cleat_secret_data *data, struct cleat_value secret)
{
    struct cleat_value values = cleat_value_get(secret, "data");
    for (size_t i = 0; i < SECRET_KEY_COUNT; i++) {
        struct cleat_scratch scratch;
        struct cleat_buffer *buffer = secret_buffer(data, i);
        struct cleat_str text = cleat_value_text(cleat_value_get(values, secret_keys[i]), &scratch);
        int r = cleat_base64_decode(buffer, text, NULL);
        if (r == -ENOMEM)
            return r;
        if (r < 0)
            cleat_buffer_reset(buffer);
    }
    data->newest_until_unix_s = secret_until(secret, CLEAT_SECRET_NEWEST_UNTIL);
    data->older_until_unix_s = secret_until(secret, CLEAT_SECRET_OLDER_UNTIL);
    return 0;
}

void cleat_secret_data_state(const struct cleat_secret_data *data, struct cleat_plan_state *state)
{
    state->cert = cleat_buffer_view(&data->cert);
    state->key = cleat_buffer_view(&data->key);
    state->ca = cleat_buffer_view(&data->ca);
    state->ca_key = cleat_buffer_view(&data->ca_key);
    state->newest_until_unix_s = data->newest_until_unix_s;
    state->older_until_unix_s = data->older_until_unix_s;
}

/* The path of a member whose name has dots: @keys are borrowed. */
static void secret_path(struct cleat_path *path, const char *const *keys)
{
    path->count = 0;
    for (size_t i = 0; keys[i]; i++)
        path->segments[path->count++] =
            (struct cleat_path_segment){.type = CLEAT_SEGMENT_KEY, .key = cleat_str_of(keys[i])};
}

static int secret_set(struct cleat_draft *draft, const char *key, struct cleat_str bytes,
                      struct cleat_err *err)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(2 * SECRET_VALUE_BYTES_MAX);
    struct cleat_path path;
    secret_path(&path, (const char *const[]){"data", key, NULL});
    int r = cleat_base64_encode(&text, bytes);
    if (r == 0)
        r = cleat_draft_set_str_at(draft, &path, cleat_buffer_view(&text), err);
    if (text.data)
        cleat_mem_wipe(text.data, text.length);
    cleat_buffer_fini(&text);
    return r;
}

static int secret_set_until(struct cleat_draft *draft, const char *annotation, int64_t unix_s,
                            struct cleat_err *err)
{
    char text[CLEAT_TIME_BYTES];
    struct cleat_path path;
    secret_path(&path, (const char *const[]){"metadata", "annotations", annotation, NULL});
    if (unix_s == 0)
        return cleat_draft_remove_at(draft, &path, err);
    return cleat_draft_set_str_at(draft, &path, cleat_str_of(cleat_time_write(unix_s * 1000, text)),
                                  err);
}

int cleat_secret_content_set(struct cleat_draft *draft, const struct cleat_secret_content *content,
                             struct cleat_err *err)
{
    const struct cleat_str values[] = {content->cert, content->key, content->ca, content->ca_key};
    int r = 0;
    for (size_t i = 0; r == 0 && i < SECRET_KEY_COUNT; i++)
        r = secret_set(draft, secret_keys[i], values[i], err);
    if (r == 0)
        r = secret_set_until(draft, CLEAT_SECRET_NEWEST_UNTIL, content->newest_until_unix_s, err);
    if (r == 0)
        r = secret_set_until(draft, CLEAT_SECRET_OLDER_UNTIL, content->older_until_unix_s, err);
    return r;
}
