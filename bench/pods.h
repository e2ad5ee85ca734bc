/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated pods for the benchmarks: what a cluster of 200 namespaces, 2,000 ReplicaSets and 500
 * nodes holds, as JSON of about 7.2 KB each, of which 2.2 KB are managedFields. Pods of one
 * ReplicaSet share its template; names, uids, addresses, times, container ids and versions are each
 * pod's own. The same seed gives the same bytes.
 */
#ifndef CLEAT_BENCH_PODS_H
#define CLEAT_BENCH_PODS_H

#include <stdint.h>
#include <cleat/buffer.h>

/** Appends pod @index of the cluster of @seed, without apiVersion and kind, as items of a list
 * come. */
void pods_write(struct cleat_buffer *buffer, uint64_t seed, uint64_t index);
/** Appends a v1 PodList of @count pods. */
void pods_write_list(struct cleat_buffer *buffer, uint64_t seed, uint64_t count);
/** Appends pod @index as a whole object, with the version and readiness of @round. */
void pods_write_whole(struct cleat_buffer *buffer, uint64_t seed, uint64_t index, uint64_t round);
/** Appends a watch frame of pod @index with a new version and readiness. */
void pods_write_event(struct cleat_buffer *buffer, uint64_t seed, uint64_t index, uint64_t round);

#endif
