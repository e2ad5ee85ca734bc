/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "server/story.h"

#define MIRROR "registry-credentials"
#define COPY(namespace)               \
    (const struct cleat_demo_place)   \
    {                                 \
        "Secret", (namespace), MIRROR \
    }

/* "hunter2" and "correct-horse" in base64. */
#define FIRST_PASSWORD "aHVudGVyMg=="
#define SECOND_PASSWORD "Y29ycmVjdC1ob3JzZQ=="

static void story_note(struct cleat_demo *demo, const char *text)
{
    (void)cleat_buffer_format(&demo->note, "%s\n", text); /* sticky */
}

static int story_namespace(struct cleat_demo *demo, const char *name, bool team,
                           struct cleat_err *err)
{
    return cleat_demo_create(
        demo, "Namespace", err,
        "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\","
        "\"labels\":{%s}}}",
        name, team ? "\"team\":\"true\"" : "");
}

static int story_copy_holds(struct cleat_demo *demo, const char *namespace_, const char *password,
                            struct cleat_err *err)
{
    struct cleat_demo_place copy = COPY(namespace_);
    return cleat_demo_wait(demo, &copy, "data.password", password, err);
}

static int story_up(struct cleat_demo *demo, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *namespace_ = NULL;
    int r = cleat_demo_get(demo, "Namespace", NULL, "cleat-system", &namespace_, err);
    if (r == 0)
        (void)cleat_buffer_format(&demo->note, "a Kubernetes API in memory at %s\n",
                                  cleat_apiserver_url(demo->apiserver)); /* sticky */
    return r;
}

static int story_configuration(struct cleat_demo *demo, const char *kind, const char *name,
                               struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *object = NULL;
    int r = cleat_demo_get(demo, kind, NULL, name, &object, err);
    if (r < 0)
        return r;
    struct cleat_value bundle = cleat_object_find(object, "webhooks[0].clientConfig.caBundle");
    if (cleat_value_type(bundle) != CLEAT_TYPE_STRING)
        return cleat_err_set(err, -ENOENT, "%s %s has no caBundle", kind, name);
    return 0;
}

static int story_ready(struct cleat_demo *demo, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *secret = NULL;
    int r = cleat_demo_serve(demo, err);
    if (r == 0)
        r = cleat_demo_wait_http(demo, demo->health_port, "/readyz", err);
    if (r == 0)
        r = cleat_demo_get(demo, "Secret", "cleat-system", "cleat-webhook-cert", &secret, err);
    if (r == 0)
        r = story_configuration(demo, "MutatingWebhookConfiguration", "cleat-mutating", err);
    if (r == 0)
        r = story_configuration(demo, "ValidatingWebhookConfiguration", "cleat-validating", err);
    if (r == 0)
        (void)cleat_buffer_format(
            &demo->note,
            "cleat serve is process %d; it made its certificate and put its CA "
            "into the webhook configurations\n",
            (int)demo->server); /* sticky */
    return r;
}

static int story_source(struct cleat_demo *demo, struct cleat_err *err)
{
    int r = story_namespace(demo, "platform", false, err);
    if (r == 0)
        r = story_namespace(demo, "team-a", true, err);
    if (r == 0)
        r = story_namespace(demo, "team-b", true, err);
    if (r == 0)
        r = story_namespace(demo, "other", false, err);
    if (r == 0)
        r = cleat_demo_create(
            demo, "Secret", err,
            "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"" MIRROR
            "\",\"namespace\":\"platform\"},\"data\":{\"password\":\"" FIRST_PASSWORD "\"}}");
    return r;
}

static int story_mirror(struct cleat_demo *demo, struct cleat_err *err)
{
    struct cleat_demo_place mirror = {"Mirror", NULL, MIRROR};
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *none = NULL;
    int r = story_source(demo, err);
    if (r == 0)
        r = cleat_demo_create(
            demo, "Mirror", err,
            "{\"apiVersion\":\"cleat.dev/"
            "v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"" MIRROR
            "\"},\"spec\":{\"source\":{\"kind\":\"Secret\",\"namespace\":\"platform\",\"name\":"
            "\"" MIRROR
            "\"},\"targets\":{\"namespaceSelector\":{\"matchLabels\":{\"team\":\"true\"}}}}}");
    if (r == 0)
        r = story_copy_holds(demo, "team-a", FIRST_PASSWORD, err);
    if (r == 0)
        r = story_copy_holds(demo, "team-b", FIRST_PASSWORD, err);
    if (r == 0)
        r = cleat_demo_wait(demo, &mirror, "status.ready", "2", err);
    if (r < 0)
        return r;
    if (cleat_demo_get(demo, "Secret", "other", MIRROR, &none, NULL) != -ENOENT)
        return cleat_err_set(err, -EEXIST, "namespace other has a copy, though it isn't selected");
    story_note(demo, "copies in team-a and team-b, none in other; the Mirror says ready: 2");
    return 0;
}

