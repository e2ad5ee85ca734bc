/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out while values are read, changed, compared and written, and while text becomes
 * something else: everything below the client.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cleat/binding.h>
#include <cleat/condition.h>
#include <cleat/draft.h>
#include <cleat/jansson.h>
#include <cleat/object.h>
#include <cleat/owner.h>
#include <cleat/patch.h>
#include <cleat/projection.h>
#include <cleat/selector.h>
#include <cleat/write.h>

#include "fault/alloc_libraries.h"
#include "fault/alloc_samples.h"
#include "kube/yaml.h"
#include "value/heap.h"
#include "value/parser.h"

/* ---- parsing ---- */

static int run_document(void *arg, struct cleat_err *err)
{
    struct cleat_document *document = NULL;
    int r = cleat_document_parse(CLEAT_STR(SAMPLE_POD), &document, err);
    if (r == 0 && !cleat_value_is(cleat_value_find(cleat_document_root(document), "spec.nodeName"),
                                  "node-17"))
        r = CLEAT_SWEEP_WRONG;
    cleat_document_unref(document);
    return r;
}

static void *open_pool(void)
{
    struct cleat_heap *pool = NULL;
    ck_assert_int_eq(cleat_pool_new((size_t)16 << 20, &pool), 0);
    return pool;
}

/* Whatever was made on the way and isn't held goes with a sweep, to the last node. */
static bool whole_pool(void *arg)
{
    cleat_pool_sweep(arg);
    return cleat_heap_nodes(arg) == 0;
}

static void close_pool(void *arg)
{
    (void)cleat_heap_free(arg);
}

struct pool_items {
    struct cleat_heap *pool;
    uint32_t held[8];
    size_t count;
    size_t seen;
    size_t broken;
};

static int pool_item(void *arg, const struct cleat_parser_item *item)
{
    struct pool_items *items = arg;
    if (item->broken) {
        items->broken++;
        return item->broken->code == -ENOMEM ? -ENOMEM : -EILSEQ;
    }
    bool ours = item->root.heap == items->pool; /* a bookmark is the parser's own */
    items->seen++;
    if (ours && items->count < 8) {
        cleat_pool_hold(items->pool, item->root.ref);
        items->held[items->count++] = item->root.ref;
    }
    return 0;
}

/* Fed in chunks of 7 bytes, so that every buffer of unfinished text is needed. */
static int pool_feed(struct cleat_parser *parser, const char *text, struct cleat_err *err)
{
    size_t length = strlen(text);
    int r = 0;
    for (size_t at = 0; r == 0 && at < length; at += 7)
        r = cleat_parser_feed(parser, text + at, length - at < 7 ? length - at : 7, err);
    if (r == 0)
        r = cleat_parser_finish(parser, NULL, err);
    return r;
}

static int pool_read(struct cleat_heap *pool, enum cleat_parser_mode mode, const char *text,
                     size_t wanted, struct cleat_err *err)
{
    const char *paths[] = {"metadata.labels", "metadata.annotations", "spec.containers[*].image"};
    struct pool_items items = {.pool = pool};
    struct cleat_projection *projection = NULL;
    struct cleat_parser *parser = NULL;
    int r = cleat_projection_paths(paths, 3, &projection, err);
    const struct cleat_parser_options options = {
        .heap = pool, .mode = mode, .projection = projection, .on_item = pool_item, .arg = &items};
    SAMPLE_STEP(r, cleat_parser_new(&options, &parser, err));
    SAMPLE_STEP(r, pool_feed(parser, text, err));
    if (r == 0 && items.seen != wanted)
        r = CLEAT_SWEEP_WRONG;
    cleat_parser_free(parser);
    while (items.count > 0)
        cleat_pool_drop(pool, items.held[--items.count]);
    cleat_projection_unref(projection);
    return sample_named(r, err);
}

static int run_list(void *arg, struct cleat_err *err)
{
    return pool_read(arg, CLEAT_PARSER_LIST,
                     "{\"apiVersion\":\"v1\",\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\""
                     ":\"9\"},\"items\":[" SAMPLE_POD "," SAMPLE_POD "," SAMPLE_POD "]}",
                     3, err);
}

