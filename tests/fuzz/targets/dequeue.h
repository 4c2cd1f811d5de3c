/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may leave, and be given up; and a reset. */
#ifndef QS_TESTS_FUZZ_DEQUEUE_H
#define QS_TESTS_FUZZ_DEQUEUE_H

#include "model.h"

/* The deadline that the unit just begun had, unless the next one's is there. */
static inline void model_check_first(struct model *m,
				     const struct model_unit *u)
{
	const qs_stream_t *s = qs_stream(m->v.core, u->stream), *other;
	__u64 deadline = u->deadline ? model_deadline(m, u) : s->deadline;
	__u32 i;

	if (!u->deadline && u->packets == 1 && s->head != QS_NIL)
		return;
	for (i = 0; i < m->v.core->n_streams; i++) {
		other = qs_stream(m->v.core, i);
		model_that(i == u->stream || !m->streams[i].queued ||
				   other->tree != QS_TREE_READY ||
				   model_may_precede(deadline, other),
			   "a unit goes before one that should be first");
	}
}

static inline void model_unit_start(struct model *m, struct model_unit *u)
{
	const struct model_stream *s = &m->streams[u->stream];
	int late = model_end(m, u) > model_deadline(m, u);

	u->late = !!m->v.core->current_late;
	model_check_first(m, u);
	if (!u->deadline)
		return;
	model_that(late == u->late,
		   "a unit is late if its own deadline passes");
	model_that(!late || u->fixed || u->reliable || s->ever_fixed,
		   "a late unit is sent, and might be dropped");
}

static inline void model_unit_sent(struct model *m, __u32 id)
{
	const struct vpacket *packet = &m->v.packets[id];
	struct model_unit *u = model_unit_of(m, id);
	struct model_stream *s = &m->streams[u->stream];
	__u64 delay = m->v.now - (id == u->first ? u->whole : packet->put);

	model_that(!u->doomed, "a unit that was given up is sent");
	if (m->sending == QS_NIL) {
		model_that(m->packets[id].unit != s->open,
			   "a unit goes before it is whole");
		model_that(!u->reliable || m->packets[id].unit >= s->sent_unit,
			   "a segment goes before an earlier one");
		s->sent_unit = m->packets[id].unit;
		model_unit_start(m, u);
		m->sending = m->packets[id].unit;
		m->sending_next = u->first;
	}
	model_that(m->packets[id].unit == m->sending,
		   "another unit is not all sent");
	model_that(id == m->sending_next, "a unit's packets are out of order");
	m->sending_next = m->packets[id].next;
	if (m->sending_next == QS_NIL) {
		m->sending = QS_NIL;
		s->sent_units++;
		s->late_units += u->late;
	}
	u->sent++;
	s->sent_packets++;
	s->sent_bytes += packet->p.len;
	s->queued--;
	s->delay_sum += delay;
	s->delays += delay >= QS_DELAY_MIN;
	model_that(qs_stream(m->v.core, u->stream)->delay_last == delay,
		   "delay_last");
	model_fate(m, u->stream, id, u->late ? QOS_FATE_LATE : QOS_FATE_SENT);
}

static inline void model_sent(struct model *m, __u32 id, __u64 free_at)
{
	__u32 len = m->v.packets[id].p.len;

	model_that(!m->v.core->rate || free_at <= m->v.now,
		   "a packet leaves before the wire is free");
	model_that(m->packets[id].queued, "a packet leaves twice");
	m->packets[id].queued = 0;
	m->left--;
	m->sent_packets++;
	m->sent_bytes += len;
	if (m->packets[id].unit != QS_NIL) {
		model_unit_sent(m, id);
		return;
	}
	model_that(m->sending == QS_NIL, "best effort goes within a unit");
	m->be_queued--;
	m->be_sent_packets++;
	m->be_sent_bytes += len;
}

