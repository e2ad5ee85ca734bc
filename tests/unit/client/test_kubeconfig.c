/* SPDX-License-Identifier: Apache-2.0 */
#include <cleat/kubeconfig.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "support/chaos.h"
#include "support/suite.h"
#include "support/temp_dir.h"

#define CERTIFICATE "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define CERTIFICATE_64 \
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
#define KEY "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
#define HEAD "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
#define CONTEXT "contexts:\n- name: c\n  context: {cluster: k, user: u}\n"
#define CLUSTER "clusters:\n- name: k\n  cluster: {server: 'https://k:6443'}\n"

static struct cleat_temp_dir dir;

/* Nothing of the machine's own is to be seen. */
static void start(void)
{
    static const char *const variables[] = {"KUBECONFIG", "HOME", "KUBERNETES_SERVICE_HOST",
                                            "KUBERNETES_SERVICE_PORT"};
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        ck_assert_int_eq(unsetenv(variables[i]), 0);
    cleat_temp_dir_init(&dir);
    ck_assert_int_eq(setenv("HOME", "/users/me", 1), 0);
}

static void folder(const char *name)
{
    ck_assert_int_eq(mkdir(cleat_temp_dir_path(&dir, name), 0700), 0);
}

static const char *path_of(const char *name)
{
    static char paths[4][4096];
    static unsigned at;
    char *path = paths[at++ % 4];
    snprintf(path, sizeof(paths[0]), "%s", cleat_temp_dir_path(&dir, name));
    return path;
}

static int load(const struct cleat_kubeconfig_options *options, struct cleat_kubeconfig **ret,
                struct cleat_err *err)
{
    struct cleat_kubeconfig_options own = *options;
    if (!own.root)
        own.root = dir.path;
    *ret = NULL;
    return cleat_kubeconfig_load(&own, ret, err);
}

/* Loads one file with that text. */
static int load_text(const char *text, struct cleat_kubeconfig_options options,
                     struct cleat_kubeconfig **ret, struct cleat_err *err)
{
    cleat_temp_dir_write(&dir, "config", text);
    options.path = path_of("config");
    return load(&options, ret, err);
}

