/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The managed devices: their entries in qs_devs, and what goes on there. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>

#include "internal.h"
#include "schedulers/common/info.h"

/* ---- entries */

int qs_dev_read(const struct qs_system *sys, __u32 index, struct qs_dev *dev)
{
	if (!bpf_map_lookup_elem(sys->devs, &index, dev))
		return 0;
	return qs_fail(errno, "qs_devs: %s", strerror(errno));
}

/*
 * The lock in the value is left alone by the kernel. `qdisc` is not: whoever
 * writes an entry while a qdisc may come or go checks it afterwards.
 */
int qs_dev_write(const struct qs_system *sys, __u32 index,
		 const struct qs_dev *dev)
{
	if (!bpf_map_update_elem(sys->devs, &index, dev, BPF_ANY))
		return 0;
	return qs_fail(errno, "qs_devs: %s", strerror(errno));
}

__u32 qs_dev_find(const struct qs_system *sys, __u64 netns, __u32 ifindex,
		  const char *name)
{
	__u32 i, by_name = 0;
	struct qs_dev dev;

	for (i = 1; i <= QS_MAX_DEVICES; i++) {
		if (qs_dev_read(sys, i, &dev) || dev.state == QS_DEV_FREE ||
		    dev.netns != netns)
			continue;
		if (ifindex && dev.ifindex == ifindex)
			return i;
		if (!strcmp(dev.name, name))
			by_name = i;
	}
	return by_name;
}

/* ---- what qsock shows */

static void view_stream(const struct qs_dev *dev, struct qs_core *core,
			struct qs_stream_view *v)
{
	const struct qs_stream *s = qs_stream(core, v->id);
	__u32 gen = QS_LIFE_GEN(QS_READ(s->life));

	v->pid = s->pid;
	v->uid = s->uid;
	v->inode = s->inode;
	v->info.size = sizeof(v->info);
	qs_info_fill(&v->info, dev, core, s, gen);
}

static int read_streams(struct qs_core *core, struct qs_device_view *view)
{
	struct qs_stream_view *v;
	struct qs_stream *s;
	__u32 i, refs;

	view->stream = calloc(core->n_streams, sizeof(*view->stream));
	if (!view->stream)
		return qs_fail(ENOMEM, "no memory for %u streams",
			       core->n_streams);
	for (i = 0; i < core->n_streams; i++) {
		s = qs_stream(core, i);
		refs = QS_LIFE_REFS(QS_READ(s->life));
		if (!refs)
			continue;
		v = &view->stream[view->streams++];
		v->id = i;
		/* the bands engine has no queue that outlives its socket */
		v->closed = refs == 1 && s->packets &&
			    view->dev.engine != QOS_ENGINE_BANDS;
		view_stream(&view->dev, core, v);
	}
	return 0;
}

static int view_core(struct qs_core *core, struct qs_device_view *view)
{
	if (core->magic != QS_CORE_MAGIC ||
	    core->n_streams != view->dev.streams)
		return 0; /* was never set up to the end */
	view->attached = core->attached;
	view->stream_limit = core->stream_limit;
	view->backlog = core->n_slots - core->free_slots;
	view->be_backlog = core->be_packets;
	view->sent_packets = core->sent_packets;
	view->sent_bytes = core->sent_bytes;
	view->be_sent_packets = core->be_sent_packets;
	view->be_sent_bytes = core->be_sent_bytes;
	view->be_dropped = core->be_dropped;
	view->dropped_late = core->dropped_late;
	view->dropped_frame = core->dropped_frame;
	view->dropped_overflow = core->dropped_overflow;
	view->violations = core->violations;
	view->unseen_bytes = core->unseen_bytes;
	view->reserved = core->reserved;
	view->promise_void = qs_promise_void(view->dev.sched, core);
	return read_streams(core, view);
}

static int read_bands(const struct qs_system *sys, __u32 index,
		      struct qs_device_view *view)
{
	struct qs_core *core;
	int err;

	if (qs_htb_intact(view->dev.ifindex) != 1)
		view->dev.qdisc = QS_QDISC_NONE;
	err = qs_bands_read(sys, index, &core);
	if (err)
		return err;
	err = view_core(core, view);
	free(core);
	return err;
}

static int read_core(const struct qs_system *sys, __u32 index,
		     struct qs_device_view *view)
{
	if (view->dev.engine == QOS_ENGINE_BANDS)
		return read_bands(sys, index, view);
	return view_core(qs_arena_core(index), view);
}

/* The bands engine has nothing that goes with a device that is deleted. */
static bool is_there(const struct qs_dev *dev)
{
	char name[IF_NAMESIZE];

	return if_indextoname(dev->ifindex, name) != NULL;
}

static int read_devices(const struct qs_system *sys, const char *name,
			struct qs_device_view *views, unsigned int *n)
{
	struct qs_device_view *v;
	__u64 netns = 0;
	__u32 i, ifindex = name ? if_nametoindex(name) : 0;
	int err;

	err = qs_netns_cookie(&netns);
	for (i = 1; !err && i <= QS_MAX_DEVICES; i++) {
		v = &views[*n];
		err = qs_dev_read(sys, i, &v->dev);
		if (err || v->dev.state != QS_DEV_READY ||
		    v->dev.qdisc == QS_QDISC_GONE || v->dev.netns != netns ||
		    !is_there(&v->dev) ||
		    (name && strcmp(v->dev.name, name) &&
		     v->dev.ifindex != ifindex))
			continue;
		(*n)++;
		err = read_core(sys, i, v);
	}
	if (!err && !*n && name)
		return qs_fail(ENOENT, "dev \"%s\" is not initialised", name);
	return err;
}

static int read_system(struct qs_system *sys, const char *name,
		       struct qs_device_view *views, unsigned int *n)
{
	int err;

	err = qs_privilege_check();
	if (!err)
		err = qs_system_lock(sys, LOCK_SH, 0);
	if (!err)
		err = qs_system_open(sys);
	if (err == -ENOENT)
		return name ? qs_fail(ENOENT, "dev \"%s\" is not initialised",
				      name) :
			      0;
	if (err)
		return err;
	if (sys->meta.engine == QOS_ENGINE_BANDS)
		return read_devices(sys, name, views, n);
	err = qs_arena_map(sys->arena, PROT_READ);
	if (err)
		return err;
	err = read_devices(sys, name, views, n);
	qs_arena_unmap();
	return err;
}

int qs_devices_read(const char *name, struct qs_device_view **devices,
		    unsigned int *n)
{
	QS_AUTO(qs_quiet_end) struct qs_quiet quiet;
	QS_AUTO(qs_system_close) struct qs_system sys = QS_SYSTEM_NONE;
	struct qs_device_view *views;
	unsigned int count = 0;
	int err;

	qs_quiet_begin(&quiet);
	views = calloc(QS_MAX_DEVICES + 1, sizeof(*views));
	if (!views)
		return qs_fail(ENOMEM, "no memory");
	err = read_system(&sys, name, views, &count);
	if (err) {
		qs_devices_free(views, count);
		return err;
	}
	*devices = views;
	*n = count;
	return 0;
}

void qs_devices_free(struct qs_device_view *devices, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		free(devices[i].stream);
	free(devices);
}
