/* The new headers, written where the old ones ended: the payload never moves. */
#pragma once

#include <include/link.h>

#include "transport.h"

#define ERROR_BYTES 8 /* of an ICMP header */

static __always_inline void fill_ip4(struct iphdr *ip, const struct layers *from, struct xdp_md *ctx)
{
	__u16 total = from->end - from->transport + sizeof(*ip);

	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = bpf_htons(total);
	ip->protocol = from->protocol == IPPROTO_ICMPV6 ? IPPROTO_ICMP : from->protocol;
	ip->check = 0;
	__be32 *id = from->fragment ? at(ctx, from->fragment + 4, 4) : NULL;
	if (id) {
		ip->id = bpf_htons(bpf_ntohl(*id)); /* its low 16 bits (RFC 7915 5.1.1) */
		ip->frag_off = bpf_htons(from->offset | (from->more ? IP4_MORE_FRAGMENTS : 0));
	} else {
		ip->id = total > 1260 ? 0 : new_id();
		ip->frag_off = total > 1260 ? bpf_htons(IP4_DONT_FRAGMENT) : 0;
	}
}

static __always_inline void finish_ip4(struct iphdr *ip)
{
	ip->check = 0;
	ip->check = ~fold(sum_words(ip, sizeof(*ip) / 2));
}

struct fragment6 {
	__u8 next, reserved;
	__be16 offset;
	__be32 id;
};
struct header6 {
	struct ipv6hdr ip;
	struct fragment6 fragment; /* only of fragments */
};

static __always_inline void fill_ip6(struct header6 *to, const struct layers *from, const struct iphdr *ip, int fragment)
{
	__u8 protocol = from->protocol == IPPROTO_ICMP ? IPPROTO_ICMPV6 : from->protocol;
	__u16 payload = from->end - from->transport + (fragment ? sizeof(to->fragment) : 0);

	*(__be32 *)&to->ip = bpf_htonl(0x60000000 | (ip->tos << 20));
	to->ip.payload_len = bpf_htons(payload);
	to->ip.nexthdr = fragment ? EXTENSION_FRAGMENT : protocol;
	to->ip.hop_limit = ip->ttl;
	to->fragment.next = protocol;
	to->fragment.reserved = 0;
	to->fragment.offset = bpf_htons((from->offset << 3) | from->more);
	to->fragment.id = bpf_htonl(bpf_ntohs(ip->id));
}

/* Moves the head so that `bytes` of headers lie before `keep`, writes the link header; 0: there is no room. */
static __always_inline int move_head(struct xdp_md *ctx, struct link *link, __u32 keep, __u32 bytes,
				     const struct side *side, __be16 type)
{
	const __u8 *to = side->gateway;

	if (to[0] | to[1] | to[2] | to[3] | to[4] | to[5]) {
		__builtin_memcpy(link->addresses, to, ETH_ALEN);
		__builtin_memcpy(link->addresses + ETH_ALEN, side->ours, ETH_ALEN);
	}
	if (bpf_xdp_adjust_head(ctx, (int)keep - (int)bytes - (int)link->length))
		return 0;
	return write_link(ctx, link, type, bytes);
}
