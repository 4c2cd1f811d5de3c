/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the programs use of the kernel, and how kernels differ: the few types
 * (relocated at load time), kfuncs and constants that the headers of the
 * machine that builds may not have yet.
 */
#ifndef QS_KERNEL_BPF_H
#define QS_KERNEL_BPF_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define QS_TCX_NEXT (-1) /* also cls_bpf's "go on" */
#define QS_TCX_DROP 2 /* also TC_ACT_SHOT */
#define QS_AF_INET 2
#define QS_AF_INET6 10
#define QS_SOCK_STREAM 1
#define QS_SOCK_RAW 3
#define QS_IPPROTO_ICMP 1
#define QS_IPPROTO_TCP 6
#define QS_IPPROTO_UDP 17
#define QS_IPPROTO_ICMPV6 58
#define QS_IPPROTO_UDPLITE 136
#define QS_NETREG_REGISTERED 1
#define QS_TC_H_ROOT 0xffffffffu
#define QS_NET_XMIT_SUCCESS 0
#define QS_NET_XMIT_DROP 1

#define QS_EPERM 1
#define QS_EAGAIN 11
#define QS_ENOMEM 12
#define QS_EBUSY 16
#define QS_ENODEV 19
#define QS_EINVAL 22
#define QS_ENOSPC 28
#define QS_EDOM 33
#define QS_ENODATA 61
#define QS_EPROTOTYPE 91
#define QS_ENOPROTOOPT 92
#define QS_EPROTONOSUPPORT 93
#define QS_EOPNOTSUPP 95
#define QS_EAFNOSUPPORT 97
#define QS_ENOBUFS 105
#define QS_ENOTCONN 107
#define QS_EALREADY 114
#define QS_EINPROGRESS 115

#pragma clang attribute push(__attribute__((preserve_access_index)), \
			     apply_to = record)

struct net {
	__u64 net_cookie;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	int ifindex;
	__u8 reg_state;
	possible_net_t nd_net;
};

struct netdev_queue {
	struct net_device *dev;
};

struct qdisc_skb_head {
	__u32 qlen;
};

struct gnet_stats_queue {
	__u32 qlen;
	__u32 backlog;
	__u32 drops;
	__u32 requeues;
	__u32 overlimits;
};

typedef struct {
	long v;
} u64_stats_t;

struct gnet_stats_basic_sync {
	u64_stats_t bytes;
};

struct Qdisc {
	__u32 limit;
	__u32 handle;
	__u32 parent;
	struct netdev_queue *dev_queue;
	struct qdisc_skb_head q;
	struct gnet_stats_basic_sync bstats;
	struct gnet_stats_queue qstats;
};

struct qdisc_skb_cb {
	unsigned int pkt_len;
	unsigned char data[20];
};

struct sk_buff {
	struct sk_buff *next;
	char cb[48];
	__u32 len;
	__u32 priority;
};

struct bpf_sk_buff_ptr {
	struct sk_buff *skb;
};

typedef struct {
	int counter;
} atomic_t;

typedef struct refcount_struct {
	atomic_t refs;
} refcount_t;

struct inode {
	unsigned long i_ino;
};

struct socket {
	short state;
};

struct socket_alloc {
	struct socket socket; /* the first member */
	struct inode vfs_inode;
};

struct sock {
	refcount_t sk_wmem_alloc;
	int sk_wmem_queued;
	int sk_sndbuf;
	struct socket *sk_socket;
};

struct tcp_sock {
	__u32 srtt_us; /* eighths of a us */
	__u32 snd_cwnd;
	__u32 mss_cache;
	__u32 snd_wnd;
	__u32 write_seq;
	__u32 snd_nxt;
	__u32 snd_una;
	__u64 bytes_acked;
};

#pragma clang attribute pop

struct nlattr;
struct netlink_ext_ack;

/* What struct_ops fills in by name; members that we do not set are left out. */
struct Qdisc_ops {
	char id[16];
	int (*enqueue)(struct sk_buff *skb, struct Qdisc *sch,
		       struct sk_buff **to_free);
	struct sk_buff *(*dequeue)(struct Qdisc *sch);
	int (*init)(struct Qdisc *sch, struct nlattr *arg,
		    struct netlink_ext_ack *extack);
	void (*reset)(struct Qdisc *sch);
	void (*destroy)(struct Qdisc *sch);
};

extern void bpf_kfree_skb(struct sk_buff *p) __ksym __weak;
extern void bpf_qdisc_skb_drop(struct sk_buff *p,
			       struct bpf_sk_buff_ptr *to_free) __ksym __weak;
extern void bpf_qdisc_watchdog_schedule(struct Qdisc *sch, __u64 expire,
					__u64 delta_ns) __ksym __weak;
extern void bpf_qdisc_bstats_update(struct Qdisc *sch,
				    const struct sk_buff *skb) __ksym __weak;
extern __u32 bpf_skb_get_hash(struct sk_buff *p) __ksym __weak;
/* Linux 6.2. */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

/* Where it is, as a number: what a program reads of its own stack is none. */
static __always_inline void *qs_kernel_address(const void *p)
{
	void *address = NULL;

	bpf_probe_read_kernel(&address, sizeof(address), &p);
	return address;
}

/* A kernel's object, of a type that is declared above. */
#define QS_KERNEL_CAST(p, type)                                               \
	((type *)(bpf_ksym_exists(bpf_rdonly_cast) ?                          \
			  bpf_rdonly_cast(p, bpf_core_type_id_kernel(type)) : \
			  qs_kernel_address(p)))
/* A member, 0 where the kernel has none such. */
#define QS_KERNEL_READ(p, member)                                             \
	({                                                                    \
		__typeof__((p)->member + 0) is = 0;                           \
		if (bpf_core_field_exists((p)->member)) {                     \
			if (bpf_ksym_exists(bpf_rdonly_cast))                 \
				is = (p)->member;                             \
			else                                                  \
				bpf_core_read(&is, sizeof(is), &(p)->member); \
		}                                                             \
		is;                                                           \
	})

#endif
