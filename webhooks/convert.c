/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API server insists that a conversion keeps the identity of an object and the order and number
 * of all; what would break that is told as a failure with the object's name instead of being sent.
 */
#include <errno.h>
#include <cleat/write.h>
#include "webhooks/convert.h"

static const char *const convert_kept[] = {"name",
                                           "namespace",
                                           "uid",
                                           "generation",
                                           "creationTimestamp",
                                           "resourceVersion",
                                           "ownerReferences",
                                           "finalizers",
                                           "deletionTimestamp"};

static int convert_check(struct cleat_value from, struct cleat_value to, struct cleat_str desired,
                         struct cleat_err *err)
{
    struct cleat_value before = cleat_value_get(from, "metadata");
    struct cleat_value after = cleat_value_get(to, "metadata");
    if (!cleat_value_equal(cleat_value_get(from, "kind"), cleat_value_get(to, "kind")))
        return cleat_err_set(err, -EINVAL, "the converter changed kind");
    if (!cleat_value_is_str(cleat_value_get(to, "apiVersion"), desired))
        return cleat_err_set(err, -EINVAL, "the converter left another apiVersion");
    for (size_t i = 0; i < sizeof(convert_kept) / sizeof(convert_kept[0]); i++)
        if (!cleat_value_equal(cleat_value_get(before, convert_kept[i]),
                               cleat_value_get(after, convert_kept[i])))
            return cleat_err_set(err, -EINVAL, "the converter changed metadata.%s",
                                 convert_kept[i]);
    return 0;
}

static int convert_find(struct cleat_webhooks *webhooks, struct cleat_value object,
                        struct cleat_str desired, struct cleat_converter **ret,
                        struct cleat_err *err)
{
    struct cleat_scratch scratch[2];
    struct cleat_gvk from, to;
    struct cleat_str api_version =
        cleat_value_text(cleat_value_get(object, "apiVersion"), &scratch[0]);
    struct cleat_str kind = cleat_value_text(cleat_value_get(object, "kind"), &scratch[1]);
    int r = cleat_gvk_parse(&from, api_version, kind, err);
    if (r == 0)
        r = cleat_gvk_parse(&to, desired, kind, err);
    if (r < 0)
        return r;
    if (cleat_str_equal(api_version, desired))
        return cleat_err_set(err, -EINVAL, "it is of version %.*s already", CLEAT_STR_ARG(desired));
    if (!cleat_gvk_same_kind(&from, &to))
        return cleat_err_set(err, -EINVAL, "%.*s is another group", CLEAT_STR_ARG(desired));
    *ret = cleat_webhooks_converter(webhooks, &from);
    if (!*ret)
        return cleat_err_set(err, -ENOENT, "there is no converter for kind %s", from.kind);
    return 0;
}

static int convert_one(struct cleat_webhooks *webhooks, struct cleat_value object,
                       struct cleat_str desired, struct cleat_buffer *answer, struct cleat_err *err)
{
    struct cleat_converter *converter = NULL;
    struct cleat_value converted = CLEAT_VALUE_NONE;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    int r = convert_find(webhooks, object, desired, &converter, err);
    if (r == 0)
        r = cleat_draft_new(object, &draft, err);
    if (r == 0)
        r = cleat_draft_set_str(draft, "apiVersion", desired, err);
    if (r == 0)
        r = converter->fn(converter->arg, object, desired, draft, err);
    if (r > 0)
        r = cleat_err_set(err, -EINVAL, "the converter returned %d", r);
    if (r == 0)
        r = cleat_draft_freeze(draft, &converted, err);
    if (r == 0)
        r = convert_check(object, converted, desired, err);
    if (r == 0)
        r = cleat_write_json(answer, converted, err);
    return r;
}

static int convert_all(struct cleat_webhooks *webhooks, struct cleat_value objects,
                       struct cleat_str desired, struct cleat_buffer *answer, struct cleat_err *err)
{
    int r = 0;
    (void)cleat_buffer_text(answer, ",\"convertedObjects\":["); /* sticky */
    for (size_t i = 0; r == 0 && i < cleat_value_count(objects); i++) {
        struct cleat_scratch scratch;
        struct cleat_value object = cleat_value_at(objects, i);
        if (i > 0)
            (void)cleat_buffer_byte(answer, ','); /* sticky */
        r = convert_one(webhooks, object, desired, answer, err);
        if (r < 0)
            cleat_err_prefix(err, "object %zu (%.*s)", i,
                             CLEAT_STR_ARG(cleat_value_text(
                                 cleat_value_find(object, "metadata.name"), &scratch)));
    }
    (void)cleat_buffer_text(answer, "],\"result\":{\"status\":\"Success\"}"); /* sticky */
    return r;
}

static void convert_write_failure(struct cleat_buffer *answer, const struct cleat_err *err)
{
    (void)cleat_buffer_text(answer, ",\"result\":{\"status\":\"Failure\",\"message\":");
    cleat_write_string(answer, cleat_str_of(cleat_err_text(err)));
    (void)cleat_buffer_byte(answer, '}'); /* sticky */
}

int cleat_convert_answer(struct cleat_webhooks *webhooks, struct cleat_value root,
                         struct cleat_buffer *answer, struct cleat_err *err)
{
    struct cleat_scratch scratch[2];
    struct cleat_err failure = CLEAT_ERR_INIT;
    struct cleat_value request = cleat_value_get(root, "request");
    struct cleat_value objects = cleat_value_get(request, "objects");
    struct cleat_str uid = cleat_value_text(cleat_value_get(request, "uid"), &scratch[0]);
    struct cleat_str desired =
        cleat_value_text(cleat_value_get(request, "desiredAPIVersion"), &scratch[1]);
    if (!cleat_value_is(cleat_value_get(root, "kind"), "ConversionReview") ||
        !cleat_value_is(cleat_value_get(root, "apiVersion"), "apiextensions.k8s.io/v1"))
        return cleat_err_set(err, -EINVAL,
                             "the body isn't a ConversionReview of "
                             "apiextensions.k8s.io/v1");
    if (uid.length == 0 || desired.length == 0 || cleat_value_type(objects) != CLEAT_TYPE_ARRAY)
        return cleat_err_set(err, -EINVAL,
                             "ConversionReview: uid, desiredAPIVersion or objects is absent");
    (void)cleat_buffer_text(answer, "{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":"
                                    "\"ConversionReview\",\"response\":{\"uid\":"); /* sticky */
    cleat_write_string(answer, uid);
    size_t start = answer->length;
    if (convert_all(webhooks, objects, desired, answer, &failure) < 0) {
        answer->length = start;
        convert_write_failure(answer, &failure);
    }
    (void)cleat_buffer_text(answer, "}}"); /* sticky */
    return answer->failed ? cleat_err_set(err, answer->failed, "the answer can't be written") : 0;
}
