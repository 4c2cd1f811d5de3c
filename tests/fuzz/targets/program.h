/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fuzzer's input as a program: a few bytes choose a small core, then each
 * operation is a byte and its arguments. Values that programs and the kernel
 * can't give to a core are not made: attributes are valid, and reliable packets
 * say nothing else. With QS_FUZZ_SAY in the environment, each operation is
 * printed.
 */
#ifndef QS_TESTS_FUZZ_PROGRAM_H
#define QS_TESTS_FUZZ_PROGRAM_H

#include "bytes.h"
#include "check.h"
#include "dequeue.h"
#include "enqueue.h"
#include "manager.h"

#define PROGRAM_TIME_MAX (1ull << 61)
#define PROGRAM_STEPS 64u /* dequeues of one operation */

static int program_says;

#define program_say(...)                              \
	do {                                          \
		if (program_says)                     \
			fprintf(stderr, __VA_ARGS__); \
	} while (0)

/* ---- arguments */

/* A core, and its streams attached, as the first bytes say. */
static void program_core(struct model *m, struct bytes *b)
{
	static const __u64 rates[] = { 8000000, 0, 1000000000,
				       1000,	1, 1000000000000000ull };
	static const __u32 overheads[] = { 0, 0, 24, 4096 };
	static const __u64 slacks[] = { 0, 0, 100 * US, 1ull << 62 };
	__u64 rate = rates[bytes_next(b) % 6];
	__u32 slots = 16 + bytes_next(b) % 49;
	__u8 sizes = bytes_next(b);
	qs_core_t *c;

	small_loops = 0;
	vclock_init(&m->v, rate, slots, 1 + sizes % MODEL_STREAMS);
	c = m->v.core;
	c->overhead = overheads[sizes >> 3 & 3];
	c->slack = slacks[sizes >> 5 & 3];
	c->stream_limit = 1 + bytes_next(b) % slots;
	program_say("rate %llu slots %u streams %u limit %u overhead %u "
		    "slack %llu\n",
		    c->rate, slots, c->n_streams, c->stream_limit, c->overhead,
		    c->slack);
}

/* Attributes of one byte, so that all streams soon have some. */
static void program_attach(struct model *m, __u8 what)
{
	static const struct qs_attr windows[] = {
		{ 1, 2, 1000, 0 },
		{ 0, 1, 1000, 0 },
		{ 3, 4, 2000, 0 },
		{ 0, 0, 0, 0 },
	};
	struct qs_attr a = windows[what & 3];

	a.ipg *= what >> 2 & 3;
	a.flags |= what & 0x10 ? QS_STREAM_NON_DROPPABLE : 0;
	a.flags |= what & 0x20 ? QS_STREAM_WORK_CONSERVING : 0;
	program_say("attach: oln %u old %u ipg %u flags 0x%x\n", a.oln, a.old,
		    a.ipg, a.flags);
	model_attach(m, &a, (what & 0xc0) == 0x40);
}

static void program_setup(struct model *m, struct bytes *b)
{
	__u32 i;

	program_core(m, b);
	m->sending = QS_NIL;
	for (i = 0; i < MODEL_STREAMS; i++)
		m->streams[i].open = QS_NIL;
	for (i = 0; i < m->v.core->n_streams; i++)
		program_attach(m, bytes_next(b));
}

static void program_attr(struct bytes *b, struct qs_attr *a)
{
	__u8 flags = bytes_next(b);

	a->old = bytes_number(b, 200, 1);
	a->oln = bytes_number(b, 200, 1);
	a->ipg = bytes_number(b, 100, 250);
	a->flags = (flags & 1 ? QS_STREAM_NON_DROPPABLE : 0) |
		   (flags & 2 ? QS_STREAM_WORK_CONSERVING : 0);
	a->oln = a->old == UINT32_MAX ? a->oln : a->oln % (a->old + 1);
	program_say(" oln %u old %u ipg %u flags 0x%x\n", a->oln, a->old,
		    a->ipg, a->flags);
}

