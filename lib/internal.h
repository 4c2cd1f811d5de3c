/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library's files share. Functions return 0 or a negative errno and
 * leave a sentence for qsock_errmsg(); outputs are untouched on failure. The
 * command links the static library and uses some of it too.
 */
#ifndef QS_LIB_INTERNAL_H
#define QS_LIB_INTERNAL_H

#include <linux/limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include <qsockets.h>
#include <qsockets/sched.h>

#define QS_PUBLIC __attribute__((visibility("default")))

/* Not a cancellation point, or the descriptor would stay. */
static inline void qs_close(const int *fd)
{
	int cancel;

	if (*fd < 0)
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	close(*fd);
	pthread_setcancelstate(cancel, NULL);
}

/* The one cleanup idiom: what a function owns goes when it returns. */
#define QS_AUTO(release) __attribute__((cleanup(release)))
#define QS_AUTO_FD QS_AUTO(qs_close)

/* ---- grow.c */

/*
 * Copies a caller's struct of `size` bytes, of which `least` have to be there, to
 * one of which `known` are known. E2BIG: it has others that are not 0.
 */
int qs_grow(void *to, size_t known, const void *from, size_t size, size_t least,
	    const char *name);

/* ---- quiet.c */

/*
 * What an administrative call does must not be cut short: no handler runs in
 * this thread, and nobody cancels it, until qs_quiet_end(). Signals that ask a
 * program to end, and those of its own faults, still arrive.
 */
struct qs_quiet {
	sigset_t mask;
	int cancel;
};

void qs_quiet_begin(struct qs_quiet *quiet);
void qs_quiet_end(struct qs_quiet *quiet);

/* ---- errmsg.c */

/* Sets the thread's sentence and returns -err. */
int qs_fail(int err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), cold));

/* What a public call returns: -1 with errno for a negative errno. */
int qs_return(int ret);

/* ---- memory.c */

/* True if all n bytes can be read. */
bool qs_readable(const void *p, size_t n);

/* ---- admit.c */

/* Was it for what is to be reserved, on `dev` or what fd is attached to? 0: no. */
int qs_admission_fail(int fd, int err, const char *dev);

/* Why: EAGAIN, with what is known of it, EDOM or ENODATA, as abi.h has them. */
int qs_admission_say(int fd, int err, const char *dev,
		     const struct qs_admission *a);

/* ---- watch.c */

int qs_watch_fail(int fd, int err, const struct qos_watch *w);

/* Nobody watches fd. */
int qs_watch_none(int fd);

/* ---- sched.c */

/* A scheduler's core, by functions; schedulers/common/ops.h makes it. */
struct qs_core_ops {
	/* Makes a core, laid out and with its settings, ready for use. */
	void (*init)(struct qs_core *core, __u32 gen);
	/* Empties every queue; the caller has the packets. */
	void (*reset)(struct qs_core *core);
	/* May the stream queue another packet? */
	int (*has_room)(struct qs_core *core, __u32 stream);
	/* Gives up a unit for a packet with such flags; 0: there is none. */
	int (*give_way)(struct qs_core *core, __u32 stream, __u32 flags,
			__u64 now);
	/* Is all that is queued a frame that is still being built? */
	int (*frame_alone)(struct qs_core *core, __u32 stream);
	/* There is no room for this packet of a stream that has some. */
	void (*refuse)(struct qs_core *core, const struct qs_packet *p,
		       __u64 now);
	/* The slot, or QS_REFUSED_*. */
	int (*enqueue)(struct qs_core *core, const struct qs_packet *p,
		       __u64 now);
	/* QS_DEQ_*. */
	__u64 (*dequeue)(struct qs_core *core, __u64 now);
	/*
	 * Both at once, of a packet that has nothing to wait for: QS_DEQ_SEND
	 * or QS_DEQ_DROP, with its slot. 0: it has, and nothing was changed.
	 */
	__u64 (*pass)(struct qs_core *core, const struct qs_packet *p,
		      __u64 now);
	/* The stream does not compete, until it is resumed. */
	void (*hold)(struct qs_core *core, __u32 stream);
	void (*resume)(struct qs_core *core, __u32 stream, __u64 now);
};

