/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must become of a packet that comes. */
#ifndef QS_TESTS_FUZZ_ENQUEUE_H
#define QS_TESTS_FUZZ_ENQUEUE_H

#include "model.h"

/* What was there before a packet came. */
struct model_put {
	int full; /* the stream, or what is kept for streams */
	__u32 victim; /* the unit that gives way if there is no room */
	int sure; /* that it does */
	__u32 out; /* packets that had left */
};

/* Is the packet one of an attachment that is there, or still has packets? */
static inline int model_takes(struct model *m, const struct qs_packet *p)
{
	const struct model_stream *s = m->streams;

	if (p->stream >= m->v.core->n_streams)
		return 0;
	s += p->stream;
	return s->gen == p->gen && (s->attached || s->queued);
}

static inline void model_tenant(struct model *m, __u32 i)
{
	struct model_stream *s = &m->streams[i];

	if (s->seen == s->gen)
		return;
	m->before[i] = qs_stream(m->v.core, i)->now;
	s->seen = s->gen;
	s->framed = s->broken = 0;
	s->open = QS_NIL;
	s->sent_units = s->sent_packets = s->sent_bytes = s->late_units = 0;
	s->dropped_late = s->dropped_frame = s->dropped_overflow = 0;
	s->violations = 0;
	s->delay_sum = s->delays = 0;
	s->fates = s->told = 0;
}

static inline void model_besteffort(struct model *m, __u32 id)
{
	int accepted = m->v.packets[id].fate == V_QUEUED;
	qs_core_t *c = m->v.core;

	model_that(accepted || m->be_queued || !c->kept_slots,
		   "best effort that has nothing queued is refused");
	m->packets[id].queued = accepted;
	m->left += accepted;
	m->be_queued += accepted;
	m->be_dropped += !accepted;
}

/*
 * The frame marks, and whether the frame must not be dropped, as they are known
 * of any packet. Does it end its unit?
 */
static inline int model_mark(struct model_stream *s, __u32 flags)
{
	if (flags & QS_TX_FRAME_START)
		s->framed = QS_TX_FRAME_START;
	if (s->framed)
		s->framed |= flags & QS_TX_NON_DROPPABLE;
	if (flags & QS_TX_FRAME_END)
		s->framed = 0;
	return !s->framed && !(flags & QS_CBF_MORE);
}

/*
 * Which whole unit should give way to the packet: of those of the lowest
 * priority, which is lower than the packet's, the last one. QS_NIL: none.
 */
static inline __u32 model_victim(struct model *m, const struct qs_packet *p)
{
	const qs_stream_t *s = qs_stream(m->v.core, p->stream);
	const struct model_stream *k = &m->streams[p->stream];
	__u32 at, unit, prio, found = QS_NIL,
			      best = model_part_prio(m, p->stream, p->flags);

	for (at = k->queued ? s->head : QS_NIL; at != QS_NIL;
	     at = qs_slot(m->v.core, at)->unit_next) {
		unit = m->packets[m->v.by_slot[at]].unit;
		prio = model_prio(m, &m->units[unit]);
		if (unit == k->open || prio + (found == QS_NIL) > best)
			continue;
		best = prio;
		found = unit;
	}
	return found;
}

/*
 * What enqueue gave up is a whole unit of the stream's, or the one being built,
 * besides what was given up before. Returns the whole one, or QS_NIL.
 */
static inline __u32 model_given_up(struct model *m, __u32 i, __u32 out)
{
	__u32 id, victim = QS_NIL;
	struct model_stream *s;
	struct model_unit *u;

	for (; out < m->v.n_out; out++) {
		id = m->v.out[out];
		model_that(m->packets[id].unit != QS_NIL,
			   "best effort is given up");
		u = model_unit_of(m, id);
		if (u->doomed) {
			model_handed_out(m, id);
			continue;
		}
		model_that(u->stream == i, "another stream's unit is given up");
		s = &m->streams[u->stream];
		if (m->packets[id].unit == s->open) {
			model_unit_doom(m, u, QOS_FATE_DROPPED_FRAME);
			m->dropped_frame += u->packets;
		} else {
			model_that(victim == QS_NIL, "two units give way");
			victim = m->packets[id].unit;
			model_unit_doom(m, u, QOS_FATE_DROPPED_OVERFLOW);
			s->dropped_overflow += u->packets;
			m->dropped_overflow += u->packets;
		}
		model_handed_out(m, id);
	}
	return victim;
}

/* Did the stream's own flag change by now? Then either may have held. */
static inline int model_flag_changed(struct model *m, __u32 i)
{
	return (m->before[i].flags ^ qs_stream(m->v.core, i)->now.flags) &
	       QS_STREAM_NON_DROPPABLE;
}

/* Must the unit stay, whose rest is refused? */
static inline int model_rest_fixed(struct model *m, __u32 i, __u32 flags)
{
	const struct model_stream *s = &m->streams[i];

	if (!model_flag_changed(m, i))
		return model_part_prio(m, i, flags) == QS_PRIO_FIXED;
	return !qs_stream(m->v.core, i)->broken &&
	       (s->open == QS_NIL || !m->units[s->open].doomed);
}

/* Does the unit being built have all the room there is, and must not go? */
static inline int model_outgrown(struct model *m, __u32 i)
{
	__u32 unit = m->streams[i].open;

	if (m->units[unit].packets < m->v.core->stream_limit)
		return 0;
	if (!model_flag_changed(m, i))
		return model_prio(m, &m->units[unit]) == QS_PRIO_FIXED;
	return qs_stream(m->v.core, i)->open == QS_NIL;
}

