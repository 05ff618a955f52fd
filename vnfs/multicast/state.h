/* Ports, groups, routers and stations of a switch that listens to IGMP and MLD. */
#pragma once

#include <include/checksum.h>
#include <include/counters.h>
#include <include/flow.h>

#ifndef PORTS
#define PORTS 4 /* numbers 1 to 3, as the NICs after the management NIC; the graph has an output for each set of them */
#endif
#define ALL_PORTS (((1 << PORTS) - 1) & ~1)
#define FIRST_OUTPUT 16  /* output FIRST_OUTPUT + set of ports, a bit each */
#define INTERFACES 16
#ifndef GROUPS
#define GROUPS 1024
#endif
#ifndef STATIONS
#define STATIONS 1024
#endif
#define SECOND 1000000000ull
#define MEMBER_SECONDS 260 /* RFC 2236 8.4 */
#define ROUTER_SECONDS 255 /* RFC 3376 8.5 */
#define LEAVE_SECONDS 2    /* RFC 2236 8.8 with its defaults: somebody else has so long to answer */
#define STATION_SECONDS 300

enum reason {
	FORWARDED,
	FLOODED,
	NOBODY,        /* no port but its own wants it */
	JOINED,        /* ports that joined a group, or stayed in it */
	LEFT,
	QUERIES,
	BAD_REPORT,    /* IGMP or MLD that is cut short, or about no multicast group */
	BAD_CHECKSUM,
	TABLE_FULL,    /* of groups: the report goes to the routers, the group is as an unknown one */
	UNKNOWN_GROUP, /* to the routers only, or flooded if so configured */
	TRUNCATED,
	BAD_HEADER,
	NO_PORT,       /* came in by an interface that is no port */
	REASONS
};
COUNTERS(REASONS)

struct config {
	__u32 member_seconds, router_seconds, leave_seconds; /* 0: 260, 255, 2 */
	__u32 router_ports;  /* a bit each: routers are there, whether they ask or not */
	__u32 flood_unknown; /* groups without members go everywhere, not to the routers only */
	__u32 fast_leave;    /* a port has one host: who leaves takes the port along at once */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

/* Port number of an interface; 0: its own number. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, INTERFACES);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

struct member_key {
	struct address group;
	__u32 vlan;
};
/* Until when each port wants something: ktime, ns. */
struct until {
	__u64 port[PORTS];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GROUPS);
	__type(key, struct member_key);
	__type(value, struct until);
} groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64);
	__type(key, __u32); /* VLAN */
	__type(value, struct until);
} routers SEC(".maps");

struct station_key {
	__u8 address[ETH_ALEN];
	__u16 vlan;
};
struct station {
	__u64 until;
	__u64 port;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, STATIONS);
	__type(key, struct station_key);
	__type(value, struct station);
} stations SEC(".maps");

static __always_inline __u32 ports_of(const struct until *until, __u64 now)
{
	__u32 set = 0;

	_Pragma("unroll") for (__u32 port = 0; port < PORTS; port++)
		set |= (until->port[port] > now) << port;
	return set;
}

static __always_inline void extend(struct until *until, __u32 port, __u64 time)
{
	_Pragma("unroll") for (__u32 at = 0; at < PORTS; at++)
		if (at == port)
			until->port[at] = time;
}

static __always_inline __u32 router_ports(__u32 vlan, __u64 now)
{
	__u32 zero = 0;
	struct config *settings = bpf_map_lookup_elem(&config, &zero);
	struct until *until = bpf_map_lookup_elem(&routers, &vlan);

	return ((settings ? settings->router_ports : 0) & ALL_PORTS) | (until ? ports_of(until, now) : 0);
}
