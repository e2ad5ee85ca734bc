/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Service is to its clients: one address, behind it the endpoints that are in rotation now.
 * Each connection goes to one of them, in turn, and stays there.
 */
#ifndef CLEAT_TESTS_SERVICE_H
#define CLEAT_TESTS_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

struct service;

/** A Service on a loopback port of its own; new. Fails the test where it can't. */
struct service *service_new(void);
/** Ends every connection; NULL is fine; returns NULL. */
struct service *service_free(struct service *service);
int service_port(const struct service *service);
/** Puts the endpoint at @port into rotation or takes it out; connections to it live on. */
void service_rotate(struct service *service, int port, bool in);
/** From now on no byte passes, in neither direction, and connections wait: a network that is cut.
 * Released, what was on its way arrives. */
void service_hold(struct service *service, bool held);
/** Connections that found no endpoint, or one that refused them. */
unsigned service_refused(struct service *service);

#endif