static int story_new_namespace(struct cleat_demo *demo, struct cleat_err *err)
{
    int r = story_namespace(demo, "team-c", true, err);
    if (r == 0)
        r = story_copy_holds(demo, "team-c", FIRST_PASSWORD, err);
    if (r == 0)
        story_note(demo, "team-c has its copy");
    return r;
}

static int story_change(struct cleat_demo *demo, struct cleat_err *err)
{
    int r = cleat_demo_patch(demo, "Secret", "platform", MIRROR,
                             "{\"data\":{\"password\":\"" SECOND_PASSWORD "\"}}", err);
    if (r == 0)
        r = story_copy_holds(demo, "team-a", SECOND_PASSWORD, err);
    if (r == 0)
        r = story_copy_holds(demo, "team-b", SECOND_PASSWORD, err);
    if (r == 0)
        r = story_copy_holds(demo, "team-c", SECOND_PASSWORD, err);
    if (r == 0)
        story_note(demo, "all three copies hold the new password");
    return r;
}

/* Expects that @result is a denial by a webhook, and tells its words. */
static int story_denied(struct cleat_demo *demo, int result, const struct cleat_err *denial,
                        struct cleat_err *err)
{
    if (result >= 0)
        return cleat_err_set(err, -EPROTO, "the request was allowed");
    if (!strstr(cleat_err_text(denial), "denied the request")) {
        *err = *denial;
        return result;
    }
    story_note(demo, cleat_err_text(denial));
    return 0;
}

static int story_wrong_mirror(struct cleat_demo *demo, struct cleat_err *err)
{
    struct cleat_err denial = CLEAT_ERR_INIT;
    int r = cleat_demo_create(
        demo, "Mirror", &denial,
        "{\"apiVersion\":\"cleat.dev/"
        "v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"wrong\"},"
        "\"spec\":{\"source\":{\"kind\":\"Secrt\",\"namespace\":\"platform\",\"name\":\"" MIRROR
        "\"},\"targets\":{\"namespaces\":[\"other\"]}}}");
    return story_denied(demo, r, &denial, err);
}

static int story_hand_edit(struct cleat_demo *demo, struct cleat_err *err)
{
    struct cleat_err denial = CLEAT_ERR_INIT;
    int r = cleat_demo_patch(demo, "Secret", "team-a", MIRROR,
                             "{\"data\":{\"password\":\"" FIRST_PASSWORD "\"}}", &denial);
    return story_denied(demo, r, &denial, err);
}

static int story_repair(struct cleat_demo *demo, struct cleat_err *err)
{
    struct cleat_demo_place copy = COPY("team-a");
    cleat_demo_kill(demo, SIGKILL);
    int r = cleat_demo_patch(demo, "Secret", "team-a", MIRROR, "{\"data\":{\"password\":\"AAAA\"}}",
                             err);
    if (r == 0)
        r = cleat_demo_wait(demo, &copy, "data.password", "AAAA", err);
    if (r == 0)
        r = cleat_demo_serve(demo, err);
    if (r == 0)
        r = story_copy_holds(demo, "team-a", SECOND_PASSWORD, err);
    if (r == 0)
        r = cleat_demo_wait_http(demo, demo->health_port, "/readyz", err);
    if (r == 0)
        story_note(demo,
                   "killed with -9, the copy damaged meanwhile, started again: the copy is as it "
                   "should be");
    return r;
}

static int story_leave(struct cleat_demo *demo, struct cleat_err *err)
{
    struct cleat_demo_place copy = COPY("team-b");
    int r = cleat_demo_patch(demo, "Namespace", NULL, "team-b",
                             "{\"metadata\":{\"labels\":{\"team\":null}}}", err);
    if (r == 0)
        r = cleat_demo_wait(demo, &copy, NULL, NULL, err);
    if (r == 0)
        story_note(demo, "team-b has lost its copy, the others keep theirs");
    return r == 0 ? story_copy_holds(demo, "team-a", SECOND_PASSWORD, err) : r;
}

