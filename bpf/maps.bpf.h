/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The maps that all programs share; include/qsockets/abi.h says who writes
 * what. They are pinned by the names they have here.
 */
#ifndef QS_MAPS_BPF_H
#define QS_MAPS_BPF_H

#include "bpf/kernel.bpf.h"
#include <qsockets/abi.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct qs_meta);
} qs_meta SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, QS_MAX_DEVICES + 1);
	__type(key, __u32);
	__type(value, struct qs_dev);
} qs_devs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * (QS_MAX_DEVICES + 1));
	__type(key, struct qs_name_key);
	__type(value, __u32);
} qs_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, QS_MAX_DEVICES + 1);
	__type(key, struct qs_if_key);
	__type(value, __u32);
} qs_ifs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct qs_sock);
} qs_socks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct qs_marks);
} qs_marks SEC(".maps");

static __always_inline struct qs_dev *qs_dev(__u32 i)
{
	return bpf_map_lookup_elem(&qs_devs, &i);
}

static __always_inline struct qs_marked *qs_marked(struct qs_marks *m, __u32 i)
{
	return &m->mark[i % QS_MARKS];
}

/* Of sequence numbers. */
static __always_inline int qs_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

/* Raw sockets have that protocol as well. */
static __always_inline int qs_is_tcp(const struct bpf_sock *sk)
{
	return sk->type == QS_SOCK_STREAM && sk->protocol == QS_IPPROTO_TCP;
}

/* Is it initialised, and still there? */
static __always_inline int qs_dev_ready(const struct qs_dev *dev)
{
	return dev && dev->state == QS_DEV_READY && dev->qdisc != QS_QDISC_GONE;
}

#endif
