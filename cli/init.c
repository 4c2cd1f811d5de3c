/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qsock init: makes a scheduler the root of a device. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static int read_size(const char *key, const char *word, uint32_t *to)
{
	if (parse_size(word, to) || !*to)
		return invalid("init", key, word, "bytes such as 1540 or 15kb");
	return EXIT_DONE;
}

static int read_count(const char *key, const char *word, uint32_t *to)
{
	if (parse_count(word, to) || !*to)
		return invalid("init", key, word, "a number from 1 up");
	return EXIT_DONE;
}

static int read_pair(const char *key, const char *word, struct qos_device *d)
{
	if (!strcmp(key, "rate"))
		return parse_rate(word, &d->rate) ?
			       invalid("init", key, word,
				       "a rate such as 10mbit") :
			       EXIT_DONE;
	if (!strcmp(key, "burst"))
		return read_size(key, word, &d->burst);
	if (!strcmp(key, "limit"))
		return read_count(key, word, &d->packets);
	if (!strcmp(key, "streams"))
		return read_count(key, word, &d->streams);
	if (!strcmp(key, "overhead"))
		return parse_size(word, &d->overhead) ?
			       invalid("init", key, word, "bytes such as 24") :
			       EXIT_DONE;
	if (!strcmp(key, "guarantee"))
		return parse_percent(word, &d->guarantee) ?
			       invalid("init", key, word,
				       "a percentage such as 80%") :
			       EXIT_DONE;
	if (!strcmp(key, "cgroup"))
		return read_name("init", key, d->cgroup, sizeof(d->cgroup),
				 word);
	return bad_usage("init", "unexpected argument \"%s\"", key);
}

static int read_words(int argc, char **argv, struct qos_params *params,
		      struct qos_device *device)
{
	int i, status;

	if (argc < 2)
		return bad_usage("init",
				 argc ? "missing scheduler" : "missing device");
	status = read_name("init", "device", params->dev, sizeof(params->dev),
			   argv[0]);
	if (status == EXIT_DONE)
		status = read_name("init", "scheduler", params->name,
				   sizeof(params->name), argv[1]);
	for (i = 2; i < argc && status == EXIT_DONE; i += 2) {
		if (i + 1 == argc)
			return bad_usage("init", "missing value of \"%s\"",
					 argv[i]);
		status = read_pair(argv[i], argv[i + 1], device);
	}
	return status;
}

/* What came of it, where that is not the best there is. */
static void say_engine(const char *name)
{
	struct qs_device_view *views;
	unsigned int n;

	if (qs_engine_forced() == QOS_ENGINE_BANDS ||
	    qs_devices_read(name, &views, &n))
		return;
	if (n && views->dev.engine == QOS_ENGINE_BANDS)
		warn("init",
		     "dev \"%s\" is scheduled by bands of HTB, which "
		     "is approximate: this kernel has no BPF qdiscs",
		     name);
	qs_devices_free(views, n);
}

int refuse_inproc(const char *dev)
{
	int inproc = qs_inproc_serves(dev);

	if (inproc <= 0)
		return inproc;
	return qs_fail(
		EOPNOTSUPP,
		"the in-process device belongs to the process that uses "
		"it: unset QSOCKETS_ENGINE and name a network device, or "
		"call qsockinit() in the program");
}

int init_command(int argc, char **argv)
{
	struct qos_params params = { .attributes = NULL };
	struct qos_device device = { 0 };
	int status;

	status = read_words(argc, argv, &params, &device);
	if (status != EXIT_DONE)
		return status;
	if (refuse_inproc(params.dev) ||
	    qsockinit_device(&params, &device, sizeof(device)))
		return failed("init");
	say_engine(params.dev);
	return EXIT_DONE;
}
