// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The manager: answers setsockopt() and getsockopt() at SOL_QSOCKETS for every
 * socket of the cgroup it is attached to, and frees a socket's stream when the
 * socket goes. It runs under the socket's lock, so one socket's attachments,
 * changes and detachments are in sequence; the queues it shares with the qdisc
 * by rules that include/qsockets/sched.h states with each struct.
 */
#include "bpf/attached.bpf.h"
#include "bpf/admit.bpf.h"
#include "bpf/info.bpf.h"
#include "bpf/mark.bpf.h"

#include <qsockets/sched.h>

#include "schedulers/common/tenant.h"
#include "schedulers/dwcs/attr.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* ---- a socket's stream */

static __always_inline void write_attr(qs_stream_t *s, const struct qs_attr *a)
{
	QS_ADD_ORDERED(&s->attr_seq, 1);
	s->attr.oln = a->oln;
	s->attr.old = a->old;
	s->attr.ipg = a->ipg;
	s->attr.flags = a->flags;
	QS_ADD_ORDERED(&s->attr_seq, 1);
}

static __noinline int release_stream(struct qs_sock *ss)
{
	struct qs_dev *dev = attached_dev(ss);
	__u32 i = ss->stream;
	qs_core_t *c;

	c = qs_window(ss->dev);
	if (dev)
		admit_attached(ss, 0);
	ss->dev = 0;
	if (!dev)
		return 0;
	qs_stream_closed(c, i);
	if (QS_LIFE_REFS(__sync_fetch_and_add(&qs_stream(c, i)->life, -1ull)) !=
	    1)
		return 0; /* packets are queued: the qdisc gives it back */
	qs_stream_free(c, i);
	return 0;
}

#include "bpf/watch.bpf.h"

/* ---- options */

/*
 * Before Linux 5.18 a refused setsockopt() is EPERM whatever the reason, and
 * getsockopt() fails as it would without us.
 */
static __always_inline void set_retval(struct bpf_sockopt *ctx, int err)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_set_retval))
		bpf_set_retval(err);
	else if (!err)
		ctx->retval = 0;
}

/*
 * Of managers in cgroups within each other, the nearest to the socket is run first
 * and answers; the others see that, and say nothing.
 */
static __always_inline int is_set(const struct bpf_sockopt *ctx)
{
	return ctx->optlen < 0 ||
	       (bpf_core_enum_value_exists(enum bpf_func_id,
					   BPF_FUNC_get_retval) &&
		bpf_get_retval());
}

static __always_inline int is_got(const struct bpf_sockopt *ctx)
{
	return ctx->retval != -QS_ENOPROTOOPT && ctx->retval != -QS_EOPNOTSUPP;
}

static __always_inline int check_option(const struct qs_attach *opt,
					struct qs_attr *a)
{
	if (opt->version != QS_ABI_VERSION)
		return -QS_EINVAL;
	dwcs_attr_unpack(opt, a);
	return dwcs_attr_check(a) == DWCS_OK ? 0 : -QS_EINVAL;
}

static __always_inline struct qs_dev *find_dev(struct bpf_sockopt *ctx,
					       const struct qs_attach *opt,
					       __u32 *index)
{
	struct qs_name_key key = {};
	__u32 *i;

	key.netns = bpf_get_netns_cookie(ctx);
	__builtin_memcpy(key.name, opt->dev, sizeof(key.name));
	i = bpf_map_lookup_elem(&qs_names, &key);
	if (!i)
		return NULL;
	*index = *i;
	return qs_dev(*i);
}

/* By which qsock show finds who has the socket; 0: it cannot be read here. */
static __always_inline __u64 socket_inode(struct bpf_sock *bsk)
{
	struct sock *sk = QS_KERNEL_CAST(bsk, struct sock);
	struct socket *socket = QS_KERNEL_READ(sk, sk_socket);
	struct socket_alloc *alloc;

	alloc = QS_KERNEL_CAST(socket, struct socket_alloc);
	return QS_KERNEL_READ(alloc, vfs_inode.i_ino);
}

static __noinline int attach(struct bpf_sockopt *ctx, struct qs_attach *opt)
{
	struct bpf_sock *sk = ctx->sk;
	struct qs_sock *ss;
	struct qs_attr a;
	struct qs_dev *dev;
	qs_stream_t *s;
	qs_core_t *c;
	__u32 index = 0, i;
	int err;

	if (!sk || !opt)
		return -QS_EINVAL;
	err = check_option(opt, &a);
	if (err)
		return err;
	err = socket_check(sk);
	if (err)
		return err;
	dev = find_dev(ctx, opt, &index);
	if (!qs_dev_ready(dev))
		return -QS_EOPNOTSUPP;
	if (dev->sched != opt->sched)
		return -QS_EPROTONOSUPPORT;
	ss = bpf_sk_storage_get(&qs_socks, sk, NULL,
				BPF_SK_STORAGE_GET_F_CREATE);
	if (!ss)
		return -QS_ENOMEM;
	if (attached_dev(ss))
		return -QS_EALREADY;
	c = qs_window(index);
	i = qs_stream_alloc(c);
	if (i == QS_NIL)
		return -QS_ENOSPC;
	s = qs_stream(c, i);
	err = admit(dev, c, s, ss->unit_bytes, &a, &ss->refused);
	if (err) {
		qs_stream_free(c, i);
		return err;
	}
	write_attr(s, &a);
	s->pid = bpf_get_current_pid_tgid() >> 32;
	s->uid = bpf_get_current_uid_gid();
	s->inode = socket_inode(sk);
	ss->dev_gen = dev->gen;
	ss->stream = i;
	ss->gen = QS_LIFE_GEN(s->life) + 1;
	ss->ifindex = dev->ifindex;
	ss->rate_at = bpf_ktime_get_ns();
	ss->rate_bytes = ss->rate = 0;
	qs_tenant(s, ss->gen);
	__sync_lock_test_and_set(&s->life, QS_LIFE(ss->gen, 1)); /* ordered */
	ss->dev = index;
	return 0;
}