/* Some before now, most after it. */
static __u64 program_deadline(const struct model *m, struct bytes *b)
{
	__u8 kind = bytes_next(b);
	__u64 span;

	if (kind & 1)
		return 0;
	span = bytes_number(b, 200, MS / 4);
	if (kind & 2)
		span = m->v.now > span ? m->v.now - span : 0;
	else
		span += m->v.now;
	return span & ~QS_TX_FLAGS;
}

static __u32 program_len(struct bytes *b)
{
	static const __u32 lens[] = {
		1000, 500, 1514, 60, 14, 9000, 1, 1u << 19
	};
	__u8 n = bytes_next(b);

	return n < 64 ? lens[n & 7] : n * 16u;
}

/* ---- operations */

/* What the classifier makes of a socket's packet. */
static void program_packet(struct model *m, struct bytes *b, __u32 i,
			   struct qs_packet *p)
{
	__u8 flags = bytes_next(b);

	memset(p, 0, sizeof(*p));
	p->len = program_len(b);
	p->stream = i;
	p->gen = m->streams[i].gen;
	p->flags = flags & QS_TX_DROP_FLAG;
	p->cookie = m->v.n;
	p->deadline = program_deadline(m, b);
	if (flags & 0x40)
		p->flags = (p->flags & ~QS_TX_FRAME_END) | QS_CBF_MORE;
	if (flags & 0x80)
		p->flags |= QS_TX_COOKIE;
	if (m->streams[i].reliable)
		p->flags = QS_CBF_RELIABLE | (p->flags & QS_TX_COOKIE);
}

static void program_put(struct model *m, const struct qs_packet *p)
{
	program_say("%u: %llu put stream %d gen %u len %u deadline %llu "
		    "flags 0x%x\n",
		    m->v.n, m->v.now, (int)p->stream, p->gen, p->len,
		    p->deadline, p->flags);
	model_put(m, p);
	program_say("  fate %d\n", (int)m->v.packets[m->v.n - 1].fate);
}

static void program_send(struct model *m, struct bytes *b, __u32 i)
{
	struct qs_packet p;

	program_packet(m, b, i, &p);
	program_put(m, &p);
}

/* The same again and again. */
static void program_burst(struct model *m, struct bytes *b, __u32 i)
{
	__u32 n = 1 + bytes_next(b) % 32;
	struct qs_packet p;

	program_packet(m, b, i, &p);
	for (; n--; p.cookie = m->v.n)
		program_put(m, &p);
}

/* The same of every stream. */
static void program_round(struct model *m, struct bytes *b)
{
	struct qs_packet p;
	__u32 i;

	program_packet(m, b, 0, &p);
	for (i = 0; i < m->v.core->n_streams; i++) {
		p.stream = i;
		p.gen = m->streams[i].gen;
		p.cookie = m->v.n;
		if (!m->streams[0].reliable == !m->streams[i].reliable)
			program_put(m, &p);
	}
}

/* One attachment's stream with another's number, or one that never was. */
static void program_stray(struct model *m, struct bytes *b, __u32 i)
{
	__u8 kind = bytes_next(b);
	struct qs_packet p;

	program_packet(m, b, i, &p);
	if (kind & 4)
		p.stream = kind & 8 ? QS_NIL - 1 : m->v.core->n_streams;
	else
		p.gen = m->v.gen + 1 - (kind & 3);
	program_put(m, &p);
}

static void program_besteffort(struct model *m, struct bytes *b)
{
	struct qs_packet p = { .stream = QS_NIL };
	__u8 kind = bytes_next(b);

	p.hash = kind & 7;
	p.flags = kind & 8 ? QS_CBF_CONTROL : 0;
	p.len = program_len(b);
	program_put(m, &p);
}

static __u64 program_step(struct model *m)
{
	__u64 op = model_step(m);

	if (op == QS_DEQ_SEND || op == QS_DEQ_DROP)
		program_say("%llu %s %u\n", m->v.now,
			    op == QS_DEQ_SEND ? "sent" : "dropped",
			    m->v.out[m->v.n_out - 1]);
	else
		program_say("%llu wake %llu\n", m->v.now, m->v.core->wake);
	return op;
}

