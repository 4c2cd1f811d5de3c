/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pidfd_getfd() gives a second descriptor of a socket that another process has, to
 * whom may ptrace() that process.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "sockets.h"

#define LOOK_MS 10 /* between two looks for a socket that is not there yet */
#define SETTLE_MS 100 /* between two that must find as many */

/* A process whose sockets are looked at. */
struct process {
	const struct selection *selection;
	int pidfd;
	struct sockets *found;
};

/* ---- a process */

/* glibc has these from 2.36 on. */
static int open_pid(uint32_t pid)
{
	return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

static int get_fd(int pidfd, int number)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
}

static int process_open(uint32_t pid, int *pidfd)
{
	*pidfd = open_pid(pid);
	if (*pidfd >= 0)
		return 0;
	if (errno == ESRCH)
		return qs_fail(ESRCH, "no process %u", pid);
	if (errno == EINVAL || errno == ENOENT)
		return qs_fail(EINVAL,
			       "%u is a thread: give the number of its process",
			       pid);
	return qs_fail(errno, "process %u: %s", pid, strerror(errno));
}

static int take_fail(const struct process *p, int number, int err)
{
	uint32_t pid = p->selection->pid;

	switch (err) {
	case EPERM:
	case EACCES:
		return qs_fail(
			EPERM,
			"process %u: permission denied: run as root "
			"(CAP_SYS_PTRACE), or as the process's user where "
			"one may trace one's own processes (ptrace(2))",
			pid);
	case EBADF:
		return qs_fail(ENOENT, "process %u has no descriptor %d", pid,
			       number);
	case ESRCH:
	case ENOENT:
		return qs_fail(ESRCH, "process %u has ended", pid);
	default:
		return qs_fail(err, "process %u, fd %d: %s", pid, number,
			       strerror(err));
	}
}

/* ---- its sockets */

static bool is_listening(int fd)
{
	socklen_t len = sizeof(int);
	int value = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) &&
	       value;
}

/* The choices in network order are the same place in both families. */
static bool has_port(const struct flow *flow, uint32_t port)
{
	const struct sockaddr_in *in = (const void *)&flow->local;

	return flow->local.ss_family != AF_UNSPEC &&
	       ntohs(in->sin_port) == port;
}

static bool is_wanted(const struct selection *s, const struct taken *t)
{
	unsigned int i;

	for (i = 0; i < s->n_fds; i++)
		if ((uint32_t)t->number == s->fds[i])
			return true;
	for (i = 0; i < s->n_ports; i++)
		if (has_port(&t->flow, s->ports[i]))
			return true;
	return !s->n_fds && !s->n_ports && !is_listening(t->fd);
}

static bool is_known(const struct sockets *sockets, ino_t inode)
{
	unsigned int i;

	for (i = 0; i < sockets->n; i++)
		if (sockets->taken[i].inode == inode)
			return true;
	return false;
}

static int keep(struct sockets *sockets, const struct taken *t)
{
	struct taken *more;

	more = reallocarray(sockets->taken, sockets->n + 1, sizeof(*more));
	if (!more)
		return qs_fail(ENOMEM, "no memory");
	sockets->taken = more;
	sockets->taken[sockets->n++] = *t;
	return 0;
}

/* Keeps the socket if it is one that is wanted. */
static int look_at(const struct process *p, int number)
{
	struct taken t = { .number = number };
	struct stat st;
	int err = 0;

	t.fd = get_fd(p->pidfd, number);
	if (t.fd < 0)
		return take_fail(p, number, errno);
	if (!fstat(t.fd, &st) && S_ISSOCK(st.st_mode) && !qs_fd_check(t.fd)) {
		t.inode = st.st_ino;
		flow_of_socket(t.fd, &t.flow);
		if (is_wanted(p->selection, &t) &&
		    !is_known(p->found, t.inode)) {
			err = keep(p->found, &t);
			if (!err)
				return 0;
		}
	}
	close(t.fd);
	return err;
}

