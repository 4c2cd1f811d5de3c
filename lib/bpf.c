/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is pinned under bpffs, in QS_PIN_DIR: the maps by their names, the links
 * that keep the manager on the cgroup (link_*), the classifier on each device
 * (classifier_*) and each scheduler's qdisc kind registered (qdisc_*).
 *
 * The shared part is built in a directory beside it and renamed when it is
 * whole, so a crash leaves all or nothing; the remains go with the next init.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"

/* What headers of Linux 6.1 do not have. */
#define MAP_TYPE_ARENA 33
#define TCX_EGRESS 47
#define F_BEFORE (1u << 3)

struct link_info {
	__u32 type, id, prog_id, zero;
	__u32 ifindex;
	__u32 rest[31];
};

extern const char qs_object_manager[], qs_object_manager_end[];
extern const char qs_object_classifier[], qs_object_classifier_end[];
extern const char qs_object_manager_bands[], qs_object_manager_bands_end[];
extern const char qs_object_departed_bands[], qs_object_departed_bands_end[];

static _Thread_local char warning[256]; /* the last one of libbpf's */

static void close_object(struct bpf_object **obj)
{
	bpf_object__close(*obj);
}

static void destroy_link(struct bpf_link **link)
{
	bpf_link__destroy(*link);
}

static void free_btf(struct btf **btf)
{
	btf__free(*btf);
}

static int join(char *path, const char *dir, const char *name)
{
	if (snprintf(path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
		return qs_fail(ENAMETOOLONG, "%s/%s is too long", dir, name);
	return 0;
}

/* What is pinned there, or a negative errno. */
static int pinned(const char *dir, const char *name)
{
	char path[PATH_MAX];
	int fd;

	fd = join(path, dir, name);
	if (fd)
		return fd;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

static int pin(const char *dir, const char *name, int fd)
{
	char path[PATH_MAX];
	int err;

	err = join(path, dir, name);
	if (err)
		return err;
	if (bpf_obj_pin(fd, path))
		return qs_fail(errno, "pin %s: %s", path, strerror(errno));
	return 0;
}

/* ---- what the kernel has */

int qs_kernel_check(void)
{
	QS_AUTO(free_btf) struct btf *btf = btf__load_vmlinux_btf();

	if (!btf)
		return qs_fail(EOPNOTSUPP, "this kernel does not describe its "
					   "types (CONFIG_DEBUG_INFO_BTF)");
	if (btf__find_by_name_kind(btf, "bpf_struct_ops_Qdisc_ops",
				   BTF_KIND_STRUCT) < 0 ||
	    btf__find_by_name_kind(btf, "bpf_qdisc_skb_drop", BTF_KIND_FUNC) <
		    0)
		return qs_fail(EOPNOTSUPP,
			       "this kernel has no BPF qdiscs "
			       "(CONFIG_NET_SCH_BPF, Linux 6.16 or newer)");
	return 0;
}

/* ---- objects */

static int keep_warning(enum libbpf_print_level level, const char *fmt,
			va_list ap)
{
	size_t n;

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(warning, sizeof(warning), fmt, ap);
	n = strcspn(warning, "\n");
	warning[n] = 0;
	return 0;
}

/*
 * libbpf would map the arena over whatever is at its address, and leave it
 * there: so it is made here.
 */
static int create_arena(struct bpf_map *map)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts,
		    .map_flags = bpf_map__map_flags(map),
		    .map_extra = bpf_map__map_extra(map));
	int fd;

	fd = bpf_map_create(MAP_TYPE_ARENA, bpf_map__name(map), 0, 0,
			    bpf_map__max_entries(map), &opts);
	return fd < 0 ? -errno : fd;
}

/* Maps that are pinned are used again. */
static int reuse_map(const char *dir, struct bpf_map *map)
{
	QS_AUTO_FD int fd = pinned(dir, bpf_map__name(map));

	if (fd == -ENOENT && bpf_map__type(map) == MAP_TYPE_ARENA)
		fd = create_arena(map);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	return bpf_map__reuse_fd(map, fd);
}

static int is_shared(const struct bpf_map *map)
{
	return !bpf_map__is_internal(map) &&
	       bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS;
}

static int pin_map(const char *dir, const struct bpf_map *map)
{
	QS_AUTO_FD int fd = pinned(dir, bpf_map__name(map));

	if (fd >= 0)
		return 0;
	return pin(dir, bpf_map__name(map), bpf_map__fd(map));
}

static int load_fail(int err, const char *name)
{
	if (err == -EPERM || err == -EACCES)
		err = -EPERM;
	return qs_fail(-err, "cannot load the BPF object \"%s\": %s%s%s", name,
		       strerror(-err), *warning ? ": " : "", warning);
}

static int load_maps_and_programs(const char *dir, struct bpf_object *obj)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, obj)
	{
		if (is_shared(map))
			err = reuse_map(dir, map);
		if (err)
			return err;
	}
	return bpf_object__load(obj);
}

