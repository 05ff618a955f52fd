/* From IPv4 to IPv6 (RFC 7915 4). */
#pragma once

#include "own_errors.h"

/* The IPv6 host that has an IPv4 address, and port, of ours. */
static __always_inline int find_host(struct xdp_md *ctx, const struct layers *layers,
					     const struct config *config, __be32 address, enum end end,
					     struct ip6 *host, struct rewrite *rewrite)
{
	struct ip6 *mapped = bpf_map_lookup_elem(&hosts4, &address);
	int fine;

	if (mapped) {
		*host = *mapped;
		return FINE;
	}
	if (!config->pool) { /* stateless: every address is one of the prefix */
		with_prefix(config, address, host);
		return FINE;
	}
	if (address != config->pool)
		return NOT_OURS;
	__be16 port = read_port(ctx, layers, end, &fine);
	__u32 slice = slice_of(layers->protocol);
	if (!fine)
		return slice < SLICES ? TRUNCATED : NOT_TRANSLATED;
	struct binding *binding = find_binding(slice, bpf_ntohs(port));
	if (!binding)
		return NO_BINDING;
	if (end == DESTINATION)
		see_packet(ctx, layers, binding, 1);
	*host = binding->host;
	rewrite->ported = 1;
	rewrite->port = binding->port;
	return FINE;
}

static __always_inline int find_whole(const struct layers *layers, const struct iphdr *ip, struct ip6 *host)
{
	struct whole key = {.source = ip->saddr, .destination = ip->daddr, .id = ip->id, .protocol = layers->protocol};
	struct part *part = bpf_map_lookup_elem(&fragments, &key);

	if (!part || part->until < bpf_ktime_get_ns())
		return FRAGMENT_EARLY;
	*host = part->host;
	return FINE;
}

static __always_inline void keep_whole(const struct layers *layers, const struct iphdr *ip, const struct ip6 *host)
{
	struct whole key = {.source = ip->saddr, .destination = ip->daddr, .id = ip->id, .protocol = layers->protocol};
	struct part part = {.host = *host, .until = bpf_ktime_get_ns() + FRAGMENT_SECONDS * SECOND};

	bpf_map_update_elem(&fragments, &key, &part, BPF_ANY);
}

static __always_inline int destination_of(struct xdp_md *ctx, const struct layers *layers,
						  const struct config *config, const struct iphdr *ip,
						  struct ip6 *host, struct rewrite *rewrite)
{
	int is_shared = config->pool && ip->daddr == config->pool;

	if (is_shared && is_later_fragment(layers))
		return find_whole(layers, ip, host);
	int reason = find_host(ctx, layers, config, ip->daddr, DESTINATION, host, rewrite);
	if (reason == FINE && is_shared && layers->more)
		keep_whole(layers, ip, host);
	return reason;
}

static __always_inline int packet_to_6(struct xdp_md *ctx, struct layers *layers, const struct iphdr *ip,
				       const struct config *config)
{
	struct rewrite rewrite = {.end = DESTINATION, .to6 = 1};
	int fragment = is_fragment(layers);
	struct header6 new;
	struct link link;
	struct ip6 source, destination;

	if (slice_of(layers->protocol) == SLICE_ICMP && fragment)
		return ends(FRAGMENT_BAD, XDP_DROP);
	int reason = destination_of(ctx, layers, config, ip, &destination, &rewrite);
	if (reason != FINE)
		return ends(reason, XDP_DROP);
	known_ip6(config, ip->saddr, &source);
	__u64 addresses6 = sum_words(&source, 8) + sum_words(&destination, 8), addresses4 = sum_words(&ip->saddr, 4);
	if (layers->protocol == IPPROTO_UDP && !is_later_fragment(layers))
		reason = complete_udp(ctx, layers, addresses4);
	rewrite.pseudo6 = addresses6 + sum_of_length(layers->end - layers->transport, IPPROTO_ICMPV6);
	rewrite.change = addresses6 + without(addresses4);
	if (reason == FINE && !is_later_fragment(layers))
		reason = rewrite_transport(ctx, layers, &rewrite);
	if (reason != FINE)
		return ends(reason, XDP_DROP);
	fill_ip6(&new, layers, ip, fragment);
	new.ip.hop_limit = ip->ttl - 1;
	__builtin_memcpy(&new.ip.saddr, &source, sizeof(source));
	__builtin_memcpy(&new.ip.daddr, &destination, sizeof(destination));
	__u32 bytes = fragment ? sizeof(new) : sizeof(new.ip);
	if (!keep_link(ctx, layers, &link))
		return ends(TRUNCATED, XDP_DROP);
	if (!move_head(ctx, &link, layers->transport, bytes, &config->side6, bpf_htons(ETH_P_IPV6)))
		return ends(NO_ROOM, XDP_DROP);
	void *place = at(ctx, link.length, sizeof(new.ip));
	void *more = at(ctx, link.length + sizeof(new.ip), sizeof(new.fragment));
	if (!place || (fragment && !more))
		return ends(TRUNCATED, XDP_DROP);
	__builtin_memcpy(place, &new.ip, sizeof(new.ip));
	if (fragment && more)
		__builtin_memcpy(more, &new.fragment, sizeof(new.fragment));
	return ends(TO_IP6, XDP_PASS);
}

