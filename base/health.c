/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health checks. The set is copied before the checks run, so that none runs under the lock; a check
 * that is removed meanwhile may run once more, which is why removing waits for those that run.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cleat/health.h>
#include "base/lock.h"
#include "base/mem.h"

#define CLEAT_HEALTH_CHECKS_MAX 256
#define CLEAT_HEALTH_NAME_MAX 128
/* Of names that are repeated to whoever asked. */
#define CLEAT_HEALTH_NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
#define CLEAT_HEALTH_UNKNOWN_MAX 16

struct health_check {
    char name[CLEAT_HEALTH_NAME_MAX];
    bool in_sum;
    cleat_health_fn fn;
    void *arg;
};

struct cleat_health {
    struct cleat_lock lock;
    struct cleat_cond idle;
    unsigned running; /* answers that are being made */
    size_t count;
    struct health_check checks[CLEAT_HEALTH_CHECKS_MAX]; /* sorted by name */
};

int cleat_health_new(struct cleat_health **ret)
{
    struct cleat_health *health = cleat_mem_zalloc(1, sizeof(*health));
    if (!health)
        return -ENOMEM;
    cleat_lock_init(&health->lock, CLEAT_LOCK_HEALTH);
    cleat_cond_init(&health->idle);
    *ret = health;
    return 0;
}

struct cleat_health *cleat_health_free(struct cleat_health *health)
{
    if (!health)
        return NULL;
    cleat_cond_fini(&health->idle);
    cleat_lock_fini(&health->lock);
    return cleat_mem_free(health);
}

/* Where @name is or would be. */
static size_t health_place(const struct cleat_health *health, const char *name, bool *ret_found)
{
    size_t i = 0;
    while (i < health->count && strcmp(health->checks[i].name, name) < 0)
        i++;
    *ret_found = i < health->count && strcmp(health->checks[i].name, name) == 0;
    return i;
}

int cleat_health_add(struct cleat_health *health, const char *name, bool in_sum, cleat_health_fn fn,
                     void *arg)
{
    bool found;
    int r = 0;
    size_t length = strlen(name);
    if (length == 0 || length >= CLEAT_HEALTH_NAME_MAX || strpbrk(name, "/?&\n"))
        return -EINVAL;
    cleat_lock_take(&health->lock);
    size_t place = health_place(health, name, &found);
    struct health_check *check = &health->checks[place];
    if (!found && health->count == CLEAT_HEALTH_CHECKS_MAX) {
        r = -ENOBUFS;
    } else {
        if (!found) {
            memmove(check + 1, check, (health->count - place) * sizeof(*check));
            health->count++;
        }
        *check = (struct health_check){.in_sum = in_sum, .fn = fn, .arg = arg};
        memcpy(check->name, name, length + 1);
    }
    cleat_lock_release(&health->lock);
    return r;
}

void cleat_health_remove(struct cleat_health *health, const char *name)
{
    bool found;
    cleat_lock_take(&health->lock);
    size_t place = health_place(health, name, &found);
    if (found) {
        health->count--;
        memmove(&health->checks[place], &health->checks[place + 1],
                (health->count - place) * sizeof(health->checks[0]));
    }
    while (health->running > 0)
        cleat_cond_wait(&health->idle, &health->lock);
    cleat_lock_release(&health->lock);
}

/* True where @query has the parameter @key, with @value where that isn't NULL. */
static bool query_has(const char *query, const char *key, const char *value)
{
    size_t key_length = strlen(key);
    while (query && *query) {
        size_t length = strcspn(query, "&");
        if (length >= key_length && memcmp(query, key, key_length) == 0) {
            const char *rest = query + key_length;
            size_t rest_length = length - key_length;
            if (!value && (rest_length == 0 || rest[0] == '='))
                return true;
            if (value && rest_length == strlen(value) + 1 && rest[0] == '=' &&
                memcmp(rest + 1, value, rest_length - 1) == 0)
                return true;
        }
        query += length;
        query += *query == '&';
    }
    return false;
}

static bool health_knows(const struct health_check *checks, size_t count, const char *name,
                         size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(checks[i].name) == length && memcmp(checks[i].name, name, length) == 0)
            return true;
    return false;
}

