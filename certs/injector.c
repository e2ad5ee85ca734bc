/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One JSON Patch per object: a test of the resourceVersion, then one operation per caBundle that
 * differs. Nothing else is touched, so that administrators may change the rest; a webhook that
 * leads elsewhere is somebody else's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cleat/write.h>
#include "base/limits.h"
#include "base/mem.h"
#include "certs/injector.h"
#include "kube/base64.h"

#define INJECTOR_TRIES 3

static const struct cleat_resource injector_resources[] = {
    [CLEAT_CA_VALIDATING] = {.gvk = {"admissionregistration.k8s.io", "v1",
                                     "ValidatingWebhookConfiguration"},
                             .plural = "validatingwebhookconfigurations",
                             .singular = "validatingwebhookconfiguration"},
    [CLEAT_CA_MUTATING] = {.gvk = {"admissionregistration.k8s.io", "v1",
                                   "MutatingWebhookConfiguration"},
                           .plural = "mutatingwebhookconfigurations",
                           .singular = "mutatingwebhookconfiguration"},
    [CLEAT_CA_CONVERSION] = {.gvk = {"apiextensions.k8s.io", "v1", "CustomResourceDefinition"},
                             .plural = "customresourcedefinitions",
                             .singular = "customresourcedefinition"},
};

const struct cleat_resource *cleat_injection_resource(enum cleat_ca_target_kind kind)
{
    return &injector_resources[kind];
}

/* "https://a/b" leads to "https://a/b", "https://a/b/c" and "https://a/b?c", not to "https://a/bc".
 */
static bool injector_leads_to(struct cleat_str url, struct cleat_str base)
{
    while (base.length > 0 && base.data[base.length - 1] == '/')
        base.length--;
    if (base.length == 0 || url.length < base.length ||
        memcmp(url.data, base.data, base.length) != 0)
        return false;
    return url.length == base.length || strchr("/?", url.data[base.length]) != NULL;
}

static bool injector_is_ours(struct cleat_value config, const struct cleat_ca_owner *owner)
{
    struct cleat_scratch scratch;
    if (cleat_value_type(config) != CLEAT_TYPE_OBJECT)
        return false;
    if (!owner || (!owner->service && !owner->url))
        return true;
    struct cleat_value service = cleat_value_get(config, "service");
    if (owner->service && cleat_value_is(cleat_value_get(service, "name"), owner->service) &&
        cleat_value_is(cleat_value_get(service, "namespace"), owner->namespace_))
        return true;
    struct cleat_str url = cleat_value_text(cleat_value_get(config, "url"), &scratch);
    return owner->url && injector_leads_to(url, cleat_str_of(owner->url));
}

/* The CAs in @hook; most have what the one before has, and reading is dear. */
static void injector_read_trust(const struct cleat_injection *injection,
                                struct cleat_injection_hook *hook)
{
    const struct cleat_injection_hook *before = injection->count > 1 ? hook - 1 : NULL;
    struct cleat_str pem = cleat_buffer_view(&hook->pem);
    if (before && cleat_str_equal(pem, cleat_buffer_view(&before->pem)))
        cleat_trust_add_from(&hook->trust, &before->trust, 0, CLEAT_X509_ANY_TIME);
    else
        cleat_trust_add(&hook->trust, pem, CLEAT_X509_ANY_TIME);
}

static int injector_read_bundle(const struct cleat_injection *injection, struct cleat_value config,
                                struct cleat_injection_hook *hook)
{
    struct cleat_scratch scratch;
    struct cleat_value value = cleat_value_get(config, "caBundle");
    struct cleat_str text = cleat_value_text(value, &scratch);
    hook->there = text.length > 0;
    int r = cleat_base64_decode(&hook->pem, text, NULL);
    if (r < 0)
        cleat_buffer_reset(&hook->pem);
    injector_read_trust(injection, hook);
    return r == -ENOMEM ? r : 0;
}

static struct cleat_injection_hook *injector_hook(struct cleat_injection *injection)
{
    struct cleat_injection_hook *hook = &injection->hooks[injection->count++];
    cleat_buffer_init(&hook->pem, CLEAT_MIB);
    cleat_buffer_init(&hook->wanted, CLEAT_MIB);
    return hook;
}

static int injector_read_hooks(struct cleat_injection *injection,
                               const struct cleat_ca_owner *owner)
{
    struct cleat_value hooks = cleat_object_find(injection->object, "webhooks");
    int r = 0;
    injection->hooks = cleat_mem_zalloc(cleat_value_count(hooks) + 1, sizeof(*injection->hooks));
    if (!injection->hooks)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < cleat_value_count(hooks); i++) {
        struct cleat_value config = cleat_value_get(cleat_value_at(hooks, i), "clientConfig");
        if (!injector_is_ours(config, owner))
            continue;
        struct cleat_injection_hook *hook = injector_hook(injection);
        (void)snprintf(hook->path, sizeof(hook->path), "/webhooks/%zu/clientConfig/caBundle", i);
        r = injector_read_bundle(injection, config, hook);
    }
    return r;
}

static int injector_read_conversion(struct cleat_injection *injection,
                                    const struct cleat_ca_owner *owner)
{
    struct cleat_value config =
        cleat_object_find(injection->object, "spec.conversion.webhook.clientConfig");
    injection->hooks = cleat_mem_zalloc(1, sizeof(*injection->hooks));
    if (!injection->hooks)
        return -ENOMEM;
    if (!injector_is_ours(config, owner))
        return 0;
    struct cleat_injection_hook *hook = injector_hook(injection);
    (void)snprintf(hook->path, sizeof(hook->path),
                   "/spec/conversion/webhook/clientConfig/caBundle");
    return injector_read_bundle(injection, config, hook);
}

