/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/* What the flags of its packets make of a unit: whether it may be dropped, and where it ends. */
#ifndef QS_COMMON_UNIT_H
#define QS_COMMON_UNIT_H

#include "mem.h"

/* By the flags of the unit, or of a packet of it. */
QS_INLINE int qs_unit_droppable(const qs_stream_t *s, __u32 flags)
{
	return !((s->now.flags & QS_STREAM_NON_DROPPABLE) ||
		 (flags & (QS_TX_NON_DROPPABLE | QS_CBF_RELIABLE)));
}

/* The flags of a packet that begins a frame, ends one, or has more parts. */
#define QS_UNIT_PART (QS_TX_FRAME_START | QS_TX_FRAME_END | QS_CBF_MORE)

/* Does a packet whose marks were kept end its unit? */
QS_INLINE int qs_unit_ends(const qs_stream_t *s, __u32 flags)
{
	return !s->framed && !(flags & QS_CBF_MORE);
}

/*
 * Frame marks, kept for refused packets too, and whether the frame must not be
 * dropped. Returns whether the packet ends its unit: it is in no frame or ends
 * one, and its message has no more parts.
 */
QS_INLINE int qs_frame_mark(qs_stream_t *s, __u32 flags)
{
	if (flags & QS_TX_FRAME_START)
		s->framed = QS_TX_FRAME_START;
	if (s->framed)
		s->framed |= flags & QS_TX_NON_DROPPABLE;
	if (flags & QS_TX_FRAME_END)
		s->framed = 0;
	return qs_unit_ends(s, flags);
}

#endif
