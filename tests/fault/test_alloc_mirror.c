/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out in the kind Mirror: its rules of admission, which must deny what Bob may not
 * do, and its controllers, which must come to the right end as soon as there is memory.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fault/alloc_libraries.h"
#include "fault/alloc_samples.h"
#include "integration/mirror_fixture.h"

/* ---- Mirror ---- */

#define MIRROR_KIND "{\"group\":\"cleat.dev\",\"version\":\"v1alpha1\",\"kind\":\"Mirror\"}"
#define SECRET_KIND "{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Secret\"}"
#define MIRROR_OBJECT(name, place)                                                              \
    "{\"apiVersion\":\"cleat.dev/v1alpha1\",\"kind\":\"Mirror\",\"metadata\":{\"name\":\"" name \
    "\"},\"spec\":{\"source\":{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"namespace\":"        \
    "\"platform\","                                                                             \
    "\"name\":\"reg\"},\"targets\":{\"namespaces\":[\"" place "\"]}}}"
#define ASK_AS(user, kind, operation, object, old)                                               \
    "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{\"uid\":" \
    "\"u-1\",\"kind\":" kind ",\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":"    \
    "\"x\"},\"operation\":\"" operation "\",\"name\":\"x\",\"namespace\":\"ci\",\"userInfo\":{"  \
    "\"username\":" user "},\"object\":" object ",\"oldObject\":" old ",\"dryRun\":false}}"
#define ASK(kind, operation, object, old) \
    ASK_AS("\"bob\",\"groups\":[\"system:authenticated\"]", kind, operation, object, old)

/* A review of Bob's that changes what the copy holds. */
static char *copies_review;

static void copies_prepare(struct mirror_fixture *fixture)
{
    const struct cleat_client_target target = {&fixture_secrets, "ci", "reg", NULL};
    struct cleat_buffer before = CLEAT_BUFFER_INIT(65536), after = CLEAT_BUFFER_INIT(65536);
    struct cleat_object *copy = NULL;
    fixture_mirror(fixture, "reg", "reg", "\"targets\":{\"namespaces\":[\"ci\"]}");
    FIXTURE_WAIT(fixture, "reg", "Synced", 1, 1);
    ck_assert_int_eq(cleat_client_get(fixture->cluster.admin, &target, NULL, &copy, NULL), 0);
    ck_assert_int_eq(cleat_object_write(copy, &before, NULL), 0);
    ck_assert_int_eq(cleat_object_write(copy, &after, NULL), 0);
    char *data = strstr(after.data, "b25l");
    ck_assert_ptr_nonnull(data);
    data[0] = 'X';
    copies_review =
        cleat_mem_format(ASK(SECRET_KIND, "UPDATE", "%s", "%s"), after.data, before.data);
    ck_assert_ptr_nonnull(copies_review);
    cleat_object_unref(copy);
    cleat_buffer_fini(&before);
    cleat_buffer_fini(&after);
}

static void *open_mirror(void)
{
    static struct mirror_fixture fixture;
    fixture_open(&fixture);
    fixture_namespace(&fixture, "platform", "");
    fixture_namespace(&fixture, "ci", "\"team\":\"true\"");
    fixture_secret(&fixture, "platform", "reg", "b25l", "");
    copies_prepare(&fixture);
    return &fixture;
}

static void close_mirror(void *arg)
{
    copies_review = cleat_mem_free(copies_review);
    fixture_close(arg);
}

/* Bob may do none of this: denied, or no verdict; never allowed. */
static int mirror_ask(struct mirror_fixture *fixture, const char *path, const char *body,
                      struct cleat_err *err)
{
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(65536);
    int retry_after_s = 0;
    int status = cleat_webhooks_answer(fixture->webhooks, path, "timeout=5s", cleat_str_of(body),
                                       &answer, &retry_after_s);
    const char *text = answer.data ? answer.data : "";
    int r = 0;
    if (strstr(text, "\"allowed\":true"))
        r = CLEAT_SWEEP_WRONG;
    else if (answer.failed || status >= 500)
        r = -ENOMEM;
    else if (status != 200 || !strstr(text, "\"allowed\":false"))
        r = CLEAT_SWEEP_WRONG;
    if (r != 0)
        (void)cleat_err_set(err, -ENOMEM, "%d %.300s", status, text);
    cleat_buffer_fini(&answer);
    return r;
}

static int run_mirror_validate(void *arg, struct cleat_err *err)
{
    return mirror_ask(arg, CLEAT_MIRROR_VALIDATE_PATH,
                      ASK(MIRROR_KIND, "CREATE", MIRROR_OBJECT("x", "elsewhere"), "null"), err);
}

/* Reg copies to the same place already: even an administrator's is refused, or gets no verdict. */
static int run_mirror_overlap(void *arg, struct cleat_err *err)
{
    return mirror_ask(arg, CLEAT_MIRROR_VALIDATE_PATH,
                      ASK_AS("\"admin\",\"groups\":[\"system:masters\"]", MIRROR_KIND, "CREATE",
                             MIRROR_OBJECT("x", "ci"), "null"),
                      err);
}

static int run_mirror_copies(void *arg, struct cleat_err *err)
{
    return mirror_ask(arg, CLEAT_MIRROR_COPIES_PATH, copies_review, err);
}

/* A Mirror whose copy must come, at last, whatever its workers had no memory for at first. */
static int run_mirror_reconcile(void *arg, struct cleat_err *err)
{
    struct mirror_fixture *fixture = arg;
    static unsigned number;
    char name[32], source[32];
    (void)snprintf(name, sizeof(name), "m-%u", number);
    (void)snprintf(source, sizeof(source), "s-%u", number++);
    fixture_secret(fixture, "platform", source, "b25l", "");
    fixture_mirror(fixture, name, source, "\"targets\":{\"namespaces\":[\"ci\"]}");
    for (int i = 0; i < 20 && !fixture_has(fixture, "ci", source, "data.k", "b25l"); i++)
        cleat_wait_moment();
    cleat_sweep_lift();
    /* A watch that broke again and again waits up to half a minute before it is tried anew. */
    CLEAT_WAIT_FOR(fixture_is(fixture, name, "Synced", 1, 1), 50000);
    bool copied = fixture_has(fixture, "ci", source, "data.k", "b25l");
    return copied ? 0 : cleat_err_set(err, -EILSEQ, "no copy"), copied ? 0 : CLEAT_SWEEP_WRONG;
}

#define OF(label, stage, fn, check, whose, more, at_most)                              \
    {                                                                                  \
        .name = (label), .open = open_##stage, .run = (fn), .whole = (check),          \
        .close = close_##stage, .threads = (whose), .flags = (more), .most = (at_most) \
    }

static const struct sweep_scene scenes[] = {
    OF("mirror-validate", mirror, run_mirror_validate, NULL, "here", SWEEP_TOLERANT, 400),
    OF("mirror-overlap", mirror, run_mirror_overlap, NULL, "here", SWEEP_TOLERANT, 400),
    OF("mirror-copies-rule", mirror, run_mirror_copies, NULL, "here", SWEEP_TOLERANT, 400),
    OF("mirror-reconcile", mirror, run_mirror_reconcile, NULL, "ingest,events,work",
       SWEEP_TOLERANT | SWEEP_UNNAMED, 150),
};

int main(int argc, char **argv)
{
    alloc_libraries_hook();
    return cleat_sweep_main("alloc-mirror", scenes, sizeof(scenes) / sizeof(scenes[0]), 200, argc,
                            argv);
}
