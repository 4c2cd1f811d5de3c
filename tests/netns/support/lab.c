/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <json.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "excuses.h"
#include "lab.h"

#define NSEC 1000000000ll
#define SINK_BUFFER (8 << 20)

/* The address of device n, of the sender (host 1) or the receiver (host 2). */
static const char *const prefix4[LAB_DEVICES] = { "192.0.2.", "198.51.100.",
						  "203.0.113." };

static int sender = -1, receiver = -1; /* their namespaces */

/* ---- the engine */

unsigned int lab_engine(void)
{
	const char *name = getenv("QSOCKETS_ENGINE");

	if (!name || !strcmp(name, "kernel"))
		return QOS_ENGINE_KERNEL;
	if (!strcmp(name, "bands"))
		return QOS_ENGINE_BANDS;
	if (!strcmp(name, "inproc"))
		return QOS_ENGINE_INPROC;
	print_error("QSOCKETS_ENGINE is \"%s\"\n", name);
	abort();
}

static void excused(void **state)
{
	(void)state;
}

/* What follows a test's name is printed with it, and is TAP's way to skip it. */
static int excuse(const char *group, struct CMUnitTest *test)
{
	const char *reason = excuse_of(lab_engine(), group, test->name);
	char *name;

	if (!reason)
		return 0;
	if (asprintf(&name, "%s # SKIP %s", test->name, reason) < 0)
		abort();
	test->name = name; /* until the program ends */
	test->test_func = excused;
	return 1;
}

int lab_run_tests(const char *group, const struct CMUnitTest *tests, size_t n,
		  CMFixtureFunction set_up, CMFixtureFunction tear_down)
{
	struct CMUnitTest *some = calloc(n, sizeof(*some));
	const char *unused;
	size_t i, skipped = 0;
	int failed;

	if (!some)
		abort();
	for (i = 0; i < n; i++) {
		some[i] = tests[i];
		skipped += excuse(group, &some[i]);
	}
	failed = _cmocka_run_group_tests(group, some, n,
					 skipped < n ? set_up : NULL,
					 skipped < n ? tear_down : NULL);
	unused = excuse_unused(lab_engine(), group);
	if (unused)
		print_error("an excuse names no test: %s\n", unused);
	free(some);
	return failed || unused;
}

/* ---- privilege */

void lab_be_root(void)
{
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
}

void lab_be_user(void)
{
	lab_be_root();
	assert_int_equal(setgroups(0, NULL), 0);
	assert_int_equal(setegid(LAB_USER), 0);
	assert_int_equal(seteuid(LAB_USER), 0);
}

/* Returns who it was, for become(). */
static uid_t become_root(void)
{
	uid_t user = geteuid();

	lab_be_root();
	return user;
}

static void become(uid_t user)
{
	if (user)
		lab_be_user();
}

/* ---- the lab */

