/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what changed to the Mirrors that it concerns. On the events thread; nothing blocks. The
 * argument is struct cleat_mirror where one is needed.
 */
#ifndef CLEAT_KINDS_MIRROR_MAPPING_H
#define CLEAT_KINDS_MIRROR_MAPPING_H

#include <cleat/controller.h>

/** A copy: the Mirror that its label names, and the one that owns it; where that is gone, those
 * that want its place. */
void cleat__mirror_map_copy(void *arg, struct cleat_object *object, struct cleat_enqueue *enqueue);
/** A source: the Mirrors of which it is. */
void cleat__mirror_map_source(void *arg, struct cleat_object *object,
                              struct cleat_enqueue *enqueue);
/** A namespace: the Mirrors that reach it. */
void cleat__mirror_map_namespace(void *arg, struct cleat_object *object,
                                 struct cleat_enqueue *enqueue);
/** A Mirror: the others that want the same place. */
void cleat__mirror_map_rivals(void *arg, struct cleat_object *object,
                              struct cleat_enqueue *enqueue);
/** A webhook configuration: all Mirrors. */
void cleat__mirror_map_guard(void *arg, struct cleat_object *object, struct cleat_enqueue *enqueue);
/** A Mirror: the one key of the controller of hooks. */
void cleat__mirror_map_hooks(void *arg, struct cleat_object *object, struct cleat_enqueue *enqueue);

#endif
