/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bands' qdisc: what is set up, in what order and how fast packets leave.
 *
 * kernels: 7.3 6.12 6.1
 * icount: 1
 */
#include <dlfcn.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab.h"
#include "lib/internal.h"

#define STATUS_SKIPPED 77
#define SEND_BUFFER (8 << 20)
#define PAYLOAD 1472 /* a packet of 1514 bytes */
#define PACKET 1514
#define SEGMENTS 40
#define PLUG 0xff /* the band of what is to be ignored */

struct message {
	unsigned char band;
	unsigned char first; /* of its band */
	char rest[PAYLOAD - 2];
};

static struct qs_htb slow = { .rate = 1000000, .mtu = 1500, .packets = 1000 };
static int fail_in; /* so many requests; 0: never */

/* Instead of the library's: requests to the kernel can fail at will. */
ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *req,
			  size_t siz)
{
	ssize_t (*real)(const struct mnl_socket *nl, const void *req,
			size_t siz);

	if (fail_in == 1) {
		fail_in = 0;
		errno = ENOBUFS;
		return -1;
	}
	if (fail_in)
		fail_in--;
	*(void **)&real = dlsym(RTLD_NEXT, "mnl_socket_sendto");
	return real(nl, req, siz);
}

/* ---- the device */

static int set_up(void **state)
{
	(void)state;
	lab_up(1);
	slow.ifindex = if_nametoindex("eth0");
	return 0;
}

/* Whatever qdisc a test has left, or none. */
static int tear_down(void **state)
{
	(void)state;
	lab_shell("tc qdisc del dev eth0 root 2>/dev/null || true");
	return 0;
}

/* What a command prints. */
static void output(const char *command, char *text, size_t size)
{
	FILE *f = popen(command, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, size - 1, f);
	text[n] = 0;
	assert_int_equal(pclose(f), 0);
}

static void qdiscs(char *text, size_t size)
{
	output("tc qdisc show dev eth0", text, size);
}

static void add(const struct qs_htb *htb)
{
	if (qs_htb_add(htb))
		fail_msg("%s", qsock_errmsg());
}

static void delete(void)
{
	assert_int_equal(qs_qdisc_del(slow.ifindex), 0);
}

/* ---- traffic */

/* A socket whose packets are of that band. */
static int open_band(int band, const union lab_address *to)
{
	int fd, size = SEND_BUFFER, class = QS_BAND_CLASS(band);

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &class,
				    sizeof(class)),
			 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size,
				    sizeof(size)),
			 0);
	assert_int_equal(connect(fd, &to->any, lab_address_size(to)), 0);
	return fd;
}

static void queue(int band, int n, const union lab_address *to)
{
	struct message m = { .band = band };
	int fd = open_band(band, to), i;

	for (i = 0; i < n; i++) {
		m.first = !i;
		assert_int_equal(send(fd, &m, sizeof(m), 0), sizeof(m));
	}
	close(fd);
}

/* One super-packet, of which the wire then has to recover for half a second. */
static void plug(const union lab_address *to)
{
	static char m[SEGMENTS * PAYLOAD];
	int fd = open_band(0, to), segment = PAYLOAD;

	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment,
				    sizeof(segment)),
			 0);
	memset(m, PLUG, sizeof(m));
	assert_int_equal(send(fd, m, sizeof(m), 0), sizeof(m));
	close(fd);
}

/* The next message's band; `when` may be NULL. */
static int receive(int sink, struct message *m, int64_t *when)
{
	do {
		assert_int_equal(lab_receive(sink, m, sizeof(*m), when),
				 sizeof(*m));
	} while (m->band == PLUG);
	return m->band;
}

/* How long n messages take that follow the first. */
static int64_t receive_all(int sink, int n)
{
	int64_t from = 0, when = 0;
	struct message m;

	receive(sink, &m, &from);
	while (n--)
		receive(sink, &m, &when);
	return when - from;
}

/* The neighbour's address is there before anything is measured. */
static void warm_up(int sink, const union lab_address *to)
{
	struct message m;

	queue(0, 1, to);
	receive(sink, &m, NULL);
}

/* ---- what is set up */

static void every_band_has_its_class(void **state)
{
	char text[8192], want[128];
	int band;

	(void)state;
	add(&slow);
	output("tc -d class show dev eth0", text, sizeof(text));
	assert_non_null(strstr(text, "class htb 5153:10 root rate 1Mbit "
				     "ceil 1Mbit linklayer ethernet "
				     "burst 1514b"));
	for (band = 0; band < QS_HTB_BANDS; band++) {
		snprintf(want, sizeof(want), "class htb 5153:%d parent 5153:10",
			 band + 1);
		assert_non_null(strstr(text, want));
		snprintf(want, sizeof(want),
			 "prio %d quantum 1514 rate %s ceil 1Mbit", band,
			 band == QS_BAND_BESTEFFORT ? "50Kbit" : "8bit");
		assert_non_null(strstr(text, want));
	}
	output("tc qdisc show dev eth0 | grep -c 'pfifo .*limit 1000p'", text,
	       sizeof(text));
	assert_true(atoi(text) >= QS_HTB_BANDS - 1);
	delete ();
}

static void rates_above_32_bits_are_kept(void **state)
{
	struct qs_htb fast = slow;
	char text[8192];

	(void)state;
	fast.rate = 100000000000ull;
	add(&fast);
	output("tc class show dev eth0", text, sizeof(text));
	assert_non_null(strstr(text, "5153:10 root rate 100Gbit ceil 100Gbit"));
	assert_non_null(strstr(text, "rate 5Gbit ceil 100Gbit"));
	delete ();
}