static struct cleat_kubeconfig *loaded(const char *text)
{
    struct cleat_kubeconfig *config = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = load_text(text, (struct cleat_kubeconfig_options){0}, &config, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    return config;
}

START_TEST(test_whole)
{
    start();
    cleat_temp_dir_write(&dir, "ca.crt", CERTIFICATE);
    cleat_temp_dir_write(&dir, "token", "  secret\n");
    struct cleat_kubeconfig *config = loaded(
        HEAD "preferences: {}\nextensions: [{name: x, extension: {a: 1}}]\n"
             "clusters:\n- name: k\n  cluster:\n    server: https://k:6443/prefix/\n"
             "    certificate-authority: ca.crt\n    tls-server-name: kube\n"
             "    proxy-url: socks5://localhost:1080\n    disable-compression: true\n"
             "contexts:\n- name: c\n  context: {cluster: k, user: u, namespace: shop}\n"
             "users:\n- name: u\n  user:\n    tokenFile: token\n    as: jane\n    as-uid: '7'\n"
             "    as-groups: [a, b]\n");
    ck_assert_str_eq(config->server, "https://k:6443/prefix");
    ck_assert_str_eq(config->ca_pem, CERTIFICATE);
    ck_assert_str_eq(config->ca_file, path_of("ca.crt"));
    ck_assert_str_eq(config->tls_server_name, "kube");
    ck_assert_str_eq(config->proxy_url, "socks5://localhost:1080");
    ck_assert(config->disable_compression);
    ck_assert(!config->insecure);
    ck_assert_str_eq(config->token, "secret");
    ck_assert_str_eq(config->token_file, path_of("token"));
    ck_assert_str_eq(config->as_user, "jane");
    ck_assert_str_eq(config->as_uid, "7");
    ck_assert_str_eq(config->as_groups[0], "a");
    ck_assert_str_eq(config->as_groups[1], "b");
    ck_assert_ptr_null(config->as_groups[2]);
    ck_assert_str_eq(config->namespace_, "shop");
    ck_assert_str_eq(config->context, "c");
    cleat_kubeconfig_free(config);
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_inline)
{
    start();
    struct cleat_kubeconfig *config =
        loaded(HEAD CONTEXT "clusters:\n- name: k\n  cluster:\n    server: https://k\n"
                            "    certificate-authority-data: " CERTIFICATE_64 "\n"
                            "users:\n- name: u\n  user:\n"
                            "    client-certificate-data: " CERTIFICATE_64 "\n"
                            "    client-key-data: " CERTIFICATE_64 "\n");
    ck_assert_str_eq(config->ca_pem, CERTIFICATE);
    ck_assert_ptr_null(config->ca_file);
    ck_assert_str_eq(config->client_cert_pem, CERTIFICATE);
    ck_assert_str_eq(config->client_key_pem, CERTIFICATE);
    ck_assert_ptr_null(config->client_cert_file);
    ck_assert_str_eq(config->namespace_, "default");
    cleat_kubeconfig_free(config);
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_files)
{
    start();
    cleat_temp_dir_write(&dir, "cert.pem", CERTIFICATE);
    cleat_temp_dir_write(&dir, "key.pem", KEY);
    struct cleat_kubeconfig *config =
        loaded(HEAD CONTEXT CLUSTER "users:\n- name: u\n  user: {client-certificate: cert.pem, "
                                    "client-key: key.pem}\n");
    ck_assert_str_eq(config->client_cert_pem, CERTIFICATE);
    ck_assert_str_eq(config->client_key_pem, KEY);
    ck_assert_str_eq(config->client_cert_file, path_of("cert.pem"));
    ck_assert_str_eq(config->client_key_file, path_of("key.pem"));
    cleat_kubeconfig_free(config);
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_token_and_file)
{
    /* The literal one first; the file is for later and needn't be there yet. */
    start();
    struct cleat_kubeconfig *config =
        loaded(HEAD CONTEXT CLUSTER "users:\n- name: u\n  user: {token: now, tokenFile: later}\n");
    ck_assert_str_eq(config->token, "now");
    ck_assert_str_eq(config->token_file, path_of("later"));
    cleat_kubeconfig_free(config);
    config = loaded(HEAD CONTEXT CLUSTER "users:\n- name: u\n  user: {username: a, password: b}\n");
    ck_assert_str_eq(config->username, "a");
    ck_assert_str_eq(config->password, "b");
    cleat_kubeconfig_free(config);
    config =
        loaded("current-context: c\n" CLUSTER "contexts:\n- name: c\n  context: {cluster: k}\n");
    ck_assert_ptr_null(config->token);
    cleat_kubeconfig_free(config);
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_merge)
{
    start();
    folder("a");
    folder("b");
    cleat_temp_dir_write(&dir, "a/config",
                         "current-context: \"\"\n"
                         "clusters:\n- name: k\n  cluster: {server: https://a}\n");
    cleat_temp_dir_write(
        &dir, "b/config",
        "current-context: c\n"
        "clusters:\n- name: k\n  cluster: {server: https://b, tls-server-name: b}\n"
        "- name: l\n  cluster: {server: https://l, certificate-authority: ca.crt}\n" CONTEXT
        "- name: d\n  context: {cluster: l}\n"
        "users:\n- name: u\n  user: {token: t}\n");
    cleat_temp_dir_write(&dir, "b/ca.crt", CERTIFICATE);
    char list[16384];
    snprintf(list, sizeof(list), "%s::%s:%s", path_of("none"), path_of("a/config"),
             path_of("b/config"));
    ck_assert_int_eq(setenv("KUBECONFIG", list, 1), 0);
    struct cleat_kubeconfig *config = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(load(&(struct cleat_kubeconfig_options){0}, &config, &err) == 0, "%s", err.text);
    /* The whole entry of the first file: nothing of the second's. */
    ck_assert_str_eq(config->server, "https://a");
    ck_assert_ptr_null(config->tls_server_name);
    ck_assert_str_eq(config->token, "t");
    cleat_kubeconfig_free(config);
    /* A relative path is relative to the file that holds it. */
    ck_assert_int_eq(load(&(struct cleat_kubeconfig_options){.context = "d"}, &config, &err), 0);
    ck_assert_str_eq(config->server, "https://l");
    ck_assert_str_eq(config->ca_file, path_of("b/ca.crt"));
    ck_assert_str_eq(config->context, "d");
    cleat_kubeconfig_free(config);
    ck_assert_int_eq(setenv("KUBECONFIG", path_of("none"), 1), 0);
    ck_assert_int_eq(load(&(struct cleat_kubeconfig_options){0}, &config, &err), -ENOENT);
    cleat_temp_dir_fini(&dir);
}
END_TEST

/* A pod's mount below the test's folder. */
static void mount(const char *token)
{
    folder("var");
    folder("var/run");
    folder("var/run/secrets");
    folder("var/run/secrets/kubernetes.io");
    folder("var/run/secrets/kubernetes.io/serviceaccount");
    if (token)
        cleat_temp_dir_write(&dir, "var/run/secrets/kubernetes.io/serviceaccount/token", token);
    ck_assert_int_eq(setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1), 0);
    ck_assert_int_eq(setenv("KUBERNETES_SERVICE_PORT", "443", 1), 0);
}

