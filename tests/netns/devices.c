/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several devices at once, and devices that go away. */
/* engines: kernel inproc */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"

#define NSEC 1000000000ll
#define SIZE 1250 /* bytes of a message */
#define PACKET (SIZE + 8 + 20 + 14)
#define HOUR_US 3600000000u

/* What does not leave at once stays in the queue: for their period or, where nothing
 * is held back for that, as the device is so slow. */
static struct q_dwcs_attr stuck = {
	.old = 1,
	.ipg = HOUR_US,
	.stream_flags = DWCS_NON_DROPPABLE,
};
static struct qos_device settings;

/* So many: HTB lets go while there is any of its burst left. */
static unsigned int at_once(void)
{
	return lab_engine() == QOS_ENGINE_BANDS ? 2 : 1;
}

static void queue_some(int fd, const union lab_address *to)
{
	static const char message[SIZE];
	int i;

	for (i = 0; i < 5; i++)
		lab_send(fd, message, SIZE, NULL, to);
	lab_until(lab_info(fd).sent_packets == at_once());
	assert_int_equal(lab_info(fd).backlog_packets, 5 - at_once());
}

/* To nowhere. */
#define ADD_DEVICE(name)                                       \
	"ip link add " name " type veth peer name nowhere && " \
	"ip link set nowhere up && ip link set " name " up"

static void drain(int sink)
{
	static char room[2 * SIZE];

	while (!lab_is_empty(sink))
		lab_receive(sink, room, sizeof(room), NULL);
}

/* ---- two devices at once */

struct load {
	union lab_address to;
	char dev[IFNAMSIZ];
	char mark;
};

/* Keeps its stream's queue full, until it is killed. */
static int sender(void *data)
{
	const struct load *load = data;
	struct q_dwcs_attr attr = { .old = 1,
				    .stream_flags = DWCS_NON_DROPPABLE };
	struct qos_params params = lab_params(load->dev, &attr);
	static char message[SIZE];
	int fd = qsocket(AF_INET, SOCK_DGRAM, 0, &params);

	memset(message, load->mark, sizeof(message));
	while (fd >= 0 &&
	       qsendto(fd, message, sizeof(message), 0, &load->to.any,
		       lab_address_size(&load->to), NULL) == sizeof(message))
		;
	return 1;
}

struct device {
	struct qos_device settings;
	struct load load;
	int sink;
	pid_t pid;
	int64_t first, last; /* arrivals */
	int packets;
};

static void start_load(struct device *d, int n, char mark)
{
	d->sink = lab_sink(AF_INET, SOCK_DGRAM, 0, n, &d->load.to);
	d->load.mark = mark;
	d->pid = lab_fork(sender, &d->load);
}

static void stop_load(const struct device *d)
{
	kill(d->pid, SIGKILL);
	assert_int_equal(lab_join(d->pid), -SIGKILL);
}

/* Takes messages until `packets` are there or, if that is 0, until `end`. */
static void take_load(struct device *d, int packets, int64_t end)
{
	static char room[2 * SIZE];
	int64_t when;

	while (packets ? d->packets < packets : d->last < end) {
		assert_int_equal(
			lab_receive(d->sink, room, sizeof(room), &when), SIZE);
		assert_int_equal(room[0], d->load.mark);
		assert_int_equal(room[SIZE - 1], d->load.mark);
		if (!d->packets++)
			d->first = when;
		d->last = when;
	}
}

/*
 * So many packets cannot come in less time, but for a packet ahead and one's
 * time that a late timer may catch up.
 */
static void check_rate(const struct device *d)
{
	int64_t bits = (int64_t)(d->packets - 3) * PACKET * 8;

	assert_true((d->last - d->first) * (int64_t)d->settings.rate >=
		    bits * NSEC / 100 * 99);
}

/*
 * The fast one has eight times the rate: in the time in which the slow one sends
 * 50 packets it sends 400. State that they shared would have them equal.
 */
static void each_device_has_its_own_rate_and_streams(struct device *slow,
						     struct device *fast)
{
	take_load(slow, 50, 0);
	take_load(fast, 0, slow->last);
	stop_load(slow);
	stop_load(fast);
	print_message("# 50 packets beside %d\n", fast->packets);
	assert_true(fast->packets > 3 * slow->packets);
	check_rate(slow);
	check_rate(fast);
}

