/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From a socket to its device and its stream, for the manager's parts. */
#ifndef QS_ATTACHED_BPF_H
#define QS_ATTACHED_BPF_H

#include "bpf/maps.bpf.h"
#include "schedulers/common/mem.h"

/* The socket's device while the attachment holds, else NULL. */
static __always_inline struct qs_dev *attached_dev(const struct qs_sock *ss)
{
	struct qs_dev *dev;

	if (!ss || !ss->dev)
		return NULL;
	dev = qs_dev(ss->dev);
	if (!qs_dev_ready(dev) || dev->gen != ss->dev_gen)
		return NULL;
	return dev;
}

static __always_inline qs_stream_t *attached_stream(const struct qs_sock *ss)
{
	return qs_stream(qs_window(ss->dev), ss->stream);
}

#endif
