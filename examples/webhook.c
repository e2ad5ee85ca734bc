/* SPDX-License-Identifier: Apache-2.0 */
/* A webhook: no Pod with an image tagged ":latest". Arguments: ADDRESS and a folder with tls.crt,
 * tls.key. */
#include <stdio.h>
#include <cleat/cleat.h>

static int admit(void *arg, const struct cleat_review *review, struct cleat_verdict *verdict,
                 struct cleat_err *err)
{
    struct cleat_value containers = cleat_value_find(review->object, "spec.containers");
    for (size_t i = 0; i < cleat_value_count(containers); i++) {
        struct cleat_scratch scratch;
        struct cleat_value image = cleat_value_get(cleat_value_at(containers, i), "image");
        struct cleat_str text = cleat_value_text(image, &scratch);
        if (text.length >= 7 && memcmp(text.data + text.length - 7, ":latest", 7) == 0)
            cleat_verdict_deny(verdict, 0, NULL, "image %.*s: choose a version",
                               CLEAT_STR_ARG(text));
    }
    cleat_verdict_allow(verdict); /* unless it was denied */
    return 0;
}

int main(int argc, char **argv)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_webhooks_options options = {.log = NULL};
    struct cleat_webhook_options pods = {.kind = {"", "v1", "Pod"},
                                         .admit = admit,
                                         .operations =
                                             CLEAT_OPERATION_CREATE | CLEAT_OPERATION_UPDATE};
    struct cleat_server_options server = {.name = "webhook", .bind = argc > 1 ? argv[1] : ":9443"};
    int r = cleat_webhooks_new(&options, &server.webhooks, &err);
    if (r == 0)
        r = cleat_webhooks_add(server.webhooks, &pods, &err); /* at /validate--v1-pod */
    if (r == 0)
        r = cleat_server_run(&server, argc > 2 ? argv[2] : ".", &err); /* until a signal */
    if (r < 0)
        fprintf(stderr, "webhook: %s\n", cleat_err_text(&err));
    cleat_webhooks_free(server.webhooks);
    return r < 0;
}
