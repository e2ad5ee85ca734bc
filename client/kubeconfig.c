/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a config comes from: the path that was given (it must exist), the files of KUBECONFIG, the
 * mount of a pod's service account, ~/.kube/config. With a context named the mount is left out: it
 * knows no contexts.
 */
#include <cleat/kubeconfig.h>

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cleat/name.h>

#include "base/check.h"
#include "base/mem.h"
#include "client/kubeconfig_files.h"

#define KUBECONFIG_MOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
#define KUBECONFIG_PATH_BYTES_MAX 4096

static char *kubeconfig_wipe_text(char *text)
{
    if (text)
        cleat_mem_wipe(text, strlen(text));
    return cleat_mem_free(text);
}

struct cleat_kubeconfig *cleat_kubeconfig_free(struct cleat_kubeconfig *config)
{
    if (!config)
        return NULL;
    char **const secrets[] = {&config->client_key_pem, &config->token, &config->password,
                              &config->exec_json, &config->proxy_url};
    char **const texts[] = {
        &config->server,          &config->ca_pem,          &config->ca_file,
        &config->tls_server_name, &config->client_cert_pem, &config->client_cert_file,
        &config->client_key_file, &config->token_file,      &config->username,
        &config->as_user,         &config->as_uid,          &config->namespace_,
        &config->context};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        *secrets[i] = kubeconfig_wipe_text(*secrets[i]);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i] = cleat_mem_free(*texts[i]);
    for (size_t i = 0; config->as_groups && config->as_groups[i]; i++)
        cleat_mem_free(config->as_groups[i]);
    cleat_mem_free(config->as_groups);
    return cleat_mem_free(config);
}

int cleat_kubeconfig_set(char **field, const char *value)
{
    char *copy = NULL;
    if (value) {
        copy = cleat_mem_strdup(value);
        if (!copy)
            return -ENOMEM;
    }
    kubeconfig_wipe_text(*field);
    *field = copy;
    return 0;
}

int cleat_kubeconfig_new(const char *server, struct cleat_kubeconfig **ret)
{
    CLEAT_CLEANUP(cleat_kubeconfig_freep) struct cleat_kubeconfig *config = NULL;
    cleat_assert(server);
    config = cleat_mem_zalloc(1, sizeof(*config));
    if (!config)
        return -ENOMEM;
    if (cleat_kubeconfig_set(&config->server, server) < 0 ||
        cleat_kubeconfig_set(&config->namespace_, "default") < 0 ||
        cleat_kubeconfig_set(&config->context, "") < 0)
        return -ENOMEM;
    *ret = config;
    config = NULL;
    return 0;
}

/* Contexts */

static int kubeconfig_namespace(const struct kubeconfig_entry *context,
                                struct cleat_kubeconfig *config, struct cleat_err *err)
{
    int r = cleat__kubeconfig_text(context, "namespace", &config->namespace_, err);
    if (r < 0)
        return r;
    if (!config->namespace_ && cleat_kubeconfig_set(&config->namespace_, "default") < 0)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    if (!cleat_name_is_dns_label(cleat_str_of(config->namespace_)))
        return cleat__kubeconfig_fail(context, "namespace", -EINVAL, "is no name of a namespace",
                                      err);
    return 0;
}