/* A scheduler as the library knows it; schedulers/NAME/attr.c has one. */
struct qs_sched {
	const char *name; /* also the folder's and the qdisc's kind */
	enum qs_scheduler id;
	/* Checks the attributes and packs them; NULL is the defaults. */
	int (*pack)(const void *attributes, struct qs_attach *opt);
	const struct qs_core_ops *ops;
	/* The BPF objects: the qdisc, and the bands engine's classifier. */
	const void *object, *object_end;
	const void *bands_object, *bands_object_end;
};

extern const struct qs_sched qs_dwcs_sched, qs_vds_sched;

/* Their attributes are the same. */
int qs_dwcs_pack(const void *attributes, struct qs_attach *opt);

/* NULL: there is none of that name. */
const struct qs_sched *qs_sched_find(const char *name);

/* Checks dev and name of params, which are neither NULL nor too long. */
int qs_params_check(const struct qos_params *params);

/* ---- calls.c: why a call at SOL_QSOCKETS failed */

/* An IP socket? Else the error that says what it is. */
int qs_fd_check(int fd);

/* qattach() where the process's own engine is of no use: the socket is another's. */
int qs_attach_managed(int fd, const struct qos_params *params);

/* Of a call that needs an attached socket. */
int qs_attached_fail(int fd, int err);

/* ---- mark.c: messages on TCP */

/*
 * sendmsg() of a message whose bytes have these bits, on an attached TCP
 * socket. 0: *n and errno are the call's. -EPROTOTYPE: it is attached, and not
 * TCP. Else the bits can have no effect, and nothing was sent.
 */
int qs_mark_send(int fd, const struct msghdr *msg, int flags, __u64 bits,
		 ssize_t *n);
size_t qs_message_len(const struct msghdr *msg);

/* ---- path.c */

/* Where the BPF file system is, mounted if it is not; `path` is PATH_MAX. */
int qs_bpffs_path(char *path, int mount_it);

/* The directory of a cgroup v2, "" for the root. */
int qs_cgroup_open(const char *cgroup);

/* The path of a cgroup v2, from its mount's root on; -Exxx: it is gone or cannot be seen. */
int qs_cgroup_path(__u64 id, char path[PATH_MAX]);

/* ---- netlink.c */

struct qs_link {
	__u32 mtu;
	__u32 gso_max_size, gso_max_segs;
};

struct qs_qdisc {
	char kind[16]; /* empty: none, or not one that can be seen */
	__u32 handle; /* 0: the kernel's default */
};

int qs_link_get(int ifindex, struct qs_link *link);
int qs_link_set_gso(int ifindex, __u32 size, __u32 segs);
int qs_qdisc_get(int ifindex, struct qs_qdisc *root);
int qs_qdisc_add(int ifindex, const char *kind);
int qs_qdisc_del(int ifindex);

/* All devices of this namespace that have a root qdisc of our handle. */
int qs_qdisc_del_all(void);

/* Of the calling thread's network namespace. */
int qs_netns_cookie(__u64 *cookie);

#define QS_QDISC_HANDLE ((__u32)QS_SOL_QSOCKETS << 16)

/* ---- htb.c: the qdisc of the bands, on kernels without BPF qdiscs */

struct qs_htb {
	int ifindex;
	__u64 rate; /* bit/s, 0: not shaped */
	__u32 burst, overhead, mtu; /* burst 0: what a late timer needs */
	__u32 packets; /* that a band may queue */
};

/* -EEXIST: another qdisc is at the root. Else a failure leaves none there. */
int qs_htb_add(const struct qs_htb *htb);

/* Is it at the root, with all of its classes? */
int qs_htb_intact(int ifindex);

/* ---- clsact.c: the classifier, on kernels without tcx */

/*
 * Puts the program at the device's egress, in place of one put there before. It
 * runs before the filters of others where the kernel allows that, and these
 * run after it if it returns TC_ACT_UNSPEC.
 */
int qs_clsact_attach(int ifindex, int prog_fd);

/* It may be gone already. A clsact that was made for it goes if it is empty. */
int qs_clsact_detach(int ifindex);
int qs_clsact_alive(int ifindex);

/* ---- bpf.c: what is pinned */

struct qs_system {
	int lock; /* bpffs' root; flock()ed as long as it is open */
	int devs, names, ifs; /* maps */
	int arena, cores; /* of the kernel's and of the bands engine */
	struct qs_meta meta;
	char bpffs[PATH_MAX];
	char dir[PATH_MAX]; /* the pins */
};

