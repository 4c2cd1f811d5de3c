/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * What a stream and its device say of a socket: the same to qinfo(), for which
 * the manager asks, and to "qsock show".
 */
#ifndef QS_COMMON_INFO_H
#define QS_COMMON_INFO_H

#include "admit.h"
#include "quantile.h"

/* What schedules the device's packets now. */
QS_INLINE __u32 qs_engine(const struct qs_dev *dev)
{
	return dev->qdisc == QS_QDISC_ON ? dev->engine : QOS_ENGINE_NONE;
}

QS_INLINE void qs_info_device(struct qos_info *o, const struct qs_dev *dev,
			      qs_core_t *c)
{
	o->engine = qs_engine(dev);
	o->exact = o->engine == QOS_ENGINE_KERNEL;
	if (qs_promise_void(dev->sched, c))
		o->state |= QOS_STATE_NO_PROMISE;
	__builtin_memcpy(o->dev, dev->name, sizeof(o->dev));
	__builtin_memcpy(o->name, dev->sched_name, sizeof(o->name));
	o->device_rate = dev->rate;
	o->device_reserved = c->reserved;
	o->device_guarantee = dev->guarantee;
}

/* What the manager writes. */
QS_INLINE void qs_info_asked(struct qos_info *o, const qs_stream_t *s)
{
	o->oln = s->attr.oln;
	o->old = s->attr.old;
	o->ipg = s->attr.ipg;
	o->stream_flags = s->attr.flags;
	o->cur_oln = o->oln;
	o->cur_old = o->old;
	o->reserved = s->reserved;
	o->unit_bytes = s->unit_bytes;
}

/* What the qdisc writes. */
QS_INLINE void qs_info_counted(struct qos_info *o, const qs_stream_t *s)
{
	o->cur_oln = s->cur_oln;
	o->cur_old = s->cur_old;
	o->backlog_packets = s->packets;
	o->backlog_units = s->units;
	o->backlog_bytes = s->bytes;
	o->sent_units = s->sent_units;
	o->sent_packets = QS_READ(s->sent_packets);
	o->sent_bytes = s->sent_bytes;
	o->late_units = s->late_units;
	o->dropped_late = s->dropped_late;
	o->dropped_frame = s->dropped_frame;
	o->dropped_overflow = s->dropped_overflow;
	o->violations = s->violations;
	o->delay_last_ns = s->delay_last;
	o->delay_max_ns = s->delay_max;
	if (o->sent_packets)
		o->delay_mean_ns = s->delay_sum / o->sent_packets;
	qs_quantiles(s, o);
}

/* `o` is zeroed; `gen` is the attachment that is asked about. */
QS_INLINE void qs_info_fill(struct qos_info *o, const struct qs_dev *dev,
			    qs_core_t *c, const qs_stream_t *s, __u32 gen)
{
	o->state = QOS_STATE_ATTACHED;
	qs_info_device(o, dev, c);
	qs_info_asked(o, s);
	if (s->gen_seen == gen) /* else nothing was queued yet */
		qs_info_counted(o, s);
}

#endif