void lab_shell(const char *format, ...)
{
	uid_t user = become_root();
	char command[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (system(command))
		fail_msg("%s", command);
	become(user);
}

static int new_namespace(void)
{
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	lab_shell("ip link set lo up");
	return fd;
}

static void enter(int namespace)
{
	uid_t user = become_root();

	assert_int_equal(setns(namespace, CLONE_NEWNET), 0);
	become(user);
}

void lab_enter_sender(void)
{
	enter(sender);
}

void lab_enter_receiver(void)
{
	enter(receiver);
}

static void configure(int n, int host)
{
	lab_shell("ip address add %s%d/24 dev eth%d", prefix4[n], host, n);
	lab_shell("ip address add 2001:db8:%d::%d/64 dev eth%d nodad", n, host,
		  n);
	lab_shell("ip link set eth%d up", n);
}

void lab_up(int devices)
{
	int n;

	setenv("QSOCKETS_ENGINE", "kernel", 0); /* none stands in for it */
	receiver = new_namespace();
	sender = new_namespace();
	for (n = 0; n < devices && n < LAB_DEVICES; n++) {
		lab_enter_sender();
		lab_shell("ip link add eth%d type veth peer name eth%d netns "
			  "/proc/%d/fd/%d",
			  n, n, getpid(), receiver);
		configure(n, 1);
		lab_enter_receiver();
		configure(n, 2);
	}
	lab_enter_sender();
}

/* The settings of the devices that the one of this process can be. */
static struct own_device {
	char name[IFNAMSIZ];
	struct qos_device settings;
} own[LAB_DEVICES];
static struct own_device *used; /* what it is now */

static struct own_device *own_device(const char *dev)
{
	int i;

	for (i = 0; i < LAB_DEVICES; i++)
		if (!strcmp(own[i].name, dev))
			return &own[i];
	return NULL;
}

static void leave_own(void)
{
	if (used)
		assert_call_succeeds(qsockfini(used->name));
	used = NULL;
}

void lab_use(const char *dev)
{
	struct own_device *o = *dev ? own_device(dev) : used;
	struct qos_params params = lab_params(dev, NULL);

	if (lab_engine() != QOS_ENGINE_INPROC || !o || o == used)
		return;
	leave_own();
	assert_call_succeeds(
		qsockinit_device(&params, &o->settings, sizeof(o->settings)));
	used = o;
}

const char *lab_name(const char *dev)
{
	return lab_engine() == QOS_ENGINE_INPROC ? "inproc" : dev;
}

static void own_init(const char *dev, const struct qos_device *device)
{
	struct own_device *o = own_device(dev);

	if (!o)
		o = own_device("");
	if (!o)
		abort();
	snprintf(o->name, sizeof(o->name), "%s", dev);
	if (o == used)
		leave_own();
	o->settings = *device;
	lab_use(dev);
}

void lab_init(const char *dev, const struct qos_device *device)
{
	struct qos_params params = lab_params(dev, NULL);
	uid_t user;

	if (lab_engine() == QOS_ENGINE_INPROC) {
		own_init(dev, device);
		return;
	}
	user = become_root();
	assert_call_succeeds(
		qsockinit_device(&params, device, sizeof(*device)));
	become(user);
}

static void own_fini(const char *dev)
{
	struct own_device *o = own_device(dev);

	assert_non_null(o);
	if (o == used)
		leave_own();
	*o->name = 0;
}

/* The JSON of "qsock show" as root in this namespace. */
static struct json_object *show(void)
{
	const char *build = getenv("QS_BUILD");
	uid_t user = become_root();
	char command[512];
	struct json_object *all;
	FILE *from;
	int fd;

	snprintf(command, sizeof(command), "%s/cli/qsock show -j",
		 build ? build : "build");
	from = popen(command, "r");
	assert_non_null(from);
	fd = fileno(from);
	all = json_object_from_fd(fd);
	assert_int_equal(pclose(from), 0);
	assert_non_null(all);
	become(user);
	return all;
}

/* scripts/run-tests makes the tests again when it reads this. */
static void tell_unseen(const char *dev)
{
	struct json_object *all = show(), *name, *bytes;
	size_t i;

	for (i = 0; i < json_object_array_length(all); i++) {
		struct json_object *one = json_object_array_get_idx(all, i);

		if (json_object_object_get_ex(one, "ifname", &name) &&
		    !strcmp(json_object_get_string(name), dev) &&
		    json_object_object_get_ex(one, "unseen_bytes", &bytes) &&
		    json_object_get_uint64(bytes))
			print_message(
				"# %s: the kernel hid that %s bytes left\n",
				dev, json_object_get_string(bytes));
	}
	json_object_put(all);
}

void lab_fini(const char *dev)
{
	uid_t user;

	if (lab_engine() == QOS_ENGINE_INPROC) {
		own_fini(dev);
		return;
	}
	if (lab_engine() == QOS_ENGINE_BANDS)
		tell_unseen(dev);
	user = become_root();
	assert_call_succeeds(qsockfini(dev));
	become(user);
}

/* ---- sockets */

socklen_t lab_address_size(const union lab_address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->in) :
						   sizeof(address->in6);
}

static void set_address(union lab_address *a, int family, int n)
{
	memset(a, 0, sizeof(*a));
	a->any.sa_family = family;
	if (family == AF_INET) {
		static const in_addr_t net[LAB_DEVICES] = { 0xc0000200,
							    0xc6336400,
							    0xcb007100 };

		a->in.sin_addr.s_addr = htonl(net[n] + 2);
	} else {
		a->in6.sin6_addr.s6_addr[0] = 0x20;
		a->in6.sin6_addr.s6_addr[1] = 0x01;
		a->in6.sin6_addr.s6_addr[2] = 0x0d;
		a->in6.sin6_addr.s6_addr[3] = 0xb8;
		a->in6.sin6_addr.s6_addr[5] = n;
		a->in6.sin6_addr.s6_addr[15] = 2;
	}
}

int lab_sink(int family, int type, int protocol, int n, union lab_address *to)
{
	int fd, one = 1, size = SINK_BUFFER;
	uid_t user = become_root();
	socklen_t len;

	lab_enter_receiver();
	fd = socket(family, type | SOCK_CLOEXEC, protocol);
	assert_true(fd >= 0);
	set_address(to, family, n);
	len = lab_address_size(to);
	assert_int_equal(bind(fd, &to->any, len), 0);
	assert_int_equal(getsockname(fd, &to->any, &len), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one,
				    sizeof(one)),
			 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	if (type == SOCK_RAW && family == AF_INET6)
		to->in6.sin6_port = 0;
	lab_enter_sender();
	become(user);
	return fd;
}

