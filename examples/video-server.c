/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams made-up video: I, P and B frames of random size, at a fixed rate,
 * over UDP. With --managed its socket is a QSocket: a frame is one unit, one
 * is due every 1/fps s, two B or P frames in nine may be lost, an I frame never.
 * Without, it is what most programs are.
 */
#include "flow.h"

static void stream(struct flow *flow)
{
	const struct flow_options *options = flow->options;
	const uint64_t start = clock_ns(CLOCK_MONOTONIC);
	const uint32_t frames = options->fps * options->seconds;

	while (flow->frame < frames)
		flow_send_frame(flow,
				start + flow->frame * NS_PER_S / options->fps);
	flow_send_end(flow, 1, start + options->seconds * NS_PER_S);
}

int main(int argc, char **argv)
{
	const struct argp_child children[] = { { .argp = &flow_argp }, { 0 } };
	const struct argp argp = {
		.args_doc = "HOST [PORT]",
		.doc = "Stream made-up video to a video-client at HOST.",
		.children = children,
	};
	const struct q_dwcs_attr window = { .oln = 2, .old = 9 };
	struct flow_options options = FLOW_DEFAULTS;
	static struct flow flow;

	/* the input is the first child's, as there is no parser here */
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	flow_open(&flow, &options, options.ports[0], options.fps, &window);
	stream(&flow);
	write_result(options.output, flow_result(&flow));
	qclose(flow.fd);
	return 0;
}
