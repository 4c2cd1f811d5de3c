// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The scheduler's core alone, in this process: ns per enqueue and dequeue with
 * 1 to 100,000 streams that each have two units queued, beside DPDK's scheduler
 * and a queue that has no order to keep. In each round all contenders run in turn.
 *
 * A contender is an entry of contenders[]. Deadlines are far enough ahead for
 * every unit to be in time: one that is not is a wrong result. They are random, so
 * that nobody can guess who is next, or in order, as those of streams are that are
 * all alike: then streams take turns, STEP after each other, and no two deadlines
 * are equal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "core.h"
#include "schedulers/dwcs/core.h"

#define ROUNDS 9
#define OPERATIONS 400000
#define STEP 1230ull /* ns between two packets: 1538 bytes at 10 Gbit/s */
#define SEED 88172645463325252ull
#define CONTENDERS (sizeof(contenders) / sizeof(contenders[0]))
#define OURS 2 /* the first of them */

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

/* A ring: what memory and loops cost. */
static struct {
	__u32 *streams;
	__u64 in, out;
	__u32 mask;
} ring;

static int ring_up(__u32 streams)
{
	__u32 size = 1;

	while (size <= streams * DEPTH)
		size *= 2;
	ring.streams = calloc(size, sizeof(*ring.streams));
	if (!ring.streams)
		die("no memory");
	ring.mask = size - 1;
	ring.in = ring.out = 0;
	return 0;
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
static __u64 last_deadline; /* of all, when they are in order; else 0 */

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

static int dwcs_up(__u32 streams)
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
	return 0;
}

/* What all streams have queued takes a span to send. */
static __u64 queued_span(void)
{
	return STEP * (core->n_streams * DEPTH + 1);
}

static __u64 next_deadline(void)
{
	__u64 span = queued_span();

	if (last_deadline)
		return last_deadline += STEP;
	return clock_now + 2 * span + ((__u32)random_next() * span >> 32);
}

