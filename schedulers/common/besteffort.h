/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause OR GPL-2.0-only */
/*
 * Best effort: everything that no stream sent. Flows, told apart by the
 * packet's hash, share by deficit round robin, those that just began first:
 * Shreedhar and Varghese, "Efficient Fair Queuing Using Deficit Round Robin",
 * SIGCOMM 1995, with the new and old lists of RFC 8290, section 4.2. Control
 * packets (ARP, ND, TCP's handshakes) go before all flows. A flow may queue as
 * many packets as there are slots left over (dynamic threshold: Choudhury and
 * Hahne, 1998), so one that floods leaves room for the others. Streams and best
 * effort each leave some slots to the other; control packets may take half of
 * the streams'. A packet that is alone has no flow until another one comes: who
 * sends little on an idle device pays for no sharing, nor for finding the hash.
 */
#ifndef QS_COMMON_BESTEFFORT_H
#define QS_COMMON_BESTEFFORT_H

#include "mem.h"

typedef struct qs_list QS_MEM qs_list_t;

QS_INLINE void qs_flow_append(qs_core_t *c, qs_list_t *list, __u32 f)
{
	qs_flow(c, f)->next = QS_NIL;
	if (list->first == QS_NIL)
		list->first = f;
	else
		qs_flow(c, list->last)->next = f;
	list->last = f;
}

/* What is kept for streams, they may have taken already. */
QS_INLINE int qs_be_has_room(qs_core_t *c, __u32 packets)
{
	__u32 room = c->free_slots, kept = c->kept_slots;
	__u32 taken = c->n_slots - room - c->be_packets;

	kept = kept > taken ? kept - taken : 0;
	return room > kept && room - kept > packets;
}

/* Is there a slot for a stream, besides what is best effort's? */
QS_INLINE int qs_streams_have_room(qs_core_t *c)
{
	return c->free_slots + c->be_packets > c->kept_slots && c->free_slots;
}

/* Room is asked for before the packet takes its slot. */
QS_INLINE int qs_be_accepts(qs_core_t *c, const struct qs_packet *p)
{
	if (p->flags & QS_CBF_CONTROL)
		return c->free_slots > c->kept_slots / 2;
	return qs_be_has_room(c, qs_flow(c, p->hash & (QS_FLOWS - 1))->packets);
}

/* Puts it to its flow, whose hash is in the slot's `cookie`. */
QS_INLINE void qs_be_join(qs_core_t *c, __u32 slot)
{
	__u32 f = qs_slot(c, slot)->cookie & (QS_FLOWS - 1);
	qs_flow_t *flow = qs_flow(c, f);

	if (qs_slot(c, slot)->flags & QS_CBF_CONTROL) {
		if (c->be_control.first == QS_NIL)
			c->be_control.first = slot;
		else
			qs_slot(c, c->be_control.last)->next = slot;
		c->be_control.last = slot;
		return;
	}
	if (flow->packets++)
		qs_slot(c, flow->tail)->next = slot;
	else
		flow->head = slot;
	flow->tail = slot;
	if (flow->listed)
		return;
	flow->listed = 1;
	flow->deficit = QS_FLOW_QUANTUM;
	qs_flow_append(c, &c->be_new, f);
}

/* Another one comes. */
QS_INLINE void qs_be_accompany(qs_core_t *c)
{
	__u32 slot = c->be_alone;

	if (slot == QS_NIL)
		return;
	c->be_alone = QS_NIL;
	qs_be_join(c, slot);
}

QS_INLINE void qs_be_enqueue(qs_core_t *c, __u32 slot)
{
	if (c->be_packets++)
		qs_be_join(c, slot);
	else
		c->be_alone = slot;
}

QS_INLINE __u32 qs_be_control(qs_core_t *c)
{
	__u32 slot = c->be_control.first;

	if (slot != QS_NIL)
		c->be_control.first = qs_slot(c, slot)->next;
	return slot;
}

/* The packet whose turn it is, off its queue; QS_NIL when there is none. */
QS_FN __u32 qs_be_dequeue(qs_core_t *c)
{
	__u32 f, slot = c->be_alone;
	qs_list_t *list;
	qs_flow_t *flow;

	if (slot != QS_NIL) {
		c->be_alone = QS_NIL;
		c->be_packets = 0;
		return slot;
	}
	slot = qs_be_control(c);

	/* ends: a turn adds a quantum, a super-packet's debt is under 64 KiB */
	while (slot == QS_NIL && qs_can_loop) {
		list = c->be_new.first != QS_NIL ? &c->be_new : &c->be_old;
		f = list->first;
		if (f == QS_NIL)
			break;
		flow = qs_flow(c, f);
		if (flow->packets && flow->deficit > 0) {
			slot = flow->head;
			flow->head = qs_slot(c, slot)->next;
			flow->packets--;
			flow->deficit -= (__s32)qs_slot(c, slot)->len;
			break;
		}
		list->first = flow->next;
		if (!flow->packets &&
		    (list == &c->be_old || c->be_old.first == QS_NIL)) {
			flow->listed = 0;
			continue;
		}
		if (flow->packets)
			flow->deficit += QS_FLOW_QUANTUM;
		qs_flow_append(c, &c->be_old, f);
	}
	if (slot != QS_NIL)
		c->be_packets--;
	return slot;
}

#endif
