/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/object.h"

#include <errno.h>
#include <string.h>

#include "kube_document.h"
#include "support/chaos.h"
#include "support/suite.h"
#include "value/heap.h"

#define UID "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct cleat_object *object_of(const char *json)
{
    struct cleat_document *document = document_of(json);
    struct cleat_object *object = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_object_of(document, &object, &err) == 0, "%s", err.text);
    cleat_document_unref(document);
    return object;
}

/* The string, and that a NUL stands behind it. */
static bool is(struct cleat_str text, const char *expected)
{
    return cleat_str_is(text, expected) && text.data[text.length] == '\0';
}

START_TEST(test_document)
{
    struct cleat_object *object = object_of(
        "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'namespace':'shop','name':'web',"
        "'uid':'" UID "','resourceVersion':'123456789','generation':3,'labels':{'a':'b'},"
        "'annotations':{'c':'d'}}}");
    struct cleat_gvk gvk;
    ck_assert(is(cleat_object_api_version(object), "apps/v1"));
    ck_assert(is(cleat_object_kind(object), "Deployment"));
    ck_assert(is(cleat_object_namespace(object), "shop"));
    ck_assert(is(cleat_object_name(object), "web"));
    ck_assert(is(cleat_object_uid(object), UID));
    ck_assert(is(cleat_object_resource_version(object), "123456789"));
    ck_assert_int_eq(cleat_object_generation(object), 3);
    ck_assert(cleat_value_is(cleat_value_get(cleat_object_labels(object), "a"), "b"));
    ck_assert(cleat_value_is(cleat_value_get(cleat_object_annotations(object), "c"), "d"));
    ck_assert(!cleat_object_deleting(object));
    ck_assert(!cleat_object_partial(object));
    ck_assert_int_eq(cleat_object_gvk(object, &gvk, NULL), 0);
    ck_assert_str_eq(gvk.group, "apps");
    ck_assert(cleat_value_is(cleat_object_find(object, "metadata.name"), "web"));
    ck_assert_ptr_eq(cleat_object_ref(object), object);
    ck_assert_ptr_null(cleat_object_unref(object));
    ck_assert(is(cleat_object_name(object), "web"));
    cleat_object_unref(object);
    ck_assert_ptr_null(cleat_object_unref(NULL));
}
END_TEST

START_TEST(test_nothing_there)
{
    static const char *const bare[] = {"{}", "{'metadata':null}",
                                       "{'metadata':{'name':1,'uid':[]}}"};
    for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
        struct cleat_object *object = object_of(bare[i]);
        struct cleat_gvk gvk;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert(is(cleat_object_api_version(object), ""));
        ck_assert(is(cleat_object_name(object), ""));
        ck_assert(is(cleat_object_uid(object), ""));
        ck_assert_int_eq(cleat_object_generation(object), 0);
        ck_assert(!cleat_value_is_present(cleat_object_labels(object)));
        ck_assert_int_eq(cleat_object_gvk(object, &gvk, &err), -EINVAL);
        cleat_object_unref(object);
    }
}
END_TEST