/* Finds what the context names and takes it over. */
static int kubeconfig_take_context(const struct kubeconfig_files *files,
                                   const struct kubeconfig_entry *context,
                                   const struct cleat_kubeconfig_options *options,
                                   struct cleat_kubeconfig *config, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_mem_freep) char *cluster_name = NULL;
    CLEAT_CLEANUP(cleat_mem_freep) char *user_name = NULL;
    struct kubeconfig_entry entry;
    int r = cleat__kubeconfig_text(context, "cluster", &cluster_name, err);
    if (r == 0)
        r = cleat__kubeconfig_text(context, "user", &user_name, err);
    if (r == 0 && !cluster_name)
        r = cleat__kubeconfig_fail(context, NULL, -EINVAL, "names no cluster", err);
    if (r == 0)
        r = kubeconfig_namespace(context, config, err);
    if (r == 0)
        r = cleat__kubeconfig_find(files, "clusters", "cluster", cluster_name, &entry, err);
    if (r == 0)
        r = cleat__kubeconfig_cluster(&entry, options, config, err);
    if (r < 0 || !user_name)
        return r;
    r = cleat__kubeconfig_find(files, "users", "user", user_name, &entry, err);
    if (r == 0)
        r = cleat__kubeconfig_user(&entry, options, config, err);
    return r;
}

static int kubeconfig_from_files(const struct kubeconfig_files *files,
                                 const struct cleat_kubeconfig_options *options,
                                 struct cleat_kubeconfig **ret, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_kubeconfig_freep) struct cleat_kubeconfig *config = NULL;
    struct cleat_scratch scratch;
    struct kubeconfig_entry context;
    const char *name = options->context && options->context[0]
                           ? options->context
                           : cleat__kubeconfig_current(files, &scratch).data;
    if (!name[0])
        return cleat_err_set(err, -ENOENT, "%s: there is no current-context, and none was given",
                             files->files[0].path);
    int r = cleat__kubeconfig_find(files, "contexts", "context", name, &context, err);
    if (r < 0)
        return r;
    config = cleat_mem_zalloc(1, sizeof(*config));
    if (!config || cleat_kubeconfig_set(&config->context, name) < 0)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    r = kubeconfig_take_context(files, &context, options, config, err);
    if (r < 0)
        return r;
    *ret = config;
    config = NULL;
    return 0;
}

/* Adds each file of a list separated by colons; files that aren't there are left out. */
static int kubeconfig_add_list(struct kubeconfig_files *files, const char *list,
                               struct cleat_err *err)
{
    char path[KUBECONFIG_PATH_BYTES_MAX];
    while (list[0]) {
        size_t length = strcspn(list, ":");
        if (length >= sizeof(path))
            return cleat_err_set(err, -ENAMETOOLONG, "KUBECONFIG holds a path that is too long");
        memcpy(path, list, length);
        path[length] = '\0';
        int r = length ? cleat__kubeconfig_files_add(files, path, true, err) : 0;
        if (r < 0)
            return r;
        list += list[length] ? length + 1 : length;
    }
    if (files->count == 0)
        return cleat_err_set(err, -ENOENT, "none of the files that KUBECONFIG names is there");
    return 0;
}

/* In a cluster */

/* "https://host:port", with brackets around an IPv6 address. NULL where we are in no pod. */
static char *kubeconfig_in_cluster_server(void)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    if (!host || !host[0] || !port || !port[0])
        return NULL;
    bool brackets = strchr(host, ':') && host[0] != '[';
    return cleat_mem_format("https://%s%s%s:%s", brackets ? "[" : "", host, brackets ? "]" : "",
                            port);
}

/* Reads a file of the mount where it's there and readable; @file, where not NULL, becomes its path.
 */
static int kubeconfig_in_cluster_file(const char *root, const char *name, bool trim, char **field,
                                      char **file, struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_mem_freep)
    char *path = cleat_mem_format("%s" KUBECONFIG_MOUNT "/%s", root, name);
    if (!path)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    int r = cleat__kubeconfig_slurp(path, trim, field, err);
    if (r == 0 && file) {
        *file = path;
        path = NULL;
    }
    return r;
}