static int run_watch(void *arg, struct cleat_err *err)
{
    return pool_read(arg, CLEAT_PARSER_WATCH,
                     "{\"type\":\"ADDED\",\"object\":" SAMPLE_POD "}\n"
                     "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{"
                     "\"resourceVersion\":\"12\",\"annotations\":{\"k8s.io/initial-events-end\":"
                     "\"true\"}}}}\n{\"type\":\"DELETED\",\"object\":" SAMPLE_POD "}\n",
                     3, err);
}

/* ---- changing ---- */

static void *open_base(void)
{
    return sample_document(SAMPLE_POD);
}

static void close_base(void *arg)
{
    cleat_document_unref(arg);
}

static bool whole_base(void *arg)
{
    struct cleat_document *fresh = sample_document(SAMPLE_POD);
    bool same = cleat_value_equal(cleat_document_root(arg), cleat_document_root(fresh));
    cleat_document_unref(fresh);
    return same;
}

static int draft_change(struct cleat_draft *draft, struct cleat_err *err)
{
    int r = cleat_draft_set_text(draft, "metadata.labels.app", "changed to something longer", err);
    SAMPLE_STEP(r, cleat_draft_set_json(draft, "spec.added", "{\"x\":[1,{\"y\":\"z\"}]}", err));
    SAMPLE_STEP(r, cleat_draft_append_json(draft, "spec.tolerations", "{\"key\":\"k\"}", err));
    SAMPLE_STEP(r, cleat_draft_remove(draft, "spec.containers[1]", err));
    SAMPLE_STEP(r,
                cleat_draft_set_int(draft, "spec.containers[0].ports[1].containerPort", 8443, err));
    return r;
}

/* What the patch makes of the base must be what the draft is. */
static int draft_round(struct cleat_value base, struct cleat_value changed, bool merge,
                       struct cleat_err *err)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(65536);
    struct cleat_document *patch = NULL, *result = NULL;
    int r = merge ? cleat_patch_merge_diff(base, changed, &text, err)
                  : cleat_patch_diff(base, changed, &text, err);
    SAMPLE_STEP(r, cleat_document_parse(cleat_buffer_view(&text), &patch, err));
    if (r == 0)
        r = merge ? cleat_patch_merge(base, cleat_document_root(patch), &result, err)
                  : cleat_patch_apply(base, cleat_document_root(patch), &result, err);
    if (r == 0 && !cleat_value_equal(cleat_document_root(result), changed))
        r = CLEAT_SWEEP_WRONG;
    cleat_document_unref(result);
    cleat_document_unref(patch);
    cleat_buffer_fini(&text);
    return r;
}

static int draft_run(void *arg, bool merge, struct cleat_err *err)
{
    struct cleat_value base = cleat_document_root(arg), changed;
    struct cleat_draft *draft = NULL;
    int r = cleat_draft_new(base, &draft, err);
    SAMPLE_STEP(r, draft_change(draft, err));
    SAMPLE_STEP(r, cleat_draft_freeze(draft, &changed, err));
    SAMPLE_STEP(r, draft_round(base, changed, merge, err));
    cleat_draft_free(draft);
    return r;
}

static int run_draft_patch(void *arg, struct cleat_err *err)
{
    return draft_run(arg, false, err);
}

static int run_draft_merge(void *arg, struct cleat_err *err)
{
    return draft_run(arg, true, err);
}

/* A change that fails leaves the draft as it was. */
static int run_draft_keeps(void *arg, struct cleat_err *err)
{
    struct cleat_draft *draft = NULL;
    int r = cleat_draft_new(cleat_document_root(arg), &draft, err);
    if (r < 0)
        return r;
    r = cleat_draft_set_json(draft, "spec.more", "[{\"a\":1},{\"b\":\"" SAMPLE_LONG "\"}]", err);
    if (r < 0 && cleat_draft_changed(draft))
        r = CLEAT_SWEEP_WRONG;
    SAMPLE_STEP(r, cleat_draft_remove(draft, "spec.more", err));
    if (r == 0 && cleat_draft_changed(draft))
        r = CLEAT_SWEEP_WRONG;
    cleat_draft_free(draft);
    return r;
}

/* ---- writing ---- */

