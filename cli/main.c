/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qsock: administers QSockets. See qsock(8). */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "sockets.h"

struct output output;

static int help_command(int argc, char **argv);

static const struct command commands[] = {
	{ "init", init_command,
	  "DEV SCHEDULER [rate RATE] [burst SIZE] [limit PACKETS]\n"
	  "                  [streams N] [overhead SIZE] [guarantee PERCENT]\n"
	  "                  [cgroup PATH]",
	  false },
	{ "fini", fini_command, "DEV | all", false },
	{ "show", show_command, "[DEV]", false },
	{ "attach", attach_command,
	  "--pid PID [--fd N | --port PORT | --all] [--wait SECONDS]\n"
	  "                    [--replace] DEV|- SCHEDULER [loss LOST/OF]\n"
	  "                    [oln N] [old N] [ipg TIME] [fps N] "
	  "[non-droppable]\n"
	  "                    [work-conserving] [engine kernel|bands]",
	  true },
	{ "detach", detach_command, "--pid PID [--fd N | --port PORT | --all]",
	  true },
	{ "help", help_command, "[COMMAND]", false },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void command_usage(FILE *to, const struct command *command)
{
	fprintf(to, "qsock %s %s\n", command->name, command->usage);
}

static void usage(FILE *to)
{
	size_t i;

	fprintf(to, "usage: qsock [-j] [-p] [-s] COMMAND [WORD...]\n");
	for (i = 0; i < N_COMMANDS; i++) {
		fprintf(to, "       ");
		command_usage(to, &commands[i]);
	}
	fprintf(to, "\n"
		    "  -j, --json        print JSON\n"
		    "  -p, --pretty      with line breaks\n"
		    "  -s, --statistics  print more of each stream\n"
		    "  -h, --help        print this, or how to use COMMAND\n"
		    "  -V, --version     print the version\n"
		    "\n"
		    "  --pid PID         the process whose sockets are meant\n"
		    "  --fd N            its descriptor N; may be repeated\n"
		    "  --port PORT       by the local port; may be repeated\n"
		    "  --all             all its IP sockets\n"
		    "  --wait SECONDS    wait until there is such a socket\n"
		    "  --replace         also what is attached already\n");
}

/* ---- commands */

/* The first command that the word begins is meant, as by ip(8). */
static const struct command *find_command(const char *word)
{
	size_t i;

	for (i = 0; *word && i < N_COMMANDS; i++)
		if (!strncmp(commands[i].name, word, strlen(word)))
			return &commands[i];
	return NULL;
}

static int print_usage(const struct command *command)
{
	if (command) {
		printf("usage: ");
		command_usage(stdout, command);
	} else {
		usage(stdout);
	}
	return EXIT_DONE;
}

static int help_command(int argc, char **argv)
{
	const struct command *command = NULL;

	if (argc > 1)
		return bad_usage("help", "unexpected argument \"%s\"", argv[1]);
	if (argc) {
		command = find_command(argv[0]);
		if (!command)
			return bad_usage("help", "unknown command \"%s\"",
					 argv[0]);
	}
	return print_usage(command);
}

/* ---- options */

enum {
	OPTION_UNKNOWN = '?',
	OPTION_NO_VALUE = ':',
	/* of commands that choose sockets */
	OPTION_PID = 256,
	OPTION_FD,
	OPTION_PORT,
	OPTION_ALL,
	OPTION_WAIT,
	OPTION_REPLACE,
};

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "pretty", no_argument, NULL, 'p' },
	{ "statistics", no_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "Version", no_argument, NULL, 'V' },
	{ "pid", required_argument, NULL, OPTION_PID },
	{ "fd", required_argument, NULL, OPTION_FD },
	{ "port", required_argument, NULL, OPTION_PORT },
	{ "all", no_argument, NULL, OPTION_ALL },
	{ "wait", required_argument, NULL, OPTION_WAIT },
	{ "replace", no_argument, NULL, OPTION_REPLACE },
	{ NULL, 0, NULL, 0 },
};

/* What the command line says besides its words. */
struct line {
	char **words; /* in the place of argv */
	int n;
	bool help, version;
	const char *chooses; /* an option that chooses sockets */
	char error[256]; /* the first one; empty: none */
};

