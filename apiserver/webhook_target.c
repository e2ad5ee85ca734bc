/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a webhook is. A cluster has a network in which a Service's name leads somewhere; here a
 * Service of type ExternalName says where, or the Endpoints of its name.
 */
#include <cleat/path.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apiserver/webhook.h"
#include "base/limits.h"
#include "base/mem.h"
#include "kube/base64.h"

#define TARGET_PORT 443

void cleat_api_webhook_target_fini(struct cleat_api_webhook_target *target)
{
    cleat_mem_free(target->origin);
    cleat_mem_free(target->path);
    cleat_mem_free(target->server_name);
    cleat_mem_free(target->ca_pem);
    cleat_mem_free(target->display);
    *target = (struct cleat_api_webhook_target){0};
}

static int target_bundle(struct cleat_value client, struct cleat_api_webhook_target *target,
                         struct cleat_err *err)
{
    struct cleat_scratch scratch;
    struct cleat_buffer pem = CLEAT_BUFFER_INIT(CLEAT_MIB);
    struct cleat_str text = cleat_value_text(cleat_value_get(client, "caBundle"), &scratch);
    if (!text.length)
        return 0;
    int result = cleat_base64_decode(&pem, text, NULL);
    if (result == 0 && (!pem.length || !strstr(pem.data, "-----BEGIN CERTIFICATE-----")))
        result = -EINVAL;
    if (result == 0)
        target->ca_pem = cleat_buffer_take(&pem);
    cleat_buffer_fini(&pem);
    return result == 0 && target->ca_pem
               ? 0
               : cleat_err_set(err, result ? result : -ENOMEM,
                               "unable to load root certificates: unable to parse bytes as PEM "
                               "block");
}

static int target_url(struct cleat_str url, struct cleat_api_webhook_target *target,
                      struct cleat_err *err)
{
    size_t scheme = strlen("https://");
    if (url.length <= scheme || memcmp(url.data, "https://", scheme) != 0)
        return cleat_err_set(err, -EINVAL, "'https' is the only allowed URL scheme");
    const char *slash = memchr(url.data + scheme, '/', url.length - scheme);
    size_t origin = slash ? (size_t)(slash - url.data) : url.length;
    target->origin = cleat_mem_strndup(url.data, origin);
    target->path = slash ? cleat_mem_strndup(slash, url.length - origin) : cleat_mem_strdup("/");
    return target->origin && target->path ? 0 : -ENOMEM;
}

static struct cleat_document *target_get(struct cleat_api_server *server, const char *plural,
                                         struct cleat_str namespace_, struct cleat_str name)
{
    struct cleat_document *document = NULL;
    struct cleat_api_resource *resource =
        cleat_api_registry_find(&server->registry, CLEAT_STR(""), cleat_str_of(plural));
    struct cleat_api_record *record =
        resource ? cleat_api_registry_get(&server->registry, resource, namespace_, name) : NULL;
    if (record && cleat_api_record_document(record, &document, NULL) != 0)
        document = NULL;
    (void)cleat_api_record_unref(record);
    (void)cleat_api_resource_unref(resource);
    return document;
}

/* The port where @port of a Service leads. */
static int64_t target_port(struct cleat_value service, int64_t port)
{
    struct cleat_value ports = cleat_value_find(service, "spec.ports");
    for (size_t i = 0; i < cleat_value_count(ports); i++) {
        struct cleat_value item = cleat_value_at(ports, i);
        if (cleat_value_int_or(cleat_value_get(item, "port"), 0) == port)
            return cleat_value_int_or(cleat_value_get(item, "targetPort"), port);
    }
    return port;
}

static char *target_endpoint(struct cleat_value endpoints)
{
    struct cleat_scratch scratch;
    struct cleat_value subset = cleat_value_find(endpoints, "subsets[0]");
    struct cleat_str ip = cleat_value_text(cleat_value_find(subset, "addresses[0].ip"), &scratch);
    int64_t port = cleat_value_int_or(cleat_value_find(subset, "ports[0].port"), TARGET_PORT);
    bool six = ip.length && memchr(ip.data, ':', ip.length);
    return ip.length ? cleat_mem_format("https://%s%.*s%s:%lld", six ? "[" : "", CLEAT_STR_ARG(ip),
                                        six ? "]" : "", (long long)port)
                     : NULL;
}