static inline void model_dropped(struct model *m, __u32 id)
{
	struct model_unit *u;

	model_that(m->packets[id].unit != QS_NIL, "best effort is dropped");
	u = model_unit_of(m, id);
	if (!u->doomed) {
		model_that(m->packets[id].unit != m->streams[u->stream].open,
			   "a unit is late before it is whole");
		model_that(model_end(m, u) > model_deadline(m, u),
			   "a unit is dropped that could be in time");
		model_unit_doom(m, u, QOS_FATE_DROPPED_LATE);
		m->streams[u->stream].dropped_late++;
		m->dropped_late += u->packets;
	}
	model_handed_out(m, id);
}

/* Nothing is ready, and something is at that time. */
static inline void model_waits(struct model *m)
{
	qs_core_t *c = m->v.core;
	qs_stream_t *s;
	__u32 i;

	model_that(c->wake > m->v.now, "it waits for the past");
	if (c->rate && c->free_at > m->v.now) {
		model_that(c->wake == c->free_at, "it waits for the wire");
		return;
	}
	model_that(!m->be_queued, "it waits, and best effort could go");
	for (i = 0; i < c->n_streams; i++) {
		s = qs_stream(c, i);
		model_that(!m->streams[i].queued || (s->tree == QS_TREE_WAIT &&
						     s->release >= c->wake),
			   "it waits for too long");
		model_that(!m->streams[i].queued || !m->streams[i].closed,
			   "it waits, and has not looked who closed");
	}
}

/* The core ends a frame whose socket was closed, or whose end did not come. */
static inline void model_expire(struct model *m, __u32 i)
{
	const qs_stream_t *k = qs_stream(m->v.core, i);
	struct model_stream *s = &m->streams[i];
	int looked = s->closed && !k->closed;

	s->closed = !!k->closed;
	if (looked && s->queued && !s->attached) {
		model_unit_end(m, i);
		s->framed = 0;
	}
	if (s->open == QS_NIL || k->open != QS_NIL)
		return;
	model_that(m->v.now >= m->units[s->open].begun + QS_FRAME_NS,
		   "a frame is ended before its time");
	model_unit_end(m, i);
	s->framed = 0;
}

/* One dequeue, now. Returns QS_DEQ_*. */
static inline __u64 model_step(struct model *m)
{
	__u64 op, free_at = m->v.core->free_at;
	__u32 i, id;

	model_look(m);
	op = vclock_step(&m->v);
	for (i = 0; i < m->v.core->n_streams; i++)
		model_expire(m, i);
	if (op == QS_DEQ_WAIT) {
		model_waits(m);
		return op;
	}
	if (op == QS_DEQ_EMPTY) {
		model_that(!m->left, "it is empty, and packets are left");
		return op;
	}
	id = m->v.out[m->v.n_out - 1];
	if (op == QS_DEQ_SEND)
		model_sent(m, id, free_at);
	else
		model_dropped(m, id);
	return op;
}

/* ---- reset */

static inline void model_flush(struct model *m, __u32 i)
{
	struct model_stream *s = &m->streams[i];

	if (s->queued && s->open != QS_NIL &&
	    model_part_prio(m, i, 0) != QS_PRIO_FIXED) {
		s->broken = 1;
		s->dropped_frame++;
	}
	s->queued = 0;
	s->open = QS_NIL;
}

static inline void model_reset(struct model *m)
{
	__u32 i, id;

	model_look(m);
	vclock_reset(&m->v);
	for (i = 0; i < m->v.core->n_streams; i++)
		model_flush(m, i);
	for (id = 0; id < m->v.n; id++) {
		if (m->packets[id].queued && m->packets[id].unit != QS_NIL &&
		    !model_unit_of(m, id)->doomed)
			model_fate(m, m->v.packets[id].p.stream, id,
				   QOS_FATE_FLUSHED);
		m->packets[id].queued = 0;
	}
	m->sending = QS_NIL;
	m->left = 0;
	m->be_queued = 0;
	model_that(m->v.core->free_slots == m->v.core->n_slots,
		   "slots are taken after a reset");
}

#endif