/* Loads an object on top of what is pinned in dir, and pins its maps. */
static int load(const char *dir, const char *name, const void *bytes,
		const void *end, struct bpf_object **to)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name);
	QS_AUTO(close_object) struct bpf_object *obj = NULL;
	libbpf_print_fn_t print;
	struct bpf_map *map;
	int err;

	warning[0] = 0;
	print = libbpf_set_print(keep_warning);
	obj = bpf_object__open_mem(
		bytes, (const char *)end - (const char *)bytes, &opts);
	err = obj ? load_maps_and_programs(dir, obj) : -errno;
	libbpf_set_print(print);
	if (err)
		return load_fail(err, name);
	bpf_object__for_each_map(map, obj)
	{
		if (is_shared(map))
			err = pin_map(dir, map);
		if (err)
			return err;
	}
	*to = obj;
	obj = NULL;
	return 0;
}

/* ---- the shared part */

/* Its links are pinned by the programs' names. */
static int attach_program(const char *dir, struct bpf_program *prog, int cgroup)
{
	QS_AUTO(destroy_link) struct bpf_link *link = NULL;
	const char *name = bpf_program__name(prog);
	char pin_name[64];

	if (cgroup >= 0)
		link = bpf_program__attach_cgroup(prog, cgroup);
	else
		link = bpf_program__attach(prog);
	if (!link)
		return qs_fail(errno, "attach %s to %s: %s", name,
			       cgroup >= 0 ? "the cgroup" : "the kernel",
			       strerror(errno));
	snprintf(pin_name, sizeof(pin_name), "link_%s", name + strlen("qs_"));
	return pin(dir, pin_name, bpf_link__fd(link));
}

static int attach_manager(const char *dir, int cgroup, __u32 engine)
{
	QS_AUTO(close_object) struct bpf_object *obj = NULL;
	struct bpf_program *prog;
	int err;

	if (engine == QOS_ENGINE_BANDS)
		err = load(dir, "manager", qs_object_manager_bands,
			   qs_object_manager_bands_end, &obj);
	else
		err = load(dir, "manager", qs_object_manager,
			   qs_object_manager_end, &obj);
	if (err)
		return err;
	bpf_object__for_each_program(prog, obj)
	{
		err = attach_program(dir, prog, cgroup);
		if (err)
			return err;
	}
	return 0;
}

/* The bands engine's eye on what leaves. */
static int attach_departed(const char *dir)
{
	QS_AUTO(close_object) struct bpf_object *obj = NULL;
	int err;

	err = load(dir, "departed", qs_object_departed_bands,
		   qs_object_departed_bands_end, &obj);
	if (err)
		return err;
	return attach_program(
		dir, bpf_object__find_program_by_name(obj, "qs_departed"), -1);
}

/* Pins the classifier of an object as "prog_NAME". */
static int load_classifier(const char *dir, const char *name, const void *bytes,
			   const void *end)
{
	QS_AUTO(close_object) struct bpf_object *obj = NULL;
	struct bpf_program *prog;
	char pin_name[64];
	int err;

	err = load(dir, name, bytes, end, &obj);
	if (err)
		return err;
	snprintf(pin_name, sizeof(pin_name), "prog_%s", name);
	prog = bpf_object__find_program_by_name(obj, "qs_classify");
	return pin(dir, pin_name, bpf_program__fd(prog));
}

