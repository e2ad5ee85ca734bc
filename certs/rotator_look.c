/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "base/mem.h"
#include "certs/authority.h"
#include "certs/bundle.h"
#include "certs/rotator.h"

const struct cleat_resource cleat__rotator_secret_resource = {
    .gvk = {"", "v1", "Secret"}, .plural = "secrets", .singular = "secret", .namespaced = true};

/* ---- reading ---- */

static int look_read_targets(struct cleat_rotator *rotator, struct rotator_look *look,
                             struct cleat_err *err)
{
    size_t hooks = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < rotator->target_count; i++) {
        r = cleat_injection_read(rotator->client, &rotator->targets[i], &rotator->owner,
                                 &look->injections[i], err);
        look->count = i + 1;
        hooks += look->injections[i].count;
    }
    if (r < 0)
        return r;
    look->published = cleat_mem_zalloc(hooks + 1, sizeof(*look->published));
    if (!look->published)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < look->count; i++)
        for (size_t j = 0; j < look->injections[i].count; j++)
            look->published[look->state.published_count++] = &look->injections[i].hooks[j].trust;
    look->state.published = look->published;
    return 0;
}

static int look_read_secret(struct cleat_rotator *rotator, struct rotator_look *look,
                            struct cleat_err *err)
{
    struct cleat_err local = CLEAT_ERR_INIT;
    const struct cleat_client_target target = {.resource = &cleat__rotator_secret_resource,
                                               .namespace_ = rotator->namespace_,
                                               .name = rotator->secret};
    int r = cleat_client_get(rotator->client, &target, NULL, &look->secret, &local);
    if (r < 0 && r != -ENOENT)
        return cleat_err_set(err, r, "%s", cleat_err_text(&local));
    if (look->secret && cleat_secret_data_read(&look->data, cleat_object_value(look->secret)) < 0)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    return 0;
}

int cleat__rotator_look(struct cleat_rotator *rotator, struct rotator_look *look,
                        struct cleat_err *ret_failure, struct cleat_err *err)
{
    *look = (struct rotator_look){.count = 0};
    cleat_secret_data_init(&look->data);
    look->state.published_unknown = look_read_targets(rotator, look, ret_failure) < 0;
    int r = look_read_secret(rotator, look, err);
    if (r < 0)
        return r;
    cleat_secret_data_state(&look->data, &look->state);
    look->state.names = (const char *const *)rotator->names;
    look->state.leaf_lifetime_s = rotator->leaf_lifetime_s;
    look->state.served = rotator->bundle; /* nobody but this thread changes it */
    look->now_unix_ms = cleat_clock_wall_ms(rotator->clock);
    return 0;
}

void cleat__rotator_look_fini(struct rotator_look *look)
{
    for (size_t i = 0; i < look->count; i++)
        cleat_injection_fini(&look->injections[i]);
    cleat_secret_data_fini(&look->data);
    look->secret = cleat_object_unref(look->secret);
    look->published = cleat_mem_free(look->published);
}

/* ---- writing ---- */

/* What goes into the Secret, and what it borrows from. */
struct look_made {
    struct cleat_authority *authority; /* the newest */
    struct cleat_bundle *leaf;         /* a new one, or NULL */
    struct cleat_buffer ca;            /* the list as text */
    struct cleat_secret_content content;
};

static void made_fini(struct look_made *made)
{
    cleat_buffer_fini(&made->ca);
    cleat_bundle_unref(made->leaf);
    cleat_authority_free(made->authority);
}

/* Each CA has a name of its own: no verifier may take one for another. */
static int made_authority(struct cleat_rotator *rotator, const struct rotator_look *look,
                          const struct cleat_plan *plan, struct look_made *made,
                          struct cleat_err *err)
{
    unsigned char random[4];
    if (plan->action != CLEAT_PLAN_RENEW)
        return cleat_authority_load(look->state.ca, look->state.ca_key, &made->authority, err);
    cleat_clock_random(rotator->clock, random, sizeof(random));
    CLEAT_CLEANUP(cleat_mem_freep)
    char *name =
        cleat_mem_format("cleat-ca-%02x%02x%02x%02x", random[0], random[1], random[2], random[3]);
    if (!name)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    return cleat_authority_new(name, rotator->ca_lifetime_s, rotator->clock, &made->authority, err);
}

