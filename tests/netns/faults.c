/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What others do on the same machine, and what is missing on it. */
/* engines: kernel bands */
/* timeout: 300 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lab.h"

static const struct qos_device defaults;
static struct q_dwcs_attr attr = { .old = 1 };

/* The engine does what it is for: a message is sent, and counted. */
static void expect_service(void)
{
	union lab_address to;
	int sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to), fd;
	char room[8];

	lab_be_user();
	fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &attr);
	lab_send(fd, "served", 6, NULL, &to);
	assert_int_equal(lab_receive(sink, room, sizeof(room), NULL), 6);
	lab_until(lab_info(fd).sent_units == 1);
	assert_int_equal(lab_info(fd).engine, lab_engine());
	qclose(fd);
	close(sink);
	lab_be_root();
}

static void expect_init_and_fini(void)
{
	lab_init("eth0", &defaults);
	expect_service();
	lab_fini("eth0");
}

/* ---- programs of others at the cgroup */

static const enum bpf_attach_type hooks[] = { BPF_CGROUP_SETSOCKOPT,
					      BPF_CGROUP_GETSOCKOPT };

struct others {
	int cgroup, prog[LAB_COUNT(hooks)];
};

/* Programs that let everything be as it is. */
static struct others attach_others(unsigned int flags)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	struct others o;
	size_t i;

	o.cgroup = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(o.cgroup >= 0);
	for (i = 0; i < LAB_COUNT(hooks); i++) {
		opts.expected_attach_type = hooks[i];
		o.prog[i] = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCKOPT,
					  "others", "GPL", program,
					  LAB_COUNT(program), &opts);
		assert_true(o.prog[i] >= 0);
		assert_int_equal(bpf_prog_attach(o.prog[i], o.cgroup, hooks[i],
						 flags),
				 0);
	}
	return o;
}

/* They are there still. */
static void detach_others(const struct others *o)
{
	size_t i;

	for (i = 0; i < LAB_COUNT(hooks); i++) {
		assert_int_equal(
			bpf_prog_detach2(o->prog[i], o->cgroup, hooks[i]), 0);
		close(o->prog[i]);
	}
	close(o->cgroup);
}

static void programs_of_others_go_on_beside_the_manager(void **state)
{
	struct others before, after;

	(void)state;
	before = attach_others(BPF_F_ALLOW_MULTI);
	lab_init("eth0", &defaults);
	after = attach_others(BPF_F_ALLOW_MULTI);
	expect_service();
	lab_fini("eth0");
	detach_others(&before);
	detach_others(&after);
}

static void one_that_wants_the_cgroup_for_itself_is_in_the_way(void **state)
{
	struct qos_params params = lab_params("eth0", NULL);
	struct others o;

	(void)state;
	o = attach_others(0);
	assert_int_equal(qsockinit(&params), -1);
	assert_non_null(strstr(qsock_errmsg(), "cgroup"));
	assert_call_fails(qsockfini("eth0"), ENOENT);
	detach_others(&o);
	expect_init_and_fini();
}

/* ---- the machine */

/* Of process 1 as well, where it is looked for if it is not here. */
static void a_bpf_file_system_is_mounted_if_there_is_none(void **state)
{
	(void)state;
	lab_shell("while umount /sys/fs/bpf 2>/dev/null; do :; done; "
		  "while nsenter -t 1 -m umount /sys/fs/bpf 2>/dev/null; "
		  "do :; done; ! grep -q ' bpf ' /proc/self/mounts");
	expect_init_and_fini();
	lab_shell("nsenter -t 1 -m grep -q '/sys/fs/bpf bpf ' /proc/1/mounts; "
		  "grep -q ' bpf ' /proc/self/mounts || "
		  "mount -t bpf bpf /sys/fs/bpf");
}

/* Memory of BPF is accounted otherwise since Linux 5.11. */
static void locked_memory_is_not_needed(void **state)
{
	struct rlimit before, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	expect_init_and_fini();
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
}

static void an_administrators_qdisc_is_left_alone(void **state)
{
	struct qos_params params = lab_params("eth0", NULL);

	(void)state;
	lab_shell("tc qdisc add dev eth0 root handle 1: htb default 1 && "
		  "tc class add dev eth0 parent 1: classid 1:1 htb rate 1mbit");
	assert_call_fails(qsockinit(&params), EBUSY);
	assert_non_null(strstr(qsock_errmsg(), "htb"));
	assert_call_fails(qsockfini("eth0"), ENOENT);
	lab_shell("tc class show dev eth0 | grep -q 'htb 1:1 .*rate 1Mbit'");
	lab_shell("tc qdisc del dev eth0 root");
	expect_init_and_fini();
}

/* ---- the other end */

static void a_peer_that_goes_and_comes_back_is_served_again(void **state)
{
	(void)state;
	lab_init("eth0", &defaults);
	expect_service();
	lab_enter_receiver();
	lab_shell("ip link set eth0 down");
	lab_shell("ip link set eth0 up");
	lab_enter_sender();
	expect_service();
	lab_fini("eth0");
}

/* Errors of the network come through as without us. */
static void nobody_at_the_port_is_an_error_of_the_socket(void **state)
{
	union lab_address to;
	int fd, sink;

	(void)state;
	lab_init("eth0", &defaults);
	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	close(sink);
	fd = lab_socket(AF_INET, SOCK_DGRAM, "eth0", &attr);
	assert_int_equal(connect(fd, &to.any, lab_address_size(&to)), 0);
	lab_until(qsend(fd, "x", 1, 0, NULL) < 0);
	assert_int_equal(errno, ECONNREFUSED);
	qclose(fd);
	lab_fini("eth0");
}

static int set_up(void **state)
{
	(void)state;
	lab_up(1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_of_others_go_on_beside_the_manager),
		cmocka_unit_test(
			one_that_wants_the_cgroup_for_itself_is_in_the_way),
		cmocka_unit_test(an_administrators_qdisc_is_left_alone),
		cmocka_unit_test(locked_memory_is_not_needed),
		cmocka_unit_test(
			a_peer_that_goes_and_comes_back_is_served_again),
		cmocka_unit_test(nobody_at_the_port_is_an_error_of_the_socket),
		cmocka_unit_test(a_bpf_file_system_is_mounted_if_there_is_none),
	};

	return lab_run("faults", tests, set_up, NULL);
}
