/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Section 3.2 of the paper, an existing socket is attached, as a program. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <qsockets.h>

int main(int argc, char **argv)
{
	const char *dev = argc > 1 ? argv[1] : "eth0";
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	struct qos_params params;
	struct q_dwcs_attr attrs;
	/*fd is the socket descriptor*/

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

	/*attach the socket to the scheduler*/
	if (qattach(fd, &params) < 0) {
		fprintf(stderr, "qattach: %m: %s\n", qsock_errmsg());
		return 1;
	}
	return close(fd) < 0;
}