#define QS_SYSTEM_NONE \
	{ .lock = -1,  \
	  .devs = -1,  \
	  .names = -1, \
	  .ifs = -1,   \
	  .arena = -1, \
	  .cores = -1 }

/* Below the BPF file system's root: what is being built. */
#define QS_NEW_DIR QS_PIN_DIR "_new"

/* ---- lock.c */

/*
 * Waits for others who initialise, QS_LOCK_SECONDS at most (-EBUSY); `how` is
 * LOCK_EX or LOCK_SH. -ENOENT: the BPF file system is not mounted, and was not
 * to be.
 */
#define QS_LOCK_SECONDS 30
int qs_system_lock(struct qs_system *sys, int how, int mount_it);
void qs_system_unlock(struct qs_system *sys);

/*
 * A directory in which nobody but its owner, root or the caller, can write.
 * Anything else of that name was put there by another user, and is renamed: so
 * -ENOENT, as if it was not there.
 */
int qs_private_dir(const char *path);

/* ---- bpf.c again */

/* -ENOENT: nothing is pinned. -EPROTONOSUPPORT: another version's. */
int qs_system_open(struct qs_system *sys);
int qs_system_create(struct qs_system *sys, int cgroup, __u32 engine);
void qs_system_remove(struct qs_system *sys);
void qs_system_close(struct qs_system *sys);

/* Does this kernel have BPF qdiscs? */
int qs_kernel_check(void);

/* ---- engine.c */

/* Of QSOCKETS_ENGINE: the kernel or the bands, but never the process's own. */
#define QS_ENGINE_MANAGED 0xff
/* What it says: enum qos_engine or QS_ENGINE_MANAGED, NONE without it, or -Exxx. */
int qs_engine_forced(void);

/* The engine that is to serve devices, or -Exxx. */
int qs_engine_choose(__u32 forced, const struct qs_system *sys);

const char *qs_engine_name(__u32 engine);

/* ---- bpf.c again */

/*
 * Registers the scheduler's qdisc kind, or loads its classifier, unless that was
 * done before.
 */
int qs_sched_load(struct qs_system *sys, const struct qs_sched *sched);

/* A device's own map in the map of maps `name`, made by "NAME_template". */
int qs_inner_create(const struct qs_system *sys, const char *name, __u32 n,
		    int *inner);
int qs_inner_put(const struct qs_system *sys, const char *name, __u32 index,
		 int inner);
int qs_inner_get(const struct qs_system *sys, const char *name, __u32 index,
		 int *inner);
void qs_inner_delete(const struct qs_system *sys, const char *name,
		     __u32 index);

/* The room for a device's packets in the qdiscs' map. */
int qs_slots_create(struct qs_system *sys, __u32 index, __u32 packets);

int qs_classifier_attach(struct qs_system *sys, const struct qs_dev *dev);
void qs_classifier_detach(struct qs_system *sys, const struct qs_dev *dev);

/* Is the classifier on a device that still exists? */
int qs_classifier_alive(struct qs_system *sys, const struct qs_dev *dev);

/* ---- arena.c */

/* The whole arena; only a device's window may be touched. */
int qs_arena_map(int arena, int prot);
void qs_arena_unmap(void);

static inline struct qs_core *qs_arena_core(__u32 index)
{
	return (struct qs_core *)(QS_ARENA_BASE +
				  ((__u64)index << QS_WINDOW_SHIFT));
}

/*
 * How far the wire may be behind the rate and catch up, ns: the burst, or a
 * packet's time, and what timers are late at least.
 */
__u64 qs_slack(__u64 rate, __u32 burst, __u32 packet);

/* The bytes that a core needs; more than a window: it cannot be. */
__u64 qs_core_size(__u32 packets, __u32 streams);

/* Lays a core out in so many bytes, and initialises it. */
void qs_core_prepare(struct qs_core *core, const struct qs_sched *sched,
		     const struct qs_dev *dev, __u32 mtu);

/* The same of device `index`. */
int qs_core_setup(int arena, __u32 index, const struct qs_sched *sched,
		  const struct qs_dev *dev, __u32 mtu);

/* ---- bands.c: a core in the bands engine's maps */

int qs_bands_setup(struct qs_system *sys, __u32 index,
		   const struct qs_sched *sched, const struct qs_dev *dev,
		   __u32 mtu);
void qs_bands_release(struct qs_system *sys, __u32 index);

