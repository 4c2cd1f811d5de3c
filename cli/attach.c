/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qsock attach and detach: the sockets of another process, which knows nothing of
 * it. What is set on our descriptor of a socket holds for the socket, and stays
 * when qsock ends.
 *
 * Such a process says nothing of its messages: each packet is a unit, and none has
 * a deadline of its own.
 */
#include <errno.h>
#include <json-c/json.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "sockets.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define DRAIN_MS 1000 /* for all that is queued as best effort to leave */

struct selection selection;

/* ---- words */

enum {
	GIVEN_OLN = 1,
	GIVEN_OLD = 2,
	GIVEN_PERIOD = 4,
	GIVEN_ENGINE = 8,
};

struct wish {
	struct qos_params params;
	struct q_dwcs_attr attr;
	unsigned int given; /* GIVEN_* */
};

static int read_loss(const char *word, struct q_dwcs_attr *attr)
{
	const char *slash = strchr(word, '/');
	char oln[16];

	if (!slash || (size_t)(slash - word) >= sizeof(oln))
		return invalid("attach", "loss", word, "LOST/OF such as 2/9");
	snprintf(oln, sizeof(oln), "%.*s", (int)(slash - word), word);
	if (parse_count(oln, &attr->oln) || parse_count(slash + 1, &attr->old))
		return invalid("attach", "loss", word, "LOST/OF such as 2/9");
	return EXIT_DONE;
}

static int read_oln(const char *word, struct q_dwcs_attr *attr)
{
	return parse_count(word, &attr->oln) ?
		       invalid("attach", "oln", word, "a number") :
		       EXIT_DONE;
}

static int read_old(const char *word, struct q_dwcs_attr *attr)
{
	return parse_count(word, &attr->old) ?
		       invalid("attach", "old", word, "a number") :
		       EXIT_DONE;
}

static int read_ipg(const char *word, struct q_dwcs_attr *attr)
{
	return parse_time(word, &attr->ipg) ?
		       invalid("attach", "ipg", word, "a time such as 20ms") :
		       EXIT_DONE;
}

static int read_fps(const char *word, struct q_dwcs_attr *attr)
{
	uint32_t n;

	if (parse_count(word, &n) || !n || n > 100000)
		return invalid("attach", "fps", word,
			       "a number from 1 to 100000");
	attr->ipg = DWCS_FPS(n);
	return EXIT_DONE;
}

/* The library refuses another engine than the environment says. */
static int read_engine(const char *word, struct q_dwcs_attr *attr)
{
	(void)attr;
	if (strcmp(word, "kernel") && strcmp(word, "bands"))
		return invalid("attach", "engine", word,
			       "\"kernel\" or \"bands\"");
	if (setenv("QSOCKETS_ENGINE", word, 1)) {
		qs_fail(errno, "%s", strerror(errno));
		return failed("attach");
	}
	return EXIT_DONE;
}

