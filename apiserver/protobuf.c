/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/protobuf.h"

#include <cleat/time.h>
#include <cleat/write.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "kube/base64.h"

enum proto_type {
    PROTO_STRING,
    PROTO_INT,
    PROTO_BOOL,
    PROTO_TIME,
    PROTO_MESSAGE,
    PROTO_TEXTS,  /* map of strings to strings */
    PROTO_BLOBS,  /* map of strings to bytes */
    PROTO_IGNORE, /* what the server sets anyway */
};

struct proto_field {
    uint32_t number;
    const char *name;
    enum proto_type type;
    bool repeated;
    const struct proto_field *message; /* ends with number 0 */
};

#define END \
    {       \
        0   \
    }

static const struct proto_field proto_owner[] = {
    {1, "kind", PROTO_STRING},
    {3, "name", PROTO_STRING},
    {4, "uid", PROTO_STRING},
    {5, "apiVersion", PROTO_STRING},
    {6, "controller", PROTO_BOOL},
    {7, "blockOwnerDeletion", PROTO_BOOL},
    END,
};

static const struct proto_field proto_meta[] = {
    {1, "name", PROTO_STRING},
    {2, "generateName", PROTO_STRING},
    {3, "namespace", PROTO_STRING},
    {4, "selfLink", PROTO_IGNORE},
    {5, "uid", PROTO_STRING},
    {6, "resourceVersion", PROTO_STRING},
    {7, "generation", PROTO_INT},
    {8, "creationTimestamp", PROTO_TIME},
    {9, "deletionTimestamp", PROTO_TIME},
    {10, "deletionGracePeriodSeconds", PROTO_INT},
    {11, "labels", PROTO_TEXTS},
    {12, "annotations", PROTO_TEXTS},
    {13, "ownerReferences", PROTO_MESSAGE, true, proto_owner},
    {14, "finalizers", PROTO_STRING, true},
    {17, "managedFields", PROTO_IGNORE},
    END,
};

static const struct proto_field proto_namespace_spec[] = {{1, "finalizers", PROTO_STRING, true},
                                                          END};
static const struct proto_field proto_namespace[] = {
    {1, "metadata", PROTO_MESSAGE, false, proto_meta},
    {2, "spec", PROTO_MESSAGE, false, proto_namespace_spec},
    {3, "status", PROTO_IGNORE},
    END,
};

static const struct proto_field proto_configmap[] = {
    {1, "metadata", PROTO_MESSAGE, false, proto_meta},
    {2, "data", PROTO_TEXTS},
    {3, "binaryData", PROTO_BLOBS},
    {4, "immutable", PROTO_BOOL},
    END,
};

static const struct proto_field proto_secret[] = {
    {1, "metadata", PROTO_MESSAGE, false, proto_meta},
    {2, "data", PROTO_BLOBS},
    {3, "type", PROTO_STRING},
    {4, "stringData", PROTO_TEXTS},
    {5, "immutable", PROTO_BOOL},
    END,
};

static const struct proto_field proto_account[] = {
    {1, "metadata", PROTO_MESSAGE, false, proto_meta},
    {4, "automountServiceAccountToken", PROTO_BOOL},
    END,
};

static const struct proto_field proto_rule[] = {
    {1, "verbs", PROTO_STRING, true},           {2, "apiGroups", PROTO_STRING, true},
    {3, "resources", PROTO_STRING, true},       {4, "resourceNames", PROTO_STRING, true},
    {5, "nonResourceURLs", PROTO_STRING, true}, END,
};

static const struct proto_field proto_role[] = {
    {1, "metadata", PROTO_MESSAGE, false, proto_meta},
    {2, "rules", PROTO_MESSAGE, true, proto_rule},
    END,
};

static const struct proto_field proto_subject[] = {
    {1, "kind", PROTO_STRING},
    {2, "apiGroup", PROTO_STRING},
    {3, "name", PROTO_STRING},
    {4, "namespace", PROTO_STRING},
    END,
};

static const struct proto_field proto_role_ref[] = {
    {1, "apiGroup", PROTO_STRING}, {2, "kind", PROTO_STRING}, {3, "name", PROTO_STRING}, END};

static const struct proto_field proto_binding[] = {
    {1, "metadata", PROTO_MESSAGE, false, proto_meta},
    {2, "subjects", PROTO_MESSAGE, true, proto_subject},
    {3, "roleRef", PROTO_MESSAGE, false, proto_role_ref},
    END,
};

