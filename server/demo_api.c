/* SPDX-License-Identifier: Apache-2.0 */
/* Looking and doing, as the demo's user: through the API, never assumed. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cleat/document.h>
#include "base/limits.h"
#include "base/mem.h"
#include "server/demo.h"

#define DEMO_LOOK_MS 5
#define DEMO_BODY_BYTES_MAX (8 * CLEAT_MIB)

static int demo_target(struct cleat_demo *demo, const char *kind, const char *namespace_,
                       const char *name, struct cleat_resource *resource,
                       struct cleat_client_target *target, struct cleat_err *err)
{
    int r = cleat_discovery_find(demo->discovery, kind, resource, err);
    if (r > 0)
        return cleat_err_set(err, -ENOENT, "kind %s isn't served", kind);
    *target =
        (struct cleat_client_target){.resource = resource, .namespace_ = namespace_, .name = name};
    return r;
}

int cleat_demo_create(struct cleat_demo *demo, const char *kind, struct cleat_err *err,
                      const char *format, ...)
{
    struct cleat_resource resource;
    struct cleat_client_target target;
    struct cleat_scratch scratch;
    CLEAT_CLEANUP(cleat_document_unrefp) struct cleat_document *document = NULL;
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    int r = cleat_document_parse(cleat_str_of(text), &document, err);
    if (r == 0)
        r = demo_target(demo, kind, NULL, NULL, &resource, &target, err);
    if (r < 0)
        return r;
    struct cleat_value object = cleat_document_root(document);
    if (resource.namespaced)
        target.namespace_ =
            cleat_value_text(cleat_value_find(object, "metadata.namespace"), &scratch).data;
    return cleat_client_create(demo->client, &target, object, NULL, NULL, err);
}

int cleat_demo_patch(struct cleat_demo *demo, const char *kind, const char *namespace_,
                     const char *name, const char *merge_patch, struct cleat_err *err)
{
    struct cleat_resource resource;
    struct cleat_client_target target;
    int r = demo_target(demo, kind, namespace_, name, &resource, &target, err);
    if (r < 0)
        return r;
    return cleat_client_patch(demo->client, &target, CLEAT_PATCH_MERGE, cleat_str_of(merge_patch),
                              NULL, NULL, err);
}

int cleat_demo_delete(struct cleat_demo *demo, const char *kind, const char *namespace_,
                      const char *name, struct cleat_err *err)
{
    struct cleat_resource resource;
    struct cleat_client_target target;
    int r = demo_target(demo, kind, namespace_, name, &resource, &target, err);
    return r < 0 ? r : cleat_client_delete(demo->client, &target, NULL, NULL, err);
}

int cleat_demo_get(struct cleat_demo *demo, const char *kind, const char *namespace_,
                   const char *name, struct cleat_object **ret, struct cleat_err *err)
{
    struct cleat_resource resource;
    struct cleat_client_target target;
    int r = demo_target(demo, kind, namespace_, name, &resource, &target, err);
    return r < 0 ? r : cleat_client_get(demo->client, &target, NULL, ret, err);
}

/* The scalar at @path as text; "" where there is none. */
static void demo_scalar(const struct cleat_object *object, const char *path, char text[256])
{
    struct cleat_scratch scratch;
    struct cleat_str found = CLEAT_STR("");
    struct cleat_value value = cleat_object_find(object, path);
    if (cleat_value_type(value) == CLEAT_TYPE_STRING)
        found = cleat_value_text(value, &scratch);
    else if (cleat_value_type(value) == CLEAT_TYPE_NUMBER &&
             cleat_value_number(value, &scratch, &found) != 0)
        found = CLEAT_STR("");
    snprintf(text, 256, "%.*s", (int)(found.length < 250 ? found.length : 250), found.data);
}

/* One look: 0 as wanted, 1 not yet (with what was seen in @seen), negative. @value NULL: it must be
 * gone. */
