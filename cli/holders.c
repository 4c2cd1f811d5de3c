/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holders.h"

#ifndef INET_DIAG_CGROUP_ID
#define INET_DIAG_CGROUP_ID 21
#endif

#define DUMP_SIZE \
	32768 /* of a netlink message: what the kernel makes at most */

/* ---- by inode: sorted once, then searched */

static int compare(const void *a, const void *b)
{
	uint64_t x = ((const struct owner *)a)->inode;
	uint64_t y = ((const struct owner *)b)->inode;

	return (x > y) - (x < y);
}

static struct owner *find(const struct owners *owners, uint64_t inode)
{
	struct owner key = { .inode = inode };

	if (!inode || !owners->n)
		return NULL;
	return bsearch(&key, owners->owner, owners->n, sizeof(key), compare);
}

const struct owner *owner_of(const struct owners *owners,
			     const struct qs_stream_view *v)
{
	return v->closed ? NULL : find(owners, v->inode);
}

/* The number of a closed socket may be another's already. */
static void add_streams(const struct qs_device_view *view,
			struct owners *owners)
{
	uint32_t i;

	for (i = 0; i < view->streams; i++)
		if (view->stream[i].inode && !view->stream[i].closed)
			owners->owner[owners->n++].inode =
				view->stream[i].inode;
}

static bool collect(const struct qs_device_view *views, unsigned int n,
		    struct owners *owners)
{
	size_t streams = 0;
	unsigned int i;

	for (i = 0; i < n; i++)
		streams += views[i].streams;
	owners->owner = calloc(streams + 1, sizeof(*owners->owner));
	if (!owners->owner)
		return false;
	for (i = 0; i < n; i++)
		add_streams(&views[i], owners);
	qsort(owners->owner, owners->n, sizeof(*owners->owner), compare);
	return true;
}

/* ---- the flow, by sock_diag */

struct dump {
	const struct owners *owners;
	const char *protocol;
	/* the last cgroup that was looked for: most sockets have the same */
	uint64_t cgroup_id;
	char cgroup[PATH_MAX]; /* empty: it was not found */
	struct owner *owner; /* of the message */
};

static void set_address(struct sockaddr_storage *a,
			const struct inet_diag_msg *m, const __be32 address[4],
			__be16 port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)a;
	struct sockaddr_in *in = (struct sockaddr_in *)a;

	a->ss_family = m->idiag_family;
	if (m->idiag_family == AF_INET) {
		in->sin_port = port;
		memcpy(&in->sin_addr, address, sizeof(in->sin_addr));
		return;
	}
	in6->sin6_port = port;
	memcpy(&in6->sin6_addr, address, sizeof(in6->sin6_addr));
	if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
		in6->sin6_scope_id = m->id.idiag_if;
}

static int diag_attr(const struct nlattr *attr, void *data)
{
	struct dump *d = data;
	uint64_t id;

	if (mnl_attr_get_type(attr) != INET_DIAG_CGROUP_ID ||
	    mnl_attr_validate(attr, MNL_TYPE_U64) < 0)
		return MNL_CB_OK;
	id = mnl_attr_get_u64(attr);
	if (id != d->cgroup_id && qs_cgroup_path(id, d->cgroup))
		*d->cgroup = 0;
	d->cgroup_id = id;
	if (*d->cgroup && !d->owner->cgroup)
		d->owner->cgroup = strdup(d->cgroup);
	return MNL_CB_OK;
}

static bool has_remote(const struct inet_diag_msg *m)
{
	const __be32 *a = m->id.idiag_dst;

	return m->id.idiag_dport || a[0] || a[1] || a[2] || a[3];
}

static void diag_message(const struct nlmsghdr *h, struct dump *d)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);
	struct owner *o;

	if (h->nlmsg_len < mnl_nlmsg_size(sizeof(*m)))
		return;
	o = find(d->owners, m->idiag_inode);
	if (!o)
		return;
	o->flow.protocol = d->protocol;
	o->uid = m->idiag_uid;
	o->cookie = (uint64_t)m->id.idiag_cookie[1] << 32 |
		    m->id.idiag_cookie[0];
	set_address(&o->flow.local, m, m->id.idiag_src, m->id.idiag_sport);
	if (has_remote(m))
		set_address(&o->flow.remote, m, m->id.idiag_dst,
			    m->id.idiag_dport);
	d->owner = o;
	mnl_attr_parse(h, sizeof(*m), diag_attr, d);
}

