/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * A core's functions are static; these are what the library's in-process engine
 * calls, by a table for each scheduler. All are root's, and the caller has one
 * lock for all contexts. Included after the core.
 *
 * Hold and resume are for a stream whose socket takes nothing for now: it is in
 * no tree meanwhile, so nobody waits for it, and its units are judged by the
 * time at which they can go. Enqueue and dequeue may put a stream into a tree,
 * so a held one is held again after these. That undoes nothing: a stream is held
 * just after its unit was sent, when what was found of the next one follows from
 * its arrival and its period, and so is found again.
 *
 * Pass is for who would send a packet at once if there were no queue.
 */
#ifndef QS_COMMON_OPS_H
#define QS_COMMON_OPS_H

#include "engine.h"
#include "lib/internal.h"

static void ops_init(struct qs_core *core, __u32 gen)
{
	qs_core_init(core, gen);
}

static void ops_reset(struct qs_core *core)
{
	qs_core_reset(core);
}

static int ops_has_room(struct qs_core *core, __u32 stream)
{
	const struct qs_stream *s = qs_stream(core, stream);

	if (!s->packets) /* what the last tenant left is not to be read */
		return qs_streams_have_room(core);
	return qs_has_room(core, s);
}

static int ops_give_way(struct qs_core *core, __u32 stream, __u32 flags,
			__u64 now)
{
	const struct qs_stream *s = qs_stream(core, stream);

	return s->packets &&
	       qs_give_way(core, stream, qs_packet_prio(core, s, flags), now);
}

static int ops_frame_alone(struct qs_core *core, __u32 stream)
{
	const struct qs_stream *s = qs_stream(core, stream);

	return s->packets && core->current != stream && s->open != QS_NIL &&
	       s->head == s->open;
}

static void ops_refuse(struct qs_core *core, const struct qs_packet *p,
		       __u64 now)
{
	qs_refuse(core, p->stream, p, now);
	qs_stream_settle(core, p->stream);
}

static int ops_enqueue(struct qs_core *core, const struct qs_packet *p,
		       __u64 now)
{
	return qs_enqueue(core, p, now);
}

static __u64 ops_dequeue(struct qs_core *core, __u64 now)
{
	return qs_dequeue(core, now);
}

/* Would dequeue look at nothing but a packet that comes now? */
static int ops_idle(struct qs_core *core, __u64 now)
{
	__u32 next = qs_tree_top(core, QS_TREE_WAIT);

	if (core->tree[QS_TREE_READY].len || core->tree[QS_TREE_SPARE].len ||
	    core->tree[QS_TREE_AHEAD].len)
		return 0;
	if (core->current != QS_NIL || core->doomed != QS_NIL ||
	    core->closed != QS_NIL)
		return 0;
	if (core->rate && core->free_at > now)
		return 0;
	return next == QS_NIL || qs_stream(core, next)->release > now;
}

/* Would the packet be a unit that is released at once? */
static int ops_released(struct qs_core *core, const struct qs_packet *p,
			__u64 now)
{
	const struct qs_stream *s = qs_stream(core, p->stream);

	if ((p->flags & QS_UNIT_PART) || !qs_streams_have_room(core))
		return 0;
	if (s->gen_seen != p->gen)
		return 1; /* it has no past */
	return !s->packets && !s->framed && !s->broken && s->period_next <= now;
}

static __u64 ops_pass(struct qs_core *core, const struct qs_packet *p,
		      __u64 now)
{
	if (!ops_idle(core, now) || !ops_released(core, p, now))
		return 0;
	qs_enqueue(core, p, now);
	return qs_dequeue(core, now);
}

static void ops_hold(struct qs_core *core, __u32 stream)
{
	if (qs_stream(core, stream)->packets)
		qs_tree_del(core, stream);
}

static void ops_resume(struct qs_core *core, __u32 stream, __u64 now)
{
	const struct qs_stream *s = qs_stream(core, stream);

	if (s->packets && s->tree == QS_NIL && core->current != stream)
		qs_stream_schedule(core, stream, now);
}

static const struct qs_core_ops core_ops = {
	.init = ops_init,
	.reset = ops_reset,
	.has_room = ops_has_room,
	.give_way = ops_give_way,
	.frame_alone = ops_frame_alone,
	.refuse = ops_refuse,
	.enqueue = ops_enqueue,
	.dequeue = ops_dequeue,
	.pass = ops_pass,
	.hold = ops_hold,
	.resume = ops_resume,
};

#endif
