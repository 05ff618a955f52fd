/* Firewall, version 2: as version 1, and one more UDP port is closed. */
#include "firewall.h"

#ifndef CLOSED_PORT
#define CLOSED_PORT 9
#endif
#ifndef NEW_CLOSED_PORT
#define NEW_CLOSED_PORT 1900 /* SSDP */
#endif

static const struct rule rules[] = {
	{IPPROTO_TCP, 23, XDP_DROP},
	{IPPROTO_UDP, CLOSED_PORT, XDP_DROP},
	{IPPROTO_UDP, NEW_CLOSED_PORT, XDP_DROP},
};

FIREWALL(rules);
