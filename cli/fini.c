/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qsock fini: gives a device back. */
#include <string.h>

#include "cli.h"

int fini_command(int argc, char **argv)
{
	int err;

	if (!argc)
		return bad_usage("fini",
				 "missing device: name one, or \"all\"");
	if (argc > 1)
		return bad_usage("fini", "unexpected argument \"%s\"", argv[1]);
	if (!strcmp(argv[0], "all"))
		err = qs_fini_all();
	else
		err = refuse_inproc(argv[0]) || qsockfini(argv[0]);
	return err ? failed("fini") : EXIT_DONE;
}
