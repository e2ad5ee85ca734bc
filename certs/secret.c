/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
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
    return 0;
}

struct cleat_plan_state cleat_secret_data_state(const struct cleat_secret_data *data)
{
    return (struct cleat_plan_state){
        .cert = cleat_buffer_view(&data->cert),
        .key = cleat_buffer_view(&data->key),
        .ca = cleat_buffer_view(&data->ca),
        .ca_key = cleat_buffer_view(&data->ca_key),
    };
}

static int secret_set(struct cleat_draft *draft, const char *key, struct cleat_str bytes,
                      struct cleat_err *err)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(2 * SECRET_VALUE_BYTES_MAX);
    struct cleat_path path = {.count = 2};
    path.segments[0] =
        (struct cleat_path_segment){.type = CLEAT_SEGMENT_KEY, .key = CLEAT_STR("data")};
    path.segments[1] =
        (struct cleat_path_segment){.type = CLEAT_SEGMENT_KEY, .key = cleat_str_of(key)};
    int r = cleat_base64_encode(&text, bytes);
    if (r == 0)
        r = cleat_draft_set_str_at(draft, &path, cleat_buffer_view(&text), err);
    if (text.data)
        cleat_mem_wipe(text.data, text.length);
    cleat_buffer_fini(&text);
    return r;
}

int cleat_secret_data_set(struct cleat_draft *draft, const struct cleat_authority *authority,
                          const struct cleat_bundle *bundle, struct cleat_err *err)
{
    const struct cleat_str values[] = {cleat_bundle_cert(bundle), cleat_bundle_key(bundle),
                                       cleat_authority_cert(authority),
                                       cleat_authority_key(authority)};
    int r = 0;
    for (size_t i = 0; r == 0 && i < SECRET_KEY_COUNT; i++)
        r = secret_set(draft, secret_keys[i], values[i], err);
    return r;
}
