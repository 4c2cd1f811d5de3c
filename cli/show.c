/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qsock show: the managed devices and their streams. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "holders.h"
#include "schedulers/common/info.h"

/* ---- text */

static void flags_text(uint32_t flags, char room[4])
{
	char *to = room;

	if (flags & DWCS_NON_DROPPABLE)
		*to++ = 'N';
	if (flags & DWCS_WORK_CONSERVING)
		*to++ = 'W';
	if (to == room)
		*to++ = '-';
	*to = 0;
}

/* Below the stream's line. */
static void statistics_text(const struct qos_info *o)
{
	char mean[NUMBER_SIZE], p50[NUMBER_SIZE], p99[NUMBER_SIZE];
	char max[NUMBER_SIZE], rate[NUMBER_SIZE];

	printf("       sent %llu bytes %llu pkts, backlog %llu bytes %u "
	       "units\n",
	       (unsigned long long)o->sent_bytes,
	       (unsigned long long)o->sent_packets,
	       (unsigned long long)o->backlog_bytes, o->backlog_units);
	printf("       dropped: late %llu, frame %llu, overflow %llu\n",
	       (unsigned long long)o->dropped_late,
	       (unsigned long long)o->dropped_frame,
	       (unsigned long long)o->dropped_overflow);
	printf("       delay: mean %s, p50 %s, p99 %s, max %s\n",
	       print_time(o->delay_mean_ns / 1000, mean),
	       print_time(o->delay_p50_ns / 1000, p50),
	       print_time(o->delay_p99_ns / 1000, p99),
	       print_time(o->delay_max_ns / 1000, max));
	if (o->reserved)
		printf("       reserved %s, units of %u bytes\n",
		       print_rate(o->reserved, rate), o->unit_bytes);
}

#define WIDTH 80
#define INDENT 7

/* A line below the stream's that goes on in the next one when it is full. */
static void print_word(int *column, const char *word)
{
	int len = (int)strlen(word);

	if (*column && *column + 1 + len > WIDTH) {
		putchar('\n');
		*column = 0;
	}
	if (!*column)
		*column = printf("%*s%s", INDENT, "", word);
	else
		*column += printf(" %s", word);
}

static void holders_text(int *column, const struct owner *o)
{
	char command[4 * sizeof(o->holders->command)], word[128];
	unsigned int i;

	for (i = 0; i < o->n_holders; i++) {
		snprintf(word, sizeof(word), "%s(\"%s\",pid=%u,fd=%u)%s",
			 i ? "" : "users:(",
			 clean_text(o->holders[i].command, command,
				    sizeof(command)),
			 o->holders[i].pid, o->holders[i].fd,
			 i + 1 < o->n_holders ? "," : ")");
		print_word(column, word);
	}
}

/* In the words of ss -ep. */
static void owner_text(const struct owner *o)
{
	char word[FLOW_SIZE], path[PATH_MAX], line[PATH_MAX + 16];
	int column = 0;

	if (o->flow.protocol) {
		print_word(&column, print_flow(&o->flow, word));
		snprintf(word, sizeof(word), "uid:%u", o->uid);
		print_word(&column, word);
		snprintf(word, sizeof(word), "sk:%llx",
			 (unsigned long long)o->cookie);
		print_word(&column, word);
	}
	holders_text(&column, o);
	if (o->cgroup) {
		snprintf(line, sizeof(line), "cgroup:%s",
			 clean_text(o->cgroup, path, sizeof(path)));
		print_word(&column, line);
	}
	if (column)
		putchar('\n');
}

static void stream_text(const struct qs_stream_view *v,
			const struct owners *owners)
{
	const struct owner *owner = owner_of(owners, v);
	const struct qos_info *o = &v->info;
	unsigned long long dropped, sent = o->sent_units;
	char ipg[NUMBER_SIZE], loss[NUMBER_SIZE], flags[4];

	dropped = o->dropped_late + o->dropped_frame + o->dropped_overflow;
	snprintf(loss, sizeof(loss), "%u/%u", o->oln, o->old);
	flags_text(o->stream_flags, flags);
	printf("%6u %7u %6u %7s %7s %5s %7u %8llu %5llu %7llu %5llu%s\n", v->id,
	       v->pid, v->uid, loss, print_time(o->ipg, ipg), flags,
	       o->backlog_packets, sent, (unsigned long long)o->late_units,
	       dropped, (unsigned long long)o->violations,
	       v->closed ? " closed" : "");
	if (owner)
		owner_text(owner);
	if (output.statistics)
		statistics_text(o);
}

