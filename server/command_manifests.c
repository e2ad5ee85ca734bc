/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the install manifests, for kubectl apply. */
#include <errno.h>
#include <string.h>
#include "base/limits.h"
#include "kube/yaml.h"
#include "server/command.h"
#include "server/manifests.h"

struct command_manifests_options {
    bool crds;
    char *namespace_;
    char *image;
    int64_t replicas;
    char *webhook_url;
    char *certs;
    bool service_monitor;
    char **kinds;
    char **allow_kind;
};

#define FLAG(name, type, field) \
    (name), CLEAT_FLAG_##type, offsetof(struct command_manifests_options, field)

static const char *const manifests_certs[] = {"self", "cert-manager", NULL};

static const struct cleat_flag manifests_flags[] = {
    {FLAG("crds", BOOL, crds), "false", NULL, NULL, "the CRDs alone", true},
    {FLAG("kinds", LIST, kinds), "Secret,ConfigMap", NULL, "KINDS", "kinds that may be mirrored",
     true},
    {FLAG("allow-kind", LIST, allow_kind), NULL, NULL, "KIND[.GROUP]",
     "a further kind; GROUP/KIND is fine too; may be repeated", true},
    {FLAG("namespace", TEXT, namespace_), "cleat-system", NULL, "NAME", "where it's installed",
     true},
    {FLAG("image", TEXT, image), NULL, NULL, "IMAGE", "container image", true},
    {FLAG("replicas", NUMBER, replicas), "2", NULL, "N", "replicas of the Deployment", true},
    {FLAG("webhook-url", TEXT, webhook_url), NULL, NULL, "URL",
     "base URL of the webhooks instead of the Service", true},
    {FLAG("certs", TEXT, certs), "self", manifests_certs, "WHO", "self or cert-manager", true},
    {FLAG("service-monitor", BOOL, service_monitor), "false", NULL, NULL,
     "with a ServiceMonitor for the Prometheus operator", true},
    {.name = NULL},
};

/* Kinds whose source may start pods in every target namespace. */
static const char *const manifests_pod_kinds[] = {"deployments", "statefulsets",
                                                  "daemonsets",  "replicasets",
                                                  "cronjobs",    "replicationcontrollers"};

static void manifests_warn(char *const *kinds)
{
    char group[CLEAT_KIND_NAME_BYTES];
    char plural[CLEAT_KIND_NAME_BYTES];
    for (size_t i = 0; kinds && kinds[i]; i++) {
        if (cleat_manifests_kind(kinds[i], group, plural, NULL) < 0)
            continue;
        for (size_t j = 0; j < sizeof(manifests_pod_kinds) / sizeof(manifests_pod_kinds[0]); j++)
            if (strcmp(plural, manifests_pod_kinds[j]) == 0)
                fprintf(
                    stderr,
                    "cleat manifests: warning: %s runs pods: whoever may change the source of a "
                    "Mirror then runs code in every target namespace\n",
                    kinds[i]);
    }
}

static int manifests_print(void *arg, struct cleat_value object, struct cleat_err *err)
{
    struct cleat_buffer *text = arg;
    if (text->length > 0)
        (void)cleat_buffer_text(text, "---\n"); /* sticky */
    return cleat_yaml_write(text, object, err);
}

static int manifests_run(void *arg, uint64_t given)
{
    struct command_manifests_options *command = arg;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(4 * CLEAT_MIB);
    struct cleat_manifests_options options = {
        .crds = command->crds,
        .namespace_ = command->namespace_,
        .image = command->image,
        .replicas = command->replicas,
        .webhook_url = command->webhook_url,
        .cert_manager = strcmp(command->certs, "cert-manager") == 0,
        .service_monitor = command->service_monitor,
        .kinds = command->kinds,
        .more_kinds = command->allow_kind,
    };
    int status = CLEAT_EXIT_FAILURE;
    manifests_warn(command->kinds);
    manifests_warn(command->allow_kind);
    int r = cleat_manifests_each(&options, manifests_print, &text, &err);
    if (r < 0)
        status = cleat_command_fail(&cleat_command_manifests,
                                    r == -EINVAL ? CLEAT_EXIT_USAGE : CLEAT_EXIT_FAILURE, &err);
    else
        status = cleat_command_print(&text);
    cleat_buffer_fini(&text);
    return status;
}

const struct cleat_command cleat_command_manifests = {
    .name = "manifests",
    .summary = "prints the install manifests, for kubectl apply -f -",
    .flags = manifests_flags,
    .options_size = sizeof(struct command_manifests_options),
    .run = manifests_run,
};