static int made_leaf(struct cleat_rotator *rotator, const struct rotator_look *look,
                     const struct cleat_plan *plan, struct look_made *made, struct cleat_err *err)
{
    const struct cleat_bundle *leaf = look->state.served;
    int r = 0;
    if (plan->leaf == CLEAT_PLAN_LEAF_STORED) {
        made->content.cert = look->state.cert;
        made->content.key = look->state.key;
        return 0;
    }
    if (plan->leaf == CLEAT_PLAN_LEAF_NEW) {
        r = cleat_authority_issue(made->authority, (const char *const *)rotator->names,
                                  rotator->leaf_lifetime_s, rotator->clock, &made->leaf, err);
        leaf = made->leaf;
    }
    if (r == 0) {
        made->content.cert = cleat_bundle_cert(leaf);
        made->content.key = cleat_bundle_key(leaf);
    }
    return r;
}

static int made_fill(struct cleat_rotator *rotator, const struct rotator_look *look,
                     const struct cleat_plan *plan, struct look_made *made, struct cleat_err *err)
{
    struct cleat_secret_content *content = &made->content;
    int r = made_authority(rotator, look, plan, made, err);
    if (r == 0)
        r = made_leaf(rotator, look, plan, made, err);
    if (r < 0)
        return r;
    r = cleat_buffer_str(&made->ca, cleat_authority_cert(made->authority));
    if (r == 0)
        r = cleat_trust_write(&plan->older, &made->ca);
    if (r < 0)
        return cleat_err_set(err, r, "the list of CAs is too large");
    content->ca = cleat_buffer_view(&made->ca);
    content->ca_key = cleat_authority_key(made->authority);
    content->newest_until_unix_s = plan->newest_until_unix_s;
    content->older_until_unix_s = plan->older_until_unix_s;
    if (made->leaf && cleat_bundle_not_after_unix_s(made->leaf) > content->newest_until_unix_s)
        content->newest_until_unix_s = cleat_bundle_not_after_unix_s(made->leaf);
    return 0;
}

static int look_draft_new(struct cleat_rotator *rotator, struct cleat_draft *draft,
                          struct cleat_err *err)
{
    int r = cleat_draft_set_text(draft, "apiVersion", "v1", err);
    if (r == 0)
        r = cleat_draft_set_text(draft, "kind", "Secret", err);
    if (r == 0)
        r = cleat_draft_set_text(draft, "metadata.name", rotator->secret, err);
    if (r == 0)
        r = cleat_draft_set_text(draft, "metadata.namespace", rotator->namespace_, err);
    if (r == 0)
        r = cleat_draft_set_text(draft, "type", "kubernetes.io/tls", err);
    return r;
}

/* Create-only, or by the resourceVersion that was read. */
static int look_send(struct cleat_rotator *rotator, const struct rotator_look *look,
                     const struct cleat_secret_content *content, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_object *secret = look->secret;
    const struct cleat_client_target target = {.resource = &cleat__rotator_secret_resource,
                                               .namespace_ = rotator->namespace_,
                                               .name = rotator->secret};
    int r = cleat_draft_new(secret ? cleat_object_value(secret) : CLEAT_VALUE_NONE, &draft, err);
    if (r == 0 && !secret)
        r = look_draft_new(rotator, draft, err);
    if (r == 0)
        r = cleat_secret_content_set(draft, content, err);
    if (r < 0)
        return r;
    return secret
               ? cleat_client_update_draft(rotator->client, &target, secret, draft, NULL, NULL, err)
               : cleat_client_create(rotator->client, &target, cleat_draft_value(draft), NULL, NULL,
                                     err);
}

int cleat__rotator_write(struct cleat_rotator *rotator, const struct rotator_look *look,
                         const struct cleat_plan *plan, struct cleat_err *err)
{
    static const char *const messages[] = {
        [CLEAT_PLAN_KEEP] = "", /* nothing is written */
        [CLEAT_PLAN_TRUST] = "put the certificate Secret right",
        [CLEAT_PLAN_ISSUE] = "made a certificate",
        [CLEAT_PLAN_RENEW] = "made a CA",
    };
    struct look_made made = {.ca = CLEAT_BUFFER_INIT(CLEAT_TRUST_BYTES_MAX)};
    int r = made_fill(rotator, look, plan, &made, err);
    if (r == 0)
        r = look_send(rotator, look, &made.content, err);
    if (r == 0) {
        rotator->writes++;
        cleat_info(rotator->log, messages[plan->action], cleat_log_text("why", plan->why),
                   cleat_log_text("secret", rotator->secret),
                   cleat_log_int("older_cas", (int64_t)plan->older.count));
    }
    made_fini(&made);
    return r;
}
