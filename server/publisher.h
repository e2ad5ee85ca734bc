/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The publisher keeps our CA in the webhook configurations: whenever the certificate changes and
 * once a minute beside. Its answer is what readiness asks: does the published bundle verify what we
 * serve?
 */
#ifndef CLEAT_SERVER_PUBLISHER_H
#define CLEAT_SERVER_PUBLISHER_H

#include <cleat/bundle.h>
#include <cleat/client.h>
#include <cleat/manager.h>

struct cleat_publisher;

int cleat_publisher_new(struct cleat_client *client, struct cleat_log *log,
                        struct cleat_publisher **ret) CLEAT_MUST_CHECK;
struct cleat_publisher *cleat_publisher_free(struct cleat_publisher *publisher);
/** The bundle whose CA is to be published from now on; a reference is taken. Any thread. */
void cleat_publisher_set(struct cleat_publisher *publisher, struct cleat_bundle *bundle);
/** 0 while the CA of the bundle that was set last stands in all configurations that exist. */
int cleat_publisher_check(struct cleat_publisher *publisher, struct cleat_err *err);
/** As a runnable, on a thread `publish`. */
struct cleat_runnable cleat_publisher_runnable(struct cleat_publisher *publisher);

#endif
