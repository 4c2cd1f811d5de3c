/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the examples that send and receive share. What fails ends the program. */
#ifndef COMMON_H
#define COMMON_H

#include <argp.h>
#include <endian.h>
#include <errno.h>
#include <error.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>
#include <qsockets/info.h>

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull

#define START_S 30 /* a client waits for the first message, unless told */
#define GRACE_S 3 /* how long a late message or the end mark may take */

uint64_t clock_ns(clockid_t clock);

/* Sleeps until `when`, ns of CLOCK_MONOTONIC; returns how late it is then. */
uint64_t sleep_until(uint64_t when);

/* splitmix64: the same numbers everywhere for one seed. Returns [0, 1). */
double next_random(uint64_t *state);

/* An argument that is a whole number in this range. */
unsigned int number_of(const char *text, unsigned int least, unsigned int most,
		       struct argp_state *state);

/* The first two arguments are a HOST and a PORT. */
error_t parse_address(const char **host, const char **port,
		      const char *argument, struct argp_state *state);

/* A UDP address; `flags` as for getaddrinfo(). The caller frees it. */
struct addrinfo *resolve(const char *host, const char *port, int flags);

/* A UDP socket bound there, which notes when datagrams arrive. */
int open_receiver(const char *host, const char *port);

/*
 * Gives a socket so large a buffer that its program does not wait for the network: what
 * is too much, the queue has to drop. Who may not force this has less.
 */
void never_wait(int fd);

/*
 * For the qdisc etf, in its deadline mode: a socket that gives its datagrams
 * deadlines, ns of CLOCK_MONOTONIC, and sendto() with one. It needs privilege.
 */
void use_txtime(int fd);
ssize_t send_txtime(int fd, const void *data, size_t length, int flags,
		    const struct sockaddr *to, socklen_t tolen,
		    uint64_t deadline);

/*
 * Takes a datagram, if there is one. Returns its length, or -1. `arrival` is
 * when the kernel had it, ns of `clock`: waking up late is not the network's
 * doing.
 */
ssize_t receive_datagram(int fd, clockid_t clock, void *data, size_t size,
			 uint64_t *arrival);

/* Set by SIGINT and SIGTERM, after stop_by_signal(). */
extern volatile sig_atomic_t stopped;
void stop_by_signal(void);

/* A file to write to, and its end. */
FILE *create_file(const char *name);
void close_file(FILE *file, const char *name);

/* ---- results, as JSON */

void json_add(json_object *object, const char *name, uint64_t value);

/* Milliseconds, with as many digits as are worth reading. */
json_object *json_ms(uint64_t ns);

/* Median, 99th percentile and maximum of times, which are sorted. */
json_object *json_spread(uint64_t *values, size_t count);

/* What the scheduler says of a stream; its end marks are units as well. */
json_object *json_stream(const struct qos_info *info);

/* Writes `result` to the file, or to standard output if there is none. */
void write_result(const char *file, json_object *result);

#endif
