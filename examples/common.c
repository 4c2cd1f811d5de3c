/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/net_tstamp.h>
#include <sys/socket.h>

#include "common.h"

volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

void stop_by_signal(void)
{
	const struct sigaction action = { .sa_handler = stop };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* ---- time and chance */

uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t sleep_until(uint64_t when)
{
	const struct timespec at = {
		.tv_sec = (time_t)(when / NS_PER_S),
		.tv_nsec = (long)(when % NS_PER_S),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL))
		;
	return clock_ns(CLOCK_MONOTONIC) - when;
}

double next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* ---- arguments */

unsigned int number_of(const char *text, unsigned int least, unsigned int most,
		       struct argp_state *state)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 0);
	if (errno || end == text || *end || text[0] == '-' || value < least ||
	    value > most)
		argp_error(state, "%s is not a number from %u to %u", text,
			   least, most);
	return (unsigned int)value;
}

error_t parse_address(const char **host, const char **port,
		      const char *argument, struct argp_state *state)
{
	if (state->arg_num > 1)
		return ARGP_ERR_UNKNOWN;
	*(state->arg_num ? port : host) = argument;
	return 0;
}

/* ---- sockets */

struct addrinfo *resolve(const char *host, const char *port, int flags)
{
	const struct addrinfo hints = {
		.ai_flags = flags,
		.ai_socktype = SOCK_DGRAM,
	};
	struct addrinfo *found;
	int code;

	code = getaddrinfo(host, port, &hints, &found);
	if (code)
		error(1, 0, "%s port %s: %s", host ? host : "any", port,
		      gai_strerror(code));
	return found;
}

int open_receiver(const char *host, const char *port)
{
	struct addrinfo *found = resolve(host, port, AI_PASSIVE);
	const int on = 1, room = 4 << 20;
	int fd;

	fd = socket(found->ai_family, SOCK_DGRAM, 0);
	if (fd < 0)
		error(1, errno, "socket");
	/* A loss is to be the network's; a smaller buffer is no error. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)))
		error(1, errno, "SO_TIMESTAMPNS");
	if (bind(fd, found->ai_addr, found->ai_addrlen))
		error(1, errno, "bind to %s port %s", host ? host : "any",
		      port);
	freeaddrinfo(found);
	return fd;
}

void never_wait(int fd)
{
	const int room = 4 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

/* etf(8) has no other clock. */
void use_txtime(int fd)
{
	const struct sock_txtime txtime = {
		.clockid = CLOCK_TAI,
		.flags = SOF_TXTIME_DEADLINE_MODE,
	};

	if (setsockopt(fd, SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)))
		error(1, errno, "SO_TXTIME");
}

ssize_t send_txtime(int fd, const void *data, size_t length, int flags,
		    const struct sockaddr *to, socklen_t tolen,
		    uint64_t deadline)
{
	const uint64_t time =
		deadline - clock_ns(CLOCK_MONOTONIC) + clock_ns(CLOCK_TAI);
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(time))];
	} control = {
		.head = { .cmsg_len = CMSG_LEN(sizeof(time)),
			  .cmsg_level = SOL_SOCKET,
			  .cmsg_type = SCM_TXTIME },
	};
	struct iovec part = { .iov_base = (void *)data, .iov_len = length };
	const struct msghdr message = {
		.msg_name = (void *)to,
		.msg_namelen = tolen,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.head), &time, sizeof(time));
	return sendmsg(fd, &message, flags);
}

/* The kernel's stamp is of CLOCK_REALTIME. */
static uint64_t arrival_of(struct msghdr *message, clockid_t clock)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(message);
	struct timespec time;
	uint64_t stamp;

	for (; cmsg; cmsg = CMSG_NXTHDR(message, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&time, CMSG_DATA(cmsg), sizeof(time));
		stamp = (uint64_t)time.tv_sec * NS_PER_S +
			(uint64_t)time.tv_nsec;
		if (clock == CLOCK_REALTIME)
			return stamp;
		return stamp - clock_ns(CLOCK_REALTIME) + clock_ns(clock);
	}
	return clock_ns(clock);
}

ssize_t receive_datagram(int fd, clockid_t clock, void *data, size_t size,
			 uint64_t *arrival)
{
	char control[CMSG_SPACE(sizeof(struct timespec))];
	struct iovec part = { data, size };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);

	if (length >= 0)
		*arrival = arrival_of(&message, clock);
	else if (errno != EAGAIN && errno != EINTR)
		error(1, errno, "recvmsg");
	return length;
}

/* ---- results */

FILE *create_file(const char *name)
{
	FILE *file = fopen(name, "w");

	if (!file)
		error(1, errno, "%s", name);
	return file;
}

void close_file(FILE *file, const char *name)
{
	if (fclose(file))
		error(1, errno, "%s", name);
}

void json_add(json_object *object, const char *name, uint64_t value)
{
	json_object_object_add(object, name, json_object_new_uint64(value));
}

json_object *json_ms(uint64_t ns)
{
	const double ms = (double)ns / NS_PER_MS;
	char text[32];

	snprintf(text, sizeof(text), "%.3f", ms);
	return json_object_new_double_s(ms, text);
}

static int compare(const void *left, const void *right)
{
	const uint64_t a = *(const uint64_t *)left;
	const uint64_t b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

json_object *json_spread(uint64_t *values, size_t count)
{
	json_object *result = json_object_new_object();

	if (!count)
		return result;
	qsort(values, count, sizeof(*values), compare);
	json_object_object_add(result, "p50", json_ms(values[count / 2]));
	json_object_object_add(result, "p99",
			       json_ms(values[(count * 99 - 1) / 100]));
	json_object_object_add(result, "max", json_ms(values[count - 1]));
	return result;
}

static json_object *json_queueing(const struct qos_info *info)
{
	json_object *result = json_object_new_object();

	json_object_object_add(result, "p50", json_ms(info->delay_p50_ns));
	json_object_object_add(result, "p99", json_ms(info->delay_p99_ns));
	json_object_object_add(result, "max", json_ms(info->delay_max_ns));
	return result;
}

json_object *json_stream(const struct qos_info *info)
{
	static const char *const engines[] = {
		[QOS_ENGINE_NONE] = "none",
		[QOS_ENGINE_KERNEL] = "kernel",
		[QOS_ENGINE_BANDS] = "bands",
		[QOS_ENGINE_INPROC] = "inproc",
	};
	json_object *result = json_object_new_object();

	json_object_object_add(result, "engine",
			       json_object_new_string(engines[info->engine]));
	json_add(result, "sent_units", info->sent_units);
	json_add(result, "late_units", info->late_units);
	json_add(result, "dropped_late", info->dropped_late);
	json_add(result, "dropped_frame", info->dropped_frame);
	json_add(result, "dropped_overflow", info->dropped_overflow);
	json_add(result, "violations", info->violations);
	json_object_object_add(result, "queueing_ms", json_queueing(info));
	return result;
}

void write_result(const char *file, json_object *result)
{
	const int how = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;

	if (file ? json_object_to_file_ext(file, result, how) :
		   puts(json_object_to_json_string_ext(result, how)) < 0)
		error(1, 0, "the result: %s", json_util_get_last_err());
	json_object_put(result);
}