static void program_pass(struct model *m, __u64 span)
{
	m->v.now += span;
	if (m->v.now > PROGRAM_TIME_MAX)
		m->v.now = PROGRAM_TIME_MAX;
}

/* Sends and sleeps, as a qdisc does, for so many steps. */
static void program_run(struct model *m, __u32 steps)
{
	__u64 op;

	while (steps--) {
		op = program_step(m);
		if (op == QS_DEQ_EMPTY || m->v.core->wake > PROGRAM_TIME_MAX)
			return;
		if (op == QS_DEQ_WAIT)
			vclock_sleep(&m->v);
		model_check(m);
	}
}

static void program_watch(struct model *m, struct bytes *b, __u32 i)
{
	__u32 events = bytes_next(b) & 7, high = bytes_next(b) & 15;
	__u32 low = bytes_next(b) & 15;

	program_say("watch %u events %u high %u low %u\n", i, events, high,
		    low);
	if (low < high)
		model_watch(m, i, events, high, low, 1000 * low);
}

static void program_attributes(struct model *m, struct bytes *b, __u32 i,
			       __u8 what)
{
	struct qs_attr a;

	program_say("manage %d %u:", what % 8, i);
	program_attr(b, &a);
	if (what % 8 < 2)
		model_attach(m, &a, what >> 4 == 1);
	else if (what % 8 == 2)
		model_change(m, i, &a);
	else
		model_change_begin(m, i, &a);
}

static void program_manage(struct model *m, struct bytes *b, __u32 i, __u8 what)
{
	switch (what % 8) {
	case 4:
		program_say("detach %u\n", i);
		return model_detach(m, i);
	case 5:
		program_say("close %u\n", i);
		return model_close(m, i);
	case 6:
		return program_watch(m, b, i);
	case 7:
		program_say("fates %u\n", i);
		return model_read_fates(m, i);
	default:
		program_attributes(m, b, i, what);
	}
}

static void program_operation(struct model *m, struct bytes *b)
{
	__u8 op = bytes_next(b);
	__u32 i = (op >> 4) % m->v.core->n_streams;

	switch (op & 15) {
	case 0 ... 3:
		return program_send(m, b, i);
	case 4:
		return program_round(m, b);
	case 5:
		return program_burst(m, b, i);
	case 6:
		return program_stray(m, b, i);
	case 7 ... 8:
		return program_besteffort(m, b);
	case 9 ... 10:
		program_step(m);
		return;
	case 11:
		return program_run(m, 1 + (op >> 4));
	case 12:
		return program_pass(m, bytes_number(b, 200, MS / 4));
	case 13 ... 14:
		return program_manage(m, b, i, bytes_next(b));
	default:
		if (op >> 4)
			return program_run(m, PROGRAM_STEPS);
		program_say("reset\n");
		model_reset(m);
	}
}

/* All leaves, all close, and the core is as it was. */
static void program_end(struct model *m)
{
	__u32 i;

	while (m->left && m->v.core->wake <= PROGRAM_TIME_MAX)
		program_run(m, PROGRAM_STEPS);
	if (m->left)
		model_reset(m);
	model_check(m);
	model_check_units(m);
	for (i = 0; i < m->v.core->n_streams; i++) {
		model_check_told(m, i);
		model_detach(m, i);
	}
	model_check(m);
	model_that(!m->v.core->attached, "a stream is not given back");
	model_that(m->v.core->free_slots == m->v.core->n_slots,
		   "a slot is not given back");
}

static int program(const uint8_t *data, size_t size)
{
	static struct model m;
	struct bytes b = { .at = data, .end = data + size };

	program_says = !!getenv("QS_FUZZ_SAY");
	memset(&m, 0, offsetof(struct model, packets));
	m.n_units = 0;
	program_setup(&m, &b);
	model_check(&m);
	while (b.at < b.end && m.v.n < MODEL_PACKETS) {
		program_operation(&m, &b);
		model_check(&m);
	}
	program_end(&m);
	vclock_fini(&m.v);
	return 0;
}

#endif
