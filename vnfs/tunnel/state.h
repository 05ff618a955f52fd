/* The tunnels, how packets find them, counters. */
#pragma once

#include <include/checksum.h>
#include <include/counters.h>
#include <include/flow.h>

#ifndef TUNNELS
#define TUNNELS 64
#endif
#ifndef ROUTES
#define ROUTES 1024
#endif
#define VLANS 4096

enum reason {
	ENCAPSULATED,
	DECAPSULATED,
	NOT_OURS,       /* no route, and no tunnel that it came through */
	TRUNCATED,
	BAD_HEADER,
	HOP_LIMIT,      /* the inner packet's is over */
	TOO_BIG,        /* for the tunnel's MTU */
	FRAGMENT,       /* of the outer packet: nothing reassembles here */
	UNKNOWN_TUNNEL, /* from or to somebody else, or with another key */
	BAD_ECN,        /* marked on the way, but its sender does not do ECN (RFC 6040 4.2) */
	WRONG_INNER,    /* what is inside does not belong into this kind of tunnel */
	NO_ROOM,        /* no headroom */
	BAD_TUNNEL,     /* its entry makes no sense */
	REASONS
};
COUNTERS(REASONS)

enum kind {
	KIND_NONE,
	KIND_IPIP,  /* RFC 2003, 2473, 4213 */
	KIND_GRE,   /* RFC 2784, 2890, 7676: carries IP */
	KIND_TAP,   /* GRE that carries Ethernet */
	KIND_VXLAN, /* RFC 7348 */
	KINDS
};

struct tunnel {
	__u8 kind;
	__u8 version;      /* of the outer header: 4 or 6 */
	__u16 vlan;        /* of KIND_TAP and KIND_VXLAN: the tag that frames get that come out; 0: none */
	__u32 key;         /* of GRE; with KIND_VXLAN the VNI */
	struct address local, remote; /* IPv4: ::ffff:a.b.c.d */
	__u8 ours[6], gateway[6];     /* link addresses outside */
	__u8 inside_ours[6], inside_gateway[6]; /* inside, where IP comes out */
	__u8 hop_limit;    /* 0: 64 */
	__u8 dscp;         /* of the outer header; 255: the inner one's */
	__u16 mtu;         /* of the inner packet; 0: 1500 less the headers */
	__u8 keyed;        /* GRE has a key, which may be 0 */
	__u8 reserved[11];
	__u64 packets_in, bytes_in, packets_out, bytes_out;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TUNNELS);
	__type(key, __u32);
	__type(value, struct tunnel);
} tunnels SEC(".maps");

/* Where inner packets go: the number of a tunnel of IP. */
struct route4 {
	__u32 bits;
	__be32 address;
};
struct route6 {
	__u32 bits;
	struct address address;
};
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, ROUTES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct route4);
	__type(value, __u32);
} routes4 SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, ROUTES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct route6);
	__type(value, __u32);
} routes6 SEC(".maps");

/* Which frames go whole: the number of a tunnel of Ethernet, plus 1, by VLAN (0: frames without tag). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VLANS);
	__type(key, __u32);
	__type(value, __u32);
} bridged SEC(".maps");

/* Which tunnel an outer packet came through. */
struct endpoint {
	struct address local, remote; /* remote zero: from anybody */
	__u32 key;
	__u32 kind;                   /* of a key that GRE has not: plus NO_KEY */
};
#define NO_KEY 256
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TUNNELS);
	__type(key, struct endpoint);
	__type(value, __u32);
} endpoints SEC(".maps");

static __always_inline struct tunnel *tunnel_of(__u32 number)
{
	return bpf_map_lookup_elem(&tunnels, &number);
}

#define VXLAN_PORT 4789
#define GRE_CHECKSUM 0x8000
#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_OTHER 0x4fff /* routing, strict route, recursion, version: none is taken (RFC 2784 2.3) */
#define TYPE_ETHERNET 0x6558

#define ECN_MASK 3
#define ECN_NOT 0
#define ECN_CE 3
