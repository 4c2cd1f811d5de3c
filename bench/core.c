// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The scheduler's core alone, in this process: ns per enqueue and dequeue with
 * 1 to 100,000 streams that each have two units queued, beside a queue that
 * has no order to keep. In each round all contenders run in turn.
 *
 * A contender is an entry of contenders[]. Deadlines are random, but far enough
 * ahead for every unit to be in time: one that is not is a wrong result.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "schedulers/dwcs/core.h"

#define ROUNDS 9
#define OPERATIONS 400000
#define DEPTH 2u /* units that a stream has queued */
#define STEP 1230ull /* ns between two packets: 1538 bytes at 10 Gbit/s */
#define SEED 88172645463325252ull
#define CONTENDERS (sizeof(contenders) / sizeof(contenders[0]))

static const __u32 sizes[] = { 1, 10, 100, 1000, 10000, 100000 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* xorshift64*: the same numbers everywhere. */
static __u64 random_state = SEED;

static __u64 random_next(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dull >> 16;
}

/* ---- contenders */

struct contender {
	const char *name;
	void (*up)(__u32 streams);
	/* One packet for the stream is put in; one of any stream is taken out. */
	void (*put)(__u32 stream);
	__u32 (*take)(void);
	void (*down)(void);
};

/* A ring: what memory and loops cost. */
static struct {
	__u32 *streams;
	__u64 in, out;
	__u32 mask;
} ring;

static void ring_up(__u32 streams)
{
	__u32 size = 1;

	while (size <= streams * DEPTH)
		size *= 2;
	ring.streams = calloc(size, sizeof(*ring.streams));
	if (!ring.streams)
		die("no memory");
	ring.mask = size - 1;
	ring.in = ring.out = 0;
}

static void ring_put(__u32 stream)
{
	ring.streams[ring.in++ & ring.mask] = stream;
}

static __u32 ring_take(void)
{
	return ring.streams[ring.out++ & ring.mask];
}

static void ring_down(void)
{
	free(ring.streams);
}

/* Our core, as the qdisc has it; only the packets themselves are missing. */
static struct qs_core *core;
static __u32 *owners; /* of slots */
static __u64 clock_now;

static void dwcs_attach(__u32 i)
{
	struct qs_stream *s = qs_stream(core, i);

	if (qs_stream_alloc(core) != i)
		die("stream %u is not the next one", i);
	s->attr.old = 1 + random_next() % 8;
	s->attr.oln = random_next() % (s->attr.old + 1);
	s->attr_seq = 2;
	s->life = QS_LIFE(1, 1);
}

static void dwcs_up(__u32 streams)
{
	__u32 slots = streams * DEPTH + 64, i;
	struct qs_core layout = { 0 };
	__u64 size = qs_core_layout(&layout, 2 * slots, streams);

	core = aligned_alloc(64, size);
	owners = calloc(2ull * slots, sizeof(*owners));
	if (!core || !owners)
		die("no memory");
	memset(core, 0, size);
	qs_core_layout(core, 2 * slots, streams);
	core->stream_limit = slots;
	qs_core_init(core, 0);
	clock_now = QS_NSEC_PER_SEC;
	for (i = 0; i < streams; i++)
		dwcs_attach(i);
}

static void dwcs_put(__u32 stream)
{
	__u64 queued = (__u64)core->n_streams * DEPTH + 1;
	struct qs_packet p = {
		.deadline = clock_now +
			    STEP * (2 * queued + random_next() % queued),
		.len = 1514,
		.stream = stream,
		.gen = 1,
	};
	int slot = qs_enqueue(core, &p, clock_now);

	if (slot < 0)
		die("a packet was refused");
	owners[slot] = stream;
}

static __u32 dwcs_take(void)
{
	__u64 r = qs_dequeue(core, clock_now);

	clock_now += STEP;
	if (QS_DEQ_OP(r) != QS_DEQ_SEND)
		die("no packet was sent: %llx", (unsigned long long)r);
	return owners[QS_DEQ_SLOT(r)];
}

static void dwcs_down(void)
{
	if (core->violations || core->dropped_late)
		die("units were late");
	free(core);
	free(owners);
}

static const struct contender contenders[] = {
	{ "dwcs", dwcs_up, dwcs_put, dwcs_take, dwcs_down },
	{ "fifo ring", ring_up, ring_put, ring_take, ring_down },
};

/* ---- measuring */

static double times[CONTENDERS][SIZES][ROUNDS];

/* What one packet leaves behind, another of the same stream fills again. */
static double measure(const struct contender *c, __u32 streams)
{
	uint64_t start;
	__u32 i;

	random_state = SEED;
	c->up(streams);
	for (i = 0; i < streams * DEPTH; i++)
		c->put(i % streams);
	for (i = 0; i < streams; i++)
		c->put(c->take());
	start = now_ns();
	for (i = 0; i < OPERATIONS; i++)
		c->put(c->take());
	start = now_ns() - start;
	c->down();
	return (double)start / OPERATIONS;
}

static void print_size(struct json_object *report, __u32 size)
{
	struct json_object *row = report_row(report, "streams");
	double ns[CONTENDERS];
	char growth[16], ratio[16];
	size_t i;

	json_object_object_add(row, "streams",
			       json_object_new_int(sizes[size]));
	for (i = 0; i < CONTENDERS; i++) {
		ns[i] = median(times[i][size], ROUNDS);
		json_object_object_add(row, contenders[i].name,
				       json_object_new_double(ns[i]));
	}
	printf("%8u %10.1f", sizes[size], ns[0]);
	for (i = 1; i < CONTENDERS; i++)
		printf(" %10.1f %8s", ns[i], ratio_text(ns[0], ns[i], ratio));
	printf(" %10s\n",
	       ratio_text(ns[0], median(times[0][0], ROUNDS), growth));
}

static void print_table(struct json_object *report)
{
	__u32 size, i;

	printf("core: ns per enqueue and dequeue; median of %d rounds\n"
	       "%8s %10s",
	       ROUNDS, "streams", contenders[0].name);
	for (i = 1; i < CONTENDERS; i++)
		printf(" %10s %8s", contenders[i].name, "ratio");
	printf(" %10s\n", "/ 1 stream");
	for (size = 0; size < SIZES; size++)
		print_size(report, size);
}

int main(int argc, char **argv)
{
	struct json_object *report = report_new("core", argc, argv);
	__u32 round, size, i;

	bench_settle();
	report_set(report, "engine", "the core in this process");
	report_set(report, "rate", "0");
	json_object_object_add(report, "seed", json_object_new_int64(SEED));
	for (round = 0; round < ROUNDS; round++)
		for (size = 0; size < SIZES; size++)
			for (i = 0; i < CONTENDERS; i++)
				times[i][size][round] =
					measure(&contenders[i], sizes[size]);
	print_table(report);
	report_save(report, argc, argv);
	return 0;
}
