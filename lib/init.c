/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Setting a device up and giving it back. All of it is done under a file lock
 * on bpffs, which goes with the process; an entry is SETUP from before the
 * first change until after the last, so what a crash leaves is recognised, and
 * taken away, by the next init.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "internal.h"
#include "schedulers/common/admit.h"

#define DEFAULT_PACKETS 16384
#define DEFAULT_STREAMS 4096
#define MIN_PACKETS 64
#define MAX_PACKETS (1u << 20)
#define MAX_STREAMS (1u << 20)
#define MAX_BURST (1u << 30)
#define MAX_OVERHEAD 4096

#define INIT_USER_NS 0xeffffffdu /* its inode number: PROC_USER_INIT_INO */
#define ETHERNET 14
#define PER_MS(rate) ((rate) / 8000) /* bytes */

struct request {
	const struct qs_sched *sched;
	const char *name; /* of the device */
	struct qos_device device; /* with its defaults */
	struct qs_link link;
	__u64 netns;
	int ifindex;
	int any; /* whatever settings the device has already will do */
	int qdisc; /* add it */
	__u32 forced; /* enum qos_engine, NONE: the best one */
};

/* ---- what is asked for */

static int has_capability(const struct __user_cap_data_struct *data, int cap)
{
	return !!(data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap));
}

/* In another user namespace than the first, capabilities do not reach BPF. */
int qs_privilege_check(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	struct stat st;

	if (!stat("/proc/self/ns/user", &st) && st.st_ino != INIT_USER_NS)
		return qs_fail(EPERM, "not permitted in a user namespace: run "
				      "it as the host's root");
	if (syscall(SYS_capget, &header, data))
		return qs_fail(errno, "capget: %s", strerror(errno));
	if (has_capability(data, CAP_NET_ADMIN) &&
	    has_capability(data, CAP_SYS_ADMIN))
		return 0;
	return qs_fail(EPERM, "not permitted: run it as root, or with "
			      "CAP_NET_ADMIN and CAP_SYS_ADMIN");
}

/* How many of the arena's windows a core takes. */
static __u32 windows(__u32 packets, __u32 streams)
{
	__u64 size = qs_core_size(packets, streams);

	return (size + (1ull << QS_WINDOW_SHIFT) - 1) >> QS_WINDOW_SHIFT;
}

static int check_sizes(const struct qos_device *d)
{
	if (d->packets < MIN_PACKETS || d->packets > MAX_PACKETS)
		return qs_fail(EINVAL, "packets is %u, not in %u to %u",
			       d->packets, MIN_PACKETS, MAX_PACKETS);
	if (d->streams > MAX_STREAMS)
		return qs_fail(EINVAL, "streams is %u, not in 1 to %u",
			       d->streams, MAX_STREAMS);
	if (windows(d->packets, d->streams) > QS_WINDOWS_MAX)
		return qs_fail(EINVAL,
			       "%u packets and %u streams need more "
			       "than %u MiB: lower packets or streams",
			       d->packets, d->streams,
			       QS_WINDOWS_MAX << (QS_WINDOW_SHIFT - 20));
	if (d->burst > MAX_BURST)
		return qs_fail(EINVAL, "burst is %u, more than %u", d->burst,
			       MAX_BURST);
	if (d->overhead > MAX_OVERHEAD)
		return qs_fail(EINVAL, "overhead is %u, more than %u",
			       d->overhead, MAX_OVERHEAD);
	if (d->guarantee > QS_PERMILLE)
		return qs_fail(EINVAL,
			       "guarantee is %u per mille, more than all of "
			       "the rate",
			       d->guarantee);
	if (d->zero)
		return qs_fail(EINVAL, "zero is %u, not 0", d->zero);
	if (!memchr(d->cgroup, 0, sizeof(d->cgroup)))
		return qs_fail(EINVAL, "cgroup has no terminating null byte");
	return 0;
}

int qs_settings_complete(struct qos_device *d)
{
	if (!d->packets)
		d->packets = DEFAULT_PACKETS;
	if (!d->streams)
		d->streams = DEFAULT_STREAMS;
	if (d->guarantee && !d->rate)
		return qs_fail(EINVAL,
			       "guarantee is %u per mille of no rate: "
			       "give a rate",
			       d->guarantee);
	if (!d->guarantee)
		d->guarantee = QS_GUARANTEE_DEFAULT;
	return check_sizes(d);
}

