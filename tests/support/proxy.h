/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP proxy on loopback between a client and a server, which breaks what goes through: cuts
 * answers after a number of frames and bytes, swallows bytes without closing, answers rubbish,
 * closes at once. Counts what it did.
 */
#ifndef CLEAT_TESTS_PROXY_H
#define CLEAT_TESTS_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cleat_proxy;

enum cleat_proxy_mode {
    CLEAT_PROXY_PASS,
    CLEAT_PROXY_DEAF,    /* what clients send vanishes */
    CLEAT_PROXY_MUTE,    /* what the server sends vanishes */
    CLEAT_PROXY_FROZEN,  /* both; the server isn't even reached */
    CLEAT_PROXY_RUBBISH, /* each request is answered by bytes that are no HTTP */
    CLEAT_PROXY_CLOSE,   /* each connection is closed at once */
};

/** A proxy to 127.0.0.1:@port on a port of its own. Fails the test where it can't. */
struct cleat_proxy *cleat_proxy_new(uint16_t port);
/** Ends every connection; NULL is fine; returns NULL. */
struct cleat_proxy *cleat_proxy_free(struct cleat_proxy *proxy);
uint16_t cleat_proxy_port(const struct cleat_proxy *proxy);
/** Connections go to another port from now on. */
void cleat_proxy_set_target(struct cleat_proxy *proxy, uint16_t port);
/** Plain HTTP/1.1 requests get a bearer token on their way, which a client sends over TLS only;
 * copied. */
void cleat_proxy_set_token(struct cleat_proxy *proxy, const char *token);
/**
 * What happens to bytes from now on, on connections old and new. A connection that lost bytes never
 * passes any again: it stays half open until the client gives it up.
 */
void cleat_proxy_set_mode(struct cleat_proxy *proxy, enum cleat_proxy_mode mode);
/**
 * Cuts one connection, whichever carries a watch first, @delta bytes (-1, 0, 1) after the end of
 * its frame number @frame (from 1), and with a reset instead of an orderly end where @reset.
 */
void cleat_proxy_cut(struct cleat_proxy *proxy, unsigned frame, int delta, bool reset);
/** Cuts that have happened. */
unsigned cleat_proxy_cuts(struct cleat_proxy *proxy);
/** Connections that lost bytes or were answered rubbish. */
unsigned cleat_proxy_broken(struct cleat_proxy *proxy);

#endif
