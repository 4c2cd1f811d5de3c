/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sends what a sensor might have measured: bursts of messages at random times,
 * each message of random size and with a random deadline of its own, over UDP.
 * With --managed its socket is a QSocket without a rate, so that the earliest
 * deadline goes first, and what would be late is dropped; or, with --lossless,
 * is sent late. Without, it is what most programs are.
 *
 * What competes may be the program's own transfers (bulk.h).
 */
#include <math.h>

#include "bulk.h"
#include "managed.h"
#include "sensor.h"

#define NS_PER_US 1000ull

/* A number drawn from `least` to `most`. */
struct range {
	unsigned int least, most;
};

struct options {
	const char *host, *port;
	const char *device; /* of the QSocket; NULL: a plain socket */
	const char *output, *trace;
	bool lossless;
	bool etf; /* plain: deadlines for that qdisc */
	unsigned int seconds;
	unsigned int interval; /* mean time between bursts, us */
	struct range burst, bytes,
		deadline; /* the last in ms from the sending */
	uint64_t seed;
	struct bulk_options bulk;
};

/* Times are ns since the sensor's start, but for `sent`, of CLOCK_MONOTONIC. */
struct message {
	uint64_t time, deadline;
	uint64_t sent;
	uint32_t bytes;
	bool refused;
};

struct sensor {
	struct options options;
	struct sockaddr_storage to;
	socklen_t tolen;
	int fd;
	struct message *messages;
	uint32_t room, count;
	uint64_t start, random;
	uint64_t latest; /* how late the worst message was sent, ns */
	struct qos_info info;
	uint8_t buffer[65536];
};

static const struct argp_option argp_options[] = {
	{ "managed", 'm', "DEV", 0, "use a QSocket on DEV (\"\": the host's)",
	  0 },
	{ "lossless", 'l', NULL, 0, "managed: send late, never drop", 0 },
	{ "plain", 'p', NULL, 0, "use a plain socket (the default)", 0 },
	{ "etf", 'e', NULL, 0, "plain: tell the qdisc etf the deadlines", 0 },
	{ "seconds", 's', "N", 0, "length of the measurement (60)", 0 },
	{ "interval", 'i', "US", 0, "mean time between bursts (10000)", 0 },
	{ "burst", 'n', "N-N", 0, "messages of a burst (1-20)", 0 },
	{ "bytes", 'b', "N-N", 0, "sizes of messages (200-1400)", 0 },
	{ "deadline", 'd', "MS-MS", 0, "how soon one has to arrive (5-40)", 0 },
	{ "seed", 'r', "N", 0, "of all that is random (1)", 0 },
	{ "output", 'o', "FILE", 0, "write what was sent there, as JSON", 0 },
	{ "trace", 't', "FILE", 0, "write a line for each message there", 0 },
	{ 0 },
};

static struct range range_of(const char *text, unsigned int least,
			     unsigned int most, struct argp_state *state)
{
	struct range range;
	int end = -1;

	if (sscanf(text, "%u-%u%n", &range.least, &range.most, &end) != 2 ||
	    end < 0 || text[end] || range.least < least || range.most > most ||
	    range.least > range.most)
		argp_error(state, "%s is not a range such as %u-%u", text,
			   least, most);
	return range;
}

static error_t parse_random(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'i':
		options->interval = number_of(argument, 1, 1000000, state);
		return 0;
	case 'n':
		options->burst = range_of(argument, 1, 10000, state);
		return 0;
	case 'b':
		options->bytes = range_of(argument, sizeof(struct sensor_head),
					  65000, state);
		return 0;
	case 'd':
		options->deadline = range_of(argument, 0, 10000, state);
		return 0;
	case 'r':
		options->seed = number_of(argument, 0, UINT32_MAX, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->bulk;
		return 0;
	case 'm':
		options->device = device_of(argument, state);
		return 0;
	case 'l':
		options->lossless = true;
		return 0;
	case 'p':
		options->device = NULL;
		return 0;
	case 'e':
		options->etf = true;
		return 0;
	case 's':
		options->seconds = number_of(argument, 1, 86400, state);
		return 0;
	case 'o':
		options->output = argument;
		return 0;
	case 't':
		options->trace = argument;
		return 0;
	case ARGP_KEY_ARG:
		return parse_address(&options->host, &options->port, argument,
				     state);
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "to whom? give a HOST");
		return 0;
	default:
		return parse_random(key, argument, state);
	}
}

/* ---- what will be sent */