static void home(void)
{
    folder("users");
    folder("users/me");
    folder("users/me/.kube");
    cleat_temp_dir_write(&dir, "users/me/.kube/config",
                         HEAD CONTEXT "clusters:\n- name: k\n  cluster: {server: https://home}\n"
                                      "users:\n- name: u\n  user: {}\n");
}

START_TEST(test_in_cluster)
{
    start();
    mount("t1\n");
    struct cleat_kubeconfig *config = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    ck_assert_msg(load(&(struct cleat_kubeconfig_options){0}, &config, &err) == 0, "%s", err.text);
    ck_assert_str_eq(config->server, "https://10.0.0.1:443");
    ck_assert_str_eq(config->token, "t1");
    ck_assert_str_eq(config->token_file,
                     path_of("var/run/secrets/kubernetes.io/serviceaccount/token"));
    ck_assert_ptr_null(config->ca_pem);
    ck_assert_ptr_null(config->ca_file);
    ck_assert_str_eq(config->namespace_, "default");
    ck_assert_str_eq(config->context, "");
    cleat_kubeconfig_free(config);
    cleat_temp_dir_write(&dir, "var/run/secrets/kubernetes.io/serviceaccount/ca.crt", CERTIFICATE);
    cleat_temp_dir_write(&dir, "var/run/secrets/kubernetes.io/serviceaccount/namespace", "shop\n");
    ck_assert_int_eq(setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1), 0);
    ck_assert_int_eq(load(&(struct cleat_kubeconfig_options){0}, &config, &err), 0);
    ck_assert_str_eq(config->server, "https://[fd00::1]:443");
    ck_assert_str_eq(config->ca_pem, CERTIFICATE);
    ck_assert_str_eq(config->namespace_, "shop");
    cleat_kubeconfig_free(config);
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_precedence)
{
    struct cleat_kubeconfig *config = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    start();
    ck_assert_int_eq(load(&(struct cleat_kubeconfig_options){0}, &config, &err), -ENOENT);
    ck_assert_msg(strstr(err.text, "/users/me/.kube/config"), "%s", err.text);
    home();
    ck_assert_int_eq(load(&(struct cleat_kubeconfig_options){0}, &config, NULL), 0);
    ck_assert_str_eq(config->server, "https://home");
    cleat_kubeconfig_free(config);
    mount("t\n");
    ck_assert_int_eq(load(&(struct cleat_kubeconfig_options){0}, &config, NULL), 0);
    ck_assert_str_eq(config->server, "https://10.0.0.1:443");
    cleat_kubeconfig_free(config);
    /* A named context is none of the mount's. */
    ck_assert_int_eq(load(&(struct cleat_kubeconfig_options){.context = "c"}, &config, NULL), 0);
    ck_assert_str_eq(config->server, "https://home");
    cleat_kubeconfig_free(config);
    cleat_temp_dir_write(&dir, "list",
                         HEAD CONTEXT "clusters:\n- name: k\n  cluster: {server: https://list}\n"
                                      "users:\n- name: u\n  user: {}\n");
    ck_assert_int_eq(setenv("KUBECONFIG", path_of("list"), 1), 0);
    ck_assert_int_eq(load(&(struct cleat_kubeconfig_options){0}, &config, NULL), 0);
    ck_assert_str_eq(config->server, "https://list");
    cleat_kubeconfig_free(config);
    config = loaded(HEAD CONTEXT CLUSTER "users:\n- name: u\n  user: {}\n");
    ck_assert_str_eq(config->server, "https://k:6443");
    cleat_kubeconfig_free(config);
    struct cleat_kubeconfig_options missing = {.path = path_of("missing")};
    cleat_err_clear(&err);
    ck_assert_int_eq(load(&missing, &config, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "missing"));
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_pod_without_token)
{
    struct cleat_kubeconfig *config = NULL;
    start();
    mount(NULL);
    home();
    ck_assert_int_eq(load(&(struct cleat_kubeconfig_options){0}, &config, NULL), 0);
    ck_assert_str_eq(config->server, "https://home");
    cleat_kubeconfig_free(config);
    cleat_temp_dir_fini(&dir);
}
END_TEST

