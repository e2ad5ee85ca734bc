/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's URL, taken apart once. Credentials go over TLS only; plain HTTP is for loopback
 * without any. Where the certificate's name isn't the host's (tls-server-name), the name takes the
 * host's place in the URL, so that curl sends and verifies it, and the connection is led to the
 * host.
 */
#include "client/transport_curl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct endpoint_parts {
    char *scheme;
    char *host; /* with brackets around IPv6 */
    char *port;
    char *path;
};

static void endpoint_parts_fini(struct endpoint_parts *parts)
{
    curl_free(parts->scheme);
    curl_free(parts->host);
    curl_free(parts->port);
    curl_free(parts->path);
}

static int endpoint_invalid(const char *server, const char *fact, struct cleat_err *err)
{
    return cleat_err_set(err, -EINVAL, "server \"%.200s\": %s", server, fact);
}

static bool endpoint_has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

static int endpoint_check(CURLU *url, const char *server, struct cleat_err *err)
{
    if (endpoint_has_part(url, CURLUPART_USER) || endpoint_has_part(url, CURLUPART_PASSWORD))
        return cleat_err_set(err, -EINVAL, "server: credentials don't belong into the URL");
    if (endpoint_has_part(url, CURLUPART_QUERY) || endpoint_has_part(url, CURLUPART_FRAGMENT))
        return endpoint_invalid(server, "a query or fragment has no meaning here", err);
    return 0;
}

/* client-go takes "host:port" for "https://host:port". */
static int endpoint_split(const char *server, struct endpoint_parts *ret, struct cleat_err *err)
{
    CURLU *url = curl_url();
    if (!url)
        return -ENOMEM;
    CLEAT_CLEANUP(cleat_mem_freep)
    char *whole =
        strstr(server, "://") ? cleat_mem_strdup(server) : cleat_mem_format("https://%s", server);
    int result = whole ? 0 : -ENOMEM;
    if (result == 0 && curl_url_set(url, CURLUPART_URL, whole, CURLU_NON_SUPPORT_SCHEME))
        result = endpoint_invalid(server, "not a URL", err);
    if (result == 0)
        result = endpoint_check(url, server, err);
    if (result == 0 && (curl_url_get(url, CURLUPART_SCHEME, &ret->scheme, 0) ||
                        curl_url_get(url, CURLUPART_HOST, &ret->host, 0) ||
                        curl_url_get(url, CURLUPART_PORT, &ret->port, CURLU_DEFAULT_PORT) ||
                        curl_url_get(url, CURLUPART_PATH, &ret->path, 0)))
        result = endpoint_invalid(server, "not a URL with host and port", err);
    curl_url_cleanup(url);
    return result;
}

static bool endpoint_is_loopback(const char *host)
{
    unsigned a, b, c, d;
    char rest;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (sscanf(host, "%3u.%3u.%3u.%3u%c", &a, &b, &c, &d, &rest) == 4 && a == 127);
}

static bool endpoint_has_credentials(const struct cleat_kubeconfig *config)
{
    return config->token || config->token_file || config->username || config->password ||
           config->client_cert_pem || config->client_cert_file || config->exec_json;
}

static int endpoint_check_scheme(const struct endpoint_parts *parts,
                                 const struct cleat_kubeconfig *config, struct cleat_err *err)
{
    if (strcasecmp(parts->scheme, "https") == 0)
        return 0;
    if (strcasecmp(parts->scheme, "http") != 0)
        return endpoint_invalid(config->server, "the scheme must be https", err);
    if (!endpoint_is_loopback(parts->host))
        return endpoint_invalid(config->server, "plain http is for loopback addresses only", err);
    if (endpoint_has_credentials(config))
        return endpoint_invalid(config->server, "credentials are sent over https only", err);
    return 0;
}

static bool endpoint_name_is_fine(const char *name)
{
    return name[0] && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789-._:[]") == strlen(name);
}

static int endpoint_fill(struct transport_endpoint *endpoint, const struct endpoint_parts *parts,
                         const char *name)
{
    size_t path_length = strlen(parts->path);
    while (path_length > 0 && parts->path[path_length - 1] == '/')
        path_length--;
    const char *scheme = endpoint->tls ? "https" : "http";
    endpoint->display = cleat_mem_format("%s://%s:%s%.*s", scheme, parts->host, parts->port,
                                         (int)path_length, parts->path);
    endpoint->host = cleat_mem_format("%s:%s", parts->host, parts->port);
    endpoint->base = cleat_mem_format("%s://%s:%s%.*s", scheme, name, parts->port, (int)path_length,
                                      parts->path);
    endpoint->verify_name = cleat_mem_strdup(name);
    if (strcasecmp(name, parts->host) != 0) {
        endpoint->connect_to = cleat_mem_format("::%s:%s", parts->host, parts->port);
        endpoint->host_header = cleat_mem_format("Host: %s:%s", parts->host, parts->port);
        if (!endpoint->connect_to || !endpoint->host_header)
            return -ENOMEM;
    }
    return endpoint->display && endpoint->host && endpoint->base && endpoint->verify_name ? 0
                                                                                          : -ENOMEM;
}

int cleat__transport_endpoint_init(struct transport_endpoint *endpoint,
                                   const struct cleat_kubeconfig *config, struct cleat_err *err)
{
    struct endpoint_parts parts = {NULL, NULL, NULL, NULL};
    int result = endpoint_split(config->server, &parts, err);
    if (result == 0)
        result = endpoint_check_scheme(&parts, config, err);
    if (result == 0 && config->tls_server_name && !endpoint_name_is_fine(config->tls_server_name)) {
        result = cleat_err_set(err, -EINVAL, "tls-server-name \"%.100s\": not a host name",
                               config->tls_server_name);
    }
    if (result == 0) {
        endpoint->tls = strcasecmp(parts.scheme, "https") == 0;
        endpoint->proxy = cleat_mem_strdup(config->proxy_url ? config->proxy_url : "");
        bool named = endpoint->tls && config->tls_server_name;
        result = endpoint_fill(endpoint, &parts, named ? config->tls_server_name : parts.host);
        result = endpoint->proxy ? result : -ENOMEM;
    }
    endpoint_parts_fini(&parts);
    if (result < 0)
        cleat__transport_endpoint_fini(endpoint);
    return result;
}

void cleat__transport_endpoint_fini(struct transport_endpoint *endpoint)
{
    cleat_mem_free(endpoint->display);
    cleat_mem_free(endpoint->base);
    cleat_mem_free(endpoint->connect_to);
    cleat_mem_free(endpoint->host_header);
    cleat_mem_free(endpoint->verify_name);
    cleat_mem_free(endpoint->host);
    cleat_mem_free(endpoint->proxy);
    *endpoint = (struct transport_endpoint){0};
}
