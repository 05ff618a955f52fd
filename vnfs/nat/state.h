/* What the translator keeps, and what an operator sets: maps, their values, counters. */
#pragma once

#include <include/checksum.h>
#include <include/counters.h>
#include <include/flow.h>

#ifndef PORTS
#define PORTS 8192 /* of each protocol: FIRST_PORT to FIRST_PORT + PORTS - 1 of the public address */
#endif
#ifndef FIRST_PORT
#define FIRST_PORT 32768
#endif
#ifndef TRIES
#define TRIES 64 /* ports looked at before a new host is refused */
#endif
#ifndef SESSIONS
#define SESSIONS 16384 /* peers that hosts talk to */
#endif
#ifndef NETWORKS
#define NETWORKS 64
#endif
/* RFC 4787 4.3, RFC 5382 5, RFC 5508 3.2, in seconds. */
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
#ifndef FRAGMENT_SECONDS
#define FRAGMENT_SECONDS 2
#endif
#define SECOND 1000000000ull

enum reason {
	OUTBOUND,
	INBOUND,
	HAIRPIN,         /* between two hosts inside, by the public address */
	ERROR_OUTBOUND,  /* ICMP errors, with the packet that they quote */
	ERROR_INBOUND,
	BOUND,           /* new bindings */
	NOT_OURS,        /* to pass: inside to inside, or to neither */
	NOT_IP4,         /* to pass: ARP, IPv6, ... */
	TRUNCATED,
	BAD_HEADER,
	BAD_CHECKSUM,    /* of an ICMP error */
	NO_BINDING,      /* from outside, to a port that nobody has, or about nobody's packet */
	FILTERED,        /* from outside, by a peer to whom the host did not speak */
	NO_PORT,         /* none of TRIES ports was free */
	FRAGMENT_EARLY,  /* came before the first fragment, which has the ports */
	FRAGMENT_BAD,    /* of an ICMP error */
	NOT_TRANSLATED,  /* a protocol or kind of ICMP message without ports */
	SPOOFED,         /* an inside source from the outside NIC */
	UNCONFIGURED,    /* there is no public address yet */
	REASONS
};
COUNTERS(REASONS)
#define FINE REASONS

struct config {
	__be32 public_address;
	__u32 outside_nic; /* its number: packets from there with a source inside are dropped; 0: not looked at */
	__u32 seed;        /* of the choice of ports: a secret random number */
	__u8 filtering;    /* 1: only peers to whom the host spoke may answer (RFC 4787 REQ-8); 0: anybody (its REQ-1 alone) */
	__u8 gateway[6];   /* where frames to outside go, and from which address; all zero: link addresses stay as they are */
	__u8 ours[6];
	__u8 inside[6];    /* as which frames leave to hosts inside, by the addresses that their own frames had */
	__u8 reserved;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

/* Networks that are inside. */
struct prefix {
	__u32 bits;
	__be32 address;
};
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, NETWORKS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32); /* 1: inside; 0: not, though a shorter prefix is */
} networks SEC(".maps");

enum slice { SLICE_TCP, SLICE_UDP, SLICE_ICMP, SLICES };

/* Who has a port: entry `slice * PORTS + port - FIRST_PORT`. */
struct binding {
	__be32 host;
	__be16 port;   /* the host's own, or its echo identifier */
	__u8 slice;
	__u8 link[6];  /* the host's */
	__u8 reserved[3];
	__u32 open;    /* TCP connections that were answered and are not closed */
	__u32 serial;  /* how often the port was given away: sessions of before are nobody's */
	__u64 until;   /* ktime, ns; 0: free */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PORTS * SLICES);
	__type(key, __u32);
	__type(value, struct binding);
} bindings SEC(".maps");

struct inside {
	__be32 host;
	__be16 port;
	__u16 slice;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PORTS * SLICES);
	__type(key, struct inside);
	__type(value, __u32); /* entry of `bindings` */
} bound SEC(".maps");

/* Whom a host talks to by its port. */
struct peer {
	__u32 index, serial;
	__be32 address;
	__be16 port;
	__u16 reserved;
};
enum session_state { SESSION_NEW, SESSION_OPEN, SESSION_CLOSED };
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SESSIONS);
	__type(key, struct peer);
	__type(value, __u32); /* enum session_state */
} sessions SEC(".maps");

/* Later fragments have no ports: they are changed as the first one was. */
struct whole {
	__be32 source, destination;
	__be16 id;
	__u16 protocol;
};
struct part {
	__be32 source, destination;
	__u8 link[6];
	__u16 reason;
	__u64 until;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct whole);
	__type(value, struct part);
} fragments SEC(".maps");

static __always_inline struct config *read_config(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&config, &zero);
}

static __always_inline int is_inside(__be32 address)
{
	struct prefix key = {.bits = 32, .address = address};
	__u32 *found = bpf_map_lookup_elem(&networks, &key);

	return found && *found;
}

/* SLICES: a protocol without ports. */
static __always_inline __u32 slice_of(__u8 protocol)
{
	if (protocol == IPPROTO_TCP)
		return SLICE_TCP;
	if (protocol == IPPROTO_UDP)
		return SLICE_UDP;
	return protocol == IPPROTO_ICMP ? SLICE_ICMP : SLICES;
}