static const struct key {
	const char *name;
	int (*read)(const char *word, struct q_dwcs_attr *attr);
	unsigned int gives;
	uint32_t flag; /* of a word without a value */
} keys[] = {
	{ "loss", read_loss, GIVEN_OLN | GIVEN_OLD, 0 },
	{ "oln", read_oln, GIVEN_OLN, 0 },
	{ "old", read_old, GIVEN_OLD, 0 },
	{ "ipg", read_ipg, GIVEN_PERIOD, 0 },
	{ "fps", read_fps, GIVEN_PERIOD, 0 },
	{ "engine", read_engine, GIVEN_ENGINE, 0 },
	{ "non-droppable", NULL, 0, DWCS_NON_DROPPABLE },
	{ "work-conserving", NULL, 0, DWCS_WORK_CONSERVING },
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static const struct key *find_key(const char *word)
{
	size_t i;

	for (i = 0; i < N_KEYS; i++)
		if (!strcmp(keys[i].name, word))
			return &keys[i];
	return NULL;
}

static int read_attributes(int argc, char **argv, struct wish *wish)
{
	int i, status = EXIT_DONE;
	const struct key *key;

	for (i = 0; i < argc && status == EXIT_DONE; i++) {
		key = find_key(argv[i]);
		if (!key)
			return bad_usage("attach", "unexpected argument \"%s\"",
					 argv[i]);
		wish->attr.stream_flags |= key->flag;
		if (!key->read)
			continue;
		if (wish->given & key->gives)
			return bad_usage("attach",
					 "\"%s\" is set already by another "
					 "word",
					 argv[i]);
		wish->given |= key->gives;
		if (i + 1 == argc)
			return bad_usage("attach", "missing value of \"%s\"",
					 argv[i]);
		status = key->read(argv[++i], &wish->attr);
	}
	return status;
}

static int read_wish(int argc, char **argv, struct wish *wish)
{
	struct qos_params *params = &wish->params;
	int status;

	if (argc < 2)
		return bad_usage("attach",
				 argc ? "missing scheduler" :
					"missing device: name one, or - for "
					"the one that is managed");
	params->attributes = &wish->attr;
	status = EXIT_DONE;
	if (strcmp(argv[0], "-") != 0)
		status = read_name("attach", "device", params->dev,
				   sizeof(params->dev), argv[0]);
	if (status == EXIT_DONE)
		status = read_name("attach", "scheduler", params->name,
				   sizeof(params->name), argv[1]);
	if (status == EXIT_DONE)
		status = read_attributes(argc - 2, argv + 2, wish);
	return status;
}

static int check_selection(const char *command)
{
	if (!selection.pid)
		return bad_usage(command, "missing --pid");
	if (selection.all && (selection.n_fds || selection.n_ports))
		return bad_usage(command, "--all goes without --fd and --port");
	return EXIT_DONE;
}

/* ---- what was done */

/* The devices, where the caller may see them. */
struct views {
	struct qs_device_view *view;
	unsigned int n;
};

static void read_views(struct views *views)
{
	if (qs_privilege_check() ||
	    qs_devices_read(NULL, &views->view, &views->n))
		views->view = NULL;
}

static void free_views(const struct views *views)
{
	if (views->view)
		qs_devices_free(views->view, views->n);
}

static const struct qs_stream_view *stream_of(const struct views *views,
					      const char *dev, ino_t inode)
{
	const struct qs_device_view *v;
	unsigned int i, k;

	for (i = 0; i < views->n; i++) {
		v = &views->view[i];
		for (k = 0; !strcmp(v->dev.name, dev) && k < v->streams; k++)
			if (v->stream[k].inode == inode && !v->stream[k].closed)
				return &v->stream[k];
	}
	return NULL;
}

/* What became of a socket. */
struct result {
	const struct taken *taken;
	const struct qos_info *info; /* NULL: it is not attached */
	const struct qs_stream_view *stream; /* NULL: not known */
};

static void result_text(const struct result *r)
{
	char flow[FLOW_SIZE], dev[4 * IF_NAMESIZE];

	printf("process %u fd %d: %s", selection.pid, r->taken->number,
	       print_flow(&r->taken->flow, flow));
	if (!r->info) {
		puts(" detached");
		return;
	}
	printf(" attached to %s, scheduler %s, engine %s",
	       clean_text(r->info->dev, dev, sizeof(dev)), r->info->name,
	       qs_engine_name(r->info->engine));
	if (r->stream)
		printf(", stream %u", r->stream->id);
	putchar('\n');
}

static struct json_object *result_json(const struct result *r)
{
	struct json_object *o = json_object_new_object();

	add_number(o, "pid", selection.pid);
	add_number(o, "fd", r->taken->number);
	add_number(o, "inode", r->taken->inode);
	add_flow(o, &r->taken->flow);
	add_bool(o, "attached", r->info);
	if (!r->info)
		return o;
	add_text(o, "ifname", r->info->dev);
	add_text(o, "scheduler", r->info->name);
	add_text(o, "engine", qs_engine_name(r->info->engine));
	json_object_object_add(
		o, "stream",
		r->stream ? json_object_new_uint64(r->stream->id) : NULL);
	return o;
}

static void print_all(const struct sockets *sockets)
{
	QS_AUTO(free_views) struct views views = { .view = NULL };
	struct json_object *a = NULL;
	struct qos_info info;
	struct result r;
	unsigned int i;

	read_views(&views);
	if (output.json)
		a = json_object_new_array();
	for (i = 0; i < sockets->n; i++) {
		r = (struct result){ .taken = &sockets->taken[i] };
		if (!r.taken->done)
			continue;
		if (!qinfo(r.taken->fd, &info, sizeof(info))) {
			r.info = &info;
			r.stream = stream_of(&views, info.dev, r.taken->inode);
		}
		if (a)
			json_object_array_add(a, result_json(&r));
		else
			result_text(&r);
	}
	if (a)
		print_json(a);
}

/* ---- attach */

/*
 * What is queued as best effort would be overtaken by what follows. So a datagram
 * socket is attached when it has nothing there, unless that takes longer than what is
 * left of the time for all.
 */
static void wait_until_sent(int fd, int *left)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	socklen_t len = sizeof(int);
	int type, queued;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) ||
	    type != SOCK_DGRAM)
		return;
	for (; *left > 0; (*left)--) {
		if (ioctl(fd, SIOCOUTQ, &queued) || !queued)
			return;
		nanosleep(&pause, NULL);
	}
}

