// SPDX-License-Identifier: LGPL-2.1-or-later
/* Best effort: what is left, shared fairly, and never nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schedulers/dwcs/core.h"
#include "vclock.h"

#define RATE 8000000 /* 1000 bytes take 1 ms */
#define MTU 1514

/* Keeps `n` packets of flow `hash` queued while time passes. */
static void refill(struct vclock *v, __u32 hash, __u32 n, __u32 least,
		   __u32 most)
{
	while (qs_flow(v->core, hash)->packets < n)
		vclock_besteffort(v, hash, vclock_between(v, least, most), 0);
}

static __u64 flow_bytes(struct vclock *v, __u32 hash)
{
	__u64 bytes = 0;
	__u32 id;

	for (id = 0; id < v->n; id++)
		if (v->packets[id].fate == V_SENT &&
		    v->packets[id].p.stream == QS_NIL &&
		    v->packets[id].p.hash == hash)
			bytes += v->packets[id].p.len;
	return bytes;
}

static void flows_share_by_bytes_not_by_packets(void **state)
{
	static const __u32 least[4] = { 1514, 60, 60, 600 };
	static const __u32 most[4] = { 1514, 60, 1514, 1000 };
	struct vclock v;
	__u64 share;
	__u32 k, f;

	(void)state;
	vclock_init(&v, RATE, 1024, 1);
	for (k = 0; k < 4000; k++) {
		for (f = 0; f < 4; f++)
			refill(&v, f, 60, least[f], most[f]);
		vclock_run(&v, v.now + MS);
	}
	share = vclock_bytes(&v, QS_NIL) / 4;
	for (f = 0; f < 4; f++)
		assert_in_range(flow_bytes(&v, f), share * 95 / 100,
				share * 105 / 100);
	vclock_fini(&v);
}

/* Packets larger than a turn, as segmentation offload makes them. */
static void super_packets_share_as_well(void **state)
{
	struct vclock v;
	__u64 share;
	__u32 k;

	(void)state;
	vclock_init(&v, RATE, 1024, 1);
	for (k = 0; k < 10000; k++) {
		refill(&v, 0, 4, 30000, 64000);
		refill(&v, 1, 60, 1000, 1514);
		vclock_run(&v, v.now + MS);
	}
	share = vclock_bytes(&v, QS_NIL) / 2;
	assert_in_range(flow_bytes(&v, 0), share * 95 / 100, share * 105 / 100);
	vclock_fini(&v);
}

static void a_sparse_flow_goes_first(void **state)
{
	struct vclock v;
	__u32 k, id;

	(void)state;
	vclock_init(&v, RATE, 1024, 1);
	for (k = 0; k < 50; k++) {
		refill(&v, 1, 60, 1514, 1514);
		refill(&v, 2, 60, 1514, 1514);
		vclock_run(&v, v.now + 20 * MS + 100 * k);
		id = vclock_besteffort(&v, 3, 200, 0);
		vclock_run(&v, v.now + 3 * MS);
		assert_int_equal(v.packets[id].fate, V_SENT);
		/* after the packet on the wire */
		assert_true(v.packets[id].left - v.packets[id].put <=
			    1514 * US);
	}
	vclock_fini(&v);
}

/* One that comes back whenever it was served is not new each time. */
static void a_flow_does_not_stay_new(void **state)
{
	struct vclock v;
	__u32 k;

	(void)state;
	vclock_init(&v, RATE, 1024, 1);
	for (k = 0; k < 6000; k++) {
		refill(&v, 1, 60, 1514, 1514);
		refill(&v, 2, 60, 1514, 1514);
		if (k % 2)
			refill(&v, 3, 1, 1514, 1514);
		vclock_step(&v);
		v.now = v.core->free_at;
	}
	assert_true(flow_bytes(&v, 1) >= vclock_bytes(&v, QS_NIL) * 30 / 100);
	vclock_fini(&v);
}

static void control_packets_go_before_bulk(void **state)
{
	__u32 first, second, k;
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, 1024, 1);
	for (k = 0; k < 8; k++)
		refill(&v, k, 60, 1514, 1514);
	vclock_step(&v);
	first = vclock_besteffort(&v, 1, 60, QS_CBF_CONTROL);
	second = vclock_besteffort(&v, 2, 60, QS_CBF_CONTROL);
	vclock_run(&v, v.now + 5 * MS);
	assert_int_equal(v.out[1], first);
	assert_int_equal(v.out[2], second);
	vclock_fini(&v);
}

/* At every moment since it began to wait, all but one packet of its share. */
static void assert_share(struct vclock *v, __u64 since)
{
	__u64 all = 0, own = 0;
	struct vpacket *p;
	__u32 k;

	for (k = 0; k < v->n_out; k++) {
		p = &v->packets[v->out[k]];
		if (p->fate != V_SENT || p->left < since)
			continue;
		all += p->p.len;
		if (p->p.stream == QS_NIL)
			own += p->p.len;
		assert_true((own + MTU) * QS_BESTEFFORT_SHARE >= all);
	}
	assert_true(own * 100 <= all * 6); /* and no more while streams wait */
	assert_true(own * 100 >= all * 49 / 10);
}

