/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_site.h"

#include <string.h>

#include "base/check.h"
#include "webhooks/registry.h"

#define SITE_TEXT "text/plain; charset=utf-8"
#define SITE_JSON "application/json"
#define SITE_METRICS "text/plain; version=0.0.4; charset=utf-8"

/* Health below @root: itself, or one check of it. */
static bool site_health(const char *path, const char *root, struct cleat_health *health,
                        struct cleat_http_target *ret)
{
    size_t length = strlen(root);
    if (!health || path[0] != '/' || strncmp(path + 1, root, length) != 0)
        return false;
    const char *subpath = path + 1 + length;
    if (subpath[0] != '\0' && (subpath[0] != '/' || subpath[1] == '\0'))
        return false;
    *ret = (struct cleat_http_target){CLEAT_HTTP_HEALTH, health, root, subpath};
    return true;
}

struct cleat_http_target cleat_http_site_find(const struct cleat_http_site *site, const char *path)
{
    struct cleat_http_target target = {CLEAT_HTTP_NOTHING, NULL, NULL, NULL};
    if (site->webhooks && cleat_webhooks_route(site->webhooks, path).found)
        target.kind = CLEAT_HTTP_WEBHOOK;
    else if (site->metrics && strcmp(path, "/metrics") == 0)
        target.kind = CLEAT_HTTP_METRICS;
    else if (!site_health(path, "healthz", site->healthz, &target) &&
             !site_health(path, "livez", site->healthz, &target))
        (void)site_health(path, "readyz", site->readyz, &target); /* or nothing is there */
    return target;
}

/* True where @ask may read the metrics; else the refusal is in @answer, without a body. */
static bool answer_permitted(const struct cleat_http_site *site, const struct cleat_http_ask *ask,
                             struct cleat_http_answer *answer)
{
    int status = 0;
    if (site->authorize)
        status = site->authorize(site->authorize_arg, ask->authorization, "get", ask->path);
    if (status == 0)
        return true;
    answer->status = status >= 400 && status <= 599 ? status : 500;
    answer->challenge = status == 401 ? "Bearer" : NULL;
    answer->retry_after_s = status == 503 ? 1 : 0;
    return false;
}

static void answer_metrics(const struct cleat_http_site *site, const struct cleat_http_ask *ask,
                           struct cleat_http_answer *answer)
{
    if (!answer_permitted(site, ask, answer))
        return;
    answer->content_type = SITE_METRICS;
    answer->status = 200;
    if (cleat_metrics_write(site->metrics, answer->body) == 0)
        return;
    cleat_buffer_reset(answer->body);
    (void)cleat_buffer_text(answer->body, "the metrics can't be written\n"); /* sticky */
    answer->content_type = SITE_TEXT;
    answer->status = 500;
}

void cleat_http_site_answer(const struct cleat_http_site *site,
                            const struct cleat_http_target *target,
                            const struct cleat_http_ask *ask, struct cleat_budget_claim *claim,
                            struct cleat_http_answer *answer)
{
    switch (target->kind) {
    case CLEAT_HTTP_WEBHOOK:
        answer->status =
            cleat_webhooks_answer_claimed(site->webhooks, ask->path, ask->query, ask->body, claim,
                                          answer->body, &answer->retry_after_s);
        answer->content_type = answer->status == 200 ? SITE_JSON : SITE_TEXT;
        break;
    case CLEAT_HTTP_METRICS: answer_metrics(site, ask, answer); break;
    case CLEAT_HTTP_HEALTH:
        answer->status = cleat_health_answer(target->health, target->root, target->subpath,
                                             ask->query, answer->body);
        answer->content_type = SITE_TEXT;
        break;
    case CLEAT_HTTP_NOTHING: cleat_assert(!"nothing can't answer");
    }
    cleat_budget_give(claim);
}