/* The service account's config. -ENOENT where we are in no pod, or it has no token. */
static int kubeconfig_in_cluster(const char *root, struct cleat_kubeconfig **ret,
                                 struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_kubeconfig_freep) struct cleat_kubeconfig *config = NULL;
    CLEAT_CLEANUP(cleat_mem_freep) char *namespace_ = NULL;
    CLEAT_CLEANUP(cleat_mem_freep) char *server = kubeconfig_in_cluster_server();
    if (!server)
        return cleat_err_set(err, -ENOENT, "this isn't a pod");
    int r = cleat_kubeconfig_new(server, &config);
    if (r < 0)
        return cleat_err_set(err, r, "out of memory");
    r = kubeconfig_in_cluster_file(root, "token", true, &config->token, &config->token_file, err);
    if (r < 0)
        return r;
    /* Without a CA of its own the system's are taken; without a namespace it's the default one. */
    r = kubeconfig_in_cluster_file(root, "ca.crt", false, &config->ca_pem, &config->ca_file, NULL);
    if (r == -ENOMEM)
        return cleat_err_set(err, r, "out of memory");
    r = kubeconfig_in_cluster_file(root, "namespace", true, &namespace_, NULL, NULL);
    if (r == 0 && cleat_name_is_dns_label(cleat_str_of(namespace_)))
        r = cleat_kubeconfig_set(&config->namespace_, namespace_);
    if (r == -ENOMEM)
        return cleat_err_set(err, r, "out of memory");
    *ret = config;
    config = NULL;
    return 0;
}

/* ~/.kube/config */

/* HOME, or what the user's entry says where that isn't set; NULL. */
static const char *kubeconfig_home(char *room, size_t room_bytes)
{
    const char *home = getenv("HOME");
    struct passwd entry;
    struct passwd *found = NULL;
    if (home && home[0])
        return home;
    if (getpwuid_r(getuid(), &entry, room, room_bytes, &found) != 0 || !found)
        return NULL;
    return entry.pw_dir;
}

static int kubeconfig_add_home(struct kubeconfig_files *files, const char *root,
                               struct cleat_err *err)
{
    char room[KUBECONFIG_PATH_BYTES_MAX];
    const char *home = kubeconfig_home(room, sizeof(room));
    if (!home)
        return cleat_err_set(err, -ENOENT,
                             "no kubeconfig: give one, set KUBECONFIG, or run in a pod");
    CLEAT_CLEANUP(cleat_mem_freep) char *path = cleat_mem_format("%s%s/.kube/config", root, home);
    if (!path)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    int r = cleat__kubeconfig_files_add(files, path, true, err);
    if (r == 0 && files->count == 0)
        r = cleat_err_set(
            err, -ENOENT,
            "no kubeconfig: none given, KUBECONFIG isn't set, this isn't a pod with a "
            "token, and there is no %s",
            path);
    return r;
}

static int kubeconfig_load_into(struct kubeconfig_files *files,
                                const struct cleat_kubeconfig_options *options,
                                struct cleat_kubeconfig **ret, struct cleat_err *err)
{
    const char *list = getenv("KUBECONFIG");
    const char *root = options->root ? options->root : "";
    struct cleat_err own = CLEAT_ERR_INIT;
    int r = 0;
    if (options->path) {
        r = cleat__kubeconfig_files_add(files, options->path, false, err);
    } else if (list && list[0]) {
        r = kubeconfig_add_list(files, list, err);
    } else {
        if (!options->context || !options->context[0]) {
            r = kubeconfig_in_cluster(root, ret, &own);
            if (r == 0 || r == -ENOMEM)
                return r;
        }
        r = kubeconfig_add_home(files, root, err);
    }
    if (r < 0)
        return r;
    return kubeconfig_from_files(files, options, ret, err);
}

int cleat_kubeconfig_load(const struct cleat_kubeconfig_options *options,
                          struct cleat_kubeconfig **ret, struct cleat_err *err)
{
    struct kubeconfig_files *files = cleat_mem_zalloc(1, sizeof(*files));
    if (!files)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    int r = kubeconfig_load_into(files, options, ret, err);
    cleat__kubeconfig_files_fini(files);
    cleat_mem_free(files);
    return r;
}
