/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages on TCP: their bytes have their deadlines, however TCP cuts them up,
 * and no others do. A segment is a unit; one with a deadline that has passed is
 * late, so the counters tell which bytes had one.
 */
/* engines: kernel bands inproc */
#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <linux/tcp.h> /* which says more than netinet/tcp.h */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <qsockets/abi.h>

#include "lab.h"

#define SEC 1000000000ll
#define SOON (9 * SEC) /* later than any delay of this machine's */
#define RATE 20000000 /* bit/s of eth0: each segment is a packet of its own */
#define MESSAGE 100000

/* No rate: deadlines come with messages. Not dropped even where TCP can be. */
static struct q_dwcs_attr edf = { .stream_flags = DWCS_NON_DROPPABLE };
static struct packet_flags past = { .deadline = 1 };

static struct packet_flags due_in(int64_t ns)
{
	struct packet_flags pflags = { .deadline = lab_now() + ns };

	return pflags;
}

/* ---- a connection, and a stream of bytes that tell when they are not it */

struct connection {
	int fd, peer;
	size_t written, read;
};

static struct connection open_on(int fd, int family, int n)
{
	struct connection c = { .fd = fd };
	union lab_address to;
	int listener = lab_sink(family, SOCK_STREAM, 0, n, &to);

	if (connect(c.fd, &to.any, lab_address_size(&to)))
		fail_msg("connect: %s", strerror(errno));
	c.peer = accept(listener, NULL, NULL);
	assert_true(c.peer >= 0);
	close(listener);
	return c;
}

static struct connection open_connection(int family)
{
	return open_on(lab_socket(family, SOCK_STREAM, "eth0", &edf), family,
		       0);
}

static void close_connection(const struct connection *c)
{
	qclose(c->fd);
	close(c->peer);
}

static char byte_at(size_t at)
{
	return (at * 2654435761u) >> 13;
}

/* The stream's next bytes, not counted as written yet. */
static const char *next_bytes(const struct connection *c, size_t len)
{
	static char room[1 << 20];
	size_t i;

	assert_true(len <= sizeof(room));
	for (i = 0; i < len; i++)
		room[i] = byte_at(c->written + i);
	return room;
}

/* Reads what there is, and sees that it is the stream. */
static ssize_t read_some(struct connection *c)
{
	static char room[65536];
	ssize_t n = recv(c->peer, room, sizeof(room), MSG_DONTWAIT), i;

	for (i = 0; i < n; i++)
		if (room[i] != byte_at(c->read + i))
			fail_msg("byte %zu of the stream is wrong",
				 c->read + i);
	if (n > 0)
		c->read += n;
	return n;
}

static struct tcp_info tcp_info(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info;
}

/*
 * Until all that was written has arrived, and is acknowledged. On two CPUs poll()
 * may be a moment ahead of the bytes.
 */
static void read_all(struct connection *c)
{
	struct pollfd poll_for = { .fd = c->peer, .events = POLLIN };

	while (c->read < c->written) {
		if (poll(&poll_for, 1, LAB_PATIENCE_NS / 1000000) != 1)
			fail_msg("no data arrives");
		assert_true(read_some(c) > 0 || errno == EAGAIN);
	}
	assert_int_equal(read_some(c), -1);
	lab_until(!tcp_info(c->fd).tcpi_unacked);
}

static void write_all(struct connection *c, size_t len,
		      struct packet_flags *pflags)
{
	ssize_t n = qsend(c->fd, next_bytes(c, len), len, 0, pflags);

	if (n < 0)
		lab_fail_call("qsend()", __FILE__, __LINE__);
	assert_int_equal(n, len);
	c->written += len;
}

/* What one write and all that TCP made of it are for the scheduler. */
struct made {
	uint64_t units, late;
};

static struct made units_of(struct connection *c, size_t len,
			    struct packet_flags *pflags)
{
	struct qos_info before = lab_info(c->fd), after;
	struct made made;

	write_all(c, len, pflags);
	read_all(c);
	after = lab_info(c->fd);
	assert_int_equal(after.dropped_late, 0);
	assert_int_equal(after.dropped_overflow, 0);
	assert_int_equal(after.dropped_frame, 0);
	made.units = after.sent_units - before.sent_units;
	made.late = after.late_units - before.late_units;
	return made;
}