static void removal_leaves_the_device_as_before(void **state)
{
	char before[1024], after[1024];

	(void)state;
	qdiscs(before, sizeof(before));
	add(&slow);
	delete ();
	qdiscs(after, sizeof(after));
	assert_string_equal(before, after);
}

/* Whichever of the requests it is. */
static void a_failure_leaves_nothing(void **state)
{
	char before[1024], after[1024];
	int n, err = -1;

	(void)state;
	qdiscs(before, sizeof(before));
	for (n = 1; err && n < 100; n++) {
		fail_in = n;
		err = qs_htb_add(&slow);
		fail_in = 0;
		if (!err)
			continue;
		assert_int_equal(err, -ENOBUFS);
		qdiscs(after, sizeof(after));
		assert_string_equal(before, after);
	}
	assert_int_equal(err, 0);
	assert_true(n > 1 + 1 + QS_HTB_BANDS + QS_HTB_BANDS);
	delete ();
}

static void another_root_qdisc_stays(void **state)
{
	char before[1024], after[1024];

	(void)state;
	lab_shell("tc qdisc add dev eth0 root handle 1: pfifo");
	qdiscs(before, sizeof(before));
	assert_int_equal(qs_htb_add(&slow), -EEXIST);
	qdiscs(after, sizeof(after));
	assert_string_equal(before, after);
	assert_int_equal(qs_htb_intact(slow.ifindex), 0);
}

static void changes_by_others_are_seen(void **state)
{
	(void)state;
	assert_int_equal(qs_htb_intact(slow.ifindex), 0);
	add(&slow);
	assert_int_equal(qs_htb_intact(slow.ifindex), 1);
	lab_shell("tc class del dev eth0 classid 5153:3");
	assert_int_equal(qs_htb_intact(slow.ifindex), 0);
	lab_shell("tc class add dev eth0 parent 5153: classid 5153:3 htb "
		  "rate 1mbit");
	assert_int_equal(qs_htb_intact(slow.ifindex), 0);
	delete ();
	assert_int_equal(qs_htb_intact(slow.ifindex), 0);
}

/* ---- in what order packets leave */

#define EACH 10
#define STREAMS (QS_HTB_BANDS - 1)

/*
 * The first packet of each band is its own, for a minute. Best effort meanwhile
 * has its twentieth, one packet at a time.
 */
static void bands_go_before_those_below(void **state)
{
	int band, last = 0, streams = 0, own = 0, bulk = 0, row = 0;
	union lab_address to;
	struct message m;
	int sink;

	(void)state;
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	warm_up(sink, &to);
	add(&slow);
	plug(&to);
	queue(QS_BAND_BESTEFFORT, 3 * EACH, &to);
	for (band = STREAMS - 1; band >= 0; band--)
		queue(band, EACH, &to);
	while (streams + own < STREAMS * EACH) {
		band = receive(sink, &m, NULL);
		if (band == QS_BAND_BESTEFFORT) {
			bulk++;
			row++;
			assert_true(!streams || row < 2);
			continue;
		}
		row = 0;
		if (m.first) {
			own++;
			continue;
		}
		streams++;
		assert_true(band >= last);
		last = band;
	}
	/* 63 packets of the streams and half a second before them */
	assert_in_range(bulk, 3, 8);
	delete ();
	close(sink);
}

/* Fewer packets than CoDel drops any of. */
static void idle_bands_leave_all_to_best_effort(void **state)
{
	struct qs_htb htb = slow;
	union lab_address to;
	int sink;

	(void)state;
	htb.rate = 10000000;
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	warm_up(sink, &to);
	add(&htb);
	queue(QS_BAND_BESTEFFORT, 61, &to);
	/* At a twentieth these would be 1.45 s. */
	assert_true(receive_all(sink, 60) < 700000000);
	delete ();
	close(sink);
}

/* ---- how fast */

/* For two seconds, with a burst that makes up for a busy machine's timers. */
static void the_rate_is_kept(void **state)
{
	struct qs_htb htb = slow;
	const int burst = 20, n = 1650;
	union lab_address to;
	double rate;
	int sink;

	(void)state;
	htb.rate = 10000000;
	htb.burst = burst * PACKET;
	htb.packets = n;
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	warm_up(sink, &to);
	add(&htb);
	queue(0, n, &to);
	receive_all(sink, 2 * burst);
	rate = 8e9 * PACKET * (n - 2 * burst - 2) /
	       receive_all(sink, n - 2 * burst - 2);
	print_message("# %.0f bit/s of %llu\n", rate, htb.rate);
	assert_true(rate > 0.98 * htb.rate && rate < 1.02 * htb.rate);
	delete ();
	close(sink);
}

static void without_a_rate_nothing_limits(void **state)
{
	struct qs_htb htb = slow;
	union lab_address to;
	int sink;

	(void)state;
	htb.rate = 0;
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	warm_up(sink, &to);
	add(&htb);
	queue(QS_BAND_BESTEFFORT, 50, &to);
	queue(3, 500, &to);
	/* 10 packets a second are best effort's own. */
	assert_true(receive_all(sink, 549) < 3000000000);
	delete ();
	close(sink);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_band_has_its_class),
		TEST(rates_above_32_bits_are_kept),
		TEST(removal_leaves_the_device_as_before),
		TEST(a_failure_leaves_nothing),
		TEST(another_root_qdisc_stays),
		TEST(changes_by_others_are_seen),
		TEST(bands_go_before_those_below),
		TEST(idle_bands_leave_all_to_best_effort),
		TEST(the_rate_is_kept),
		TEST(without_a_rate_nothing_limits),
	};

	if (geteuid())
		return STATUS_SKIPPED;
	return cmocka_run_group_tests_name("htb", tests, set_up, NULL);
}