static const struct proto_field proto_whoami[] = {
    {1, "metadata", PROTO_MESSAGE, false, proto_meta}, {2, "status", PROTO_IGNORE}, END};

static const struct proto_field proto_resource[] = {
    {1, "namespace", PROTO_STRING}, {2, "verb", PROTO_STRING},
    {3, "group", PROTO_STRING},     {4, "version", PROTO_STRING},
    {5, "resource", PROTO_STRING},  {6, "subresource", PROTO_STRING},
    {7, "name", PROTO_STRING},      END,
};

static const struct proto_field proto_path[] = {
    {1, "path", PROTO_STRING}, {2, "verb", PROTO_STRING}, END};

static const struct proto_field proto_access_spec[] = {
    {1, "resourceAttributes", PROTO_MESSAGE, false, proto_resource},
    {2, "nonResourceAttributes", PROTO_MESSAGE, false, proto_path},
    END,
};

static const struct proto_field proto_access[] = {
    {1, "metadata", PROTO_MESSAGE, false, proto_meta},
    {2, "spec", PROTO_MESSAGE, false, proto_access_spec},
    {3, "status", PROTO_IGNORE},
    END,
};

static const struct proto_field proto_rules_spec[] = {{1, "namespace", PROTO_STRING}, END};
static const struct proto_field proto_rules[] = {
    {1, "metadata", PROTO_MESSAGE, false, proto_meta},
    {2, "spec", PROTO_MESSAGE, false, proto_rules_spec},
    {3, "status", PROTO_IGNORE},
    END,
};

static const struct proto_field proto_preconditions[] = {
    {1, "uid", PROTO_STRING}, {2, "resourceVersion", PROTO_STRING}, END};

static const struct proto_field proto_delete[] = {
    {1, "gracePeriodSeconds", PROTO_INT},
    {2, "preconditions", PROTO_MESSAGE, false, proto_preconditions},
    {3, "orphanDependents", PROTO_BOOL},
    {4, "propagationPolicy", PROTO_STRING},
    {5, "dryRun", PROTO_STRING, true},
    {6, "ignoreStoreReadErrorWithClusterBreakingPotential", PROTO_IGNORE},
    END,
};

static const struct {
    const char *kind;
    const struct proto_field *message;
} proto_kinds[] = {
    {"Namespace", proto_namespace},
    {"ConfigMap", proto_configmap},
    {"Secret", proto_secret},
    {"ServiceAccount", proto_account},
    {"Role", proto_role},
    {"ClusterRole", proto_role},
    {"RoleBinding", proto_binding},
    {"ClusterRoleBinding", proto_binding},
    {"SelfSubjectReview", proto_whoami},
    {"SelfSubjectAccessReview", proto_access},
    {"SelfSubjectRulesReview", proto_rules},
    {"DeleteOptions", proto_delete},
};

/* One field as it stands on the wire. */
struct proto_value {
    uint32_t number;
    bool is_bytes; /* else a number */
    uint64_t integer;
    struct cleat_str bytes;
};

