/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damaged reviews, bytes in and bytes out, and what an answer to them must be: never "allowed"
 * where the whole one is denied, unless what was changed means something else then; 400 for what no
 * reader may take; the request's uid in each review that comes back.
 */
#ifndef CLEAT_TESTS_REVIEWS_H
#define CLEAT_TESTS_REVIEWS_H

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <cleat/document.h>
#include <cleat/webhook.h>

#include "base/limits.h"
#include "support/damage.h"
#include "support/tally.h"
#include "webhooks/registry.h"

#define REVIEWS_SHOWN_MAX 10

/* One handler with a review that it denies. */
struct reviews {
    struct cleat_webhooks *webhooks;
    const char *path;
    const char *const *means; /* NULL-terminated: paths of what changes the question, with all that
                                 is below them */
    struct cleat_tally tally;
    size_t allowed, denied, refused, failed;
    struct cleat_buffer answer;
    int shown;
};

static inline bool reviews_means(const struct reviews *reviews, const char *path)
{
    for (size_t i = 0; reviews->means && reviews->means[i]; i++) {
        size_t length = strlen(reviews->means[i]);
        if (strncmp(path, reviews->means[i], length) == 0 && strchr(".[", path[length]))
            return true;
    }
    return false;
}

static inline void reviews_wrong(struct reviews *reviews, const struct cleat_damage *damage,
                                 const char *why, int status)
{
    reviews->tally.wrong++;
    if (reviews->shown++ < REVIEWS_SHOWN_MAX)
        (void)fprintf(stderr, "%s: '%s' %s: %d %s: %.300s\n", reviews->path, damage->path,
                      damage->what, status, why, reviews->answer.data ? reviews->answer.data : "");
}

/* An answer of 200: a review with the same uid, kind and version, that doesn't allow. */
static inline void reviews_judge_review(struct reviews *reviews, const struct cleat_damage *damage)
{
    struct cleat_document *asked = NULL, *answer = NULL;
    if (cleat_document_parse(damage->text, &asked, NULL) < 0 ||
        cleat_document_parse(cleat_buffer_view(&reviews->answer), &answer, NULL) < 0) {
        reviews_wrong(reviews, damage, "isn't JSON", 200);
    } else {
        struct cleat_value from = cleat_document_root(asked), to = cleat_document_root(answer);
        bool allowed = false;
        if (!cleat_value_equal(cleat_value_find(from, "request.uid"),
                               cleat_value_find(to, "response.uid")) ||
            !cleat_value_equal(cleat_value_get(from, "kind"), cleat_value_get(to, "kind")) ||
            !cleat_value_equal(cleat_value_get(from, "apiVersion"),
                               cleat_value_get(to, "apiVersion")))
            reviews_wrong(reviews, damage, "answers something else", 200);
        if (cleat_value_bool(cleat_value_find(to, "response.allowed"), &allowed) != 0)
            reviews_wrong(reviews, damage, "decides nothing", 200);
        reviews->allowed += allowed;
        reviews->denied += !allowed;
        if (allowed && !reviews_means(reviews, damage->path))
            reviews_wrong(reviews, damage, "is allowed", 200);
        if (!allowed && cleat_value_is_present(cleat_value_find(to, "response.patch")))
            reviews_wrong(reviews, damage, "is denied with a patch", 200);
    }
    cleat_document_unref(answer);
    cleat_document_unref(asked);
}

/* Another answer than 200: one line of text. */
static inline void reviews_judge_text(struct reviews *reviews, const struct cleat_damage *damage,
                                      int status)
{
    struct cleat_str text = cleat_buffer_view(&reviews->answer);
    reviews->refused += status == 400;
    reviews->failed += status != 400;
    if (status != 400 && status != 500 && status != 503)
        reviews_wrong(reviews, damage, "has a status of no row", status);
    if (text.length < 2 || memchr(text.data, '\n', text.length) != text.data + text.length - 1)
        reviews_wrong(reviews, damage, "isn't one line", status);
    for (size_t i = 0; i + 1 < text.length; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f) {
            reviews_wrong(reviews, damage, "has control bytes", status);
            break;
        }
}

static inline void reviews_ask(void *arg, const struct cleat_damage *damage)
{
    struct reviews *reviews = arg;
    int retry_after_s = 0;
    cleat_buffer_reset(&reviews->answer);
    int status = cleat_webhooks_answer(reviews->webhooks, reviews->path, "timeout=5s", damage->text,
                                       &reviews->answer, &retry_after_s);
    reviews->tally.injections++;
    if (damage->malformed && status != 400)
        reviews_wrong(reviews, damage, "was taken", status);
    if (status == 200)
        reviews_judge_review(reviews, damage);
    else
        reviews_judge_text(reviews, damage, status);
    if (cleat_budget_used(cleat_webhooks_budget(reviews->webhooks)) != 0)
        reviews->tally.leaks++;
}

/** All damages of @review, which is denied (or, with @fails, answered by 500) as it is. */
static inline void reviews_run(struct reviews *reviews, const char *review, bool fails)
{
    const struct cleat_damage whole = {"", "whole", false, cleat_str_of(review)};
    cleat_buffer_init(&reviews->answer, 64 * CLEAT_MIB);
    reviews_ask(reviews, &whole);
    ck_assert_msg(fails ? reviews->failed == 1 : reviews->denied == 1, "%s: %s", reviews->path,
                  reviews->answer.data);
    reviews->tally.runs++;
    (void)cleat_damage_each(review, reviews_ask, reviews);
    (void)printf("%s: %zu allowed, %zu denied, %zu refused, %zu failed\n", reviews->path,
                 reviews->allowed, reviews->denied, reviews->refused, reviews->failed);
    cleat_buffer_fini(&reviews->answer);
    cleat_tally_end(&reviews->tally);
}

#define REVIEWS_TALLY                                                                          \
    {                                                                                          \
        .name = "reviews", .least = 1000, .note = "damaged AdmissionReviews, by each handler", \
    }

#endif
