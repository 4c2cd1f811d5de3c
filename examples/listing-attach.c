/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sections 3.2 and 3.1.3 of the paper, an existing socket and a message with its
 * own parameters, as a program: it sends one frame to the discard port of an
 * address, 127.0.0.1 unless given.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <qsockets.h>

#define MS 1000000ull

static int attach(int fd, const char *dev)
{
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

	/*create scheduled socket*/
	return qattach(fd, &params);
}

static uint64_t in_50_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec +
	       50 * MS;
}

static int send_frame(int sockfd, struct sockaddr_in name)
{
	const char next_frame[1000] = "";
	const socklen_t size = sizeof(name);
	const uint64_t deadline = in_50_ms();

	struct packet_flags pflags;

	/*mark the packet as non-droppable*/
	pflags.drop_flag = DWCS_NON_DROPPABLE;
	/*attach a packet deadline to this message*/
	pflags.deadline = deadline;

	/*call qsendto and send the
	packet information down to the scheduler*/
	if (qsendto(sockfd, &next_frame, sizeof(next_frame), 0,
		    (struct sockaddr *)&name, size, &pflags) < 0) {
		perror("qsendto");
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *dev = argc > 1 ? argv[1] : "eth0";
	struct sockaddr_in name = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	name.sin_port = htons(9);
	if (inet_pton(AF_INET, argc > 2 ? argv[2] : "127.0.0.1",
		      &name.sin_addr) != 1) {
		fprintf(stderr, "usage: %s [DEV [IPV4-ADDRESS]]\n", argv[0]);
		return 2;
	}
	if (attach(fd, dev) < 0) {
		fprintf(stderr, "qattach: %m: %s\n", qsock_errmsg());
		return 1;
	}
	return send_frame(fd, name) < 0 || qclose(fd) < 0;
}