#define USER(fields) HEAD CONTEXT CLUSTER "users:\n- name: u\n  user:\n    " fields "\n"
#define CLUSTER_OF(fields)                                         \
    HEAD CONTEXT "clusters:\n- name: k\n  cluster: {" fields "}\n" \
                 "users:\n- name: u\n  user: {}\n"
#define EXEC(fields) USER("exec: {command: x, " fields "}")
#define V1 "apiVersion: client.authentication.k8s.io/v1"

START_TEST(test_wrong)
{
    static const struct {
        const char *text;
        int code;
        const char *error; /* part of it */
    } cases[] = {
        {"", -EINVAL, "config: there is no YAML document"},
        {"a: [", -EINVAL, "config: line 2"},
        {"[]", -EINVAL, "is no kubeconfig"},
        {"kind: Pod\n", -EINVAL, "config:1: kind must be Config"},
        {"kind: Config\napiVersion: v2\n", -EINVAL, "config:2: apiVersion must be v1"},
        {"kind: Config\n", -ENOENT, "no current-context"},
        {HEAD, -ENOENT, "no context \"c\" in contexts"},
        {HEAD CONTEXT, -ENOENT, "no cluster \"k\" in clusters"},
        {HEAD CONTEXT CLUSTER, -ENOENT, "no user \"u\" in users"},
        {HEAD "contexts:\n- name: c\n  context: {user: u}\n", -EINVAL,
         "config:5: context \"c\": names no cluster"},
        {HEAD CONTEXT CLUSTER "- name: k\n  cluster: {server: https://l}\n", -EINVAL,
         "cluster \"k\": the name is there twice"},
        {HEAD "contexts:\n- name: c\n  context: {cluster: k, namespace: A}\n", -EINVAL,
         "config:6: context \"c\": namespace"},
        {CLUSTER_OF(""), -EINVAL, "names no server"},
        {CLUSTER_OF("server: 7"), -EINVAL,
         "config:9: cluster \"k\": server: is number instead of string"},
        {CLUSTER_OF("server: k"), -EINVAL, "server: must begin with https://"},
        {CLUSTER_OF("server: ftp://k"), -EINVAL, "must begin with https://"},
        {CLUSTER_OF("server: 'https://'"), -EINVAL, "no valid host"},
        {CLUSTER_OF("server: 'https://:6443'"), -EINVAL, "no valid host"},
        {CLUSTER_OF("server: 'https://a b'"), -EINVAL, "no valid host"},
        {CLUSTER_OF("server: 'https://a:b@k'"), -EINVAL, "must not hold credentials"},
        {CLUSTER_OF("server: 'https://k?x'"), -EINVAL, "query or fragment"},
        {CLUSTER_OF("server: \"https://k\\nx\""), -EINVAL, "control character"},
        {CLUSTER_OF("server: http://k"), -EINVAL, "only for loopback"},
        {CLUSTER_OF("server: http://127.evil.example"), -EINVAL, "only for loopback"},
        {CLUSTER_OF("server: 'http://localhost.evil'"), -EINVAL, "only for loopback"},
        {CLUSTER_OF("server: https://k, insecure-skip-tls-verify: true"), -EACCES,
         "insecure-skip-tls-verify: is refused"},
        {CLUSTER_OF("server: https://k, insecure-skip-tls-verify: 'true'"), -EINVAL,
         "is string instead of boolean"},
        {CLUSTER_OF("server: https://k, certificate-authority: none"), -ENOENT, "none"},
        {CLUSTER_OF("server: https://k, certificate-authority-data: '!'"), -EINVAL,
         "certificate-authority-data: base64"},
        {CLUSTER_OF("server: https://k, certificate-authority-data: QUFB"), -EINVAL,
         "holds no certificate"},
        {CLUSTER_OF("server: https://k, certificate-authority: config, "
                    "certificate-authority-data: " CERTIFICATE_64),
         -EINVAL, "can't go with certificate-authority-data"},
        {CLUSTER_OF("server: https://k, proxy-url: ftp://x"), -EINVAL, "proxy-url: must begin"},
        {CLUSTER_OF("server: https://k, proxy-url: 'http://'"), -EINVAL, "has no host"},
        {USER("token: 'a b'"), -EINVAL, "config:13: user \"u\": token: holds a blank"},
        {USER("token: \"a\\nb\""), -EINVAL, "token: holds a control character"},
        {USER("token: 123"), -EINVAL, "token: is number"},
        {USER("tokenFile: none"), -ENOENT, "none"},
        {USER("username: a\n    token: b"), -EINVAL, "both a token and a username"},
        {USER("password: a"), -EINVAL, "password without username"},
        {USER("username: 'a:b'"), -EINVAL, "colon"},
        {USER("client-certificate-data: " CERTIFICATE_64), -EINVAL, "certificate without key"},
        {USER("client-key-data: " CERTIFICATE_64), -EINVAL, "key without certificate"},
        {USER("client-certificate-data: QUFB\n    client-key-data: QUFB"), -EINVAL, "holds no PEM"},
        {USER("as-uid: a"), -EINVAL, "without as"},
        {USER("as: a\n    as-groups: b"), -EINVAL, "as-groups"},
        {USER("as: a\n    as-groups: [1]"), -EINVAL, "no list of groups"},
        {USER("as: a\n    as-user-extra: {b: [c]}"), -EINVAL, "as-user-extra: isn't supported"},
        {USER("auth-provider: {name: gcp}"), -EINVAL, "auth-provider: isn't supported"},
        {EXEC(V1 ", interactiveMode: Never"), -EACCES, "run only where that is allowed"},
        {EXEC("apiVersion: client.authentication.k8s.io/v1alpha1"), -EINVAL, "apiVersion must be"},
        {EXEC(V1), -EINVAL, "interactiveMode must be given"},
        {EXEC(V1 ", interactiveMode: Always"), -EINVAL, "needs a terminal"},
        {EXEC(V1 ", interactiveMode: x"), -EINVAL, "Never or IfAvailable"},
        {USER("exec: {" V1 "}"), -EINVAL, "names no command"},
        {USER("exec: x"), -EINVAL, "exec: is no object"},
        {HEAD CONTEXT "clusters:\n- name: k\n  cluster: {server: 'http://127.0.0.1:8001'}\n"
                      "users:\n- name: u\n  user: {token: t}\n",
         -EINVAL, "plain HTTP would give away"},
    };
    start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_kubeconfig *config = NULL;
        struct cleat_err err = CLEAT_ERR_INIT;
        int r = load_text(cases[i].text, (struct cleat_kubeconfig_options){0}, &config, &err);
        ck_assert_msg(r == cases[i].code, "%s\ngave %d: %s", cases[i].text, r, err.text);
        ck_assert_msg(strstr(err.text, cases[i].error), "%s\n%s", cases[i].text, err.text);
        ck_assert_ptr_null(strchr(err.text, '\n'));
        ck_assert_ptr_null(config);
    }
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_allowed)
{
    struct cleat_kubeconfig *config = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    start();
    struct cleat_kubeconfig_options insecure = {.allow_insecure = true};
    ck_assert_int_eq(load_text(CLUSTER_OF("server: https://k, insecure-skip-tls-verify: true"),
                               insecure, &config, &err),
                     0);
    ck_assert(config->insecure);
    cleat_kubeconfig_free(config);
    ck_assert_int_eq(load_text(CLUSTER_OF("server: https://k, insecure-skip-tls-verify: true, "
                                          "certificate-authority-data: " CERTIFICATE_64),
                               insecure, &config, &err),
                     -EINVAL);
    static const char *const loopback[] = {"http://localhost:1", "http://127.0.0.1",
                                           "http://[::1]:8001/x", "HTTP://127.1.2.3:80"};
    for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 HEAD CONTEXT "clusters:\n- name: k\n  cluster: {server: '%s'}\n"
                              "users:\n- name: u\n  user: {}\n",
                 loopback[i]);
        config = loaded(text);
        ck_assert_str_eq(config->server, loopback[i]);
        cleat_kubeconfig_free(config);
    }
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_exec)
{
    struct cleat_kubeconfig *config = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_kubeconfig_options allowed = {.allow_exec = true};
    start();
    ck_assert_int_eq(
        load_text(EXEC(V1 ", interactiveMode: IfAvailable, args: [a]"), allowed, &config, &err), 0);
    ck_assert_ptr_nonnull(strstr(config->exec_json, "\"command\":\"x\""));
    ck_assert_ptr_nonnull(strstr(config->exec_json, "\"args\":[\"a\"]"));
    cleat_kubeconfig_free(config);
    /* A relative command with a slash belongs to the file's folder. */
    ck_assert_int_eq(load_text(USER("exec: {command: ./bin/x, apiVersion: "
                                    "client.authentication.k8s.io/v1beta1}"),
                               allowed, &config, &err),
                     0);
    char expected[4200];
    snprintf(expected, sizeof(expected), "\"command\":\"%s/./bin/x\"", dir.path);
    ck_assert_msg(strstr(config->exec_json, expected), "%s", config->exec_json);
    cleat_kubeconfig_free(config);
    /* Whatever else says who we are makes it count for nothing, allowed or not. */
    config = loaded(USER("exec: {command: x, " V1 ", interactiveMode: Never}\n    token: t"));
    ck_assert_ptr_null(config->exec_json);
    cleat_kubeconfig_free(config);
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_too_many_files)
{
    struct cleat_kubeconfig *config = NULL;
    char list[65536];
    size_t used = 0;
    start();
    cleat_temp_dir_write(&dir, "config", HEAD);
    for (int i = 0; i < 17; i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ":" : "",
                                 path_of("config"));
    ck_assert_int_eq(setenv("KUBECONFIG", list, 1), 0);
    ck_assert_int_eq(load(&(struct cleat_kubeconfig_options){0}, &config, NULL), -E2BIG);
    cleat_temp_dir_fini(&dir);
}
END_TEST

