/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many rounds and many at once: nothing is lost, nothing is left. */
/* engines: kernel bands inproc */
/* timeout: 240 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

#define ROUNDS 10000
#define STREAMS 8
#define GROWTH_KB 700 /* 70 bytes a round would be as much */

static union lab_address to;
static int sink;

/* ---- one after the other */

/* What the kernel has taken and cannot give back, kB. */
static long kernel_memory(void)
{
	static const char *const names[] = { "SUnreclaim:", "Percpu:",
					     "VmallocUsed:" };
	char line[128], name[64];
	long kb, sum = 0;
	FILE *f;
	size_t i;

	f = fopen("/proc/meminfo", "r");
	if (!f)
		fail_msg("/proc/meminfo cannot be read");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %ld", name, &kb) != 2)
			continue;
		for (i = 0; i < LAB_COUNT(names); i++)
			if (!strcmp(name, names[i]))
				sum += kb;
	}
	if (f)
		fclose(f);
	assert_true(sum > 0);
	return sum;
}

static void attach_and_close(int rounds)
{
	int i;

	for (i = 0; i < rounds; i++)
		qclose(lab_socket(i & 1 ? AF_INET6 : AF_INET,
				  i & 2 ? SOCK_STREAM : SOCK_DGRAM, "eth0",
				  NULL));
}

/* With fewer streams than rounds, each has to come back at once. */
static void ten_thousand_rounds_leave_the_memory_as_it_was(void **state)
{
	long before;

	(void)state;
	attach_and_close(ROUNDS / 10);
	before = kernel_memory();
	attach_and_close(ROUNDS);
	lab_until(kernel_memory() - before < GROWTH_KB);
	print_message("# grown by %ld kB\n", kernel_memory() - before);
	assert_int_equal(lab_streams("eth0"), 0);
}

static void a_socket_can_be_attached_again_and_again(void **state)
{
	struct qos_params params = lab_params("eth0", NULL);
	int i, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	for (i = 0; i < ROUNDS / 10; i++) {
		assert_call_succeeds(qattach(fd, &params));
		assert_call_succeeds(qdetach(fd));
	}
	close(fd);
	assert_int_equal(lab_streams("eth0"), 0);
}

/* Those who still have a packet in the queue come back a little later. */
static void streams_that_sent_come_back_too(void **state)
{
	struct qos_params params = lab_params("eth0", NULL);
	char room[8];
	int i, fd;

	(void)state;
	for (i = 0; i < ROUNDS / 10; i++) {
		lab_until((fd = qsocket(AF_INET, SOCK_DGRAM, 0, &params)) >=
				  0 ||
			  errno != ENOSPC);
		assert_true(fd >= 0);
		lab_send(fd, "bye", 3, NULL, &to);
		qclose(fd);
	}
	for (i = 0; i < ROUNDS / 10; i++)
		assert_int_equal(lab_receive(sink, room, sizeof(room), NULL),
				 3);
	lab_until(lab_streams("eth0") == 0);
}

/* ---- many at once */

#define POOL 12 /* more than there are streams */
#define CALLERS 8
#define SENDERS 2
#define SECONDS 4

static atomic_int pool[POOL];
static atomic_int wrong; /* an errno that no call may have here */
static atomic_long calls, sent;
static int64_t end;

struct worker {
	pthread_t thread;
	uint32_t seed;
};

static uint32_t any(struct worker *w, uint32_t n)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return (w->seed >> 16) % n;
}

/* A closed one's number may be nobody's for a moment: EBADF. */
static void allow(int result, int one, int other)
{
	calls++;
	if (result < 0 && errno != one && errno != other && errno != EBADF)
		wrong = errno;
}

static void renew(struct worker *w)
{
	int fd = socket(any(w, 4) ? AF_INET : AF_INET6,
			SOCK_DGRAM | SOCK_CLOEXEC, 0);

	qclose(atomic_exchange(&pool[any(w, POOL)], fd));
}