int cleat_injection_read(struct cleat_client *client, const struct cleat_ca_target *target,
                         const struct cleat_ca_owner *owner, struct cleat_injection *ret,
                         struct cleat_err *err)
{
    struct cleat_err local = CLEAT_ERR_INIT;
    const struct cleat_client_target where = {.resource = cleat_injection_resource(target->kind),
                                              .name = target->name};
    *ret = (struct cleat_injection){.target = target};
    int r = cleat_client_get(client, &where, NULL, &ret->object, &local);
    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = target->kind == CLEAT_CA_CONVERSION ? injector_read_conversion(ret, owner)
                                                : injector_read_hooks(ret, owner);
    return r < 0 ? cleat_err_set(err, r, "caBundle of %s: %s", target->name,
                                 local.code ? cleat_err_text(&local) : "out of memory")
                 : 0;
}

void cleat_injection_fini(struct cleat_injection *injection)
{
    for (size_t i = 0; i < injection->count; i++) {
        cleat_trust_fini(&injection->hooks[i].trust);
        cleat_buffer_fini(&injection->hooks[i].pem);
        cleat_buffer_fini(&injection->hooks[i].wanted);
    }
    injection->count = 0;
    injection->hooks = cleat_mem_free(injection->hooks);
    injection->object = cleat_object_unref(injection->object);
}

static bool injector_differs(const struct cleat_injection_hook *hook)
{
    return hook->wanted.length > 0 &&
           !cleat_str_equal(cleat_buffer_view(&hook->pem), cleat_buffer_view(&hook->wanted));
}

static int injector_add_operation(struct cleat_buffer *patch,
                                  const struct cleat_injection_hook *hook)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(2 * CLEAT_MIB);
    int r = cleat_base64_encode(&text, cleat_buffer_view(&hook->wanted));
    if (r == 0) {
        (void)cleat_buffer_format(patch, ",{\"op\":\"add\",\"path\":\"%s\",\"value\":", hook->path);
        cleat_write_string(patch, cleat_buffer_view(&text));
        r = cleat_buffer_byte(patch, '}');
    }
    cleat_buffer_fini(&text);
    return r;
}

/* Appends the operations; how many, or negative. */
static int injector_patch(const struct cleat_injection *injection, struct cleat_buffer *patch)
{
    int changes = 0;
    int r = 0;
    (void)cleat_buffer_text(patch,
                            "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":");
    cleat_write_string(patch, cleat_object_resource_version(injection->object));
    (void)cleat_buffer_byte(patch, '}'); /* sticky */
    for (size_t i = 0; r == 0 && i < injection->count; i++) {
        if (!injector_differs(&injection->hooks[i]))
            continue;
        changes++;
        r = injector_add_operation(patch, &injection->hooks[i]);
    }
    (void)cleat_buffer_byte(patch, ']'); /* sticky */
    if (r == 0)
        r = patch->failed;
    return r < 0 ? r : changes;
}

int cleat_injection_write(struct cleat_client *client, const struct cleat_injection *injection,
                          struct cleat_err *err)
{
    const struct cleat_ca_target *target = injection->target;
    const struct cleat_client_target where = {.resource = cleat_injection_resource(target->kind),
                                              .name = target->name};
    struct cleat_err local = CLEAT_ERR_INIT;
    struct cleat_buffer patch = CLEAT_BUFFER_INIT(CLEAT_OBJECT_BYTES_MAX);
    int r = injection->object ? injector_patch(injection, &patch) : 0;
    if (r < 0)
        r = cleat_err_set(&local, r, "the patch is too large");
    if (r > 0) {
        r = cleat_client_patch(client, &where, CLEAT_PATCH_JSON, cleat_buffer_view(&patch), NULL,
                               NULL, &local);
        /* A patch whose test failed (422), or of something that was removed meanwhile. */
        if (r == -EINVAL || r == -ENOENT)
            r = -EAGAIN;
        r = r < 0 ? r : 1;
    }
    cleat_buffer_fini(&patch);
    return r < 0 ? cleat_err_set(err, r, "caBundle of %s: %s", target->name, cleat_err_text(&local))
                 : r;
}

/* 0 done, 1 not there, negative. */
static int injector_try(struct cleat_client *client, const struct cleat_ca_target *target,
                        const struct cleat_ca_owner *owner, struct cleat_str ca_pem,
                        struct cleat_err *err)
{
    struct cleat_injection injection;
    int r = cleat_injection_read(client, target, owner, &injection, err);
    bool missing = r == 0 && !injection.object;
    for (size_t i = 0; r == 0 && i < injection.count; i++)
        r = cleat_buffer_str(&injection.hooks[i].wanted, ca_pem);
    if (r == 0)
        r = cleat_injection_write(client, &injection, err);
    cleat_injection_fini(&injection);
    return r < 0 ? r : missing;
}

int cleat_inject_ca(struct cleat_client *client, const struct cleat_ca_target *target,
                    const struct cleat_ca_owner *owner, struct cleat_str ca_pem,
                    struct cleat_err *err)
{
    struct cleat_err local = CLEAT_ERR_INIT;
    int r = -EAGAIN;
    for (int i = 0; i < INJECTOR_TRIES && r == -EAGAIN; i++) {
        cleat_err_clear(&local);
        r = injector_try(client, target, owner, ca_pem, &local);
    }
    return r < 0 ? cleat_err_set(err, r, "%s", cleat_err_text(&local)) : r;
}
