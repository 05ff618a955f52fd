/* Errors that the translator says itself: the hop limit is over, the packet is too big for the other side. */
#pragma once

#include "icmp.h"

#define QUOTE6 (LEAST_MTU6 - 48) /* RFC 4443 2.4(c): as much as fits */
#define QUOTE4 (576 - 28)        /* RFC 1812 4.3.2.3 */

/* No verdicts, but what is left to do when the stack of who found it out is free again. */
#define IS_ERROR -1
#define SAY_HOP_LIMIT -2
#define SAY_TOO_BIG -3

static __always_inline int cut_to(struct xdp_md *ctx, __u32 length)
{
	__u32 now = length_of(ctx);

	return now <= length || !bpf_xdp_adjust_tail(ctx, (int)length - (int)now);
}

/* Back to where the packet came from. */
__noinline int say_to_6(struct xdp_md *ctx, struct layers *layers, struct config *config, int what)
{
	if (!layers || !config)
		return XDP_ABORTED;
	struct error error = {.type = EXCEEDED6};
	if (what == SAY_TOO_BIG)
		error = (struct error){.type = TOO_BIG6, .rest = bpf_htonl(mtu4(config) + 20)};
	struct ipv6hdr ip = {.version = 6, .nexthdr = IPPROTO_ICMPV6, .hop_limit = 64};
	struct ipv6hdr *old = at(ctx, layers->network, sizeof(*old));
	struct side here = {};
	struct link link;

	if (!old || !keep_link(ctx, layers, &link))
		return ends(TRUNCATED, XDP_DROP);
	ip.daddr = old->saddr;
	if (is_zero(&config->address))
		with_prefix(config, config->pool, (struct ip6 *)&ip.saddr);
	else
		__builtin_memcpy(&ip.saddr, &config->address, sizeof(ip.saddr));
	swap_addresses(&link);
	if (!cut_to(ctx, layers->end) || !cut_to(ctx, layers->network + QUOTE6))
		return ends(TRUNCATED, XDP_DROP);
	if (!move_head(ctx, &link, layers->network, sizeof(ip) + ERROR_BYTES, &here, bpf_htons(ETH_P_IPV6)))
		return ends(NO_ROOM, XDP_DROP);
	__u32 payload = length_of(ctx) - link.length - sizeof(ip);
	ip.payload_len = bpf_htons(payload);
	void *place = at(ctx, link.length, sizeof(ip) + ERROR_BYTES);
	if (!place)
		return ends(TRUNCATED, XDP_DROP);
	__builtin_memcpy(place, &ip, sizeof(ip));
	__builtin_memcpy(place + sizeof(ip), &error, ERROR_BYTES);
	__u64 sum = sum_words(&ip.saddr, 16) + sum_of_length(payload, IPPROTO_ICMPV6);
	sum += sum_packet(ctx, link.length + sizeof(ip), payload);
	put_checksum(ctx, link.length + sizeof(ip) + ICMP_CHECKSUM, ~fold(sum));
	return ends(what == SAY_TOO_BIG ? TOLD_TOO_BIG : TOLD_HOP_LIMIT, XDP_TX);
}

__noinline int say_to_4(struct xdp_md *ctx, struct layers *layers, struct config *config, int what)
{
	if (!layers || !config)
		return XDP_ABORTED;
	struct error error = {.type = EXCEEDED4};
	if (what == SAY_TOO_BIG)
		error = (struct error){.type = UNREACHABLE4, .code = 4, .rest = bpf_htonl(mtu6(config) - 28)};
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_ICMP, .saddr = config->pool};
	struct iphdr *old = at(ctx, layers->network, sizeof(*old));
	struct side here = {};
	struct link link;

	if (!old || !keep_link(ctx, layers, &link))
		return ends(TRUNCATED, XDP_DROP);
	ip.daddr = old->saddr;
	if (!ip.saddr)
		ip.saddr = old->daddr; /* no address of its own: as the one that was asked */
	swap_addresses(&link);
	if (!cut_to(ctx, layers->end) || !cut_to(ctx, layers->network + QUOTE4))
		return ends(TRUNCATED, XDP_DROP);
	if (!move_head(ctx, &link, layers->network, sizeof(ip) + ERROR_BYTES, &here, bpf_htons(ETH_P_IP)))
		return ends(NO_ROOM, XDP_DROP);
	__u32 total = length_of(ctx) - link.length;
	ip.tot_len = bpf_htons(total);
	finish_ip4(&ip);
	void *place = at(ctx, link.length, sizeof(ip) + ERROR_BYTES);
	if (!place)
		return ends(TRUNCATED, XDP_DROP);
	__builtin_memcpy(place, &ip, sizeof(ip));
	__builtin_memcpy(place + sizeof(ip), &error, ERROR_BYTES);
	__u64 sum = sum_packet(ctx, link.length + sizeof(ip), total - sizeof(ip));
	put_checksum(ctx, link.length + sizeof(ip) + ICMP_CHECKSUM, ~fold(sum));
	return ends(what == SAY_TOO_BIG ? TOLD_TOO_BIG : TOLD_HOP_LIMIT, XDP_TX);
}
