/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One caller at a time is the refresher: it alone touches the parts, the stamps and the plugin, and
 * does so without the lock. The lock guards the current set, the flag and the times at which
 * something is due.
 */
#include "client/credentials.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/reporter.h"
#include "client/credentials_exec.h"
#include "client/credentials_set.h"
#include "client/file.h"
#include "client/kubeconfig_files.h"
#include "kube/base64.h"

#define CREDENTIALS_TOKEN_MS (60000 - 10000) /* each minute, 10 s early */
#define CREDENTIALS_TOKEN_RETRY_MS 10000     /* after a token file that couldn't be read */
#define CREDENTIALS_FILES_MS 1000            /* how often files are looked at */
#define CREDENTIALS_EXEC_RETRY_MS 5000       /* least time between two runs of a plugin */
#define CREDENTIALS_EXEC_EARLY_MS 10000      /* before what it gave expires */
#define CREDENTIALS_EXEC_TIMEOUT_MS 30000
#define CREDENTIALS_REPORT_MS 60000
#define CREDENTIALS_NEVER INT64_MAX

enum credentials_due {
    CREDENTIALS_DUE_TOKEN = 1,
    CREDENTIALS_DUE_FILES = 2,
    CREDENTIALS_DUE_EXEC = 4,
    CREDENTIALS_DUE_SET = 8, /* there is no set yet */
};

/* A PEM file that is watched. */
struct credentials_file {
    char *path; /* or NULL */
    struct cleat_file_stamp stamp;
};

struct cleat_credentials {
    const struct cleat_clock *clock;
    struct cleat_log *log;
    struct cleat_reporter reporter;
    char *token_file;
    /* The refresher's: */
    struct credentials_parts parts;
    struct credentials_file ca;
    struct credentials_file cert;
    struct credentials_file key;
    struct credentials_exec *exec; /* or NULL */
    bool exec_answered;
    /* Under the lock: */
    struct cleat_lock lock;
    struct cleat_cond cond; /* a refresh ended */
    bool refreshing;
    uint64_t refreshes;       /* ended ones */
    struct cleat_err failure; /* of the last refresh; code 0: it was fine */
    const struct cleat_credentials_set *current;
    int64_t token_mono_ms; /* when due */
    int64_t files_mono_ms;
    int64_t exec_mono_ms;
    int64_t exec_start_mono_ms; /* of the last run */
};

static int64_t credentials_now(const struct cleat_credentials *credentials)
{
    return cleat_clock_mono_ms(credentials->clock);
}

/* Making */

struct cleat_credentials *cleat_credentials_free(struct cleat_credentials *credentials)
{
    if (!credentials)
        return NULL;
    cleat_assert(!credentials->refreshing);
    credentials->exec = cleat__credentials_exec_free(credentials->exec);
    credentials->current = cleat_credentials_set_unref(credentials->current);
    cleat__credentials_parts_fini(&credentials->parts);
    cleat_mem_free(credentials->token_file);
    cleat_mem_free(credentials->ca.path);
    cleat_mem_free(credentials->cert.path);
    cleat_mem_free(credentials->key.path);
    cleat_cond_fini(&credentials->cond);
    cleat_lock_fini(&credentials->lock);
    return cleat_mem_free(credentials);
}

static int credentials_basic(struct credentials_parts *parts, const char *username,
                             const char *password)
{
    struct cleat_buffer basic = CLEAT_BUFFER_INIT(64 * CLEAT_KIB);
    CLEAT_CLEANUP(cleat_mem_freep)
    char *pair = cleat_mem_format("%s:%s", username, password ? password : "");
    if (!pair)
        return -ENOMEM;
    int r = cleat_base64_encode(&basic, cleat_str_of(pair));
    cleat_mem_wipe(pair, strlen(pair));
    if (r == 0)
        parts->basic = cleat_buffer_take(&basic);
    cleat_buffer_fini(&basic);
    return r;
}