START_TEST(test_by_hand)
{
    struct cleat_kubeconfig *config = NULL;
    ck_assert_int_eq(cleat_kubeconfig_new("https://x", &config), 0);
    ck_assert_str_eq(config->server, "https://x");
    ck_assert_str_eq(config->namespace_, "default");
    ck_assert_int_eq(cleat_kubeconfig_set(&config->token, "a"), 0);
    ck_assert_int_eq(cleat_kubeconfig_set(&config->token, "b"), 0);
    ck_assert_str_eq(config->token, "b");
    ck_assert_int_eq(cleat_kubeconfig_set(&config->token, NULL), 0);
    ck_assert_ptr_null(config->token);
    ck_assert_ptr_null(cleat_kubeconfig_free(config));
    ck_assert_ptr_null(cleat_kubeconfig_free(NULL));
}
END_TEST

static int load_once(void *arg)
{
    struct cleat_kubeconfig *config = NULL;
    int r = cleat_kubeconfig_load(arg, &config, NULL);
    cleat_kubeconfig_free(config);
    return r;
}

START_TEST(test_memory)
{
    start();
    cleat_temp_dir_write(&dir, "token", "t");
    cleat_temp_dir_write(&dir, "config",
                         HEAD CONTEXT CLUSTER
                         "users:\n- name: u\n  user: {tokenFile: token, as: a, "
                         "as-groups: [b, c]}\n");
    struct cleat_kubeconfig_options options = {.path = path_of("config")};
    ck_assert_uint_gt(cleat_chaos_sweep_tolerant(load_once, &options), 20);
    cleat_temp_dir_fini(&dir);
}
END_TEST

CLEAT_SUITE_MAIN("kubeconfig", test_whole, test_inline, test_files, test_token_and_file, test_merge,
                 test_in_cluster, test_precedence, test_pod_without_token, test_wrong, test_allowed,
                 test_exec, test_too_many_files, test_by_hand, test_memory)