static int story_delete(struct cleat_demo *demo, struct cleat_err *err)
{
    struct cleat_demo_place first = COPY("team-a");
    struct cleat_demo_place second = COPY("team-c");
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *source = NULL;
    int r = cleat_demo_delete(demo, "Mirror", NULL, MIRROR, err);
    if (r == 0)
        r = cleat_demo_wait(demo, &first, NULL, NULL, err);
    if (r == 0)
        r = cleat_demo_wait(demo, &second, NULL, NULL, err);
    if (r == 0)
        r = cleat_demo_get(demo, "Secret", "platform", MIRROR, &source, err);
    if (r == 0)
        story_note(demo, "the garbage collector took all copies; the source is untouched");
    return r;
}

/* Adds the lines of @text that begin with one of the prefixes, but those that count nothing yet. */
static void story_metric_lines(struct cleat_demo *demo, const char *text)
{
    static const char *const wanted[] = {"controller_runtime_reconcile_total{",
                                         "cleat_admission_decisions_total{",
                                         "leader_election_master_status{"};
    for (const char *line = text; line && *line;) {
        size_t length = strcspn(line, "\n");
        bool nothing = length > 2 && strncmp(line + length - 2, " 0", 2) == 0;
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
            if (!nothing && strncmp(line, wanted[i], strlen(wanted[i])) == 0)
                (void)cleat_buffer_format(&demo->note, "%.*s\n", (int)length, line); /* sticky */
        line += length;
        line += *line == '\n';
    }
}

static int story_health(struct cleat_demo *demo, struct cleat_err *err)
{
    struct cleat_buffer body = CLEAT_BUFFER_INIT(1 << 20);
    int status = cleat_demo_http(demo->health_port, "/readyz?verbose", &body, err);
    if (status > 0 && status != 200)
        status = cleat_err_set(err, -EPROTO, "/readyz answers %d", status);
    if (status > 0)
        (void)cleat_buffer_str(&demo->note, cleat_buffer_view(&body)); /* sticky */
    cleat_buffer_reset(&body);
    if (status > 0)
        status = cleat_demo_http(demo->metrics_port, "/metrics", &body, err);
    if (status > 0 &&
        (status != 200 || !body.data || !strstr(body.data, "controller_runtime_reconcile_total")))
        status = cleat_err_set(err, -EPROTO, "/metrics answers %d", status);
    if (status > 0)
        story_metric_lines(demo, body.data);
    cleat_buffer_fini(&body);
    return status < 0 ? status : 0;
}

const struct cleat_story_step cleat_story[] = {
    {"the embedded API server is up", "kubectl get namespaces", story_up},
    {"the server is ready",
     "kubectl get secret cleat-webhook-cert --namespace cleat-system\n"
     "kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations",
     story_ready},
    {"a Secret and a Mirror give copies in every selected namespace",
     "kubectl create namespace platform\n"
     "kubectl create secret generic registry-credentials --namespace platform "
     "--from-literal=password=hunter2\n"
     "kubectl create namespace team-a\n"
     "kubectl label namespace team-a team=true\n"
     "kubectl create namespace team-b\n"
     "kubectl label namespace team-b team=true\n"
     "kubectl create namespace other\n"
     "kubectl apply --validate=false -f examples/mirror.yaml\n"
     "kubectl get secret registry-credentials --namespace team-a",
     story_mirror},
    {"a new matching namespace gets its copy",
     "kubectl create namespace team-c\n"
     "kubectl label namespace team-c team=true",
     story_new_namespace},
    {"the source changes and the copies follow",
     "kubectl patch secret registry-credentials --namespace platform --type merge "
     "--patch '{\"data\":{\"password\":\"Y29ycmVjdC1ob3JzZQ==\"}}'",
     story_change},
    {"a wrong Mirror is denied", "kubectl apply --validate=false -f examples/mirror-wrong.yaml",
     story_wrong_mirror},
    {"a hand edit of a copy is denied",
     "kubectl patch secret registry-credentials --namespace team-a --type merge "
     "--patch '{\"data\":{\"password\":\"aHVudGVyMg==\"}}'",
     story_hand_edit},
    {"a copy damaged while the server is down is repaired", NULL, story_repair},
    {"a namespace leaves the selection and loses its copy", "kubectl label namespace team-b team-",
     story_leave},
    {"the Mirror is deleted and its copies are collected",
     "kubectl delete mirror registry-credentials --wait=false", story_delete},
    {"health and metrics", NULL, story_health},
    {.title = NULL},
};