static void reserved_text(const struct qs_device_view *v)
{
	char reserved[NUMBER_SIZE], guarantee[NUMBER_SIZE];

	if (v->dev.guarantee)
		printf("  reserved %s of %s\n",
		       print_rate(v->reserved, reserved),
		       print_rate(v->dev.guarantee, guarantee));
	if (v->promise_void)
		printf("  warning: reserved streams have unequal periods: only "
		       "\"vds\" keeps to that\n");
}

static void device_text(const struct qs_device_view *v,
			const struct owners *owners)
{
	const struct qs_dev *d = &v->dev;
	char rate[NUMBER_SIZE], name[4 * QS_NAME_LEN];
	__u32 i;

	printf("%s: %s", clean_text(d->name, name, sizeof(name)),
	       d->sched_name);
	if (!d->qdisc)
		printf(" (its qdisc is gone: init it again)");
	else if (d->engine == QOS_ENGINE_BANDS)
		printf(" by bands (approximate)");
	if (d->rate)
		printf(" rate %s", print_rate(d->rate, rate));
	printf(" limit %u streams %u/%u", d->packets, v->attached, d->streams);
	if (d->overhead)
		printf(" overhead %u", d->overhead);
	printf("\n  sent %llu bytes %llu pkts, backlog %u pkts, "
	       "violations %llu\n",
	       (unsigned long long)v->sent_bytes,
	       (unsigned long long)v->sent_packets, v->backlog,
	       (unsigned long long)v->violations);
	printf("  dropped pkts: late %llu, frame %llu, overflow %llu\n",
	       (unsigned long long)v->dropped_late,
	       (unsigned long long)v->dropped_frame,
	       (unsigned long long)v->dropped_overflow);
	printf("  best effort: sent %llu bytes %llu pkts, dropped %llu, "
	       "backlog %u pkts\n",
	       (unsigned long long)v->be_sent_bytes,
	       (unsigned long long)v->be_sent_packets,
	       (unsigned long long)v->be_dropped, v->be_backlog);
	if (v->unseen_bytes)
		printf("  unseen: %llu bytes left that no numbers have, as "
		       "the kernel did not say\n",
		       (unsigned long long)v->unseen_bytes);
	reserved_text(v);
	if (v->streams)
		printf("%6s %7s %6s %7s %7s %5s %7s %8s %5s %7s %5s\n",
		       "STREAM", "PID", "UID", "OLN/OLD", "IPG", "FLAGS",
		       "BACKLOG", "SENT", "LATE", "DROPPED", "VIOL");
	for (i = 0; i < v->streams; i++)
		stream_text(&v->stream[i], owners);
}

/* ---- JSON */

static struct json_object *flags_json(uint32_t flags)
{
	struct json_object *a = json_object_new_array();

	if (flags & DWCS_NON_DROPPABLE)
		json_object_array_add(a,
				      json_object_new_string("non_droppable"));
	if (flags & DWCS_WORK_CONSERVING)
		json_object_array_add(
			a, json_object_new_string("work_conserving"));
	return a;
}

static struct json_object *holders_json(const struct owner *o)
{
	struct json_object *a = json_object_new_array(), *j;
	unsigned int i;

	for (i = 0; o && i < o->n_holders; i++) {
		j = json_object_new_object();
		add_text(j, "command", o->holders[i].command);
		add_number(j, "pid", o->holders[i].pid);
		add_number(j, "fd", o->holders[i].fd);
		json_object_array_add(a, j);
	}
	return a;
}

/* Null is what is not known. */
static void owner_json(struct json_object *j, const struct qs_stream_view *v,
		       const struct owner *o)
{
	static const struct flow none;
	char cookie[32];

	add_flow(j, o ? &o->flow : &none);
	if (o && o->cookie)
		snprintf(cookie, sizeof(cookie), "%llx",
			 (unsigned long long)o->cookie);
	json_object_object_add(j, "cookie",
			       o && o->cookie ? json_text(cookie) : NULL);
	json_object_object_add(
		j, "inode", v->inode ? json_object_new_uint64(v->inode) : NULL);
	json_object_object_add(
		j, "socket_uid",
		o && o->flow.protocol ? json_object_new_uint64(o->uid) : NULL);
	json_object_object_add(j, "cgroup",
			       o && o->cgroup ? json_text(o->cgroup) : NULL);
	json_object_object_add(j, "users", holders_json(o));
}

