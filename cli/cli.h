/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the subcommands share. Each is a file with a function that gets the
 * words after its name, without options, and returns the exit status.
 */
#ifndef QS_CLI_H
#define QS_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/internal.h"

struct json_object;

/* Exit statuses. */
#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage; /* the words after the name */
	bool chooses; /* sockets of a process: --pid and its like */
};

/* ---- main.c */

struct output {
	bool json;
	bool pretty;
	bool statistics;
};

extern struct output output;

/* ---- print.c: what is printed is whole text, whatever the bytes of a name */

/*
 * Copies `from`, with control characters and bytes that are not UTF-8 as \ooo,
 * as ls -b has them; what does not fit is cut off. Returns `room`.
 */
const char *clean_text(const char *from, char *room, size_t size);

/* A string of JSON; bytes that are not UTF-8 become U+FFFD. */
struct json_object *json_text(const char *text);
void add_text(struct json_object *o, const char *key, const char *text);
void add_number(struct json_object *o, const char *key, uint64_t n);
void add_bool(struct json_object *o, const char *key, bool value);

/* Prints the object as -p says, and frees it. */
void print_json(struct json_object *o);

/* Prints why the library failed; returns EXIT_FAILED. */
int failed(const char *command);

/* Prints what is to be known of a success. */
void warn(const char *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints what is wrong with the words; returns EXIT_USAGE. */
int bad_usage(const char *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The same of a value; `form` says what it looks like. */
int invalid(const char *command, const char *key, const char *word,
	    const char *form);

/* Copies a word that fits and is not empty; returns an exit status. */
int read_name(const char *command, const char *key, char *to, size_t size,
	      const char *word);

/* ---- units.c: numbers as tc takes and prints them */

/*
 * 0, or -EINVAL. Numbers are decimal, without a sign, and have at most one
 * point. Units are read in either case.
 */

/* bit/s, at least 1; "10mbit", "1.5gbit", "1mbps" (bytes), "1000". */
int parse_rate(const char *word, uint64_t *rate);
/* Bytes; "1540", "15k", "1mb", "8kbit". */
int parse_size(const char *word, uint32_t *size);
/* us, at least 1; "20ms", "1.5s", "500us", "500". */
int parse_time(const char *word, uint32_t *us);
int parse_count(const char *word, uint32_t *count);
/* Per mille, at least 1; "80%", "95.5%". */
int parse_percent(const char *word, uint32_t *permille);

/* The longest is "18446744073709551615bit". */
#define NUMBER_SIZE 32
const char *print_rate(uint64_t rate, char room[NUMBER_SIZE]);
/* Three digits, and the unit in which the number is less than 1000. */
const char *print_time(uint64_t us, char room[NUMBER_SIZE]);

/* -EOPNOTSUPP if `dev` is served by the in-process engine: each process has one. */
int refuse_inproc(const char *dev);

/* ---- the subcommands */

int init_command(int argc, char **argv);
int fini_command(int argc, char **argv);
int show_command(int argc, char **argv);
int attach_command(int argc, char **argv);
int detach_command(int argc, char **argv);

#endif
