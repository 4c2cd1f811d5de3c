/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The classifier as a filter, beside those of others.
 *
 * kernels: 7.3 6.12 6.1
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"
#include "lib/internal.h"

#define STATUS_SKIPPED 77
#define BAND 2 /* that our program chooses */

static int ifindex, ours, others;

/* ---- the programs */

/* Puts every packet into the band, and lets the next filter look. */
static int load_ours(void)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K,
		  .dst_reg = BPF_REG_2,
		  .imm = QS_BAND_CLASS(BAND) },
		{ .code = BPF_STX | BPF_W | BPF_MEM,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_REG_2,
		  .off = offsetof(struct __sk_buff, priority) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = TC_ACT_UNSPEC },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "ours", "GPL", program,
			     LAB_COUNT(program), NULL);
}

/* Nobody looks at a packet after this one. */
static int load_others(void)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = TC_ACT_OK },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "others", "GPL", program,
			     LAB_COUNT(program), NULL);
}

static void attach_others(enum bpf_tc_attach_point where)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = others, .handle = 1,
		    .priority = 1);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		    .attach_point = where);

	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
}

/* ---- the device */

static int set_up(void **state)
{
	struct qs_htb htb = { .mtu = 1500, .packets = 100 };

	(void)state;
	lab_up(1);
	ifindex = if_nametoindex("eth0");
	htb.ifindex = ifindex;
	assert_int_equal(qs_htb_add(&htb), 0);
	ours = load_ours();
	others = load_others();
	return ours < 0 || others < 0 ? -1 : 0;
}

/* Does the command print a line with such words? */
static int prints(const char *command, const char *words)
{
	char line[512];
	int found = 0;
	FILE *f;

	f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, words))
			found++;
	assert_int_equal(pclose(f), 0);
	return found;
}

static int has_clsact(void)
{
	return prints("tc qdisc show dev eth0", "qdisc clsact");
}

static int has_filters(const char *words)
{
	return prints("tc filter show dev eth0 egress", words);
}

/* The filters and the qdisc go. */
static void clean(void)
{
	lab_shell("tc qdisc del dev eth0 clsact");
}

static void attach(void)
{
	if (qs_clsact_attach(ifindex, ours))
		fail_msg("%s", qsock_errmsg());
	assert_int_equal(qs_clsact_alive(ifindex), 1);
}

static void detach(void)
{
	if (qs_clsact_detach(ifindex))
		fail_msg("%s", qsock_errmsg());
	assert_int_equal(qs_clsact_alive(ifindex), 0);
	assert_int_equal(has_filters("qsockets"), 0);
}

static unsigned long sent(void)
{
	unsigned long packets = 0;
	char line[512];
	FILE *f;

	f = popen("tc -s class show dev eth0 classid 5153:3", "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, " Sent %*u bytes %lu pkt", &packets);
	assert_int_equal(pclose(f), 0);
	return packets;
}

/* Does what an unmarked socket sends go to our program's band? */
static int is_classified(void)
{
	unsigned long before = sent();
	union lab_address to;
	char buf[100] = "";
	int sink, fd;

	sink = lab_sink(AF_INET, SOCK_DGRAM, 0, 0, &to);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	lab_send(fd, buf, sizeof(buf), NULL, &to);
	assert_int_equal(lab_receive(sink, buf, sizeof(buf), NULL),
			 sizeof(buf));
	close(fd);
	close(sink);
	return sent() > before;
}

/* ---- tests */

static void the_priority_chooses_the_class(void **state)
{
	(void)state;
	assert_false(is_classified());
	attach();
	assert_true(is_classified());
	detach();
	assert_false(is_classified());
}

static void a_clsact_of_our_own_goes(void **state)
{
	(void)state;
	assert_false(has_clsact());
	attach();
	assert_true(has_clsact());
	assert_int_equal(has_filters("pref 1 bpf chain 0 handle 0x51530002 "
				     "qsockets direct-action"),
			 1);
	detach();
	assert_false(has_clsact());
	assert_int_equal(qs_clsact_detach(ifindex), 0);
}

static void a_clsact_of_others_stays(void **state)
{
	(void)state;
	lab_shell("tc qdisc add dev eth0 clsact");
	attach();
	detach();
	assert_true(has_clsact());
	clean();
}

static void filters_of_others_keep_our_clsact(void **state)
{
	(void)state;
	attach();
	attach_others(BPF_TC_INGRESS);
	detach();
	assert_true(has_clsact());
	assert_true(prints("tc filter show dev eth0 ingress", "others"));
	clean();
	attach();
	attach_others(BPF_TC_EGRESS);
	detach();
	assert_true(has_filters("others"));
	clean();
}

static void attached_twice_it_is_there_once(void **state)
{
	(void)state;
	attach();
	attach();
	assert_int_equal(has_filters("qsockets"), 1);
	detach();
	assert_false(has_clsact());
}

static void it_runs_before_programs_of_others(void **state)
{
	(void)state;
	lab_shell("tc qdisc add dev eth0 clsact");
	attach_others(BPF_TC_EGRESS);
	attach();
	assert_true(is_classified());
	detach();
	assert_true(has_filters("others"));
	clean();
}

/* These keep their place: it is as near as can be. */
static void filters_of_another_kind_come_first(void **state)
{
	(void)state;
	lab_shell("tc qdisc add dev eth0 clsact");
	lab_shell("tc filter add dev eth0 egress pref 1 protocol ipv6 u32 "
		  "match u32 0 0");
	lab_shell("tc filter add dev eth0 egress pref 2 protocol ipv6 u32 "
		  "match u32 0 0");
	lab_shell("tc filter add dev eth0 egress pref 4 protocol ipv6 u32 "
		  "match u32 0 0");
	attach();
	assert_int_equal(has_filters("pref 3 bpf chain 0 handle"), 1);
	assert_true(is_classified());
	detach();
	assert_true(has_filters("pref 2 u32"));
	clean();
}

static void a_failure_leaves_nothing(void **state)
{
	(void)state;
	assert_true(qs_clsact_attach(ifindex, -1) < 0);
	assert_false(has_clsact());
	lab_shell("tc qdisc add dev eth0 ingress");
	assert_int_equal(qs_clsact_attach(ifindex, ours), -EBUSY);
	assert_true(prints("tc qdisc show dev eth0", "qdisc ingress"));
	assert_int_equal(qs_clsact_alive(ifindex), 0);
	lab_shell("tc qdisc del dev eth0 ingress");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_priority_chooses_the_class),
		cmocka_unit_test(a_clsact_of_our_own_goes),
		cmocka_unit_test(a_clsact_of_others_stays),
		cmocka_unit_test(filters_of_others_keep_our_clsact),
		cmocka_unit_test(attached_twice_it_is_there_once),
		cmocka_unit_test(it_runs_before_programs_of_others),
		cmocka_unit_test(filters_of_another_kind_come_first),
		cmocka_unit_test(a_failure_leaves_nothing),
	};

	if (geteuid())
		return STATUS_SKIPPED;
	return cmocka_run_group_tests_name("clsact", tests, set_up, NULL);
}
