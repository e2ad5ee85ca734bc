/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The story that the demo tells: steps with the kubectl command that does the same.
 */
#ifndef CLEAT_SERVER_STORY_H
#define CLEAT_SERVER_STORY_H

#include "server/demo.h"

struct cleat_story_step {
    const char *title;
    const char *command; /* for kubectl, one or more lines; NULL where there is none */
    /* Does it and observes that it happened; what there is to tell goes to demo->note, line by
     * line. */
    int (*run)(struct cleat_demo *demo, struct cleat_err *err);
};

/* Ends with a step without a title. The world is made before the first. */
extern const struct cleat_story_step cleat_story[];

#endif
