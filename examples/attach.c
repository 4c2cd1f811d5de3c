/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attaches a socket of another program, which knows nothing of it: pidfd_getfd()
 * gives a second descriptor of the very socket, and what is set there holds for
 * both. That is allowed to whom ptrace() is.
 *
 * Such a program says nothing of its messages. So each packet is a unit, none has a
 * deadline, and unless there is a --period they leave in their order, before best
 * effort and as fast as the link takes them.
 */
#include <dirent.h>
#include <netinet/in.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>

#include "managed.h"

#define LOOK_MS 10 /* between two looks for a socket that is not there yet */

struct options {
	const char *device, *scheduler, *output;
	const char *host, *port; /* where the socket is connected to, or NULL */
	struct q_dwcs_attr attributes;
	unsigned int pid, wait;
};

static const struct argp_option argp_options[] = {
	{ "device", 'd', "DEV", 0, "managed device (the host's)", 0 },
	{ "scheduler", 'S', "NAME", 0, "its scheduler (dwcs)", 0 },
	{ "period", 'p', "US", 0, "of the stream's packets (none)", 0 },
	{ "loss", 'l', "N/N", 0, "packets that may be late, and of how many",
	  0 },
	{ "non-droppable", 'n', NULL, 0, "send late packets, too", 0 },
	{ "work-conserving", 'c', NULL, 0,
	  "with a period: use the link when it is idle", 0 },
	{ "wait", 'w', "SECONDS", 0, "until there is such a socket (0)", 0 },
	{ "output", 'o', "FILE", 0,
	  "stay until the program ends, and write there, as JSON, what the "
	  "scheduler says then",
	  0 },
	{ 0 },
};

static void parse_loss(struct q_dwcs_attr *attributes, const char *text,
		       struct argp_state *state)
{
	int end = -1;

	if (sscanf(text, "%u/%u%n", &attributes->oln, &attributes->old, &end) !=
		    2 ||
	    end < 0 || text[end])
		argp_error(state, "%s is not a loss such as 1/10", text);
}

static error_t parse_attribute(int key, char *argument,
			       struct argp_state *state)
{
	struct options *options = state->input;
	struct q_dwcs_attr *attributes = &options->attributes;

	switch (key) {
	case 'p':
		attributes->ipg = number_of(argument, 1, UINT32_MAX, state);
		return 0;
	case 'l':
		parse_loss(attributes, argument, state);
		return 0;
	case 'n':
		attributes->stream_flags |= DWCS_NON_DROPPABLE;
		return 0;
	case 'c':
		attributes->stream_flags |= DWCS_WORK_CONSERVING;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_word(struct options *options, char *word,
			  struct argp_state *state)
{
	switch (state->arg_num) {
	case 0:
		options->pid = number_of(word, 1, INT32_MAX, state);
		return 0;
	case 1:
		options->host = word;
		return 0;
	case 2:
		options->port = word;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'd':
		options->device = device_of(argument, state);
		return 0;
	case 'S':
		options->scheduler = argument;
		if (strlen(argument) >= sizeof(((struct qos_params *)0)->name))
			argp_error(state, "%s is not a scheduler", argument);
		return 0;
	case 'w':
		options->wait = number_of(argument, 0, 86400, state);
		return 0;
	case 'o':
		options->output = argument;
		return 0;
	case ARGP_KEY_ARG:
		return parse_word(options, argument, state);
	case ARGP_KEY_END:
		if (!state->arg_num)
			argp_error(state, "whose? give a PID");
		if (state->arg_num == 2)
			argp_error(state, "which PORT of %s?", options->host);
		return 0;
	default:
		return parse_attribute(key, argument, state);
	}
}

/* ---- the socket */

/* An IP socket, connected there if that is asked for. */
static bool is_wanted(int fd, const struct addrinfo *to)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t size = sizeof(int);
	int domain;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) ||
	    (domain != AF_INET && domain != AF_INET6))
		return false;
	if (!to)
		return true;
	size = sizeof(peer);
	return !getpeername(fd, (struct sockaddr *)&peer, &size) &&
	       size == to->ai_addrlen && !memcmp(&peer, to->ai_addr, size);
}

static bool is_socket(int folder, const char *name)
{
	static const char start[] = "socket:";
	char target[sizeof(start)] = "";

	return readlinkat(folder, name, target, strlen(start)) > 0 &&
	       !strcmp(target, start);
}

