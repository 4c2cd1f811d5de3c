/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "flow.h"
#include "managed.h"

static const char pattern[] = "IBBPBBPBB";

#define GROUP (sizeof(pattern) - 1)
#define SPREAD 0.2 /* a frame is up to that much smaller or larger */

static void parse_weights(struct flow_options *options, const char *text,
			  struct argp_state *state)
{
	double *w = options->weights;
	int end = -1;

	if (sscanf(text, "%lf,%lf,%lf%n", &w[0], &w[1], &w[2], &end) != 3 ||
	    end < 0 || text[end] || !(w[0] > 0 && w[1] > 0 && w[2] > 0))
		argp_error(state, "%s is not three sizes such as 5,3,1.2",
			   text);
}

static const struct argp_option argp_options[] = {
	{ "managed", 'm', "DEV", 0, "use a QSocket on DEV (\"\": the host's)",
	  0 },
	{ "plain", 'p', NULL, 0, "use a plain socket", 0 },
	{ "etf", 'e', NULL, 0,
	  "plain: tell the qdisc etf deadlines, a period long", 0 },
	{ "scheduler", 'c', "NAME", 0, "the device's (dwcs)", 0 },
	{ "fps", 'f', "N", 0, "frames a second (20)", 0 },
	{ "seconds", 's', "N", 0, "length of the stream (60)", 0 },
	{ "mean-bytes", 'b', "N", 0, "mean size of a frame (5000)", 0 },
	{ "weights", 'w', "I,P,B", 0, "relative sizes (5,3,1.2)", 0 },
	{ "datagram", 'd', "N", 0, "bytes a datagram, at most (1400)", 0 },
	{ "seed", 'r', "N", 0, "of the sizes (1)", 0 },
	{ "output", 'o', "FILE", 0, "write what was sent there, as JSON", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct flow_options *options = state->input;

	switch (key) {
	case 'm':
		options->device = device_of(argument, state);
		return 0;
	case 'p':
		options->device = NULL;
		return 0;
	case 'e':
		options->etf = true;
		return 0;
	case 'c':
		options->scheduler = argument;
		if (strlen(argument) >= sizeof(((struct qos_params *)0)->name))
			argp_error(state, "%s is not a scheduler", argument);
		return 0;
	case 'f':
		options->fps = number_of(argument, 1, 10000, state);
		return 0;
	case 's':
		options->seconds = number_of(argument, 1, 86400, state);
		return 0;
	case 'b':
		options->mean_bytes = number_of(argument, 100, 1 << 20, state);
		return 0;
	case 'w':
		parse_weights(options, argument, state);
		return 0;
	case 'd':
		options->datagram = number_of(argument, 64, 65000, state);
		return 0;
	case 'r':
		options->seed = number_of(argument, 0, UINT32_MAX, state);
		return 0;
	case 'o':
		options->output = argument;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num != 2 || options->flows != 2)
			return parse_address(&options->host, &options->ports[0],
					     argument, state);
		options->ports[1] = argument;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "to whom? give a HOST");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp flow_argp = {
	.options = argp_options,
	.parser = parse_option,
};

/* 0, 1 or 2 for I, P or B. */
static unsigned int kind_of(uint32_t frame)
{
	return (unsigned int)(strchr("IPB", pattern[frame % GROUP]) - "IPB");
}

static size_t next_size(struct flow *flow, uint32_t frame)
{
	const struct flow_options *options = flow->options;
	double all = 0, size;

	for (uint32_t i = 0; i < GROUP; i++)
		all += options->weights[kind_of(i)];
	size = options->mean_bytes * options->weights[kind_of(frame)] *
	       (double)GROUP / all;
	size *= 1 + SPREAD * (2 * next_random(&flow->random) - 1);
	return (size_t)size;
}

/* That no frame needs too many datagrams, nor the flow too many frames. */
static void check_sizes(const struct flow_options *options, unsigned int fps)
{
	double all = 0, most = 0;

	for (uint32_t i = 0; i < GROUP; i++) {
		double weight = options->weights[kind_of(i)];

		all += weight;
		most = weight > most ? weight : most;
	}
	most *= (1 + SPREAD) * options->mean_bytes * (double)GROUP / all;
	if (most >
	    VIDEO_PARTS * (options->datagram - sizeof(struct video_head)))
		error(1, 0,
		      "the largest frames need more than %d datagrams: "
		      "lower --mean-bytes or raise --datagram",
		      VIDEO_PARTS);
	if ((uint64_t)fps * options->seconds > VIDEO_FRAMES)
		error(1, 0, "more than %u frames: lower --seconds or --fps",
		      VIDEO_FRAMES);
}

/* A period for the frame rate, and the window. */
static struct q_dwcs_attr attributes_of(unsigned int fps,
					const struct q_dwcs_attr *window)
{
	return (struct q_dwcs_attr){
		.oln = window->oln,
		.old = window->old,
		.ipg = DWCS_FPS(fps),
	};
}

struct qos_params flow_params(const struct flow_options *options,
			      struct q_dwcs_attr *attributes)
{
	return params_of(options->device, options->scheduler, attributes);
}

static int open_managed(const struct flow_options *options, int family,
			struct q_dwcs_attr attributes)
{
	struct qos_params params = flow_params(options, &attributes);

	return open_sender(family, &params);
}

void flow_open(struct flow *flow, const struct flow_options *options,
	       const char *port, unsigned int fps,
	       const struct q_dwcs_attr *window)
{
	struct addrinfo *found = resolve(options->host, port, 0);

	check_sizes(options, fps);
	flow->options = options;
	flow->fps = fps;
	flow->random = options->seed;
	memcpy(&flow->to, found->ai_addr, found->ai_addrlen);
	flow->tolen = found->ai_addrlen;
	if (options->device)
		flow->fd = open_managed(options, found->ai_family,
					attributes_of(fps, window));
	else
		flow->fd = open_sender(found->ai_family, NULL);
	if (!options->device && options->etf)
		use_txtime(flow->fd);
	freeaddrinfo(found);
}

void flow_change(struct flow *flow, unsigned int fps,
		 const struct q_dwcs_attr *window)
{
	struct q_dwcs_attr attributes = attributes_of(fps, window);
	struct qos_params params = { .attributes = &attributes };

	if (qchange(flow->fd, &params))
		error(1, errno, "qchange: %s", qsock_errmsg());
	flow->fps = fps;
}

struct qos_info flow_info(const struct flow *flow)
{
	struct qos_info info;

	if (qinfo(flow->fd, &info, sizeof(info)))
		error(1, errno, "qinfo: %s", qsock_errmsg());
	return info;
}

/* Sends the buffer. A full queue loses a datagram, as any network does. */
static void send_datagram(struct flow *flow, size_t length,
			  struct packet_flags *flags)
{
	const struct sockaddr *to = (const struct sockaddr *)&flow->to;
	ssize_t sent;

	if (flow->options->device)
		sent = qsendto(flow->fd, flow->buffer, length, 0, to,
			       flow->tolen, flags);
	else if (flow->options->etf)
		sent = send_txtime(
			flow->fd, flow->buffer, length, 0, to, flow->tolen,
			clock_ns(CLOCK_MONOTONIC) + NS_PER_S / flow->fps);
	else
		sent = sendto(flow->fd, flow->buffer, length, 0, to,
			      flow->tolen);
	if (sent < 0 && errno != ENOBUFS)
		error(1, errno, "sendto");
	if (sent < 0)
		flow->sent.refused++;
	flow->sent.datagrams++;
	flow->sent.bytes += length;
}

static void send_frame(struct flow *flow)
{
	const size_t body = flow->options->datagram - sizeof(struct video_head);
	size_t left = next_size(flow, flow->frame);
	unsigned int kind = kind_of(flow->frame);
	struct video_head head = {
		.magic = htobe32(VIDEO_MAGIC),
		.frame = htobe32(flow->frame),
		.fps = htobe16((uint16_t)flow->fps),
		.type = (uint8_t)pattern[flow->frame % GROUP],
		.sent = htobe64(clock_ns(CLOCK_REALTIME)),
	};
	uint16_t parts = (uint16_t)((left + body - 1) / body);

	head.parts = htobe16(parts);
	for (uint16_t part = 0; part < parts; part++) {
		struct packet_flags flags = { 0 };
		size_t length = left < body ? left : body;

		if (part == 0)
			flags.drop_flag |= QSOCK_FRAME_START;
		if (part == parts - 1)
			flags.drop_flag |= QSOCK_FRAME_END;
		if (head.type == 'I')
			flags.drop_flag |= DWCS_NON_DROPPABLE;
		head.part = htobe16(part);
		memcpy(flow->buffer, &head, sizeof(head));
		send_datagram(flow, sizeof(head) + length, &flags);
		left -= length;
	}
	flow->sent.frames[kind]++;
	flow->frame++;
}

void flow_send_frame(struct flow *flow, uint64_t when)
{
	uint64_t late = sleep_until(when);

	if (late > flow->sent.latest)
		flow->sent.latest = late;
	send_frame(flow);
}

/* It is not counted: not a part of the video. */
static void send_end_mark(struct flow *flow)
{
	const struct video_head head = {
		.magic = htobe32(VIDEO_MAGIC),
		.parts = htobe16(1),
		.fps = htobe16((uint16_t)flow->fps),
		.type = VIDEO_END,
	};
	struct packet_flags flags = {
		.drop_flag = QSOCK_FRAME_START | QSOCK_FRAME_END |
			     DWCS_NON_DROPPABLE,
	};
	const struct flow_sent sent = flow->sent;

	memcpy(flow->buffer, &head, sizeof(head));
	send_datagram(flow, sizeof(head), &flags);
	flow->sent = sent;
}

/* Three times, for it may be lost like anything else. */
void flow_send_end(struct flow *flows, unsigned int n, uint64_t when)
{
	for (unsigned int i = 0; i < 3; i++) {
		sleep_until(when + i * NS_PER_S / 10);
		for (unsigned int k = 0; k < n; k++)
			send_end_mark(&flows[k]);
	}
}

json_object *flow_result(const struct flow *flow)
{
	const struct flow_sent *sent = &flow->sent;
	json_object *result = json_object_new_object();
	struct qos_info info;

	json_add(result, "fps", flow->fps);
	json_add(result, "seed", flow->options->seed);
	json_add(result, "frames_sent",
		 sent->frames[0] + sent->frames[1] + sent->frames[2]);
	json_add(result, "i_frames_sent", sent->frames[0]);
	json_add(result, "p_frames_sent", sent->frames[1]);
	json_add(result, "b_frames_sent", sent->frames[2]);
	json_add(result, "datagrams_sent", sent->datagrams);
	json_add(result, "datagrams_refused", sent->refused);
	json_add(result, "bytes_sent", sent->bytes);
	json_object_object_add(result, "pacing_late_max_ms",
			       json_ms(sent->latest));
	if (flow->options->device) {
		info = flow_info(flow);
		json_object_object_add(result, "stream", json_stream(&info));
	}
	return result;
}
