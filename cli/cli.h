/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the subcommands share. Each is a file with a function that gets the
 * words after its name and returns the exit status.
 */
#ifndef QS_CLI_H
#define QS_CLI_H

#include <stddef.h>
#include <stdint.h>

#include "lib/internal.h"

/* Exit statuses. */
#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage; /* the words after the name */
};

struct output {
	int json;
	int pretty;
	int statistics;
};

extern struct output output;

/* Takes -j, -p and -s, before or after the subcommand; 0: it is neither. */
int take_option(const char *word);

/* Prints why the library failed; returns EXIT_FAILED. */
int failed(const char *command);

/* Prints what is wrong with the words; returns EXIT_USAGE. */
int bad_usage(const char *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- units.c: numbers as tc takes and prints them */

/* 0, or -EINVAL. bit/s; "10mbit", "1.5gbit", "1mbps" (bytes), "1000". */
int parse_rate(const char *word, uint64_t *rate);
/* Bytes; "1540", "15k", "1mb", "8kbit". */
int parse_size(const char *word, uint32_t *size);
int parse_count(const char *word, uint32_t *count);
/* Per mille; "80%", "95.5%". */
int parse_percent(const char *word, uint32_t *permille);

/* The longest is "18446744073709551615bit". */
#define NUMBER_SIZE 32
const char *print_rate(uint64_t rate, char room[NUMBER_SIZE]);
const char *print_time(uint64_t us, char room[NUMBER_SIZE]);

/* ---- the subcommands */

int init_command(int argc, char **argv);
int fini_command(int argc, char **argv);
int show_command(int argc, char **argv);

#endif