static int read_settings(struct request *r, const struct qos_device *device)
{
	static const struct qos_device none;

	r->device = device ? *device : none;
	r->any = !memcmp(&r->device, &none, sizeof(none));
	return qs_settings_complete(&r->device);
}

static int find_link(struct request *r, const char *name)
{
	if (!*name)
		return qs_fail(EINVAL, "dev is empty: name the device to "
				       "initialise");
	r->name = name;
	r->ifindex = if_nametoindex(name);
	if (!r->ifindex)
		return qs_fail(ENODEV, "dev \"%s\" does not exist", name);
	return qs_netns_cookie(&r->netns);
}

static int read_request(struct request *r, const struct qos_params *params,
			const struct qos_device *device, unsigned int flags)
{
	int err;

	err = qs_params_check(params);
	if (!err)
		err = qs_privilege_check();
	if (!err)
		err = find_link(r, params->dev);
	if (err)
		return err;
	r->sched = qs_sched_find(params->name);
	if (!r->sched)
		return qs_fail(ENOENT, "name \"%s\" is no scheduler",
			       params->name);
	err = read_settings(r, device);
	r->qdisc = !(flags & QS_INIT_NO_QDISC);
	if (err)
		return err;
	err = r->qdisc ? qs_engine_forced() : QOS_ENGINE_KERNEL;
	if (err < 0)
		return err;
	r->forced = err;
	return 0;
}

/* ---- keys */

static void name_key(struct qs_name_key *key, __u64 netns, const char *name)
{
	memset(key, 0, sizeof(*key));
	key->netns = netns;
	snprintf(key->name, sizeof(key->name), "%s", name);
}

static int add_key(int map, const void *key, __u32 index, const char *what)
{
	if (!bpf_map_update_elem(map, key, &index, BPF_ANY))
		return 0;
	return qs_fail(errno, "%s: %s", what, strerror(errno));
}

/* The namespace's managed device is the first that was initialised. */
static int add_names(struct qs_system *sys, __u32 index,
		     const struct qs_dev *dev)
{
	struct qs_name_key key;
	__u32 other;
	int err;

	name_key(&key, dev->netns, dev->name);
	err = add_key(sys->names, &key, index, "qs_names");
	if (err)
		return err;
	name_key(&key, dev->netns, "");
	if (!bpf_map_lookup_elem(sys->names, &key, &other))
		return 0;
	return add_key(sys->names, &key, index, "qs_names");
}

static int add_if(struct qs_system *sys, __u32 index, const struct qs_dev *dev)
{
	struct qs_if_key key = {
		.netns = dev->netns,
		.ifindex = dev->ifindex,
	};

	return add_key(sys->ifs, &key, index, "qs_ifs");
}

/* Another device of the namespace, to be the managed one. */
static __u32 successor(struct qs_system *sys, __u32 index, __u64 netns)
{
	struct qs_dev dev;
	__u32 i;

	for (i = 1; i <= QS_MAX_DEVICES; i++)
		if (i != index && !qs_dev_read(sys, i, &dev) &&
		    dev.state == QS_DEV_READY && dev.netns == netns)
			return i;
	return 0;
}

static void delete_names(struct qs_system *sys, __u32 index,
			 const struct qs_dev *dev)
{
	struct qs_name_key key;
	__u32 other;

	name_key(&key, dev->netns, dev->name);
	if (!bpf_map_lookup_elem(sys->names, &key, &other) && other == index)
		bpf_map_delete_elem(sys->names, &key);
	name_key(&key, dev->netns, "");
	if (bpf_map_lookup_elem(sys->names, &key, &other) || other != index)
		return;
	other = successor(sys, index, dev->netns);
	if (other)
		bpf_map_update_elem(sys->names, &key, &other, BPF_ANY);
	else
		bpf_map_delete_elem(sys->names, &key);
}

static void delete_if(struct qs_system *sys, const struct qs_dev *dev)
{
	struct qs_if_key key = {
		.netns = dev->netns,
		.ifindex = dev->ifindex,
	};

	bpf_map_delete_elem(sys->ifs, &key);
}

/* ---- the qdisc */

static int is_ours(const struct qs_qdisc *root)
{
	return root->handle == QS_QDISC_HANDLE &&
	       (qs_sched_find(root->kind) || !strcmp(root->kind, "htb"));
}

