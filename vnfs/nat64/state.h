/* What the translator keeps, and what an operator sets: maps, their values, counters. */
#pragma once

#include <include/checksum.h>
#include <include/counters.h>

#ifndef PORTS
#define PORTS 4096 /* bindings of each protocol: ports FIRST_PORT to FIRST_PORT + PORTS - 1 */
#endif
#ifndef FIRST_PORT
#define FIRST_PORT 32768
#endif
#ifndef HOSTS
#define HOSTS 1024 /* pairs of addresses that are mapped explicitly */
#endif
#ifndef TRIES
#define TRIES 32 /* ports looked at before a new host is refused */
#endif
/* RFC 6146 4, in seconds. */
#ifndef UDP_SECONDS
#define UDP_SECONDS 300
#endif
#ifndef ICMP_SECONDS
#define ICMP_SECONDS 60
#endif
#ifndef TCP_SECONDS
#define TCP_SECONDS 7440
#endif
#ifndef TCP_TRANSITORY_SECONDS
#define TCP_TRANSITORY_SECONDS 240
#endif
#define FRAGMENT_SECONDS 2
#define SECOND 1000000000ull

enum reason {
	TO_IP4,
	TO_IP6,
	ERROR_TO_IP4,    /* ICMP errors, with the packet that they quote */
	ERROR_TO_IP6,
	TOLD_HOP_LIMIT,  /* answered by an ICMP error of our own */
	TOLD_TOO_BIG,
	BOUND,           /* new bindings */
	NOT_OURS,        /* neither prefix nor pool nor a mapped address */
	NOT_IP,
	TRUNCATED,
	BAD_HEADER,
	BAD_CHECKSUM,    /* of an ICMP error */
	NO_BINDING,      /* from IPv4, to a port that nobody has */
	NO_PORT,         /* none of TRIES ports was free */
	FRAGMENT_EARLY,  /* came before the first fragment, which has the ports */
	FRAGMENT_BAD,    /* of ICMP, or of UDP without checksum: RFC 7915 does not translate them */
	NOT_TRANSLATED,  /* a kind of ICMP message, protocol or header that has no counterpart */
	SOURCE_ROUTE,    /* segments left of a routing header, or an IPv4 source route */
	NO_ROOM,         /* no headroom for the longer header */
	REASONS
};
COUNTERS(REASONS)

struct ip6 {
	__be32 word[4];
};

struct side {
	__u8 ours[6];    /* as which frames leave */
	__u8 gateway[6]; /* where they go; all zero: link addresses stay as they are */
};

struct config {
	struct ip6 prefix;  /* a /96 (RFC 6052); all zero: 64:ff9b::/96 */
	struct ip6 address; /* whose errors of our own are; all zero: the prefix with the pool's address */
	__be32 pool;        /* IPv4 address that bindings share; 0: none is made, only mapped hosts are translated */
	__u16 mtu6, mtu4;   /* 0: 1500 */
	struct side side6, side4;
	__u32 seed;         /* of the choice of ports: a secret random number */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

/* Hosts with an IPv4 address of their own (RFC 7757): both maps say the same pair. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HOSTS);
	__type(key, struct ip6);
	__type(value, __be32);
} hosts6 SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HOSTS);
	__type(key, __be32);
	__type(value, struct ip6);
} hosts4 SEC(".maps");

enum slice { SLICE_TCP, SLICE_UDP, SLICE_ICMP, SLICES };

/* Who has a port of the pool: entry `slice * PORTS + port - FIRST_PORT`. */
struct binding {
	struct ip6 host;
	__be16 port;     /* the host's own, or its echo identifier */
	__u8 opened;     /* of TCP: it has answered */
	__u8 closing;    /* of TCP: a FIN or RST was seen */
	__u32 slice;
	__u64 until;     /* ktime, ns; 0: free */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PORTS * SLICES);
	__type(key, __u32);
	__type(value, struct binding);
} bindings SEC(".maps");

struct inside {
	struct ip6 host;
	__be16 port;
	__u16 slice;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PORTS * SLICES);
	__type(key, struct inside);
	__type(value, __u32); /* entry of `bindings` */
} bound SEC(".maps");

/* Later fragments from IPv4 have no ports: they go where the first one went. */
struct whole {
	__be32 source, destination;
	__be16 id;
	__u16 protocol;
};
struct part {
	struct ip6 host;
	__u64 until;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct whole);
	__type(value, struct part);
} fragments SEC(".maps");

/* The identification of the next IPv4 packet (RFC 7915 5.1). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next_id SEC(".maps");

static __always_inline struct config *read_config(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&config, &zero);
}

static __always_inline __u16 new_id(void)
{
	__u32 zero = 0, *id = bpf_map_lookup_elem(&next_id, &zero);

	return id ? bpf_htons(__sync_fetch_and_add(id, 1)) : 0;
}

static __always_inline int is_zero(const struct ip6 *address)
{
	return !(address->word[0] | address->word[1] | address->word[2] | address->word[3]);
}