static void expect_late(struct connection *c, size_t len)
{
	struct made made = units_of(c, len, &past);

	assert_true(made.units > 0);
	assert_int_equal(made.late, made.units);
}

static void expect_in_time(struct connection *c, size_t len,
			   struct packet_flags *pflags)
{
	assert_int_equal(units_of(c, len, pflags).late, 0);
}

/* ---- deadlines */

static void keeps_its_deadline(int family)
{
	struct connection c = open_connection(family);
	struct packet_flags soon = due_in(SOON);
	struct made made;

	made = units_of(&c, MESSAGE, &past);
	if (lab_engine() == QOS_ENGINE_INPROC) /* above all segments */
		assert_int_equal(made.units, 1);
	else
		assert_true(made.units >= 20);
	assert_int_equal(made.late, made.units);
	expect_in_time(&c, MESSAGE, NULL);
	expect_in_time(&c, MESSAGE, &soon);
	expect_late(&c, MESSAGE);
	close_connection(&c);
}

static void a_message_keeps_its_deadline_in_every_segment(void **state)
{
	(void)state;
	keeps_its_deadline(AF_INET);
	keeps_its_deadline(AF_INET6);
}

/* Not shaped: TCP hands over as much as 64 KiB at once. */
static void a_message_keeps_its_deadline_in_super_packets(void **state)
{
	struct connection c = open_on(
		lab_socket(AF_INET, SOCK_STREAM, "eth1", &edf), AF_INET, 1);
	struct made made;
	int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		made = units_of(&c, 4 * MESSAGE, &past);
		assert_int_equal(made.late, made.units);
		assert_true(made.units < 4 * MESSAGE / 1460);
		expect_in_time(&c, 4 * MESSAGE, NULL);
	}
	close_connection(&c);
}

/* By how much a's message had arrived when b's was complete, of 1000. */
static size_t share_when_the_other_is_complete(int64_t a_ns, int64_t b_ns)
{
	struct connection a = open_connection(AF_INET);
	struct connection b = open_connection(AF_INET);
	struct packet_flags of_a = due_in(a_ns), of_b = due_in(b_ns);
	int size = 2 << 20;
	size_t share;

	assert_int_equal(setsockopt(a.fd, SOL_SOCKET, SO_SNDBUF, &size,
				    sizeof(size)),
			 0);
	assert_int_equal(setsockopt(b.fd, SOL_SOCKET, SO_SNDBUF, &size,
				    sizeof(size)),
			 0);
	write_all(&a, 2 * MESSAGE, &of_a);
	write_all(&b, 2 * MESSAGE, &of_b);
	while (b.read < b.written) {
		read_some(&a);
		read_some(&b);
	}
	share = a.read * 1000 / a.written;
	read_all(&a);
	close_connection(&a);
	close_connection(&b);
	return share;
}

/* Of bands, some segments of both come into the same. */
static void the_message_that_is_due_first_goes_first(void **state)
{
	size_t urgent = share_when_the_other_is_complete(9 * SEC, 5 * SEC);
	size_t other = share_when_the_other_is_complete(5 * SEC, 9 * SEC);

	(void)state;
	print_message("# %zu and %zu of 1000\n", urgent, other);
	assert_true(urgent < 700);
	if (lab_engine() == QOS_ENGINE_BANDS)
		assert_true(other > 750);
	else
		assert_int_equal(other, 1000);
}

/* Bytes that are in no hurry, and a message that is: it cannot overtake. */
static void an_urgent_message_does_not_overtake_its_connection(void **state)
{
	struct connection c = open_connection(AF_INET);
	struct packet_flags soon = due_in(SOON);
	int i;

	(void)state;
	for (i = 0; i < 40; i++) {
		write_all(&c, 5000, i % 2 ? &soon : NULL);
		write_all(&c, 3000, &past);
	}
	read_all(&c);
	assert_true(lab_info(c.fd).late_units > 0);
	assert_int_equal(tcp_info(c.peer).tcpi_rcv_ooopack, 0);
	assert_int_equal(tcp_info(c.fd).tcpi_total_retrans, 0);
	close_connection(&c);
}

/* ---- which bytes */