static int run_write(void *arg, struct cleat_err *err)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(65536);
    struct cleat_document *again = NULL;
    cleat_buffer_text(&text, "x");
    int r = text.failed ? sample_named(-ENOMEM, err) : 0;
    SAMPLE_STEP(r, cleat_write_json(&text, cleat_document_root(arg), err));
    if (r < 0 && text.length > 1)
        r = CLEAT_SWEEP_WRONG; /* half a value must never stand in a buffer */
    SAMPLE_STEP(r, cleat_write_pretty(&text, cleat_document_root(arg), err));
    if (r == 0) {
        struct cleat_str json = {text.data + 1, strlen(SAMPLE_POD)};
        struct cleat_buffer compact = CLEAT_BUFFER_INIT(65536);
        r = cleat_write_json(&compact, cleat_document_root(arg), err);
        json.length = compact.length;
        SAMPLE_STEP(r, cleat_document_parse(json, &again, err));
        if (r == 0 && !cleat_value_equal(cleat_document_root(again), cleat_document_root(arg)))
            r = CLEAT_SWEEP_WRONG;
        cleat_buffer_fini(&compact);
    }
    cleat_document_unref(again);
    cleat_buffer_fini(&text);
    return r;
}

static int run_jansson(void *arg, struct cleat_err *err)
{
    struct cleat_document *document = NULL;
    json_t *json = NULL;
    int r = cleat_jansson_of(cleat_document_root(arg), &json, err);
    if (r == 0)
        r = cleat_jansson_document_take(json, &document, err);
    if (r == 0 && !cleat_value_equal(cleat_document_root(document), cleat_document_root(arg)))
        r = CLEAT_SWEEP_WRONG;
    cleat_document_unref(document);
    return r;
}

/* ---- YAML ---- */