START_TEST(test_deleting)
{
    static const struct {
        const char *json;
        bool deleting;
    } cases[] = {
        {"{'metadata':{'deletionTimestamp':'2026-01-02T03:04:05Z'}}", true},
        {"{'metadata':{'deletionTimestamp':null}}", false},
        {"{'metadata':{}}", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_object *object = object_of(cases[i].json);
        ck_assert_int_eq(cleat_object_deleting(object), cases[i].deleting);
        cleat_object_unref(object);
    }
}
END_TEST

START_TEST(test_many_packed_names)
{
    /* More than the object's own room holds. */
    struct cleat_object *object =
        object_of("{'metadata':{'name':'" DIGEST "','namespace':'10.1.2.3','uid':'" UID "',"
                  "'resourceVersion':'2026-01-02T03:04:05Z'}}");
    ck_assert(is(cleat_object_name(object), DIGEST));
    ck_assert(is(cleat_object_namespace(object), "10.1.2.3"));
    ck_assert(is(cleat_object_uid(object), UID));
    ck_assert(is(cleat_object_resource_version(object), "2026-01-02T03:04:05Z"));
    cleat_object_unref(object);
}
END_TEST

START_TEST(test_wrong)
{
    static const char *const wrong[] = {"[]", "'x'", "1", "null"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct cleat_document *document = document_of(wrong[i]);
        struct cleat_object *object = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        ck_assert_int_eq(cleat_object_of(document, &object, &err), -EINVAL);
        ck_assert_ptr_null(object);
        cleat_document_unref(document);
    }
    struct cleat_object *object = NULL;
    ck_assert_int_eq(cleat_object_parse(CLEAT_STR("{"), &object, NULL), -EINVAL);
}
END_TEST

START_TEST(test_write)
{
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    struct cleat_object *object = NULL;
    struct cleat_str json = CLEAT_STR("{\"kind\":\"A\",\"metadata\":{\"name\":\"x\"},\"n\":1.50}");
    ck_assert_int_eq(cleat_object_parse(json, &object, NULL), 0);
    ck_assert_int_eq(cleat_object_write(object, &buffer, NULL), 0);
    ck_assert(cleat_str_equal(cleat_buffer_view(&buffer), json));
    cleat_object_unref(object);
    cleat_buffer_fini(&buffer);
}
END_TEST

static int released;

static void stored_release(struct cleat_object *object)
{
    released++;
    cleat_object_fini(object);
}

static const struct cleat_object_ops stored_ops = {stored_release};

/* A stored object over a pool's root without what lives beside it. */
static void stored_init(struct cleat_object *object, struct cleat_heap *pool, const char *json,
                        const struct cleat_gvk *gvk)
{
    static const struct cleat_object_identity beside = {
        .api_version = {"apps/v1", 7}, .kind = {"Deployment", 10}, .resource_version = {"77", 2}};
    struct cleat_document *document = document_of(json);
    struct cleat_value root = {pool, 0};
    ck_assert_int_eq(cleat_heap_copy(pool, cleat_document_root(document), &root.ref), 0);
    cleat_document_unref(document);
    ck_assert_int_eq(cleat_object_init_stored(object, &stored_ops, root, gvk, &beside), 0);
}

START_TEST(test_stored)
{
    struct cleat_heap *pool = NULL;
    struct cleat_object object;
    struct cleat_gvk gvk, read;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    ck_assert_int_eq(cleat_gvk_make(&gvk, "apps", "v1", "Deployment"), 0);
    ck_assert_int_eq(cleat_pool_new(1u << 26, &pool), 0);
    stored_init(&object, pool, "{'metadata':{'name':'web','namespace':'shop','uid':'" UID "'}}",
                &gvk);
    ck_assert(is(cleat_object_api_version(&object), "apps/v1"));
    ck_assert(is(cleat_object_kind(&object), "Deployment"));
    ck_assert(is(cleat_object_namespace(&object), "shop"));
    ck_assert(is(cleat_object_name(&object), "web"));
    ck_assert(is(cleat_object_uid(&object), UID));
    ck_assert(is(cleat_object_resource_version(&object), "77"));
    ck_assert_int_eq(cleat_object_gvk(&object, &read, NULL), 0);
    ck_assert(cleat_gvk_equal(&read, &gvk));
    ck_assert_int_eq(cleat_object_write(&object, &buffer, NULL), 0);
    struct cleat_object *again = NULL;
    ck_assert_int_eq(cleat_object_parse(cleat_buffer_view(&buffer), &again, NULL), 0);
    ck_assert(is(cleat_object_resource_version(again), "77"));
    ck_assert(is(cleat_object_kind(again), "Deployment"));
    ck_assert(is(cleat_object_uid(again), UID));
    cleat_object_unref(again);
    released = 0;
    cleat_object_ref(&object);
    cleat_object_unref(&object);
    ck_assert_int_eq(released, 0);
    cleat_object_unref(&object);
    ck_assert_int_eq(released, 1);
    cleat_buffer_fini(&buffer);
    cleat_heap_free(pool);
}
END_TEST

START_TEST(test_partial)
{
    struct cleat_heap *pool = NULL;
    struct cleat_object object;
    struct cleat_gvk gvk;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_buffer buffer = CLEAT_BUFFER_INIT(4096);
    ck_assert_int_eq(cleat_gvk_make(&gvk, "apps", "v1", "Deployment"), 0);
    ck_assert_int_eq(cleat_pool_new(1u << 26, &pool), 0);
    stored_init(&object, pool, "{'metadata':{'name':'web'}}", &gvk);
    object.partial = true;
    ck_assert(cleat_object_partial(&object));
    ck_assert_int_eq(cleat_object_write(&object, &buffer, &err), -ENODATA);
    ck_assert_ptr_nonnull(strstr(err.text, "Deployment web"));
    ck_assert_uint_eq(buffer.length, 0);
    cleat_object_unref(&object);
    cleat_buffer_fini(&buffer);
    cleat_heap_free(pool);
}
END_TEST

static int parse_once(void *arg)
{
    struct cleat_object *object = NULL;
    int r = cleat_object_parse(CLEAT_STR("{\"metadata\":{\"name\":\"" DIGEST "\",\"uid\":\"" UID
                                         "\",\"resourceVersion\":\"2026-01-02T03:04:05Z\"}}"),
                               &object, NULL);
    cleat_object_unref(object);
    return r;
}

START_TEST(test_memory)
{
    ck_assert_uint_gt(cleat_chaos_sweep_tolerant(parse_once, NULL), 3);
}
END_TEST

CLEAT_SUITE_MAIN("object", test_document, test_nothing_there, test_deleting, test_many_packed_names,
                 test_wrong, test_write, test_stored, test_partial, test_memory)