static void only_what_was_written_has_the_deadline(void **state)
{
	struct connection c = open_connection(AF_INET);
	size_t len = 1 << 20;
	ssize_t n;
	int i;

	(void)state;
	fcntl(c.fd, F_SETFL, O_NONBLOCK);
	for (i = 0; i < 3; i++) {
		n = qsend(c.fd, next_bytes(&c, len), len, 0, &past);
		assert_in_range(n, 1, len - 1); /* the buffer is smaller */
		c.written += n;
		n = qsend(c.fd, next_bytes(&c, len), len, 0, &past);
		if (n > 0)
			c.written += n;
		else
			assert_int_equal(errno, EAGAIN);
		read_all(&c);
		assert_true(lab_info(c.fd).late_units > 0);
		expect_in_time(&c, MESSAGE / 10, NULL);
		expect_in_time(&c, MESSAGE / 10, NULL);
		expect_late(&c, MESSAGE / 10);
	}
	close_connection(&c);
}

static ssize_t send_many(struct connection *c, struct packet_flags *pflags,
			 size_t len)
{
	struct qmmsghdr msgs[4] = { 0 };
	const char *bytes = next_bytes(c, 4 * len);
	struct iovec iov[4];
	ssize_t sum = 0;
	int i, n;

	for (i = 0; i < 4; i++) {
		iov[i].iov_base = (void *)(bytes + i * len);
		iov[i].iov_len = len;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		if (pflags && i % 2)
			msgs[i].flags = *pflags;
	}
	n = qsendmmsg(c->fd, msgs, 4, 0);
	for (i = 0; i < n; i++)
		sum += msgs[i].msg_len;
	return n < 0 ? n : sum;
}