static void meta_now(struct qs_meta *meta)
{
	memset(meta, 0, sizeof(*meta));
	meta->magic = QS_ABI_MAGIC;
	meta->version = QS_ABI_VERSION;
	meta->dev_size = sizeof(struct qs_dev);
	meta->stream_size = sizeof(struct qs_stream);
	meta->core_size = sizeof(struct qs_core);
	meta->slot_size = sizeof(struct qs_slot);
}

static int write_meta(const char *dir, int cgroup, __u32 engine)
{
	QS_AUTO_FD int fd = pinned(dir, "qs_meta");
	struct qs_meta meta;
	__u32 zero = 0;
	struct stat st;

	meta_now(&meta);
	if (fstat(cgroup, &st))
		return qs_fail(errno, "the cgroup: %s", strerror(errno));
	meta.cgroup_id = st.st_ino;
	meta.engine = engine;
	if (fd < 0 || bpf_map_update_elem(fd, &zero, &meta, BPF_ANY))
		return qs_fail(errno, "qs_meta: %s", strerror(errno));
	return 0;
}

static int build(const char *dir, int cgroup, __u32 engine)
{
	int err;

	err = attach_manager(dir, cgroup, engine);
	if (!err && engine == QOS_ENGINE_BANDS)
		err = attach_departed(dir);
	else if (!err)
		err = load_classifier(dir, "classifier", qs_object_classifier,
				      qs_object_classifier_end);
	if (!err)
		err = write_meta(dir, cgroup, engine);
	return err;
}

/*
 * Links are detached by hand: one that is only unlinked goes some time later,
 * and the next init would meet it.
 */
static void unpin(int dir, const char *path, const char *name)
{
	QS_AUTO_FD int fd = pinned(path, name);

	if (fd >= 0)
		bpf_link_detach(fd);
	unlinkat(dir, name, 0);
}

static void remove_dir(const char *path)
{
	struct dirent *e;
	DIR *dir;

	dir = opendir(path);
	if (!dir)
		return;
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.')
			unpin(dirfd(dir), path, e->d_name);
	closedir(dir);
	rmdir(path);
}

int qs_system_create(struct qs_system *sys, int cgroup, __u32 engine)
{
	char path[PATH_MAX];
	int err;

	err = join(path, sys->bpffs, QS_NEW_DIR);
	if (err)
		return err;
	err = qs_private_dir(path);
	if (err && err != -ENOENT)
		return err;
	remove_dir(path);
	if (mkdir(path, 0700))
		return qs_fail(errno, "mkdir %s: %s", path, strerror(errno));
	err = build(path, cgroup, engine);
	if (!err && rename(path, sys->dir))
		err = qs_fail(errno, "rename %s: %s", path, strerror(errno));
	if (err) {
		remove_dir(path);
		return err;
	}
	return qs_system_open(sys);
}

void qs_system_remove(struct qs_system *sys)
{
	char path[PATH_MAX];

	if (join(path, sys->bpffs, QS_NEW_DIR))
		return;
	if (!qs_private_dir(path))
		remove_dir(path);
	if (!rename(sys->dir, path))
		remove_dir(path);
}

/* Another version's map may have another size: the first words say it all. */
static int read_meta(struct qs_system *sys)
{
	QS_AUTO_FD int fd = pinned(sys->dir, "qs_meta");
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info), zero = 0;
	struct qs_meta now;
	int err = qs_private_dir(sys->dir);

	if (err && err != -ENOENT)
		return err;
	if (fd == -ENOENT || err)
		return qs_fail(ENOENT, "nothing is initialised here");
	if (fd < 0)
		return qs_fail(fd == -EACCES ? EPERM : -fd, "%s/qs_meta: %s",
			       sys->dir, strerror(-fd));
	meta_now(&now);
	if (!bpf_map_get_info_by_fd(fd, &info, &len) &&
	    info.value_size == sizeof(sys->meta) &&
	    !bpf_map_lookup_elem(fd, &zero, &sys->meta) &&
	    !memcmp(&sys->meta, &now, offsetof(struct qs_meta, cgroup_id)))
		return 0;
	return qs_fail(EPROTONOSUPPORT,
		       "%s was made by another version of "
		       "QSockets: run \"qsock fini all\" first",
		       sys->dir);
}

