/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster's part of a kubeconfig: where the server is and how to know it. */
#include "client/kubeconfig_files.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* Takes the scheme off; false where it's another one. */
static bool kubeconfig_scheme(const char **url, const char *scheme)
{
    size_t length = strlen(scheme);
    if (strncasecmp(*url, scheme, length) != 0)
        return false;
    *url += length;
    return true;
}

/* What stands between "://" and the first slash, without the port and without brackets. */
static struct cleat_str kubeconfig_host(const char *rest)
{
    struct cleat_str host = {rest, strcspn(rest, "/?#")};
    if (rest[0] == '[') {
        const char *end = memchr(rest, ']', host.length);
        return (struct cleat_str){rest + 1, end ? (size_t)(end - rest - 1) : 0};
    }
    const char *colon = memchr(rest, ':', host.length);
    if (colon)
        host.length = (size_t)(colon - rest);
    return host;
}

/* localhost, 127.0.0.0/8, ::1. */
static bool kubeconfig_is_loopback(struct cleat_str host)
{
    if (cleat_str_is(host, "localhost") || cleat_str_is(host, "::1"))
        return true;
    if (host.length < 9 || strncmp(host.data, "127.", 4) != 0)
        return false;
    for (size_t i = 0; i < host.length; i++)
        if (host.data[i] != '.' && (host.data[i] < '0' || host.data[i] > '9'))
            return false;
    return true;
}

/* NULL where the URL is one that a server may have, else what is wrong with it. */
static const char *kubeconfig_check_server(const char *server)
{
    const char *rest = server;
    bool tls = kubeconfig_scheme(&rest, "https://");
    if (!tls && !kubeconfig_scheme(&rest, "http://"))
        return "must begin with https://";
    struct cleat_str host = kubeconfig_host(rest);
    if (host.length == 0 || strpbrk(rest, " \\"))
        return "has no valid host";
    if (memchr(rest, '@', strcspn(rest, "/")))
        return "must not hold credentials";
    if (strpbrk(rest, "?#"))
        return "must not have a query or fragment";
    if (!tls && !kubeconfig_is_loopback(host))
        return "is plain HTTP, which is only for loopback hosts";
    return NULL;
}

static int kubeconfig_server(const struct kubeconfig_entry *entry, struct cleat_kubeconfig *config,
                             struct cleat_err *err)
{
    int r = cleat__kubeconfig_text(entry, "server", &config->server, err);
    if (r < 0)
        return r;
    if (!config->server)
        return cleat__kubeconfig_fail(entry, NULL, -EINVAL, "names no server", err);
    const char *wrong = kubeconfig_check_server(config->server);
    if (wrong)
        return cleat__kubeconfig_fail(entry, "server", -EINVAL, wrong, err);
    size_t length = strlen(config->server);
    while (length > 0 && config->server[length - 1] == '/')
        config->server[--length] = '\0';
    return 0;
}

static int kubeconfig_proxy(const struct kubeconfig_entry *entry, struct cleat_kubeconfig *config,
                            struct cleat_err *err)
{
    int r = cleat__kubeconfig_text(entry, "proxy-url", &config->proxy_url, err);
    if (r < 0 || !config->proxy_url)
        return r;
    const char *rest = config->proxy_url;
    if (!kubeconfig_scheme(&rest, "http://") && !kubeconfig_scheme(&rest, "https://") &&
        !kubeconfig_scheme(&rest, "socks5://"))
        return cleat__kubeconfig_fail(entry, "proxy-url", -EINVAL,
                                      "must begin with http://, https:// or socks5://", err);
    if (kubeconfig_host(rest).length == 0)
        return cleat__kubeconfig_fail(entry, "proxy-url", -EINVAL, "has no host", err);
    return 0;
}

static int kubeconfig_ca(const struct kubeconfig_entry *entry, struct cleat_kubeconfig *config,
                         struct cleat_err *err)
{
    int r = cleat__kubeconfig_data(entry, "certificate-authority-data", &config->ca_pem, err);
    if (r == 0)
        r = cleat__kubeconfig_path(entry, "certificate-authority", &config->ca_file, err);
    if (r < 0 || (!config->ca_pem && !config->ca_file))
        return r;
    if (config->insecure)
        return cleat__kubeconfig_fail(entry, "insecure-skip-tls-verify", -EINVAL,
                                      "can't go with a certificate authority", err);
    if (config->ca_pem && config->ca_file)
        return cleat__kubeconfig_fail(entry, "certificate-authority", -EINVAL,
                                      "can't go with certificate-authority-data", err);
    if (config->ca_file) {
        r = cleat__kubeconfig_slurp(config->ca_file, false, &config->ca_pem, err);
        if (r < 0)
            return r;
    }
    if (!strstr(config->ca_pem, "-----BEGIN CERTIFICATE-----"))
        return cleat__kubeconfig_fail(
            entry, config->ca_file ? "certificate-authority" : "certificate-authority-data",
            -EINVAL, "holds no certificate", err);
    return 0;
}

int cleat__kubeconfig_cluster(const struct kubeconfig_entry *entry,
                              const struct cleat_kubeconfig_options *options,
                              struct cleat_kubeconfig *config, struct cleat_err *err)
{
    int r = kubeconfig_server(entry, config, err);
    if (r == 0)
        r = cleat__kubeconfig_bool(entry, "insecure-skip-tls-verify", &config->insecure, err);
    if (r == 0 && config->insecure && !options->allow_insecure)
        r = cleat__kubeconfig_fail(entry, "insecure-skip-tls-verify", -EACCES,
                                   "is refused unless insecure servers are allowed", err);
    if (r == 0)
        r = kubeconfig_ca(entry, config, err);
    if (r == 0)
        r = cleat__kubeconfig_text(entry, "tls-server-name", &config->tls_server_name, err);
    if (r == 0)
        r = kubeconfig_proxy(entry, config, err);
    if (r == 0)
        r = cleat__kubeconfig_bool(entry, "disable-compression", &config->disable_compression, err);
    return r;
}
