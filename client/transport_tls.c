/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each connection is told: TLS with verification always, the CA that was configured and no
 * other, no redirects, nothing from the environment, dead peers found by TCP itself.
 */
#include "client/transport_curl.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

#define TRANSPORT_TCP_USER_TIMEOUT_MS 30000
#define TRANSPORT_KEEPALIVE_IDLE_S 15
#define TRANSPORT_KEEPALIVE_INTERVAL_S 5
#define TRANSPORT_IDLE_S_MAX 60

/* Errors are ignored: a socket that doesn't know an option still works, only later. */
static int tls_on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    (void)arg;
    (void)purpose;
    unsigned user_timeout_ms = TRANSPORT_TCP_USER_TIMEOUT_MS;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof(user_timeout_ms));
    int probes = 3;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    return CURL_SOCKOPT_OK;
}

static CURLcode tls_set_blob(CURL *easy, CURLoption option, const char *pem)
{
    /* libcurl's field isn't const, but with NOCOPY it only reads. */
    union {
        const char *in;
        void *out;
    } bytes = {.in = pem};
    struct curl_blob blob = {bytes.out, strlen(pem), CURL_BLOB_NOCOPY};
    return curl_easy_setopt(easy, option, &blob);
}

static CURLcode tls_set_verification(const struct cleat_transport *transport, CURL *easy,
                                     const struct cleat_credentials_set *set)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, transport->insecure ? 0L : 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, transport->insecure ? 0L : 2L);
    if (code == CURLE_OK && set->ca_pem) {
        /* Without this the system's directory would be trusted as well. */
        code = curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (code == CURLE_OK && set->ca_pem)
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    if (code == CURLE_OK && set->ca_pem)
        code = tls_set_blob(easy, CURLOPT_CAINFO_BLOB, set->ca_pem);
    return code;
}

static CURLcode tls_set_certificate(CURL *easy, const struct cleat_credentials_set *set)
{
    CURLcode code = CURLE_OK;
    if (set->client_cert_pem)
        code = tls_set_blob(easy, CURLOPT_SSLCERT_BLOB, set->client_cert_pem);
    if (code == CURLE_OK && set->client_key_pem)
        code = tls_set_blob(easy, CURLOPT_SSLKEY_BLOB, set->client_key_pem);
    return code;
}

struct tls_option {
    CURLoption option;
    long value;
};

static const struct tls_option tls_options[] = {
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_FOLLOWLOCATION, 0},
    {CURLOPT_NETRC, CURL_NETRC_IGNORED},
    {CURLOPT_TCP_NODELAY, 1},
    {CURLOPT_TCP_KEEPALIVE, 1},
    {CURLOPT_TCP_KEEPIDLE, TRANSPORT_KEEPALIVE_IDLE_S},
    {CURLOPT_TCP_KEEPINTVL, TRANSPORT_KEEPALIVE_INTERVAL_S},
    {CURLOPT_MAXAGE_CONN, TRANSPORT_IDLE_S_MAX},
    {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1},
    {CURLOPT_NOPROGRESS, 1},
    {CURLOPT_HEADEROPT, CURLHEADER_SEPARATE},
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name that doesn't resolve in time must not hold up the end of its transfer. */
    {CURLOPT_QUICK_EXIT, 1},
#endif
};

static CURLcode tls_set_constants(CURL *easy)
{
    for (size_t i = 0; i < sizeof(tls_options) / sizeof(tls_options[0]); i++) {
        CURLcode code = curl_easy_setopt(easy, tls_options[i].option, tls_options[i].value);
        if (code != CURLE_OK)
            return code;
    }
    return curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, tls_on_socket);
}

static CURLcode tls_set_protocols(CURL *easy, bool tls)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http");
#else
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                            (long)(tls ? CURLPROTO_HTTPS : CURLPROTO_HTTP));
#endif
}

/* "" turns off what the environment says; NOPROXY likewise. */
static CURLcode tls_set_proxy(const struct transport_endpoint *endpoint, CURL *easy)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROXY, endpoint->proxy);
    return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_NOPROXY, "") : code;
}

int cleat__transport_setup(const struct cleat_transport *transport, CURL *easy,
                           const struct cleat_credentials_set *set, struct cleat_err *err)
{
    CURLcode code = tls_set_constants(easy);
    if (code == CURLE_OK)
        code = tls_set_protocols(easy, transport->endpoint.tls);
    if (code == CURLE_OK)
        code = tls_set_proxy(&transport->endpoint, easy);
    if (code == CURLE_OK && transport->endpoint.tls)
        code = tls_set_verification(transport, easy, set);
    if (code == CURLE_OK && transport->endpoint.tls)
        code = tls_set_certificate(easy, set);
    if (code == CURLE_OUT_OF_MEMORY)
        return -ENOMEM;
    return code == CURLE_OK ? 0
                            : cleat_err_set(err, -ENOTSUP, "libcurl refuses an option: %s",
                                            curl_easy_strerror(code));
}

static int tls_add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (!longer)
        return -ENOMEM;
    *list = longer;
    return 0;
}

static int tls_add_pair(struct curl_slist **list, const char *name, const char *value)
{
    char *line = cleat_mem_format("%s: %s", name, value);
    int result = line ? tls_add_header(list, line) : -ENOMEM;
    if (line)
        cleat_mem_wipe(line, strlen(line));
    cleat_mem_free(line);
    return result;
}

static int tls_add_identity(const struct cleat_transport *transport,
                            const struct cleat_credentials_set *set, struct curl_slist **list)
{
    int result = tls_add_header(list, transport->user_agent);
    if (result == 0 && transport->endpoint.host_header)
        result = tls_add_header(list, transport->endpoint.host_header);
    if (result == 0 && set->authorization)
        result = tls_add_pair(list, "Authorization", set->authorization);
    for (char **line = transport->as_headers; result == 0 && line && *line; line++)
        result = tls_add_header(list, *line);
    return result;
}

int cleat__transport_headers(const struct cleat_transport *transport,
                             const struct cleat_credentials_set *set, const char *accept,
                             const char *content_type, struct curl_slist **ret)
{
    struct curl_slist *list = NULL;
    int result = tls_add_pair(&list, "Accept", accept ? accept : "application/json");
    if (result == 0 && content_type)
        result = tls_add_pair(&list, "Content-Type", content_type);
    if (result == 0 && content_type)
        result = tls_add_header(&list, "Expect:");
    if (result == 0)
        result = tls_add_identity(transport, set, &list);
    if (result < 0) {
        curl_slist_free_all(list);
        return result;
    }
    *ret = list;
    return 0;
}