static int damaged(const struct qs_system *sys)
{
	return qs_fail(EPROTONOSUPPORT,
		       "%s is damaged: run \"qsock fini all\" first", sys->dir);
}

int qs_system_open(struct qs_system *sys)
{
	int err;

	err = read_meta(sys);
	if (err)
		return err;
	sys->devs = pinned(sys->dir, "qs_devs");
	sys->names = pinned(sys->dir, "qs_names");
	sys->ifs = pinned(sys->dir, "qs_ifs");
	if (sys->meta.engine == QOS_ENGINE_BANDS)
		sys->cores = pinned(sys->dir, "qs_cores");
	else
		sys->arena = pinned(sys->dir, "qs_arena");
	if (sys->devs >= 0 && sys->names >= 0 && sys->ifs >= 0 &&
	    (sys->arena >= 0 || sys->cores >= 0))
		return 0;
	return damaged(sys);
}

void qs_system_close(struct qs_system *sys)
{
	qs_close(&sys->devs);
	qs_close(&sys->names);
	qs_close(&sys->ifs);
	qs_close(&sys->arena);
	qs_close(&sys->cores);
	qs_system_unlock(sys);
}

/* ---- a scheduler's qdisc kind, or classifier */

static int load_qdisc(struct qs_system *sys, const struct qs_sched *sched,
		      const char *name)
{
	QS_AUTO(close_object) struct bpf_object *obj = NULL;
	QS_AUTO(destroy_link) struct bpf_link *link = NULL;
	struct bpf_map *ops;
	int err;

	err = load(sys->dir, sched->name, sched->object, sched->object_end,
		   &obj);
	if (err)
		return err;
	ops = bpf_object__find_map_by_name(obj, "qs_qdisc_ops");
	link = bpf_map__attach_struct_ops(ops);
	if (!link && errno == EEXIST)
		return qs_fail(EBUSY,
			       "the qdisc kind \"%s\" is registered by "
			       "someone else: unload that first",
			       sched->name);
	if (!link)
		return qs_fail(errno, "register the qdisc kind \"%s\": %s",
			       sched->name, strerror(errno));
	return pin(sys->dir, name, bpf_link__fd(link));
}

int qs_sched_load(struct qs_system *sys, const struct qs_sched *sched)
{
	int bands = sys->meta.engine == QOS_ENGINE_BANDS, fd;
	char name[32];

	snprintf(name, sizeof(name), "%s_%s", bands ? "prog" : "qdisc",
		 sched->name);
	fd = pinned(sys->dir, name);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (bands)
		return load_classifier(sys->dir, sched->name,
				       sched->bands_object,
				       sched->bands_object_end);
	return load_qdisc(sys, sched, name);
}

/* ---- what each device has a map of, in a map of maps */

static int create_inner(int template, __u32 n)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	struct bpf_map_info info = { 0 };
	QS_AUTO_FD int btf = -1;
	__u32 len = sizeof(info);
	int fd;

	if (bpf_map_get_info_by_fd(template, &info, &len))
		return -errno;
	btf = bpf_btf_get_fd_by_id(info.btf_id);
	if (btf < 0)
		return -errno;
	opts.btf_fd = btf;
	opts.btf_key_type_id = info.btf_key_type_id;
	opts.btf_value_type_id = info.btf_value_type_id;
	opts.map_flags = info.map_flags;
	fd = bpf_map_create(info.type, "qs_inner", info.key_size,
			    info.value_size, n, &opts);
	return fd < 0 ? -errno : fd;
}

int qs_inner_create(const struct qs_system *sys, const char *name, __u32 n,
		    int *inner)
{
	QS_AUTO_FD int template = -1;
	char template_name[64];
	int fd;

	snprintf(template_name, sizeof(template_name), "%s_template", name);
	template = pinned(sys->dir, template_name);
	if (template <0)
		return damaged(sys);
	fd = create_inner(template, n);
	if (fd < 0)
		return qs_fail(-fd, "%s: no room for %u: %s", name, n,
			       strerror(-fd));
	*inner = fd;
	return 0;
}

