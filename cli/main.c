/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qsock: administers QSockets. See qsock(8). */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

struct output output;

static int help_command(int argc, char **argv);

static const struct command commands[] = {
	{ "init", init_command,
	  "DEV SCHEDULER [rate RATE] [burst SIZE] [limit PACKETS]\n"
	  "                  [streams N] [overhead SIZE] [guarantee PERCENT]\n"
	  "                  [cgroup PATH]" },
	{ "fini", fini_command, "DEV | all" },
	{ "show", show_command, "[DEV]" },
	{ "help", help_command, "[COMMAND]" },
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
		    "  -V, --version     print the version\n");
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
};

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "pretty", no_argument, NULL, 'p' },
	{ "statistics", no_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "Version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* What the command line says besides its words. */
struct line {
	char **words; /* in the place of argv */
	int n;
	bool help, version;
	char error[256]; /* the first one; empty: none */
};

static bool is_word(const char *argument)
{
	if (argument[0] != '-' || !argument[1])
		return true;
	/* a negative number is the value of a word */
	return isdigit((unsigned char)argument[1]) || argument[1] == '.';
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
	default:
		break;
	}
	if (*line->error)
		return;
	snprintf(line->error, sizeof(line->error),
		 option == OPTION_NO_VALUE ? "option \"%s\" needs a value" :
					     "unknown option \"%s\"",
		 argument);
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
		perror("qsock: standard output");
		return EXIT_FAILED;
	}
	return status;
}

int main(int argc, char **argv)
{
	struct line line = { .words = argv };

	read_line(&line, argc, argv);
	return finish(run(&line));
}
