/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What qinfo() says, beside what is known otherwise: by how the packets were
 * sent and when they arrived, or from the stack itself.
 */
/* engines: kernel bands inproc */
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <qsockets/abi.h>

#include "lab.h"

#define SEC 1000000000ll
#define MS 1000000ll
#define RATE 8000000 /* a byte a us */
#define WIRE 1000 /* bytes of a packet with its headers */
#define PAYLOAD (WIRE - 42)
#define PACKETS 100
#define PACKET_NS (WIRE * 1000ll)
#define RATE_NS (100 * MS) /* over which the rate is found, at least */

static const struct qos_device shaped = { .rate = RATE, .burst = WIRE };
static struct q_dwcs_attr free_running = { .oln = 1, .old = 2 };
/* The first unit leaves, the others wait for an hour each. */
static struct q_dwcs_attr stuck = { .oln = 1, .old = 2, .ipg = 3600000000u };

/* The neighbour is known before anything is measured. */
static int open_sink(int type, union lab_address *to)
{
	int fd = lab_sink(AF_INET, type, 0, 0, to);
	int plain = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	char room[8];

	if (type == SOCK_DGRAM) {
		lab_send(plain, "hello", 5, NULL, to);
		assert_int_equal(lab_receive(fd, room, sizeof(room), NULL), 5);
	}
	close(plain);
	return fd;
}

/* ---- delays */

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int64_t rank(const int64_t *sorted, int percent)
{
	return sorted[(PACKETS * percent + 99) / 100 - 1];
}

static int64_t mean(const int64_t *delays)
{
	int64_t sum = 0;
	int i;

	for (i = 0; i < PACKETS; i++)
		sum += delays[i];
	return sum / PACKETS;
}

/*
 * Sends what takes a tenth of a second on the wire. A packet is queued within
 * its call, and has arrived after it left: so it waited at most so long. And it
 * left after those before it, at the rate: so it waited at least so long.
 */
static void send_many(int fd, int sink, const union lab_address *to,
		      int64_t most[PACKETS], int64_t least[PACKETS])
{
	int64_t before[PACKETS], after, arrived, first = 0;
	char room[PAYLOAD] = "";
	int i;

	for (i = 0; i < PACKETS; i++) {
		before[i] = lab_real_now();
		lab_send(fd, room, sizeof(room), NULL, to);
		after = lab_real_now();
		if (!i)
			first = before[i];
		/* one packet may be early, by the burst */
		least[i] = (i - 1) * PACKET_NS - (after - first);
	}
	for (i = 0; i < PACKETS; i++) {
		lab_receive(sink, room, sizeof(room), &arrived);
		most[i] = arrived - before[i];
	}
	qsort(most, PACKETS, sizeof(*most), compare);
	qsort(least, PACKETS, sizeof(*least), compare);
}

static void check_delays(const struct qos_info *info, const int64_t *most,
			 const int64_t *least)
{
	int64_t p50 = info->delay_p50_ns, p99 = info->delay_p99_ns;
	int64_t max = info->delay_max_ns, average = info->delay_mean_ns;

	assert_true(average <= mean(most));
	assert_true(average >= mean(least));
	assert_true(max <= most[PACKETS - 1]);
	assert_true(max >= least[PACKETS - 1]);
	assert_true(p50 <= rank(most, 50) * 11 / 10);
	assert_true(p50 >= rank(least, 50) * 9 / 10);
	assert_true(p99 <= rank(most, 99) * 11 / 10);
	assert_true(p99 >= rank(least, 99) * 9 / 10);
	assert_true(p50 <= p99);
	assert_true(p99 <= max);
	assert_true((int64_t)info->delay_last_ns <= max);
}

static void delays_are_those_of_the_packets(void **state)
{
	int64_t most[PACKETS], least[PACKETS];
	struct qos_info info;
	union lab_address to;
	int sink = open_sink(SOCK_DGRAM, &to);
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &free_running);
	struct qos_params params = lab_params("eth0", &free_running);

	(void)state;
	info = lab_info(fd);
	assert_int_equal(info.delay_mean_ns, 0);
	assert_int_equal(info.delay_p50_ns, 0);
	assert_int_equal(info.delay_p99_ns, 0);
	send_many(fd, sink, &to, most, least);
	info = lab_info(fd);
	assert_int_equal(info.sent_packets, PACKETS);
	assert_int_equal(info.sent_bytes, PACKETS * WIRE);
	check_delays(&info, most, least);
	/* and nothing of that is the next attachment's */
	assert_call_succeeds(qdetach(fd));
	assert_call_succeeds(qattach(fd, &params));
	info = lab_info(fd);
	assert_int_equal(info.delay_mean_ns, 0);
	assert_int_equal(info.delay_p99_ns, 0);
	assert_int_equal(info.delay_max_ns, 0);
	qclose(fd);
	close(sink);
}