static ssize_t send_by(int how, struct connection *c,
		       struct packet_flags *pflags, size_t len)
{
	struct iovec iov[2] = { { .iov_base = (void *)next_bytes(c, len),
				  .iov_len = len / 3 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	iov[1].iov_base = (char *)iov[0].iov_base + len / 3;
	iov[1].iov_len = len - len / 3;
	switch (how) {
	case 0:
		return send(c->fd, iov[0].iov_base, len, 0);
	case 1:
		return qsend(c->fd, iov[0].iov_base, len, 0, pflags);
	case 2:
		return qsendmsg(c->fd, &msg, 0, pflags);
	default:
		return send_many(c, pflags, len / 4 + 1);
	}
}

/* All calls, with deadlines of all kinds; the peer reads at times. */
static void mix(struct connection *c, unsigned int seed, int writes)
{
	struct packet_flags kinds[] = { { 0 }, past, due_in(SOON), past };
	int i, how;
	ssize_t n;

	kinds[3].drop_flag = QSOCK_FRAME_START | QSOCK_PRIO(3);
	for (i = 0; i < writes; i++) {
		seed = seed * 1103515245 + 12345;
		how = seed >> 28 & 3;
		n = send_by(how, c, &kinds[seed >> 24 & 3],
			    1 + (seed >> 8) % (how ? 9000 : 3000));
		if (n > 0)
			c->written += n;
		else
			assert_int_equal(errno, EAGAIN);
		if (n <= 0 || !(seed >> 20 & 7))
			while (read_some(c) > 0)
				;
	}
}

static void mixing_calls_keeps_the_stream(void **state)
{
	struct connection c = open_connection(AF_INET);
	struct qos_info info;

	(void)state;
	mix(&c, 1, 300);
	fcntl(c.fd, F_SETFL, O_NONBLOCK);
	mix(&c, 2, 2000);
	read_all(&c);
	info = lab_info(c.fd);
	print_message("# %zu bytes, %llu units, %llu late\n", c.read,
		      (unsigned long long)info.sent_units,
		      (unsigned long long)info.late_units);
	assert_int_equal(info.dropped_late, 0);
	assert_true(info.late_units > 0);
	assert_true(info.late_units < info.sent_units);
	fcntl(c.fd, F_SETFL, 0);
	expect_in_time(&c, MESSAGE, NULL);
	expect_late(&c, MESSAGE);
	close_connection(&c);
}

/* What is written after a message that was cut short would be taken for its rest. */
static void a_short_message_is_the_last_of_its_call(void **state)
{
	struct connection c = open_connection(AF_INET);
	struct packet_flags none = { 0 };
	struct qmmsghdr msgs[2] = { 0 };
	struct iovec iov[3] = { 0 };
	int flagged;

	(void)state;
	iov[0].iov_len = MESSAGE;
	iov[1].iov_len = iov[2].iov_len = 1000;
	msgs[0].msg_hdr.msg_iov = iov;
	msgs[0].msg_hdr.msg_iovlen = 2; /* the second part cannot be read */
	msgs[1].msg_hdr.msg_iov = iov + 2;
	msgs[1].msg_hdr.msg_iovlen = 1;
	for (flagged = 0; flagged < 4; flagged++) {
		iov[0].iov_base = (void *)next_bytes(&c, MESSAGE + 1000);
		iov[2].iov_base = (char *)iov[0].iov_base + MESSAGE;
		msgs[0].flags = flagged & 1 ? past : none;
		msgs[1].flags = flagged & 2 ? past : none;
		assert_int_equal(qsendmmsg(c.fd, msgs, 2, 0), 1);
		assert_in_range(msgs[0].msg_len, 1, MESSAGE);
		c.written += msgs[0].msg_len;
		read_all(&c);
	}
	close_connection(&c);
}

static void several_messages_of_one_call_have_their_own(void **state)
{
	struct connection c = open_connection(AF_INET);
	struct qos_info info;
	int one = 1;

	(void)state;
	assert_int_equal(setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one,
				    sizeof(one)),
			 0);
	/* of each two the second is late, and so is what shares its packet */
	assert_int_equal(send_many(&c, &past, 20000), 80000);
	c.written += 80000;
	read_all(&c);
	info = lab_info(c.fd);
	assert_in_range(info.late_units, 40000 / 1460,
			info.sent_units - 20000 / 1460);
	close_connection(&c);
}

/* ---- losses */

/* If a random number is a multiple, drop: as BPF, which kernels of all kinds have. */
static void lose_at_receiver(int one_in)
{
	lab_enter_receiver();
	if (one_in)
		lab_shell("tc qdisc add dev eth0 clsact && "
			  "tc filter add dev eth0 ingress protocol ip bpf da "
			  "bytecode '5,32 0 0 4294963256,148 0 0 %d,"
			  "21 0 1 0,6 0 0 2,6 0 0 0'",
			  one_in);
	else
		lab_shell("tc qdisc del dev eth0 clsact");
	lab_enter_sender();
}

static void what_is_sent_again_has_its_deadline(void **state)
{
	struct connection c = open_connection(AF_INET);
	int i;

	(void)state;
	lose_at_receiver(20);
	for (i = 0; i < 5 || (!tcp_info(c.fd).tcpi_total_retrans && i < 100);
	     i++)
		expect_late(&c, MESSAGE);
	assert_true(tcp_info(c.fd).tcpi_total_retrans > 0);
	for (i = 0; i < 5; i++)
		expect_in_time(&c, MESSAGE, NULL);
	print_message("# %u sent again\n", tcp_info(c.fd).tcpi_total_retrans);
	mix(&c, 3, 200);
	read_all(&c);
	lose_at_receiver(0);
	assert_int_equal(lab_info(c.fd).dropped_late, 0);
	close_connection(&c);
}

static int mark(int fd, const struct qs_mark *mark, socklen_t len)
{
	return setsockopt(fd, SOL_QSOCKETS, QS_MARK, mark, len);
}

/* None of them is acknowledged meanwhile: the others have no deadline. */
static void more_messages_than_can_be_marked_arrive(void **state)
{
	struct qs_mark another = { .tx = 256, .len = 1 };
	struct connection c = open_connection(AF_INET);
	int i;

	(void)state;
	lose_at_receiver(1);
	for (i = 0; i < QS_MARKS; i++)
		write_all(&c, 1 + i, &past);
	assert_int_equal(mark(c.fd, &another, sizeof(another)), -1);
	assert_int_equal(errno, ENOBUFS);
	for (i = 0; i < QS_MARKS; i++)
		write_all(&c, 1 + i, &past);
	lose_at_receiver(0);
	read_all(&c);
	assert_int_equal(lab_info(c.fd).dropped_overflow, 0);
	expect_in_time(&c, MESSAGE, NULL);
	expect_late(&c, MESSAGE);
	close_connection(&c);
}

/* ---- what became of them */

static int watch_connection(const struct connection *c)
{
	int watch = qwatch(c->fd, NULL);

	if (watch < 0)
		lab_fail_call("qwatch()", __FILE__, __LINE__);
	return watch;
}

static struct qos_message with_cookie(uint32_t cookie, uint64_t deadline)
{
	struct qos_message m = {
		.flags = { .drop_flag = QSOCK_MESSAGE, .deadline = deadline },
		.size = sizeof(m),
		.fields = QOS_MESSAGE_COOKIE,
		.cookie = cookie,
	};

