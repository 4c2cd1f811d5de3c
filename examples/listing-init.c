/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Section 3.1.1 of the paper, the initialisation, as a program. */
#include <stdio.h>
#include <string.h>

#include <qsockets.h>

int main(int argc, char **argv)
{
	const char *dev = argc > 1 ? argv[1] : "eth0";

	struct qos_params params;
	int err = 0;

	strncpy(params.dev, dev, IFNAMSIZ);
	strncpy(params.name, "dwcs", IFNAMSIZ);

	params.attributes = NULL;
	err = qsockinit(&params);

	if (err < 0)
		fprintf(stderr, "qsockinit: %m: %s\n", qsock_errmsg());
	return err < 0;
}
