/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Would a unit that is sent now leave by its deadline? The bands engine knows
 * no order of what is queued, so all that streams have counts as before it, and
 * best effort's twentieth and a packet of it.
 */
#ifndef QS_BANDS_FITS_BPF_H
#define QS_BANDS_FITS_BPF_H

#include "bpf/bands/state.bpf.h"
#include "schedulers/common/time.h"

QS_FN int qs_fits(struct qs_core *c, __u32 i, __u64 bytes, __u64 deadline,
		  __u64 now)
{
	struct qs_bands *b = qs_bands(c->index);
	struct qs_stream *s = qs_stream(c, i);
	__u64 from = now;
	__s64 queued;
	__u32 k;

	if (s->now.ipg && QS_READ(s->period_next) > from)
		from = s->period_next;
	bytes += QS_FLOW_QUANTUM + 2ull * c->overhead;
	for (k = 0; k < QS_HTB_BANDS - 1; k++) {
		queued = QS_READ(b->bytes[k]);
		if (queued > 0)
			bytes += queued;
	}
	bytes += bytes / (QS_BESTEFFORT_SHARE - 1);
	return from + qs_wire_time(c, bytes) <= deadline;
}

#endif
