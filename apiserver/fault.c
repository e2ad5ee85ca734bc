/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/fault.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/lock.h"
#include "base/map.h"
#include "base/mem.h"

#define FAULT_RULES_MAX 256
#define FAULT_COUNTS_MAX 100000
/* How soon a waiting request notices that its client has gone. */
#define FAULT_LOOK_MS 50

struct fault_rule {
    int id; /* 0: free */
    struct cleat_fault fault;
    unsigned seen;
    unsigned acted;
};

struct fault_count {
    uint64_t count;
    size_t method_length;
    size_t path_length;
    char text[]; /* METHOD path?query */
};

struct cleat_api_faults {
    struct cleat_lock lock;
    struct cleat_cond cond;
    const struct cleat_clock *clock;
    struct fault_rule *rules[FAULT_RULES_MAX]; /* in the order of adding */
    size_t rule_count;
    int last_id;
    bool stopping;
    struct cleat_map counts;
};

int cleat_api_faults_new(const struct cleat_clock *clock, struct cleat_api_faults **ret)
{
    struct cleat_api_faults *faults = cleat_mem_zalloc(1, sizeof(*faults));
    if (!faults)
        return -ENOMEM;
    faults->clock = clock;
    cleat_lock_init(&faults->lock, CLEAT_LOCK_APISERVER_WATCH);
    cleat_cond_init(&faults->cond);
    cleat_map_init(&faults->counts, FAULT_COUNTS_MAX);
    *ret = faults;
    return 0;
}

static void rule_free(struct fault_rule *rule)
{
    cleat_mem_free((void *)rule->fault.method);
    cleat_mem_free((void *)rule->fault.path);
    cleat_mem_free((void *)rule->fault.query);
    cleat_mem_free(rule);
}

struct cleat_api_faults *cleat_api_faults_free(struct cleat_api_faults *faults)
{
    if (!faults)
        return NULL;
    for (size_t i = 0; i < faults->rule_count; i++)
        rule_free(faults->rules[i]);
    size_t cursor = 0;
    struct fault_count *count = NULL;
    while ((count = cleat_map_next(&faults->counts, &cursor, NULL)))
        cleat_mem_free(count);
    cleat_map_fini(&faults->counts);
    cleat_cond_fini(&faults->cond);
    cleat_lock_fini(&faults->lock);
    return cleat_mem_free(faults);
}

static int fault_copy(const char *text, const char **ret)
{
    *ret = NULL;
    if (!text)
        return 0;
    *ret = cleat_mem_strdup(text);
    return *ret ? 0 : -ENOMEM;
}

int cleat_api_faults_add(struct cleat_api_faults *faults, const struct cleat_fault *fault)
{
    struct fault_rule *rule = cleat_mem_zalloc(1, sizeof(*rule));
    if (!rule)
        return -ENOMEM;
    rule->fault = *fault;
    int result = fault_copy(fault->method, &rule->fault.method);
    result |= fault_copy(fault->path, &rule->fault.path);
    result |= fault_copy(fault->query, &rule->fault.query);
    if (result != 0) {
        rule_free(rule);
        return -ENOMEM;
    }
    cleat_lock_take(&faults->lock);
    if (faults->rule_count < FAULT_RULES_MAX) {
        result = rule->id = ++faults->last_id;
        faults->rules[faults->rule_count++] = rule;
    } else {
        result = -ENOBUFS;
    }
    cleat_lock_release(&faults->lock);
    if (result < 0)
        rule_free(rule);
    return result;
}

void cleat_api_faults_clear(struct cleat_api_faults *faults, int id)
{
    size_t kept = 0;
    cleat_lock_take(&faults->lock);
    for (size_t i = 0; i < faults->rule_count; i++)
        if (id == 0 || faults->rules[i]->id == id)
            rule_free(faults->rules[i]);
        else
            faults->rules[kept++] = faults->rules[i];
    faults->rule_count = kept;
    cleat_cond_broadcast(&faults->cond);
    cleat_lock_release(&faults->lock);
}

static void faults_set_stopping(struct cleat_api_faults *faults, bool stopping)
{
    cleat_lock_take(&faults->lock);
    faults->stopping = stopping;
    cleat_cond_broadcast(&faults->cond);
    cleat_lock_release(&faults->lock);
}

void cleat_api_faults_start(struct cleat_api_faults *faults)
{
    faults_set_stopping(faults, false);
}

void cleat_api_faults_stop(struct cleat_api_faults *faults)
{
    faults_set_stopping(faults, true);
}

