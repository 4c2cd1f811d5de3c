/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qsock init: makes a scheduler the root of a device. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static int read_name(char *to, size_t size, const char *word, const char *what)
{
	if ((size_t)snprintf(to, size, "%s", word) < size)
		return EXIT_DONE;
	return bad_usage("init", "%s \"%s\" is longer than %zu", what, word,
			 size - 1);
}

static int read_number(const char *key, const char *word, uint32_t *to,
		       int (*parse)(const char *, uint32_t *))
{
	if (parse(word, to))
		return bad_usage("init", "%s \"%s\" is no number here", key,
				 word);
	if (*to)
		return EXIT_DONE;
	qs_fail(EINVAL, "%s is 0: leave it out for the default", key);
	return failed("init");
}

static int read_rate(const char *word, uint64_t *rate)
{
	if (parse_rate(word, rate))
		return bad_usage("init", "rate \"%s\" is no rate", word);
	if (*rate)
		return EXIT_DONE;
	qs_fail(EINVAL, "rate is 0: leave it out not to shape the device");
	return failed("init");
}

static int read_pair(const char *key, const char *word, struct qos_device *d)
{
	if (!strcmp(key, "rate"))
		return read_rate(word, &d->rate);
	if (!strcmp(key, "burst"))
		return read_number(key, word, &d->burst, parse_size);
	if (!strcmp(key, "limit"))
		return read_number(key, word, &d->packets, parse_count);
	if (!strcmp(key, "streams"))
		return read_number(key, word, &d->streams, parse_count);
	if (!strcmp(key, "overhead")) {
		if (parse_size(word, &d->overhead))
			return bad_usage("init", "overhead \"%s\" is no size",
					 word);
		return EXIT_DONE;
	}
	if (!strcmp(key, "guarantee"))
		return read_number(key, word, &d->guarantee, parse_percent);
	if (!strcmp(key, "cgroup"))
		return read_name(d->cgroup, sizeof(d->cgroup), word, key);
	return bad_usage("init", "\"%s\" is unknown", key);
}

static int read_words(int argc, char **argv, struct qos_params *params,
		      struct qos_device *device)
{
	int i, n = 0, status = EXIT_DONE;

	for (i = 0; i < argc && status == EXIT_DONE; i++) {
		if (take_option(argv[i]))
			continue;
		if (n == 0) {
			status = read_name(params->dev, sizeof(params->dev),
					   argv[i], "device");
		} else if (n == 1) {
			status = read_name(params->name, sizeof(params->name),
					   argv[i], "scheduler");
		} else if (i + 1 == argc) {
			return bad_usage("init", "\"%s\" needs a value",
					 argv[i]);
		} else {
			status = read_pair(argv[i], argv[i + 1], device);
			i++;
		}
		n++;
	}
	if (status == EXIT_DONE && n < 2)
		return bad_usage("init", "name a device and a scheduler");
	return status;
}

/* What came of it, where that is not the best there is. */
static void say_engine(const char *name)
{
	struct qs_device_view *views;
	unsigned int n;

	if (qs_engine_forced() != QOS_ENGINE_NONE ||
	    qs_devices_read(name, &views, &n))
		return;
	if (n && views->dev.engine == QOS_ENGINE_BANDS)
		fprintf(stderr,
			"qsock: %s is scheduled by bands of HTB, which is "
			"approximate: this kernel\nhas no BPF qdiscs\n",
			name);
	qs_devices_free(views, n);
}

int init_command(int argc, char **argv)
{
	struct qos_params params = { .attributes = NULL };
	struct qos_device device = { 0 };
	int status;

	status = read_words(argc, argv, &params, &device);
	if (status != EXIT_DONE)
		return status;
	if (qsockinit_device(&params, &device, sizeof(device)))
		return failed("init");
	say_engine(params.dev);
	return EXIT_DONE;
}