/* Streams want twice the link; best effort is in packets of this size. */
static void saturate(__u32 least, __u32 most, __u32 parts)
{
	__u32 s[2], k, n, i;
	struct vclock v;

	vclock_init(&v, RATE, 2048, 2);
	for (i = 0; i < 2; i++)
		s[i] = vclock_attach(&v, 0, 0, 0, QS_STREAM_NON_DROPPABLE);
	for (k = 0; k < 3000; k++) {
		while (qs_stream(v.core, s[k % 2])->units < 5)
			for (n = 0; n < parts; n++)
				vclock_send_with(
					&v, s[k % 2], 1400, 0,
					(n ? 0 : QS_TX_FRAME_START) |
						(n < parts - 1 ?
							 0 :
							 QS_TX_FRAME_END));
		refill(&v, k % 3, 30, least, most);
		vclock_run(&v, v.now + 2 * MS);
	}
	assert_share(&v, SEC + 100 * MS);
	vclock_fini(&v);
}

static void saturated_streams_leave_a_twentieth(void **state)
{
	(void)state;
	saturate(1514, 1514, 1);
}

static void of_small_packets_as_well(void **state)
{
	(void)state;
	saturate(60, 100, 1);
	saturate(60, 1514, 1);
}

static void of_large_frames_as_well(void **state)
{
	struct vclock v;
	__u32 s, k, n;

	(void)state;
	vclock_init(&v, RATE, 2048, 2);
	s = vclock_attach(&v, 0, 0, 0, QS_STREAM_NON_DROPPABLE);
	for (k = 0; k < 3000; k++) {
		while (qs_stream(v.core, s)->units < 3)
			for (n = 0; n < 100; n++)
				vclock_send_with(
					&v, s, 1400, 0,
					(n ? 0 : QS_TX_FRAME_START) |
						(n < 99 ? 0 : QS_TX_FRAME_END));
		refill(&v, 0, 30, 500, 1514);
		vclock_run(&v, v.now + 10 * MS);
	}
	assert_true(vclock_bytes(&v, QS_NIL) * 100 >=
		    v.core->sent_bytes * 47 / 10);
	assert_true(vclock_bytes(&v, QS_NIL) * 100 <= v.core->sent_bytes * 6);
	vclock_fini(&v);
}

/*
 * Nor do super-packets get more: one that is due is paid for by as many bytes of
 * streams as 19 of its own size, before the next is.
 */
static void of_super_packets_as_well(void **state)
{
	__u64 own = 0, all = 0;
	struct vpacket *p;
	struct vclock v;
	__u32 s, k;

	(void)state;
	vclock_init(&v, 1000ull * RATE, 2048, 1);
	s = vclock_attach(&v, 0, 0, 0, QS_STREAM_NON_DROPPABLE);
	for (k = 0; k < 20000; k++) {
		while (qs_stream(v.core, s)->packets < 100)
			vclock_send(&v, s, 1400);
		refill(&v, k % 3, 4, 60000, 64000);
		vclock_run(&v, v.now + 50 * US);
	}
	for (k = 0; k < v.n_out; k++) {
		p = &v.packets[v.out[k]];
		all += p->p.len;
		if (p->p.stream == QS_NIL)
			own += p->p.len;
		assert_true((own + 64000) * QS_BESTEFFORT_SHARE >= all);
		assert_true(own * QS_BESTEFFORT_SHARE <= all + 64000 * 19);
	}
	vclock_fini(&v);
}

/* ... and idle time is no debt: what was sent then is not paid for. */
static void what_idle_time_gave_is_not_paid_for(void **state)
{
	__u32 s, k, before;
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, 2048, 1);
	s = vclock_attach(&v, 0, 0, 0, QS_STREAM_NON_DROPPABLE);
	for (k = 0; k < 8; k++)
		vclock_besteffort(&v, 0, 64000, 0);
	vclock_run(&v, SEC + 300 * MS);
	assert_int_equal(v.core->be_owed, 0);
	before = v.core->be_sent_packets;
	assert_in_range(before, 4, 6);
	for (k = 0; k < 100; k++)
		vclock_send(&v, s, 1000);
	vclock_run(&v, SEC + 400 * MS);
	/* due again after as many bytes as ever */
	assert_int_equal(v.core->be_sent_packets, before + 1);
	vclock_fini(&v);
}

