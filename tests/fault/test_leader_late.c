/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A leader that is held up between the check of its deadline and the sending, by a barrier, until
 * another leads and has written: each kind of write that elected work makes, with the precondition
 * that it carries. And once the deadline has passed, nothing is sent at all.
 */
#include "base/lock.h"
#include "base/thread.h"
#include "controller/election.h"
#include "integration/cluster.h"
#include "support/suite.h"
#include "support/tally.h"
#include "support/wait.h"

#define ROUNDS 12
#define LIMIT_MS 30000

static const struct cleat_resource config_maps = {
    {"", "v1", "ConfigMap"}, "configmaps", "configmap", true, 0x7f};

enum kind { KIND_UPDATE, KIND_DELETE, KIND_CREATE, KIND_COUNT };

struct side {
    struct cleat_client *client;
    struct cleat_client *fenced;
    struct cleat_election *election;
    struct cleat_lock lock;
    struct cleat_cond cond;
    bool shut; /* the barrier */
    bool waits;
};

struct late {
    struct side *side;
    enum kind kind;
    struct cleat_object *object; /* as it was read while leading; NULL for create */
    struct cleat_thread thread;
    struct cleat_err err;
    int rc;
};

static const struct cleat_client_target target = {&config_maps, "default", "x", NULL};

static int side_fence(void *arg, bool write, struct cleat_err *err)
{
    struct side *side = arg;
    if (!write)
        return 0;
    if (!cleat_election_leading(side->election))
        return cleat_err_set(err, -ECANCELED, "not leading");
    cleat_lock_take(&side->lock);
    while (side->shut) {
        side->waits = true;
        cleat_cond_wait(&side->cond, &side->lock);
    }
    side->waits = false;
    cleat_lock_release(&side->lock);
    return 0;
}

static void side_shut(struct side *side, bool shut)
{
    cleat_lock_take(&side->lock);
    side->shut = shut;
    cleat_cond_broadcast(&side->cond);
    cleat_lock_release(&side->lock);
}

static bool side_waits(struct side *side)
{
    cleat_lock_take(&side->lock);
    bool waits = side->waits;
    cleat_lock_release(&side->lock);
    return waits;
}

static void side_open(struct side *side, struct cluster *cluster, const char *identity)
{
    *side = (struct side){.client = cluster_client(cluster, identity)};
    const struct cleat_election_options options = {.client = side->client,
                                                   .namespace_ = "default",
                                                   .name = "lock",
                                                   .identity = identity,
                                                   .lease_duration_ms = 1000,
                                                   .renew_deadline_ms = 800,
                                                   .retry_period_ms = 100};
    cleat_lock_init(&side->lock, CLEAT_LOCK_TEST);
    cleat_cond_init(&side->cond);
    ck_assert_int_eq(cleat_election_new(&options, &side->election, NULL), 0);
    ck_assert_int_eq(cleat_client_fenced(side->client, side_fence, side, &side->fenced), 0);
}

static void side_close(struct side *side)
{
    cleat_election_free(side->election);
    cleat_client_unref(side->fenced);
    cleat_client_unref(side->client);
    cleat_cond_fini(&side->cond);
    cleat_lock_fini(&side->lock);
}

/* One write of that kind, as elected work makes it. */
static int side_write(struct side *side, enum kind kind, struct cleat_object *object,
                      const char *writer, struct cleat_err *err)
{
    char uid[64], version[64], json[256];
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    struct cleat_client_call call = {.uid = uid, .precondition_resource_version = version};
    struct cleat_client_target folder = target;
    int rc = 0;
    switch (kind) {
    case KIND_UPDATE:
        rc = cleat_draft_new(cleat_object_value(object), &draft, err);
        if (rc == 0)
            rc = cleat_draft_set_text(draft, "data.writer", writer, err);
        return rc < 0 ? rc
                      : cleat_client_update_draft(side->fenced, &target, object, draft, NULL, NULL,
                                                  err);
    case KIND_DELETE:
        (void)snprintf(uid, sizeof(uid), "%.*s", CLEAT_STR_ARG(cleat_object_uid(object)));
        (void)snprintf(version, sizeof(version), "%.*s",
                       CLEAT_STR_ARG(cleat_object_resource_version(object)));
        return cleat_client_delete(side->fenced, &target, &call, NULL, err);
    case KIND_CREATE:
    case KIND_COUNT: break;
    }
    (void)snprintf(json, sizeof(json),
                   "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\","
                   "\"namespace\":\"default\"},\"data\":{\"writer\":\"%s\"}}",
                   writer);
    rc = cleat_document_parse(cleat_str_of(json), &document, err);
    folder.name = NULL;
    return rc < 0 ? rc
                  : cleat_client_create(side->fenced, &folder, cleat_document_root(document), NULL,
                                        NULL, err);
}

