/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A core's memory where there is no arena: array maps, in which a stream is
 * found by the device's number and its own. What is not there is a place where
 * nothing is kept, so that the code shared with the arena need not ask.
 */
#ifndef QS_BANDS_STATE_BPF_H
#define QS_BANDS_STATE_BPF_H

#include "bpf/kernel.bpf.h"

#include <qsockets/bands.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, QS_MAX_DEVICES + 1);
	__type(key, __u32);
	__type(value, struct qs_bands);
} qs_cores SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, QS_LOCKS);
	__type(key, __u32);
	__type(value, struct qs_lock);
} qs_locks SEC(".maps");

/* A device's streams; the inner map is made with as many as it may have. */
struct qs_banded_array {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct qs_banded);
} qs_streams_template SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, QS_MAX_DEVICES + 1);
	__type(key, __u32);
	__array(values, struct qs_banded_array);
} qs_streams SEC(".maps");

struct qs_ring_array {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct qs_ring);
} qs_rings_template SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, QS_MAX_DEVICES + 1);
	__type(key, __u32);
	__array(values, struct qs_ring_array);
} qs_rings SEC(".maps");

static struct qs_bands qs_no_core;
static struct qs_banded qs_no_stream;
static struct qs_ring qs_no_ring;

QS_INLINE struct qs_bands *qs_bands(__u32 dev)
{
	struct qs_bands *b = bpf_map_lookup_elem(&qs_cores, &dev);

	return b ? b : &qs_no_core;
}

QS_INLINE struct qs_core *qs_window(__u32 dev)
{
	return &qs_bands(dev)->core;
}

QS_INLINE struct qs_banded *qs_banded(__u32 dev, __u32 i)
{
	void *streams = bpf_map_lookup_elem(&qs_streams, &dev);
	struct qs_banded *s = NULL;

	if (streams)
		s = bpf_map_lookup_elem(streams, &i);
	return s ? s : &qs_no_stream;
}

QS_INLINE struct qs_stream *qs_stream(struct qs_core *c, __u32 i)
{
	return &qs_banded(c->index, i)->s;
}

QS_INLINE struct qs_ring *qs_ring(struct qs_core *c, __u32 i)
{
	__u32 dev = c->index;
	void *rings = bpf_map_lookup_elem(&qs_rings, &dev);
	struct qs_ring *r = NULL;

	if (rings)
		r = bpf_map_lookup_elem(rings, &i);
	return r ? r : &qs_no_ring;
}

/* Does HTB do nothing, as far as is known? */
QS_INLINE int qs_is_blind(const struct qs_core *c)
{
	return ((const struct qs_bands *)c)->blind;
}

/* Does HTB have packets of the stream? Its own numbers may be old. */
QS_INLINE int qs_is_queued(const struct qs_core *c, const struct qs_stream *s)
{
	return qs_banded_counted((const struct qs_banded *)s,
				 ((const struct qs_bands *)c)->epoch);
}

/* There is no arena, and no queue in which a frame could be without its end. */
#define qs_use_arena() ((void)0)
#define qs_stream_closed(c, i) ((void)(i))

#endif
