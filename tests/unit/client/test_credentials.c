/* SPDX-License-Identifier: Apache-2.0 */
#include "client/credentials.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "support/chaos.h"
#include "support/fake_clock.h"
#include "support/suite.h"
#include "support/temp_dir.h"
#include "support/wait.h"

#define PEM(text) "-----BEGIN CERTIFICATE-----\n" text "\n-----END CERTIFICATE-----\n"

static struct cleat_temp_dir dir;
static struct cleat_fake_clock fake;
static struct cleat_kubeconfig *config;
static struct cleat_credentials *credentials;

static const char *path_of(const char *name)
{
    static char paths[4][4096];
    static unsigned at;
    char *path = paths[at++ % 4];
    snprintf(path, sizeof(paths[0]), "%s", cleat_temp_dir_path(&dir, name));
    return path;
}

static void start(void)
{
    cleat_temp_dir_init(&dir);
    cleat_fake_clock_init(&fake);
    ck_assert_int_eq(cleat_kubeconfig_new("https://k", &config), 0);
}

static void open_credentials(const struct cleat_clock *clock, int64_t timeout_ms)
{
    struct cleat_credentials_options options = {
        .config = config, .clock = clock, .allow_exec = true, .exec_timeout_ms = timeout_ms};
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = cleat_credentials_new(&options, &credentials, &err);
    ck_assert_msg(r == 0, "%s", err.text);
}

static void finish(void)
{
    credentials = cleat_credentials_free(credentials);
    config = cleat_kubeconfig_free(config);
    cleat_temp_dir_fini(&dir);
}

static void set(char **field, const char *value)
{
    ck_assert_int_eq(cleat_kubeconfig_set(field, value), 0);
}