static void dwcs_put(__u32 stream)
{
	struct qs_packet p = {
		.deadline = next_deadline(),
		.len = PACKET,
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

static int ordered_up(__u32 streams)
{
	int err = dwcs_up(streams);

	last_deadline = clock_now + 2 * STEP * (streams * DEPTH + 1ull);
	return err;
}

static void dwcs_down(void)
{
	last_deadline = 0;
	if (core->violations || core->dropped_late)
		die("units were late");
	free(core);
	free(owners);
}

static const struct contender dwcs = { "dwcs", dwcs_up, dwcs_put, dwcs_take,
				       dwcs_down };
static const struct contender ordered = { "dwcs, in order", ordered_up,
					  dwcs_put, dwcs_take, dwcs_down };
static const struct contender fifo = { "fifo ring", ring_up, ring_put,
				       ring_take, ring_down };

static const struct contender *const contenders[] = {
	&dwcs,		&ordered,
#ifdef HAVE_RTE_SCHED
	&rte_sched_one, &rte_sched_burst,
#endif
	&fifo,
};

/* ---- measuring */

struct result {
	double times[ROUNDS]; /* ns; sorted once it is reported */
	int missing; /* it cannot hold so many */
};

static struct result results[CONTENDERS][SIZES];
static __u32 rounds = ROUNDS, operations = OPERATIONS;

/* Streams do not begin in the order in which they are in memory. */
static __u32 *shuffled(__u32 n)
{
	__u32 *numbers = calloc(n, sizeof(*numbers));
	__u32 i, other;

	if (!numbers)
		die("no memory");
	for (i = 0; i < n; i++) {
		other = random_next() % (i + 1);
		numbers[i] = numbers[other];
		numbers[other] = i;
	}
	return numbers;
}

/*
 * What one packet leaves behind, another of the same stream fills again. Measured is
 * what comes after all that was put in at the beginning has been replaced.
 */
static double measure(const struct contender *c, __u32 streams, int *missing)
{
	uint64_t start;
	__u32 *turns;
	__u32 i;

	random_state = SEED;
	*missing = c->up(streams);
	if (*missing)
		return 0;
	turns = shuffled(streams);
	for (i = 0; i < streams * DEPTH; i++)
		c->put(turns[i % streams]);
	free(turns);
	for (i = 0; i < 2 * streams * DEPTH; i++)
		c->put(c->take());
	start = now_ns();
	for (i = 0; i < operations; i++)
		c->put(c->take());
	start = now_ns() - start;
	c->down();
	return (double)start / operations;
}

static void measure_round(__u32 round)
{
	struct result *r;
	__u32 size, i;

	for (size = 0; size < SIZES; size++) {
		for (i = 0; i < CONTENDERS; i++) {
			r = &results[i][size];
			r->times[round] = measure(contenders[i], sizes[size],
						  &r->missing);
		}
	}
	fprintf(stderr, "core: round %u of %u\n", round + 1, rounds);
}

/* ---- reporting */

static void report_result(struct json_object *row, const char *name,
			  const struct result *r)
{
	struct json_object *json = json_object_new_object();
	struct json_object *runs = json_object_new_array();
	double copy[ROUNDS];
	__u32 i;

	if (r->missing) {
		json_object_put(json);
		json_object_put(runs);
		return;
	}
	for (i = 0; i < rounds; i++)
		json_object_array_add(runs,
				      json_object_new_double(r->times[i]));
	memcpy(copy, r->times, sizeof(copy));
	json_object_object_add(json, "median",
			       json_object_new_double(median(copy, rounds)));
	json_object_object_add(json, "rounds", runs);
	json_object_object_add(row, name, json);
}

/* One of ours over another's. */
static double result_ratio(__u32 k, __u32 i, __u32 size)
{
	double ours[ROUNDS], other[ROUNDS];

	memcpy(ours, results[k][size].times, sizeof(ours));
	memcpy(other, results[i][size].times, sizeof(other));
	return median(ours, rounds) / median(other, rounds);
}

static void print_result(__u32 i, __u32 size)
{
	const struct result *r = &results[i][size];
	double copy[ROUNDS];
	__u32 k;

	printf("%8u  %-24s", sizes[size], contenders[i]->name);
	if (r->missing) {
		printf("  cannot hold them\n");
		return;
	}
	memcpy(copy, r->times, sizeof(copy));
	printf(" %8.1f", median(copy, rounds)); /* sorts */
	printf(" %8.1f %8.1f", copy[0], copy[rounds - 1]);
	for (k = 0; i >= OURS && k < OURS; k++)
		printf(" %8.3f", result_ratio(k, i, size));
	printf("\n");
}

static void print_size(struct json_object *report, __u32 size)
{
	struct json_object *row = report_row(report, "streams");
	__u32 i;

	json_object_object_add(row, "streams",
			       json_object_new_int(sizes[size]));
	for (i = 0; i < CONTENDERS; i++) {
		report_result(row, contenders[i]->name, &results[i][size]);
		print_result(i, size);
	}
}

/* A target that is missed is said, and is no error. */
static void print_target(__u32 k, __u32 i)
{
	__u32 size, met = 0, sizes_held = 0;

	for (size = 0; size < SIZES; size++) {
		if (results[i][size].missing)
			continue;
		sizes_held++;
		met += result_ratio(k, i, size) < 1;
	}
	printf("%s faster than %s: at %u of %u sizes   target all: %s\n",
	       contenders[k]->name, contenders[i]->name, met, sizes_held,
	       met == sizes_held ? "met" : "missed");
}

static void print_table(struct json_object *report)
{
	__u32 size, i, k;

	printf("core: ns per enqueue and dequeue in %u rounds; ratios: of ours "
	       "to "
	       "it, at random\nand in order\n%8s  %-24s %8s %8s %8s %8s %8s\n",
	       rounds, "streams", "scheduler", "median", "least", "most",
	       "random", "ordered");
	for (size = 0; size < SIZES; size++)
		print_size(report, size);
	for (i = OURS; i < CONTENDERS - 1; i++)
		for (k = 0; k < OURS; k++)
			print_target(k, i);
	if (CONTENDERS == OURS + 1)
		printf("rte_sched is not here: scripts/setup bench installs "
		       "DPDK, then run meson setup --reconfigure build\n");
}

int main(int argc, char **argv)
{
	struct json_object *report = report_new("core", argc, argv);
	__u32 round;

	if (bench_quick()) {
		rounds = 3;
		operations = OPERATIONS / 10;
	}
	bench_settle();
	report_set(report, "engine", "the core in this process");
	report_set(report, "rate", "0");
	json_object_object_add(report, "seed", json_object_new_int64(SEED));
	for (round = 0; round < rounds; round++)
		measure_round(round);
	print_table(report);
	report_save(report, argc, argv);
	return 0;
}
