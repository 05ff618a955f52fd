/* Firewall, version 1: telnet and one UDP port are closed. */
#include "firewall.h"

#ifndef CLOSED_PORT
#define CLOSED_PORT 9 /* discard */
#endif

static const struct rule rules[] = {
	{IPPROTO_TCP, 23, XDP_DROP},
	{IPPROTO_UDP, CLOSED_PORT, XDP_DROP},
};

FIREWALL(rules);
