/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must hold after each operation, and at the end. */
#ifndef QS_TESTS_FUZZ_CHECK_H
#define QS_TESTS_FUZZ_CHECK_H

#include "model.h"

static inline void model_check_life(struct model *m, __u32 i)
{
	const qs_stream_t *s = qs_stream(m->v.core, i);
	const struct model_stream *k = &m->streams[i];

	model_that(!k->gen || s->life == QS_LIFE(k->gen,
						 !!k->attached + !!k->queued),
		   "a stream's references");
}

static inline void model_check_stream(struct model *m, __u32 i)
{
	const qs_stream_t *s = qs_stream(m->v.core, i);
	struct model_stream *k = &m->streams[i];
	const char *window;

	model_check_life(m, i);
	if (!k->seen)
		return;
	window = model_window(s);
	model_that(!window, window);
	model_that(s->packets == k->queued, "packets");
	model_that((s->open == QS_NIL) == (k->open == QS_NIL), "open");
	model_that(s->framed == k->framed, "framed");
	model_that(!s->broken == !k->broken, "broken");
	model_that(s->sent_units == k->sent_units, "sent_units");
	model_that(s->sent_packets == k->sent_packets, "sent_packets");
	model_that(s->sent_bytes == k->sent_bytes, "sent_bytes");
	model_that(s->late_units == k->late_units, "late_units");
	model_that(s->dropped_late == k->dropped_late, "dropped_late");
	model_that(s->dropped_frame == k->dropped_frame, "dropped_frame");
	model_that(s->dropped_overflow == k->dropped_overflow,
		   "dropped_overflow");
	model_that(s->delay_last <= s->delay_max, "delay_max");
	model_that(s->delay_sum == k->delay_sum, "delay_sum");
	model_that(s->seq_seen != s->attr_seq ||
			   !memcmp(&s->now, &k->attr, sizeof(s->now)),
		   "other attributes were adopted than were given");
	model_that(s->violations >= k->violations, "violations go back");
	m->violations += s->violations - k->violations;
	k->violations = s->violations;
}

static inline void model_check(struct model *m)
{
	const qs_core_t *c = m->v.core;
	const char *wrong = vcheck(m->v.core);
	__u32 i;

	model_that(!wrong, wrong);
	for (i = 0; i < c->n_streams; i++)
		model_check_stream(m, i);
	model_that((c->current == QS_NIL) == (m->sending == QS_NIL), "current");
	model_that(c->be_packets == m->be_queued, "be_packets");
	model_that(c->sent_packets == m->sent_packets, "all sent_packets");
	model_that(c->sent_bytes == m->sent_bytes, "all sent_bytes");
	model_that(c->be_sent_packets == m->be_sent_packets, "be_sent_packets");
	model_that(c->be_sent_bytes == m->be_sent_bytes, "be_sent_bytes");
	model_that(c->be_dropped == m->be_dropped, "be_dropped");
	model_that(c->dropped_late == m->dropped_late, "all dropped_late");
	model_that(c->dropped_frame == m->dropped_frame, "all dropped_frame");
	model_that(c->dropped_overflow == m->dropped_overflow,
		   "all dropped_overflow");
	model_that(c->violations == m->violations, "all violations");
}

/* Each delay is counted, and each fate told. */
static inline void model_check_told(struct model *m, __u32 i)
{
	const qs_stream_t *s = qs_stream(m->v.core, i);
	__u64 delays = 0;
	__u32 k;

	if (!m->streams[i].seen)
		return;
	for (k = 0; k < QS_DELAYS; k++)
		delays += s->delay[k];
	model_that(delays == m->streams[i].delays, "delays");
	model_read_fates(m, i);
}

/* Every packet that was accepted went with its whole unit, one way. */
static inline void model_check_units(const struct model *m)
{
	const struct model_unit *u;
	__u32 k, id, flushed;

	for (k = 0; k < m->n_units; k++) {
		u = &m->units[k];
		flushed = 0;
		for (id = u->first; id != QS_NIL; id = m->packets[id].next)
			flushed += m->v.packets[id].fate == V_FLUSHED;
		model_that(flushed || u->sent == u->packets ||
				   u->dropped == u->packets,
			   "half of a unit is gone");
		model_that(u->sent + u->dropped + flushed == u->packets,
			   "a packet is lost");
	}
}

#endif