/* A copy of device `index`'s core, which the caller frees. */
int qs_bands_read(const struct qs_system *sys, __u32 index,
		  struct qs_core **core);

/* ---- devices.c */

int qs_dev_read(const struct qs_system *sys, __u32 index, struct qs_dev *dev);
int qs_dev_write(const struct qs_system *sys, __u32 index,
		 const struct qs_dev *dev);

/* The device's index, by its number, else by its name; 0: not there. */
__u32 qs_dev_find(const struct qs_system *sys, __u64 netns, __u32 ifindex,
		  const char *name);

struct qs_stream_view {
	__u32 id;
	__u32 pid, uid; /* who attached it */
	__u64 inode; /* the socket's, 0 if not known */
	int closed; /* only its queue is left */
	struct qos_info info;
};

struct qs_device_view {
	struct qs_dev dev;
	__u32 attached; /* streams */
	__u32 stream_limit; /* packets that one stream may queue */
	__u32 backlog; /* packets of all kinds */
	__u32 be_backlog; /* packets of best effort */
	__u64 sent_packets, sent_bytes;
	__u64 be_sent_packets, be_sent_bytes, be_dropped;
	__u64 dropped_late, dropped_frame, dropped_overflow;
	__u64 violations;
	__u64 unseen_bytes;
	__u64 reserved; /* bit/s */
	int promise_void; /* streams of unequal periods have reserved */
	struct qs_stream_view *stream;
	__u32 streams;
};

/*
 * The devices of this network namespace, all or the one called `name`, in
 * memory that qs_devices_free() frees. -ENOENT: it was not initialised.
 */
int qs_devices_read(const char *name, struct qs_device_view **devices,
		    unsigned int *n);
void qs_devices_free(struct qs_device_view *devices, unsigned int n);

/* ---- init.c */

/* Everything but the qdisc: to measure calls on kernels that have none. */
#define QS_INIT_NO_QDISC 0x1u

/* May the caller initialise devices, and see what is pinned? */
int qs_privilege_check(void);

/* Puts in the defaults, and checks the rest. */
int qs_settings_complete(struct qos_device *d);

int qs_device_init(const struct qos_params *params,
		   const struct qos_device *device, unsigned int flags);

/* All devices of this network namespace; also what another version pinned. */
int qs_fini_all(void);

/* ---- inproc/: the in-process engine */

#define QS_INPROC_DEV "inproc"

/* Was there an attachment ever? Else none of the calls below need be asked. */
extern int qs_inproc_used;

static inline int qs_inproc_on(void)
{
	return __builtin_expect(
		__atomic_load_n(&qs_inproc_used, __ATOMIC_RELAXED), 0);
}

/* Do params, or a device's name, or the environment, ask for it? 1, 0, or -Exxx. */
int qs_inproc_wanted(const struct qos_params *params);
int qs_inproc_serves(const char *dev);

/* `device` may be NULL: all defaults. */
int qs_inproc_init(const struct qos_params *params,
		   const struct qos_device *device);

/* Gives the process's device back. */
int qs_inproc_fini(void);

/* Is the socket attached here? */
int qs_inproc_has(int fd);

int qs_inproc_attach(int fd, const struct qs_sched *sched,
		     const struct qs_attach *opt);

/* Of the others, 1 when fd is not attached here. */
int qs_inproc_detach(int fd);
int qs_inproc_change(int fd, const struct qos_params *params);
int qs_inproc_info(int fd, struct qos_info *to);
int qs_inproc_close(int fd);
int qs_inproc_shutdown(int fd, int how);
int qs_inproc_reserve(int fd, __u32 bytes);
int qs_inproc_fits(int fd, __u64 bytes, __u64 deadline, int *fits);
int qs_inproc_watch(int fd, const struct qos_watch *w, int *watch);
int qs_inproc_fates(int fd, struct qos_fate *to, unsigned int n, int *got);

/* Keeps what a socket that is not attached declares; 1: nobody asks us then. */
int qs_inproc_declare(int fd, __u32 bytes);

/* A message with its 64 bits, and its length when it was taken. */
struct qs_outgoing {
	const struct msghdr *msg;
	__u64 bits;
	ssize_t len;
};

/* Takes n messages, or as many as can be: how many, or -Exxx; 0: not ours. */
int qs_inproc_send(int fd, struct qs_outgoing *o, unsigned int n, int flags);

#endif
