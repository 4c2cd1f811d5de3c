/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can go wrong around the in-process engine: limits, a container's
 * restrictions, peers that go, an exit with a long queue. Each is an error that
 * says so, or no error at all, and never a hang. Limits are a child's alone.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/loop.h"

static struct q_dwcs_attr edf;
static struct q_dwcs_attr paced = {
	.ipg = 20000,
	.stream_flags = DWCS_NON_DROPPABLE,
};

/* In the child: ends it with the line's number, which the parent prints. */
#define child_assert(condition)                \
	do {                                   \
		if (!(condition))              \
			_exit(__LINE__ % 255); \
	} while (0)

static void expect_success(pid_t child)
{
	int status = -1;

	assert_int_equal(waitpid(child, &status, 0), child);
	if (status)
		fail_msg("the child ended with status 0x%x", status);
}

static void limit(int resource, rlim_t n)
{
	struct rlimit r;

	child_assert(!getrlimit(resource, &r));
	r.rlim_cur = n;
	child_assert(!setrlimit(resource, &r));
}

/* ---- limits */

/* In a process that has no thread of the engine yet. */
static void without_a_thread_nothing_attaches(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at);
	pid_t child = fork();

	(void)state;
	if (!child) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);
		struct rlimit r;

		child_assert(!getrlimit(RLIMIT_NPROC, &r));
		limit(RLIMIT_NPROC, 1);
		child_assert(loop_attach(fd, &edf) == -1);
		child_assert(errno == ENOMEM);
		child_assert(strstr(qsock_errmsg(), "thread"));
		limit(RLIMIT_NPROC, r.rlim_max);
		child_assert(!loop_attach(fd, &edf));
		_exit(0);
	}
	expect_success(child);
	close(sink);
}

/* A child of fork() starts its thread when it first has to queue. */
static void without_a_thread_nothing_is_queued(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &paced);
	pid_t child = fork();

	(void)state;
	if (!child) {
		struct rlimit r;

		child_assert(!getrlimit(RLIMIT_NPROC, &r));
		limit(RLIMIT_NPROC, 1);
		child_assert(qsend(fd, "a", 1, 0, NULL) == 1); /* at once */
		child_assert(qsend(fd, "b", 1, 0, NULL) == -1);
		child_assert(errno == ENOMEM);
		limit(RLIMIT_NPROC, r.rlim_max);
		child_assert(qsend(fd, "c", 1, 0, NULL) == 1);
		exit(0);
	}
	loop_expect(sink, "ac");
	expect_success(child);
	qclose(fd);
	close(sink);
}

static void without_descriptors_calls_say_so(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &paced);
	pid_t child;

	(void)state;
	loop_send(fd, '0', 1, 0, 0);
	loop_expect(sink, "0");
	child = fork();
	if (!child) {
		int other = socket(AF_INET, SOCK_DGRAM, 0);

		/* the engine's own are open */
		child_assert(qsend(fd, "a", 1, 0, NULL) == 1);
		child_assert(qsend(fd, "b", 1, 0, NULL) == 1);
		while (loop_info(fd).backlog_packets)
			usleep(1000);
		usleep(50000);
		limit(RLIMIT_NOFILE, other + 1);
		child_assert(qsend(fd, "c", 1, 0, NULL) == 1);
		child_assert(qsend(fd, "d", 1, 0, NULL) == -1);
		child_assert(errno == EMFILE);
		child_assert(*qsock_errmsg());
		child_assert(qwatch(fd, NULL) == -1 && errno == EMFILE);
		child_assert(!loop_attach(other, &edf));
		child_assert(loop_info(fd).sent_packets == 4);
		_exit(0);
	}
	loop_expect(sink, "abc");
	expect_success(child);
	qclose(fd);
	close(sink);
}

/* ---- a container */

/* What Docker's default profile keeps from who has no capability. */
static const int denied[] = {
	SYS_acct,
	SYS_add_key,
	SYS_bpf,
	SYS_clock_adjtime,
	SYS_clock_settime,
	SYS_delete_module,
	SYS_finit_module,
	SYS_get_mempolicy,
	SYS_init_module,
	SYS_io_uring_enter,
	SYS_io_uring_register,
	SYS_io_uring_setup,
	SYS_kcmp,
	SYS_kexec_file_load,
	SYS_kexec_load,
	SYS_keyctl,
	SYS_mbind,
	SYS_mount,
	SYS_move_pages,
	SYS_open_by_handle_at,
	SYS_perf_event_open,
	SYS_pivot_root,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_quotactl,
	SYS_reboot,
	SYS_request_key,
	SYS_set_mempolicy,
	SYS_setns,
	SYS_settimeofday,
	SYS_swapoff,
	SYS_swapon,
	SYS_umount2,
	SYS_unshare,
	SYS_userfaultfd,
	SYS_vhangup,
};
#define DENIED (sizeof(denied) / sizeof(denied[0]))