static __noinline int change(struct bpf_sockopt *ctx, struct qs_attach *opt)
{
	struct bpf_sock *sk = ctx->sk;
	struct qs_sock *ss;
	struct qs_attr a;
	struct qs_dev *dev;
	qs_stream_t *s;
	__u32 index = 0;
	int err;

	if (!sk || !opt)
		return -QS_EINVAL;
	err = check_option(opt, &a);
	ss = bpf_sk_storage_get(&qs_socks, sk, NULL, 0);
	if (!ss || !ss->dev)
		return -QS_ENOTCONN;
	dev = attached_dev(ss);
	if (!dev)
		return -QS_ENODEV;
	if (err)
		return err;
	if (opt->sched != QS_SCHED_NONE && opt->sched != dev->sched)
		return -QS_EINVAL;
	if (opt->dev[0] && (!find_dev(ctx, opt, &index) || index != ss->dev))
		return -QS_EINVAL;
	s = attached_stream(ss);
	err = admit(dev, qs_window(ss->dev), s, ss->unit_bytes, &a,
		    &ss->refused);
	if (!err)
		write_attr(s, &a);
	return err;
}

static __noinline int detach(struct bpf_sockopt *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct qs_sock *ss;

	if (!sk)
		return -QS_EINVAL;
	ss = bpf_sk_storage_get(&qs_socks, sk, NULL, 0);
	if (!ss || !ss->dev)
		return -QS_ENOTCONN;
	ss->unit_bytes = 0;
	return release_stream(ss);
}

static __noinline int watch_option(struct bpf_sockopt *ctx)
{
	struct qos_watch *opt = ctx->optval, copy;
	struct qs_sock *ss = NULL;

	if (ctx->optlen != sizeof(*opt) || (void *)(opt + 1) > ctx->optval_end)
		return -QS_EINVAL;
	copy = *opt;
	if (ctx->sk)
		ss = bpf_sk_storage_get(&qs_socks, ctx->sk, NULL, 0);
	if (!ss || !ss->dev)
		return -QS_ENOTCONN;
	return watch(ss, &copy);
}

static __noinline int attach_option(struct bpf_sockopt *ctx)
{
	struct qs_attach *opt = ctx->optval, copy;

	if (ctx->optlen != sizeof(*opt) || (void *)(opt + 1) > ctx->optval_end)
		return -QS_EINVAL;
	copy = *opt;
	return ctx->optname == QS_ATTACH ? attach(ctx, &copy) :
					   change(ctx, &copy);
}

static __always_inline int set_option(struct bpf_sockopt *ctx)
{
	switch (ctx->optname) {
	case QS_ATTACH:
	case QS_CHANGE:
		return attach_option(ctx);
	case QS_DETACH:
		return ctx->optlen == sizeof(__u32) ? detach(ctx) : -QS_EINVAL;
	case QS_RESERVE:
	case QS_FITS:
		return admission_set(ctx);
	case QS_WATCH:
		return watch_option(ctx);
	case QS_MARK:
		return mark_option(ctx);
	default:
		return -QS_ENOPROTOOPT;
	}
}

SEC("cgroup/setsockopt")
int qs_setsockopt(struct bpf_sockopt *ctx)
{
	int err;

	if (ctx->level != QS_SOL_QSOCKETS || is_set(ctx))
		return 1;
	qs_use_arena();
	err = set_option(ctx);
	if (err) {
		set_retval(ctx, err);
		return 0;
	}
	ctx->optlen = -1; /* done here: the kernel has no such level */
	return 1;
}

/* ---- what is asked for */

static __noinline int get_option(struct bpf_sockopt *ctx)
{
	struct qs_sock *ss = NULL;

	if (ctx->optname == QS_ADMISSION)
		return admission_get(ctx);
	if (ctx->optname != QS_INFO && ctx->optname != QS_FATES)
		return -QS_ENOPROTOOPT;
	if (ctx->sk)
		ss = bpf_sk_storage_get(&qs_socks, ctx->sk, NULL, 0);
	if (!ss || !ss->dev)
		return -QS_ENOTCONN;
	return ctx->optname == QS_INFO ? info_read(ctx, ss) : fates(ctx, ss);
}

SEC("cgroup/getsockopt")
int qs_getsockopt(struct bpf_sockopt *ctx)
{
	if (ctx->level != QS_SOL_QSOCKETS || is_got(ctx))
		return 1;
	qs_use_arena();
	set_retval(ctx, get_option(ctx));
	return 1;
}

SEC("cgroup/sock_release")
int qs_sock_release(struct bpf_sock *sk)
{
	struct qs_sock *ss = bpf_sk_storage_get(&qs_socks, sk, NULL, 0);

	qs_use_arena();
	if (ss && ss->dev)
		release_stream(ss);
	return 1;
}