/* An administrator's own qdisc is not touched. */
static int check_root(const struct request *r, const struct qs_qdisc *root)
{
	if (!root->handle || is_ours(root))
		return 0;
	return qs_fail(EBUSY,
		       "dev \"%s\" has the qdisc \"%s\": to replace it, "
		       "run \"tc qdisc del dev %s root\" first",
		       r->name, root->kind, r->name);
}

static int set_qdisc(struct qs_system *sys, __u32 index, __u32 qdisc)
{
	struct qs_dev dev;
	int err;

	err = qs_dev_read(sys, index, &dev);
	if (err)
		return err;
	dev.qdisc = qdisc;
	return qs_dev_write(sys, index, &dev);
}

static int add_htb(struct qs_system *sys, const struct request *r, __u32 index)
{
	struct qs_htb htb = {
		.ifindex = r->ifindex,
		.rate = r->device.rate,
		.burst = r->device.burst,
		.overhead = r->device.overhead,
		.mtu = r->link.mtu,
		.packets = r->device.packets,
	};
	int err;

	err = qs_htb_add(&htb);
	return err ? err : set_qdisc(sys, index, QS_QDISC_ON);
}

/*
 * `qdisc` is the BPF qdisc's own to write. Here it is known that there is none:
 * a 1 is left over from one that was deleted while the entry was written.
 */
static int add_qdisc(struct qs_system *sys, const struct request *r,
		     __u32 index)
{
	int err;

	err = set_qdisc(sys, index, QS_QDISC_NONE);
	if (err)
		return err;
	if (sys->meta.engine == QOS_ENGINE_BANDS)
		err = add_htb(sys, r, index);
	else
		err = qs_qdisc_add(r->ifindex, r->sched->name);
	return err == -EEXIST ? -EBUSY : err;
}

/* ---- give a device back */

static int set_state(struct qs_system *sys, __u32 index, __u32 state)
{
	struct qs_dev dev;
	int err;

	err = qs_dev_read(sys, index, &dev);
	if (err)
		return err;
	dev.state = state;
	return qs_dev_write(sys, index, &dev);
}

/* What is on the device itself, if that is still the one we know. */
static void release_link(const struct qs_dev *dev, __u64 netns)
{
	struct qs_qdisc root;
	struct qs_link link;

	if (dev->netns != netns || qs_link_get(dev->ifindex, &link))
		return;
	if (!qs_qdisc_get(dev->ifindex, &root) && is_ours(&root))
		qs_qdisc_del(dev->ifindex);
	if (dev->gso_max_size && (link.gso_max_size != dev->gso_max_size ||
				  link.gso_max_segs != dev->gso_max_segs))
		qs_link_set_gso(dev->ifindex, dev->gso_max_size,
				dev->gso_max_segs);
}

/*
 * In whatever state it is. Attach stops with the state; the qdisc frees its
 * packets before their room goes. Taking that out of the map of maps waits
 * until no program is in it any more, so the window can be used again.
 */
static void release_device(struct qs_system *sys, __u32 index, __u64 netns)
{
	struct qs_dev dev, none = { .state = QS_DEV_FREE };

	if (qs_dev_read(sys, index, &dev))
		return;
	set_state(sys, index, QS_DEV_SETUP);
	delete_names(sys, index, &dev);
	release_link(&dev, netns);
	delete_if(sys, &dev);
	qs_classifier_detach(sys, &dev);
	if (dev.engine == QOS_ENGINE_BANDS)
		qs_bands_release(sys, index);
	else
		qs_inner_delete(sys, "qs_slots", index);
	none.gen = dev.gen;
	qs_dev_write(sys, index, &none);
}

/* What a crash left, and devices that are no more. */
static void release_stale(struct qs_system *sys, __u64 netns)
{
	struct qs_dev dev;
	__u32 i;

	for (i = 1; i <= QS_MAX_DEVICES; i++) {
		if (qs_dev_read(sys, i, &dev) || dev.state == QS_DEV_FREE)
			continue;
		if (dev.state == QS_DEV_SETUP ||
		    !qs_classifier_alive(sys, &dev))
			release_device(sys, i, netns);
	}
}

/* The pins go with the last device. */
static void release_system(struct qs_system *sys)
{
	struct qs_dev dev;
	__u32 i;

	for (i = 1; i <= QS_MAX_DEVICES; i++)
		if (!qs_dev_read(sys, i, &dev) && dev.state != QS_DEV_FREE)
			return;
	qs_system_remove(sys);
}

