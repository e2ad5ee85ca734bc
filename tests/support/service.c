/* SPDX-License-Identifier: Apache-2.0 */
#include "support/service.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/mem.h"
#include "base/thread.h"

#define SERVICE_ENDPOINTS_MAX 16
#define SERVICE_RELAYS_MAX 4096 /* in the life of the Service */
#define SERVICE_BYTES 16384

/* One connection: its client's socket, and that to the endpoint. */
struct service_relay {
    struct service *service;
    int client;
    int endpoint;
    struct cleat_thread thread;
};

struct service {
    int fd;
    int port;
    int wake[2]; /* closed for writing at the end */
    struct cleat_thread thread;
    struct cleat_lock lock; /* of the rotation, and of being held */
    struct cleat_cond released;
    bool held;
    int endpoints[SERVICE_ENDPOINTS_MAX];
    size_t endpoint_count;
    size_t next;
    atomic_uint refused;
    struct service_relay *relays[SERVICE_RELAYS_MAX]; /* of the accepting thread */
    size_t relay_count;
};

static struct sockaddr_in service_address(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static int service_pick(struct service *service)
{
    int port = 0;
    cleat_lock_take(&service->lock);
    if (service->endpoint_count > 0)
        port = service->endpoints[service->next++ % service->endpoint_count];
    cleat_lock_release(&service->lock);
    return port;
}

static int service_connect(int port)
{
    const struct sockaddr_in address = service_address(port);
    const int on = 1;
    int fd = port > 0 ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* only a help */
        return fd;
    }
    (void)close(fd); /* nothing was written */
    return -1;
}

/* Moves what is there from one side to the other; false at the end of @from, which it passes on. */
static bool relay_move(int from, int to)
{
    char bytes[SERVICE_BYTES];
    ssize_t got = recv(from, bytes, sizeof(bytes), 0);
    if (got <= 0) {
        (void)shutdown(to, SHUT_WR); /* the other side may be gone already */
        return false;
    }
    for (ssize_t sent = 0, n; sent < got; sent += n) {
        n = send(to, bytes + sent, (size_t)(got - sent), MSG_NOSIGNAL);
        if (n <= 0)
            return false;
    }
    return true;
}

/* Waits while nothing may pass. */
static void relay_hold(struct service *service)
{
    cleat_lock_take(&service->lock);
    while (service->held)
        cleat_cond_wait(&service->released, &service->lock);
    cleat_lock_release(&service->lock);
}

/* Until both sides have ended, or the Service has. */
static void *relay_main(void *arg)
{
    struct service_relay *relay = arg;
    struct pollfd fds[] = {{.fd = relay->client, .events = POLLIN},
                           {.fd = relay->endpoint, .events = POLLIN},
                           {.fd = relay->service->wake[0], .events = POLLIN}};
    while ((fds[0].fd >= 0 || fds[1].fd >= 0) && poll(fds, 3, -1) > 0 && fds[2].revents == 0) {
        relay_hold(relay->service);
        if (fds[0].revents != 0 && !relay_move(relay->client, relay->endpoint))
            fds[0].fd = -1;
        if (fds[1].revents != 0 && !relay_move(relay->endpoint, relay->client))
            fds[1].fd = -1;
    }
    (void)shutdown(relay->client, SHUT_RDWR); /* closed with the Service */
    (void)shutdown(relay->endpoint, SHUT_RDWR);
    return NULL;
}

static void service_take(struct service *service, int client)
{
    int endpoint = service_connect(service_pick(service));
    struct service_relay *relay = NULL;
    if (endpoint >= 0 && service->relay_count < SERVICE_RELAYS_MAX)
        relay = cleat_mem_zalloc(1, sizeof(*relay));
    if (!relay) {
        atomic_fetch_add(&service->refused, 1);
        (void)close(client); /* the client sees that it's closed */
        if (endpoint >= 0)
            (void)close(endpoint);
        return;
    }
    *relay = (struct service_relay){service, client, endpoint, CLEAT_THREAD_INIT};
    service->relays[service->relay_count++] = relay;
    if (cleat_thread_start(&relay->thread, "relay", 65536, relay_main, relay, NULL) < 0)
        atomic_fetch_add(&service->refused, 1);
}

static void *service_main(void *arg)
{
    struct service *service = arg;
    struct pollfd fds[] = {{.fd = service->fd, .events = POLLIN},
                           {.fd = service->wake[0], .events = POLLIN}};
    while (poll(fds, 2, -1) > 0 && fds[1].revents == 0) {
        int client = accept4(service->fd, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0)
            service_take(service, client);
    }
    return NULL;
}

struct service *service_new(void)
{
    struct service *service = cleat_mem_zalloc(1, sizeof(*service));
    struct sockaddr_in address = service_address(0);
    socklen_t length = sizeof(address);
    ck_assert_ptr_nonnull(service);
    cleat_lock_init(&service->lock, CLEAT_LOCK_TEST);
    cleat_cond_init(&service->released);
    service->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(service->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(service->fd, 128), 0);
    ck_assert_int_eq(getsockname(service->fd, (struct sockaddr *)&address, &length), 0);
    ck_assert_int_eq(pipe2(service->wake, O_CLOEXEC), 0);
    service->port = ntohs(address.sin_port);
    ck_assert_int_eq(
        cleat_thread_start(&service->thread, "service", 0, service_main, service, NULL), 0);
    return service;
}

struct service *service_free(struct service *service)
{
    if (!service)
        return NULL;
    service_hold(service, false);
    (void)close(service->wake[1]); /* every thread wakes up */
    cleat_thread_join(&service->thread);
    for (size_t i = 0; i < service->relay_count; i++) {
        cleat_thread_join(&service->relays[i]->thread);
        (void)close(service->relays[i]->client); /* nothing is pending that anybody waits for */
        (void)close(service->relays[i]->endpoint);
        cleat_mem_free(service->relays[i]);
    }
    (void)close(service->wake[0]);
    (void)close(service->fd);
    cleat_cond_fini(&service->released);
    cleat_lock_fini(&service->lock);
    return cleat_mem_free(service);
}

int service_port(const struct service *service)
{
    return service->port;
}

void service_rotate(struct service *service, int port, bool in)
{
    size_t i = 0;
    cleat_lock_take(&service->lock);
    while (i < service->endpoint_count && service->endpoints[i] != port)
        i++;
    bool there = i < service->endpoint_count;
    if (in && !there) {
        ck_assert_uint_lt(service->endpoint_count, SERVICE_ENDPOINTS_MAX);
        service->endpoints[service->endpoint_count++] = port;
    } else if (!in && there) {
        service->endpoints[i] = service->endpoints[--service->endpoint_count];
    }
    cleat_lock_release(&service->lock);
}

void service_hold(struct service *service, bool held)
{
    cleat_lock_take(&service->lock);
    service->held = held;
    cleat_cond_broadcast(&service->released);
    cleat_lock_release(&service->lock);
}

unsigned service_refused(struct service *service)
{
    return atomic_load(&service->refused);
}
