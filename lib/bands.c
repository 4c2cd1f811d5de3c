/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device's core in the array maps of the bands engine. It is made, and read,
 * as a block of this process's memory that is laid out as in the arena: so
 * nobody else need know the maps.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "schedulers/common/mem.h"

#include <qsockets/bands.h>

/* Writes or reads the whole of an array map; the values are one after another. */
static int transfer(int map, void *values, __u32 n, const char *what, int write)
{
	__u32 *keys = calloc(n, sizeof(*keys));
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	__u32 i, next, count = n;
	int err;

	if (!keys)
		return qs_fail(ENOMEM, "no memory");
	for (i = 0; i < n; i++)
		keys[i] = i;
	if (write)
		err = bpf_map_update_batch(map, keys, values, &count, &opts);
	else
		err = bpf_map_lookup_batch(map, NULL, &next, keys, values,
					   &count, &opts);
	free(keys); /* leaves errno alone */
	if (!err || (!write && errno == ENOENT && count == n)) /* the last */
		return 0;
	return qs_fail(errno, "%s: %s", what, strerror(errno));
}

/* ---- setup */

static int create_array(struct qs_system *sys, __u32 index, const char *name,
			__u32 n, int *inner)
{
	int err;

	err = qs_inner_create(sys, name, n, inner);
	if (!err)
		err = qs_inner_put(sys, name, index, *inner);
	return err;
}

static int create_streams(struct qs_system *sys, __u32 index,
			  struct qs_core *core)
{
	struct qs_banded *streams;
	QS_AUTO_FD int inner = -1;
	__u32 i;
	int err;

	streams = calloc(core->n_streams, sizeof(*streams));
	if (!streams)
		return qs_fail(ENOMEM, "no memory for %u streams",
			       core->n_streams);
	for (i = 0; i < core->n_streams; i++)
		streams[i].s = *qs_stream(core, i);
	err = create_array(sys, index, "qs_streams", core->n_streams, &inner);
	if (!err)
		err = transfer(inner, streams, core->n_streams, "qs_streams",
			       1);
	free(streams);
	return err;
}

static int create_rings(struct qs_system *sys, __u32 index,
			struct qs_core *core)
{
	QS_AUTO_FD int inner = -1;
	int err;

	err = create_array(sys, index, "qs_rings", core->n_rings, &inner);
	if (err)
		return err;
	return transfer(inner, qs_ring(core, 0), core->n_rings, "qs_rings", 1);
}

int qs_bands_setup(struct qs_system *sys, __u32 index,
		   const struct qs_sched *sched, const struct qs_dev *dev,
		   __u32 mtu)
{
	struct qs_bands bands = { .packets = 0 };
	struct qs_core *core;
	int err;

	core = calloc(1, qs_core_size(dev->packets, dev->streams));
	if (!core)
		return qs_fail(ENOMEM, "no memory for %u streams",
			       dev->streams);
	qs_core_prepare(core, sched, dev, mtu);
	core->index = index;
	err = create_streams(sys, index, core);
	if (!err)
		err = create_rings(sys, index, core);
	bands.core = *core;
	free(core);
	if (err)
		return err;
	if (bpf_map_update_elem(sys->cores, &index, &bands, BPF_ANY))
		return qs_fail(errno, "qs_cores: %s", strerror(errno));
	return 0;
}

void qs_bands_release(struct qs_system *sys, __u32 index)
{
	qs_inner_delete(sys, "qs_streams", index);
	qs_inner_delete(sys, "qs_rings", index);
}

/* ---- reading */

static int read_core(const struct qs_system *sys, __u32 index,
		     struct qs_bands *bands)
{
	if (bpf_map_lookup_elem(sys->cores, &index, bands))
		return qs_fail(errno, "qs_cores: %s", strerror(errno));
	return 0;
}

/* What was counted before the queues were empty is not queued. */
static void copy_streams(struct qs_core *to, const struct qs_banded *streams,
			 __u32 epoch)
{
	struct qs_stream *s;
	__u32 i;

	for (i = 0; i < to->n_streams; i++) {
		s = qs_stream(to, i);
		*s = streams[i].s;
		if (qs_banded_counted(&streams[i], epoch))
			continue;
		s->packets = s->units = 0;
		s->bytes = 0;
	}
}

static int read_streams(const struct qs_system *sys, __u32 index,
			struct qs_core *to, __u32 epoch)
{
	struct qs_banded *streams;
	QS_AUTO_FD int inner = -1;
	int err;

	err = qs_inner_get(sys, "qs_streams", index, &inner);
	if (err)
		return err;
	streams = calloc(to->n_streams, sizeof(*streams));
	if (!streams)
		return qs_fail(ENOMEM, "no memory for %u streams",
			       to->n_streams);
	err = transfer(inner, streams, to->n_streams, "qs_streams", 0);
	if (!err)
		copy_streams(to, streams, epoch);
	free(streams);
	return err;
}

int qs_bands_read(const struct qs_system *sys, __u32 index,
		  struct qs_core **core)
{
	struct qs_bands bands;
	struct qs_core *to;
	int err;

	err = read_core(sys, index, &bands);
	if (err)
		return err;
	to = calloc(1, qs_core_size(bands.core.n_slots, bands.core.n_streams));
	if (!to)
		return qs_fail(ENOMEM, "no memory for %u streams",
			       bands.core.n_streams);
	*to = bands.core;
	if (bands.packets > 0)
		to->free_slots = to->n_slots - bands.packets;
	err = read_streams(sys, index, to, bands.epoch);
	if (err)
		free(to);
	else
		*core = to;
	return err;
}
