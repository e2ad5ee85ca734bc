/* SPDX-License-Identifier: Apache-2.0 */
#include "support/proxy.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#define PROXY_PAIRS_MAX 256
#define PROXY_BYTES ((size_t)16 * 1024)
#define PROXY_LOOK_MS 20

struct pair {
    int client; /* < 0: free */
    int server; /* < 0: not connected */
    bool watch; /* a request for a watch went through */
    bool broken;
    unsigned frames; /* of the answer so far */
    unsigned frame;  /* the end of this one is near the cut; 0: none */
    int behind;      /* bytes that still go through before the cut; < 0: no cut yet */
    char last;
};

struct cleat_proxy {
    pthread_mutex_t mutex; /* of what is between here and the pairs */
    uint16_t target;
    char authorization[256]; /* a header's line; "": none */
    enum cleat_proxy_mode mode;
    unsigned cut_frame; /* 0: none is wanted */
    int cut_delta;
    bool cut_reset;
    unsigned cuts, broken;
    bool ending;
    bool hang_up; /* the connections that there are; done by the thread, which polls them */
    int listener;
    uint16_t port;
    pthread_t thread;
    struct pair pairs[PROXY_PAIRS_MAX];
    char bytes[PROXY_BYTES];
};

static void proxy_nodelay(int fd)
{
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* only slower without */
}