static bool proto_varint(struct cleat_str *in, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && in->length; shift += 7) {
        unsigned char byte = (unsigned char)*in->data;
        in->data++;
        in->length--;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

/* Takes the next field off @in; false where it isn't well formed. */
static bool proto_next(struct cleat_str *in, struct proto_value *ret)
{
    uint64_t key = 0;
    uint64_t value = 0;
    if (!proto_varint(in, &key) || (key >> 3) == 0 || (key >> 3) > UINT32_MAX ||
        !proto_varint(in, &value))
        return false;
    *ret = (struct proto_value){.number = (uint32_t)(key >> 3), .integer = value};
    if ((key & 7) == 0)
        return true;
    if ((key & 7) != 2 || value > in->length)
        return false;
    ret->is_bytes = true;
    ret->bytes = (struct cleat_str){in->data, (size_t)value};
    in->data += value;
    in->length -= (size_t)value;
    return true;
}

static const struct proto_field *proto_find(const struct proto_field *message, uint32_t number)
{
    for (; message->number; message++)
        if (message->number == number)
            return message;
    return NULL;
}

static int proto_malformed(struct cleat_err *err)
{
    return cleat_err_set(err, -EINVAL, "the body isn't well-formed protobuf");
}

static bool proto_fits(const struct proto_field *field, const struct proto_value *value)
{
    bool number = field->type == PROTO_INT || field->type == PROTO_BOOL;
    return field->type == PROTO_IGNORE || number != value->is_bytes;
}

/* Every field of @in is known and of its type. */
static int proto_check(struct cleat_str in, const struct proto_field *message,
                       struct cleat_err *err)
{
    while (in.length) {
        struct proto_value value;
        if (!proto_next(&in, &value))
            return proto_malformed(err);
        const struct proto_field *field = proto_find(message, value.number);
        if (!field)
            return cleat_err_set(
                err, -EOPNOTSUPP,
                "field %" PRIu32 " of the body can't be read in protobuf; send JSON", value.number);
        if (!proto_fits(field, &value))
            return proto_malformed(err);
    }
    return 0;
}

static int proto_write_message(struct cleat_str in, const struct proto_field *message,
                               const char *open, struct cleat_buffer *json, struct cleat_err *err);

static void proto_write_blob(struct cleat_str bytes, struct cleat_buffer *json)
{
    cleat_buffer_byte(json, '"');
    (void)cleat_base64_encode(json, bytes); /* sticky */
    cleat_buffer_byte(json, '"');
}

/* "key":"value" of one entry of a map. */
static int proto_write_entry(struct cleat_str in, bool blob, struct cleat_buffer *json,
                             struct cleat_err *err)
{
    struct cleat_str parts[2] = {{"", 0}, {"", 0}};
    while (in.length) {
        struct proto_value value;
        if (!proto_next(&in, &value) || !value.is_bytes || value.number > 2)
            return proto_malformed(err);
        parts[value.number - 1] = value.bytes;
    }
    cleat_write_string(json, parts[0]);
    cleat_buffer_byte(json, ':');
    if (blob)
        proto_write_blob(parts[1], json);
    else
        cleat_write_string(json, parts[1]);
    return 0;
}

/* metav1.Time: seconds and nanoseconds; an empty one is no time. */
static int proto_write_time(struct cleat_str in, struct cleat_buffer *json, struct cleat_err *err)
{
    char text[CLEAT_TIME_BYTES];
    int64_t seconds = 0;
    bool any = false;
    while (in.length) {
        struct proto_value value;
        if (!proto_next(&in, &value) || value.is_bytes)
            return proto_malformed(err);
        if (value.number == 1) {
            any = true;
            seconds = (int64_t)value.integer;
        }
    }
    if (!any || seconds < -62135596800 || seconds > 253402300799)
        cleat_buffer_text(json, "null");
    else
        cleat_buffer_format(json, "\"%s\"", cleat_time_write(seconds * 1000, text));
    return 0;
}

static int proto_write_value(const struct proto_field *field, const struct proto_value *value,
                             struct cleat_buffer *json, struct cleat_err *err)
{
    switch (field->type) {
    case PROTO_STRING: cleat_write_string(json, value->bytes); return 0;
    case PROTO_INT: cleat_buffer_format(json, "%" PRId64, (int64_t)value->integer); return 0;
    case PROTO_BOOL: cleat_buffer_text(json, value->integer ? "true" : "false"); return 0;
    case PROTO_TIME: return proto_write_time(value->bytes, json, err);
    case PROTO_MESSAGE: return proto_write_message(value->bytes, field->message, "{", json, err);
    case PROTO_TEXTS: return proto_write_entry(value->bytes, false, json, err);
    case PROTO_BLOBS: return proto_write_entry(value->bytes, true, json, err);
    case PROTO_IGNORE: break;
    }
    return 0;
}

static void proto_begin(const struct proto_field *field, const char **separator,
                        struct cleat_buffer *json)
{
    cleat_buffer_text(json, *separator);
    cleat_buffer_format(json, "\"%s\":", field->name);
    *separator = ",";
}

/* A field that comes once, by its last value; empty strings are what isn't set. */
static int proto_write_one(struct cleat_str in, const struct proto_field *field,
                           const char **separator, struct cleat_buffer *json, struct cleat_err *err)
{
    struct proto_value value = {0};
    struct proto_value last = {0};
    while (in.length && proto_next(&in, &value))
        if (value.number == field->number)
            last = value;
    if (!last.number || (field->type == PROTO_STRING && !last.bytes.length))
        return 0;
    proto_begin(field, separator, json);
    return proto_write_value(field, &last, json, err);
}

/* An array or a map. */
static int proto_write_many(struct cleat_str in, const struct proto_field *field,
                            const char **separator, struct cleat_buffer *json,
                            struct cleat_err *err)
{
    bool map = !field->repeated;
    size_t count = 0;
    int result = 0;
    struct proto_value value;
    while (result == 0 && in.length && proto_next(&in, &value)) {
        if (value.number != field->number)
            continue;
        if (count == 0)
            proto_begin(field, separator, json);
        cleat_buffer_byte(json, count++ ? ',' : map ? '{' : '[');
        result = proto_write_value(field, &value, json, err);
    }
    if (count)
        cleat_buffer_byte(json, map ? '}' : ']');
    return result;
}

static int proto_write_field(struct cleat_str in, const struct proto_field *field,
                             const char **separator, struct cleat_buffer *json,
                             struct cleat_err *err)
{
    if (field->type == PROTO_IGNORE)
        return 0;
    if (field->repeated || field->type == PROTO_TEXTS || field->type == PROTO_BLOBS)
        return proto_write_many(in, field, separator, json, err);
    return proto_write_one(in, field, separator, json, err);
}

/* An object of the fields in @in; @open is its beginning. The tables end the recursion. */
static int proto_write_message(struct cleat_str in, const struct proto_field *message,
                               const char *open, struct cleat_buffer *json, struct cleat_err *err)
{
    int result = proto_check(in, message, err);
    const char *separator = open[1] ? "," : "";
    cleat_buffer_text(json, open);
    for (const struct proto_field *field = message; result == 0 && field->number; field++)
        result = proto_write_field(in, field, &separator, json, err);
    cleat_buffer_byte(json, '}');
    return result;
}

/* runtime.Unknown: typeMeta and the object's bytes. */
struct proto_envelope {
    struct cleat_str api_version;
    struct cleat_str kind;
    struct cleat_str raw;
};

static bool proto_type_meta(struct cleat_str in, struct proto_envelope *ret)
{
    while (in.length) {
        struct proto_value value;
        if (!proto_next(&in, &value) || !value.is_bytes)
            return false;
        if (value.number == 1)
            ret->api_version = value.bytes;
        else if (value.number == 2)
            ret->kind = value.bytes;
    }
    return true;
}

static bool proto_unwrap(struct cleat_str in, struct proto_envelope *ret)
{
    *ret = (struct proto_envelope){{"", 0}, {"", 0}, {"", 0}};
    if (in.length < 4 || memcmp(in.data, "k8s\0", 4) != 0)
        return false;
    in = (struct cleat_str){in.data + 4, in.length - 4};
    while (in.length) {
        struct proto_value value;
        if (!proto_next(&in, &value) || !value.is_bytes)
            return false;
        if (value.number == 1 && !proto_type_meta(value.bytes, ret))
            return false;
        if (value.number == 2)
            ret->raw = value.bytes;
    }
    return ret->kind.length > 0;
}

bool cleat_api_protobuf_is(const char *content_type)
{
    static const char type[] = "application/vnd.kubernetes.protobuf";
    return content_type && strncasecmp(content_type, type, sizeof(type) - 1) == 0;
}

int cleat_api_protobuf_decode(struct cleat_str body, struct cleat_buffer *json,
                              struct cleat_err *err)
{
    struct proto_envelope envelope;
    const struct proto_field *message = NULL;
    if (!proto_unwrap(body, &envelope))
        return proto_malformed(err);
    for (size_t i = 0; i < sizeof(proto_kinds) / sizeof(proto_kinds[0]); i++)
        if (cleat_str_is(envelope.kind, proto_kinds[i].kind))
            message = proto_kinds[i].message;
    if (!message)
        return cleat_err_set(err, -EOPNOTSUPP, "%.*s can't be read in protobuf; send JSON",
                             CLEAT_STR_ARG(envelope.kind));
    struct cleat_buffer open = CLEAT_BUFFER_INIT(4096);
    cleat_buffer_text(&open, "{\"kind\":");
    cleat_write_string(&open, envelope.kind);
    cleat_buffer_text(&open, ",\"apiVersion\":");
    cleat_write_string(&open, envelope.api_version);
    int result = open.failed ? proto_malformed(err)
                             : proto_write_message(envelope.raw, message, open.data, json, err);
    cleat_buffer_fini(&open);
    return result == 0 ? json->failed : result;
}