static void two_devices_are_scheduled_at_once(void **state)
{
	struct device slow = { .settings.rate = 1000000, .load.dev = "eth0" };
	struct device fast = { .settings.rate = 8000000, .load.dev = "eth1" };

	(void)state;
	lab_init("eth0", &slow.settings);
	lab_init("eth1", &fast.settings);
	start_load(&slow, 0, 's');
	start_load(&fast, 1, 'f');
	each_device_has_its_own_rate_and_streams(&slow, &fast);
	close(slow.sink);
	close(fast.sink);
	/* their queues leave, each by its own device */
	lab_until(lab_streams("eth0") + lab_streams("eth1") == 0);
	lab_fini("eth0");
	lab_fini("eth1");
}

/* Both are called eth0, and have the same number or not: they are two. */
static void devices_of_two_namespaces_are_two(void **state)
{
	const struct qos_device slow = { .rate = 1000000, .streams = 7 };
	const struct qos_device fast = { .rate = 8000000, .streams = 9 };
	struct q_dwcs_attr attr = { .old = 1 };
	int a, b;

	(void)state;
	lab_init("eth0", &slow);
	lab_enter_receiver();
	lab_init("eth0", &fast);
	b = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &attr);
	assert_int_equal(lab_info(b).device_rate, fast.rate);
	lab_enter_sender();
	a = lab_socket(AF_INET, SOCK_DGRAM, "", &attr);
	assert_int_equal(lab_info(a).device_rate, slow.rate);
	assert_int_equal(lab_streams("eth0"), 1);
	lab_fini("eth0");
	assert_int_equal(lab_info(a).state,
			 QOS_STATE_ATTACHED | QOS_STATE_DEVICE_GONE);
	assert_int_equal(lab_info(b).state, QOS_STATE_ATTACHED);
	lab_enter_receiver();
	lab_fini("eth0");
	lab_enter_sender();
	qclose(a);
	qclose(b);
}

/* What goes out elsewhere is best effort there. */
static void a_stream_is_of_one_device(void **state)
{
	int sink0, sink1, fd;
	union lab_address to0, to1;
	char room[8];

	(void)state;
	lab_init("eth0", &settings);
	lab_init("eth1", &settings);
	sink0 = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to0);
	sink1 = lab_sink(AF_INET, SOCK_DGRAM, 0, 1, &to1);
	fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &stuck);
	queue_some(fd, &to0);
	lab_send(fd, "other", 5, NULL, &to1);
	assert_int_equal(lab_receive(sink1, room, sizeof(room), NULL), 5);
	assert_int_equal(lab_info(fd).backlog_packets, 5 - at_once());
	assert_int_equal(lab_info(fd).sent_packets, at_once());
	qclose(fd);
	close(sink0);
	close(sink1);
	lab_fini("eth0");
	lab_fini("eth1");
}

/* Where the order of streams is kept is beyond 64 MiB, and nobody else's. */
static void a_large_device_keeps_its_memory(void **state)
{
	const struct qos_device large = { .packets = 1 << 17,
					  .streams = 100000 };
	struct q_dwcs_attr attr = { .old = 1, .ipg = 500000 };
	int sink, fd[3], i, k;
	union lab_address to;

	(void)state;
	if (lab_engine() != QOS_ENGINE_KERNEL)
		skip(); /* the others' memory is not shared */
	lab_init("eth0", &large);
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	for (i = 0; i < 3; i++) {
		fd[i] = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &attr);
		for (k = 0; k < 3; k++)
			lab_send(fd[i], "queued", 6, NULL, &to);
	}
	lab_init("eth1", &large);
	for (i = 0; i < 3; i++)
		assert_int_equal(lab_info(fd[i]).dropped_late, 0);
	for (i = 0; i < 3; i++) {
		lab_until(lab_info(fd[i]).sent_packets == 3);
		qclose(fd[i]);
	}
	close(sink);
	lab_fini("eth1");
	lab_fini("eth0");
}

/* ---- a device that goes */

static void fini_leaves_plain_sockets(void **state)
{
	struct qos_params params = lab_params("eth0", NULL);
	union lab_address to;
	char room[SIZE];
	int sink, fd;

	(void)state;
	lab_init("eth1", &settings); /* what all share goes with the last one */
	lab_init("eth0", &settings);
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &stuck);
	queue_some(fd, &to);
	assert_int_equal(lab_receive(sink, room, sizeof(room), NULL), SIZE);
	lab_fini("eth0");
	drain(sink);
	lab_send(fd, "plain", 5, NULL, &to);
	assert_int_equal(lab_receive(sink, room, sizeof(room), NULL), 5);
	lab_init("eth0", &settings);
	/* the new device is another one: nothing of the old attachment holds */
	lab_send(fd, "plain", 5, NULL, &to);
	assert_int_equal(lab_receive(sink, room, sizeof(room), NULL), 5);
	assert_true(lab_info(fd).state & QOS_STATE_DEVICE_GONE);
	assert_int_equal(lab_streams("eth0"), 0);
	assert_call_fails(qchange(fd, &params), ENODEV);
	assert_call_succeeds(qattach(fd, &params));
	assert_int_equal(lab_streams("eth0"), 1);
	lab_fini("eth0");
	lab_fini("eth1");
	assert_call_fails(qchange(fd, &params), ENOTCONN);
	lab_send(fd, "plain", 5, NULL, &to);
	assert_int_equal(lab_receive(sink, room, sizeof(room), NULL), 5);
	qclose(fd);
	close(sink);
}

