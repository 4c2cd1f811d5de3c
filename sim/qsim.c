// SPDX-License-Identifier: LGPL-2.1-or-later
/* qsim: a scheduler's core under a virtual clock. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define EXIT_INPUT 2 /* what was read can't be */
#define OUT_BUFFER (1u << 18)

static const struct sim_sched *const scheds[] = {
	&sim_dwcs,
	&sim_vds,
};

#define N_SCHEDS (sizeof(scheds) / sizeof(scheds[0]))

static int usage(FILE *to)
{
	size_t i;

	fputs("usage: qsim [-i] [-l LIMIT] SCHEDULER [FILE]\n\n"
	      "Runs a scheduler on the messages that FILE or the standard "
	      "input "
	      "describes, and\nprints what becomes of each.\n\n"
	      "  -i, --info         print each stream's counters of qinfo(3), "
	      "too\n"
	      "  -l, --limit LIMIT  messages that one stream may queue; all "
	      "unless given\n\n"
	      "Schedulers:",
	      to);
	for (i = 0; i < N_SCHEDS; i++)
		fprintf(to, " %s", scheds[i]->name);
	fputs("\n", to);
	return EXIT_FAILURE;
}

static const struct sim_sched *find(const char *name)
{
	size_t i;

	for (i = 0; i < N_SCHEDS; i++)
		if (!strcmp(scheds[i]->name, name))
			return scheds[i];
	return NULL;
}

static int simulate(const struct sim_sched *sched,
		    const struct sim_options *options, FILE *in)
{
	struct trace t = { 0 };
	int error;

	setvbuf(stdout, NULL, _IOFBF, OUT_BUFFER);
	error = trace_read(&t, in, sched->check);
	if (!error)
		error = sched->run(&t, options, stdout);
	if (error)
		fprintf(stderr, "qsim: line %u: %s\n", t.line, t.why);
	trace_free(&t);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "qsim: standard output: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	return error ? EXIT_INPUT : EXIT_SUCCESS;
}

static int read_limit(const char *text, struct sim_options *options)
{
	unsigned long long limit;
	char *end;

	errno = 0;
	limit = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || limit > UINT32_MAX) {
		fprintf(stderr, "qsim: \"%s\" is not a limit\n", text);
		return -1;
	}
	options->limit = limit;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "info", no_argument, NULL, 'i' },
		{ "limit", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct sim_options options = { .limit = UINT32_MAX };
	const struct sim_sched *sched;
	int option, status;
	FILE *in = stdin;

	while ((option = getopt_long(argc, argv, "hil:", longs, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout), EXIT_SUCCESS;
		if (option == 'i')
			options.info = 1;
		else if (option != 'l')
			return usage(stderr);
		else if (read_limit(optarg, &options))
			return EXIT_FAILURE;
	}
	if (argc - optind < 1 || argc - optind > 2)
		return usage(stderr);
	sched = find(argv[optind]);
	if (!sched) {
		fprintf(stderr, "qsim: there is no scheduler \"%s\"\n",
			argv[optind]);
		return EXIT_FAILURE;
	}
	if (optind + 1 < argc)
		in = fopen(argv[optind + 1], "re");
	if (!in) {
		fprintf(stderr, "qsim: %s: %s\n", argv[optind + 1],
			strerror(errno));
		return EXIT_FAILURE;
	}
	status = simulate(sched, &options, in);
	if (in != stdin)
		fclose(in);
	return status;
}