static struct json_object *stream_json(const struct qs_stream_view *v,
				       const struct owners *owners)
{
	struct json_object *j = json_object_new_object();
	const struct qos_info *o = &v->info;

	add_number(j, "id", v->id);
	add_number(j, "pid", v->pid);
	add_number(j, "uid", v->uid);
	add_bool(j, "closed", v->closed);
	owner_json(j, v, owner_of(owners, v));
	add_number(j, "oln", o->oln);
	add_number(j, "old", o->old);
	add_number(j, "ipg", o->ipg);
	json_object_object_add(j, "flags", flags_json(o->stream_flags));
	add_number(j, "cur_oln", o->cur_oln);
	add_number(j, "cur_old", o->cur_old);
	add_number(j, "backlog_packets", o->backlog_packets);
	add_number(j, "backlog_units", o->backlog_units);
	add_number(j, "backlog_bytes", o->backlog_bytes);
	add_number(j, "sent_units", o->sent_units);
	add_number(j, "sent_packets", o->sent_packets);
	add_number(j, "sent_bytes", o->sent_bytes);
	add_number(j, "late_units", o->late_units);
	add_number(j, "dropped_late", o->dropped_late);
	add_number(j, "dropped_frame", o->dropped_frame);
	add_number(j, "dropped_overflow", o->dropped_overflow);
	add_number(j, "violations", o->violations);
	add_number(j, "delay_last_ns", o->delay_last_ns);
	add_number(j, "delay_max_ns", o->delay_max_ns);
	add_number(j, "delay_mean_ns", o->delay_mean_ns);
	add_number(j, "delay_p50_ns", o->delay_p50_ns);
	add_number(j, "delay_p99_ns", o->delay_p99_ns);
	add_number(j, "reserved", o->reserved);
	add_number(j, "unit_bytes", o->unit_bytes);
	return j;
}

static void settings_json(struct json_object *j, const struct qs_device_view *v)
{
	struct json_object *streams = json_object_new_object();
	const struct qs_dev *d = &v->dev;
	__u32 engine = qs_engine(d);

	add_text(j, "ifname", d->name);
	add_number(j, "ifindex", d->ifindex);
	add_text(j, "scheduler", d->sched_name);
	add_text(j, "engine", qs_engine_name(engine));
	add_bool(j, "exact", engine == QOS_ENGINE_KERNEL);
	add_number(j, "rate", d->rate);
	add_number(j, "burst", d->burst);
	add_number(j, "limit", d->packets);
	add_number(j, "overhead", d->overhead);
	add_number(j, "guarantee", d->guarantee);
	add_number(j, "reserved", v->reserved);
	add_bool(j, "no_promise", v->promise_void);
	add_number(streams, "limit", d->streams);
	add_number(streams, "attached", v->attached);
	json_object_object_add(j, "streams", streams);
}

static struct json_object *device_json(const struct qs_device_view *v,
				       const struct owners *owners)
{
	struct json_object *j = json_object_new_object();
	struct json_object *be = json_object_new_object();
	struct json_object *a = json_object_new_array();
	__u32 i;

	settings_json(j, v);
	add_number(j, "backlog_packets", v->backlog);
	add_number(j, "sent_packets", v->sent_packets);
	add_number(j, "sent_bytes", v->sent_bytes);
	add_number(j, "dropped_late", v->dropped_late);
	add_number(j, "dropped_frame", v->dropped_frame);
	add_number(j, "dropped_overflow", v->dropped_overflow);
	add_number(j, "violations", v->violations);
	add_number(j, "unseen_bytes", v->unseen_bytes);
	add_number(be, "backlog_packets", v->be_backlog);
	add_number(be, "sent_packets", v->be_sent_packets);
	add_number(be, "sent_bytes", v->be_sent_bytes);
	add_number(be, "dropped", v->be_dropped);
	json_object_object_add(j, "best_effort", be);
	for (i = 0; i < v->streams; i++)
		json_object_array_add(a, stream_json(&v->stream[i], owners));
	json_object_object_add(j, "stream", a);
	return j;
}

static void devices_json(const struct qs_device_view *views, unsigned int n,
			 const struct owners *owners)
{
	struct json_object *a = json_object_new_array();
	unsigned int i;

	for (i = 0; i < n; i++)
		json_object_array_add(a, device_json(&views[i], owners));
	print_json(a);
}

/* ---- */

static void show_all(const struct qs_device_view *views, unsigned int n,
		     const struct owners *owners)
{
	unsigned int i;

	if (output.json)
		devices_json(views, n, owners);
	for (i = 0; !output.json && i < n; i++)
		device_text(&views[i], owners);
}

static int show(const char *dev)
{
	QS_AUTO(owners_free) struct owners owners = OWNERS_NONE;
	struct qs_device_view *views;
	int status = EXIT_DONE;
	unsigned int n;

	if (qs_devices_read(dev, &views, &n))
		return failed("show");
	if (owners_find(views, n, &owners)) {
		show_all(views, n, &owners);
	} else {
		qs_fail(ENOMEM, "no memory");
		status = failed("show");
	}
	qs_devices_free(views, n);
	return status;
}

int show_command(int argc, char **argv)
{
	if (argc > 1)
		return bad_usage("show", "unexpected argument \"%s\"", argv[1]);
	return show(argc ? argv[0] : NULL);
}
