/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The administrator's calls: what they refuse, on every kernel. */
/* engines: kernel bands inproc */
/* kernels: 7.3 6.12 6.1 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "lab.h"

static const struct qos_device defaults;

static void without_privilege_nothing_is_permitted(void **state)
{
	struct qos_params params = lab_params("lo", NULL);

	(void)state;
	lab_be_user();
	assert_call_fails(qsockinit(&params), EPERM);
	assert_call_fails(
		qsockinit_device(&params, &defaults, sizeof(defaults)), EPERM);
	assert_call_fails(qsockfini("lo"), EPERM);
	lab_be_root();
}

static void a_device_has_to_be_there(void **state)
{
	struct qos_params params = lab_params("nodev0", NULL);

	(void)state;
	assert_call_fails(qsockinit(&params), ENODEV);
	assert_non_null(strstr(qsock_errmsg(), "nodev0"));
	assert_call_fails(qsockfini("nodev0"), ENODEV);
	assert_call_fails(qsockfini("lo"), ENOENT);
}

static void a_scheduler_has_to_be_known(void **state)
{
	struct qos_params params = lab_params("lo", NULL);

	(void)state;
	strcpy(params.name, "fastest");
	assert_call_fails(qsockinit(&params), ENOENT);
	assert_non_null(strstr(qsock_errmsg(), "fastest"));
	params.name[0] = 0;
	assert_call_fails(qsockinit(&params), ENOENT);
}

static void null_is_a_fault(void **state)
{
	struct qos_params params = lab_params("lo", NULL);

	(void)state;
	assert_call_fails(qsockinit(NULL), EFAULT);
	assert_call_fails(qsockinit_device(&params, NULL, sizeof(defaults)),
			  EFAULT);
	assert_call_fails(qsockinit_device(NULL, &defaults, sizeof(defaults)),
			  EFAULT);
	assert_call_fails(qsockfini(NULL), EFAULT);
}

static void strings_without_an_end_are_invalid(void **state)
{
	struct qos_params params = lab_params("lo", NULL);
	struct qos_device device = { 0 };
	char dev[IFNAMSIZ + 1];

	(void)state;
	memset(params.dev, 'e', sizeof(params.dev));
	assert_call_fails(qsockinit(&params), EINVAL);
	params = lab_params("lo", NULL);
	memset(params.name, 'd', sizeof(params.name));
	assert_call_fails(qsockinit(&params), EINVAL);
	params = lab_params("lo", NULL);
	memset(device.cgroup, 'c', sizeof(device.cgroup));
	assert_call_fails(qsockinit_device(&params, &device, sizeof(device)),
			  EINVAL);
	assert_non_null(strstr(qsock_errmsg(), "cgroup"));
	memset(dev, 'e', sizeof(dev));
	dev[IFNAMSIZ] = 0;
	assert_call_fails(qsockfini(dev), EINVAL);
}

static void a_device_has_to_be_named(void **state)
{
	struct qos_params params = lab_params("", NULL);

	(void)state;
	assert_call_fails(qsockinit(&params), EINVAL);
	assert_call_fails(qsockfini(""), EINVAL);
}

static void settings_have_limits(void **state)
{
	static const struct {
		struct qos_device device;
		const char *field;
	} bad[] = {
		{ { .packets = 1 }, "packets" },
		{ { .packets = UINT32_MAX }, "packets" },
		{ { .streams = UINT32_MAX }, "streams" },
		{ { .packets = 1000000, .streams = 1000000 }, "packets" },
		{ { .burst = UINT32_MAX }, "burst" },
		{ { .overhead = UINT32_MAX }, "overhead" },
	};
	struct qos_params params = lab_params("lo", NULL);
	size_t i;

	(void)state;
	for (i = 0; i < LAB_COUNT(bad); i++) {
		assert_call_fails(qsockinit_device(&params, &bad[i].device,
						   sizeof(bad[i].device)),
				  EINVAL);
		assert_non_null(strstr(qsock_errmsg(), bad[i].field));
	}
}

/* From programs that were compiled with another version's header. */
static void shorter_and_longer_settings_are_read(void **state)
{
	struct {
		struct qos_device device;
		uint64_t later;
	} longer = { .device = { .streams = UINT32_MAX } };
	struct qos_params params = lab_params("lo", NULL);

	(void)state;
	assert_call_fails(qsockinit_device(&params, &defaults, 0), EINVAL);
	assert_call_fails(qsockinit_device(&params, &defaults, 7), EINVAL);
	assert_non_null(strstr(qsock_errmsg(), "size"));
	/* what is within the size counts */
	assert_call_fails(qsockinit_device(&params, &longer.device, 16),
			  EINVAL);
	assert_non_null(strstr(qsock_errmsg(), "streams"));
	assert_call_fails(qsockinit_device(&params, &longer.device,
					   sizeof(longer)),
			  EINVAL);
	assert_non_null(strstr(qsock_errmsg(), "streams"));
	longer.device.streams = 0;
	longer.later = 1ull << 56;
	assert_call_fails(qsockinit_device(&params, &longer.device,
					   sizeof(longer)),
			  E2BIG);
	assert_call_fails(qsockinit_device(&params, &longer.device, 8192),
			  E2BIG);
}