/* A descriptor of ours for it, or -1 if there is none. One of several is no choice. */
static int find_socket(int process, const struct options *options,
		       const struct addrinfo *to)
{
	const struct dirent *entry;
	char folder[32];
	int fd, found = -1;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%u/fd", options->pid);
	dir = opendir(folder);
	if (!dir)
		error(1, errno, "%s", folder);
	while ((entry = readdir(dir))) {
		if (!is_socket(dirfd(dir), entry->d_name))
			continue;
		fd = pidfd_getfd(process, atoi(entry->d_name), 0);
		if (fd < 0 && errno != EBADF) /* closed in the meantime */
			error(1, errno, "a socket of process %u", options->pid);
		if (fd < 0)
			continue;
		if (!is_wanted(fd, to)) {
			close(fd);
			continue;
		}
		if (found >= 0)
			error(1, 0, "process %u has several such sockets: %s",
			      options->pid,
			      to ? "there is no way to tell them apart" :
				   "say where the one is connected to");
		found = fd;
	}
	closedir(dir);
	return found;
}

static int wait_for_socket(int process, const struct options *options)
{
	const uint64_t end =
		clock_ns(CLOCK_MONOTONIC) + options->wait * NS_PER_S;
	struct pollfd exit = { .fd = process, .events = POLLIN };
	struct addrinfo *to = NULL;
	int fd;

	if (options->host)
		to = resolve(options->host, options->port, 0);
	for (;;) {
		fd = find_socket(process, options, to);
		if (fd >= 0 || clock_ns(CLOCK_MONOTONIC) >= end)
			break;
		if (poll(&exit, 1, LOOK_MS) > 0)
			error(1, 0, "process %u has ended", options->pid);
	}
	if (fd < 0)
		error(1, 0, "process %u has no such socket", options->pid);
	if (to)
		freeaddrinfo(to);
	return fd;
}

/* ---- the scheduler */

static void ask(int fd, struct qos_info *info)
{
	if (qinfo(fd, info, sizeof(*info)))
		error(1, errno, "qinfo: %s", qsock_errmsg());
}

/*
 * What is queued as best effort would be overtaken by what follows. So a datagram
 * socket is attached when it has nothing there, unless that takes too long.
 */
static void wait_until_sent(int fd)
{
	const uint64_t end = clock_ns(CLOCK_MONOTONIC) + GRACE_S * NS_PER_S;
	socklen_t size = sizeof(int);
	int type, queued;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) ||
	    type != SOCK_DGRAM)
		return;
	while (!ioctl(fd, SIOCOUTQ, &queued) && queued &&
	       clock_ns(CLOCK_MONOTONIC) < end)
		sleep_until(clock_ns(CLOCK_MONOTONIC) + NS_PER_MS);
}

static void attach(int fd, struct options *options)
{
	struct qos_params params = params_of(
		options->device, options->scheduler, &options->attributes);
	struct qos_info info;

	wait_until_sent(fd);
	if (qattach(fd, &params))
		error(1, errno, "qattach: %s", qsock_errmsg());
	ask(fd, &info);
	if (info.engine == QOS_ENGINE_INPROC)
		error(1, 0, "the device is not managed: run \"qsock init\"");
}

/* Our descriptor keeps the socket, until all that it has sent has left. */
static void follow(int process, int fd, const char *output)
{
	struct pollfd exit = { .fd = process, .events = POLLIN };
	struct qos_info info;
	uint64_t end;

	while (poll(&exit, 1, -1) < 0 && errno == EINTR)
		;
	end = clock_ns(CLOCK_MONOTONIC) + GRACE_S * NS_PER_S;
	for (;;) {
		ask(fd, &info);
		if (!info.backlog_packets || clock_ns(CLOCK_MONOTONIC) >= end)
			break;
		sleep_until(clock_ns(CLOCK_MONOTONIC) + LOOK_MS * NS_PER_MS);
	}
	write_result(output, json_stream(&info));
}

int main(int argc, char **argv)
{
	const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "PID [ADDRESS PORT]",
		.doc = "Have QSockets schedule what another program sends on "
		       "its socket that is connected to ADDRESS, or on its "
		       "only one.\vIt needs root, or to be the program's user "
		       "where one may trace one's own programs.",
	};
	struct options options = { .device = "", .scheduler = "dwcs" };
	int process, fd;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	process = pidfd_open((pid_t)options.pid, 0);
	if (process < 0)
		error(1, errno, "process %u", options.pid);
	fd = wait_for_socket(process, &options);
	attach(fd, &options);
	if (options.output)
		follow(process, fd, options.output);
	close(fd);
	close(process);
	return 0;
}
