/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cluster for a test: an embedded API server and clients of it.
 */
#ifndef CLEAT_TESTS_CLUSTER_H
#define CLEAT_TESTS_CLUSTER_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cleat/apiserver.h>
#include <cleat/client.h>
#include <cleat/document.h>
#include <cleat/object.h>

struct cluster {
    struct cleat_apiserver *server;
    struct cleat_client *admin;
};

/** A client as @user (NULL: the administrator); new. */
static inline struct cleat_client *cluster_client(struct cluster *cluster, const char *user)
{
    struct cleat_kubeconfig *config = NULL;
    struct cleat_client *client = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_apiserver_kubeconfig(cluster->server, user ? user : "admin", NULL, &config,
                                             &err) == 0,
                  "%s", err.text);
    const struct cleat_client_options options = {.config = config};
    ck_assert_msg(cleat_client_new(&options, &client, &err) == 0, "%s", err.text);
    cleat_kubeconfig_free(config);
    return client;
}

static inline void cluster_open(struct cluster *cluster)
{
    const struct cleat_apiserver_options options = {0};
    struct cleat_err err = CLEAT_ERR_INIT;
    *cluster = (struct cluster){0};
    ck_assert_msg(cleat_apiserver_new(&options, &cluster->server, &err) == 0, "%s", err.text);
    ck_assert_msg(cleat_apiserver_start(cluster->server, &err) == 0, "%s", err.text);
    cluster->admin = cluster_client(cluster, NULL);
}

static inline void cluster_close(struct cluster *cluster)
{
    cluster->admin = cleat_client_unref(cluster->admin);
    cluster->server = cleat_apiserver_free(cluster->server);
}

static inline int cluster_make(struct cluster *cluster, const struct cleat_resource *resource,
                               const char *namespace_, const char *json)
{
    const struct cleat_client_target target = {.resource = resource, .namespace_ = namespace_};
    struct cleat_document *document = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(cleat_document_parse(cleat_str_of(json), &document, &err) == 0, "%s", err.text);
    int rc = cleat_client_create(cluster->admin, &target, cleat_document_root(document), NULL, NULL,
                                 &err);
    cleat_document_unref(document);
    if (rc < 0)
        (void)fprintf(stderr, "create: %s\n", err.text);
    return rc;
}

static inline int cluster_patch(struct cluster *cluster, const struct cleat_resource *resource,
                                const char *namespace_, const char *name, const char *json)
{
    const struct cleat_client_target target = {resource, namespace_, name, NULL};
    return cleat_client_patch(cluster->admin, &target, CLEAT_PATCH_MERGE, cleat_str_of(json), NULL,
                              NULL, NULL);
}

static inline int cluster_remove(struct cluster *cluster, const struct cleat_resource *resource,
                                 const char *namespace_, const char *name)
{
    const struct cleat_client_target target = {resource, namespace_, name, NULL};
    return cleat_client_delete(cluster->admin, &target, NULL, NULL, NULL);
}

/** True where the object is there and the string at @path is @wanted (NULL: whatever). */
static inline bool cluster_has(struct cluster *cluster, const struct cleat_resource *resource,
                               const char *namespace_, const char *name, const char *path,
                               const char *wanted)
{
    const struct cleat_client_target target = {resource, namespace_, name, NULL};
    struct cleat_object *object = NULL;
    if (cleat_client_get(cluster->admin, &target, NULL, &object, NULL) != 0)
        return false;
    bool has = !path || cleat_value_is(cleat_object_find(object, path), wanted);
    cleat_object_unref(object);
    return has;
}

#endif
