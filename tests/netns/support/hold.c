/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An application for tests in shell: attaches a UDP socket to a device, sends
 * messages to an IPv4 address, says so, and holds it until its input ends.
 *
 *	hold DEV ADDRESS MESSAGES IPG
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <qsockets.h>

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct q_dwcs_attr attr = { .oln = 1, .old = 2 };
	struct qos_params params = { .name = "dwcs", .attributes = &attr };
	int i, fd;
	char byte;

	if (argc != 5 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
		return 2;
	snprintf(params.dev, sizeof(params.dev), "%s", argv[1]);
	attr.ipg = strtoul(argv[4], NULL, 10);
	fd = qsocket(AF_INET, SOCK_DGRAM, 0, &params);
	if (fd < 0) {
		printf("%m: %s\n", qsock_errmsg());
		return 1;
	}
	for (i = 0; i < atoi(argv[3]); i++)
		if (sendto(fd, "held", 4, 0, (struct sockaddr *)&to,
			   sizeof(to)) != 4)
			return 1;
	puts("ready");
	fflush(stdout);
	return read(0, &byte, 1) < 0 || qclose(fd);
}