/* ---- the rate */

/* An answer, and between which times it was given. */
struct answer {
	struct qos_info info;
	int64_t from, to;
};

static struct answer ask(int fd)
{
	struct answer a;

	a.from = lab_now();
	a.info = lab_info(fd);
	a.to = lab_now();
	return a;
}

/* What was sent between the two, over the time between. */
static void check_rate(const struct answer *a, const struct answer *b)
{
	double bits = (b->info.sent_bytes - a->info.sent_bytes) * 8.0 * SEC;

	assert_true(b->info.sent_bytes > a->info.sent_bytes);
	assert_true(b->info.rate >= bits / (b->to - a->from) * 0.999);
	assert_true(b->info.rate <= bits / (b->from - a->to) * 1.001);
}

static void the_rate_is_what_was_sent_since(void **state)
{
	int64_t most[PACKETS], least[PACKETS];
	struct answer a, b, c;
	union lab_address to;
	int sink = open_sink(SOCK_DGRAM, &to);
	int64_t start = lab_now();
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &free_running);

	(void)state;
	a = ask(fd);
	assert_true(a.info.rate == 0);
	lab_pause_until(start + RATE_NS + MS);
	a = ask(fd);
	send_many(fd, sink, &to, most, least);
	lab_pause_until(a.to + RATE_NS + MS);
	b = ask(fd);
	check_rate(&a, &b);
	assert_true(b.info.rate <= RATE * 11 / 10);
	c = ask(fd);
	if (c.to - b.from < RATE_NS) /* else this machine was away */
		assert_int_equal(c.info.rate, b.info.rate);
	lab_pause_until(c.to + RATE_NS + MS);
	c = ask(fd);
	assert_int_equal(c.info.rate, 0);
	qclose(fd);
	close(sink);
}

/* ---- the stack's figures */

static uint32_t memory(int fd, int which)
{
	uint32_t all[SK_MEMINFO_VARS];
	socklen_t len = sizeof(all);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, all, &len), 0);
	return all[which];
}

static void the_send_buffer_has_what_is_queued(void **state)
{
	int size = 100000, i;
	struct qos_info info;
	union lab_address to;
	int sink = open_sink(SOCK_DGRAM, &to);
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &stuck);

	(void)state;
	assert_int_equal(lab_info(fd).sndbuf_used, 0);
	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	for (i = 0; i < 11; i++)
		lab_send(fd, "queued", 6, NULL, &to);
	lab_until(lab_info(fd).sent_packets == 1);
	lab_until(memory(fd, SK_MEMINFO_WMEM_ALLOC) ==
		  lab_info(fd).sndbuf_used);
	info = lab_info(fd);
	assert_int_equal(info.backlog_packets, 10);
	assert_int_equal(info.sndbuf, 2 * size);
	assert_int_equal(info.sndbuf, memory(fd, SK_MEMINFO_SNDBUF));
	assert_true(info.sndbuf_used > info.backlog_bytes);
	assert_int_equal(info.tcp_cwnd, 0);
	assert_int_equal(info.tcp_mss, 0);
	assert_int_equal(info.tcp_unsent, 0);
	lab_shell("ip link set eth0 down && ip link set eth0 up");
	lab_until(lab_info(fd).backlog_packets == 0);
	lab_until(lab_info(fd).sndbuf_used == 0);
	qclose(fd);
	close(sink);
}

static struct tcp_info tcp(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info;
}

static uint32_t outq(int fd)
{
	int n = -1;

	assert_int_equal(ioctl(fd, SIOCOUTQ, &n), 0);
	return n;
}

/* Nothing happened between two looks at the stack, so all three are of one. */
static int agrees_with_the_stack(int fd)
{
	struct tcp_info a = tcp(fd), b;
	uint32_t queued = outq(fd), used = memory(fd, SK_MEMINFO_WMEM_QUEUED);
	struct qos_info info = lab_info(fd);

	b = tcp(fd);
	return a.tcpi_rtt == b.tcpi_rtt && a.tcpi_rtt == info.tcp_rtt_us &&
	       a.tcpi_snd_cwnd == b.tcpi_snd_cwnd &&
	       a.tcpi_snd_cwnd == info.tcp_cwnd &&
	       a.tcpi_snd_mss == info.tcp_mss &&
	       a.tcpi_snd_wnd == info.tcp_rcv_wnd &&
	       a.tcpi_notsent_bytes == info.tcp_unsent &&
	       queued == info.tcp_unsent + info.tcp_unacked &&
	       outq(fd) == queued && used == info.sndbuf_used;
}

