/* Addresses, ports and checksums of a packet, or of the packet that an ICMP error quotes, changed in place (RFC 1624). */
#pragma once

#include "bindings.h"

#define TCP_CHECKSUM 16
#define UDP_CHECKSUM 6
#define ICMP_CHECKSUM 2
#define ICMP_IDENTIFIER 4

struct rewrite {
	__be32 source, destination;
	__be16 source_port, destination_port;
	__u32 ported;   /* 0: addresses only */
	__u32 quoted;   /* it may be cut short */
	__u32 reserved;
	__u64 spread;   /* what all this changed in a sum over it: for the checksum of the error that quotes it */
};

static __always_inline int put_word(struct xdp_md *ctx, __u32 offset, __u16 word, struct rewrite *rewrite)
{
	__u16 *place = at(ctx, offset, sizeof(*place));

	if (!place)
		return 0;
	rewrite->spread += without(*place) + word;
	*place = word;
	return 1;
}

/* The addresses and the header's checksum; what they change in the pseudo header. */
static __always_inline int rewrite_addresses(struct xdp_md *ctx, __u32 network, struct rewrite *rewrite, __u64 *change)
{
	struct iphdr *ip = at(ctx, network, sizeof(*ip));

	if (!ip)
		return TRUNCATED;
	*change = without(sum_words(&ip->saddr, 4));
	ip->saddr = rewrite->source;
	ip->daddr = rewrite->destination;
	*change += sum_words(&ip->saddr, 4);
	__u16 check = changed(ip->check, *change);
	rewrite->spread += *change + without(ip->check) + check;
	ip->check = check;
	return FINE;
}

static __always_inline int rewrite_identifier(struct xdp_md *ctx, __u32 offset, struct rewrite *rewrite)
{
	__u16 *words = at(ctx, offset, ICMP_HEADER_BYTES);
	__be16 identifier;

	if (!words)
		return TRUNCATED;
	identifier = rewrite->source_port == words[2] ? rewrite->destination_port : rewrite->source_port;
	__u16 check = changed(words[1], without(words[2]) + identifier);
	put_word(ctx, offset + ICMP_IDENTIFIER, identifier, rewrite);
	put_word(ctx, offset + ICMP_CHECKSUM, check, rewrite);
	return FINE;
}

static __always_inline int rewrite_ports(struct xdp_md *ctx, __u32 offset, __u32 slice, struct rewrite *rewrite, __u64 change)
{
	__u16 *words = at(ctx, offset, 4);

	if (!words)
		return TRUNCATED;
	change += without((__u64)words[0] + words[1]) + rewrite->source_port + rewrite->destination_port;
	__u32 place = offset + (slice == SLICE_TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
	__u16 *old = at(ctx, place, sizeof(*old));
	if (!old && !rewrite->quoted)
		return TRUNCATED;
	if (old && slice == SLICE_TCP)
		put_word(ctx, place, changed(*old, change), rewrite);
	else if (old && *old) /* 0: UDP without a checksum, which stays so (RFC 768) */
		put_word(ctx, place, changed(*old, change) ?: 0xffff, rewrite);
	put_word(ctx, offset, rewrite->source_port, rewrite);
	put_word(ctx, offset + 2, rewrite->destination_port, rewrite);
	return FINE;
}

/* FINE, or why not. A function apart, so that Linux's verifier looks at it once. */
__noinline int rewrite_packet(struct xdp_md *ctx, struct layers *layers, struct rewrite *rewrite)
{
	__u64 change = 0;

	if (!layers || !rewrite)
		return TRUNCATED;
	__u32 slice = slice_of(layers->protocol);
	int reason = rewrite_addresses(ctx, layers->network, rewrite, &change);
	if (reason != FINE || !rewrite->ported)
		return reason;
	if (slice == SLICE_ICMP)
		return rewrite_identifier(ctx, layers->transport, rewrite);
	return rewrite_ports(ctx, layers->transport, slice, rewrite, change);
}

static __always_inline int is_link(const __u8 *address)
{
	return address[0] | address[1] | address[2] | address[3] | address[4] | address[5];
}

/* To the gateway, or to a host whose own frames said where it is. */
static __always_inline void address_frame(struct xdp_md *ctx, const __u8 *to, const __u8 *from)
{
	struct ethhdr *ethernet = at(ctx, 0, sizeof(*ethernet));

	if (!ethernet || !is_link(to) || !is_link(from))
		return;
	__builtin_memcpy(ethernet->h_dest, to, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, from, ETH_ALEN);
}