/* ---- set a device up */

/* The first entry whose window, and so many in a row, nobody has. */
static __u32 free_index(struct qs_system *sys, __u32 needed, __u32 *gen)
{
	__u32 i, first = 1;
	struct qs_dev dev;

	*gen = 0;
	for (i = 1; i <= QS_MAX_DEVICES; i++) {
		if (qs_dev_read(sys, i, &dev)) {
			first = i + 1;
			continue;
		}
		if (dev.state != QS_DEV_FREE) {
			i += windows(dev.packets, dev.streams) - 1;
			first = i + 1;
			continue;
		}
		if (i == first)
			*gen = dev.gen + 1;
		if (i + 1 - first == needed)
			return first;
	}
	return 0;
}

static void describe(const struct request *r, struct qs_dev *dev, __u32 gen,
		     __u32 engine)
{
	memset(dev, 0, sizeof(*dev));
	dev->state = QS_DEV_SETUP;
	dev->gen = gen;
	dev->ifindex = r->ifindex;
	dev->sched = r->sched->id;
	dev->netns = r->netns;
	snprintf(dev->name, sizeof(dev->name), "%s", r->name);
	snprintf(dev->sched_name, sizeof(dev->sched_name), "%s",
		 r->sched->name);
	dev->rate = r->device.rate;
	dev->packets = r->device.packets;
	dev->streams = r->device.streams;
	dev->burst = r->device.burst;
	dev->overhead = r->device.overhead;
	dev->guarantee = qs_guarantee(r->device.rate, r->device.guarantee);
	dev->gso_max_size = r->link.gso_max_size;
	dev->gso_max_segs = r->link.gso_max_segs;
	dev->engine = engine;
}

/*
 * A super-packet leaves in one piece, and everyone waits for it: so it shall
 * take a millisecond at most, or one segment where that takes longer.
 */
static int limit_gso(const struct request *r)
{
	__u32 size = r->link.gso_max_size, segs = r->link.gso_max_segs;
	__u64 bytes = PER_MS(r->device.rate);

	if (!r->device.rate || !size || !r->link.mtu || bytes >= size)
		return 0;
	if (bytes < r->link.mtu + ETHERNET)
		bytes = r->link.mtu + ETHERNET;
	if (bytes / r->link.mtu < segs)
		segs = bytes / r->link.mtu;
	if (bytes < size)
		size = bytes;
	return qs_link_set_gso(r->ifindex, size, segs);
}

/* What the engine keeps of it, and its programs. */
static int setup_engine(struct qs_system *sys, const struct request *r,
			__u32 index, const struct qs_dev *dev)
{
	int err;

	if (dev->engine == QOS_ENGINE_BANDS)
		err = qs_bands_setup(sys, index, r->sched, dev, r->link.mtu);
	else
		err = qs_core_setup(sys->arena, index, r->sched, dev,
				    r->link.mtu);
	if (!err && r->qdisc)
		err = qs_sched_load(sys, r->sched);
	if (!err && r->qdisc && dev->engine == QOS_ENGINE_KERNEL)
		err = qs_slots_create(sys, index, dev->packets);
	return err;
}

static int setup_device(struct qs_system *sys, const struct request *r,
			__u32 index, const struct qs_dev *dev)
{
	int err;

	err = qs_dev_write(sys, index, dev);
	if (!err)
		err = setup_engine(sys, r, index, dev);
	if (!err)
		err = add_if(sys, index, dev);
	if (!err)
		err = limit_gso(r);
	if (!err)
		err = qs_classifier_attach(sys, dev);
	if (!err && r->qdisc)
		err = add_qdisc(sys, r, index);
	if (!err)
		err = add_names(sys, index, dev);
	if (!err)
		err = set_state(sys, index, QS_DEV_READY);
	return err;
}

/* ---- a device that is there already */

static int same_settings(const struct request *r, const struct qs_dev *dev)
{
	const struct qos_device *d = &r->device;

	return r->any ||
	       (d->rate == dev->rate && d->packets == dev->packets &&
		d->streams == dev->streams && d->burst == dev->burst &&
		d->overhead == dev->overhead &&
		qs_guarantee(d->rate, d->guarantee) == dev->guarantee);
}

