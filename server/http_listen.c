/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_BACKLOG 512

/* The two halves of an address; a host in brackets loses them. */
struct listen_address {
    char host[256];
    char port[8];
};

static bool port_valid(const char *port)
{
    unsigned number = 0;
    size_t i = 0;
    for (; port[i] >= '0' && port[i] <= '9' && i < 5; i++)
        number = number * 10 + (unsigned)(port[i] - '0');
    return i > 0 && !port[i] && number <= UINT16_MAX;
}

static int address_split(const char *bind, struct listen_address *ret, struct cleat_err *err)
{
    const char *colon = strrchr(bind, ':');
    size_t length = colon ? (size_t)(colon - bind) : 0;
    bool bracketed = length > 1 && bind[0] == '[' && bind[length - 1] == ']';
    if (!colon || !port_valid(colon + 1) || length >= sizeof(ret->host) ||
        (!bracketed && memchr(bind, ':', length)))
        return cleat_err_set(err, -EINVAL, "%s isn't an address to listen on, as :9443 is", bind);
    if (bracketed)
        (void)snprintf(ret->host, sizeof(ret->host), "%.*s", (int)length - 2, bind + 1);
    else
        (void)snprintf(ret->host, sizeof(ret->host), "%.*s", (int)length, bind);
    (void)snprintf(ret->port, sizeof(ret->port), "%s", colon + 1); /* at most 5 digits */
    return 0;
}

/* A listening socket, or a negative errno. */
static int listen_on(const struct sockaddr *address, socklen_t length)
{
    const int on = 1, off = 0;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0)
        return -errno;
    /* Both are conveniences: what they would have made possible fails below. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, address, length) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
        int code = -errno;
        (void)close(fd); /* nothing was written */
        return code;
    }
    return fd;
}

static int listen_everywhere(in_port_t port)
{
    const struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = port};
    const struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = port};
    int fd = listen_on((const struct sockaddr *)&six, sizeof(six));
    if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
        fd = listen_on((const struct sockaddr *)&four, sizeof(four));
    return fd;
}

static in_port_t port_number(const char *port)
{
    unsigned number = 0;
    for (; *port; port++)
        number = number * 10 + (unsigned)(*port - '0');
    return htons((uint16_t)number);
}

static int listen_host(const struct listen_address *address, const char *bind,
                       struct cleat_err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(address->host, address->port, &hints, &list);
    if (rc != 0)
        return cleat_err_set(err, -EINVAL, "can't listen on %s: %s", bind, gai_strerror(rc));
    int fd = listen_on(list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return fd;
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

int cleat_http_listen(const char *bind, int *ret_fd, uint16_t *ret_port, struct cleat_err *err)
{
    struct listen_address address;
    int r = address_split(bind, &address, err);
    if (r < 0)
        return r;
    int fd = address.host[0] ? listen_host(&address, bind, err)
                             : listen_everywhere(port_number(address.port));
    if (fd < 0)
        return cleat_err_set(err, fd, "can't listen on %s: %s", bind, strerror(-fd));
    *ret_fd = fd;
    *ret_port = bound_port(fd);
    return 0;
}
