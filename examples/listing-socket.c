/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Section 3.1.2 of the paper, the creation of a socket, as a program. */
#include <stdio.h>
#include <string.h>

#include <qsockets.h>

int main(int argc, char **argv)
{
	const char *dev = argc > 1 ? argv[1] : "eth0";
	const int domain = AF_INET, type = SOCK_DGRAM, protocol = 0;

	struct qos_params params;
	struct q_dwcs_attr attrs;
	int fd;

	/*set device name*/
	strncpy(params.dev, dev, IFNAMSIZ);

	/*set scheduler name */
	strncpy(params.name, "dwcs", IFNAMSIZ);

	/*set scheduling attributes*/

	attrs.oln = 0;

	attrs.old = 10;

	attrs.ipg = 10;

	attrs.stream_flags = DWCS_NON_DROPPABLE;

	params.attributes = &attrs;

	/*create scheduled socket*/
	fd = qsocket(domain, type, protocol, &params);

	if (fd < 0) {
		fprintf(stderr, "qsocket: %m: %s\n", qsock_errmsg());
		return 1;
	}
	return qclose(fd) < 0;
}