/* Copies what is needed of the config. 0 or -ENOMEM. */
static int credentials_copy(struct cleat_credentials *credentials,
                            const struct cleat_kubeconfig *config)
{
    struct credentials_parts *parts = &credentials->parts;
    int r = cleat_kubeconfig_set(&parts->token, config->token);
    if (r == 0)
        r = cleat_kubeconfig_set(&parts->cert_pem, config->client_cert_pem);
    if (r == 0)
        r = cleat_kubeconfig_set(&parts->key_pem, config->client_key_pem);
    if (r == 0)
        r = cleat_kubeconfig_set(&parts->ca_pem, config->ca_pem);
    if (r == 0 && config->username)
        r = credentials_basic(parts, config->username, config->password);
    if (r == 0)
        r = cleat_kubeconfig_set(&credentials->token_file, config->token_file);
    if (r == 0)
        r = cleat_kubeconfig_set(&credentials->ca.path, config->ca_file);
    if (r == 0)
        r = cleat_kubeconfig_set(&credentials->cert.path, config->client_cert_file);
    if (r == 0)
        r = cleat_kubeconfig_set(&credentials->key.path, config->client_key_file);
    return r;
}

/* A plugin counts only where nothing else says who we are. */
static bool credentials_want_exec(const struct cleat_kubeconfig *config)
{
    return config->exec_json && !config->token && !config->token_file && !config->username &&
           !config->client_cert_pem && !config->client_cert_file;
}

static int credentials_fill(struct cleat_credentials *credentials,
                            const struct cleat_credentials_options *options, struct cleat_err *err)
{
    const struct cleat_kubeconfig *config = options->config;
    int64_t now = credentials_now(credentials);
    int r = credentials_copy(credentials, config);
    if (r < 0)
        return cleat_err_set(err, r, "out of memory");
    credentials->token_mono_ms = CREDENTIALS_NEVER;
    credentials->files_mono_ms = CREDENTIALS_NEVER;
    credentials->exec_mono_ms = CREDENTIALS_NEVER;
    if (credentials->token_file)
        credentials->token_mono_ms = config->token ? now + CREDENTIALS_TOKEN_MS : now;
    if (credentials->ca.path || credentials->cert.path)
        credentials->files_mono_ms = now;
    if (!credentials_want_exec(config))
        return 0;
    if (!options->allow_exec)
        return cleat_err_set(err, -EACCES, "a credential plugin is run only where that is allowed");
    credentials->exec_mono_ms = now;
    return cleat__credentials_exec_new(config, credentials->clock,
                                       options->exec_timeout_ms ? options->exec_timeout_ms
                                                                : CREDENTIALS_EXEC_TIMEOUT_MS,
                                       &credentials->exec, err);
}

int cleat_credentials_new(const struct cleat_credentials_options *options,
                          struct cleat_credentials **ret, struct cleat_err *err)
{
    struct cleat_credentials *credentials = cleat_mem_zalloc(1, sizeof(*credentials));
    if (!credentials)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    credentials->clock = options->clock ? options->clock : cleat_clock_system();
    credentials->log = options->log;
    cleat_reporter_init(&credentials->reporter, credentials->clock, CREDENTIALS_REPORT_MS);
    cleat_lock_init(&credentials->lock, CLEAT_LOCK_CREDENTIALS);
    cleat_cond_init(&credentials->cond);
    int r = credentials_fill(credentials, options, err);
    if (r < 0) {
        cleat_credentials_free(credentials);
        return r;
    }
    *ret = credentials;
    return 0;
}

/* Refreshing: by the refresher, without the lock */

struct credentials_refresh {
    struct cleat_credentials *credentials;
    unsigned due;
    bool may_block;
    int64_t now_mono_ms;
    int64_t token_mono_ms; /* what becomes due when; 0: as before */
    int64_t files_mono_ms;
    int64_t exec_mono_ms;
    bool exec_started;
    struct cleat_err err;
};

/* Something failed: what was there stays, and the log says so. */
static void credentials_keep(struct credentials_refresh *refresh, const struct cleat_err *err)
{
    struct cleat_credentials *credentials = refresh->credentials;
    if (refresh->err.code == 0)
        refresh->err = *err;
    cleat_report(&credentials->reporter, credentials->log, CLEAT_LOG_WARN,
                 "credentials couldn't be refreshed, the old ones stay", cleat_log_err(err));
}