static __always_inline int quoted_to_6(struct xdp_md *ctx, struct layers *quoted, struct ipv6hdr *inner,
					       const struct config *config, __u32 offset)
{
	struct rewrite rewrite = {.end = SOURCE, .quoted = 1, .to6 = 1};
	struct ip6 source, destination;
	struct header6 new;

	if (find_ip4(ctx, offset, quoted) != FOUND_IP)
		return TRUNCATED;
	struct iphdr *place = at(ctx, offset, sizeof(*place));
	if (!place || is_later_fragment(quoted))
		return place ? NO_BINDING : TRUNCATED;
	struct iphdr ip = *place;
	int reason = find_host(ctx, quoted, config, ip.saddr, SOURCE, &source, &rewrite);
	if (reason != FINE)
		return reason;
	known_ip6(config, ip.daddr, &destination);
	__u64 addresses6 = sum_words(&source, 8) + sum_words(&destination, 8);
	rewrite.pseudo6 = addresses6 + sum_of_length(quoted->end - quoted->transport, IPPROTO_ICMPV6);
	rewrite.change = addresses6 + without(sum_words(&ip.saddr, 4));
	reason = rewrite_transport(ctx, quoted, &rewrite);
	fill_ip6(&new, quoted, &ip, 0);
	__builtin_memcpy(inner, &new.ip, sizeof(*inner));
	__builtin_memcpy(&inner->saddr, &source, sizeof(source));
	__builtin_memcpy(&inner->daddr, &destination, sizeof(destination));
	return reason;
}

struct error6 {
	struct ipv6hdr outer;
	struct error error;
	struct ipv6hdr inner;
};

__noinline int quoted_part_to_6(struct xdp_md *ctx, struct layers *quoted, struct error6 *new, struct config *config,
				__u32 offset)
{
	return quoted && new && config ? quoted_to_6(ctx, quoted, &new->inner, config, offset) : TRUNCATED;
}

__noinline int error_packet_to_6(struct xdp_md *ctx, struct layers *layers, struct config *config)
{
	struct error6 new = {};
	struct layers quoted = {};
	struct link link;

	if (!layers || !config)
		return XDP_ABORTED;
	struct iphdr *ip = at(ctx, layers->network, sizeof(*ip));
	if (!ip)
		return ends(TRUNCATED, XDP_DROP);
	*(__be32 *)&new.outer = bpf_htonl(0x60000000 | (ip->tos << 20));
	new.outer.hop_limit = ip->ttl - 1;
	known_ip6(config, ip->saddr, (struct ip6 *)&new.outer.saddr);
	if (fold(sum_packet(ctx, layers->transport, layers->end - layers->transport)) != 0xffff)
		return ends(BAD_CHECKSUM, XDP_DROP);
	struct error *old = at(ctx, layers->transport, sizeof(*old));
	if (!old || !keep_link(ctx, layers, &link))
		return ends(TRUNCATED, XDP_DROP);
	new.error = *old;
	int reason = error_to_6(&new.error, config);
	if (reason == FINE)
		reason = quoted_part_to_6(ctx, &quoted, &new, config, layers->transport + ERROR_BYTES);
	if (reason != FINE)
		return ends(reason, XDP_DROP);
	if (quoted.transport > layers->end)
		return ends(TRUNCATED, XDP_DROP);
	__u32 length = layers->end - quoted.transport + sizeof(new) - sizeof(new.outer);
	new.outer.payload_len = bpf_htons(length);
	new.outer.nexthdr = IPPROTO_ICMPV6;
	new.outer.daddr = new.inner.saddr;
	new.error.checksum = 0;
	if (!move_head(ctx, &link, quoted.transport, sizeof(new), &config->side6, bpf_htons(ETH_P_IPV6)))
		return ends(NO_ROOM, XDP_DROP);
	void *place = at(ctx, link.length, sizeof(new));
	if (!place)
		return ends(TRUNCATED, XDP_DROP);
	__builtin_memcpy(place, &new, sizeof(new));
	__u64 sum = sum_words(&new.outer.saddr, 16) + sum_of_length(length, IPPROTO_ICMPV6);
	sum += sum_packet(ctx, link.length + sizeof(new.outer), length);
	put_checksum(ctx, link.length + sizeof(new.outer) + ICMP_CHECKSUM, ~fold(sum));
	return ends(ERROR_TO_IP6, XDP_PASS);
}