/* The current set, to be unrefed. */
static const struct cleat_credentials_set *now(void)
{
    const struct cleat_credentials_set *set = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = cleat_credentials_lookup(credentials, true, &set, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    return set;
}

/* True where the current set has that header (NULL: none) and numbers. */
static bool now_is(const char *authorization, uint64_t generation, uint64_t tls_generation)
{
    const struct cleat_credentials_set *set = now();
    bool same = set->generation == generation && set->tls_generation == tls_generation;
    if (authorization && set->authorization)
        same = same && strcmp(set->authorization, authorization) == 0;
    else
        same = same && !authorization && !set->authorization;
    if (!same)
        fprintf(stderr, "%s, %u, %u\n", set->authorization ? set->authorization : "none",
                (unsigned)set->generation, (unsigned)set->tls_generation);
    cleat_credentials_set_unref(set);
    return same;
}

/* Replaces a file as a mounted Secret does: by rename. */
static void replace(const char *name, const char *text)
{
    cleat_temp_dir_write(&dir, "next", text);
    ck_assert_int_eq(rename(path_of("next"), path_of(name)), 0);
}

START_TEST(test_constant)
{
    start();
    set(&config->token, "t");
    set(&config->ca_pem, PEM("ca"));
    set(&config->client_cert_pem, PEM("cert"));
    set(&config->client_key_pem, PEM("key"));
    open_credentials(&fake.clock, 0);
    const struct cleat_credentials_set *first = now();
    ck_assert_str_eq(first->authorization, "Bearer t");
    ck_assert_str_eq(first->ca_pem, PEM("ca"));
    ck_assert_str_eq(first->client_cert_pem, PEM("cert"));
    ck_assert_str_eq(first->client_key_pem, PEM("key"));
    cleat_fake_clock_advance_ms(&fake, 3600000);
    cleat_credentials_reject(credentials, first->generation);
    const struct cleat_credentials_set *second = now();
    ck_assert_ptr_eq(first, second);
    ck_assert_ptr_null(cleat_credentials_set_unref(second));
    /* A set that is held outlives the credentials. */
    credentials = cleat_credentials_free(credentials);
    ck_assert_str_eq(first->authorization, "Bearer t");
    cleat_credentials_set_unref(first);
    ck_assert_ptr_null(cleat_credentials_set_unref(NULL));
    finish();
}
END_TEST

START_TEST(test_basic)
{
    start();
    open_credentials(&fake.clock, 0);
    ck_assert(now_is(NULL, 1, 1));
    credentials = cleat_credentials_free(credentials);
    set(&config->username, "Aladdin");
    set(&config->password, "open sesame");
    open_credentials(&fake.clock, 0);
    ck_assert(now_is("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", 1, 1));
    finish();
}
END_TEST

START_TEST(test_token_file)
{
    start();
    cleat_temp_dir_write(&dir, "token", "t1\n");
    set(&config->token, "t1");
    set(&config->token_file, path_of("token"));
    open_credentials(&fake.clock, 0);
    ck_assert(now_is("Bearer t1", 1, 1));
    replace("token", "t2\n");
    cleat_fake_clock_advance_ms(&fake, 49999);
    ck_assert(now_is("Bearer t1", 1, 1));
    cleat_fake_clock_advance_ms(&fake, 1);
    ck_assert(now_is("Bearer t2", 2, 1));
    /* Read again, but the same: no new generation. */
    cleat_fake_clock_advance_ms(&fake, 50000);
    ck_assert(now_is("Bearer t2", 2, 1));
    /* What can't be read keeps the old one, and is tried again soon. */
    ck_assert_int_eq(unlink(path_of("token")), 0);
    cleat_fake_clock_advance_ms(&fake, 50000);
    ck_assert(now_is("Bearer t2", 2, 1));
    replace("token", "\n");
    cleat_fake_clock_advance_ms(&fake, 10000);
    ck_assert(now_is("Bearer t2", 2, 1));
    replace("token", "t3");
    ck_assert(now_is("Bearer t2", 2, 1));
    cleat_fake_clock_advance_ms(&fake, 10000);
    ck_assert(now_is("Bearer t3", 3, 1));
    finish();
}
END_TEST

START_TEST(test_token_rejected)
{
    start();
    cleat_temp_dir_write(&dir, "token", "t1\n");
    set(&config->token, "t1");
    set(&config->token_file, path_of("token"));
    open_credentials(&fake.clock, 0);
    ck_assert(now_is("Bearer t1", 1, 1));
    replace("token", "t2\n");
    cleat_credentials_reject(credentials, 1);
    ck_assert(now_is("Bearer t2", 2, 1));
    /* An answer to an older request says nothing of the new token. */
    replace("token", "t3\n");
    cleat_credentials_reject(credentials, 1);
    ck_assert(now_is("Bearer t2", 2, 1));
    cleat_credentials_reject(credentials, 2);
    ck_assert(now_is("Bearer t3", 3, 1));
    finish();
}
END_TEST

START_TEST(test_token_missing)
{
    const struct cleat_credentials_set *none = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    start();
    set(&config->token_file, path_of("token"));
    open_credentials(&fake.clock, 0);
    ck_assert_int_eq(cleat_credentials_lookup(credentials, true, &none, &err), -ENOENT);
    ck_assert_msg(strstr(err.text, "/token: "), "%s", err.text);
    /* Until it's tried again the answer is the same. */
    cleat_temp_dir_write(&dir, "token", "t");
    cleat_err_clear(&err);
    ck_assert_int_eq(cleat_credentials_lookup(credentials, false, &none, &err), -ENOENT);
    ck_assert_msg(strstr(err.text, "/token: "), "%s", err.text);
    ck_assert_ptr_null(none);
    cleat_fake_clock_advance_ms(&fake, 10000);
    ck_assert(now_is("Bearer t", 1, 1));
    finish();
}
END_TEST

START_TEST(test_certificate_files)
{
    start();
    cleat_temp_dir_write(&dir, "cert", PEM("c1"));
    cleat_temp_dir_write(&dir, "key", PEM("k1"));
    cleat_temp_dir_write(&dir, "ca", PEM("a1"));
    set(&config->client_cert_pem, PEM("c1"));
    set(&config->client_key_pem, PEM("k1"));
    set(&config->ca_pem, PEM("a1"));
    set(&config->client_cert_file, path_of("cert"));
    set(&config->client_key_file, path_of("key"));
    set(&config->ca_file, path_of("ca"));
    open_credentials(&fake.clock, 0);
    ck_assert(now_is(NULL, 1, 1));
    cleat_fake_clock_advance_ms(&fake, 1000);
    ck_assert(now_is(NULL, 1, 1));
    replace("cert", PEM("c2"));
    replace("key", PEM("k2"));
    ck_assert(now_is(NULL, 1, 1));
    cleat_fake_clock_advance_ms(&fake, 1000);
    const struct cleat_credentials_set *set = now();
    ck_assert_uint_eq(set->tls_generation, 2);
    ck_assert_str_eq(set->client_cert_pem, PEM("c2"));
    ck_assert_str_eq(set->client_key_pem, PEM("k2"));
    ck_assert_str_eq(set->ca_pem, PEM("a1"));
    cleat_credentials_set_unref(set);
    replace("ca", PEM("a2"));
    cleat_fake_clock_advance_ms(&fake, 1000);
    set = now();
    ck_assert_uint_eq(set->generation, 3);
    ck_assert_uint_eq(set->tls_generation, 3);
    ck_assert_str_eq(set->ca_pem, PEM("a2"));
    cleat_credentials_set_unref(set);
    finish();
}
END_TEST

START_TEST(test_broken_files)
{
    start();
    cleat_temp_dir_write(&dir, "cert", PEM("c1"));
    cleat_temp_dir_write(&dir, "key", PEM("k1"));
    cleat_temp_dir_write(&dir, "ca", PEM("a1"));
    set(&config->client_cert_file, path_of("cert"));
    set(&config->client_key_file, path_of("key"));
    set(&config->ca_file, path_of("ca"));
    open_credentials(&fake.clock, 0);
    ck_assert(now_is(NULL, 1, 1));
    static const char *const broken[] = {"", "no PEM"};
    for (size_t i = 0; i < 2; i++) {
        replace("ca", broken[i]);
        replace("key", broken[i]);
        cleat_fake_clock_advance_ms(&fake, 1000);
        ck_assert(now_is(NULL, 1, 1));
    }
    ck_assert_int_eq(unlink(path_of("cert")), 0);
    cleat_fake_clock_advance_ms(&fake, 1000);
    ck_assert(now_is(NULL, 1, 1));
    replace("cert", PEM("c2"));
    replace("key", PEM("k2"));
    cleat_fake_clock_advance_ms(&fake, 1000);
    ck_assert(now_is(NULL, 2, 2));
    replace("ca", PEM("a2"));
    cleat_fake_clock_advance_ms(&fake, 1000);
    ck_assert(now_is(NULL, 3, 3));
    finish();
}
END_TEST

/* Exec plugins */

#define V1 "client.authentication.k8s.io/v1"
#define CREDENTIAL(version, status) \
    "{\"apiVersion\":\"" version "\",\"kind\":\"ExecCredential\",\"status\":{" status "}}"

/* Writes an executable script and names it in the config. */
static void plugin(const char *body, const char *more)
{
    char *script = cleat_mem_format("#!/bin/sh\n%s\n", body);
    ck_assert_ptr_nonnull(script);
    cleat_temp_dir_write(&dir, "plugin.new", script);
    ck_assert_int_eq(chmod(path_of("plugin.new"), 0700), 0);
    ck_assert_int_eq(rename(path_of("plugin.new"), path_of("plugin")), 0);
    char *json = cleat_mem_format(
        "{\"apiVersion\":\"" V1 "\",\"command\":\"%s\",\"args\":[\"one\",\"t w o\"],"
        "\"env\":[{\"name\":\"PLUGIN_DIR\",\"value\":\"%s\"}],\"interactiveMode\":\"Never\"%s}",
        path_of("plugin"), dir.path, more);
    set(&config->exec_json, json);
    cleat_mem_free(json);
    cleat_mem_free(script);
}

static int lookup_fails(struct cleat_err *err)
{
    const struct cleat_credentials_set *none = NULL;
    cleat_err_clear(err);
    int r = cleat_credentials_lookup(credentials, true, &none, err);
    cleat_credentials_set_unref(none);
    return r;
}

START_TEST(test_exec)
{
    start();
    plugin("printf '%s' \"$KUBERNETES_EXEC_INFO\" >$PLUGIN_DIR/info; cat >$PLUGIN_DIR/stdin\n"
           "echo \"$1,$2,$#\" >$PLUGIN_DIR/args\n"
           "echo run >>$PLUGIN_DIR/runs\n"
           "echo '" CREDENTIAL(V1, "\"token\":\"x1\"") "'",
           ",\"provideClusterInfo\":true");
    set(&config->ca_pem, PEM("ca"));
    open_credentials(&fake.clock, 0);
    ck_assert(now_is("Bearer x1", 1, 1));
    ck_assert(now_is("Bearer x1", 1, 1));
    cleat_fake_clock_advance_ms(&fake, 3600000);
    ck_assert(now_is("Bearer x1", 1, 1));
    char text[1024] = "";
    FILE *file = fopen(path_of("info"), "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
    (void)fclose(file);
    ck_assert_ptr_nonnull(strstr(text, "\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\""));
    ck_assert_ptr_nonnull(strstr(text, "\"interactive\":false"));
    ck_assert_ptr_nonnull(strstr(text, "\"server\":\"https://k\""));
    ck_assert_ptr_nonnull(strstr(text, "\"certificate-authority-data\":\"LS0t"));
    struct stat status;
    ck_assert_int_eq(stat(path_of("stdin"), &status), 0);
    ck_assert_int_eq(status.st_size, 0);
    ck_assert_int_eq(stat(path_of("runs"), &status), 0);
    ck_assert_int_eq(status.st_size, 4);
    file = fopen(path_of("args"), "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
    (void)fclose(file);
    ck_assert_str_eq(text, "one,t w o,2\n");
    finish();
}
END_TEST

START_TEST(test_exec_certificate)
{
    start();
    plugin("echo '" CREDENTIAL(V1, "\"clientCertificateData\":\"-----BEGIN C\","
                                   "\"clientKeyData\":\"-----BEGIN K\"") "'",
           "");
    open_credentials(&fake.clock, 0);
    const struct cleat_credentials_set *set = now();
    ck_assert_ptr_null(set->authorization);
    ck_assert_str_eq(set->client_cert_pem, "-----BEGIN C");
    ck_assert_str_eq(set->client_key_pem, "-----BEGIN K");
    cleat_credentials_set_unref(set);
    finish();
}
END_TEST

#define COUNTING \
    "n=$(cat $PLUGIN_DIR/n 2>/dev/null || echo 0); n=$((n+1)); echo $n >$PLUGIN_DIR/n\n"

START_TEST(test_exec_expiry)
{
    /* The answer holds for a minute; it is renewed 10 s before. */
    start();
    cleat_fake_clock_set_wall_ms(&fake, 1767323045000);
    plugin(COUNTING "echo '{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"status\":"
                    "{\"expirationTimestamp\":\"2026-01-02T03:05:05Z\",\"token\":\"x'$n'\"}}'",
           "");
    open_credentials(&fake.clock, 0);
    ck_assert(now_is("Bearer x1", 1, 1));
    cleat_fake_clock_advance_ms(&fake, 49000);
    ck_assert(now_is("Bearer x1", 1, 1));
    cleat_fake_clock_advance_ms(&fake, 2000);
    ck_assert(now_is("Bearer x2", 2, 1));
    /* What expires at once is not asked for at each request. */
    ck_assert(now_is("Bearer x2", 2, 1));
    finish();
}
END_TEST

START_TEST(test_exec_rejected)
{
    start();
    plugin(COUNTING "echo '{\"apiVersion\":\"" V1
                    "\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"x'$n'\"}}'",
           "");
    open_credentials(&fake.clock, 0);
    ck_assert(now_is("Bearer x1", 1, 1));
    cleat_credentials_reject(credentials, 1);
    ck_assert(now_is("Bearer x1", 1, 1)); /* it ran a moment ago */
    cleat_fake_clock_advance_ms(&fake, 5000);
    ck_assert(now_is("Bearer x2", 2, 1));
    cleat_fake_clock_advance_ms(&fake, 5000);
    cleat_credentials_reject(credentials, 1);
    ck_assert(now_is("Bearer x2", 2, 1));
    finish();
}
END_TEST

START_TEST(test_exec_wrong)
{
    static const struct {
        const char *body;
        int code;
        const char *text;
    } cases[] = {
        {"echo broken 1>&2; echo more 1>&2; exit 3", -EIO, "exited with 3: broken"},
        {"kill -9 $$", -EIO, "ended by signal 9"},
        {"exit 0", -EINVAL, "printed no JSON"},
        {"echo '[]'", -EINVAL, "printed no ExecCredential"},
        {"echo '" CREDENTIAL("client.authentication.k8s.io/v1beta1", "\"token\":\"t\"") "'",
         -EINVAL, "printed no ExecCredential of " V1},
        {"echo '" CREDENTIAL(V1, "") "'", -EINVAL, "neither a token nor"},
        {"echo '" CREDENTIAL(V1, "\"token\":\"\"") "'", -EINVAL, "neither a token nor"},
        {"echo '" CREDENTIAL(V1, "\"token\":\"a b\"") "'", -EINVAL, "neither a token nor"},
        {"echo '" CREDENTIAL(V1, "\"token\":7") "'", -EINVAL, "neither a token nor"},
        {"echo '" CREDENTIAL(V1, "\"clientKeyData\":\"-----BEGIN K\"") "'", -EINVAL,
         "neither a token nor"},
        {"echo '" CREDENTIAL(V1, "\"token\":\"t\",\"expirationTimestamp\":\"soon\"") "'", -EINVAL,
         "wrong time"},
        {"head -c 3000000 /dev/zero; sleep 100", -E2BIG, "printed more than 1048576 bytes"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        start();
        plugin(cases[i].body, "");
        open_credentials(&fake.clock, 0);
        ck_assert_msg(lookup_fails(&err) == cases[i].code, "%s: %s", cases[i].body, err.text);
        ck_assert_msg(strstr(err.text, cases[i].text), "%s: %s", cases[i].body, err.text);
        /* The failure holds until the plugin may run again, and then the plugin can do better. */
        ck_assert_int_eq(lookup_fails(&err), cases[i].code);
        plugin("echo '" CREDENTIAL(V1, "\"token\":\"good\"") "'", "");
        cleat_fake_clock_advance_ms(&fake, 5000);
        ck_assert(now_is("Bearer good", 1, 1));
        finish();
    }
}
END_TEST

START_TEST(test_exec_keeps_old)
{
    start();
    cleat_fake_clock_set_wall_ms(&fake, 1767323045000);
    plugin("echo '" CREDENTIAL(
               V1, "\"token\":\"t\",\"expirationTimestamp\":\"2026-01-02T03:05:05Z\"") "'",
           "");
    open_credentials(&fake.clock, 0);
    ck_assert(now_is("Bearer t", 1, 1));
    plugin("exit 1", "");
    cleat_fake_clock_advance_ms(&fake, 60000);
    ck_assert(now_is("Bearer t", 1, 1));
    plugin("echo '" CREDENTIAL(V1, "\"token\":\"u\"") "'", "");
    ck_assert(now_is("Bearer t", 1, 1));
    cleat_fake_clock_advance_ms(&fake, 5000);
    ck_assert(now_is("Bearer u", 2, 1));
    finish();
}
END_TEST

START_TEST(test_exec_time_limit)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    start();
    plugin("echo $$ >$PLUGIN_DIR/pid; exec sleep 100", "");
    open_credentials(cleat_clock_system(), 300);
    int64_t before_ms = cleat_clock_mono_ms(cleat_clock_system());
    ck_assert_int_eq(lookup_fails(&err), -ETIMEDOUT);
    ck_assert_int_lt(cleat_clock_mono_ms(cleat_clock_system()) - before_ms, 10000);
    ck_assert_msg(strstr(err.text, "didn't end within 300 ms"), "%s", err.text);
    finish();
}
END_TEST

START_TEST(test_exec_leaves_daemon)
{
    /* Somebody who keeps the pipe open after the plugin's end delays nothing. */
    start();
    plugin("echo '" CREDENTIAL(V1, "\"token\":\"t\"") "'; sleep 20 &", "");
    open_credentials(cleat_clock_system(), 10000);
    int64_t before_ms = cleat_clock_mono_ms(cleat_clock_system());
    ck_assert(now_is("Bearer t", 1, 1));
    ck_assert_int_lt(cleat_clock_mono_ms(cleat_clock_system()) - before_ms, 10000);
    finish();
}
END_TEST

START_TEST(test_exec_without_waiting)
{
    const struct cleat_credentials_set *set = NULL;
    struct cleat_err err = CLEAT_ERR_INIT;
    start();
    plugin("while [ ! -e $PLUGIN_DIR/go ]; do sleep 0.01; done\n"
           "echo '" CREDENTIAL(V1, "\"token\":\"t\"") "'",
           "");
    open_credentials(cleat_clock_system(), 20000);
    for (int i = 0; i < 5; i++) {
        cleat_err_clear(&err);
        ck_assert_int_eq(cleat_credentials_lookup(credentials, false, &set, &err), -EAGAIN);
    }
    cleat_temp_dir_write(&dir, "go", "");
    int r = -EAGAIN;
    int64_t until_ms = cleat_clock_mono_ms(cleat_clock_system()) + 20000;
    while (r == -EAGAIN && cleat_clock_mono_ms(cleat_clock_system()) < until_ms) {
        r = cleat_credentials_lookup(credentials, false, &set, NULL);
        cleat_wait_moment();
    }
    ck_assert_int_eq(r, 0);
    ck_assert_str_eq(set->authorization, "Bearer t");
    cleat_credentials_set_unref(set);
    finish();
}
END_TEST

START_TEST(test_exec_freed_while_running)
{
    const struct cleat_credentials_set *set = NULL;
    start();
    plugin("exec sleep 100", "");
    open_credentials(cleat_clock_system(), 20000);
    ck_assert_int_eq(cleat_credentials_lookup(credentials, false, &set, NULL), -EAGAIN);
    int64_t before_ms = cleat_clock_mono_ms(cleat_clock_system());
    finish();
    ck_assert_int_lt(cleat_clock_mono_ms(cleat_clock_system()) - before_ms, 10000);
}
END_TEST

START_TEST(test_exec_refused)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    struct cleat_credentials_options options = {.clock = &fake.clock};
    start();
    plugin("exit 0", "");
    options.config = config;
    ck_assert_int_eq(cleat_credentials_new(&options, &credentials, &err), -EACCES);
    /* With a token of its own it isn't needed. */
    set(&config->token, "t");
    ck_assert_int_eq(cleat_credentials_new(&options, &credentials, &err), 0);
    ck_assert(now_is("Bearer t", 1, 1));
    credentials = cleat_credentials_free(credentials);
    set(&config->token, NULL);
    options.allow_exec = true;
    static const char *const wrong[] = {
        "{", "{}", "{\"apiVersion\":\"" V1 "\"}",
        "{\"apiVersion\":\"" V1 "\",\"command\":\"x\",\"args\":[1]}",
        "{\"apiVersion\":\"" V1 "\",\"command\":\"x\",\"env\":[{\"name\":\"a=b\"}]}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        set(&config->exec_json, wrong[i]);
        ck_assert_int_eq(cleat_credentials_new(&options, &credentials, NULL), -EINVAL);
    }
    set(&config->exec_json, "{\"apiVersion\":\"" V1 "\",\"command\":\"/does/not/exist\"}");
    ck_assert_int_eq(cleat_credentials_new(&options, &credentials, NULL), 0);
    cleat_err_clear(&err);
    ck_assert_int_eq(lookup_fails(&err), -ENOENT);
    ck_assert_msg(strstr(err.text, "/does/not/exist"), "%s", err.text);
    finish();
}
END_TEST

static int look_up_once(void *arg)
{
    struct cleat_credentials_options options = {
        .config = config, .clock = &fake.clock, .allow_exec = true};
    struct cleat_credentials *own = NULL;
    const struct cleat_credentials_set *set = NULL;
    int r = cleat_credentials_new(&options, &own, NULL);
    if (r == 0)
        r = cleat_credentials_lookup(own, true, &set, NULL);
    cleat_credentials_set_unref(set);
    cleat_credentials_free(own);
    return r;
}

START_TEST(test_memory)
{
    start();
    cleat_temp_dir_write(&dir, "token", "t");
    cleat_temp_dir_write(&dir, "cert", PEM("c"));
    cleat_temp_dir_write(&dir, "key", PEM("k"));
    set(&config->token_file, path_of("token"));
    set(&config->client_cert_file, path_of("cert"));
    set(&config->client_key_file, path_of("key"));
    set(&config->username, "u");
    ck_assert_uint_gt(cleat_chaos_sweep_tolerant(look_up_once, NULL), 10);
    finish();
    start();
    plugin("echo '" CREDENTIAL(V1, "\"token\":\"t\"") "'", "");
    ck_assert_uint_gt(cleat_chaos_sweep_tolerant(look_up_once, NULL), 10);
    finish();
}
END_TEST

/* Threads */

#define READERS 4

static atomic_bool stop_reading;
static atomic_uint looked_up;

static void *read_sets(void *arg)
{
    uint64_t before = 0;
    while (!atomic_load(&stop_reading)) {
        const struct cleat_credentials_set *set = NULL;
        ck_assert_int_eq(cleat_credentials_lookup(credentials, true, &set, NULL), 0);
        ck_assert_uint_ge(set->generation, before);
        before = set->generation;
        char expected[32];
        snprintf(expected, sizeof(expected), "Bearer t%u", (unsigned)set->generation);
        ck_assert_str_eq(set->authorization, expected);
        cleat_credentials_reject(credentials, before);
        cleat_credentials_set_unref(set);
        atomic_fetch_add(&looked_up, 1);
    }
    return NULL;
}

START_TEST(test_threads)
{
    struct cleat_thread threads[READERS];
    start();
    replace("token", "t1");
    set(&config->token, "t1");
    set(&config->token_file, path_of("token"));
    open_credentials(&fake.clock, 0);
    atomic_store(&stop_reading, false);
    for (int i = 0; i < READERS; i++) {
        threads[i] = (struct cleat_thread)CLEAT_THREAD_INIT;
        ck_assert_int_eq(cleat_thread_start(&threads[i], "reader", 0, read_sets, NULL, NULL), 0);
    }
    for (unsigned round = 2; round < 50; round++) {
        char token[16];
        snprintf(token, sizeof(token), "t%u", round);
        replace("token", token);
        const struct cleat_credentials_set *set = now();
        cleat_credentials_reject(credentials, set->generation);
        cleat_credentials_set_unref(set);
        bool seen = false;
        int64_t until_ms = cleat_clock_mono_ms(cleat_clock_system()) + 20000;
        while (!seen && cleat_clock_mono_ms(cleat_clock_system()) < until_ms) {
            set = now();
            seen = set->generation == round;
            cleat_credentials_set_unref(set);
        }
        ck_assert_msg(seen, "round %u", round);
    }
    atomic_store(&stop_reading, true);
    for (int i = 0; i < READERS; i++)
        cleat_thread_join(&threads[i]);
    ck_assert_uint_gt(atomic_load(&looked_up), 0);
    finish();
}
END_TEST

CLEAT_SUITE_MAIN("credentials", test_constant, test_basic, test_token_file, test_token_rejected,
                 test_token_missing, test_certificate_files, test_broken_files, test_exec,
                 test_exec_certificate, test_exec_expiry, test_exec_rejected, test_exec_wrong,
                 test_exec_keeps_old, test_exec_time_limit, test_exec_leaves_daemon,
                 test_exec_without_waiting, test_exec_freed_while_running, test_exec_refused,
                 test_memory, test_threads)