/* Each number of the range is as likely as any other. */
static unsigned int pick(struct sensor *sensor, const struct range *range)
{
	const double numbers = (double)range->most - range->least + 1;

	return range->least +
	       (unsigned int)(numbers * next_random(&sensor->random));
}

static struct message *new_message(struct sensor *sensor)
{
	const uint32_t room = sensor->room ? 2 * sensor->room : 1024;
	struct message *messages;

	if (sensor->count == SENSOR_MESSAGES)
		error(1, 0,
		      "more than %u messages: lower --seconds or --burst, "
		      "or raise --interval",
		      SENSOR_MESSAGES);
	if (sensor->count == sensor->room) {
		messages = realloc(sensor->messages, room * sizeof(*messages));
		if (!messages)
			error(1, errno, "%u messages", room);
		sensor->messages = messages;
		sensor->room = room;
	}
	return &sensor->messages[sensor->count++];
}

static void plan_burst(struct sensor *sensor, uint64_t time)
{
	const struct range *span = &sensor->options.deadline;
	unsigned int left = pick(sensor, &sensor->options.burst);
	struct message *message;
	double ms;

	for (; left; left--) {
		message = new_message(sensor);
		ms = span->least +
		     (span->most - span->least) * next_random(&sensor->random);
		*message = (struct message){
			.time = time,
			.deadline = time + (uint64_t)(ms * NS_PER_MS),
			.bytes = pick(sensor, &sensor->options.bytes),
		};
	}
}

/* Bursts come as a Poisson process does. */
static void plan(struct sensor *sensor)
{
	const double mean = (double)sensor->options.interval * NS_PER_US;
	const double end = (double)sensor->options.seconds * NS_PER_S;
	double time = 0;

	for (;;) {
		time -= mean * log(1 - next_random(&sensor->random));
		if (time >= end)
			break;
		plan_burst(sensor, (uint64_t)time);
	}
}

/* ---- sending */

/* No window and no period: all that is left of DWCS is the earliest deadline. */
static int open_managed(const struct options *options, int family)
{
	struct q_dwcs_attr attributes = {
		.stream_flags = options->lossless ? DWCS_NON_DROPPABLE : 0,
	};
	struct qos_params params =
		params_of(options->device, "dwcs", &attributes);

	bulk_start(&options->bulk, &params);
	return open_sender(family, &params);
}

static int open_plain(const struct options *options, int family)
{
	int fd = open_sender(family, NULL);

	bulk_start(&options->bulk, NULL);
	if (options->etf)
		use_txtime(fd);
	return fd;
}

static void open_socket(struct sensor *sensor)
{
	const struct options *options = &sensor->options;
	struct addrinfo *found = resolve(options->host, options->port, 0);

	memcpy(&sensor->to, found->ai_addr, found->ai_addrlen);
	sensor->tolen = found->ai_addrlen;
	if (options->device)
		sensor->fd = open_managed(options, found->ai_family);
	else
		sensor->fd = open_plain(options, found->ai_family);
	never_wait(sensor->fd);
	freeaddrinfo(found);
}

/* Returns whether it is on its way. A full queue loses it, as any network does. */
static bool send_message(struct sensor *sensor, const struct sensor_head *head,
			 size_t bytes, struct packet_flags *flags)
{
	const struct sockaddr *to = (const struct sockaddr *)&sensor->to;
	ssize_t sent;

	memcpy(sensor->buffer, head, sizeof(*head));
	if (sensor->options.device)
		sent = qsendto(sensor->fd, sensor->buffer, bytes, MSG_DONTWAIT,
			       to, sensor->tolen, flags);
	else if (sensor->options.etf)
		sent = send_txtime(sensor->fd, sensor->buffer, bytes,
				   MSG_DONTWAIT, to, sensor->tolen,
				   flags->deadline);
	else
		sent = sendto(sensor->fd, sensor->buffer, bytes, MSG_DONTWAIT,
			      to, sensor->tolen);
	if (sent < 0 && errno != ENOBUFS && errno != EAGAIN)
		error(1, errno, "sendto");
	return sent >= 0;
}

static void send_measured(struct sensor *sensor, uint32_t seq)
{
	struct message *message = &sensor->messages[seq];
	const uint64_t deadline = sensor->start + message->deadline;
	struct packet_flags flags = { .deadline = deadline };
	struct sensor_head head = {
		.magic = htobe32(SENSOR_MAGIC),
		.seq = htobe32(seq),
		.count = htobe32(sensor->count),
		.start = htobe64(sensor->start),
		.deadline = htobe64(deadline),
	};

	message->sent = clock_ns(CLOCK_MONOTONIC);
	head.sent = htobe64(message->sent);
	message->refused = !send_message(sensor, &head, message->bytes, &flags);
}