static void call(struct worker *w)
{
	struct q_dwcs_attr attr = {
		.oln = any(w, 3),
		.old = 3,
		.ipg = any(w, 2) ? 0 : any(w, 3000),
		.stream_flags = any(w, 2) ? DWCS_NON_DROPPABLE : 0,
	};
	struct qos_params params = lab_params("eth0", &attr);
	int fd = pool[any(w, POOL)];
	struct qos_info info;

	switch (any(w, 8)) {
	case 0:
	case 1:
	case 2:
		allow(qattach(fd, &params), EALREADY, ENOSPC);
		break;
	case 3:
		allow(qdetach(fd), ENOTCONN, ENOTCONN);
		break;
	case 4:
		allow(qchange(fd, &params), ENOTCONN, ENOTCONN);
		break;
	case 5:
		allow(qinfo(fd, &info, sizeof(info)), ENOTCONN, ENOTCONN);
		break;
	case 6:
		renew(w);
		break;
	default:
		break;
	}
}

static void *caller(void *data)
{
	while (lab_now() < end)
		call(data);
	return NULL;
}

static void *sender(void *data)
{
	struct worker *w = data;
	struct packet_flags pflags;

	while (lab_now() < end) {
		pflags.drop_flag = any(w, 64);
		pflags.deadline = 0;
		if (any(w, 2))
			pflags.deadline = lab_now() - 1000000 +
					  (int64_t)any(w, 30) * 100000;
		if (qsendto(pool[any(w, POOL)], "x", 1, MSG_DONTWAIT, &to.any,
			    lab_address_size(&to), &pflags) == 1)
			sent++;
	}
	return NULL;
}

/* All streams are free again: so many can be had, and not one more. */
static void expect_all_streams(void)
{
	struct qos_params params = lab_params("eth0", NULL);
	int fds[STREAMS], i;

	for (i = 0; i < STREAMS;
	     i++) /* one's last packet may be queued still */
		lab_until((fds[i] = qsocket(AF_INET, SOCK_DGRAM, 0, &params)) >=
			  0);
	assert_call_fails(qsocket(AF_INET, SOCK_DGRAM, 0, &params), ENOSPC);
	for (i = 0; i < STREAMS; i++) {
		/* nor is one two sockets' */
		assert_int_equal(lab_info(fds[i]).sent_packets, 0);
		lab_send(fds[i], "alone", 5, NULL, &to);
		lab_until(lab_info(fds[i]).sent_packets == 1);
	}
	for (i = 0; i < STREAMS; i++)
		qclose(fds[i]);
	lab_until(lab_streams("eth0") == 0);
}

static void many_threads_may_call_while_others_send(void **state)
{
	struct worker workers[CALLERS + SENDERS];
	size_t i;

	(void)state;
	for (i = 0; i < POOL; i++)
		pool[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	end = lab_now() + SECONDS * 1000000000ll;
	for (i = 0; i < LAB_COUNT(workers); i++) {
		workers[i].seed = i;
		assert_int_equal(pthread_create(&workers[i].thread, NULL,
						i < CALLERS ? caller : sender,
						&workers[i]),
				 0);
	}
	for (i = 0; i < LAB_COUNT(workers); i++)
		pthread_join(workers[i].thread, NULL);
	print_message("# %ld calls, %ld messages\n", (long)calls, (long)sent);
	if (wrong)
		fail_msg("a call failed with %s", strerrorname_np(wrong));
	assert_true(calls > 1000);
	assert_true(sent > 100);
	for (i = 0; i < POOL; i++)
		qclose(pool[i]);
	lab_until(lab_streams("eth0") == 0);
	while (!lab_is_empty(sink)) {
		char room[8];

		lab_receive(sink, room, sizeof(room), NULL);
	}
	expect_all_streams();
}

static int set_up(void **state)
{
	static const struct qos_device device = { .streams = STREAMS };

	(void)state;
	lab_up(1);
	lab_init("eth0", &device);
	lab_be_user();
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	lab_fini("eth0");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			ten_thousand_rounds_leave_the_memory_as_it_was),
		cmocka_unit_test(a_socket_can_be_attached_again_and_again),
		cmocka_unit_test(streams_that_sent_come_back_too),
		cmocka_unit_test(many_threads_may_call_while_others_send),
	};

	return lab_run("churn", tests, set_up, tear_down);
}