static bool is_socket(int folder, const char *name)
{
	static const char start[] = "socket:";
	char target[sizeof(start)] = "";

	return readlinkat(folder, name, target, strlen(start)) > 0 &&
	       !strcmp(target, start);
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int look_at_all(const struct process *p)
{
	QS_AUTO(close_dir) DIR *dir = NULL;
	const struct dirent *entry;
	char folder[32];
	int err = 0;

	snprintf(folder, sizeof(folder), "/proc/%u/fd", p->selection->pid);
	dir = opendir(folder);
	if (!dir)
		return take_fail(p, -1, errno);
	while (!err && (entry = readdir(dir))) {
		if (!is_socket(dirfd(dir), entry->d_name))
			continue;
		err = look_at(p, atoi(entry->d_name));
		if (err == -ENOENT) /* it was closed meanwhile */
			err = 0;
	}
	return err;
}

/* ---- the choice */

static bool has_number(const struct sockets *found, uint32_t number)
{
	unsigned int i;

	for (i = 0; i < found->n; i++)
		if ((uint32_t)found->taken[i].number == number)
			return true;
	return false;
}

/* A descriptor that was named and not found: why, or 0. */
static int named_fail(const struct process *p, uint32_t number)
{
	QS_AUTO_FD int fd = -1;

	if (has_number(p->found, number))
		return 0;
	fd = get_fd(p->pidfd, (int)number);
	if (fd < 0)
		return take_fail(p, (int)number, errno);
	if (qs_fd_check(fd))
		return qs_fail(ENOTSOCK,
			       "fd %u of process %u is not an IPv4 or IPv6 "
			       "socket",
			       number, p->selection->pid);
	return 0; /* the same socket as another that was named */
}

static int port_fail(const struct process *p, uint32_t port)
{
	unsigned int i;

	for (i = 0; i < p->found->n; i++)
		if (has_port(&p->found->taken[i].flow, port))
			return 0;
	return qs_fail(ENOENT, "process %u has no IP socket with local port %u",
		       p->selection->pid, port);
}

static int several_fail(const struct process *p)
{
	char list[400] = "", entry[FLOW_SIZE + 32], flow[FLOW_SIZE];
	const struct taken *t = p->found->taken;
	unsigned int i, n = p->found->n;
	size_t len = 0, more;

	for (i = 0; i < n; i++, len += more) {
		more = snprintf(entry, sizeof(entry), "%sfd %d %s",
				i ? ", " : "", t[i].number,
				print_flow(&t[i].flow, flow));
		if (len + more >= sizeof(list))
			break;
		memcpy(list + len, entry, more + 1);
	}
	return qs_fail(EINVAL,
		       "process %u has %u IP sockets: choose by --fd, --port "
		       "or --all: %s%s",
		       p->selection->pid, n, list, i < n ? ", ..." : "");
}

static int check_choice(const struct process *p)
{
	const struct selection *s = p->selection;
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < s->n_fds; i++)
		err = named_fail(p, s->fds[i]);
	for (i = 0; !err && i < s->n_ports; i++)
		err = port_fail(p, s->ports[i]);
	if (err || s->n_fds || s->n_ports)
		return err;
	if (!p->found->n)
		return qs_fail(ENOENT, "process %u has no IP socket to attach",
			       s->pid);
	return p->found->n > 1 && !s->all ? several_fail(p) : 0;
}

static int look(const struct process *p)
{
	int err;

	err = look_at_all(p);
	if (!err)
		err = check_choice(p);
	if (err)
		sockets_close(p->found);
	return err;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A process can have more sockets than we may have at first. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * Who was waited for may still be opening sockets: they are all there when two
 * looks find as many.
 */
static bool is_settled(const struct selection *s, const struct sockets *found,
		       unsigned int before)
{
	return !s->wait || s->n_fds || s->n_ports || found->n == before;
}

static int wait_and_look(const struct process *p)
{
	const uint64_t end = now_ms() + p->selection->wait * 1000ull;
	struct pollfd exit = { .fd = p->pidfd, .events = POLLIN };
	unsigned int before = 0;
	int err, pause;

	for (;;) {
		err = look(p);
		if (err && (err != -ENOENT || now_ms() >= end))
			return err;
		if (!err && is_settled(p->selection, p->found, before))
			return 0;
		pause = err ? LOOK_MS : SETTLE_MS;
		before = p->found->n;
		sockets_close(p->found);
		if (poll(&exit, 1, pause) > 0)
			return take_fail(p, -1, ESRCH);
	}
}

int sockets_take(const struct selection *selection, struct sockets *sockets)
{
	struct process p = { .selection = selection, .found = sockets };
	QS_AUTO_FD int pidfd = -1;
	int err;

	err = process_open(selection->pid, &pidfd);
	if (err)
		return err;
	p.pidfd = pidfd;
	allow_descriptors();
	return wait_and_look(&p);
}

void sockets_close(struct sockets *sockets)
{
	unsigned int i;

	for (i = 0; i < sockets->n; i++)
		close(sockets->taken[i].fd);
	free(sockets->taken);
	sockets->taken = NULL;
	sockets->n = 0;
}