/* BPF qdiscs came with Linux 6.16. */
static int has_qdiscs(void)
{
	int major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	return major > 6 || (major == 6 && minor >= 16);
}

static void the_kernel_has_to_have_bpf_qdiscs(void **state)
{
	struct qos_params params = lab_params("lo", NULL);
	struct qos_device other = { .rate = 1000000 };

	(void)state;
	if (!has_qdiscs() && lab_engine() == QOS_ENGINE_KERNEL) {
		assert_call_fails(qsockinit(&params), EOPNOTSUPP);
		assert_non_null(strstr(qsock_errmsg(), "no BPF qdiscs"));
		return;
	}
	assert_call_succeeds(qsockinit(&params));
	assert_call_succeeds(qsockinit(&params));
	assert_call_fails(qsockinit_device(&params, &other, sizeof(other)),
			  EBUSY);
	assert_call_succeeds(qsockfini("lo"));
	assert_call_fails(qsockfini("lo"), ENOENT);
	lab_shell("tc qdisc add dev lo root pfifo");
	assert_call_fails(qsockinit(&params), EBUSY);
	lab_shell("tc qdisc show dev lo | grep -q pfifo");
	lab_shell("tc qdisc del dev lo root");
}

/* Applications run on, as plain ones. */
static void who_cannot_attach_can_send(void **state)
{
	struct packet_flags pflags = { .drop_flag = DWCS_NON_DROPPABLE };
	struct qos_params params = lab_params("lo", NULL);
	struct sockaddr_in to = { .sin_family = AF_INET };
	socklen_t len = sizeof(to);
	char room[8];
	int fd;

	(void)state;
	lab_be_user();
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &len), 0);
	assert_call_fails(qattach(fd, &params), EOPNOTSUPP);
	assert_non_null(strstr(qsock_errmsg(), "qsock init lo dwcs"));
	assert_call_fails(qdetach(fd), ENOTCONN);
	assert_int_equal(qsendto(fd, "plain", 5, 0, (struct sockaddr *)&to, len,
				 &pflags),
			 5);
	assert_int_equal(lab_receive(fd, room, sizeof(room), NULL), 5);
	assert_call_succeeds(qclose(fd));
	lab_be_root();
}

static int set_up(void **state)
{
	(void)state;
	lab_up(0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_privilege_nothing_is_permitted),
		cmocka_unit_test(a_device_has_to_be_there),
		cmocka_unit_test(a_scheduler_has_to_be_known),
		cmocka_unit_test(null_is_a_fault),
		cmocka_unit_test(strings_without_an_end_are_invalid),
		cmocka_unit_test(a_device_has_to_be_named),
		cmocka_unit_test(settings_have_limits),
		cmocka_unit_test(shorter_and_longer_settings_are_read),
		cmocka_unit_test(the_kernel_has_to_have_bpf_qdiscs),
		cmocka_unit_test(who_cannot_attach_can_send),
	};

	return lab_run("init", tests, set_up, NULL);
}
