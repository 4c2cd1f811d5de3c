/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sections 3.1.2 and 3.1.3 of the paper, a socket and a message with its own
 * parameters, as a program: it sends one frame to 127.0.0.1, the discard port.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <qsockets.h>

int main(int argc, char **argv)
{
	const char *dev = argc > 1 ? argv[1] : "eth0";
	const int domain = AF_INET, type = SOCK_DGRAM, protocol = 0;
	struct sockaddr_in name = { .sin_family = AF_INET };
	const socklen_t size = sizeof(name);
	char next_frame[1000] = "";
	struct timespec now;
	uint64_t deadline;

	name.sin_port = htons(9);
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (argc > 2 && inet_pton(AF_INET, argv[2], &name.sin_addr) != 1) {
		fprintf(stderr, "usage: %s [DEV [IPV4-ADDRESS]]\n", argv[0]);
		return 2;
	}

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
	int sockfd = fd;

	clock_gettime(CLOCK_MONOTONIC, &now);
	deadline = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec +
		   50000000;

	struct packet_flags pflags;

	/*mark the packet as non-droppable*/
	pflags.drop_flag = DWCS_NON_DROPPABLE;
	/*attach a packet deadline to this message*/
	pflags.deadline = deadline;

	/*call qsendto and send the packet information down to the scheduler*/
	if (qsendto(sockfd, &next_frame, sizeof(next_frame), 0,
		    (struct sockaddr *)&name, size, &pflags) < 0) {
		perror("qsendto");
		return 1;
	}
	return qclose(sockfd) < 0;
}
