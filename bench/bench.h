/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the benchmarks share: a device to send on, time, medians, and a report
 * that is printed and kept as JSON. Whatever fails ends the program, after the
 * function that bench_at_exit() was given.
 */
#ifndef QS_BENCH_H
#define QS_BENCH_H

#include <json-c/json.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_PAYLOAD 1400 /* bytes of a datagram */

/* ---- running */

/* Runs once: at the end, and before the program dies. */
void bench_at_exit(void (*f)(void));

void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Runs a command, whose words have no blanks; it must succeed. */
void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* On one CPU from now on, and with as many files as can be. */
void bench_settle(void);

/* Is a short form of the benchmark asked for, by QS_QUICK=1? */
int bench_quick(void);

/* ---- measuring */

uint64_t now_ns(void); /* CLOCK_MONOTONIC */

/* Sorts the values. */
double median(double *values, size_t n);

/* ---- a device to send on */

/* In BENCH_DEV's network; its link address is nobody's. */
extern const struct sockaddr_in bench_sink;

#define BENCH_DEV "qsb0"
#define BENCH_PEER "qsb1"

/*
 * A network namespace of the program's own, with BENCH_DEV. What is sent to
 * bench_sink leaves there and ends at the far side of a veth pair, which takes
 * it for somebody else's, or, on a dummy device, at once.
 */
void bench_device(const char *type);

/* A UDP socket that can queue as much as it likes. */
int bench_socket(void);

/* Packets that left by BENCH_DEV. */
uint64_t bench_sent(void);

/* ---- reporting */

/*
 * A report has what was measured on what, and rows; a row is an object that is
 * the caller's to fill in. NAME.json is written where "--json FILE" says.
 */
struct json_object *report_new(const char *name, int argc, char **argv);
void report_set(struct json_object *report, const char *key, const char *value);
struct json_object *report_row(struct json_object *report, const char *table);
void report_save(struct json_object *report, int argc, char **argv);

/* "1.234", or "-" when there is nothing to compare with. */
const char *ratio_text(double a, double b, char text[16]);

#endif