static void pair_close(struct pair *pair, bool reset)
{
    const struct linger hard = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        (void)setsockopt(pair->client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    (void)close(pair->client);
    if (pair->server >= 0)
        (void)close(pair->server);
    pair->client = pair->server = -1;
}

static void pair_break(struct cleat_proxy *proxy, struct pair *pair)
{
    proxy->broken += !pair->broken;
    pair->broken = true;
}

static int proxy_connect(const struct cleat_proxy *proxy)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(proxy->target)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static void proxy_accept(struct cleat_proxy *proxy)
{
    int fd = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
    struct pair *pair = proxy->pairs;
    if (fd < 0)
        return;
    while (pair < proxy->pairs + PROXY_PAIRS_MAX && pair->client >= 0)
        pair++;
    ck_assert_msg(pair < proxy->pairs + PROXY_PAIRS_MAX, "too many connections");
    *pair = (struct pair){.client = fd, .server = -1, .behind = -1};
    proxy_nodelay(fd);
    if (proxy->mode == CLEAT_PROXY_CLOSE) {
        pair_close(pair, true);
        return;
    }
    if (proxy->mode == CLEAT_PROXY_FROZEN || proxy->mode == CLEAT_PROXY_RUBBISH) {
        pair_break(proxy, pair);
        return;
    }
    pair->server = proxy_connect(proxy);
    if (pair->server < 0)
        pair_close(pair, true); /* nobody listens there: as if nobody listened here */
    else
        proxy_nodelay(pair->server);
}

static bool proxy_send(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* How much of the answer goes through before the cut; sets @ret_cut where it comes now. */
static size_t pair_until_cut(struct cleat_proxy *proxy, struct pair *pair, size_t length,
                             bool *ret_cut)
{
    for (size_t i = 0; i < length; i++) {
        char c = proxy->bytes[i];
        bool ends = c == '\n' && pair->last == '}';
        bool ending = c == '}' && i + 1 < length && proxy->bytes[i + 1] == '\n';
        if (pair->behind > 0 && --pair->behind == 0) {
            *ret_cut = true;
            return i + 1;
        }
        if (pair->watch && pair->behind < 0 && proxy->cut_frame > 0 &&
            pair->frames + 1 >= proxy->cut_frame &&
            ((proxy->cut_delta < 0 && ending) || (proxy->cut_delta >= 0 && ends))) {
            pair->behind = proxy->cut_delta > 0 ? proxy->cut_delta : 0;
            proxy->cut_frame = 0; /* this connection has it */
            if (pair->behind == 0) {
                *ret_cut = true;
                return i + 1;
            }
        }
        pair->frames += ends;
        pair->last = c;
    }
    return length;
}

static void pair_from_server(struct cleat_proxy *proxy, struct pair *pair)
{
    bool cut = false;
    ssize_t got = recv(pair->server, proxy->bytes, PROXY_BYTES, 0);
    if (pair->broken || proxy->mode == CLEAT_PROXY_MUTE) {
        pair_break(proxy, pair);
        if (got <= 0) { /* the end vanishes as well */
            (void)close(pair->server);
            pair->server = -1;
        }
        return;
    }
    if (got <= 0) {
        pair_close(pair, false);
        return;
    }
    size_t length = pair_until_cut(proxy, pair, (size_t)got, &cut);
    bool sent = proxy_send(pair->client, proxy->bytes, length);
    proxy->cuts += cut;
    if (cut || !sent)
        pair_close(pair, cut && proxy->cut_reset);
}

/* What a client sent, with the token behind the request's line. */
static bool proxy_forward(const struct cleat_proxy *proxy, int fd, size_t length)
{
    static const char mark[] = " HTTP/1.1\r\n";
    const char *line = memmem(proxy->bytes, length, mark, sizeof(mark) - 1);
    if (!line || !proxy->authorization[0])
        return proxy_send(fd, proxy->bytes, length);
    size_t head = (size_t)(line - proxy->bytes) + sizeof(mark) - 1;
    return proxy_send(fd, proxy->bytes, head) &&
           proxy_send(fd, proxy->authorization, strlen(proxy->authorization)) &&
           proxy_send(fd, proxy->bytes + head, length - head);
}

static void pair_from_client(struct cleat_proxy *proxy, struct pair *pair)
{
    static const char rubbish[] = "\x16\x03\x01 \xff\xfe{]}\r\n\r\n\0\0\0 HTTP/7.8 999999 \x7f";
    ssize_t got = recv(pair->client, proxy->bytes, PROXY_BYTES, 0);
    if (got <= 0) {
        pair_close(pair, false);
        return;
    }
    if (proxy->mode == CLEAT_PROXY_RUBBISH) {
        pair_break(proxy, pair);
        (void)proxy_send(pair->client, rubbish, sizeof(rubbish) - 1); /* it may be gone */
        pair_close(pair, false);
        return;
    }
    if (pair->broken || proxy->mode == CLEAT_PROXY_DEAF || proxy->mode == CLEAT_PROXY_FROZEN) {
        pair_break(proxy, pair);
        return;
    }
    if (memmem(proxy->bytes, (size_t)got, "watch=true", 10)) {
        pair->watch = true;
        pair->frames = 0;
    }
    if (!proxy_forward(proxy, pair->server, (size_t)got))
        pair_close(pair, false);
}

static void proxy_turn(struct cleat_proxy *proxy)
{
    struct pollfd polls[1 + 2 * PROXY_PAIRS_MAX];
    pthread_mutex_lock(&proxy->mutex);
    for (size_t i = 0; proxy->hang_up && i < PROXY_PAIRS_MAX; i++)
        if (proxy->pairs[i].client >= 0)
            pair_close(&proxy->pairs[i], true);
    proxy->hang_up = false;
    pthread_mutex_unlock(&proxy->mutex);
    polls[0] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
    for (size_t i = 0; i < PROXY_PAIRS_MAX; i++) {
        polls[1 + 2 * i] = (struct pollfd){.fd = proxy->pairs[i].client, .events = POLLIN};
        polls[2 + 2 * i] = (struct pollfd){.fd = proxy->pairs[i].server, .events = POLLIN};
    }
    if (poll(polls, 1 + 2 * PROXY_PAIRS_MAX, PROXY_LOOK_MS) <= 0)
        return;
    pthread_mutex_lock(&proxy->mutex);
    for (size_t i = 0; i < PROXY_PAIRS_MAX; i++) {
        struct pair *pair = &proxy->pairs[i];
        if (polls[2 + 2 * i].revents && pair->server >= 0)
            pair_from_server(proxy, pair);
        if (polls[1 + 2 * i].revents && pair->client >= 0)
            pair_from_client(proxy, pair);
    }
    if (polls[0].revents)
        proxy_accept(proxy);
    pthread_mutex_unlock(&proxy->mutex);
}

static void *proxy_run(void *arg)
{
    struct cleat_proxy *proxy = arg;
    for (bool ending = false; !ending;) {
        proxy_turn(proxy);
        pthread_mutex_lock(&proxy->mutex);
        ending = proxy->ending;
        pthread_mutex_unlock(&proxy->mutex);
    }
    return NULL;
}

struct cleat_proxy *cleat_proxy_new(uint16_t port)
{
    struct cleat_proxy *proxy = cleat_mem_zalloc(1, sizeof(*proxy));
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    ck_assert_ptr_nonnull(proxy);
    pthread_mutex_init(&proxy->mutex, NULL);
    proxy->target = port;
    for (size_t i = 0; i < PROXY_PAIRS_MAX; i++)
        proxy->pairs[i].client = proxy->pairs[i].server = -1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(proxy->listener, 0);
    ck_assert_int_eq(bind(proxy->listener, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(listen(proxy->listener, 128), 0);
    ck_assert_int_eq(getsockname(proxy->listener, (struct sockaddr *)&address, &length), 0);
    proxy->port = ntohs(address.sin_port);
    ck_assert_int_eq(pthread_create(&proxy->thread, NULL, proxy_run, proxy), 0);
    return proxy;
}

struct cleat_proxy *cleat_proxy_free(struct cleat_proxy *proxy)
{
    if (!proxy)
        return NULL;
    pthread_mutex_lock(&proxy->mutex);
    proxy->ending = true;
    pthread_mutex_unlock(&proxy->mutex);
    pthread_join(proxy->thread, NULL);
    for (size_t i = 0; i < PROXY_PAIRS_MAX; i++)
        if (proxy->pairs[i].client >= 0)
            pair_close(&proxy->pairs[i], false);
    (void)close(proxy->listener);
    pthread_mutex_destroy(&proxy->mutex);
    return cleat_mem_free(proxy);
}

uint16_t cleat_proxy_port(const struct cleat_proxy *proxy)
{
    return proxy->port;
}

void cleat_proxy_set_target(struct cleat_proxy *proxy, uint16_t port)
{
    pthread_mutex_lock(&proxy->mutex);
    proxy->target = port;
    pthread_mutex_unlock(&proxy->mutex);
}

void cleat_proxy_set_token(struct cleat_proxy *proxy, const char *token)
{
    pthread_mutex_lock(&proxy->mutex);
    (void)snprintf(proxy->authorization, sizeof(proxy->authorization),
                   "Authorization: Bearer %s\r\n", token); /* tokens of tests are short */
    pthread_mutex_unlock(&proxy->mutex);
}

void cleat_proxy_set_mode(struct cleat_proxy *proxy, enum cleat_proxy_mode mode)
{
    pthread_mutex_lock(&proxy->mutex);
    proxy->mode = mode;
    proxy->hang_up = proxy->hang_up || mode == CLEAT_PROXY_CLOSE;
    pthread_mutex_unlock(&proxy->mutex);
}

void cleat_proxy_cut(struct cleat_proxy *proxy, unsigned frame, int delta, bool reset)
{
    pthread_mutex_lock(&proxy->mutex);
    proxy->cut_frame = frame;
    proxy->cut_delta = delta;
    proxy->cut_reset = reset;
    pthread_mutex_unlock(&proxy->mutex);
}

static unsigned proxy_read(struct cleat_proxy *proxy, const unsigned *figure)
{
    pthread_mutex_lock(&proxy->mutex);
    unsigned value = *figure;
    pthread_mutex_unlock(&proxy->mutex);
    return value;
}

unsigned cleat_proxy_cuts(struct cleat_proxy *proxy)
{
    return proxy_read(proxy, &proxy->cuts);
}

unsigned cleat_proxy_broken(struct cleat_proxy *proxy)
{
    return proxy_read(proxy, &proxy->broken);
}