static int connect_to(int fd, int listener, const union lab_address *to)
{
	int peer;

	assert_int_equal(connect(fd, &to->any, lab_address_size(to)), 0);
	peer = accept(listener, NULL, NULL);
	assert_true(peer >= 0);
	return peer;
}

static char bytes[65536];

/* Writes as much as it can; was that nothing? */
static int fill(int fd, ssize_t *written)
{
	ssize_t n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0)
		assert_int_equal(errno, EAGAIN);
	else
		*written += n;
	return n < 0;
}

/* The receiver does not read: the windows fill, then the send buffer. */
static void tcp_figures_are_the_stacks(void **state)
{
	struct qos_info info;
	union lab_address to;
	int listener = open_sink(SOCK_STREAM, &to), peer;
	int fd = lab_socket(AF_INET, SOCK_STREAM, "eth0", &free_running);
	ssize_t written = 0;

	(void)state;
	info = lab_info(fd);
	assert_int_equal(info.tcp_unsent + info.tcp_unacked, 0);
	peer = connect_to(fd, listener, &to);
	lab_until(agrees_with_the_stack(fd));
	assert_int_equal(lab_info(fd).tcp_unsent, 0);
	/* what is unsent may be bounded, and then be sent */
	lab_until(fill(fd, &written) && lab_info(fd).tcp_unsent > 0);
	lab_until(agrees_with_the_stack(fd));
	info = lab_info(fd);
	assert_true(info.tcp_unsent + info.tcp_unacked <= written);
	assert_true(info.sndbuf_used >= info.tcp_unsent);
	lab_until(agrees_with_the_stack(fd));
	assert_true(lab_info(fd).tcp_rtt_us > 0);
	/* the receiver reads: all arrives, and nothing is left */
	lab_until((recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT),
		   lab_info(fd).tcp_unsent + lab_info(fd).tcp_unacked == 0));
	lab_until(agrees_with_the_stack(fd));
	qclose(fd);
	close(peer);
	close(listener);
}

static void a_connection_that_is_not_there_has_nothing_on_its_way(void **state)
{
	union lab_address nobody = { .in = { .sin_family = AF_INET,
					     .sin_port = htons(9) } };
	int fd = lab_socket(AF_INET, SOCK_STREAM, "eth0", &free_running);
	struct qos_info info;

	(void)state;
	nobody.in.sin_addr.s_addr = htonl(0xc0000263); /* 192.0.2.99 */
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(connect(fd, &nobody.any, lab_address_size(&nobody)),
			 -1);
	assert_int_equal(errno, EINPROGRESS);
	info = lab_info(fd);
	assert_int_equal(info.tcp_unsent, 0);
	assert_int_equal(info.tcp_unacked, 0);
	assert_true(info.tcp_cwnd > 0);
	qclose(fd);
	fd = lab_socket(AF_INET, SOCK_STREAM, "eth0", &free_running);
	assert_int_equal(listen(fd, 1), 0);
	info = lab_info(fd);
	assert_int_equal(info.tcp_unsent, 0);
	assert_int_equal(info.tcp_unacked, 0);
	qclose(fd);
}

/* ---- sizes and pointers */

static void every_size_is_filled_and_no_more(void **state)
{
	static unsigned char room[4096 + 1], untouched[sizeof(room)];
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &free_running);
	struct qos_info whole = lab_info(fd);
	size_t size, filled, i;

	(void)state;
	memset(untouched, 0x5a, sizeof(untouched));
	for (size = 0; size < sizeof(room); size++) {
		memcpy(room, untouched, sizeof(room));
		if (size < sizeof(whole.size)) {
			assert_call_fails(qinfo(fd, (void *)room, size),
					  EINVAL);
			assert_memory_equal(room, untouched, sizeof(room));
			continue;
		}
		assert_call_succeeds(qinfo(fd, (void *)room, size));
		filled = size < sizeof(whole) ? size : sizeof(whole);
		whole.size = filled;
		assert_memory_equal(room, &whole, filled);
		for (i = filled; i < size; i++)
			assert_int_equal(room[i], 0);
		assert_memory_equal(room + size, untouched + size,
				    sizeof(room) - size);
	}
	qclose(fd);
}

static int get(int fd, void *to, socklen_t len)
{
	return getsockopt(fd, SOL_QSOCKETS, QS_INFO, to, &len) ? errno : 0;
}

