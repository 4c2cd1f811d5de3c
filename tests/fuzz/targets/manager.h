/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manager's part. */
#ifndef QS_TESTS_FUZZ_MANAGER_H
#define QS_TESTS_FUZZ_MANAGER_H

#include "model.h"

static inline void model_attr(struct model *m, __u32 i, const struct qs_attr *a)
{
	struct model_stream *s = &m->streams[i];

	s->writing = 0;
	s->attr = *a;
	s->ever_fixed |= a->flags & QS_STREAM_NON_DROPPABLE;
}

static inline void model_attach(struct model *m, const struct qs_attr *a,
				int reliable)
{
	__u32 i = vclock_attach(&m->v, a->oln, a->old, a->ipg, a->flags);
	struct model_stream *s = m->streams;

	if (i == QS_NIL) {
		for (i = 0; i < m->v.core->n_streams; i++)
			model_that(s[i].attached || s[i].queued,
				   "a stream is lost");
		return;
	}
	s += i;
	model_that(!s->attached && !s->queued, "a stream has two users");
	s->gen = m->v.gen;
	s->attached = 1;
	s->reliable = reliable;
	s->ever_fixed = 0;
	model_attr(m, i, a);
}

/* The manager is interrupted before it is done. */
static inline void model_change_begin(struct model *m, __u32 i,
				      const struct qs_attr *a)
{
	qs_stream_t *s = qs_stream(m->v.core, i);

	if (m->streams[i].writing || !m->streams[i].attached)
		return;
	m->streams[i].writing = 1;
	s->attr_seq++;
	s->attr.oln = a->oln;
	s->attr.ipg = a->ipg;
}

static inline void model_change(struct model *m, __u32 i,
				const struct qs_attr *a)
{
	if (!m->streams[i].attached)
		return;
	if (m->streams[i].writing)
		qs_stream(m->v.core, i)->attr_seq--;
	vclock_change(&m->v, i, a->oln, a->old, a->ipg, a->flags);
	model_attr(m, i, a);
}

/* The socket is being closed; the core may look before the manager is done. */
static inline void model_close(struct model *m, __u32 i)
{
	if (!m->streams[i].attached)
		return;
	small_loops = 0;
	qs_stream_closed(m->v.core, i);
	m->streams[i].closed |= !!m->streams[i].queued;
}

static inline void model_detach(struct model *m, __u32 i)
{
	struct qs_attr same = m->streams[i].attr;

	if (!m->streams[i].attached)
		return;
	if (m->streams[i].writing)
		model_change(m, i, &same);
	model_close(m, i);
	vclock_detach(&m->v, i);
	m->streams[i].attached = 0;
}

/* It is told what becomes of its messages. */
static inline void model_watch(struct model *m, __u32 i, __u32 events,
			       __u32 high, __u32 low, __u64 rate)
{
	qs_stream_t *s = qs_stream(m->v.core, i);
	__u32 ring;

	if (!m->streams[i].attached)
		return;
	s->watch_events = events;
	s->watch_high = high;
	s->watch_low = low;
	s->watch_rate = rate;
	if (s->ring)
		return;
	ring = qs_ring_alloc(m->v.core);
	model_that(ring != QS_NIL, "there is no ring for a stream");
	s->ring = ring + 1;
	m->streams[i].fates = m->streams[i].told = 0;
}

#endif