int qs_inner_put(const struct qs_system *sys, const char *name, __u32 index,
		 int inner)
{
	QS_AUTO_FD int outer = pinned(sys->dir, name);

	if (outer < 0)
		return damaged(sys);
	if (bpf_map_update_elem(outer, &index, &inner, BPF_ANY))
		return qs_fail(errno, "%s: %s", name, strerror(errno));
	return 0;
}

int qs_inner_get(const struct qs_system *sys, const char *name, __u32 index,
		 int *inner)
{
	QS_AUTO_FD int outer = pinned(sys->dir, name);
	__u32 id;
	int fd;

	if (outer < 0)
		return damaged(sys);
	fd = bpf_map_lookup_elem(outer, &index, &id) ? -1 :
						       bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return qs_fail(errno, "%s: %s", name, strerror(errno));
	*inner = fd;
	return 0;
}

void qs_inner_delete(const struct qs_system *sys, const char *name, __u32 index)
{
	QS_AUTO_FD int outer = pinned(sys->dir, name);

	if (outer >= 0)
		bpf_map_delete_elem(outer, &index);
}

int qs_slots_create(struct qs_system *sys, __u32 index, __u32 packets)
{
	QS_AUTO_FD int inner = -1;
	int err;

	err = qs_inner_create(sys, "qs_slots", packets, &inner);
	if (!err)
		err = qs_inner_put(sys, "qs_slots", index, inner);
	return err;
}

/* ---- the classifier on a device */

static void classifier_name(const struct qs_dev *dev, char *name, size_t size)
{
	snprintf(name, size, "classifier_%llu_%u",
		 (unsigned long long)dev->netns, dev->ifindex);
}

/* Before all others, for one of those could end the chain. */
static int attach_tcx(struct qs_system *sys, const struct qs_dev *dev, int prog)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = F_BEFORE);
	QS_AUTO_FD int link = -1;
	char name[64];

	link = bpf_link_create(prog, dev->ifindex,
			       (enum bpf_attach_type)TCX_EGRESS, &opts);
	if (link < 0)
		return qs_fail(errno, "attach the classifier to %s: %s",
			       dev->name, strerror(errno));
	classifier_name(dev, name, sizeof(name));
	return pin(sys->dir, name, link);
}

/* A filter is only seen from its own network namespace. */
static int is_here(const struct qs_dev *dev)
{
	__u64 netns;

	return !qs_netns_cookie(&netns) && netns == dev->netns;
}

/* Without tcx (before Linux 6.6), which says EINVAL, it is a filter. */
int qs_classifier_attach(struct qs_system *sys, const struct qs_dev *dev)
{
	QS_AUTO_FD int prog = -1;
	char name[64];
	int err;

	snprintf(name, sizeof(name), "prog_%s",
		 dev->engine == QOS_ENGINE_BANDS ? dev->sched_name :
						   "classifier");
	prog = pinned(sys->dir, name);
	if (prog < 0)
		return damaged(sys);
	err = attach_tcx(sys, dev, prog);
	return err == -EINVAL ? qs_clsact_attach(dev->ifindex, prog) : err;
}

void qs_classifier_detach(struct qs_system *sys, const struct qs_dev *dev)
{
	QS_AUTO_FD int dir = open(sys->dir, O_RDONLY | O_CLOEXEC);
	QS_AUTO_FD int link = -1;
	char name[64];

	classifier_name(dev, name, sizeof(name));
	link = pinned(sys->dir, name);
	if (link >= 0 && dir >= 0)
		unpin(dir, sys->dir, name);
	else if (is_here(dev))
		qs_clsact_detach(dev->ifindex);
}

/* The link of a device that has gone is on number 0. */
int qs_classifier_alive(struct qs_system *sys, const struct qs_dev *dev)
{
	struct link_info info = { 0 };
	QS_AUTO_FD int link = -1;
	__u32 len = sizeof(info);
	char name[64];

	classifier_name(dev, name, sizeof(name));
	link = pinned(sys->dir, name);
	if (link < 0) /* what cannot be seen is taken for alive */
		return !is_here(dev) || qs_clsact_alive(dev->ifindex) > 0;
	return !bpf_link_get_info_by_fd(link, (struct bpf_link_info *)&info,
					&len) &&
	       info.ifindex == dev->ifindex;
}