#define YAML                                                                                       \
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {x: y, n: \"1\"}\ndata:\n"   \
    "  text: |\n    several\n    lines\n  list: 'quoted'\n---\n# empty\n---\nkind: List\nitems:\n" \
    "- 1\n- -2.5\n- [true, null, {deep: [er]}]\n"

static int yaml_each(void *arg, struct cleat_document *document)
{
    struct cleat_buffer *text = arg;
    return cleat_yaml_write(text, cleat_document_root(document), NULL);
}

static int run_yaml(void *arg, struct cleat_err *err)
{
    struct cleat_buffer text = CLEAT_BUFFER_INIT(65536);
    struct cleat_document *document = NULL;
    int r = cleat_yaml_each(CLEAT_STR(YAML), yaml_each, &text, err);
    if (r == 0 && !strstr(text.data, "er"))
        r = CLEAT_SWEEP_WRONG;
    SAMPLE_STEP(r, cleat_yaml_parse(CLEAT_STR("a: {b: [c, d], e: 1}\n"), &document, err));
    if (r == 0 &&
        cleat_value_int_or(cleat_value_find(cleat_document_root(document), "a.e"), 0) != 1)
        r = CLEAT_SWEEP_WRONG;
    cleat_document_unref(document);
    cleat_buffer_fini(&text);
    return sample_named(r, err);
}

/* ---- selectors, projections, bindings ---- */

static int run_selectors(void *arg, struct cleat_err *err)
{
    struct cleat_selector *labels = NULL, *from_object = NULL;
    struct cleat_field_selector *fields = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(4096);
    struct cleat_value root = cleat_document_root(arg);
    int r =
        cleat_selector_parse(CLEAT_STR("app in (web,db),tier,!gone,release!=canary"), &labels, err);
    SAMPLE_STEP(r, cleat_field_selector_parse(
                       CLEAT_STR("metadata.name=web-0,spec.nodeName!=node-1"), &fields, err));
    SAMPLE_STEP(r, cleat_selector_of(cleat_value_find(root, "spec.selector"), &from_object, err));
    SAMPLE_STEP(r, cleat_selector_write(labels, &text));
    SAMPLE_STEP(r, cleat_field_selector_write(fields, &text));
    if (r == 0 && !(cleat_selector_matches(labels, cleat_value_find(root, "metadata.labels")) &&
                    cleat_field_selector_matches(fields, root)))
        r = CLEAT_SWEEP_WRONG;
    cleat_buffer_fini(&text);
    cleat_selector_free(from_object);
    cleat_field_selector_free(fields);
    cleat_selector_free(labels);
    return sample_named(r, err);
}

static int run_projections(void *arg, struct cleat_err *err)
{
    const char *some[] = {"spec.containers[*].image", "metadata.labels.app"};
    const char *others[] = {"spec.containers[*].ports", "status.phase"};
    struct cleat_projection *a = NULL, *b = NULL, *both = NULL, *standard = NULL;
    int r = cleat_projection_paths(some, 2, &a, err);
    SAMPLE_STEP(r, cleat_projection_paths(others, 2, &b, err));
    SAMPLE_STEP(r, cleat_projection_union(a, b, &both));
    SAMPLE_STEP(r, cleat_projection_default(&standard));
    if (r == 0 && !(cleat_projection_covers(both, a) && cleat_projection_covers(both, b) &&
                    !cleat_projection_covers(both, standard)))
        r = CLEAT_SWEEP_WRONG;
    cleat_projection_unref(standard);
    cleat_projection_unref(both);
    cleat_projection_unref(b);
    cleat_projection_unref(a);
    return sample_named(r, err);
}

/* ---- objects ---- */

static int object_meta(struct cleat_draft *draft, const struct cleat_object *owner,
                       struct cleat_err *err)
{
    const struct cleat_condition condition = {"Ready", "False", "Sweep", "of memory", 3};
    int r = cleat_owner_set_controller(draft, owner, true, err);
    SAMPLE_STEP(r, cleat_finalizer_add(draft, "cleat.dev/swept", err));
    SAMPLE_STEP(r, cleat_condition_set(draft, &condition, cleat_clock_system(), err));
    SAMPLE_STEP(r, cleat_condition_remove(draft, "Other", err));
    return r;
}

static int run_object(void *arg, struct cleat_err *err)
{
    struct cleat_object *owner = NULL, *object = NULL;
    struct cleat_draft *draft = NULL;
    struct cleat_buffer text = CLEAT_BUFFER_INIT(65536);
    int r = cleat_object_of(arg, &owner, err);
    SAMPLE_STEP(r, cleat_object_parse(CLEAT_STR("{\"apiVersion\":\"v1\",\"kind\":\"Pod\","
                                                "\"metadata\":{\"name\":\"x\",\"namespace\":"
                                                "\"shop\"}}"),
                                      &object, err));
    SAMPLE_STEP(r, cleat_draft_new(cleat_object_value(object), &draft, err));
    SAMPLE_STEP(r, object_meta(draft, owner, err));
    SAMPLE_STEP(r, cleat_write_json(&text, cleat_draft_value(draft), err));
    if (r == 0 && !(cleat_finalizer_has(cleat_draft_value(draft), "cleat.dev/swept") &&
                    cleat_owner_has_uid(cleat_draft_value(draft), cleat_object_uid(owner))))
        r = CLEAT_SWEEP_WRONG;
    cleat_buffer_fini(&text);
    cleat_draft_free(draft);
    cleat_object_unref(object);
    cleat_object_unref(owner);
    return sample_named(r, err);
}

#define OF_BASE(label, fn, more)                                                                   \
    {                                                                                              \
        .name = (label), .open = open_base, .run = (fn), .whole = whole_base, .close = close_base, \
        .flags = (more)                                                                            \
    }
#define OF_POOL(label, fn)                                                                         \
    {                                                                                              \
        .name = (label), .open = open_pool, .run = (fn), .whole = whole_pool, .close = close_pool, \
        .flags = SWEEP_TOLERANT                                                                    \
    }

static const struct sweep_scene scenes[] = {
    {.name = "parse-arena", .run = run_document, .flags = SWEEP_TOLERANT},
    OF_POOL("parse-list-into-pool", run_list),
    OF_POOL("parse-watch-into-pool", run_watch),
    OF_BASE("draft-diff-patch", run_draft_patch, SWEEP_TOLERANT),
    OF_BASE("draft-merge-patch", run_draft_merge, SWEEP_TOLERANT),
    OF_BASE("draft-keeps-what-it-was", run_draft_keeps, SWEEP_TOLERANT),
    OF_BASE("write", run_write, SWEEP_TOLERANT),
    OF_BASE("jansson", run_jansson, SWEEP_LIBRARIES),
    {.name = "yaml", .run = run_yaml, .flags = SWEEP_TOLERANT | SWEEP_LIBRARIES},
    OF_BASE("selectors", run_selectors, SWEEP_TOLERANT),
    {.name = "projections", .run = run_projections, .flags = 0},
    OF_BASE("object-meta", run_object, SWEEP_TOLERANT),
};

int main(int argc, char **argv)
{
    alloc_libraries_hook();
    return cleat_sweep_main("alloc-values", scenes, sizeof(scenes) / sizeof(scenes[0]), 500, argc,
                            argv);
}