static int target_resolve(struct cleat_api_server *server, struct cleat_str namespace_,
                          struct cleat_str name, int64_t port,
                          struct cleat_api_webhook_target *target, struct cleat_err *err)
{
    struct cleat_scratch scratch;
    struct cleat_document *service = target_get(server, "services", namespace_, name);
    struct cleat_document *endpoints = target_get(server, "endpoints", namespace_, name);
    struct cleat_value root = service ? cleat_document_root(service) : CLEAT_VALUE_NONE;
    struct cleat_str external =
        cleat_value_text(cleat_value_find(root, "spec.externalName"), &scratch);
    if (external.length)
        target->origin = cleat_mem_format("https://%.*s:%lld", CLEAT_STR_ARG(external),
                                          (long long)target_port(root, port));
    else if (endpoints)
        target->origin = target_endpoint(cleat_document_root(endpoints));
    int result = 0;
    if (!target->origin && service)
        result = cleat_err_set(err, -ENOENT,
                               "Post \"%s\": no endpoints available for service "
                               "\"%.*s\"",
                               target->display, CLEAT_STR_ARG(name));
    else if (!target->origin)
        result = cleat_err_set(err, -ENOENT, "Post \"%s\": service \"%.*s\" not found",
                               target->display, CLEAT_STR_ARG(name));
    (void)cleat_document_unref(service);
    (void)cleat_document_unref(endpoints);
    return result;
}

static int target_service(struct cleat_api_server *server, struct cleat_value service,
                          long long timeout_s, struct cleat_api_webhook_target *target,
                          struct cleat_err *err)
{
    struct cleat_scratch scratch[3];
    struct cleat_str namespace_ =
        cleat_value_text(cleat_value_get(service, "namespace"), &scratch[0]);
    struct cleat_str name = cleat_value_text(cleat_value_get(service, "name"), &scratch[1]);
    struct cleat_str path = cleat_value_text(cleat_value_get(service, "path"), &scratch[2]);
    int64_t port = cleat_value_int_or(cleat_value_get(service, "port"), TARGET_PORT);
    target->path = cleat_mem_format("%s%.*s", path.length && path.data[0] == '/' ? "" : "/",
                                    CLEAT_STR_ARG(path));
    target->server_name =
        cleat_mem_format("%.*s.%.*s.svc", CLEAT_STR_ARG(name), CLEAT_STR_ARG(namespace_));
    if (!target->path || !target->server_name)
        return -ENOMEM;
    target->display = cleat_mem_format("https://%s:%lld%s?timeout=%llds", target->server_name,
                                       (long long)port, target->path, timeout_s);
    return target->display ? target_resolve(server, namespace_, name, port, target, err) : -ENOMEM;
}

int cleat_api_webhook_target_init(struct cleat_api_server *server, struct cleat_value hook,
                                  struct cleat_api_webhook_target *target, struct cleat_err *err)
{
    struct cleat_scratch scratch;
    struct cleat_value client = cleat_value_get(hook, "clientConfig");
    struct cleat_value service = cleat_value_get(client, "service");
    struct cleat_str url = cleat_value_text(cleat_value_get(client, "url"), &scratch);
    long long timeout_s = cleat_value_int_or(cleat_value_get(hook, "timeoutSeconds"), 10);
    *target = (struct cleat_api_webhook_target){0};
    int result = target_bundle(client, target, err);
    if (result == 0 && url.length) {
        result = target_url(url, target, err);
        target->display = cleat_mem_format("%.*s?timeout=%llds", CLEAT_STR_ARG(url), timeout_s);
        result = target->display ? result : -ENOMEM;
    } else if (result == 0)
        result = target_service(server, service, timeout_s, target, err);
    if (result != 0)
        cleat_api_webhook_target_fini(target);
    return result;
}