static void a_link_that_goes_down_drops_its_queue(void **state)
{
	int sink, fd, closed;
	union lab_address to;
	char room[8];

	(void)state;
	lab_init("eth0", &settings);
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &stuck);
	closed = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &stuck);
	queue_some(fd, &to);
	queue_some(closed, &to);
	qclose(closed);
	/* the bands give back a stream at once */
	assert_int_equal(lab_streams("eth0"),
			 lab_engine() == QOS_ENGINE_BANDS ? 1 : 2);
	lab_shell("ip link set eth0 down");
	lab_until(lab_streams("eth0") == 1);
	assert_int_equal(lab_info(fd).backlog_packets, 0);
	assert_int_equal(lab_info(fd).backlog_units, 0);
	assert_int_equal(lab_info(fd).backlog_bytes, 0);
	lab_shell("ip link set eth0 up");
	drain(sink);
	/* it goes on as if it had been idle */
	lab_send(fd, "again", 5, NULL, &to);
	assert_int_equal(lab_receive(sink, room, sizeof(room), NULL), 5);
	lab_until(lab_info(fd).sent_packets == at_once() + 1);
	qclose(fd);
	close(sink);
	lab_until(lab_streams("eth0") == 0);
	lab_fini("eth0");
}

/* eth2 is for this. */
static void a_device_can_be_removed_with_a_queue(void **state)
{
	struct qos_params params = lab_params("eth2", &stuck);
	int sink, fd, closed;
	union lab_address to;
	struct qos_info info;

	(void)state;
	lab_init("eth2", &settings);
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 2, &to);
	fd = lab_socket(AF_INET, SOCK_DGRAM, "eth2", &stuck);
	closed = lab_socket(AF_INET, SOCK_DGRAM, "eth2", &stuck);
	queue_some(fd, &to);
	queue_some(closed, &to);
	qclose(closed);
	close(sink);
	lab_shell("ip link del eth2");

	info = lab_info(fd);
	assert_true(info.state & QOS_STATE_DEVICE_GONE);
	assert_int_equal(info.engine, QOS_ENGINE_NONE);
	assert_int_equal(info.backlog_packets, 0);
	qsendto(fd, "lost", 4, 0, &to.any, lab_address_size(&to), NULL);

	/* another one of that name, without an address */
	lab_shell(ADD_DEVICE("eth2"));
	assert_call_fails(qsocket(AF_INET, SOCK_DGRAM, 0, &params), EOPNOTSUPP);
	lab_init("eth2", &settings);
	assert_true(lab_info(fd).state & QOS_STATE_DEVICE_GONE);
	assert_int_equal(lab_streams("eth2"), 0);
	assert_call_succeeds(qattach(fd, &params));
	assert_int_equal(lab_info(fd).state, QOS_STATE_ATTACHED);
	assert_int_equal(lab_info(fd).engine, lab_engine());
	lab_shell("ip address add 203.0.113.1/24 dev eth2 && "
		  "ip neighbour add 203.0.113.2 lladdr 2:0:0:0:0:2 dev eth2");
	queue_some(fd, &to);
	qclose(fd);
	lab_fini("eth2");
	lab_shell("ip link del eth2");
}

/* A device can be another's after it was given another name. */
static void a_renamed_device_is_the_same(void **state)
{
	union lab_address to;
	int sink, fd;

	(void)state;
	lab_init("eth0", &settings);
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &stuck);
	lab_shell("ip link set eth0 down && ip link set eth0 name wan0 && "
		  "ip link set wan0 up");
	queue_some(fd, &to);
	lab_init("wan0", &settings);
	assert_string_equal(lab_info(fd).dev, "wan0");
	assert_int_equal(lab_info(fd).backlog_packets, 5 - at_once());
	lab_fini("wan0");
	qclose(fd);
	close(sink);
	lab_shell("ip link set wan0 down && ip link set wan0 name eth0 && "
		  "ip link set eth0 up");
}

