/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket that a server listens on.
 */
#ifndef CLEAT_SERVER_HTTP_LISTEN_H
#define CLEAT_SERVER_HTTP_LISTEN_H

#include <stdint.h>

#include <cleat/err.h>

/**
 * Listens on @bind: ":9443" (every address, IPv4 and IPv6), "127.0.0.1:0", "[::1]:8443",
 * "localhost:0". The descriptor is new and doesn't block. -EINVAL for what isn't HOST:PORT, else
 * what the system said, as -EADDRINUSE; the text names @bind.
 */
int cleat_http_listen(const char *bind, int *ret_fd, uint16_t *ret_port,
                      struct cleat_err *err) CLEAT_MUST_CHECK;

#endif
