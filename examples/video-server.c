/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams made-up video: I, P and B frames of random size, at a fixed rate,
 * over UDP. With --managed its socket is a QSocket: a frame is one unit, one
 * is due every 1/fps s, two B or P frames in nine may be lost, an I frame never.
 * Without, it is what most programs are.
 *
 * What competes may be the program's own: a second flow, and transfers (bulk.h).
 */
#include "bulk.h"
#include "flow.h"

struct options {
	struct flow_options flow;
	unsigned int fps[FLOWS_MOST]; /* 0: no such flow */
	struct bulk_options bulk;
};

static const struct argp_option argp_options[] = {
	{ "second", '2', "FPS", 0, "a second flow, to SECOND-PORT", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->flow;
		state->child_inputs[1] = &options->bulk;
		return 0;
	case '2':
		options->fps[1] = number_of(argument, 1, 10000, state);
		options->flow.flows = FLOWS_MOST;
		return 0;
	case ARGP_KEY_END:
		options->fps[0] = options->flow.fps;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static uint64_t due(const struct flow *flow)
{
	return flow->frame * NS_PER_S / flow->fps;
}

/* The flow whose next frame is the first, or NULL: all were sent. */
static struct flow *next_flow(struct flow *flows, unsigned int n)
{
	struct flow *next = NULL;

	for (unsigned int i = 0; i < n; i++)
		if (flows[i].frame < flows[i].fps * flows[i].options->seconds &&
		    (!next || due(&flows[i]) < due(next)))
			next = &flows[i];
	return next;
}

static void stream(struct flow *flows, unsigned int n)
{
	const uint64_t start = clock_ns(CLOCK_MONOTONIC);
	struct flow *flow;

	while ((flow = next_flow(flows, n)))
		flow_send_frame(flow, start + due(flow));
	flow_send_end(flows, n, start + flows->options->seconds * NS_PER_S);
}

/* The second flow's result is beside the first one's, in OUTPUT.2. */
static void write_results(const struct options *options,
			  const struct flow *flows)
{
	const char *output = options->flow.output;
	char name[4096];

	for (unsigned int i = 0; i < options->flow.flows; i++) {
		snprintf(name, sizeof(name), i ? "%s.%u" : "%s",
			 output ? output : "", i + 1);
		write_result(output ? name : NULL, flow_result(&flows[i]));
	}
}

int main(int argc, char **argv)
{
	const struct argp_child children[] = { { .argp = &flow_argp },
					       { .argp = &bulk_argp },
					       { 0 } };
	const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "HOST [PORT [SECOND-PORT]]",
		.doc = "Stream made-up video to a video-client at HOST.",
		.children = children,
	};
	const struct q_dwcs_attr window = { .oln = 2, .old = 9 };
	struct options options = { .flow = FLOW_DEFAULTS };
	static struct flow flows[FLOWS_MOST];
	struct qos_params params, *managed = NULL;
	const unsigned int *n = &options.flow.flows;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (options.flow.device) {
		params = flow_params(&options.flow, NULL);
		managed = &params;
	}
	bulk_start(&options.bulk, managed);
	for (unsigned int i = 0; i < *n; i++)
		flow_open(&flows[i], &options.flow, options.flow.ports[i],
			  options.fps[i], &window);
	stream(flows, *n);
	write_results(&options, flows);
	for (unsigned int i = 0; i < *n; i++)
		qclose(flows[i].fd);
	return 0;
}
