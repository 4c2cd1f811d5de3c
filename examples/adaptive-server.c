/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams two flows of made-up video to one host, for two video-clients there.
 * The paper's example of section 2.1: where not all fits, the flow of high
 * priority keeps its frame rate, and the other, which is told by qinfo() what it
 * lost, lowers its own and recovers later. adapt.h has the rule.
 *
 * None of the high flow's frames may be lost, any of the low one's may. VDS
 * ("qsock init DEV vds") serves a stream that is owed nothing after all others;
 * DWCS goes by deadlines first, so that there the high flow also loses frames until
 * the low one has given way.
 *
 * Prints a line a second: the time, and of both flows how many frames left, how
 * many of them were late or were dropped instead, and the rate that they go on with.
 */
#include "adapt.h"
#include "flow.h"

#define INTERVAL (NS_PER_S / 2) /* of looks at the low flow */

enum {
	HIGH,
	LOW,
	FLOWS
};

static const struct q_dwcs_attr windows[FLOWS] = {
	[HIGH] = { .oln = 0, .old = 1 },
	[LOW] = { .oln = 1, .old = 1 },
};

struct options {
	struct flow_options flow; /* of both; its fps is the high one's */
	struct adapt_range range; /* of the low flow */
};

struct server {
	struct options options;
	struct flow flows[FLOWS];
	uint64_t due[FLOWS]; /* the next frames, ns of CLOCK_MONOTONIC */
	struct qos_info looked; /* at the low flow, one interval ago */
	struct qos_info printed[FLOWS]; /* a second ago */
	json_object *rates; /* of the low flow, by seconds */
};

static const struct argp_option argp_options[] = {
	{ "low-fps", 'l', "N", 0, "the low flow's full frame rate (20)", 0 },
	{ "low-floor", 'n', "N", 0, "the least that it goes down to (5)", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->flow;
		return 0;
	case 'l':
		options->range.full = number_of(argument, 1, 10000, state);
		return 0;
	case 'n':
		options->range.floor = number_of(argument, 1, 10000, state);
		return 0;
	case ARGP_KEY_END:
		if (options->range.floor > options->range.full)
			argp_error(state, "--low-floor is above --low-fps");
		if (!options->flow.device)
			argp_error(state,
				   "a plain socket tells nothing to adapt by");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Rounded up: no frame more than there are periods. */
static uint64_t period_of(const struct flow *flow)
{
	return (NS_PER_S + flow->fps - 1) / flow->fps;
}

static void send_next(struct server *server, unsigned int which)
{
	struct flow *flow = &server->flows[which];

	flow_send_frame(flow, server->due[which]);
	server->due[which] += period_of(flow);
}

/* The next frame is due a new period after the last one, or at once. */
static void change_low(struct server *server, unsigned int fps, uint64_t now)
{
	struct flow *low = &server->flows[LOW];
	uint64_t due = server->due[LOW] - period_of(low);

	flow_change(low, fps, &windows[LOW]);
	due += period_of(low);
	server->due[LOW] = due > now ? due : now;
}

static void adapt_low(struct server *server, uint64_t now)
{
	const struct qos_info info = flow_info(&server->flows[LOW]);
	const struct adapt_interval seen =
		adapt_between(&server->looked, &info);
	const unsigned int fps = server->flows[LOW].fps;
	unsigned int next = adapt_fps(&server->options.range, fps, &seen);

	if (info.state & QOS_STATE_DEVICE_GONE)
		error(1, 0, "the device is gone, or not managed any more");
	server->looked = info;
	if (next != fps)
		change_low(server, next, now);
}

static void print_second(struct server *server, uint64_t second)
{
	printf("%llu", (unsigned long long)second);
	for (unsigned int i = 0; i < FLOWS; i++) {
		const struct qos_info info = flow_info(&server->flows[i]);
		const struct adapt_interval seen =
			adapt_between(&server->printed[i], &info);

		printf("  %s %llu missed %llu rate %u", i ? "low" : "high",
		       (unsigned long long)seen.sent,
		       (unsigned long long)seen.missed, server->flows[i].fps);
		server->printed[i] = info;
	}
	putchar('\n');
	fflush(stdout);
	json_object_array_add(server->rates,
			      json_object_new_uint64(server->flows[LOW].fps));
}

static void stream(struct server *server)
{
	const uint64_t start = clock_ns(CLOCK_MONOTONIC);
	const uint64_t end = start + server->options.flow.seconds * NS_PER_S;
	uint64_t look = start + INTERVAL;

	server->due[HIGH] = server->due[LOW] = start;
	while (look <= end) {
		unsigned int next = server->due[LOW] < server->due[HIGH] ? LOW :
									   HIGH;

		if (server->due[next] < look) {
			send_next(server, next);
			continue;
		}
		sleep_until(look);
		adapt_low(server, look);
		if ((look - start) % NS_PER_S == 0)
			print_second(server, (look - start) / NS_PER_S);
		look += INTERVAL;
	}
	flow_send_end(server->flows, FLOWS, end);
}

/* The low flow's also has its rate at the end of each second. */
static json_object *result_of(struct server *server)
{
	json_object *result = json_object_new_object();
	json_object *low = flow_result(&server->flows[LOW]);

	json_object_object_add(low, "rates", server->rates);
	json_object_object_add(result, "high",
			       flow_result(&server->flows[HIGH]));
	json_object_object_add(result, "low", low);
	return result;
}

static void open_flows(struct server *server)
{
	const struct options *options = &server->options;
	const unsigned int fps[FLOWS] = {
		[HIGH] = options->flow.fps,
		[LOW] = options->range.full,
	};

	for (unsigned int i = 0; i < FLOWS; i++)
		flow_open(&server->flows[i], &options->flow,
			  options->flow.ports[i], fps[i], &windows[i]);
	server->rates = json_object_new_array();
}

int main(int argc, char **argv)
{
	const struct argp_child children[] = { { .argp = &flow_argp }, { 0 } };
	const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "HOST [PORT [LOW-PORT]]",
		.doc = "Stream two flows of made-up video to HOST, of which "
		       "one gives way to all else.",
		.children = children,
	};
	static struct server server = {
		.options.flow = FLOW_DEFAULTS,
		.options.range = { .floor = 5, .full = 20 },
	};

	server.options.flow.flows = FLOWS;
	server.options.flow.device = "";
	argp_parse(&argp, argc, argv, 0, NULL, &server.options);
	open_flows(&server);
	stream(&server);
	write_result(server.options.flow.output, result_of(&server));
	for (unsigned int i = 0; i < FLOWS; i++)
		qclose(server.flows[i].fd);
	return 0;
}