/* The device got another name: it goes by that from now on. */
static int rename_device(struct qs_system *sys, const struct request *r,
			 __u32 index, struct qs_dev *dev)
{
	int err;

	delete_names(sys, index, dev);
	memset(dev->name, 0, sizeof(dev->name));
	snprintf(dev->name, sizeof(dev->name), "%s", r->name);
	err = qs_dev_write(sys, index, dev);
	if (!err)
		err = add_names(sys, index, dev);
	return err;
}

/* The same again is a success; it also puts back a qdisc that was deleted. */
static int init_again(struct qs_system *sys, const struct request *r,
		      __u32 index)
{
	struct qs_qdisc root;
	struct qs_dev dev;
	int err;

	err = qs_dev_read(sys, index, &dev);
	if (err)
		return err;
	if (dev.sched != r->sched->id)
		return qs_fail(EBUSY,
			       "dev \"%s\" has the scheduler \"%s\": run "
			       "\"qsock fini %s\" first",
			       r->name, dev.sched_name, r->name);
	if (!same_settings(r, &dev))
		return qs_fail(EBUSY,
			       "dev \"%s\" has other settings (rate "
			       "%llu, packets %u, streams %u, burst %u, "
			       "overhead %u, guarantee %llu bit/s): run "
			       "\"qsock fini %s\" first",
			       r->name, (unsigned long long)dev.rate,
			       dev.packets, dev.streams, dev.burst,
			       dev.overhead, (unsigned long long)dev.guarantee,
			       r->name);
	if (strcmp(dev.name, r->name))
		err = rename_device(sys, r, index, &dev);
	if (!err)
		err = qs_qdisc_get(r->ifindex, &root);
	if (err || !r->qdisc)
		return err;
	if (is_ours(&root)) {
		if (dev.engine != QOS_ENGINE_BANDS ||
		    qs_htb_intact(r->ifindex) == 1)
			return 0;
		err = qs_qdisc_del(r->ifindex); /* somebody has changed it */
	}
	return err ? err : add_qdisc(sys, r, index);
}

/* ---- init */

/* An empty name is the root, or whatever the first device's init named. */
static int open_system(struct qs_system *sys, const struct request *r)
{
	const char *cgroup = r->device.cgroup;
	QS_AUTO_FD int fd = qs_cgroup_open(cgroup);
	int err, engine;
	struct stat st;

	if (fd < 0)
		return fd;
	err = qs_system_lock(sys, LOCK_EX, 1);
	if (!err)
		err = qs_system_open(sys);
	if (err && err != -ENOENT)
		return err;
	engine = r->qdisc ? qs_engine_choose(r->forced, sys) :
			    QOS_ENGINE_KERNEL;
	if (engine < 0)
		return engine;
	if (err)
		return qs_system_create(sys, fd, engine);
	if (!*cgroup)
		return 0;
	if (!fstat(fd, &st) && st.st_ino == sys->meta.cgroup_id)
		return 0;
	return qs_fail(EBUSY,
		       "another cgroup than \"%s\" is served already: "
		       "one goes for all devices",
		       cgroup);
}

static int init_new(struct qs_system *sys, const struct request *r)
{
	struct qs_dev dev;
	__u32 index, gen;
	int err;

	index = free_index(sys, windows(r->device.packets, r->device.streams),
			   &gen);
	if (!index)
		return qs_fail(ENOSPC,
			       "%u devices are managed already, or fewer large "
			       "ones",
			       QS_MAX_DEVICES);
	describe(r, &dev, gen, sys->meta.engine);
	err = setup_device(sys, r, index, &dev);
	if (err)
		release_device(sys, index, r->netns);
	return err;
}

/* The device's sizes are its own again once what a crash left is released. */
static int init_locked(struct qs_system *sys, struct request *r)
{
	struct qs_qdisc root;
	__u32 index;
	int err;

	release_stale(sys, r->netns);
	err = qs_link_get(r->ifindex, &r->link);
	if (!err)
		err = qs_qdisc_get(r->ifindex, &root);
	if (!err)
		err = check_root(r, &root);
	if (err)
		return err;
	index = qs_dev_find(sys, r->netns, r->ifindex, r->name);
	return index ? init_again(sys, r, index) : init_new(sys, r);
}