static void *late_run(void *arg)
{
    struct late *late = arg;
    late->rc = side_write(late->side, late->kind, late->object, "a", &late->err);
    return NULL;
}

static struct cleat_object *get(struct cluster *cluster)
{
    struct cleat_object *object = NULL;
    ck_assert_int_eq(cleat_client_get(cluster->admin, &target, NULL, &object, NULL), 0);
    return object;
}

/* What the new leader does: the same thing that the old one is about to. */
static void overtake(struct side *side, struct cluster *cluster, enum kind kind)
{
    struct cleat_object *object = kind == KIND_CREATE ? NULL : get(cluster);
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(side_write(side, kind, object, "b", &err) == 0, "%s", err.text);
    if (kind == KIND_DELETE) /* and then there is a new one of that name */
        ck_assert_msg(side_write(side, KIND_CREATE, NULL, "b", &err) == 0, "%s", err.text);
    cleat_object_unref(object);
}

static void round_run(struct cluster *cluster, struct side *a, struct side *b, enum kind kind,
                      struct cleat_tally *tally)
{
    struct late late = {.side = a, .kind = kind};
    ck_assert_int_eq(cleat_election_start(a->election, NULL), 0);
    CLEAT_WAIT_FOR(cleat_election_leading(a->election), LIMIT_MS);
    (void)cluster_remove(cluster, &config_maps, "default", "x"); /* there may be none */
    if (kind != KIND_CREATE) {
        ck_assert_int_eq(side_write(a, KIND_CREATE, NULL, "a", NULL), 0);
        late.object = get(cluster);
    }
    side_shut(a, true);
    ck_assert_int_eq(cleat_thread_start(&late.thread, "late", 0, late_run, &late, NULL), 0);
    CLEAT_WAIT_FOR(side_waits(a), LIMIT_MS);
    cleat__election_abandon(a->election);
    cleat_election_join(a->election);
    ck_assert_int_eq(cleat_election_start(b->election, NULL), 0);
    CLEAT_WAIT_FOR(cleat_election_leading(b->election), LIMIT_MS);
    overtake(b, cluster, kind);
    struct cleat_object *before = get(cluster);
    uint64_t requests = cleat_apiserver_requests(cluster->server, NULL, "/api/v1", NULL);
    side_shut(a, false);
    cleat_thread_join(&late.thread);
    struct cleat_object *after = get(cluster);
    tally->runs++;
    tally->injections +=
        cleat_apiserver_requests(cluster->server, NULL, "/api/v1", NULL) - requests ==
        2; /* it was sent, and we looked */
    tally->wrong += late.rc != (kind == KIND_CREATE ? -EEXIST : -EAGAIN);
    tally->wrong += !cleat_str_equal(cleat_object_resource_version(before),
                                     cleat_object_resource_version(after));
    tally->wrong += !cleat_value_is(cleat_object_find(after, "data.writer"), "b");
    /* What it wants to write from now on isn't sent. */
    requests = cleat_apiserver_requests(cluster->server, NULL, "/api/v1", NULL);
    tally->wrong += side_write(a, KIND_UPDATE, after, "a", NULL) != -ECANCELED;
    tally->wrong += cleat_apiserver_requests(cluster->server, NULL, "/api/v1", NULL) != requests;
    cleat_object_unref(before);
    cleat_object_unref(after);
    cleat_object_unref(late.object);
    cleat_election_stop(b->election);
    cleat_election_join(b->election);
}

START_TEST(test_late_writes)
{
    struct cluster cluster;
    struct side a, b;
    struct cleat_tally tally = {.name = "leader-late",
                                .least = ROUNDS,
                                .note = "updates, deletions and creations held up between check "
                                        "and sending until another leader had written"};
    cluster_open(&cluster);
    side_open(&a, &cluster, "a");
    side_open(&b, &cluster, "b");
    for (int i = 0; i < ROUNDS; i++)
        round_run(&cluster, &a, &b, (enum kind)(i % KIND_COUNT), &tally);
    side_close(&a);
    side_close(&b);
    cluster_close(&cluster);
    cleat_tally_end(&tally);
}
END_TEST

CLEAT_SUITE_MAIN("leader_late", test_late_writes)
