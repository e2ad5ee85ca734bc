/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server/http_listen.h"
#include "support/suite.h"

static int connect_to(const char *host, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    ck_assert_int_eq(inet_pton(AF_INET, host, &address.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    int r = connect(fd, (struct sockaddr *)&address, sizeof(address));
    close(fd);
    return r;
}

START_TEST(test_wrong)
{
    static const char *const wrong[] = {
        "",          "9443",     ":",     ":x",        ":65536",          ":-1", ":443 ", ":000000",
        "127.0.0.1", "::1:9443", "[::1]", "[::1]9443", "127.0.0.1:70000",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        int fd = -2;
        uint16_t port = 1;
        ck_assert_msg(cleat_http_listen(wrong[i], &fd, &port, &err) == -EINVAL, "%s", wrong[i]);
        ck_assert_int_eq(fd, -2);
        ck_assert_uint_eq(port, 1);
        ck_assert_msg(strstr(err.text, wrong[i]) != NULL, "%s", err.text);
    }
}
END_TEST

START_TEST(test_addresses)
{
    static const char *const addresses[] = {"127.0.0.1:0", "localhost:0", ":0", "0.0.0.0:0"};
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct cleat_err err = CLEAT_ERR_INIT;
        int fd = -1;
        uint16_t port = 0;
        ck_assert_msg(cleat_http_listen(addresses[i], &fd, &port, &err) == 0, "%s", err.text);
        ck_assert_uint_gt(port, 0);
        ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
        ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        /* localhost may be ::1 alone. */
        if (strncmp(addresses[i], "localhost", 9) != 0)
            ck_assert_int_eq(connect_to("127.0.0.1", port), 0);
        close(fd);
    }
}
END_TEST

START_TEST(test_in_use)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    int fd = -1, second = -1;
    uint16_t port = 0, other = 0;
    char bind[64];
    ck_assert_int_eq(cleat_http_listen("127.0.0.1:0", &fd, &port, NULL), 0);
    snprintf(bind, sizeof(bind), "127.0.0.1:%u", port);
    ck_assert_int_eq(cleat_http_listen(bind, &second, &other, &err), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(err.text, bind));
    ck_assert_ptr_nonnull(strstr(err.text, "already in use"));
    close(fd);
    ck_assert_int_eq(cleat_http_listen(bind, &second, &other, NULL), 0);
    ck_assert_uint_eq(other, port);
    close(second);
}
END_TEST

START_TEST(test_foreign_address)
{
    struct cleat_err err = CLEAT_ERR_INIT;
    int fd = -1;
    uint16_t port = 0;
    ck_assert_int_eq(cleat_http_listen("192.0.2.1:0", &fd, &port, &err), -EADDRNOTAVAIL);
    ck_assert_ptr_nonnull(strstr(err.text, "192.0.2.1:0"));
}
END_TEST

CLEAT_SUITE_MAIN("http_listen", test_wrong, test_addresses, test_in_use, test_foreign_address)
