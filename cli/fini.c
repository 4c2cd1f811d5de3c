/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qsock fini: gives a device back. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

int fini_command(int argc, char **argv)
{
	const char *dev = NULL;
	int i, err;

	for (i = 0; i < argc; i++) {
		if (take_option(argv[i]))
			continue;
		if (dev)
			return bad_usage("fini", "\"%s\" is one word too many",
					 argv[i]);
		dev = argv[i];
	}
	if (!dev)
		return bad_usage("fini", "name a device, or \"all\"");
	if (!strcmp(dev, "all"))
		err = qs_fini_all();
	else
		err = qsockfini(dev);
	return err ? failed("fini") : EXIT_DONE;
}