/* Idle time is no debt: after it the streams come first as ever. */
static void what_it_did_not_use_it_is_not_owed(void **state)
{
	struct vclock v;
	__u32 s, k;

	(void)state;
	vclock_init(&v, RATE, 2048, 1);
	s = vclock_attach(&v, 0, 0, 0, QS_STREAM_NON_DROPPABLE);
	for (k = 0; k < 1000; k++)
		vclock_send(&v, s, 1000);
	vclock_run(&v, SEC + 500 * MS);
	for (k = 0; k < 100; k++)
		vclock_besteffort(&v, k % 4, 1000, 0);
	vclock_run(&v, SEC + 600 * MS);
	assert_in_range(vclock_bytes(&v, QS_NIL), 3000, 6000);
	vclock_fini(&v);
}

/* However many packets a flow sends, others get in; streams have an eighth. */
static void a_flood_leaves_room(void **state)
{
	struct vclock v;
	__u32 s, k, id;

	(void)state;
	vclock_init(&v, RATE, 1024, 1);
	s = vclock_attach(&v, 0, 0, 0, 0);
	for (k = 0; k < 5000; k++)
		vclock_besteffort(&v, 1, 1514, 0);
	assert_int_equal(v.core->be_packets, (1024 - 1024 / 8) / 2);
	for (k = 0; k < 20; k++) {
		id = vclock_besteffort(&v, 2, 1514, 0);
		assert_int_equal(v.packets[id].fate, V_QUEUED);
	}
	for (k = 2; k < 1000; k++) {
		for (id = 0; id < 20; id++)
			vclock_besteffort(&v, k, 1514, 0);
		assert_true(v.core->free_slots >= 1024 / 8);
	}
	for (k = 0; k < 1024 / 8; k++) {
		id = vclock_send(&v, s, 1000);
		assert_int_equal(v.packets[id].fate, V_QUEUED);
	}
	assert_int_equal(v.core->be_dropped, vclock_count(&v, V_REFUSED));
	vclock_fini(&v);
}

/* However many packets streams queue, best effort has its eighth. */
static void streams_leave_room(void **state)
{
	struct vclock v;
	__u32 s, k, id;

	(void)state;
	vclock_init(&v, RATE, 1024, 1);
	v.core->stream_limit = 1024;
	s = vclock_attach(&v, 0, 0, 0, QS_STREAM_NON_DROPPABLE);
	for (k = 0; k < 1024; k++)
		vclock_send(&v, s, 1000);
	assert_int_equal(v.core->free_slots, 1024 / 8);
	assert_int_equal(qs_stream(v.core, s)->dropped_overflow, 1024 / 8);
	id = vclock_besteffort(&v, 1, 60, QS_CBF_CONTROL);
	assert_int_equal(v.packets[id].fate, V_QUEUED);
	vclock_drain(&v);
	assert_int_equal(v.packets[id].fate, V_SENT);
	vclock_fini(&v);
}

static void a_control_packet_finds_room_in_a_full_queue(void **state)
{
	struct vclock v;
	__u32 k, id;

	(void)state;
	vclock_init(&v, RATE, 1024, 1);
	for (k = 0; k < 100000; k++)
		vclock_besteffort(&v, k % 1024, 1514, 0);
	id = vclock_besteffort(&v, 1, 60, QS_CBF_CONTROL);
	assert_int_equal(v.packets[id].fate, V_QUEUED);
	vclock_fini(&v);
}

static void a_flow_keeps_its_order(void **state)
{
	__u32 last[8] = { 0 }, k;
	struct vpacket *p;
	struct vclock v;

	(void)state;
	vclock_init(&v, RATE, 256, 1);
	for (k = 1; k < 20000; k++) {
		vclock_besteffort(&v, vclock_between(&v, 0, 7),
				  vclock_between(&v, 60, 1514), 0);
		vclock_run(&v, v.now + 500 * US);
	}
	for (k = 0; k < v.n_out; k++) {
		p = &v.packets[v.out[k]];
		assert_true(v.out[k] + 1 > last[p->p.hash]);
		last[p->p.hash] = v.out[k] + 1;
	}
	vclock_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_share_by_bytes_not_by_packets),
		cmocka_unit_test(super_packets_share_as_well),
		cmocka_unit_test(a_sparse_flow_goes_first),
		cmocka_unit_test(a_flow_does_not_stay_new),
		cmocka_unit_test(control_packets_go_before_bulk),
		cmocka_unit_test(saturated_streams_leave_a_twentieth),
		cmocka_unit_test(of_small_packets_as_well),
		cmocka_unit_test(of_large_frames_as_well),
		cmocka_unit_test(of_super_packets_as_well),
		cmocka_unit_test(what_idle_time_gave_is_not_paid_for),
		cmocka_unit_test(what_it_did_not_use_it_is_not_owed),
		cmocka_unit_test(a_flood_leaves_room),
		cmocka_unit_test(streams_leave_room),
		cmocka_unit_test(a_control_packet_finds_room_in_a_full_queue),
		cmocka_unit_test(a_flow_keeps_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
