/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/* A stream without packets, and without a past. */
#ifndef QS_COMMON_TENANT_H
#define QS_COMMON_TENANT_H

#include "mem.h"

/* Nothing is queued any more. */
QS_FN int qs_stream_empty(qs_stream_t *s)
{
	s->tree = QS_NIL;
	s->head = QS_NIL;
	s->open = QS_NIL;
	s->packets = 0;
	s->units = 0;
	s->bytes = 0;
	s->period_next = 0;
	return 0;
}

/* Nothing of the last tenant's is left; the attributes are not yet adopted. */
QS_FN int qs_stream_clear(qs_stream_t *s, __u32 gen)
{
	__u32 k;

	qs_stream_empty(s);
	s->gen_seen = gen;
	s->framed = 0;
	s->broken = 0;
	s->sent_units = s->sent_packets = s->sent_bytes = 0;
	s->late_units = s->violations = 0;
	s->dropped_late = s->dropped_frame = s->dropped_overflow = 0;
	s->delay_last = s->delay_max = s->delay_sum = 0;
	for (k = 0; k < QS_DELAYS; k++)
		s->delay[k] = 0;
	s->bucket_width = 0;
	s->bucket_first = QS_DELAYS;
	s->bucket_last = 0;
	s->told = 0;
	s->spare_at = s->spare_bytes = 0;
	s->now.oln = s->now.old = 0;
	s->now.ipg = s->now.flags = 0;
	s->seq_seen = 0;
	return 0;
}

/*
 * The manager has given the place to an attachment. A queue may still have
 * packets of the last one, and starts anew with the first one of this; where
 * there is none, nobody else writes yet.
 */
QS_INLINE void qs_tenant(qs_stream_t *s, __u32 gen)
{
#ifdef QS_BANDED
	qs_stream_clear(s, gen);
	s->cur_oln = s->attr.oln;
	s->cur_old = s->attr.old;
#else
	(void)s;
	(void)gen;
#endif
}

#endif
