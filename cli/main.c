/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qsock: administers QSockets. See qsock(8). */
#include <json-c/json.h>
#include <stdarg.h>
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
	{ "help", help_command, "" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *to)
{
	size_t i;

	fprintf(to, "usage: qsock [-j] [-p] [-s] COMMAND [WORD...]\n");
	for (i = 0; i < N_COMMANDS; i++)
		fprintf(to, "       qsock %s %s\n", commands[i].name,
			commands[i].usage);
	fprintf(to, "\n"
		    "  -j, --json        print JSON\n"
		    "  -p, --pretty      with line breaks\n"
		    "  -s, --statistics  say more of each stream\n"
		    "  -h, --help        print this\n"
		    "  -V, --version     print the version\n");
}

static int help_command(int argc, char **argv)
{
	(void)argv;
	if (argc)
		return bad_usage("help", "takes no words");
	usage(stdout);
	return EXIT_DONE;
}

static void take_letters(const char *letters)
{
	output.json |= strchr(letters, 'j') != NULL;
	output.pretty |= strchr(letters, 'p') != NULL;
	output.statistics |= strchr(letters, 's') != NULL;
}

int take_option(const char *word)
{
	size_t n = strlen(word);

	if (!strcmp(word, "--json"))
		output.json = 1;
	else if (!strcmp(word, "--pretty"))
		output.pretty = 1;
	else if (!strcmp(word, "--statistics"))
		output.statistics = 1;
	else if (n < 2 || *word != '-' || strspn(word + 1, "jps") != n - 1)
		return 0;
	else
		take_letters(word + 1);
	return 1;
}

static void print_error(const char *command, const char *sentence)
{
	struct json_object *o;

	if (!output.json) {
		fprintf(stderr, "qsock: %s%s%s\n", command,
			*command ? ": " : "", sentence);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "error", json_object_new_string(sentence));
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

int failed(const char *command)
{
	print_error(command, qsock_errmsg());
	return EXIT_FAILED;
}

int bad_usage(const char *command, const char *fmt, ...)
{
	char sentence[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	strncat(sentence, ": see \"qsock help\"",
		sizeof(sentence) - strlen(sentence) - 1);
	print_error(command, sentence);
	return EXIT_USAGE;
}

static int run(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i].name, argv[0]))
			return commands[i].run(argc - 1, argv + 1);
	return bad_usage("", "\"%s\" is no command", argv[0]);
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
	const char *word;
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		word = argv[i];
		if (!strcmp(word, "-h") || !strcmp(word, "--help")) {
			usage(stdout);
			return finish(EXIT_DONE);
		}
		if (!strcmp(word, "-V") || !strcmp(word, "--version")) {
			puts("qsock " QS_VERSION);
			return finish(EXIT_DONE);
		}
		if (!take_option(word))
			return bad_usage("", "\"%s\" is no option", word);
	}
	if (i < argc)
		return finish(run(argc - i, argv + i));
	usage(stderr);
	return EXIT_USAGE;
}
