/* The 5-tuple of a packet, IPv4 and IPv6 alike, and of the packet that an ICMP error quotes. */
#pragma once

#include "layers.h"

#define ICMP4_REPLY 0
#define ICMP4_REQUEST 8
#define ICMP6_REQUEST 128
#define ICMP6_REPLY 129
#define ICMP_HEADER_BYTES 8
#define TCP_HEADER_BYTES 20

/* The byte of a TCP header that has its flags, and them (RFC 9293 3.1). */
#define TCP_FLAGS_OFFSET 13
#define FLAG_FIN 0x01
#define FLAG_SYN 0x02
#define FLAG_RST 0x04
#define FLAG_ACK 0x10

struct address {
	__be32 word[4]; /* of IPv4: ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so one table serves both */
};

/* Without gaps: it is a key as it is. An echo has its identifier as both ports, other ICMP and other protocols none. */
struct flow {
	struct address source, destination;
	__be16 source_port, destination_port;
	__u16 vlan;
	__u8 protocol;
	__u8 version;
};

enum flow_found {
	FLOW_PORTS,    /* ports or an identifier */
	FLOW_ADDRESSES,/* no ports: another protocol, or a later fragment */
	FLOW_ERROR,    /* an ICMP error: what it quotes says whose it is */
	FLOW_SHORT,
};

static __always_inline void map_ip4(struct address *to, __be32 address)
{
	to->word[0] = to->word[1] = 0;
	to->word[2] = bpf_htonl(0xffff);
	to->word[3] = address;
}

/* The addresses of the IP header at `network`; 0: it is not there. */
static __always_inline int read_addresses(struct xdp_md *ctx, const struct layers *layers, struct flow *flow)
{
	flow->vlan = layers->vlan;
	flow->version = layers->version;
	flow->protocol = layers->protocol;
	flow->source_port = flow->destination_port = 0;
	if (layers->version == 4) {
		struct iphdr *ip = at(ctx, layers->network, sizeof(*ip));

		if (!ip)
			return 0;
		map_ip4(&flow->source, ip->saddr);
		map_ip4(&flow->destination, ip->daddr);
		return 1;
	}
	struct ipv6hdr *ip = at(ctx, layers->network, sizeof(*ip));
	if (!ip)
		return 0;
	__builtin_memcpy(&flow->source, &ip->saddr, sizeof(flow->source));
	__builtin_memcpy(&flow->destination, &ip->daddr, sizeof(flow->destination));
	return 1;
}

/* Destination unreachable, time exceeded, parameter problem; redirects and the old source quench are none that count. */
static __always_inline int is_icmp_error(__u8 protocol, __u8 type)
{
	if (protocol == IPPROTO_ICMPV6)
		return type >= 1 && type <= 4;
	return protocol == IPPROTO_ICMP && (type == 3 || type == 11 || type == 12);
}

static __always_inline int is_echo(__u8 protocol, __u8 type)
{
	if (protocol == IPPROTO_ICMPV6)
		return type == ICMP6_REQUEST || type == ICMP6_REPLY;
	return type == ICMP4_REQUEST || type == ICMP4_REPLY;
}