static void faults_count(struct cleat_api_faults *faults, const char *method, const char *path,
                         const char *query)
{
    char text[8192];
    int length = snprintf(text, sizeof(text), "%s %s?%s", method, path, query);
    struct cleat_str key = {text, length < 0                      ? 0
                                  : (size_t)length < sizeof(text) ? (size_t)length
                                                                  : sizeof(text) - 1};
    struct fault_count *count = cleat_map_get(&faults->counts, key);
    if (count) {
        count->count++;
        return;
    }
    count = cleat_mem_alloc(sizeof(*count) + key.length + 1);
    if (!count)
        return; /* a count is missing, which only a test could notice */
    *count = (struct fault_count){
        .count = 1, .method_length = strlen(method), .path_length = strlen(path)};
    memcpy(count->text, text, key.length + 1);
    if (cleat_map_set(&faults->counts, (struct cleat_str){count->text, key.length}, count) != 0)
        cleat_mem_free(count);
}

static bool fault_matches(const char *method, const char *path, const char *query,
                          const char *want_method, const char *want_path, const char *want_query)
{
    return (!want_method || strcmp(method, want_method) == 0) &&
           (!want_path || strncmp(path, want_path, strlen(want_path)) == 0) &&
           (!want_query || strstr(query, want_query));
}

static struct cleat_api_fault_action fault_action(const struct fault_rule *rule)
{
    const struct cleat_fault *fault = &rule->fault;
    bool cuts = fault->cut_after_bytes > 0 || fault->freeze;
    return (struct cleat_api_fault_action){.id = rule->id,
                                           .status = fault->status,
                                           .delay_ms = fault->delay_ms,
                                           .cut_after_bytes = cuts ? fault->cut_after_bytes : -1,
                                           .freeze = fault->freeze,
                                           .drop = fault->drop};
}

/* True where the rule acts on this request; counts it. */
static bool rule_acts(struct fault_rule *rule)
{
    if (rule->seen < rule->fault.skip) {
        rule->seen++;
        return false;
    }
    if (rule->fault.times && rule->acted >= rule->fault.times)
        return false;
    rule->acted++;
    return true;
}

struct cleat_api_fault_action cleat_api_faults_match(struct cleat_api_faults *faults,
                                                     const char *method, const char *path,
                                                     const char *query)
{
    struct cleat_api_fault_action action = {.cut_after_bytes = -1};
    cleat_lock_take(&faults->lock);
    faults_count(faults, method, path, query);
    for (size_t i = 0; i < faults->rule_count; i++) {
        struct fault_rule *rule = faults->rules[i];
        const struct cleat_fault *fault = &rule->fault;
        if (fault_matches(method, path, query, fault->method, fault->path, fault->query) &&
            rule_acts(rule)) {
            action = fault_action(rule);
            break;
        }
    }
    cleat_lock_release(&faults->lock);
    return action;
}

uint64_t cleat_api_faults_requests(struct cleat_api_faults *faults, const char *method,
                                   const char *path, const char *query)
{
    uint64_t sum = 0;
    size_t cursor = 0;
    const struct fault_count *count = NULL;
    cleat_lock_take(&faults->lock);
    while ((count = cleat_map_next(&faults->counts, &cursor, NULL))) {
        const char *its_path = count->text + count->method_length + 1;
        const char *its_query = its_path + count->path_length + 1;
        bool fits = (!method || (strlen(method) == count->method_length &&
                                 memcmp(method, count->text, count->method_length) == 0)) &&
                    (!path || (strlen(path) <= count->path_length &&
                               memcmp(path, its_path, strlen(path)) == 0)) &&
                    (!query || strstr(its_query, query));
        sum += fits ? count->count : 0;
    }
    cleat_lock_release(&faults->lock);
    return sum;
}

static bool client_is_gone(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLRDHUP};
    return fd >= 0 && poll(&look, 1, 0) > 0 &&
           (look.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

static bool faults_has(const struct cleat_api_faults *faults, int id)
{
    for (size_t i = 0; i < faults->rule_count; i++)
        if (faults->rules[i]->id == id)
            return true;
    return false;
}

bool cleat_api_faults_wait(struct cleat_api_faults *faults, int id, int64_t wait_ms, int fd)
{
    int64_t until = wait_ms < 0 ? INT64_MAX : cleat_clock_mono_ms(faults->clock) + wait_ms;
    bool gone = false;
    cleat_lock_take(&faults->lock);
    while (!faults->stopping && faults_has(faults, id) && !gone) {
        int64_t left = until - cleat_clock_mono_ms(faults->clock);
        if (left <= 0)
            break;
        (void)cleat_cond_wait_ms(&faults->cond, &faults->lock,
                                 left < FAULT_LOOK_MS ? left : FAULT_LOOK_MS);
        gone = client_is_gone(fd);
    }
    bool stopping = faults->stopping;
    cleat_lock_release(&faults->lock);
    return !stopping && !gone;
}

void cleat_api_faults_fail(int status, struct cleat_api_failure *failure)
{
    (void)cleat_api_fail(failure, status, status == 410 ? "Expired" : NULL,
                         "injected fault with status %d", status);
    if (status == 429)
        failure->retry_after_s = 1;
}
