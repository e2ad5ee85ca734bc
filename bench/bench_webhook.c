/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A webhook server for an outside load generator: webhook --port N --cert FILE --key FILE. Serves
 * POST /validate--v1-pod, which denies a Pod with an image that ends in ":latest", and POST
 * /mutate--v1-pod, which adds the label example.com/defaulted: "true". Prints READY, ends with
 * SIGTERM or SIGINT.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cleat/server.h>

#define WEBHOOK_FILE_BYTES_MAX ((size_t)1 << 20)
#define WEBHOOK_LABEL "metadata.labels[\"example.com/defaulted\"]"

struct webhook_flags {
    const char *port;
    const char *cert;
    const char *key;
};

static void die(const char *what, const char *which)
{
    fprintf(stderr, "webhook: %s%s\n", what, which);
    exit(1);
}

static bool ends_with(struct cleat_str text, struct cleat_str end)
{
    return text.length >= end.length &&
           memcmp(text.data + text.length - end.length, end.data, end.length) == 0;
}

/* Denies for the first image of @containers that is ":latest"; true where it did. */
static bool deny_latest(struct cleat_value containers, struct cleat_verdict *verdict)
{
    for (size_t i = 0; i < cleat_value_count(containers); i++) {
        struct cleat_scratch scratch, name_scratch;
        struct cleat_value container = cleat_value_at(containers, i);
        struct cleat_str image = cleat_value_text(cleat_value_get(container, "image"), &scratch);
        if (!ends_with(image, CLEAT_STR(":latest")))
            continue;
        struct cleat_str name = cleat_value_text(cleat_value_get(container, "name"), &name_scratch);
        cleat_verdict_deny(verdict, 0, NULL, "container %.*s: image %.*s has no fixed version",
                           CLEAT_STR_ARG(name), CLEAT_STR_ARG(image));
        return true;
    }
    return false;
}

static int validate(void *arg, const struct cleat_review *review, struct cleat_verdict *verdict,
                    struct cleat_err *err)
{
    struct cleat_value spec = cleat_value_get(review->object, "spec");
    if (!deny_latest(cleat_value_get(spec, "containers"), verdict) &&
        !deny_latest(cleat_value_get(spec, "initContainers"), verdict))
        cleat_verdict_allow(verdict);
    return 0;
}

static int mutate(void *arg, const struct cleat_review *review, struct cleat_verdict *verdict,
                  struct cleat_err *err)
{
    struct cleat_draft *draft = NULL;
    int r = cleat_verdict_draft(verdict, review, &draft, err);
    if (r == 0)
        r = cleat_draft_set_text(draft, WEBHOOK_LABEL, "true", err);
    if (r == 0)
        cleat_verdict_patch(verdict, draft);
    return r;
}

static void add(struct cleat_webhooks *webhooks, enum cleat_webhook_type type, cleat_admit_fn admit)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_webhook_options options = {.type = type, .admit = admit, .check_kind = true};
    if (cleat_gvk_make(&options.kind, "", "v1", "Pod") != 0 ||
        cleat_webhooks_add(webhooks, &options, &err) != 0)
        die("webhook can't be added: ", err.text);
}

static void read_file(const char *path, struct cleat_buffer *buffer)
{
    FILE *file = fopen(path, "rbe");
    char *room = cleat_buffer_reserve(buffer, WEBHOOK_FILE_BYTES_MAX);
    if (!file || !room)
        die("can't be read: ", path);
    cleat_buffer_advance(buffer, fread(room, 1, WEBHOOK_FILE_BYTES_MAX, file));
    (void)fclose(file); /* only read from */
}

static void load_bundle(struct cleat_server *server, const struct webhook_flags *flags)
{
    struct cleat_buffer cert = CLEAT_BUFFER_INIT(WEBHOOK_FILE_BYTES_MAX);
    struct cleat_buffer key = CLEAT_BUFFER_INIT(WEBHOOK_FILE_BYTES_MAX);
    struct cleat_bundle *bundle = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    read_file(flags->cert, &cert);
    read_file(flags->key, &key);
    if (cleat_bundle_new(cleat_buffer_view(&cert), cleat_buffer_view(&key), CLEAT_STR(""), &bundle,
                         &err) != 0)
        die("certificate: ", err.text);
    cleat_server_set_bundle(server, bundle);
    (void)cleat_bundle_unref(bundle); /* always NULL */
    cleat_buffer_fini(&cert);
    cleat_buffer_fini(&key);
}

static void flags_parse(struct webhook_flags *flags, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], "--port") == 0)
            flags->port = argv[i + 1];
        else if (strcmp(argv[i], "--cert") == 0)
            flags->cert = argv[i + 1];
        else if (strcmp(argv[i], "--key") == 0)
            flags->key = argv[i + 1];
    if (!flags->port || !flags->cert || !flags->key) {
        fprintf(stderr, "usage: webhook --port N --cert FILE --key FILE\n");
        exit(2);
    }
}

static void wait_for_end(void)
{
    sigset_t ends;
    int signal = 0;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &ends, NULL); /* none of these can fail */
    (void)sigwait(&ends, &signal);
}

int main(int argc, char **argv)
{
    struct webhook_flags flags = {0};
    struct cleat_webhooks_options options = {.clock = cleat_clock_system()};
    struct cleat_webhooks *webhooks = NULL;
    struct cleat_server *server = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    char bind[64];
    flags_parse(&flags, argc, argv);
    if (cleat_metrics_new(&options.metrics) != 0 ||
        cleat_webhooks_new(&options, &webhooks, &err) != 0)
        die("can't be set up: ", err.text);
    add(webhooks, CLEAT_WEBHOOK_VALIDATING, validate);
    add(webhooks, CLEAT_WEBHOOK_MUTATING, mutate);
    (void)snprintf(bind, sizeof(bind), ":%s", flags.port); /* a cut one is refused */
    const struct cleat_server_options server_options = {
        .name = "webhook", .bind = bind, .tls = true, .webhooks = webhooks};
    if (cleat_server_new(&server_options, &server, &err) != 0)
        die("", err.text);
    load_bundle(server, &flags);
    if (cleat_server_start(server, &err) != 0)
        die("", err.text);
    printf("READY\n");
    (void)fflush(stdout); /* nobody reads it, then */
    wait_for_end();
    cleat_server_stop(server);
    (void)cleat_server_join(server, 5000); /* the process ends anyway */
    return 0;
}
