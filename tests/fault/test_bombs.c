/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small inputs that ask for a lot: each in a child of its own, which says how much processor time
 * and memory it took. All must be answered, most by a refusal, within 100 ms and 64 MiB; builds
 * with sanitizers get more of both, and times are asserted there only as far as a hang goes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cleat/document.h>
#include <cleat/patch.h>
#include <cleat/selector.h>
#include <cleat/webhook.h>

#include "base/limits.h"
#include "base/mem.h"
#include "kube/yaml.h"
#include "support/suite.h"
#include "support/tally.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BOMB_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define BOMB_SANITIZED 1
#endif
#endif
#ifdef BOMB_SANITIZED
#define BOMB_TIMES 10
#else
#define BOMB_TIMES 1
#endif

#define BOMB_CPU_MS 100
#define BOMB_BYTES ((size_t)64 * CLEAT_MIB)
#define BOMB_HANG_S 30
#define BOMB_TEXT_MAX ((size_t)16 * CLEAT_MIB)

enum bomb_end {
    BOMB_REFUSED = 1,
    BOMB_TAKEN,
    BOMB_EITHER,
};

struct bomb {
    const char *name;
    void (*make)(struct cleat_buffer *text);
    enum bomb_end (*throw)(struct cleat_str text);
    enum bomb_end wanted;
};

/* ---- where they go ---- */

static int deny(void *arg, const struct cleat_review *review, struct cleat_verdict *verdict,
                struct cleat_err *err)
{
    cleat_verdict_deny(verdict, 0, NULL, "no");
    return 0;
}

static enum bomb_end throw_review(struct cleat_str text)
{
    const struct cleat_webhooks_options options = {0};
    const struct cleat_webhook_options hook = {.path = "/deny", .admit = deny};
    struct cleat_webhooks *webhooks = NULL;
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(64 * CLEAT_MIB);
    int retry_after_s = 0;
    ck_assert_int_eq(cleat_webhooks_new(&options, &webhooks, NULL), 0);
    ck_assert_int_eq(cleat_webhooks_add(webhooks, &hook, NULL), 0);
    int status = cleat_webhooks_answer(webhooks, "/deny", "", text, &answer, &retry_after_s);
    ck_assert(status == 200 || status == 400 || status == 503);
    cleat_buffer_fini(&answer);
    webhooks = cleat_webhooks_free(webhooks);
    return status == 200 ? BOMB_TAKEN : BOMB_REFUSED;
}

static enum bomb_end throw_patch(struct cleat_str text)
{
    struct cleat_document *object = NULL, *patch = NULL, *result = NULL;
    ck_assert_int_eq(
        cleat_document_parse(CLEAT_STR("{\"a\":[\"xxxxxxxxxxxxxxxx\"],\"b\":{}}"), &object, NULL),
        0);
    int r = cleat_document_parse(text, &patch, NULL);
    if (r == 0)
        r = cleat_patch_apply(cleat_document_root(object), cleat_document_root(patch), &result,
                              NULL);
    cleat_document_unref(result);
    cleat_document_unref(patch);
    cleat_document_unref(object);
    return r == 0 ? BOMB_TAKEN : BOMB_REFUSED;
}

static enum bomb_end throw_yaml(struct cleat_str text)
{
    struct cleat_document *document = NULL;
    int r = cleat_yaml_parse(text, &document, NULL);
    cleat_document_unref(document);
    return r == 0 ? BOMB_TAKEN : BOMB_REFUSED;
}

static enum bomb_end throw_selector(struct cleat_str text)
{
    struct cleat_selector *selector = NULL;
    int r = cleat_selector_parse(text, &selector, NULL);
    selector = cleat_selector_free(selector);
    return r == 0 ? BOMB_TAKEN : BOMB_REFUSED;
}

/* ---- what they are ---- */

#define REVIEW_BEGIN                                                                             \
    "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{\"uid\":" \
    "\"u\",\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},\"operation\":"         \
    "\"CREATE\",\"object\":"
#define REVIEW_END "}}"
#define BOMB_KEYS_BYTES ((size_t)3 * CLEAT_MIB)

static void repeat(struct cleat_buffer *text, const char *what, size_t times)
{
    for (size_t i = 0; i < times; i++)
        cleat_buffer_text(text, what);
}

static void make_depth(struct cleat_buffer *text)
{
    cleat_buffer_text(text, REVIEW_BEGIN);
    repeat(text, "[", 1000000);
    repeat(text, "]", 1000000);
    cleat_buffer_text(text, REVIEW_END);
}

static void make_deep_objects(struct cleat_buffer *text)
{
    cleat_buffer_text(text, REVIEW_BEGIN);
    repeat(text, "{\"a\":", 1000000);
}

