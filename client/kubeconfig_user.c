/* SPDX-License-Identifier: Apache-2.0 */
/* The user's part of a kubeconfig: who we are and how we show it. */
#include "client/kubeconfig_files.h"

#include <errno.h>
#include <string.h>
#include <cleat/draft.h>
#include <cleat/write.h>

#include "base/mem.h"

#define KUBECONFIG_GROUPS_MAX 256
#define KUBECONFIG_EXEC_BYTES_MAX (64 * CLEAT_KIB)

/* One PEM by data or by file; both are refused. The file's content is read too. */
static int kubeconfig_pem(const struct kubeconfig_entry *entry, const char *data_key,
                          const char *file_key, char **pem, char **file, struct cleat_err *err)
{
    int r = cleat__kubeconfig_data(entry, data_key, pem, err);
    if (r == 0)
        r = cleat__kubeconfig_path(entry, file_key, file, err);
    if (r < 0)
        return r;
    if (*pem && *file)
        return cleat__kubeconfig_fail(entry, file_key, -EINVAL, "is given by data too", err);
    if (*file)
        r = cleat__kubeconfig_slurp(*file, false, pem, err);
    if (r == 0 && *pem && !strstr(*pem, "-----BEGIN "))
        r = cleat__kubeconfig_fail(entry, *file ? file_key : data_key, -EINVAL, "holds no PEM",
                                   err);
    return r;
}

static int kubeconfig_certificate(const struct kubeconfig_entry *entry,
                                  struct cleat_kubeconfig *config, struct cleat_err *err)
{
    int r = kubeconfig_pem(entry, "client-certificate-data", "client-certificate",
                           &config->client_cert_pem, &config->client_cert_file, err);
    if (r == 0)
        r = kubeconfig_pem(entry, "client-key-data", "client-key", &config->client_key_pem,
                           &config->client_key_file, err);
    if (r < 0)
        return r;
    if (config->client_cert_pem && !config->client_key_pem)
        return cleat__kubeconfig_fail(entry, NULL, -EINVAL, "has a certificate without key", err);
    if (config->client_key_pem && !config->client_cert_pem)
        return cleat__kubeconfig_fail(entry, NULL, -EINVAL, "has a key without certificate", err);
    return 0;
}

static int kubeconfig_token(const struct kubeconfig_entry *entry, struct cleat_kubeconfig *config,
                            struct cleat_err *err)
{
    int r = cleat__kubeconfig_text(entry, "token", &config->token, err);
    if (r == 0)
        r = cleat__kubeconfig_path(entry, "tokenFile", &config->token_file, err);
    if (r == 0 && config->token && strpbrk(config->token, " \t"))
        r = cleat__kubeconfig_fail(entry, "token", -EINVAL, "holds a blank", err);
    /* The literal one is used first, the file when it's due. */
    if (r == 0 && config->token_file && !config->token)
        r = cleat__kubeconfig_slurp(config->token_file, true, &config->token, err);
    return r;
}

static int kubeconfig_basic(const struct kubeconfig_entry *entry, struct cleat_kubeconfig *config,
                            struct cleat_err *err)
{
    int r = cleat__kubeconfig_text(entry, "username", &config->username, err);
    if (r == 0)
        r = cleat__kubeconfig_text(entry, "password", &config->password, err);
    if (r < 0 || (!config->username && !config->password))
        return r;
    if (!config->username)
        return cleat__kubeconfig_fail(entry, NULL, -EINVAL, "has a password without username", err);
    if (strchr(config->username, ':'))
        return cleat__kubeconfig_fail(entry, "username", -EINVAL, "holds a colon", err);
    if (config->token)
        return cleat__kubeconfig_fail(entry, NULL, -EINVAL, "has both a token and a username", err);
    return 0;
}

static bool kubeconfig_is_set(struct cleat_value value)
{
    enum cleat_value_type type = cleat_value_type(value);
    return type != CLEAT_TYPE_ABSENT && type != CLEAT_TYPE_NULL;
}

static int kubeconfig_groups(const struct kubeconfig_entry *entry, struct cleat_kubeconfig *config,
                             struct cleat_err *err)
{
    struct cleat_value groups = cleat_value_get(entry->value, "as-groups");
    size_t count = cleat_value_count(groups);
    if (!kubeconfig_is_set(groups))
        return 0;
    if (cleat_value_type(groups) != CLEAT_TYPE_ARRAY || count > KUBECONFIG_GROUPS_MAX)
        return cleat__kubeconfig_fail(entry, "as-groups", -EINVAL, "is no list of groups", err);
    if (count == 0)
        return 0;
    config->as_groups = cleat_mem_zalloc(count + 1, sizeof(config->as_groups[0]));
    if (!config->as_groups)
        return cleat_err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        struct cleat_scratch scratch;
        struct cleat_str group = cleat_value_text(cleat_value_at(groups, i), &scratch);
        if (group.length == 0 || strcspn(group.data, "\r\n") != group.length)
            return cleat__kubeconfig_fail(entry, "as-groups", -EINVAL, "is no list of groups", err);
        config->as_groups[i] = cleat_mem_strndup(group.data, group.length);
        if (!config->as_groups[i])
            return cleat_err_set(err, -ENOMEM, "out of memory");
    }
    return 0;
}