static int64_t stamp(struct msghdr *msg)
{
	struct cmsghdr *c;
	struct timespec ts;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			return ts.tv_sec * NSEC + ts.tv_nsec;
		}
	return 0;
}

ssize_t lab_receive(int fd, void *buf, size_t size, int64_t *when)
{
	struct pollfd poll_for = { .fd = fd, .events = POLLIN };
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	_Alignas(struct cmsghdr) char control[128];
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	if (poll(&poll_for, 1, LAB_PATIENCE_NS / 1000000) != 1)
		fail_msg("no message arrives");
	n = recvmsg(fd, &msg, MSG_DONTWAIT);
	assert_true(n >= 0);
	if (when)
		*when = stamp(&msg);
	return n;
}

void lab_send(int fd, const void *buf, size_t len, struct packet_flags *pflags,
	      const union lab_address *to)
{
	assert_call_succeeds(qsendto(fd, buf, len, 0, &to->any,
				     lab_address_size(to), pflags));
}

int lab_is_empty(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 &&
	       errno == EAGAIN;
}

/* ---- streams */

struct qos_params lab_params(const char *dev, struct q_dwcs_attr *attr)
{
	struct qos_params params = { .name = "dwcs", .attributes = attr };

	snprintf(params.dev, sizeof(params.dev), "%s", dev);
	return params;
}

int lab_socket(int domain, int type, const char *dev, struct q_dwcs_attr *attr)
{
	struct qos_params params = lab_params(dev, attr);
	int fd;

	lab_use(dev);
	fd = qsocket(domain, type, 0, &params);
	if (fd < 0)
		lab_fail_call("qsocket()", __FILE__, __LINE__);
	return fd;
}

struct qos_info lab_info(int fd)
{
	struct qos_info info;

	assert_call_succeeds(qinfo(fd, &info, sizeof(info)));
	return info;
}

static int count(const char *dev, int closed_only)
{
	struct json_object *all = show(), *streams, *value;
	size_t i, k, n = 0;

	for (i = 0; i < json_object_array_length(all); i++) {
		struct json_object *one = json_object_array_get_idx(all, i);

		if (!json_object_object_get_ex(one, "ifname", &value) ||
		    strcmp(json_object_get_string(value), dev) != 0)
			continue;
		assert_true(json_object_object_get_ex(one, "stream", &streams));
		for (k = 0; k < json_object_array_length(streams); k++) {
			one = json_object_array_get_idx(streams, k);
			n += !closed_only || (json_object_object_get_ex(
						      one, "closed", &value) &&
					      json_object_get_boolean(value));
		}
	}
	json_object_put(all);
	return n;
}

static int count_own(const char *dev)
{
	const struct dirent *entry;
	struct qos_info info;
	int n = 0;
	DIR *fds;

	if (used != own_device(dev))
		return 0;
	fds = opendir("/proc/self/fd");
	assert_non_null(fds);
	while ((entry = readdir(fds)))
		n += *entry->d_name != '.' &&
		     !qinfo(atoi(entry->d_name), &info, sizeof(info));
	closedir(fds);
	return n;
}

int lab_streams(const char *dev)
{
	return lab_engine() == QOS_ENGINE_INPROC ? count_own(dev) :
						   count(dev, 0);
}

int lab_closed_streams(const char *dev)
{
	assert_int_not_equal(lab_engine(), QOS_ENGINE_INPROC);
	return count(dev, 1);
}

/* ---- time */

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

int64_t lab_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t lab_real_now(void)
{
	return read_clock(CLOCK_REALTIME);
}

void lab_pause_until(int64_t when)
{
	struct timespec at = { when / NSEC, when % NSEC };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL))
		;
}

void lab_wait(int64_t start, const char *condition, const char *file, int line)
{
	struct timespec pause = { .tv_nsec = 2000000 };

	if (lab_now() - start < LAB_PATIENCE_NS) {
		nanosleep(&pause, NULL);
		return;
	}
	print_error("never: %s\n", condition);
	_fail(file, line);
}

/* ---- calls */

void lab_check_error(int error, const char *file, int line)
{
	int found = errno;

	if (found == error && *qsock_errmsg())
		return;
	print_error("%s instead of %s: \"%s\"\n", strerrorname_np(found),
		    strerrorname_np(error), qsock_errmsg());
	_fail(file, line);
}

void lab_fail_call(const char *call, const char *file, int line)
{
	print_error("%s: %s: %s\n", call, strerrorname_np(errno),
		    qsock_errmsg());
	_fail(file, line);
}

/* ---- processes */

pid_t lab_fork(int (*child)(void *), void *data)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (seteuid(0) || setgroups(0, NULL) || setgid(LAB_USER) ||
		    setuid(LAB_USER))
			_exit(100);
		_exit(child(data));
	}
	assert_true(pid > 0);
	return pid;
}

int lab_join(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