/* `limit`: where the packet ends, so that padding is not taken for ports. */
static __always_inline enum flow_found read_transport(struct xdp_md *ctx, const struct layers *layers, struct flow *flow,
						      __u32 limit)
{
	if (layers->offset)
		return FLOW_ADDRESSES;
	__u8 protocol = layers->protocol;
	int is_icmp = protocol == (layers->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (!is_icmp && protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return FLOW_ADDRESSES;
	__be16 *words = at(ctx, layers->transport, ICMP_HEADER_BYTES);
	if (!words || layers->transport + ICMP_HEADER_BYTES > limit)
		return FLOW_SHORT;
	if (!is_icmp) {
		flow->source_port = words[0];
		flow->destination_port = words[1];
		return FLOW_PORTS;
	}
	__u8 type = *(__u8 *)words;
	if (is_icmp_error(protocol, type))
		return FLOW_ERROR;
	if (!is_echo(protocol, type))
		return FLOW_ADDRESSES;
	flow->source_port = flow->destination_port = words[2];
	return FLOW_PORTS;
}

/* Of a packet whose layers were found. A function apart, so that Linux's verifier looks at it once. */
__noinline int read_flow_at(struct xdp_md *ctx, struct layers *layers, struct flow *flow, __u32 limit)
{
	if (!layers || !flow || !read_addresses(ctx, layers, flow))
		return FLOW_SHORT;
	return read_transport(ctx, layers, flow, limit);
}

static __always_inline enum flow_found read_whole_flow(struct xdp_md *ctx, struct layers *layers, struct flow *flow)
{
	return read_flow_at(ctx, layers, flow, layers->end);
}

/* The layers and flow of the packet that an ICMP error quotes; an error that quotes an error is none (RFC 1122 3.2.2). */
static __always_inline enum flow_found read_quoted(struct xdp_md *ctx, const struct layers *layers, struct layers *quoted,
						   struct flow *flow)
{
	__u32 offset = layers->transport + ICMP_HEADER_BYTES;
	enum found found;

	quoted->vlan = layers->vlan;
	if (layers->version == 4)
		found = find_ip4(ctx, offset, quoted);
	else
		found = find_ip6(ctx, offset, quoted);
	if (found != FOUND_IP)
		return FLOW_SHORT;
	return read_flow_at(ctx, quoted, flow, layers->end);
}

/* The flow of the answers. */
static __always_inline void turn_round(const struct flow *flow, struct flow *back)
{
	back->source = flow->destination;
	back->destination = flow->source;
	back->source_port = flow->destination_port;
	back->destination_port = flow->source_port;
	back->vlan = flow->vlan;
	back->protocol = flow->protocol;
	back->version = flow->version;
}

/* TCP's flags, or -1: it ends before them. */
static __always_inline int tcp_flags(struct xdp_md *ctx, const struct layers *layers)
{
	__u8 *tcp = at(ctx, layers->transport, TCP_HEADER_BYTES);

	if (!tcp || layers->transport + TCP_HEADER_BYTES > layers->end)
		return -1;
	return tcp[TCP_FLAGS_OFFSET];
}

/* For those who count: SCTP and UDP-Lite have ports too, and of ICMP the destination port is type and code. 0: they are cut off. */
__noinline int read_flow(struct xdp_md *ctx, struct layers *layers, struct flow *flow)
{
	if (!layers || !flow)
		return 0;
	flow->vlan = layers->vlan;
	flow->protocol = layers->protocol;
	flow->version = layers->version;
	flow->source_port = flow->destination_port = 0;
	if (layers->version == 4) {
		__be32 pair[2];

		if (bpf_xdp_load_bytes(ctx, layers->network + 12, pair, sizeof(pair)))
			return 0;
		map_ip4(&flow->source, pair[0]);
		map_ip4(&flow->destination, pair[1]);
	} else if (bpf_xdp_load_bytes(ctx, layers->network + 8, &flow->source, 2 * sizeof(flow->source))) {
		return 0;
	}
	if (layers->offset)
		return 1;
	__u8 protocol = layers->protocol;
	__be16 ports[2];
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP || protocol == IPPROTO_UDPLITE) {
		if (bpf_xdp_load_bytes(ctx, layers->transport, ports, sizeof(ports)))
			return 0;
		flow->source_port = ports[0];
		flow->destination_port = ports[1];
	} else if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		if (bpf_xdp_load_bytes(ctx, layers->transport, ports, sizeof(ports)))
			return 0;
		flow->destination_port = ports[0];
	}
	return 1;
}

/* A hash of 32-bit words: multiply and shift after each. */
static __always_inline __u32 mix(__u32 hash, __u32 word)
{
	hash = (hash ^ word) * 0x85ebca6b;
	return hash ^ (hash >> 15);
}

static __always_inline __u32 hash_words(const void *start, __u32 count, __u32 seed)
{
	const __u32 *words = start;
	__u32 hash = seed + 0x9e3779b9;

	_Pragma("unroll") for (__u32 i = 0; i < count; i++)
		hash = mix(hash, words[i]);
	hash *= 0xc2b2ae35;
	return hash ^ (hash >> 16);
}

static __always_inline __u32 hash_of(const struct flow *flow, __u32 seed)
{
	return hash_words(flow, sizeof(*flow) / 4, seed);
}