static int kubeconfig_impersonation(const struct kubeconfig_entry *entry,
                                    struct cleat_kubeconfig *config, struct cleat_err *err)
{
    int r = cleat__kubeconfig_text(entry, "as", &config->as_user, err);
    if (r == 0)
        r = cleat__kubeconfig_text(entry, "as-uid", &config->as_uid, err);
    if (r == 0)
        r = kubeconfig_groups(entry, config, err);
    if (r < 0)
        return r;
    struct cleat_value extra = cleat_value_get(entry->value, "as-user-extra");
    if (kubeconfig_is_set(extra) &&
        (cleat_value_type(extra) != CLEAT_TYPE_OBJECT || cleat_value_count(extra) > 0))
        return cleat__kubeconfig_fail(entry, "as-user-extra", -EINVAL, "isn't supported", err);
    if (!config->as_user && (config->as_uid || config->as_groups))
        return cleat__kubeconfig_fail(entry, NULL, -EINVAL, "has as-uid or as-groups without as",
                                      err);
    return 0;
}

/* NULL where the stanza is as it must be, else what is wrong. */
static const char *kubeconfig_check_exec(struct cleat_value exec)
{
    struct cleat_value version = cleat_value_get(exec, "apiVersion");
    struct cleat_value mode = cleat_value_get(exec, "interactiveMode");
    bool v1 = cleat_value_is(version, "client.authentication.k8s.io/v1");
    if (!v1 && !cleat_value_is(version, "client.authentication.k8s.io/v1beta1"))
        return "apiVersion must be client.authentication.k8s.io/v1 or v1beta1";
    if (cleat_value_type(cleat_value_get(exec, "command")) != CLEAT_TYPE_STRING)
        return "names no command";
    if (v1 && cleat_value_type(mode) != CLEAT_TYPE_STRING)
        return "interactiveMode must be given";
    if (cleat_value_is(mode, "Always"))
        return "interactiveMode Always needs a terminal, which a server hasn't";
    if (kubeconfig_is_set(mode) && !cleat_value_is(mode, "Never") &&
        !cleat_value_is(mode, "IfAvailable"))
        return "interactiveMode must be Never or IfAvailable";
    return NULL;
}

/* The stanza as JSON with a relative command (one with a slash) made absolute. */
static int kubeconfig_exec_json(const struct kubeconfig_entry *entry, struct cleat_value exec,
                                char **ret, struct cleat_err *err)
{
    struct cleat_buffer json = CLEAT_BUFFER_INIT(KUBECONFIG_EXEC_BYTES_MAX);
    CLEAT_CLEANUP(cleat_draft_freep) struct cleat_draft *draft = NULL;
    CLEAT_CLEANUP(cleat_mem_freep) char *command = NULL;
    struct cleat_scratch scratch;
    struct cleat_str given = cleat_value_text(cleat_value_get(exec, "command"), &scratch);
    int r = cleat_draft_new(exec, &draft, err);
    if (r == 0 && memchr(given.data, '/', given.length)) {
        command = cleat__kubeconfig_resolve(entry, given.data);
        r = command ? cleat_draft_set_text(draft, "command", command, err)
                    : cleat_err_set(err, -ENOMEM, "out of memory");
    }
    if (r == 0)
        r = cleat_write_json(&json, cleat_draft_value(draft), err);
    if (r == 0)
        *ret = cleat_buffer_take(&json);
    cleat_buffer_fini(&json);
    return r;
}

/* A plugin counts only where nothing else says who we are. */
static int kubeconfig_exec(const struct kubeconfig_entry *entry,
                           const struct cleat_kubeconfig_options *options,
                           struct cleat_kubeconfig *config, struct cleat_err *err)
{
    struct cleat_value exec = cleat_value_get(entry->value, "exec");
    if (!kubeconfig_is_set(exec))
        return 0;
    if (config->token || config->username || config->client_cert_pem)
        return 0;
    if (cleat_value_type(exec) != CLEAT_TYPE_OBJECT)
        return cleat__kubeconfig_fail(entry, "exec", -EINVAL, "is no object", err);
    const char *wrong = kubeconfig_check_exec(exec);
    if (wrong)
        return cleat__kubeconfig_fail(entry, "exec", -EINVAL, wrong, err);
    if (!options->allow_exec)
        return cleat__kubeconfig_fail(entry, "exec", -EACCES,
                                      "a credential plugin is run only where that is allowed", err);
    return kubeconfig_exec_json(entry, exec, &config->exec_json, err);
}

/* Credentials never go over plain HTTP. */
static int kubeconfig_check_plain(const struct kubeconfig_entry *entry,
                                  const struct cleat_kubeconfig *config, struct cleat_err *err)
{
    if (strncasecmp(config->server, "http://", 7) != 0)
        return 0;
    if (!config->token && !config->username && !config->client_cert_pem && !config->exec_json)
        return 0;
    return cleat__kubeconfig_fail(entry, NULL, -EINVAL,
                                  "has credentials, which plain HTTP would give away", err);
}

int cleat__kubeconfig_user(const struct kubeconfig_entry *entry,
                           const struct cleat_kubeconfig_options *options,
                           struct cleat_kubeconfig *config, struct cleat_err *err)
{
    if (kubeconfig_is_set(cleat_value_get(entry->value, "auth-provider")))
        return cleat__kubeconfig_fail(entry, "auth-provider", -EINVAL, "isn't supported", err);
    int r = kubeconfig_certificate(entry, config, err);
    if (r == 0)
        r = kubeconfig_token(entry, config, err);
    if (r == 0)
        r = kubeconfig_basic(entry, config, err);
    if (r == 0)
        r = kubeconfig_impersonation(entry, config, err);
    if (r == 0)
        r = kubeconfig_exec(entry, options, config, err);
    if (r == 0)
        r = kubeconfig_check_plain(entry, config, err);
    return r;
}
