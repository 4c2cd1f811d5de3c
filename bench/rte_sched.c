// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * DPDK's librte_sched beside our core: a stream is a pipe with one queue in use,
 * of the first traffic class. All token buckets have the port's rate, which is
 * more than it can send, so nobody ever waits for credit, and no queue is longer
 * than it has to be: all that makes it fast. Memory is ordinary pages, as for
 * the others; no devices, no root.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_sched.h>

#include "bench.h"
#include "core.h"

#define RATE 125000000000ull /* bytes/s: a packet takes 12 ns */
#define BURST 32u
#define TRIES 1000000u /* steps without a packet */
#define MEMORY "1024" /* MiB */

static struct rte_sched_port *port;
static struct rte_mbuf *mbufs;
static __u32 *owners; /* of mbufs */
static __u32 free_mbuf; /* the next one, or one that was taken out */
static struct rte_mbuf *in[BURST], *out[BURST];
static __u32 n_in, n_out, at_out, burst;

/* Only these two classes are there, and the second cannot be left out. */
#define CLASSES(value) { [0] = (value), [RTE_SCHED_TRAFFIC_CLASS_BE] = (value) }

static struct rte_sched_subport_profile_params subport_profile = {
	.tb_rate = RATE,
	.tb_size = 1000000,
	.tc_rate = { [0 ... RTE_SCHED_TRAFFIC_CLASS_BE] = RATE },
	.tc_period = 10,
};
static struct rte_sched_pipe_params pipe_profile = {
	.tb_rate = RATE,
	.tb_size = 1000000,
	.tc_rate = CLASSES(RATE),
	.tc_period = 10,
	.tc_ov_weight = 1,
	.wrr_weights = { 1, 1, 1, 1 },
};
static struct rte_sched_subport_params subport = {
	.qsize = CLASSES(2 * DEPTH),
	.pipe_profiles = &pipe_profile,
	.n_pipe_profiles = 1,
	.n_max_pipe_profiles = 1,
};
static struct rte_sched_port_params port_params = {
	.name = "bench",
	.rate = RATE,
	.mtu = PACKET,
	.frame_overhead = RTE_SCHED_FRAME_OVERHEAD_DEFAULT,
	.n_subports_per_port = 1,
	.subport_profiles = &subport_profile,
	.n_subport_profiles = 1,
	.n_max_subport_profiles = 1,
};

/* Once; DPDK's environment says a lot, and nothing of it is about us. */
static int environment(void)
{
	static int state;
	char cpu[16];
	char *argv[] = { "core",
			 "--no-shconf",
			 "--no-huge",
			 "--no-pci",
			 "--no-telemetry",
			 "--log-level=1",
			 "-m",
			 MEMORY,
			 "-l",
			 cpu,
			 NULL };

	if (state)
		return state;
	snprintf(cpu, sizeof(cpu), "%d", sched_getcpu());
	state = rte_eal_init(sizeof(argv) / sizeof(argv[0]) - 1, argv);
	if (state < 0)
		fprintf(stderr, "core: DPDK does not start here\n");
	else
		state = 1;
	return state;
}

static int port_up(__u32 streams)
{
	__u32 pipes = 1, i;

	while (pipes < streams)
		pipes *= 2;
	port_params.n_pipes_per_subport = pipes;
	subport.n_pipes_per_subport_enabled = pipes;
	port = rte_sched_port_config(&port_params);
	if (!port)
		return -1;
	if (rte_sched_subport_config(port, 0, &subport, 0))
		return -1;
	for (i = 0; i < streams; i++)
		if (rte_sched_pipe_config(port, 0, i, 0))
			return -1;
	return 0;
}

static void rte_down(void)
{
	if (port)
		rte_sched_port_free(port);
	port = NULL;
	free(mbufs);
	free(owners);
}

static int rte_up(__u32 streams, __u32 at_once)
{
	__u32 n = streams * DEPTH + 1, i;

	if (environment() < 0)
		return -1;
	burst = at_once;
	n_in = n_out = at_out = free_mbuf = 0;
	mbufs = aligned_alloc(64, (size_t)n * sizeof(*mbufs));
	owners = calloc(n, sizeof(*owners));
	if (!mbufs || !owners)
		die("no memory");
	memset(mbufs, 0, (size_t)n * sizeof(*mbufs));
	for (i = 0; i < n; i++)
		mbufs[i].pkt_len = mbufs[i].data_len = PACKET;
	if (!port_up(streams))
		return 0;
	rte_down();
	return -1;
}

static void flush(void)
{
	if (n_in && rte_sched_port_enqueue(port, in, n_in) != (int)n_in)
		die("rte_sched refused a packet");
	n_in = 0;
}

/* At first the packets are new ones, and then what was taken out last. */
static void rte_put(__u32 stream)
{
	struct rte_mbuf *m = &mbufs[free_mbuf++];

	owners[m - mbufs] = stream;
	rte_sched_port_pkt_write(port, m, 0, stream, 0, 0, RTE_COLOR_GREEN);
	in[n_in++] = m;
	if (n_in == burst)
		flush();
}

static __u32 rte_take(void)
{
	__u32 tries;

	for (tries = 0; at_out == n_out && tries < TRIES; tries++) {
		flush();
		at_out = 0;
		n_out = rte_sched_port_dequeue(port, out, burst);
	}
	if (at_out == n_out)
		die("rte_sched sends nothing");
	free_mbuf = out[at_out++] - mbufs;
	return owners[free_mbuf];
}

static int one_up(__u32 streams)
{
	return rte_up(streams, 1);
}

static int burst_up(__u32 streams)
{
	return rte_up(streams, BURST);
}

const struct contender rte_sched_one = { "rte_sched", one_up, rte_put, rte_take,
					 rte_down };
const struct contender rte_sched_burst = { "rte_sched x32", burst_up, rte_put,
					   rte_take, rte_down };