static int demo_look(struct cleat_demo *demo, const struct cleat_demo_place *place,
                     const char *path, const char *value, char seen[256], struct cleat_err *err)
{
    CLEAT_CLEANUP(cleat_object_unrefp) struct cleat_object *object = NULL;
    struct cleat_err local = CLEAT_ERR_INIT;
    int r = cleat_demo_get(demo, place->kind, place->namespace_, place->name, &object, &local);
    if (r == -ENOENT) {
        snprintf(seen, 256, "no such object");
        return value ? 1 : 0;
    }
    if (r < 0) {
        *err = local;
        return r;
    }
    if (!value) {
        snprintf(seen, 256, "it is still there");
        return 1;
    }
    demo_scalar(object, path, seen);
    return strcmp(seen, value) == 0 ? 0 : 1;
}

/* True where the server's process has ended by itself; then its last log line is in @err. */
static bool demo_server_died(struct cleat_demo *demo, struct cleat_err *err)
{
    if (demo->server <= 0 || waitpid(demo->server, NULL, WNOHANG) == 0)
        return false;
    demo->server = 0;
    (void)cleat_err_set(err, -ESRCH, "cleat serve has ended; its log is %s", demo->server_log);
    return true;
}

int cleat_demo_wait(struct cleat_demo *demo, const struct cleat_demo_place *place, const char *path,
                    const char *value, struct cleat_err *err)
{
    char seen[256] = "";
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t deadline_ms = cleat_clock_mono_ms(clock) + CLEAT_DEMO_WAIT_MS;
    do {
        int r = demo_look(demo, place, path, value, seen, err);
        if (r <= 0)
            return r;
        if (demo_server_died(demo, err))
            return -ESRCH;
        (void)poll(NULL, 0, DEMO_LOOK_MS);
    } while (cleat_clock_mono_ms(clock) < deadline_ms);
    return cleat_err_set(err, -ETIMEDOUT, "%s %s%s%s: %s isn't \"%s\" but \"%s\"", place->kind,
                         place->namespace_ ? place->namespace_ : "", place->namespace_ ? "/" : "",
                         place->name, path ? path : "state", value ? value : "gone", seen);
}

static int http_exchange(int fd, const char *request, struct cleat_buffer *answer)
{
    size_t length = strlen(request);
    if (send(fd, request, length, MSG_NOSIGNAL) != (ssize_t)length)
        return -errno;
    for (;;) {
        char *room = cleat_buffer_reserve(answer, 16384);
        ssize_t count = room ? recv(fd, room, 16384, 0) : -1;
        if (count < 0)
            return room ? -errno : -ENOBUFS;
        if (count == 0)
            return 0;
        cleat_buffer_advance(answer, (size_t)count);
    }
}

static int http_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval limit = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)); /* without it: no limit */
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int code = -errno;
        close(fd);
        return code;
    }
    return fd;
}

int cleat_demo_http(int port, const char *path, struct cleat_buffer *body, struct cleat_err *err)
{
    char request[256];
    int status = 0;
    struct cleat_buffer answer = CLEAT_BUFFER_INIT(DEMO_BODY_BYTES_MAX);
    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", path);
    int fd = http_connect(port);
    int r = fd < 0 ? fd : http_exchange(fd, request, &answer);
    if (fd >= 0)
        close(fd);
    const char *end = r == 0 && answer.data ? strstr(answer.data, "\r\n\r\n") : NULL;
    if (!end || sscanf(answer.data, "HTTP/1.1 %d", &status) != 1)
        r = cleat_err_set(err, r < 0 ? r : -EPROTO, "GET http://127.0.0.1:%d%s: %s", port, path,
                          strerror(r < 0 ? -r : EPROTO));
    else if (body)
        (void)cleat_buffer_text(body, end + 4); /* sticky */
    cleat_buffer_fini(&answer);
    return r < 0 ? r : status;
}

int cleat_demo_wait_http(struct cleat_demo *demo, int port, const char *path, struct cleat_err *err)
{
    const struct cleat_clock *clock = cleat_clock_system();
    int64_t deadline_ms = cleat_clock_mono_ms(clock) + CLEAT_DEMO_WAIT_MS;
    int status = 0;
    do {
        status = cleat_demo_http(port, path, NULL, NULL);
        if (status == 200)
            return 0;
        if (demo_server_died(demo, err))
            return -ESRCH;
        (void)poll(NULL, 0, DEMO_LOOK_MS);
    } while (cleat_clock_mono_ms(clock) < deadline_ms);
    return cleat_err_set(err, -ETIMEDOUT, "GET http://127.0.0.1:%d%s: %d instead of 200", port,
                         path, status);
}
