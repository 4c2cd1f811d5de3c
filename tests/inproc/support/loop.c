/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

void loop_be_user(void)
{
	if (geteuid() == 0)
		assert_int_equal(setresuid(LOOP_USER, LOOP_USER, LOOP_USER), 0);
}

static struct qos_params params_of(const char *sched,
				   const struct q_dwcs_attr *attr)
{
	struct qos_params params = { .dev = "inproc" };

	strcpy(params.name, sched);
	params.attributes = (void *)attr;
	return params;
}

void loop_init(const char *sched, uint64_t rate, uint32_t packets)
{
	struct qos_device device = { .rate = rate, .packets = packets };
	struct qos_params params = params_of(sched, NULL);
	int64_t start = loop_now();

	while (qsockinit_device(&params, &device, sizeof(device)))
		if (errno == EBUSY)
			loop_wait(start, "a device that is free", __FILE__,
				  __LINE__);
		else
			fail_msg("qsockinit_device: %s", qsock_errmsg());
}

/* ---- sockets */

static struct sockaddr_in loopback(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static int bound(int type, struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	*at = loopback();
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
	return fd;
}

int loop_sink(struct sockaddr_in *at)
{
	return bound(SOCK_DGRAM, at);
}

/* With whatever scheduler the device has. */
int loop_attach(int fd, const struct q_dwcs_attr *attr)
{
	struct qos_params params = params_of("dwcs", attr);

	if (!qattach(fd, &params))
		return 0;
	params = params_of("vds", attr);
	return qattach(fd, &params);
}

static int attached(int fd, const struct q_dwcs_attr *attr)
{
	if (loop_attach(fd, attr))
		fail_msg("qattach: %s", qsock_errmsg());
	return fd;
}

int loop_sender(const struct sockaddr_in *to, const struct q_dwcs_attr *attr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)to, sizeof(*to)),
			 0);
	return attached(fd, attr);
}

void loop_connection(int fd[2], const struct q_dwcs_attr *attr)
{
	struct sockaddr_in at;
	int listener = bound(SOCK_STREAM, &at), size = 16384;

	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	assert_int_equal(listen(listener, 1), 0);
	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd[0] >= 0);
	assert_int_equal(connect(fd[0], (struct sockaddr *)&at, sizeof(at)), 0);
	fd[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd[1] >= 0);
	close(listener);
	attached(fd[0], attr);
}

struct qos_info loop_info(int fd)
{
	struct qos_info info;

	if (qinfo(fd, &info, sizeof(info)))
		fail_msg("qinfo: %s", qsock_errmsg());
	return info;
}

/* ---- messages */

void loop_send(int fd, char id, size_t len, uint32_t flags, int64_t deadline)
{
	struct packet_flags pf = { .drop_flag = flags };
	char *message = malloc(len);

	assert_non_null(message);
	memset(message, id, len);
	if (deadline)
		pf.deadline = loop_now() + deadline;
	if (qsend(fd, message, len, 0, &pf) != (ssize_t)len)
		fail_msg("qsend: %s", qsock_errmsg());
	free(message);
}

char loop_receive(int fd, ssize_t *len)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	static char room[65536];
	ssize_t n;

	if (poll(&pfd, 1, LOOP_PATIENCE_NS / LOOP_MS) != 1)
		fail_msg("no message came");
	n = recv(fd, room, sizeof(room), 0);
	assert_true(n > 0);
	if (len)
		*len = n;
	return room[0];
}

void loop_expect(int fd, const char *ids)
{
	char found[64] = { 0 };
	size_t k;

	for (k = 0; ids[k]; k++)
		found[k] = loop_receive(fd, NULL);
	assert_string_equal(found, ids);
}

int loop_is_empty(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 0;
}

/* ---- time */

int64_t loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * LOOP_MS + ts.tv_nsec;
}

void loop_wait(int64_t start, const char *condition, const char *file, int line)
{
	struct timespec pause = { .tv_nsec = LOOP_MS };

	if (loop_now() - start > LOOP_PATIENCE_NS) {
		print_message("# not in time: %s\n", condition);
		_fail(file, line);
	}
	nanosleep(&pause, NULL);
}