/* Names to leave out that no check has. What couldn't be a name isn't repeated to the caller. */
static void health_note_unknown(const struct health_check *checks, size_t count, const char *query,
                                struct cleat_buffer *lines)
{
    static const char key[] = "exclude=";
    unsigned unknown = 0;
    for (const char *at = query ? query : ""; *at; at += strcspn(at, "&"), at += *at == '&') {
        const char *name = at + strlen(key);
        size_t length = strcspn(at, "&");
        if (length <= strlen(key) || strncmp(at, key, strlen(key)) != 0)
            continue;
        length -= strlen(key);
        if (health_knows(checks, count, name, length) ||
            strspn(name, CLEAT_HEALTH_NAME_BYTES) < length || unknown == CLEAT_HEALTH_UNKNOWN_MAX)
            continue;
        (void)cleat_buffer_format(
            lines, "%s\"%.*s\"",
            unknown++ == 0 ? "warn: some health checks cannot be excluded: no matches for " : ",",
            (int)length, name); /* sticky */
    }
    if (unknown > 0)
        (void)cleat_buffer_byte(lines, '\n'); /* sticky */
}

static int health_answer_one(const struct health_check *check, struct cleat_buffer *body)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    if (check->fn(check->arg, &err) == 0) {
        (void)cleat_buffer_text(body, "ok"); /* sticky */
        return 200;
    }
    (void)cleat_buffer_format(body, "internal server error: %s\n", cleat_err_text(&err));
    return 500;
}

/* The API server's format: one line a check, then the verdict. */
static int health_answer_sum(const struct health_check *checks, size_t count, const char *root,
                             const char *query, struct cleat_buffer *body)
{
    struct cleat_buffer lines = CLEAT_BUFFER_INIT(64 * 1024);
    bool failed = false;
    for (size_t i = 0; i < count; i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        if (!checks[i].in_sum)
            continue;
        if (query_has(query, "exclude", checks[i].name)) {
            (void)cleat_buffer_format(&lines, "[+]%s excluded: ok\n", checks[i].name);
        } else if (checks[i].fn(checks[i].arg, &err) == 0) {
            (void)cleat_buffer_format(&lines, "[+]%s ok\n", checks[i].name); /* sticky */
        } else {
            failed = true;
            (void)cleat_buffer_format(&lines, "[-]%s failed: reason withheld\n", checks[i].name);
        }
    }
    health_note_unknown(checks, count, query, &lines);
    if (failed || query_has(query, "verbose", NULL)) {
        (void)cleat_buffer_str(body, cleat_buffer_view(&lines)); /* sticky */
        (void)cleat_buffer_format(body, "%s check %s\n", root, failed ? "failed" : "passed");
    } else {
        (void)cleat_buffer_text(body, "ok"); /* sticky */
    }
    cleat_buffer_fini(&lines);
    return failed ? 500 : 200;
}

static void health_leave(struct cleat_health *health)
{
    cleat_lock_take(&health->lock);
    if (--health->running == 0)
        cleat_cond_broadcast(&health->idle);
    cleat_lock_release(&health->lock);
}

static int health_ping(void *arg, struct cleat_err *err)
{
    return 0;
}

/* A copy of the checks and one more running answer; NULL where memory ran out. Where nobody added a
 * check there is "ping", which says that somebody answers. */
static struct health_check *health_enter(struct cleat_health *health, size_t *ret_count)
{
    cleat_lock_take(&health->lock);
    struct health_check *checks = cleat_mem_zalloc(health->count + 1, sizeof(*checks));
    if (checks) {
        memcpy(checks, health->checks, health->count * sizeof(*checks));
        *ret_count = health->count;
        if (health->count == 0)
            checks[(*ret_count)++] =
                (struct health_check){.name = "ping", .in_sum = true, .fn = health_ping};
        health->running++;
    }
    cleat_lock_release(&health->lock);
    return checks;
}

int cleat_health_answer(struct cleat_health *health, const char *root, const char *subpath,
                        const char *query, struct cleat_buffer *body)
{
    size_t count = 0;
    int status = 404;
    const char *name = subpath && subpath[0] == '/' ? subpath + 1 : "";
    struct health_check *checks = health_enter(health, &count);
    if (!checks)
        return 500;
    if (name[0] == '\0')
        status = health_answer_sum(checks, count, root, query, body);
    for (size_t i = 0; name[0] && i < count; i++)
        if (strcmp(checks[i].name, name) == 0)
            status = health_answer_one(&checks[i], body);
    if (status == 404)
        (void)cleat_buffer_text(body, "404 page not found\n"); /* sticky */
    health_leave(health);
    cleat_mem_free(checks);
    return status;
}