/* Members with keys by @format, until there are 3 MiB of them. */
static void make_members(struct cleat_buffer *text, const char *format)
{
    cleat_buffer_text(text, REVIEW_BEGIN "{");
    for (unsigned i = 0; text->length < BOMB_KEYS_BYTES; i++) {
        char key[64];
        (void)snprintf(key, sizeof(key), "%s\"%s%08x\":0", i > 0 ? "," : "", format, i);
        cleat_buffer_text(text, key);
    }
    cleat_buffer_text(text, "}" REVIEW_END);
}

static void make_keys(struct cleat_buffer *text)
{
    make_members(text, "");
}

/* What a weak hash would take for the same: long common beginnings, and only zeroes differ. */
static void make_alike_keys(struct cleat_buffer *text)
{
    make_members(text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static void make_small_objects(struct cleat_buffer *text)
{
    cleat_buffer_text(text, REVIEW_BEGIN "{\"a\":[{}");
    while (text->length < BOMB_KEYS_BYTES)
        cleat_buffer_text(text, ",{}");
    cleat_buffer_text(text, "]}" REVIEW_END);
}

static void make_number(struct cleat_buffer *text)
{
    cleat_buffer_text(text, REVIEW_BEGIN "{\"a\":1");
    repeat(text, "0123456789", BOMB_KEYS_BYTES / 10);
    cleat_buffer_text(text, "e999999999}" REVIEW_END);
}

static void make_escapes(struct cleat_buffer *text)
{
    cleat_buffer_text(text, REVIEW_BEGIN "{\"a\":\"");
    repeat(text, "\\u0041\\ud83d\\ude00\\n", BOMB_KEYS_BYTES / 20);
    cleat_buffer_text(text, "\"}" REVIEW_END);
}

/* Each copies the array into itself: 2^40 elements. */
static void make_copies(struct cleat_buffer *text)
{
    cleat_buffer_text(text, "[");
    for (int i = 0; i < 40; i++)
        cleat_buffer_text(text, i > 0 ? ",{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}"
                                      : "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}");
    cleat_buffer_text(text, "]");
}

static void make_operations(struct cleat_buffer *text, unsigned count)
{
    cleat_buffer_text(text, "[");
    for (unsigned i = 0; i < count; i++) {
        char op[80];
        (void)snprintf(op, sizeof(op), "%s{\"op\":\"add\",\"path\":\"/b/k%u\",\"value\":%u}",
                       i > 0 ? "," : "", i, i);
        cleat_buffer_text(text, op);
    }
    cleat_buffer_text(text, "]");
}

static void make_10000(struct cleat_buffer *text)
{
    make_operations(text, 10000);
}

static void make_10001(struct cleat_buffer *text)
{
    make_operations(text, 10001);
}

/* Inserting at the front moves everything, each time. */
static void make_front_inserts(struct cleat_buffer *text)
{
    cleat_buffer_text(text, "[");
    for (int i = 0; i < 9999; i++)
        cleat_buffer_text(text, i > 0 ? ",{\"op\":\"add\",\"path\":\"/a/0\",\"value\":1}"
                                      : "{\"op\":\"add\",\"path\":\"/a/0\",\"value\":1}");
    cleat_buffer_text(text, "]");
}

static void make_deep_path(struct cleat_buffer *text)
{
    cleat_buffer_text(text, "[{\"op\":\"add\",\"path\":\"");
    repeat(text, "/a", 500000);
    cleat_buffer_text(text, "\",\"value\":1}]");
}

static void make_yaml_nest(struct cleat_buffer *text)
{
    repeat(text, "[", 500000);
}

static void make_yaml_indents(struct cleat_buffer *text)
{
    for (size_t i = 0; i < 1000; i++) {
        repeat(text, " ", i);
        cleat_buffer_text(text, "a:\n");
    }
}

/* Nine levels of nine aliases each. */
static void make_yaml_laughs(struct cleat_buffer *text)
{
    cleat_buffer_text(text, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 10; i++) {
        char line[128];
        (void)snprintf(line, sizeof(line),
                       "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
                       i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        cleat_buffer_text(text, line);
    }
}

static void make_yaml_keys(struct cleat_buffer *text)
{
    for (unsigned i = 0; text->length < 1000000; i++) {
        char line[32];
        (void)snprintf(line, sizeof(line), "k%08x: 0\n", i);
        cleat_buffer_text(text, line);
    }
}

static void make_yaml_large(struct cleat_buffer *text)
{
    cleat_buffer_text(text, "a: ");
    repeat(text, "xxxxxxxxxxxxxxxx", 200000);
}

static void make_selector_many(struct cleat_buffer *text)
{
    cleat_buffer_text(text, "a=b");
    repeat(text, ",a=b", 500000);
}

static void make_selector_values(struct cleat_buffer *text)
{
    cleat_buffer_text(text, "a in (b");
    repeat(text, ",b", 1000000);
    cleat_buffer_text(text, ")");
}

static void make_selector_nest(struct cleat_buffer *text)
{
    cleat_buffer_text(text, "a in ");
    repeat(text, "(", 1000000);
}

static const struct bomb bombs[] = {
    {"depth of 10^6", make_depth, throw_review, BOMB_REFUSED},
    {"objects in objects", make_deep_objects, throw_review, BOMB_REFUSED},
    {"3 MiB of keys", make_keys, throw_review, BOMB_EITHER},
    {"3 MiB of keys alike", make_alike_keys, throw_review, BOMB_EITHER},
    {"a million objects", make_small_objects, throw_review, BOMB_EITHER},
    {"a number of 3 MiB", make_number, throw_review, BOMB_EITHER},
    {"3 MiB of escapes", make_escapes, throw_review, BOMB_EITHER},
    {"copies of copies", make_copies, throw_patch, BOMB_REFUSED},
    {"10,000 operations", make_10000, throw_patch, BOMB_TAKEN},
    {"10,001 operations", make_10001, throw_patch, BOMB_REFUSED},
    {"insertions in front", make_front_inserts, throw_patch, BOMB_EITHER},
    {"a path of 500,000 steps", make_deep_path, throw_patch, BOMB_REFUSED},
    {"YAML brackets", make_yaml_nest, throw_yaml, BOMB_REFUSED},
    {"YAML indents", make_yaml_indents, throw_yaml, BOMB_REFUSED},
    {"YAML aliases", make_yaml_laughs, throw_yaml, BOMB_REFUSED},
    {"YAML keys", make_yaml_keys, throw_yaml, BOMB_REFUSED},
    {"YAML too large", make_yaml_large, throw_yaml, BOMB_REFUSED},
    {"selector requirements", make_selector_many, throw_selector, BOMB_EITHER},
    {"selector values", make_selector_values, throw_selector, BOMB_EITHER},
    {"selector brackets", make_selector_nest, throw_selector, BOMB_REFUSED},
};

/* ---- what they take ---- */

/* What a child tells of itself. */
struct bomb_report {
    enum bomb_end end;
    long cpu_ms;
    size_t bytes;
};

/* A line of /proc/self/status in bytes, 0 where it isn't there. */
static size_t memory_line(const char *name)
{
    char line[128];
    size_t kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtoul(line + strlen(name) + 1, NULL, 10);
    if (file)
        (void)fclose(file); /* only read from */
    return kib * 1024;
}

static long cpu_ms(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); /* can't fail */
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000L +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000L;
}

static void bomb_child(const struct bomb *bomb, struct cleat_str text, int fd)
{
    struct bomb_report report = {.end = BOMB_EITHER};
    FILE *reset = fopen("/proc/self/clear_refs", "we");
    if (reset) {
        (void)fputs("5", reset); /* the high-water mark; without it memory is told too high */
        (void)fclose(reset);
    }
    (void)alarm(BOMB_HANG_S);
    size_t before = memory_line("VmRSS");
    long start_ms = cpu_ms();
    report.end = bomb->throw(text);
    report.cpu_ms = cpu_ms() - start_ms;
    size_t peak = memory_line("VmHWM");
    report.bytes = peak > before ? peak - before : 0;
    _exit(write(fd, &report, sizeof(report)) == (ssize_t)sizeof(report) ? 0 : 1);
}

static void bomb_run(const struct bomb *bomb, struct cleat_tally *tally)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(BOMB_TEXT_MAX);
    struct bomb_report report = {0};
    int pipes[2], status = 0;
    bomb->make(&text);
    ck_assert_int_eq(text.failed, 0);
    ck_assert_int_eq(pipe(pipes), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        bomb_child(bomb, cleat_buffer_view(&text), pipes[1]);
    (void)close(pipes[1]);
    bool told = read(pipes[0], &report, sizeof(report)) == (ssize_t)sizeof(report);
    (void)close(pipes[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    tally->injections++;
    if (!told || status != 0) {
        (void)fprintf(stderr, "%s: ended with status %d\n", bomb->name, status);
        tally->crashes++;
    } else {
        bool wrong = (bomb->wanted != BOMB_EITHER && report.end != bomb->wanted) ||
                     report.bytes > BOMB_BYTES * BOMB_TIMES;
        (void)printf("%-26s %8zu KiB in: %s, %4ld ms (aim %d), %6zu KiB%s\n", bomb->name,
                     text.length / 1024, report.end == BOMB_REFUSED ? "refused" : "taken",
                     report.cpu_ms, BOMB_CPU_MS, report.bytes / 1024, wrong ? " WRONG" : "");
        tally->wrong += wrong;
    }
    cleat_buffer_fini(&text);
}

START_TEST(test_bombs)
{
    struct cleat_tally tally = {
        .name = "bombs", .runs = 1, .least = 15, .note = "small inputs that ask for a lot"};
    for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++)
        bomb_run(&bombs[i], &tally);
    cleat_tally_end(&tally);
}
END_TEST

CLEAT_SUITE_MAIN("bombs", test_bombs)