static void confine(void)
{
	struct sock_filter filter[2 * DENIED + 2];
	struct sock_fprog program = { .filter = filter };
	size_t k, n = 0;

	filter[n++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (k = 0; k < DENIED; k++) {
		filter[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, denied[k], 0, 1);
		filter[n++] = (struct sock_filter)BPF_STMT(
			BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	}
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						   SECCOMP_RET_ALLOW);
	program.len = n;
	child_assert(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	child_assert(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
	child_assert(syscall(SYS_bpf, 0, NULL, 0) == -1 && errno == EPERM);
}

/* All of it: what is sent at once, what the thread sends, TCP, fates, the end. */
static void a_container_is_enough(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at);
	pid_t child = fork();

	(void)state;
	if (!child) {
		struct qos_fate fate;
		int fd, tcp[2];
		char byte;

		limit(RLIMIT_MEMLOCK, 0);
		confine();
		qsockfini("inproc");
		loop_init("vds", 100000000, 0);
		fd = loop_sender(&at, &paced);
		loop_connection(tcp, &edf);
		child_assert(!qreserve(fd, 1000));
		child_assert(qfits(fd, 100, loop_now() + 1000 * LOOP_MS) == 1);
		child_assert(qwatch(fd, NULL) >= 0);
		loop_send(fd, 'a', 1, 0, 0);
		loop_send(fd, 'b', 1, 0, 0);
		loop_send(tcp[0], 't', 1, 0, 0);
		child_assert(recv(tcp[1], &byte, 1, 0) == 1 && byte == 't');
		child_assert(qfates(fd, -1, &fate, 1) == 0);
		child_assert(!qclose(fd) && !qclose(tcp[0]));
		child_assert(!qsockfini("inproc"));
		exit(0);
	}
	loop_expect(sink, "ab");
	expect_success(child);
	close(sink);
}

/* ---- peers that go */

static void a_refused_datagram_of_the_queue_is_told_of(void **state)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at), fd = loop_sender(&at, &paced);
	int64_t start;

	(void)state;
	close(sink);
	loop_send(fd, 'a', 1, 0, 0); /* this one is refused */
	start = loop_now();
	while (qsend(fd, "b", 1, 0, NULL) == 1)
		loop_wait(start, "an error", __FILE__, __LINE__);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(qclose(fd), 0);
}

/* No signal either. */
static void a_connection_that_is_reset_is_told_of(void **state)
{
	struct linger at_once = { .l_onoff = 1 };
	int64_t start;
	int fd[2];

	(void)state;
	loop_connection(fd, &edf);
	loop_send(fd[0], 'a', 4 << 20, 0, 0);
	setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd[1]);
	start = loop_now();
	while (qsend(fd[0], "b", 1, MSG_DONTWAIT, NULL) == 1 || errno == EAGAIN)
		loop_wait(start, "an error", __FILE__, __LINE__);
	assert_true(errno == EPIPE || errno == ECONNRESET);
	loop_until(loop_info(fd[0]).backlog_packets == 0);
	assert_int_equal(qclose(fd[0]), 0);
}

/* ---- an exit with a long queue */

#define SOCKETS 100
#define EACH 1000

/* Queues 100,000 messages; `rate` is the device's. */
static void queue_many(const struct sockaddr_in *to, uint64_t rate)
{
	struct q_dwcs_attr slow = { .ipg = 300000,
				    .stream_flags = DWCS_NON_DROPPABLE };
	struct packet_flags pf = { .drop_flag = DWCS_NON_DROPPABLE };
	struct qos_params params = { .dev = "inproc", .name = "dwcs" };
	struct qos_device device = { .rate = rate, .packets = 120000 };
	int fd[SOCKETS], k, i;

	qsockfini("inproc");
	child_assert(!qsockinit_device(&params, &device, sizeof(device)));
	for (k = 0; k < SOCKETS; k++)
		fd[k] = loop_sender(to, rate ? &edf : &slow);
	for (i = 0; i < EACH; i++)
		for (k = 0; k < SOCKETS; k++)
			child_assert(qsend(fd[k], "m", 1, MSG_DONTWAIT, &pf) ==
				     1);
}

static void exit_with_a_queue(uint64_t rate)
{
	struct sockaddr_in at;
	int sink = loop_sink(&at);
	pid_t child = fork();

	if (!child) {
		queue_many(&at, rate);
		exit(0);
	}
	expect_success(child);
	close(sink);
}

static void a_long_queue_does_not_keep_a_process(void **state)
{
	(void)state;
	exit_with_a_queue(8000);
	exit_with_a_queue(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_thread_nothing_attaches),
		cmocka_unit_test(a_container_is_enough),
		cmocka_unit_test(without_a_thread_nothing_is_queued),
		cmocka_unit_test(without_descriptors_calls_say_so),
		cmocka_unit_test(a_refused_datagram_of_the_queue_is_told_of),
		cmocka_unit_test(a_connection_that_is_reset_is_told_of),
		cmocka_unit_test(a_long_queue_does_not_keep_a_process),
	};

	loop_be_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
