/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls that must not be cut short. The kernel's verifier gives up with EAGAIN
 * when a signal arrives, so a process with an interval timer would never load a
 * program; and a thread that is cancelled would keep the lock.
 */
#include <pthread.h>

#include "internal.h"

void qs_quiet_begin(struct qs_quiet *quiet)
{
	static const int arrive[] = { SIGINT,  SIGTERM, SIGQUIT, SIGHUP,
				      SIGSEGV, SIGBUS,	SIGFPE,	 SIGILL,
				      SIGABRT, SIGTRAP };
	sigset_t blocked;
	size_t k;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &quiet->cancel);
	sigfillset(&blocked);
	for (k = 0; k < sizeof(arrive) / sizeof(arrive[0]); k++)
		sigdelset(&blocked, arrive[k]);
	pthread_sigmask(SIG_BLOCK, &blocked, &quiet->mask);
}

void qs_quiet_end(struct qs_quiet *quiet)
{
	pthread_sigmask(SIG_SETMASK, &quiet->mask, NULL);
	pthread_setcancelstate(quiet->cancel, NULL);
}