/* Puts @value into a part where it differs; takes it over. */
static void credentials_replace(char **part, char **value)
{
    char *old = *part;
    *part = *value;
    *value = NULL;
    if (old)
        cleat_mem_wipe(old, strlen(old));
    cleat_mem_free(old);
}

static void credentials_read_token(struct credentials_refresh *refresh)
{
    struct cleat_credentials *credentials = refresh->credentials;
    struct cleat_err err = CLEAT_ERR_INIT;
    char *token = NULL;
    if (cleat__kubeconfig_slurp(credentials->token_file, true, &token, &err) < 0) {
        credentials_keep(refresh, &err);
        refresh->token_mono_ms = refresh->now_mono_ms + CREDENTIALS_TOKEN_RETRY_MS;
        return;
    }
    credentials_replace(&credentials->parts.token, &token);
    refresh->token_mono_ms = refresh->now_mono_ms + CREDENTIALS_TOKEN_MS;
}

/* True where the file looks other than last time; @ret is how. */
static bool credentials_changed(const struct credentials_file *file, struct cleat_file_stamp *ret)
{
    if (!file->path)
        return false;
    cleat_file_stamp(file->path, ret);
    return !cleat_file_stamp_equal(&file->stamp, ret);
}

/* Reads a PEM file. One that holds no PEM is as good as none. */
static int credentials_read_pem(const char *path, char **ret, struct cleat_err *err)
{
    int r = cleat__kubeconfig_slurp(path, false, ret, err);
    if (r == 0 && !strstr(*ret, "-----BEGIN ")) {
        cleat_mem_wipe(*ret, strlen(*ret));
        *ret = cleat_mem_free(*ret);
        r = cleat_err_set(err, -EINVAL, "%s: holds no PEM", path);
    }
    return r;
}

static void credentials_read_ca(struct credentials_refresh *refresh)
{
    struct cleat_credentials *credentials = refresh->credentials;
    struct cleat_file_stamp stamp;
    struct cleat_err err = CLEAT_ERR_INIT;
    char *pem = NULL;
    if (!credentials_changed(&credentials->ca, &stamp))
        return;
    if (credentials_read_pem(credentials->ca.path, &pem, &err) < 0) {
        credentials_keep(refresh, &err);
        return;
    }
    credentials_replace(&credentials->parts.ca_pem, &pem);
    credentials->ca.stamp = stamp;
}

/* Certificate and key are taken together, and only where neither changed while they were read. */
static void credentials_read_pair(struct credentials_refresh *refresh)
{
    struct cleat_credentials *credentials = refresh->credentials;
    struct cleat_file_stamp cert_stamp = {0}, key_stamp = {0}, again = {0};
    struct cleat_err err = CLEAT_ERR_INIT;
    char *cert = NULL;
    char *key = NULL;
    bool cert_changed = credentials_changed(&credentials->cert, &cert_stamp);
    bool key_changed = credentials_changed(&credentials->key, &key_stamp);
    if (!cert_changed && !key_changed)
        return;
    int r = credentials->cert.path ? credentials_read_pem(credentials->cert.path, &cert, &err) : 0;
    if (r == 0 && credentials->key.path)
        r = credentials_read_pem(credentials->key.path, &key, &err);
    if (r < 0)
        credentials_keep(refresh, &err);
    if (r == 0 && cert) {
        cleat_file_stamp(credentials->cert.path, &again);
        r = cleat_file_stamp_equal(&cert_stamp, &again) ? 0 : -EAGAIN;
    }
    if (r == 0 && cert)
        credentials_replace(&credentials->parts.cert_pem, &cert);
    if (r == 0 && key)
        credentials_replace(&credentials->parts.key_pem, &key);
    if (r == 0) {
        credentials->cert.stamp = cert_stamp;
        credentials->key.stamp = key_stamp;
    }
    char *left = NULL;
    credentials_replace(&cert, &left); /* wipes what wasn't taken */
    credentials_replace(&key, &left);
}