static bool is_word(const char *argument)
{
	if (argument[0] != '-' || !argument[1])
		return true;
	/* a negative number is the value of a word */
	return isdigit((unsigned char)argument[1]) || argument[1] == '.';
}

static void set_error(struct line *line, const char *form, const char *word)
{
	if (!*line->error)
		snprintf(line->error, sizeof(line->error), form, word);
}

static void take_number(struct line *line, const char *what, uint32_t least,
			uint32_t most, uint32_t *to)
{
	char form[64];

	if (!parse_count(optarg, to) && *to >= least && *to <= most)
		return;
	snprintf(form, sizeof(form), "invalid %s \"%%s\"", what);
	set_error(line, form, optarg);
}

static void take_choice(struct line *line, const char *what, uint32_t most,
			uint32_t choices[CHOICES], unsigned int *n)
{
	if (*n == CHOICES)
		set_error(line, "too many sockets: take --all%s", "");
	else
		take_number(line, what, 0, most, &choices[(*n)++]);
}

/* How commands choose sockets; false: it is no such option. */
static bool take_selection(struct line *line, int option)
{
	switch (option) {
	case OPTION_PID:
		take_number(line, "pid", 1, INT32_MAX, &selection.pid);
		return true;
	case OPTION_FD:
		take_choice(line, "fd", INT32_MAX, selection.fds,
			    &selection.n_fds);
		return true;
	case OPTION_PORT:
		take_choice(line, "port", UINT16_MAX, selection.ports,
			    &selection.n_ports);
		return true;
	case OPTION_WAIT:
		take_number(line, "wait", 0, 86400, &selection.wait);
		return true;
	case OPTION_ALL:
		selection.all = true;
		return true;
	case OPTION_REPLACE:
		selection.replace = true;
		return true;
	default:
		return false;
	}
}

static void take_option(struct line *line, int option, const char *argument)
{
	switch (option) {
	case 'j':
		output.json = true;
		return;
	case 'p':
		output.pretty = true;
		return;
	case 's':
		output.statistics = true;
		return;
	case 'h':
		line->help = true;
		return;
	case 'V':
		line->version = true;
		return;
	case OPTION_NO_VALUE:
		set_error(line, "missing value of option \"%s\"", argument);
		return;
	case OPTION_UNKNOWN:
		set_error(line, "unknown option \"%s\"", argument);
		return;
	default:
		break;
	}
	if (take_selection(line, option))
		line->chooses = argument;
}

/*
 * Options may stand anywhere before "--". All are read before anything is
 * done, so an error is JSON wherever -j stands.
 */
static void read_line(struct line *line, int argc, char **argv)
{
	const char *argument;
	int option;

	opterr = 0;
	while (optind < argc) {
		argument = argv[optind];
		if (is_word(argument)) {
			line->words[line->n++] = argv[optind++];
			continue;
		}
		option = getopt_long_only(argc, argv, "+:jpshV", long_options,
					  NULL);
		if (option == -1)
			break;
		take_option(line, option, argument);
	}
	while (optind < argc)
		line->words[line->n++] = argv[optind++];
}

/* ---- */

static int run(const struct line *line)
{
	const struct command *command = NULL;

	if (line->n)
		command = find_command(line->words[0]);
	if (*line->error)
		return bad_usage(command ? command->name : "", "%s",
				 line->error);
	if (line->n && !command)
		return bad_usage("", "unknown command \"%s\"", line->words[0]);
	if (line->chooses && command && !command->chooses)
		return bad_usage(command->name, "unexpected option \"%s\"",
				 line->chooses);
	if (line->help)
		return print_usage(command);
	if (line->version)
		return puts("qsock " QS_VERSION) < 0 ? EXIT_FAILED : EXIT_DONE;
	if (command)
		return command->run(line->n - 1, line->words + 1);
	if (output.json)
		return bad_usage("", "missing command");
	usage(stderr);
	return EXIT_USAGE;
}

/* Output that did not get out is a failure. */
static int finish(int status)
{
	if ((ferror(stdout) || fflush(stdout)) && status == EXIT_DONE) {
		qs_fail(errno, "standard output: %s", strerror(errno));
		return failed("");
	}
	return status;
}

int main(int argc, char **argv)
{
	struct line line = { .words = argv };

	read_line(&line, argc, argv);
	return finish(run(&line));
}