int qs_device_init(const struct qos_params *params,
		   const struct qos_device *device, unsigned int flags)
{
	QS_AUTO(qs_quiet_end) struct qs_quiet quiet;
	QS_AUTO(qs_system_close) struct qs_system sys = QS_SYSTEM_NONE;
	struct request r = { 0 };
	int err;

	qs_quiet_begin(&quiet);
	err = read_request(&r, params, device, flags);
	if (!err)
		err = open_system(&sys, &r);
	if (err)
		return err;
	err = init_locked(&sys, &r);
	if (err)
		release_system(&sys);
	return err;
}

/* ---- fini */

static int fini_device(const char *name)
{
	QS_AUTO(qs_quiet_end) struct qs_quiet quiet;
	QS_AUTO(qs_system_close) struct qs_system sys = QS_SYSTEM_NONE;
	__u32 index = 0;
	__u64 netns;
	int err;

	qs_quiet_begin(&quiet);
	err = qs_netns_cookie(&netns);
	if (!err)
		err = qs_system_lock(&sys, LOCK_EX, 0);
	if (!err)
		err = qs_system_open(&sys);
	if (err && err != -ENOENT)
		return err;
	if (!err)
		index = qs_dev_find(&sys, netns, if_nametoindex(name), name);
	if (index)
		release_device(&sys, index, netns);
	if (!err) {
		release_stale(&sys, netns);
		release_system(&sys);
	} else if (sys.lock >= 0) { /* an init was killed */
		qs_system_remove(&sys);
	}
	if (index)
		return 0;
	if (!if_nametoindex(name))
		return qs_fail(ENODEV, "dev \"%s\" does not exist", name);
	return qs_fail(ENOENT, "dev \"%s\" is not initialised", name);
}

static int fini(const char *name)
{
	int err;

	if (!name)
		return qs_fail(EFAULT, "dev is NULL");
	if (!*name || strnlen(name, IFNAMSIZ) == IFNAMSIZ)
		return qs_fail(EINVAL, "dev is empty or longer than a device's "
				       "name");
	err = qs_inproc_serves(name);
	if (err)
		return err < 0 ? err : qs_inproc_fini();
	err = qs_privilege_check();
	return err ? err : fini_device(name);
}

static void fini_devices(struct qs_system *sys, __u64 netns)
{
	struct qs_dev dev;
	__u32 i;

	for (i = 1; i <= QS_MAX_DEVICES; i++)
		if (!qs_dev_read(sys, i, &dev) && dev.state != QS_DEV_FREE &&
		    dev.netns == netns)
			release_device(sys, i, netns);
	release_stale(sys, netns);
	release_system(sys);
}

int qs_fini_all(void)
{
	QS_AUTO(qs_quiet_end) struct qs_quiet quiet;
	QS_AUTO(qs_system_close) struct qs_system sys = QS_SYSTEM_NONE;
	__u64 netns = 0;
	int err;

	qs_quiet_begin(&quiet);
	err = qs_privilege_check();
	if (!err)
		err = qs_netns_cookie(&netns);
	if (!err)
		err = qs_system_lock(&sys, LOCK_EX, 0);
	if (!err)
		err = qs_system_open(&sys);
	if (err == -EPROTONOSUPPORT) { /* what there is cannot be read */
		err = qs_qdisc_del_all();
		qs_system_remove(&sys);
	} else if (err == -ENOENT && sys.lock >= 0) { /* an init was killed */
		qs_system_remove(&sys);
	} else if (!err) {
		fini_devices(&sys, netns);
	}
	return err == -ENOENT ? 0 : err;
}

/* ---- public */

static int init(const struct qos_params *params,
		const struct qos_device *device)
{
	int inproc = qs_params_check(params);

	if (!inproc)
		inproc = qs_inproc_wanted(params);
	if (inproc < 0)
		return inproc;
	return inproc ? qs_inproc_init(params, device) :
			qs_device_init(params, device, 0);
}

QS_PUBLIC int qsockinit(struct qos_params *params)
{
	return qs_return(init(params, NULL));
}

QS_PUBLIC int qsockinit_device(struct qos_params *params,
			       const struct qos_device *device, size_t size)
{
	struct qos_device all;
	int err;

	if (!device)
		return qs_return(qs_fail(EFAULT, "device is NULL"));
	err = qs_grow(&all, sizeof(all), device, size, sizeof(device->rate),
		      "struct qos_device");
	return qs_return(err ? err : init(params, &all));
}

QS_PUBLIC int qsockfini(const char *dev)
{
	return qs_return(fini(dev));
}