/* When the plugin's answer must be renewed. */
static int64_t credentials_exec_due(const struct credentials_refresh *refresh,
                                    const struct credentials_exec_answer *answer)
{
    if (!answer->expires)
        return CREDENTIALS_NEVER;
    int64_t left_ms = answer->expires_unix_ms - cleat_clock_wall_ms(refresh->credentials->clock);
    if (left_ms > 2 * CREDENTIALS_EXEC_EARLY_MS)
        left_ms -= CREDENTIALS_EXEC_EARLY_MS;
    if (left_ms < CREDENTIALS_EXEC_RETRY_MS)
        left_ms = CREDENTIALS_EXEC_RETRY_MS;
    return refresh->now_mono_ms + left_ms;
}

static void credentials_run_exec(struct credentials_refresh *refresh)
{
    struct cleat_credentials *credentials = refresh->credentials;
    struct credentials_exec_answer answer = {0};
    struct cleat_err err = CLEAT_ERR_INIT;
    int r = cleat__credentials_exec_step(credentials->exec, refresh->may_block, &answer, &err);
    if (r == -EAGAIN) { /* looked after at the next call */
        if (!credentials->exec_answered)
            (void)cleat_err_set(&refresh->err, r, "the credential plugin still runs");
        return;
    }
    refresh->exec_started = true;
    if (r < 0) {
        credentials_keep(refresh, &err);
        refresh->exec_mono_ms = cleat_clock_mono_ms(credentials->clock) + CREDENTIALS_EXEC_RETRY_MS;
        return;
    }
    credentials->exec_answered = true;
    credentials_replace(&credentials->parts.token, &answer.token);
    credentials_replace(&credentials->parts.cert_pem, &answer.cert_pem);
    credentials_replace(&credentials->parts.key_pem, &answer.key_pem);
    refresh->exec_mono_ms = credentials_exec_due(refresh, &answer);
    cleat__credentials_exec_answer_fini(&answer);
}

/* True where there is enough to make a first set of. */
static bool credentials_complete(const struct cleat_credentials *credentials)
{
    if (credentials->token_file && !credentials->parts.token)
        return false;
    if (credentials->cert.path && !credentials->parts.cert_pem)
        return false;
    return !credentials->exec || credentials->exec_answered;
}

/* Does what is due. @ret is a new reference, or NULL where there is no set to be made. */
static void credentials_refresh(struct credentials_refresh *refresh,
                                const struct cleat_credentials_set *before,
                                const struct cleat_credentials_set **ret)
{
    struct cleat_credentials *credentials = refresh->credentials;
    *ret = NULL;
    if (refresh->due & CREDENTIALS_DUE_TOKEN)
        credentials_read_token(refresh);
    if (refresh->due & CREDENTIALS_DUE_FILES) {
        credentials_read_ca(refresh);
        credentials_read_pair(refresh);
        refresh->files_mono_ms = refresh->now_mono_ms + CREDENTIALS_FILES_MS;
    }
    if (refresh->due & CREDENTIALS_DUE_EXEC)
        credentials_run_exec(refresh);
    if (!credentials_complete(credentials))
        return;
    int r = cleat__credentials_set_make(&credentials->parts, before, ret);
    if (r < 0)
        (void)cleat_err_set(&refresh->err, r,
                            "out of memory"); /* goes to the caller where it must */
}

/* Looking up */

static unsigned credentials_due(const struct cleat_credentials *credentials, int64_t now)
{
    unsigned due = credentials->current ? 0 : CREDENTIALS_DUE_SET;
    if (now >= credentials->token_mono_ms)
        due |= CREDENTIALS_DUE_TOKEN;
    if (now >= credentials->files_mono_ms)
        due |= CREDENTIALS_DUE_FILES;
    if (now >= credentials->exec_mono_ms)
        due |= CREDENTIALS_DUE_EXEC;
    return due;
}