#define MOST_OPTIONS 4 /* of IPv4, that are looked at: a packet with more is taken for one with a source route */
#define OPTION_END 0
#define OPTION_NOTHING 1
#define OPTION_LOOSE_ROUTE 131
#define OPTION_STRICT_ROUTE 137

/* Loose and strict source routes are refused while they are not at their end (RFC 7915 4.1). */
static __always_inline int has_source_route(struct xdp_md *ctx, const struct layers *layers)
{
	__u32 offset = layers->network + sizeof(struct iphdr);

	for (__u32 option = 0; option < MOST_OPTIONS; option++) {
		__u8 bytes[3];

		if (offset + sizeof(bytes) > layers->transport || bpf_xdp_load_bytes(ctx, offset, bytes, sizeof(bytes)))
			return 0;
		if (bytes[0] == OPTION_END)
			return 0;
		if ((bytes[0] == OPTION_LOOSE_ROUTE || bytes[0] == OPTION_STRICT_ROUTE) && bytes[2] <= bytes[1])
			return 1;
		offset += bytes[0] == OPTION_NOTHING ? 1 : bytes[1] + !bytes[1];
	}
	return 1;
}

static __always_inline int to_6(struct xdp_md *ctx, struct layers *layers, struct config *config)
{
	struct iphdr *old = at(ctx, layers->network, sizeof(*old));
	__u8 *type = at(ctx, layers->transport, 1);

	if (!old)
		return ends(TRUNCATED, XDP_DROP);
	struct iphdr ip = *old;
	__u32 bytes = layers->end - layers->transport + sizeof(struct header6);
	int is_error = layers->protocol == IPPROTO_ICMP && !is_later_fragment(layers) && type &&
		       (*type == UNREACHABLE4 || *type == EXCEEDED4 || *type == PARAMETER4);
	struct ip6 *mapped = bpf_map_lookup_elem(&hosts4, &ip.daddr);

	/* Nobody has such an address, and an error to it would go to many (RFC 1122 3.2.2). */
	if (!ip.saddr || (bpf_ntohl(ip.saddr) >> 28) >= 14)
		return ends(BAD_HEADER, XDP_DROP);
	if (config->pool && ip.daddr != config->pool && !mapped)
		return ends(NOT_OURS, XDP_DROP);
	if (layers->transport > layers->network + sizeof(ip) && has_source_route(ctx, layers))
		return ends(SOURCE_ROUTE, XDP_DROP);
	if (ip.ttl <= 1)
		return is_error || is_later_fragment(layers) ? ends(NOT_TRANSLATED, XDP_DROP) : SAY_HOP_LIMIT;
	if (bytes > mtu6(config) && !is_error)
		return is_later_fragment(layers) ? ends(NOT_TRANSLATED, XDP_DROP) : SAY_TOO_BIG;
	if (!is_error)
		return packet_to_6(ctx, layers, &ip, config);
	return is_fragment(layers) ? ends(FRAGMENT_BAD, XDP_DROP) : IS_ERROR;
}
