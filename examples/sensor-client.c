/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Receives what sensor sends and tells which messages came in time, late, or
 * not at all, for each interval of their sending. Both have to run on one
 * machine, in two network namespaces maybe, for they compare CLOCK_MONOTONIC.
 */
#include <poll.h>

#include "sensor.h"

struct options {
	const char *host, *port;
	const char *output, *trace;
	unsigned int seconds, bin, wait;
	bool live;
};

/* Times are ns of CLOCK_MONOTONIC. */
struct message {
	uint64_t sent, deadline;
	uint64_t arrival; /* 0: none */
};

enum fate {
	IN_TIME,
	LATE,
	LOST,
	FATES
};

static const char *const fate_names[FATES] = { "in_time", "late", "lost" };

struct client {
	struct options options;
	int fd;
	struct message *messages;
	uint32_t count; /* messages that the sensor sends; 0: not known yet */
	uint64_t start; /* of the sensor */
	bool ended;
	uint64_t live_second;
	unsigned int live_in_time;
};

static const struct argp_option argp_options[] = {
	{ "seconds", 's', "N", 0, "length of the measurement (60)", 0 },
	{ "bin", 'i', "N", 0, "seconds of each interval (5)", 0 },
	{ "wait", 'w', "N", 0, "seconds to wait for the first message (30)",
	  0 },
	{ "output", 'o', "FILE", 0, "write the result there, as JSON", 0 },
	{ "trace", 't', "FILE", 0, "write a line for each message there", 0 },
	{ "live", 'l', NULL, 0, "print each second what came in time", 0 },
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

/* ---- receiving */

static enum fate fate_of(const struct message *message)
{
	if (!message->arrival)
		return LOST;
	return message->arrival > message->deadline ? LATE : IN_TIME;
}

static void print_live(struct client *client, uint64_t now)
{
	uint64_t second = (now - client->start) / NS_PER_S;

	for (; client->live_second < second; client->live_second++) {
		printf("%llu %u\n", (unsigned long long)client->live_second + 1,
		       client->live_in_time);
		fflush(stdout);
		client->live_in_time = 0;
	}
}

/* The first message of all says how many there will be. */
static void begin(struct client *client, const struct sensor_head *head)
{
	client->count = be32toh(head->count);
	client->start = be64toh(head->start);
	client->messages = calloc(client->count, sizeof(*client->messages));
	if (!client->messages)
		error(1, errno, "%u messages", client->count);
}

static void take_message(struct client *client, const void *data, size_t length,
			 uint64_t arrival)
{
	struct sensor_head head;
	struct message *message;
	uint32_t seq;

	if (length < sizeof(head))
		return;
	memcpy(&head, data, sizeof(head));
	if (be32toh(head.magic) != SENSOR_MAGIC || !head.count ||
	    be32toh(head.count) > SENSOR_MESSAGES)
		return;
	if (!client->count)
		begin(client, &head);
	if (client->options.live)
		print_live(client, arrival);
	seq = be32toh(head.seq);
	client->ended |= seq == SENSOR_END;
	if (seq >= client->count || client->messages[seq].arrival)
		return;
	message = &client->messages[seq];
	message->sent = be64toh(head.sent);
	message->deadline = be64toh(head.deadline);
	message->arrival = arrival;
	client->live_in_time += fate_of(message) == IN_TIME;
}

static void receive_one(struct client *client)
{
	static uint8_t data[65536];
	uint64_t arrival;
	ssize_t length = receive_datagram(client->fd, CLOCK_MONOTONIC, data,
					  sizeof(data), &arrival);

	if (length >= 0)
		take_message(client, data, (size_t)length, arrival);
}

/* The end mark comes last: in EDF it has no deadline, in FIFO it was sent last. */
static void receive(struct client *client)
{
	struct pollfd ready = { .fd = client->fd, .events = POLLIN };
	uint64_t end =
		clock_ns(CLOCK_MONOTONIC) + client->options.wait * NS_PER_S;
	uint64_t now = 0;

	while (now < end && !client->ended && !stopped) {
		if (poll(&ready, 1, 100) > 0)
			receive_one(client);
		now = clock_ns(CLOCK_MONOTONIC);
		if (!client->count)
			continue;
		if (client->options.live)
			print_live(client, now);
		end = client->start +
		      (client->options.seconds + GRACE_S) * NS_PER_S;
	}
	if (!client->count)
		error(1, 0, "no message came to %s port %s",
		      client->options.host ? client->options.host : "any",
		      client->options.port);
}

/* ---- the result */

/* A lost message is of the interval of the last one before it that came. */
static json_object *bins_of(const struct client *client, enum fate fate)
{
	const uint64_t width = client->options.bin * NS_PER_S;
	const uint64_t last =
		(client->options.seconds - 1) / client->options.bin;
	uint64_t *counts = calloc(last + 1, sizeof(*counts));
	json_object *result = json_object_new_array();
	uint64_t sent = client->start;

	if (!counts)
		error(1, errno, "%llu intervals", (unsigned long long)last + 1);
	for (uint32_t seq = 0; seq < client->count; seq++) {
		const struct message *message = &client->messages[seq];
		uint64_t bin;

		if (message->arrival)
			sent = message->sent;
		bin = (sent - client->start) / width;
		if (fate_of(message) == fate)
			counts[bin < last ? bin : last]++;
	}
	for (uint64_t bin = 0; bin <= last; bin++)
		json_object_array_add(result,
				      json_object_new_uint64(counts[bin]));
	free(counts);
	return result;
}

static uint64_t count_of(const struct client *client, enum fate fate)
{
	uint64_t count = 0;

	for (uint32_t seq = 0; seq < client->count; seq++)
		count += fate_of(&client->messages[seq]) == fate;
	return count;
}

/* From the sending; for late ones alone from the deadline. */
static json_object *delays_of(const struct client *client, bool late)
{
	uint64_t *values = calloc(client->count, sizeof(*values));
	json_object *result;
	size_t count = 0;

	if (!values)
		error(1, errno, "%u messages", client->count);
	for (uint32_t seq = 0; seq < client->count; seq++) {
		const struct message *message = &client->messages[seq];

		if (late && fate_of(message) == LATE)
			values[count++] = message->arrival - message->deadline;
		else if (!late && message->arrival > message->sent)
			values[count++] = message->arrival - message->sent;
	}
	result = json_spread(values, count);
	free(values);
	return result;
}

static json_object *result_of(const struct client *client)
{
	json_object *result = json_object_new_object();
	char name[32];

	json_add(result, "messages", client->count);
	for (enum fate fate = IN_TIME; fate < FATES; fate++) {
		json_add(result, fate_names[fate], count_of(client, fate));
		snprintf(name, sizeof(name), "%s_bins", fate_names[fate]);
		json_object_object_add(result, name, bins_of(client, fate));
	}
	json_object_object_add(result, "delay_ms", delays_of(client, false));
	json_object_object_add(result, "late_ms", delays_of(client, true));
	return result;
}

/* Times are ns since the sensor's start; of what did not come there are none. */
static void write_trace(const struct client *client)
{
	FILE *file = create_file(client->options.trace);

	fputs("# seq fate sent deadline arrival\n", file);
	for (uint32_t seq = 0; seq < client->count; seq++) {
		const struct message *message = &client->messages[seq];
		const enum fate fate = fate_of(message);

		fprintf(file, "%u %s", seq, fate_names[fate]);
		if (fate != LOST)
			fprintf(file, " %llu %llu %llu",
				(unsigned long long)(message->sent -
						     client->start),
				(unsigned long long)(message->deadline -
						     client->start),
				(unsigned long long)(message->arrival -
						     client->start));
		fputc('\n', file);
	}
	close_file(file, client->options.trace);
}

int main(int argc, char **argv)
{
	const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "[ADDRESS [PORT]]",
		.doc = "Receive a sensor's messages and tell which were in "
		       "time.",
	};
	struct client client = {
		.options = { .port = SENSOR_PORT,
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
	free(client.messages);
	close(client.fd);
	return 0;
}
