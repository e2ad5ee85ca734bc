/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One JSON Patch per configuration: a test of the resourceVersion, then one operation per caBundle
 * that differs. Nothing else of the configuration is touched, so that administrators may change the
 * rest.
 */
#include <errno.h>
#include <cleat/certs.h>
#include <cleat/write.h>
#include "base/limits.h"
#include "kube/base64.h"

#define INJECTOR_TRIES 3

static const struct cleat_resource injector_resources[] = {
    {.gvk = {"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"},
     .plural = "validatingwebhookconfigurations"},
    {.gvk = {"admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration"},
     .plural = "mutatingwebhookconfigurations"},
};

/* Appends the operations; returns how many bundles differ. */
static size_t injector_patch(const struct cleat_object *configuration, struct cleat_str bundle,
                             struct cleat_buffer *patch)
{
    size_t changes = 0;
    struct cleat_value hooks = cleat_object_find(configuration, "webhooks");
    (void)cleat_buffer_text(patch,
                            "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":");
    cleat_write_string(patch, cleat_object_resource_version(configuration));
    (void)cleat_buffer_byte(patch, '}'); /* sticky */
    for (size_t i = 0; i < cleat_value_count(hooks); i++) {
        struct cleat_value config = cleat_value_get(cleat_value_at(hooks, i), "clientConfig");
        if (cleat_value_type(config) != CLEAT_TYPE_OBJECT ||
            cleat_value_is_str(cleat_value_get(config, "caBundle"), bundle))
            continue;
        changes++;
        (void)cleat_buffer_format(
            patch,
            ",{\"op\":\"add\",\"path\":\"/webhooks/%zu/clientConfig/caBundle\",\"value\":", i);
        cleat_write_string(patch, bundle);
        (void)cleat_buffer_byte(patch, '}'); /* sticky */
    }
    (void)cleat_buffer_byte(patch, ']'); /* sticky */
    return changes;
}

static int injector_try(struct cleat_client *client, const struct cleat_client_target *target,
                        struct cleat_str bundle, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *configuration = NULL;
    struct cleat_buffer patch = CLEAT_BUFFER_INIT(CLEAT_OBJECT_BYTES_MAX);
    int r = cleat_client_get(client, target, NULL, &configuration, err);
    if (r < 0)
        return r;
    if (injector_patch(configuration, bundle, &patch) > 0)
        r = patch.failed ? cleat_err_set(err, patch.failed, "patch is too large")
                         : cleat_client_patch(client, target, CLEAT_PATCH_JSON,
                                              cleat_buffer_view(&patch), NULL, NULL, err);
    cleat_buffer_fini(&patch);
    return r;
}

int cleat_inject_ca(struct cleat_client *client, bool mutating, const char *name,
                    struct cleat_str ca_pem, struct cleat_err *err)
{
    struct cleat_buffer bundle = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_err local = CLEAT_ERR_INIT;
    struct cleat_client_target target = {.resource = &injector_resources[mutating], .name = name};
    int r = cleat_base64_encode(&bundle, ca_pem);
    for (int i = 0; r == 0 && i < INJECTOR_TRIES; i++) {
        cleat_err_clear(&local);
        r = injector_try(client, &target, cleat_buffer_view(&bundle), &local);
        /* A patch whose test failed (422) or that lost a race (409) is made anew. */
        bool raced = r == -EAGAIN || r == -EINVAL;
        if (!raced)
            break;
        if (i + 1 < INJECTOR_TRIES)
            r = 0;
    }
    cleat_buffer_fini(&bundle);
    if (r == -ENOENT)
        return 1;
    return r < 0 ? cleat_err_set(err, r, "caBundle of %s: %s", name, cleat_err_text(&local)) : 0;
}