static bool is_elsewhere(int fd)
{
	socklen_t len = sizeof(__u64);
	__u64 theirs, ours;

	return !getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &theirs, &len) &&
	       !qs_netns_cookie(&ours) && theirs != ours;
}

/* The library's sentence is about our descriptor. */
static int attach_fail(const struct taken *t, int err,
		       const struct qos_params *params)
{
	char why[400];

	if (err == EALREADY)
		return qs_fail(err,
			       "process %u, fd %d: attached already: use "
			       "--replace, or detach it first",
			       selection.pid, t->number);
	if (err == EOPNOTSUPP && is_elsewhere(t->fd))
		return qs_fail(err,
			       "process %u, fd %d: the socket is in another "
			       "network namespace, where no such device is "
			       "managed: run \"nsenter -t %u -n qsock init %s "
			       "%s\"",
			       selection.pid, t->number, selection.pid,
			       *params->dev ? params->dev : "DEV",
			       params->name);
	snprintf(why, sizeof(why), "%s", qsock_errmsg());
	return qs_fail(err, "process %u, fd %d: %s", selection.pid, t->number,
		       why);
}

/* Changed in place, or moved if it is attached elsewhere. */
static int replace(struct taken *t, struct qos_params *params)
{
	if (!qchange(t->fd, params))
		return 0;
	if (errno != EINVAL || qdetach(t->fd))
		return -errno;
	return qs_attach_managed(t->fd, params);
}

static int attach_one(struct taken *t, struct qos_params *params, int *left)
{
	int err;

	wait_until_sent(t->fd, left);
	err = qs_attach_managed(t->fd, params);
	t->fresh = !err;
	if (err == -EALREADY && selection.replace)
		err = replace(t, params);
	t->done = !err;
	return err ? attach_fail(t, -err, params) : 0;
}

/* All, or none but those that were replaced. */
static int attach_all(struct sockets *sockets, struct qos_params *params)
{
	int err = 0, left = DRAIN_MS;
	unsigned int i;
	char why[512];

	for (i = 0; !err && i < sockets->n; i++)
		err = attach_one(&sockets->taken[i], params, &left);
	if (!err)
		return 0;
	snprintf(why, sizeof(why), "%s", qsock_errmsg());
	for (i = 0; i < sockets->n; i++)
		if (sockets->taken[i].fresh)
			qdetach(sockets->taken[i].fd);
	return qs_fail(-err, "%s", why);
}

int attach_command(int argc, char **argv)
{
	QS_AUTO(sockets_close) struct sockets sockets = SOCKETS_NONE;
	struct wish wish = { .given = 0 };
	int status;

	status = check_selection("attach");
	if (status == EXIT_DONE)
		status = read_wish(argc, argv, &wish);
	if (status != EXIT_DONE)
		return status;
	if (sockets_take(&selection, &sockets) ||
	    attach_all(&sockets, &wish.params))
		return failed("attach");
	print_all(&sockets);
	return EXIT_DONE;
}

/* ---- detach */

static int detach_fail(const struct taken *t, int err)
{
	return qs_fail(err, "process %u, fd %d: %s", selection.pid, t->number,
		       err == ENOTCONN ? "not attached" : strerror(err));
}

/* With --all, those that are attached; else each must be, or none is detached. */
static int check_attached(struct sockets *sockets)
{
	unsigned int i, n = 0;
	struct qos_info info;
	struct taken *t;

	for (i = 0; i < sockets->n; i++) {
		t = &sockets->taken[i];
		t->done = !qinfo(t->fd, &info, sizeof(info));
		n += t->done;
		if (!t->done && (errno != ENOTCONN || !selection.all))
			return detach_fail(t, errno);
	}
	return n ? 0 :
		   qs_fail(ENOTCONN, "process %u has no attached socket",
			   selection.pid);
}

static int detach_all(const struct sockets *sockets)
{
	const struct taken *t;
	unsigned int i;

	for (i = 0; i < sockets->n; i++) {
		t = &sockets->taken[i];
		if (t->done && qdetach(t->fd))
			return detach_fail(t, errno);
	}
	return 0;
}

int detach_command(int argc, char **argv)
{
	QS_AUTO(sockets_close) struct sockets sockets = SOCKETS_NONE;
	int status;

	status = check_selection("detach");
	if (status != EXIT_DONE)
		return status;
	if (argc)
		return bad_usage("detach", "unexpected argument \"%s\"",
				 argv[0]);
	if (sockets_take(&selection, &sockets) || check_attached(&sockets) ||
	    detach_all(&sockets))
		return failed("detach");
	print_all(&sockets);
	return EXIT_DONE;
}