	return m;
}

static void write_with_cookie(struct connection *c, size_t len, uint32_t cookie,
			      uint64_t deadline)
{
	struct qos_message m = with_cookie(cookie, deadline);

	write_all(c, len, &m.flags);
}

static void expect_fate(const struct connection *c, uint32_t kind,
			uint32_t cookie)
{
	struct qos_fate fate;

	lab_until(qfates(c->fd, -1, &fate, 1) == 1);
	assert_int_equal(fate.cookie, cookie);
	assert_int_equal(fate.kind, kind);
}

/* The next one, for which poll() is trusted to wake. */
static void expect_woken(const struct connection *c, int watch, uint32_t cookie)
{
	struct pollfd p = { .fd = watch, .events = POLLIN };
	struct qos_fate fate;
	int n = 0;

	while (!n) {
		if (poll(&p, 1, LAB_PATIENCE_NS / 1000000) != 1)
			fail_msg("no fate comes");
		n = qfates(c->fd, watch, &fate, 1);
		assert_true(n >= 0);
	}
	assert_int_equal(fate.cookie, cookie);
}

static void expect_no_fate(const struct connection *c)
{
	struct qos_fate fate;

	assert_int_equal(qfates(c->fd, -1, &fate, 1), 0);
}

/* Large ones, and small ones that would share a segment; and sent again. */
static void every_message_with_a_cookie_has_one_fate(void **state)
{
	static const size_t lens[] = { 1, 10, 1000, 2, 3, 20000, 4 };
	struct connection c = open_connection(AF_INET6);
	int watch = watch_connection(&c), i;
	uint32_t cookie = 0xfffffff0;

	(void)state;
	for (i = 0; i < 70; i++) {
		write_with_cookie(&c, lens[i % LAB_COUNT(lens)], cookie + i,
				  i % 2 ? 1 : 0);
		if (i % 5 == 0)
			write_all(&c, 100, i % 2 ? &past : NULL);
	}
	read_all(&c);
	for (i = 0; i < 70; i++) {
		struct qos_fate fate;

		lab_until(qfates(c.fd, watch, &fate, 1) == 1);
		assert_int_equal(fate.cookie, cookie + i);
		if (i % 2)
			assert_int_equal(fate.kind, QOS_FATE_LATE);
	}
	expect_no_fate(&c);
	close(watch);
	close_connection(&c);
}

/* Nor is the socket itself in error then. */
static void a_fate_wakes_who_waits(void **state)
{
	struct connection c = open_connection(AF_INET);
	struct pollfd p = { .fd = c.fd, .events = POLLIN };
	int watch = watch_connection(&c), i;

	(void)state;
	for (i = 0; i < 20; i++) {
		write_with_cookie(&c, i % 3 ? 100 : MESSAGE, i, 0);
		expect_woken(&c, watch, i);
		read_all(&c);
	}
	expect_no_fate(&c);
	assert_int_equal(poll(&p, 1, 0), 0);
	close(watch);
	close_connection(&c);
}

static void a_message_is_late_or_in_time_by_its_last_byte(void **state)
{
	struct connection c = open_connection(AF_INET);
	int watch = watch_connection(&c);

	(void)state;
	write_with_cookie(&c, MESSAGE, 1, 1);
	read_all(&c);
	expect_fate(&c, QOS_FATE_LATE, 1);
	write_with_cookie(&c, MESSAGE, 2, lab_now() + SOON);
	read_all(&c);
	expect_fate(&c, QOS_FATE_SENT, 2);
	write_with_cookie(&c, MESSAGE, 3, 0);
	read_all(&c);
	expect_fate(&c, QOS_FATE_SENT, 3);
	expect_no_fate(&c);
	close(watch);
	close_connection(&c);
}

static void a_message_that_is_sent_again_has_one_fate(void **state)
{
	struct connection c = open_connection(AF_INET);
	int watch = watch_connection(&c), i;

	(void)state;
	lose_at_receiver(6);
	for (i = 0; i < 100; i++)
		write_with_cookie(&c, 1 + i, i, 0);
	read_all(&c);
	lose_at_receiver(0);
	assert_true(tcp_info(c.fd).tcpi_total_retrans > 0);
	for (i = 0; i < 100; i++)
		expect_fate(&c, QOS_FATE_SENT, i);
	expect_no_fate(&c);
	close(watch);
	close_connection(&c);
}

/*
 * The fate is that of what was written; of nothing there is none. Where it drains
 * as fast as it fills, there is an end before too many are not acknowledged.
 */
static void a_short_write_has_a_fate(void **state)
{
	struct connection c = open_connection(AF_INET);
	struct qos_message m = with_cookie(1, 0);
	int watch = watch_connection(&c);
	size_t len = 1 << 20;
	ssize_t n;

	(void)state;
	fcntl(c.fd, F_SETFL, O_NONBLOCK);
	n = qsend(c.fd, next_bytes(&c, len), len, 0, &m.flags);
	assert_in_range(n, 1, len - 1);
	c.written += n;
	m.cookie++;
	while (m.cookie < QS_MARKS / 2 &&
	       (n = qsend(c.fd, next_bytes(&c, len), len, 0, &m.flags)) > 0) {
		c.written += n;
		m.cookie++;
	}
	assert_true(n > 0 || errno == EAGAIN);
	read_all(&c);
	write_with_cookie(&c, 1, 1000, 0);
	read_all(&c);
	for (n = 1; n < m.cookie; n++)
		expect_fate(&c, QOS_FATE_SENT, n);
	expect_fate(&c, QOS_FATE_SENT, 1000);
	expect_no_fate(&c);
	close(watch);
	close_connection(&c);
}

/* ---- threads */

struct writer {
	int fd;
	char byte;
	struct packet_flags *pflags;
};

#define WRITES 300

static void *write_bytes(void *data)
{
	const struct writer *w = data;
	char room[2000];
	ssize_t n;
	int i;

	memset(room, w->byte, sizeof(room));
	for (i = 0; i < WRITES; i++) {
		n = qsend(w->fd, room, 1 + i * 6, 0, w->pflags);
		if (n != 1 + i * 6)
			return data;
	}
	return NULL;
}

static void threads_may_write_at_the_same_time(void **state)
{
	struct connection c = open_connection(AF_INET);
	struct packet_flags soon = due_in(SOON);
	struct writer writers[4] = { { c.fd, 'a', NULL },
				     { c.fd, 'b', &past },
				     { c.fd, 'c', &soon },
				     { c.fd, 'd', &past } };
	size_t expected = WRITES + 6 * WRITES * (WRITES - 1) / 2, sum = 0;
	size_t found[4] = { 0 };
	static char room[65536];
	pthread_t threads[4];
	void *failed;
	ssize_t n, i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_bytes,
						&writers[i]),
				 0);
	while (sum < 4 * expected) {
		n = lab_receive(c.peer, room, sizeof(room), NULL);
		assert_true(n > 0);
		for (i = 0; i < n; i++) {
			assert_in_range(room[i], 'a', 'd');
			found[room[i] - 'a']++;
		}
		sum += n;
	}
	for (i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
		assert_int_equal(found[i], expected);
	}
	assert_true(lab_is_empty(c.peer));
	/* no mark is left over for who writes next */
	c.written = c.read = 0;
	read_all(&c);
	expect_in_time(&c, MESSAGE, NULL);
	close_connection(&c);
}