/* Three times, for it may be lost like anything else. */
static void send_end(struct sensor *sensor)
{
	const uint64_t when =
		sensor->start + sensor->options.seconds * NS_PER_S;
	const struct sensor_head head = {
		.magic = htobe32(SENSOR_MAGIC),
		.seq = htobe32(SENSOR_END),
		.count = htobe32(sensor->count),
		.start = htobe64(sensor->start),
	};
	struct packet_flags flags = { .drop_flag = DWCS_NON_DROPPABLE,
				      .deadline = when + NS_PER_S };

	for (unsigned int i = 0; i < 3; i++) {
		sleep_until(when + i * NS_PER_S / 10);
		send_message(sensor, &head, sizeof(head), &flags);
	}
}

/* What the scheduler says, once it has sent or dropped everything. */
static void ask(struct sensor *sensor)
{
	const uint64_t end = clock_ns(CLOCK_MONOTONIC) + GRACE_S * NS_PER_S;

	do {
		sleep_until(clock_ns(CLOCK_MONOTONIC) + 10 * NS_PER_MS);
		if (qinfo(sensor->fd, &sensor->info, sizeof(sensor->info)))
			error(1, errno, "qinfo: %s", qsock_errmsg());
	} while (sensor->info.backlog_packets &&
		 clock_ns(CLOCK_MONOTONIC) < end);
}

static void measure(struct sensor *sensor)
{
	uint64_t late;

	sensor->start = clock_ns(CLOCK_MONOTONIC);
	for (uint32_t seq = 0; seq < sensor->count; seq++) {
		late = sleep_until(sensor->start + sensor->messages[seq].time);
		if (late > sensor->latest)
			sensor->latest = late;
		send_measured(sensor, seq);
	}
	send_end(sensor);
	if (sensor->options.device)
		ask(sensor);
}

/* ---- what was sent */

static json_object *result_of(const struct sensor *sensor)
{
	json_object *result = json_object_new_object();
	uint64_t bytes = 0, refused = 0;

	for (uint32_t seq = 0; seq < sensor->count; seq++) {
		bytes += sensor->messages[seq].bytes;
		refused += sensor->messages[seq].refused;
	}
	json_add(result, "seed", sensor->options.seed);
	json_add(result, "messages_sent", sensor->count);
	json_add(result, "messages_refused", refused);
	json_add(result, "bytes_sent", bytes);
	json_object_object_add(result, "pacing_late_max_ms",
			       json_ms(sensor->latest));
	if (sensor->options.device)
		json_object_object_add(result, "stream",
				       json_stream(&sensor->info));
	return result;
}

/* Times are ns since the start. */
static void write_trace(const struct sensor *sensor)
{
	FILE *file = create_file(sensor->options.trace);

	fputs("# seq sent bytes deadline\n", file);
	for (uint32_t seq = 0; seq < sensor->count; seq++) {
		const struct message *message = &sensor->messages[seq];

		fprintf(file, "%u %llu %u %llu\n", seq,
			(unsigned long long)(message->sent - sensor->start),
			message->bytes, (unsigned long long)message->deadline);
	}
	close_file(file, sensor->options.trace);
}

int main(int argc, char **argv)
{
	const struct argp_child children[] = { { .argp = &bulk_argp }, { 0 } };
	const struct argp argp = {
		.children = children,
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "HOST [PORT]",
		.doc = "Send random messages with deadlines to a sensor-client "
		       "at HOST.",
	};
	static struct sensor sensor = {
		.options = { .port = SENSOR_PORT,
			     .seconds = 60,
			     .interval = 10000,
			     .burst = { 1, 20 },
			     .bytes = { 200, 1400 },
			     .deadline = { 5, 40 },
			     .seed = 1 },
	};

	argp_parse(&argp, argc, argv, 0, NULL, &sensor.options);
	sensor.random = sensor.options.seed;
	plan(&sensor);
	open_socket(&sensor);
	measure(&sensor);
	write_result(sensor.options.output, result_of(&sensor));
	if (sensor.options.trace)
		write_trace(&sensor);
	free(sensor.messages);
	qclose(sensor.fd);
	return 0;
}