/* Under the lock: takes over what a refresh brought; @set's reference too. */
static void credentials_apply(struct credentials_refresh *refresh,
                              const struct cleat_credentials_set *set)
{
    struct cleat_credentials *credentials = refresh->credentials;
    if (refresh->token_mono_ms)
        credentials->token_mono_ms = refresh->token_mono_ms;
    if (refresh->files_mono_ms)
        credentials->files_mono_ms = refresh->files_mono_ms;
    if (refresh->exec_mono_ms)
        credentials->exec_mono_ms = refresh->exec_mono_ms;
    if (refresh->exec_started)
        credentials->exec_start_mono_ms = refresh->now_mono_ms;
    if (set) {
        cleat_credentials_set_unref(credentials->current);
        credentials->current = set;
    }
    if (set || refresh->err.code) /* where nothing was tried, the last failure still holds */
        credentials->failure = refresh->err;
    credentials->refreshes++;
    credentials->refreshing = false;
    cleat_cond_broadcast(&credentials->cond);
}

/* Under the lock, given up in between: refreshes what is due. */
static void credentials_refresh_now(struct cleat_credentials *credentials, unsigned due,
                                    bool may_block, int64_t now)
{
    struct credentials_refresh refresh = {
        .credentials = credentials, .due = due, .may_block = may_block, .now_mono_ms = now};
    const struct cleat_credentials_set *before = NULL;
    const struct cleat_credentials_set *set = NULL;
    if (credentials->current)
        before = cleat_credentials_set_ref(credentials->current);
    credentials->refreshing = true;
    cleat_lock_release(&credentials->lock);
    credentials_refresh(&refresh, before, &set);
    before = cleat_credentials_set_unref(before);
    cleat_lock_take(&credentials->lock);
    credentials_apply(&refresh, set);
}

/* Under the lock: the answer where there is no set. */
static int credentials_none(const struct cleat_credentials *credentials, struct cleat_err *err)
{
    if (credentials->failure.code == 0)
        return cleat_err_set(err, -EAGAIN, "credentials are being read");
    return cleat_err_set(err, credentials->failure.code, "%s", credentials->failure.text);
}

/* Under the lock: brings what is due. 0 where there is a set. */
static int credentials_bring(struct cleat_credentials *credentials, bool may_block,
                             struct cleat_err *err)
{
    int64_t now = credentials_now(credentials);
    unsigned due = credentials_due(credentials, now);
    if (due && !credentials->refreshing) {
        credentials_refresh_now(credentials, due, may_block, now);
    } else if (due && !credentials->current) {
        if (!may_block)
            return cleat_err_set(err, -EAGAIN, "credentials are being read");
        uint64_t before = credentials->refreshes;
        while (credentials->refreshes == before)
            cleat_cond_wait(&credentials->cond, &credentials->lock);
    }
    return credentials->current ? 0 : credentials_none(credentials, err);
}

int cleat_credentials_lookup(struct cleat_credentials *credentials, bool may_block,
                             const struct cleat_credentials_set **ret, struct cleat_err *err)
{
    cleat_lock_take(&credentials->lock);
    int r = credentials_bring(credentials, may_block, err);
    /* Somebody else's look at a running plugin doesn't end this wait. */
    while (r == -EAGAIN && may_block) {
        cleat_err_clear(err);
        r = credentials_bring(credentials, may_block, err);
    }
    if (r == 0)
        *ret = cleat_credentials_set_ref(credentials->current);
    cleat_lock_release(&credentials->lock);
    return r;
}

void cleat_credentials_reject(struct cleat_credentials *credentials, uint64_t generation)
{
    cleat_lock_take(&credentials->lock);
    int64_t now = credentials_now(credentials);
    if (credentials->current && credentials->current->generation == generation) {
        if (credentials->token_file)
            credentials->token_mono_ms = now;
        if (credentials->exec) {
            int64_t earliest = credentials->exec_start_mono_ms + CREDENTIALS_EXEC_RETRY_MS;
            credentials->exec_mono_ms = now > earliest ? now : earliest;
        }
    }
    cleat_lock_release(&credentials->lock);
}
