/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Receives what video-server streams and tells how it arrived. A frame counts
 * when all of it is there, at the time its last datagram arrived.
 *
 * gap_ms is the time between the beginnings of consecutive complete frames,
 * completion_gap_ms that between their ends: the latter also holds how much
 * longer a large frame takes on the line than a small one. delay_ms runs from
 * the sending of a frame to its end and needs both hosts to have one clock.
 */
#include <poll.h>

#include "video.h"

struct options {
	const char *host, *port;
	const char *output, *trace;
	unsigned int seconds, bin, wait;
	bool live;
};

/* Times are ns of CLOCK_REALTIME. */
struct frame {
	uint64_t first, last; /* arrival of its first and its last datagram */
	uint64_t sent;
	uint64_t seen[VIDEO_PARTS / 64];
	uint16_t parts, missing; /* parts 0: nothing arrived */
	uint8_t type;
};

struct client {
	struct options options;
	int fd;
	struct frame *frames;
	uint32_t room, count; /* count: highest frame seen, and one */
	unsigned int fps;
	uint64_t start; /* arrival of the first datagram of all; 0: none yet */
	bool ended;
	uint64_t live_second;
	unsigned int live_frames;
};

static const struct argp_option argp_options[] = {
	{ "seconds", 's', "N", 0, "length of the stream (60)", 0 },
	{ "bin", 'i', "N", 0, "seconds of each frame rate (5)", 0 },
	{ "wait", 'w', "N", 0, "seconds to wait for the first message (30)",
	  0 },
	{ "output", 'o', "FILE", 0, "write the result there, as JSON", 0 },
	{ "trace", 't', "FILE", 0, "write a line for each frame there", 0 },
	{ "live", 'l', NULL, 0, "print each second and its frames", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 's':
		options->seconds = number_of(argument, 1, 86400, state);
		return 0;
	case 'i':
		options->bin = number_of(argument, 1, 86400, state);
		return 0;
	case 'w':
		options->wait = number_of(argument, 1, 86400, state);
		return 0;
	case 'o':
		options->output = argument;
		return 0;
	case 't':
		options->trace = argument;
		return 0;
	case 'l':
		options->live = true;
		return 0;
	case ARGP_KEY_ARG:
		return parse_address(&options->host, &options->port, argument,
				     state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static struct frame *frame_of(struct client *client, uint32_t number)
{
	uint32_t room = client->room;
	struct frame *frames;

	while (room <= number)
		room = room ? 2 * room : 1024;
	if (room > client->room) {
		frames = realloc(client->frames, room * sizeof(*frames));
		if (!frames)
			error(1, errno, "%u frames", room);
		memset(frames + client->room, 0,
		       (room - client->room) * sizeof(*frames));
		client->frames = frames;
		client->room = room;
	}
	if (number >= client->count)
		client->count = number + 1;
	return &client->frames[number];
}

static void print_live(struct client *client, uint64_t now)
{
	const uint64_t half = NS_PER_S / client->fps / 2;
	uint64_t second = (now - client->start + half) / NS_PER_S;

	for (; client->live_second < second; client->live_second++) {
		printf("%llu %u\n", (unsigned long long)client->live_second + 1,
		       client->live_frames);
		fflush(stdout);
		client->live_frames = 0;
	}
}

/* `head` is in host byte order. */
static void take_part(struct client *client, const struct video_head *head,
		      uint64_t now)
{
	struct frame *frame = frame_of(client, head->frame);
	const uint64_t bit = 1ull << (head->part % 64);

	if (!frame->parts) {
		frame->parts = frame->missing = head->parts;
		frame->type = head->type;
		frame->sent = head->sent;
		frame->first = now;
	}
	if (head->part >= frame->parts || frame->seen[head->part / 64] & bit)
		return;
	frame->seen[head->part / 64] |= bit;
	frame->last = now;
	if (!--frame->missing)
		client->live_frames++;
}

static void take_datagram(struct client *client, const void *data,
			  size_t length, uint64_t now)
{
	struct video_head head;

	if (length < sizeof(head))
		return;
	memcpy(&head, data, sizeof(head));
	if (be32toh(head.magic) != VIDEO_MAGIC)
		return;
	head.frame = be32toh(head.frame);
	head.part = be16toh(head.part);
	head.parts = be16toh(head.parts);
	head.fps = be16toh(head.fps);
	head.sent = be64toh(head.sent);
	if (head.type == VIDEO_END) {
		client->ended = true;
		return;
	}
	if (!memchr("IPB", head.type, 3) || !head.fps || !head.parts ||
	    head.parts > VIDEO_PARTS || head.frame >= VIDEO_FRAMES)
		return;
	if (!client->start) {
		client->start = now;
		client->fps = head.fps;
	}
	if (client->options.live)
		print_live(client, now);
	take_part(client, &head, now);
}

static void receive_one(struct client *client)
{
	static uint8_t data[65536];
	uint64_t arrival;
	ssize_t length = receive_datagram(client->fd, CLOCK_REALTIME, data,
					  sizeof(data), &arrival);

	if (length >= 0)
		take_datagram(client, data, (size_t)length, arrival);
}

static void receive(struct client *client)
{
	const uint64_t begin = clock_ns(CLOCK_REALTIME);
	struct pollfd ready = { .fd = client->fd, .events = POLLIN };
	uint64_t end, now;

	while (!client->ended && !stopped) {
		now = clock_ns(CLOCK_REALTIME);
		end = begin + client->options.wait * NS_PER_S;
		if (client->start)
			end = client->start +
			      (client->options.seconds + GRACE_S) * NS_PER_S;
		if (now >= end)
			break;
		if (client->start && client->options.live)
			print_live(client, now);
		if (poll(&ready, 1, 100) > 0)
			receive_one(client);
	}
	if (client->start && client->options.live)
		print_live(client, clock_ns(CLOCK_REALTIME));
	if (!client->start)
		error(1, 0, "no frame came to %s port %s",
		      client->options.host ? client->options.host : "any",
		      client->options.port);
}

static bool complete(const struct frame *frame)
{
	return frame->parts && !frame->missing;
}

/*
 * Frames in bins of their arrival. The bins begin half a period before the
 * first frame is due, so that no frame in time is near a bin's border and a
 * full rate is exactly that.
 */
static json_object *fps_bins(const struct client *client)
{
	const uint64_t period = NS_PER_S / client->fps;
	const unsigned int width = client->options.bin;
	const unsigned int bins = client->options.seconds / width;
	json_object *result = json_object_new_array();
	uint64_t begin = client->start;
	char text[32];

	for (uint32_t i = 0; i < client->count; i++) {
		if (complete(&client->frames[i])) {
			begin = client->frames[i].last - i * period;
			break;
		}
	}
	begin -= period / 2;
	for (unsigned int bin = 0; bin < bins; bin++) {
		uint64_t from = begin + (uint64_t)bin * width * NS_PER_S;
		double fps = 0;

		for (uint32_t i = 0; i < client->count; i++) {
			const struct frame *frame = &client->frames[i];

			if (complete(frame) && frame->last >= from &&
			    frame->last - from < width * NS_PER_S)
				fps += 1.0 / width;
		}
		snprintf(text, sizeof(text), "%.2f", fps);
		json_object_array_add(result,
				      json_object_new_double_s(fps, text));
	}
	return result;
}

/* Which time between complete frames, or within one, is wanted. */
enum interval {
	GAP,
	COMPLETION_GAP,
	DELAY
};

static uint64_t interval_of(const struct frame *frame,
			    const struct frame *before, enum interval which)
{
	uint64_t from, to = frame->last;

	if (which == DELAY)
		from = frame->sent;
	else if (which == COMPLETION_GAP)
		from = before->last;
	else {
		from = before->first;
		to = frame->first;
	}
	return to > from ? to - from : 0;
}

static json_object *intervals(const struct client *client, enum interval which)
{
	uint64_t *values = calloc(client->count + 1, sizeof(*values));
	const struct frame *before = NULL;
	json_object *result;
	size_t count = 0;

	if (!values)
		error(1, errno, "%u frames", client->count);
	for (uint32_t i = 0; i < client->count; i++) {
		const struct frame *frame = &client->frames[i];

		if (!complete(frame))
			continue;
		if (before || which == DELAY)
			values[count++] = interval_of(frame, before, which);
		before = frame;
	}
	result = json_spread(values, count);
	free(values);
	return result;
}

/* Of one type, or of all for type 0. */
static json_object *frames_of(const struct client *client, uint8_t type)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < client->count; i++) {
		const struct frame *frame = &client->frames[i];

		count += complete(frame) && (!type || frame->type == type);
	}
	return json_object_new_uint64(count);
}

static json_object *incomplete_frames(const struct client *client)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < client->count; i++)
		count += client->frames[i].parts && client->frames[i].missing;
	return json_object_new_uint64(count);
}