/* ---- sockets that are not such */

static void a_plain_socket_takes_deadlines_without_effect(void **state)
{
	struct connection c =
		open_on(socket(AF_INET, SOCK_STREAM, 0), AF_INET, 0);

	(void)state;
	write_all(&c, MESSAGE, &past);
	read_all(&c);
	assert_int_equal(send_many(&c, &past, 5000), 20000);
	c.written += 20000;
	read_all(&c);
	close_connection(&c);
	/* also once it was attached */
	c = open_connection(AF_INET);
	expect_late(&c, MESSAGE);
	assert_call_succeeds(qdetach(c.fd));
	write_all(&c, MESSAGE, &past);
	read_all(&c);
	close_connection(&c);
}

static void a_socket_that_is_not_connected_gives_the_plain_error(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_STREAM, "eth0", &edf), error;
	struct connection c;

	(void)state;
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	error = errno;
	assert_call_fails(qsend(fd, "x", 1, MSG_NOSIGNAL, &past), error);
	c = open_on(fd, AF_INET, 0);
	expect_late(&c, MESSAGE);
	assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
	assert_call_fails(qsend(c.fd, "x", 1, MSG_NOSIGNAL, &past), EPIPE);
	close_connection(&c);
}

static void a_listening_socket_gives_the_plain_error(void **state)
{
	int fd = lab_socket(AF_INET, SOCK_STREAM, "eth0", &edf), error;

	(void)state;
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	error = errno;
	assert_call_fails(qsend(fd, "x", 1, MSG_NOSIGNAL, &past), error);
	qclose(fd);
}

