/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/protobuf.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "support/suite.h"

/* A message in the making; short ones only, so that every length is one byte. */
struct message {
    char bytes[128];
    size_t length;
};

static void put_byte(struct message *message, unsigned byte)
{
    ck_assert_uint_lt(message->length, sizeof(message->bytes));
    message->bytes[message->length++] = (char)byte;
}

static void put_bytes(struct message *message, unsigned field, const char *bytes, size_t length)
{
    put_byte(message, field << 3 | 2);
    put_byte(message, (unsigned)length);
    for (size_t i = 0; i < length; i++)
        put_byte(message, (unsigned char)bytes[i]);
}

static void put_text(struct message *message, unsigned field, const char *text)
{
    put_bytes(message, field, text, strlen(text));
}

static void put_message(struct message *message, unsigned field, const struct message *inner)
{
    put_bytes(message, field, inner->bytes, inner->length);
}

static void put_number(struct message *message, unsigned field, unsigned number)
{
    put_byte(message, field << 3);
    put_byte(message, number);
}

static void put_pair(struct message *message, unsigned field, const char *key, const char *value)
{
    struct message pair = {0};
    put_text(&pair, 1, key);
    put_text(&pair, 2, value);
    put_message(message, field, &pair);
}

/* Puts @object into its envelope and decodes it. */
static int decode(const char *kind, const struct message *object, struct cleat_buffer *json)
{
    struct message type = {0};
    struct message body = {0};
    memcpy(body.bytes, "k8s", 4);
    body.length = 4;
    put_text(&type, 1, "v1");
    put_text(&type, 2, kind);
    put_message(&body, 1, &type);
    put_message(&body, 2, object);
    put_text(&body, 3, "");
    put_text(&body, 4, "");
    cleat_buffer_reset(json);
    return cleat_api_protobuf_decode((struct cleat_str){body.bytes, body.length}, json, NULL);
}

START_TEST(test_configmap)
{
    struct message meta = {0};
    struct message time = {0};
    struct message object = {0};
    struct cleat_buffer json = CLEAT_BUFFER_INIT(CLEAT_MIB);
    put_text(&meta, 1, "a");
    put_text(&meta, 2, "");
    put_message(&meta, 8, &time);
    put_text(&meta, 14, "x/y");
    put_text(&meta, 14, "x/z");
    put_pair(&meta, 11, "l", "1");
    put_message(&object, 1, &meta);
    put_pair(&object, 2, "k", "v\n");
    put_pair(&object, 3, "b", "\xff");
    put_number(&object, 4, 1);
    ck_assert_int_eq(decode("ConfigMap", &object, &json), 0);
    ck_assert_str_eq(json.data,
                     "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\","
                     "\"creationTimestamp\":null,\"labels\":{\"l\":\"1\"},\"finalizers\":[\"x/y\","
                     "\"x/z\"]},\"data\":{\"k\":\"v\\n\"},\"binaryData\":{\"b\":\"/w==\"},"
                     "\"immutable\":true}");
    cleat_buffer_fini(&json);
}
END_TEST

START_TEST(test_last_value_counts)
{
    struct message meta = {0};
    struct message object = {0};
    struct cleat_buffer json = CLEAT_BUFFER_INIT(CLEAT_MIB);
    put_text(&meta, 1, "a");
    put_text(&meta, 1, "b");
    put_message(&object, 1, &meta);
    ck_assert_int_eq(decode("ServiceAccount", &object, &json), 0);
    ck_assert_str_eq(json.data, "{\"kind\":\"ServiceAccount\",\"apiVersion\":\"v1\",\"metadata\":{"
                                "\"name\":\"b\"}}");
    cleat_buffer_fini(&json);
}
END_TEST

START_TEST(test_time)
{
    struct message meta = {0};
    struct message object = {0};
    struct cleat_buffer json = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct message time = {0};
    put_number(&time, 1, 61);
    put_message(&meta, 9, &time);
    put_message(&object, 1, &meta);
    ck_assert_int_eq(decode("Namespace", &object, &json), 0);
    ck_assert_ptr_nonnull(strstr(json.data, "\"deletionTimestamp\":\"1970-01-01T00:01:01Z\""));
    cleat_buffer_fini(&json);
}
END_TEST

START_TEST(test_refused)
{
    struct message object = {0};
    struct cleat_buffer json = CLEAT_BUFFER_INIT(CLEAT_MIB);
    ck_assert_int_eq(decode("Deployment", &object, &json), -EOPNOTSUPP);
    put_text(&object, 9, "?");
    ck_assert_int_eq(decode("ConfigMap", &object, &json), -EOPNOTSUPP);
    /* A number where a text should be, and the other way round. */
    object.length = 0;
    put_number(&object, 1, 1);
    ck_assert_int_eq(decode("ConfigMap", &object, &json), -EINVAL);
    object.length = 0;
    put_text(&object, 4, "true");
    ck_assert_int_eq(decode("ConfigMap", &object, &json), -EINVAL);
    /* A field that is longer than what there is, a fixed-size one, field 0. */
    static const char *const broken[] = {"\x0a\x7f", "\x0d\x01\x01\x01\x01", "\x02\x00", "\xff"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        object.length = 0;
        for (const char *at = broken[i]; *at; at++)
            put_byte(&object, (unsigned char)*at);
        ck_assert_int_eq(decode("ConfigMap", &object, &json), -EINVAL);
    }
    cleat_buffer_fini(&json);
}
END_TEST

START_TEST(test_every_prefix)
{
    struct message meta = {0};
    struct message type = {0};
    struct message body = {0};
    struct message object = {0};
    struct cleat_buffer json = CLEAT_BUFFER_INIT(CLEAT_MIB);
    memcpy(body.bytes, "k8s", 4);
    body.length = 4;
    put_text(&meta, 1, "a");
    put_message(&object, 1, &meta);
    put_pair(&object, 2, "k", "v");
    put_text(&type, 2, "Secret");
    put_message(&body, 1, &type);
    put_message(&body, 2, &object);
    for (size_t i = 0; i <= body.length; i++) {
        /* In memory of its own size, so that reading beyond it is seen. */
        char copy[sizeof(body.bytes)];
        memcpy(copy, body.bytes, i);
        cleat_buffer_reset(&json);
        int result = cleat_api_protobuf_decode((struct cleat_str){copy, i}, &json, NULL);
        ck_assert(result == 0 || result == -EINVAL);
        ck_assert(i < body.length || result == 0);
    }
    cleat_buffer_fini(&json);
}
END_TEST

START_TEST(test_type)
{
    ck_assert(cleat_api_protobuf_is("application/vnd.kubernetes.protobuf"));
    ck_assert(cleat_api_protobuf_is("application/vnd.kubernetes.protobuf;charset=x"));
    ck_assert(!cleat_api_protobuf_is("application/json"));
    ck_assert(!cleat_api_protobuf_is(NULL));
}
END_TEST

CLEAT_SUITE_MAIN("protobuf", test_configmap, test_last_value_counts, test_time, test_refused,
                 test_every_prefix, test_type)
