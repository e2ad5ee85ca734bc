/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds/mirror/access.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/lock.h"
#include "base/mem.h"

/* Counted, because a helper may come to its turn after the caller gave up. */
struct access_batch {
    _Atomic(unsigned) refs;
    _Atomic(size_t) next; /* relaxed: only the number counts; what it stands for is constant */
    struct cleat_client *client;
    struct cleat_resource resource;
    char *user, *uid;
    struct cleat_document *groups, *extra; /* NULL: none */
    int64_t deadline_mono_ms;
    struct mirror_question *questions; /* each written by whoever drew its number */
    size_t count;
    struct cleat_lock lock;
    struct cleat_cond cond;
    size_t answered; /* under the lock, which orders the answers before the caller's look */
    struct cleat_err first;
};

static void batch_unref(struct access_batch *batch)
{
    /* Acquire and release: the last one sees all that the others did. */
    if (atomic_fetch_sub_explicit(&batch->refs, 1, memory_order_acq_rel) != 1)
        return;
    cleat_document_unref(batch->groups);
    cleat_document_unref(batch->extra);
    cleat_client_unref(batch->client);
    cleat_cond_fini(&batch->cond);
    cleat_lock_fini(&batch->lock);
    cleat_mem_free(batch->questions);
    cleat_mem_free(batch->user);
    cleat_mem_free(batch->uid);
    cleat_mem_free(batch);
}

static int batch_copy(struct cleat_value value, struct cleat_document **ret, struct cleat_err *err)
{
    if (!cleat_value_is_present(value))
        return 0;
    return cleat_document_copy(value, ret, err);
}

static int batch_fill(struct access_batch *batch, const struct mirror_access *access,
                      const struct mirror_question *questions, size_t count, struct cleat_err *err)
{
    const struct cleat_review *review = access->review;
    batch->client = cleat_client_ref(access->client);
    batch->resource = *access->resource;
    batch->deadline_mono_ms = review->deadline_mono_ms;
    batch->user = cleat_mem_strndup(review->username.data, review->username.length);
    batch->uid = cleat_mem_strndup(review->user_uid.data, review->user_uid.length);
    batch->questions = cleat_mem_zalloc(count, sizeof(*questions));
    if (!batch->user || !batch->uid || !batch->questions)
        return cleat_err_set(err, -ENOMEM, "access reviews: out of memory");
    memcpy(batch->questions, questions, count * sizeof(*questions));
    batch->count = count;
    int rc = batch_copy(review->groups, &batch->groups, err);
    return rc == 0 ? batch_copy(review->extra, &batch->extra, err) : rc;
}

static int batch_new(const struct mirror_access *access, const struct mirror_question *questions,
                     size_t count, struct access_batch **ret, struct cleat_err *err)
{
    struct access_batch *batch = cleat_mem_zalloc(1, sizeof(*batch));
    if (!batch)
        return cleat_err_set(err, -ENOMEM, "access reviews: out of memory");
    atomic_init(&batch->refs, 1);
    cleat_lock_init(&batch->lock, CLEAT_LOCK_KIND);
    cleat_cond_init(&batch->cond);
    int rc = batch_fill(batch, access, questions, count, err);
    if (rc < 0)
        batch_unref(batch);
    else
        *ret = batch;
    return rc;
}

static void batch_ask(struct access_batch *batch, struct mirror_question *question)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    const struct cleat_access_question wire = {
        .user = batch->user,
        .uid = batch->uid,
        .groups = batch->groups ? cleat_document_root(batch->groups) : CLEAT_VALUE_NONE,
        .extra = batch->extra ? cleat_document_root(batch->extra) : CLEAT_VALUE_NONE,
        .verb = question->verb,
        .group = batch->resource.gvk.group,
        .version = batch->resource.gvk.version,
        .plural = batch->resource.plural,
        .namespace_ = question->namespace_,
        .name = question->name,
    };
    question->code = cleat_client_access(batch->client, &wire, batch->deadline_mono_ms,
                                         &question->allowed, question->reason, &err);
    cleat_lock_take(&batch->lock);
    if (question->code < 0 && batch->first.code == 0) {
        batch->first = err;
        batch->first.code = question->code;
    }
    if (++batch->answered == batch->count)
        cleat_cond_broadcast(&batch->cond);
    cleat_lock_release(&batch->lock);
}

/* Draws questions until there are none left. */
static void batch_work(struct access_batch *batch)
{
    size_t at;
    while ((at = atomic_fetch_add_explicit(&batch->next, 1, memory_order_relaxed)) < batch->count)
        batch_ask(batch, &batch->questions[at]);
}

static void batch_help(void *arg)
{
    batch_work(arg);
    batch_unref(arg);
}

static void batch_drop(void *arg)
{
    batch_unref(arg);
}

static void batch_call_helpers(struct access_batch *batch, struct cleat_jobs *jobs)
{
    for (size_t i = 1; jobs && i < batch->count && i <= MIRROR_ACCESS_HELPERS_MAX; i++) {
        /* Relaxed: the caller's own reference is held all the while. */
        atomic_fetch_add_explicit(&batch->refs, 1, memory_order_relaxed);
        if (cleat_jobs_post(jobs, batch_help, batch_drop, batch) < 0) {
            batch_unref(batch);
            return;
        }
    }
}

/* Waits for what helpers are at; each call ends by the deadline. */
static int batch_wait(struct access_batch *batch, const struct cleat_review *review)
{
    int rc = 0;
    cleat_lock_take(&batch->lock);
    while (batch->answered < batch->count && rc == 0) {
        int64_t left_ms = review->deadline_mono_ms > 0
                              ? review->deadline_mono_ms - cleat_clock_mono_ms(review->clock)
                              : 1000;
        if (left_ms <= 0)
            rc = -EAGAIN;
        else
            (void)cleat_cond_wait_ms(&batch->cond, &batch->lock, left_ms); /* looks again */
    }
    cleat_lock_release(&batch->lock);
    return rc;
}

int cleat__mirror_access_ask(const struct mirror_access *access, struct mirror_question *questions,
                             size_t count, struct cleat_err *err)
{
    struct access_batch *batch = NULL;
    if (count == 0)
        return 0;
    int rc = batch_new(access, questions, count, &batch, err);
    if (rc < 0)
        return rc;
    batch_call_helpers(batch, access->jobs);
    batch_work(batch);
    rc = batch_wait(batch, access->review);
    if (rc < 0) {
        rc = cleat_err_set(err, rc, "access reviews: not answered in time");
    } else if (batch->first.code < 0) {
        rc = batch->first.code == -ETIMEDOUT ? -EAGAIN : batch->first.code;
        rc = cleat_err_set(err, rc, "access review: %s", cleat_err_text(&batch->first));
    } else {
        memcpy(questions, batch->questions, count * sizeof(*questions));
    }
    batch_unref(batch);
    return rc;
}