/* The unit being built stays, but for a part. */
static inline void model_part_lost(struct model *m, __u32 i, __u32 flags,
				   int ends)
{
	struct model_unit *u;

	if (m->streams[i].open == QS_NIL)
		return;
	u = &m->units[m->streams[i].open];
	model_that(!u->doomed, "a frame that must stay is given up");
	u->fixed |= flags & QS_TX_NON_DROPPABLE;
	if (ends || model_outgrown(m, i))
		model_unit_end(m, i);
}

static inline void model_refused(struct model *m, __u32 i, __u32 id)
{
	__u32 flags = m->v.packets[id].p.flags;
	struct model_stream *s = &m->streams[i];
	int fixed = model_rest_fixed(m, i, flags);
	int ends = model_mark(s, flags);

	s->dropped_overflow++;
	m->dropped_overflow++;
	model_fate(m, i, id, QOS_FATE_DROPPED_OVERFLOW);
	if (fixed) {
		model_part_lost(m, i, flags, ends);
		return;
	}
	model_that(s->open == QS_NIL || m->units[s->open].doomed,
		   "a frame that lost a part stays");
	s->dropped_frame += s->open != QS_NIL || !ends;
	s->open = QS_NIL;
	s->broken = !ends;
}

static inline void model_accepted(struct model *m, __u32 i, __u32 id)
{
	m->packets[id].queued = 1;
	m->left++;
	model_unit_add(m, i, id);
	if (model_mark(&m->streams[i], m->v.packets[id].p.flags))
		model_unit_end(m, i);
	else if (model_outgrown(m, i))
		model_unit_end(m, i);
}

/*
 * A closed stream whose last unit gave way is gone, and the packet for which it
 * did is best effort: was this so?
 */
static inline int model_gone(struct model *m, __u32 i, __u32 id)
{
	const struct model_stream *s = &m->streams[i];

	if (m->v.core->be_packets == m->be_queued &&
	    m->v.core->be_dropped == m->be_dropped)
		return 0;
	model_that(!s->queued && !s->attached,
		   "a stream's packet goes as best effort");
	model_besteffort(m, id);
	return 1;
}

/* Goes by whether the packet was accepted, and checks whether that is right. */
static inline void model_stream_full(struct model *m, __u32 i, __u32 id,
				     const struct model_put *put)
{
	__u32 victim = model_given_up(m, i, put->out);

	if (victim != QS_NIL && model_gone(m, i, id))
		return;
	if (m->v.packets[id].fate == V_QUEUED) {
		model_that(victim == QS_NIL || victim == put->victim ||
				   !put->sure,
			   "another unit gives way than should");
		model_accepted(m, i, id);
		return;
	}
	model_that(put->full, "a stream is refused what is kept for streams");
	model_that(victim == QS_NIL, "a unit gives way to nothing");
	model_that(put->victim == QS_NIL || !put->sure,
		   "no unit gives way, and one should");
	model_refused(m, i, id);
}

/* The rest of a frame that has lost a part. */
static inline void model_broken(struct model *m, __u32 i, __u32 id,
				const struct model_put *put)
{
	__u32 flags = m->v.packets[id].p.flags;

	model_that(model_given_up(m, i, put->out) == QS_NIL,
		   "a unit gives way to a broken frame");
	m->streams[i].broken = !model_mark(&m->streams[i], flags);
	m->dropped_frame++;
	model_fate(m, i, id, QOS_FATE_DROPPED_FRAME);
}

static inline void model_stream_put(struct model *m, __u32 i, __u32 id,
				    struct model_put *put)
{
	const struct vpacket *packet = &m->v.packets[id];
	struct model_stream *s = &m->streams[i];
	int start = packet->p.flags & QS_TX_FRAME_START;
	int broken = s->broken && !start;

	model_that(broken == (packet->fate == V_REFUSED_FRAME),
		   "the rest of a broken frame is refused, and nothing else");
	if (broken) {
		model_broken(m, i, id, put);
		return;
	}
	s->broken = 0;
	if (start) {
		put->sure = s->open == QS_NIL && !s->framed;
		model_unit_end(m, i);
		s->framed = 0;
	}
	put->sure &= !model_flag_changed(m, i);
	model_stream_full(m, i, id, put);
}

/* May a stream be refused? At its limit, or if they have all that is kept. */
static inline int model_full(struct model *m, __u32 i)
{
	const qs_core_t *c = m->v.core;
	__u32 taken = c->n_slots - c->free_slots - c->be_packets;

	return m->streams[i].queued >= c->stream_limit ||
	       taken >= c->kept_slots / 2;
}

/* Enqueues p now. */
static inline void model_put(struct model *m, const struct qs_packet *p)
{
	struct model_put put = { .sure = 1, .out = m->v.n_out };
	int takes = model_takes(m, p);
	__u32 id;

	if (m->v.n == MODEL_PACKETS)
		return;
	model_look(m);
	put.victim = QS_NIL;
	if (takes) {
		put.full = model_full(m, p->stream);
		put.victim = model_victim(m, p);
	}
	id = vclock_put(&m->v, p);
	memset(&m->packets[id], 0, sizeof(m->packets[id]));
	m->packets[id].unit = QS_NIL;
	m->packets[id].next = QS_NIL;
	if (takes) {
		model_tenant(m, p->stream);
		model_stream_put(m, p->stream, id, &put);
	} else {
		model_given_up(m, QS_NIL, put.out);
		model_besteffort(m, id);
	}
}

#endif
