/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which changes of a copy are anybody's, and whose the others are. Pure; any thread.
 */
#ifndef CLEAT_KINDS_MIRROR_ADMISSION_COPY_H
#define CLEAT_KINDS_MIRROR_ADMISSION_COPY_H

#include <stdbool.h>
#include <cleat/str.h>
#include <cleat/value.h>

/** True where what Cleat keeps differs: content, its label and annotations, its owner reference. */
bool cleat__mirror_copy_touched(struct cleat_value before, struct cleat_value after);
/** True for the parts of the cluster that may do anything to copies. */
bool cleat__mirror_is_cluster_user(struct cleat_str username);

#endif