static bool request_dump(struct mnl_socket *nl, uint8_t family,
			 uint8_t protocol)
{
	char room[512];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct inet_diag_req_v2 *request;

	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request = mnl_nlmsg_put_extra_header(h, sizeof(*request));
	request->sdiag_family = family;
	request->sdiag_protocol = protocol;
	request->idiag_states = ~0u;
	return mnl_socket_sendto(nl, h, h->nlmsg_len) >= 0;
}

/* A kernel without such a module answers with an error: false, as at the end. */
static bool read_messages(const void *room, int len, struct dump *d)
{
	const struct nlmsghdr *h;

	for (h = room; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
			return false;
		diag_message(h, d);
	}
	return true;
}

static void dump(struct mnl_socket *nl, uint8_t family, uint8_t protocol,
		 struct dump *d)
{
	char room[DUMP_SIZE];
	ssize_t got;

	if (!request_dump(nl, family, protocol))
		return;
	do
		got = mnl_socket_recvfrom(nl, room, sizeof(room));
	while (got > 0 && read_messages(room, (int)got, d));
}

static void find_flows(const struct owners *owners)
{
	static const struct {
		uint8_t protocol;
		const char *name;
	} protocols[] = { { IPPROTO_UDP, "udp" },
			  { IPPROTO_TCP, "tcp" },
			  { IPPROTO_RAW, "raw" },
			  { IPPROTO_UDPLITE, "udplite" } };
	struct dump d = { .owners = owners };
	struct mnl_socket *nl;
	size_t i;

	nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (!nl)
		return;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) >= 0) {
		for (i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
			d.protocol = protocols[i].name;
			dump(nl, AF_INET, protocols[i].protocol, &d);
			dump(nl, AF_INET6, protocols[i].protocol, &d);
		}
	}
	mnl_socket_close(nl);
}

/* ---- who has it, by /proc */

static void read_command(int process, char command[16])
{
	int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t len = 0;

	if (fd >= 0) {
		len = read(fd, command, 15);
		close(fd);
	}
	command[len > 0 ? len : 0] = 0;
	command[strcspn(command, "\n")] = 0;
}

static void add_holder(struct owner *o, const struct holder *holder)
{
	struct holder *more;

	/* the room doubles: the number is a power of two when it is full */
	if (!(o->n_holders & (o->n_holders - 1))) {
		more = reallocarray(o->holders,
				    o->n_holders ? 2 * o->n_holders : 1,
				    sizeof(*more));
		if (!more)
			return;
		o->holders = more;
	}
	o->holders[o->n_holders++] = *holder;
}

/* 0: it is no socket. */
static uint64_t inode_of(int folder, const char *name)
{
	static const char start[] = "socket:[";
	char target[64] = "";

	if (readlinkat(folder, name, target, sizeof(target) - 1) < 0 ||
	    strncmp(target, start, strlen(start)) != 0)
		return 0;
	return strtoull(target + strlen(start), NULL, 10);
}

static bool is_number(const char *name)
{
	return isdigit((unsigned char)*name);
}

static void look_at_process(int proc, const char *pid,
			    const struct owners *owners)
{
	struct holder holder = { .pid = (uint32_t)strtoul(pid, NULL, 10) };
	QS_AUTO_FD int process = -1;
	const struct dirent *entry;
	struct owner *o;
	DIR *dir;
	int fds;

	process = openat(proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fds < 0)
		return;
	dir = fdopendir(fds);
	if (!dir) {
		close(fds);
		return;
	}
	while ((entry = readdir(dir))) {
		o = find(owners, inode_of(fds, entry->d_name));
		if (!o)
			continue;
		if (!*holder.command)
			read_command(process, holder.command);
		holder.fd = (uint32_t)strtoul(entry->d_name, NULL, 10);
		add_holder(o, &holder);
	}
	closedir(dir);
}

static void find_holders(const struct owners *owners)
{
	const struct dirent *entry;
	DIR *dir = opendir("/proc");

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (is_number(entry->d_name))
			look_at_process(dirfd(dir), entry->d_name, owners);
	closedir(dir);
}

/* ---- */

bool owners_find(const struct qs_device_view *views, unsigned int n,
		 struct owners *owners)
{
	if (!collect(views, n, owners))
		return false;
	if (!owners->n)
		return true;
	find_flows(owners);
	find_holders(owners);
	return true;
}

void owners_free(struct owners *owners)
{
	size_t i;

	for (i = 0; i < owners->n; i++) {
		free(owners->owner[i].cgroup);
		free(owners->owner[i].holders);
	}
	free(owners->owner);
}