/* Else the next message's bits went with SCM_TXTIME, and nowhere. */
static void a_deadline_sets_no_option(void **state)
{
	struct connection c = open_connection(AF_INET);
	struct sock_txtime txtime = { 0 };
	socklen_t len = sizeof(txtime);

	(void)state;
	expect_late(&c, 1);
	assert_int_equal(send_many(&c, &past, 100), 400);
	c.written += 400;
	read_all(&c);
	assert_int_equal(getsockopt(c.fd, SOL_SOCKET, SO_TXTIME, &txtime, &len),
			 0);
	assert_int_equal(txtime.clockid,
			 CLOCK_REALTIME); /* which says: unset */
	expect_late(&c, 1);
	close_connection(&c);
}

/* As a program that does not use the library may say it. */
static void a_bad_mark_is_refused(void **state)
{
	struct connection c = open_connection(AF_INET);
	int udp = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &edf);
	struct qs_mark marks[2] = { { .tx = 256, .len = 100 } };

	(void)state;
	assert_int_equal(mark(c.fd, marks, sizeof(*marks)), 0);
	assert_int_equal(mark(c.fd, marks, sizeof(*marks) - 4), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(mark(c.fd, marks, sizeof(*marks) + 4), -1);
	assert_int_equal(errno, EINVAL);
	marks->zero = 1;
	assert_int_equal(mark(c.fd, marks, sizeof(*marks)), -1);
	assert_int_equal(errno, EINVAL);
	marks->zero = 0;
	marks->len = QS_MARK_MAX + 1;
	assert_int_equal(mark(c.fd, marks, sizeof(*marks)), -1);
	assert_int_equal(errno, EINVAL);
	marks->len = 1;
	assert_int_equal(mark(udp, marks, sizeof(*marks)), -1);
	assert_int_equal(errno, EPROTOTYPE);
	qclose(udp);
	close_connection(&c);
}

static int set_up(void **state)
{
	struct qos_device device = { 0 };

	(void)state;
	lab_up(2);
	lab_init("eth1", &device);
	device.rate = RATE;
	lab_init("eth0", &device);
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
		cmocka_unit_test(a_message_keeps_its_deadline_in_every_segment),
		cmocka_unit_test(a_message_keeps_its_deadline_in_super_packets),
		cmocka_unit_test(the_message_that_is_due_first_goes_first),
		cmocka_unit_test(
			an_urgent_message_does_not_overtake_its_connection),
		cmocka_unit_test(only_what_was_written_has_the_deadline),
		cmocka_unit_test(mixing_calls_keeps_the_stream),
		cmocka_unit_test(a_short_message_is_the_last_of_its_call),
		cmocka_unit_test(several_messages_of_one_call_have_their_own),
		cmocka_unit_test(what_is_sent_again_has_its_deadline),
		cmocka_unit_test(more_messages_than_can_be_marked_arrive),
		cmocka_unit_test(every_message_with_a_cookie_has_one_fate),
		cmocka_unit_test(a_fate_wakes_who_waits),
		cmocka_unit_test(a_message_is_late_or_in_time_by_its_last_byte),
		cmocka_unit_test(a_message_that_is_sent_again_has_one_fate),
		cmocka_unit_test(a_short_write_has_a_fate),
		cmocka_unit_test(threads_may_write_at_the_same_time),
		cmocka_unit_test(a_plain_socket_takes_deadlines_without_effect),
		cmocka_unit_test(
			a_socket_that_is_not_connected_gives_the_plain_error),
		cmocka_unit_test(a_listening_socket_gives_the_plain_error),
		cmocka_unit_test(a_deadline_sets_no_option),
		cmocka_unit_test(a_bad_mark_is_refused),
	};

	return lab_run("tcp_messages", tests, set_up, tear_down);
}
