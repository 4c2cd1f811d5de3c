// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Counts the instructions of a CPU that nobody else wants, until SIGTERM. It runs
 * when nothing else can, in turns of TURN instructions, and prints their number:
 * where the clock counts instructions, the rest of the time is what all others took.
 * The kernel's own count of idle time is not exact: there it was more than all time.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define TURN 1000000ul

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

/* Two instructions each. */
static void spin(unsigned long times)
{
	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(times) : : "cc");
}

int main(void)
{
	const struct sigaction action = { .sa_handler = end };
	const struct sched_param param = { 0 };
	unsigned long long turns = 0;

	if (sched_setscheduler(0, SCHED_IDLE, &param))
		die("sched_setscheduler: %s", strerror(errno));
	sigaction(SIGTERM, &action, NULL);
	for (; !ended; turns++)
		spin(TURN / 2);
	printf("%llu\n", turns * TURN);
	return 0;
}