static void the_option_has_one_size(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &free_running);
	static char room[4096];
	struct qos_info info;
	socklen_t size;

	(void)state;
	assert_int_equal(get(fd, &info, sizeof(info)), 0);
	assert_int_equal(info.size, sizeof(info));
	for (size = 0; size <= sizeof(room); size++)
		if (size != sizeof(info))
			assert_int_equal(get(fd, room, size), EINVAL);
	qclose(fd);
}

static void memory_that_cannot_be_written_is_a_fault(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &free_running);
	void *page =
		mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(page != MAP_FAILED);
	assert_int_equal(get(fd, page, sizeof(struct qos_info)), EFAULT);
	assert_int_equal(get(fd, (char *)page + 4000, sizeof(struct qos_info)),
			 EFAULT);
	assert_call_fails(qinfo(fd, NULL, sizeof(struct qos_info)), EFAULT);
	assert_int_equal(lab_info(fd).state, QOS_STATE_ATTACHED);
	munmap(page, 4096);
	qclose(fd);
}

/* ---- while it changes */

#define STREAMED 2000

static int goes_on(const struct qos_info *was, const struct qos_info *is)
{
	return is->state == QOS_STATE_ATTACHED && is->size == sizeof(*is) &&
	       is->sent_packets >= was->sent_packets &&
	       is->sent_bytes >= was->sent_bytes &&
	       is->delay_max_ns >= was->delay_max_ns &&
	       is->delay_p50_ns <= is->delay_p99_ns &&
	       is->delay_p99_ns <= is->delay_max_ns;
}

/* Returns NULL if all is well. */
static void *read_until_all_is_sent(void *data)
{
	struct qos_info was = { 0 }, is;
	int64_t until = lab_now() + LAB_PATIENCE_NS;
	int *fd = data;

	while (was.sent_packets < STREAMED && lab_now() < until) {
		if (qinfo(*fd, &is, sizeof(is)) || !goes_on(&was, &is))
			return data;
		was = is;
	}
	return was.sent_packets == STREAMED ? NULL : data;
}

static void readers_see_whole_figures_while_it_sends(void **state)
{
	union lab_address to;
	int sink = open_sink(SOCK_DGRAM, &to), i;
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &free_running);
	pthread_t readers[3];
	void *wrong;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&readers[i], NULL,
						read_until_all_is_sent, &fd),
				 0);
	for (i = 0; i < STREAMED; i++)
		lab_send(fd, "some", 4, NULL, &to);
	for (i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(readers[i], &wrong), 0);
		assert_null(wrong);
	}
	qclose(fd);
	close(sink);
}

/* ---- the device */

/* Another one stays, and with it the manager. */
static void what_the_stack_says_outlives_the_device(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &free_running);
	struct qos_info info = lab_info(fd);

	(void)state;
	assert_int_equal(info.device_rate, RATE);
	assert_int_equal(info.device_reserved, 0);
	assert_int_equal(info.reserved, 0);
	assert_int_equal(info.unit_bytes, 0);
	lab_fini("eth0");
	info = lab_info(fd);
	assert_int_equal(info.state,
			 QOS_STATE_ATTACHED | QOS_STATE_DEVICE_GONE);
	assert_int_equal(info.device_rate, 0);
	assert_int_equal(info.oln, 0);
	assert_int_equal(info.delay_p99_ns, 0);
	assert_int_equal(info.sndbuf, memory(fd, SK_MEMINFO_SNDBUF));
	qclose(fd);
	lab_init("eth0", &shaped);
}

static int set_up(void **state)
{
	(void)state;
	lab_up(2);
	lab_init("eth0", &shaped);
	lab_init("eth1", &shaped);
	lab_be_user();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	lab_fini("eth0");
	lab_fini("eth1");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_are_those_of_the_packets),
		cmocka_unit_test(the_rate_is_what_was_sent_since),
		cmocka_unit_test(the_send_buffer_has_what_is_queued),
		cmocka_unit_test(tcp_figures_are_the_stacks),
		cmocka_unit_test(
			a_connection_that_is_not_there_has_nothing_on_its_way),
		cmocka_unit_test(every_size_is_filled_and_no_more),
		cmocka_unit_test(the_option_has_one_size),
		cmocka_unit_test(memory_that_cannot_be_written_is_a_fault),
		cmocka_unit_test(readers_see_whole_figures_while_it_sends),
		cmocka_unit_test(what_the_stack_says_outlives_the_device),
	};

	return lab_run("info", tests, set_up, tear_down);
}