static json_object *result_of(const struct client *client)
{
	json_object *result = json_object_new_object();

	json_object_object_add(result, "fps_bins", fps_bins(client));
	json_object_object_add(result, "frames_received", frames_of(client, 0));
	json_object_object_add(result, "i_frames_received",
			       frames_of(client, 'I'));
	json_object_object_add(result, "p_frames_received",
			       frames_of(client, 'P'));
	json_object_object_add(result, "b_frames_received",
			       frames_of(client, 'B'));
	json_object_object_add(result, "frames_incomplete",
			       incomplete_frames(client));
	json_object_object_add(result, "gap_ms", intervals(client, GAP));
	json_object_object_add(result, "completion_gap_ms",
			       intervals(client, COMPLETION_GAP));
	json_object_object_add(result, "delay_ms", intervals(client, DELAY));
	return result;
}

/* Times in s since the first datagram, or - where there is none. */
static void write_trace(const struct client *client)
{
	FILE *file = create_file(client->options.trace);

	fputs("# frame type parts missing first last delay_ms\n", file);
	for (uint32_t i = 0; i < client->count; i++) {
		const struct frame *frame = &client->frames[i];

		if (!frame->parts) {
			fprintf(file, "%u - - - - - -\n", i);
			continue;
		}
		fprintf(file, "%u %c %u %u %.6f %.6f %.3f\n", i, frame->type,
			frame->parts, frame->missing,
			(double)(frame->first - client->start) / NS_PER_S,
			(double)(frame->last - client->start) / NS_PER_S,
			(double)interval_of(frame, NULL, DELAY) / NS_PER_MS);
	}
	close_file(file, client->options.trace);
}

int main(int argc, char **argv)
{
	const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "[ADDRESS [PORT]]",
		.doc = "Receive a video-server's stream and tell how it came.",
	};
	struct client client = {
		.options = { .port = VIDEO_PORT,
			     .seconds = 60,
			     .bin = 5,
			     .wait = START_S },
	};

	argp_parse(&argp, argc, argv, 0, NULL, &client.options);
	stop_by_signal();
	client.fd = open_receiver(client.options.host, client.options.port);
	receive(&client);
	write_result(client.options.output, result_of(&client));
	if (client.options.trace)
		write_trace(&client);
	free(client.frames);
	close(client.fd);
	return 0;
}
