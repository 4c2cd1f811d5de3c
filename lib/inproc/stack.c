/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Datagrams are handed to the stack, by calls and by the thread. */
#include <errno.h>
#include <string.h>

#include "inproc.h"

/* One message has a shorter way than many. */
static int send_some(int fd, struct mmsghdr *hdr, unsigned int n, int flags)
{
	const struct msghdr *msg = &hdr->msg_hdr;
	ssize_t ret;

	if (n > 1)
		return sendmmsg(fd, hdr, n, flags);
	if (msg->msg_controllen || msg->msg_iovlen != 1)
		ret = sendmsg(fd, msg, flags);
	else
		ret = sendto(fd, msg->msg_iov->iov_base, msg->msg_iov->iov_len,
			     flags, msg->msg_name, msg->msg_namelen);
	return ret < 0 ? -1 : 1;
}

unsigned int qsi_send_plain(int fd, struct mmsghdr *hdr, unsigned int n,
			    int flags, int *err)
{
	unsigned int done = 0;
	int k;

	*err = 0;
	while (done < n) {
		k = send_some(fd, hdr + done, n - done, flags);
		if (k >= 0)
			done += k;
		else if (errno != EINTR)
			break;
	}
	if (done < n)
		*err = errno;
	return done;
}

void qsi_send(int fd, struct mmsghdr *hdr, unsigned int n, int flags,
	      struct inproc_sent *sent)
{
	int k, again = 0;

	memset(sent, 0, sizeof(*sent));
	while (sent->done < n) {
		k = send_some(fd, hdr + sent->done, n - sent->done, flags);
		if (k < 0 && errno == EAGAIN)
			break;
		if (k >= 0) {
			sent->done += k;
			again = 0;
			continue;
		}
		sent->error = errno;
		sent->done += again;
		sent->lost += again;
		again = !again;
	}
}