/* ---- namespaces that go */

/*
 * As root of the guest, in a namespace of its own, which goes with it, once what
 * is queued has left: packets keep their socket, and sockets their namespace.
 */
static int live_in_namespace(int round)
{
	static struct q_dwcs_attr attr = { .old = 1, .ipg = 50000 };
	struct qos_params params = lab_params("gone0", &attr);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = 9 };
	const struct qos_device few = { .packets = 64, .streams = 16 };
	int fd, i;

	if (unshare(CLONE_NEWNET) ||
	    system(ADD_DEVICE(
		    "gone0") " && "
			     "ip address add 192.0.2.9/24 dev gone0 && "
			     "ip neighbour add 192.0.2.10 lladdr 2:0:0:0:0:2 "
			     "dev gone0"))
		return 1;
	params.attributes = NULL;
	if (qsockinit_device(&params, &few, sizeof(few))) {
		print_message("# round %d: %s\n", round, qsock_errmsg());
		return 2;
	}
	params.attributes = &attr;
	fd = qsocket(AF_INET, SOCK_DGRAM, 0, &params);
	to.sin_addr.s_addr = htonl(0xc000020a); /* nobody answers */
	for (i = 0; i < 5 && fd >= 0; i++)
		sendto(fd, "queued", 6, 0, (struct sockaddr *)&to, sizeof(to));
	return fd < 0 ? 3 : 0;
}

/* The devices that are known, of all namespaces. */
static int known_devices(void)
{
	glob_t found;
	size_t n;

	lab_be_root();
	glob("/sys/fs/bpf/qsockets/classifier_*", 0, NULL, &found);
	n = found.gl_pathc;
	globfree(&found);
	lab_be_user();
	return n;
}

/* The next init forgets what is gone; namespaces go in the background. */
static int init_forgets_the_gone(void)
{

	lab_init("eth0", &settings);
	return known_devices() == 1;
}

static void a_namespace_can_go_with_its_devices(void **state)
{
	int round;
	pid_t pid;

	(void)state;
	for (round = 0; round < 4; round++) {
		lab_be_root();
		fflush(NULL);
		pid = fork();
		if (!pid)
			_exit(live_in_namespace(round));
		assert_int_equal(lab_join(pid), 0);
	}
	assert_true(known_devices() >= 1);
	lab_until(init_forgets_the_gone());
	lab_fini("eth0");
	assert_int_equal(known_devices(), 0);
}

/* ---- an administrator at the qdisc */

static void a_deleted_qdisc_leaves_best_effort_until_the_next_init(void **state)
{
	union lab_address to;
	char room[8];
	int sink, fd;

	(void)state;
	lab_init("eth0", &settings);
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &stuck);
	queue_some(fd, &to);
	lab_shell("tc qdisc del dev eth0 root");
	assert_int_equal(lab_info(fd).engine, QOS_ENGINE_NONE);
	assert_int_equal(lab_info(fd).backlog_packets, 0);
	drain(sink);
	lab_send(fd, "plain", 5, NULL, &to);
	assert_int_equal(lab_receive(sink, room, sizeof(room), NULL), 5);
	lab_init("eth0", &settings);
	assert_int_equal(lab_info(fd).engine, lab_engine());
	assert_int_equal(lab_info(fd).state, QOS_STATE_ATTACHED);
	lab_send(fd, "stream", 6, NULL, &to);
	lab_until(lab_info(fd).sent_packets == at_once() + 1);
	qclose(fd);
	close(sink);
	lab_until(lab_streams("eth0") == 0);
	lab_fini("eth0");
}

static int set_up(void **state)
{
	(void)state;
	if (lab_engine() == QOS_ENGINE_BANDS) {
		settings.rate = 4000;
		stuck.ipg = 0;
	}
	lab_up(3);
	lab_be_user();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_devices_are_scheduled_at_once),
		cmocka_unit_test(devices_of_two_namespaces_are_two),
		cmocka_unit_test(a_stream_is_of_one_device),
		cmocka_unit_test(a_large_device_keeps_its_memory),
		cmocka_unit_test(fini_leaves_plain_sockets),
		cmocka_unit_test(a_link_that_goes_down_drops_its_queue),
		cmocka_unit_test(a_device_can_be_removed_with_a_queue),
		cmocka_unit_test(a_renamed_device_is_the_same),
		cmocka_unit_test(
			a_deleted_qdisc_leaves_best_effort_until_the_next_init),
		cmocka_unit_test(a_namespace_can_go_with_its_devices),
	};

	return lab_run("devices", tests, set_up, NULL);
}
