/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <json-c/json.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "flow.h"

/* ---- addresses */

static const void *address_of(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET6)
		return &((const struct sockaddr_in6 *)a)->sin6_addr;
	return &((const struct sockaddr_in *)a)->sin_addr;
}

/* sin_port and sin6_port are at the same place. */
static unsigned int port_of(const struct sockaddr_storage *a)
{
	return ntohs(((const struct sockaddr_in *)a)->sin_port);
}

/* With the device of an address that is of one link only. */
static const char *print_address(const struct sockaddr_storage *a,
				 char room[ENDPOINT_SIZE])
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
	char device[IF_NAMESIZE], clean[4 * IF_NAMESIZE];
	size_t len;

	if (!inet_ntop(a->ss_family, address_of(a), room, INET6_ADDRSTRLEN))
		*room = 0;
	len = strlen(room);
	if (a->ss_family == AF_INET6 && in6->sin6_scope_id &&
	    if_indextoname(in6->sin6_scope_id, device))
		snprintf(room + len, ENDPOINT_SIZE - len, "%%%s",
			 clean_text(device, clean, sizeof(clean)));
	return room;
}

const char *print_endpoint(const struct sockaddr_storage *a,
			   char room[ENDPOINT_SIZE])
{
	char address[ENDPOINT_SIZE];

	if (a->ss_family == AF_UNSPEC)
		strcpy(room, "*");
	else
		snprintf(room, ENDPOINT_SIZE,
			 a->ss_family == AF_INET6 ? "[%.70s]:%u" : "%.70s:%u",
			 print_address(a, address), port_of(a));
	return room;
}

const char *print_flow(const struct flow *flow, char room[FLOW_SIZE])
{
	char local[ENDPOINT_SIZE], remote[ENDPOINT_SIZE];

	snprintf(room, FLOW_SIZE, "%s %s -> %s", flow->protocol,
		 print_endpoint(&flow->local, local),
		 print_endpoint(&flow->remote, remote));
	return room;
}

/* ---- JSON */

static struct json_object *endpoint_json(const struct sockaddr_storage *a)
{
	struct json_object *o;
	char room[ENDPOINT_SIZE];

	if (a->ss_family == AF_UNSPEC)
		return NULL;
	o = json_object_new_object();
	add_text(o, "address", print_address(a, room));
	add_number(o, "port", port_of(a));
	return o;
}

void add_flow(struct json_object *o, const struct flow *flow)
{
	json_object_object_add(o, "protocol",
			       flow->protocol ? json_text(flow->protocol) :
						NULL);
	json_object_object_add(o, "local", endpoint_json(&flow->local));
	json_object_object_add(o, "remote", endpoint_json(&flow->remote));
}

/* ---- a socket's own words */

static int int_option(int fd, int option)
{
	socklen_t len = sizeof(int);
	int value = 0;

	getsockopt(fd, SOL_SOCKET, option, &value, &len);
	return value;
}

static const char *protocol_name(int type, int protocol)
{
	if (type == SOCK_RAW)
		return "raw";
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_UDPLITE:
		return "udplite";
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return "icmp";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_MPTCP:
		return "mptcp";
	default:
		return "ip";
	}
}

void flow_of_socket(int fd, struct flow *flow)
{
	socklen_t len = sizeof(flow->local);

	memset(flow, 0, sizeof(*flow));
	flow->protocol = protocol_name(int_option(fd, SO_TYPE),
				       int_option(fd, SO_PROTOCOL));
	if (getsockname(fd, (struct sockaddr *)&flow->local, &len))
		flow->local.ss_family = AF_UNSPEC;
	len = sizeof(flow->remote);
	if (getpeername(fd, (struct sockaddr *)&flow->remote, &len))
		flow->remote.ss_family = AF_UNSPEC;
}
