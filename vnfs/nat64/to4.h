/* From IPv6 to IPv4 (RFC 7915 5). */
#pragma once

#include "own_errors.h"

/* The IPv4 address and port of a host's end of a packet; FINE, or why there is none. */
static __always_inline int bind_source(struct xdp_md *ctx, const struct layers *layers,
					       const struct config *config, const struct ip6 *host, __be32 *address,
					       struct rewrite *rewrite)
{
	struct inside key = {.host = *host, .slice = slice_of(layers->protocol)};
	__u32 port = 0;
	int fine;

	*address = config->pool ? mapped_ip4(host) : known_ip4(config, host);
	if (*address)
		return FINE;
	*address = config->pool;
	if (!*address)
		return NOT_OURS;
	if (is_later_fragment(layers))
		return key.slice < SLICES ? FINE : NOT_TRANSLATED;
	key.port = read_port(ctx, layers, SOURCE, &fine);
	if (!fine)
		return key.slice < SLICES ? TRUNCATED : NOT_TRANSLATED;
	struct binding *binding = find_bound(&key, &port);
	if (!binding) {
		__u32 index = new_binding(&key, config->seed);

		binding = bpf_map_lookup_elem(&bindings, &index);
		port = FIRST_PORT + index - key.slice * PORTS;
	}
	if (!binding)
		return NO_PORT;
	see_packet(ctx, layers, binding, 0);
	rewrite->ported = 1;
	rewrite->port = bpf_htons(port);
	return FINE;
}

static __always_inline int emit_4(struct xdp_md *ctx, const struct layers *layers, struct iphdr *ip,
				  const struct config *config)
{
	struct link link;

	if (!keep_link(ctx, layers, &link))
		return ends(TRUNCATED, XDP_DROP);
	if (!move_head(ctx, &link, layers->transport, sizeof(*ip), &config->side4, bpf_htons(ETH_P_IP)))
		return ends(NO_ROOM, XDP_DROP);
	void *place = at(ctx, link.length, sizeof(*ip));
	if (!place)
		return ends(TRUNCATED, XDP_DROP);
	finish_ip4(ip);
	__builtin_memcpy(place, ip, sizeof(*ip));
	return ends(TO_IP4, XDP_PASS);
}

static __always_inline int packet_to_4(struct xdp_md *ctx, struct layers *layers, struct iphdr *ip,
				       const struct config *config, const struct ip6 *source, __u64 addresses6)
{
	struct rewrite rewrite = {.end = SOURCE};
	int reason = bind_source(ctx, layers, config, source, &ip->saddr, &rewrite);

	if (reason != FINE)
		return ends(reason, XDP_DROP);
	if (slice_of(layers->protocol) == SLICE_ICMP && is_fragment(layers))
		return ends(FRAGMENT_BAD, XDP_DROP);
	__u32 length = layers->end - layers->transport;
	rewrite.pseudo6 = addresses6 + sum_of_length(length, IPPROTO_ICMPV6);
	rewrite.change = without(addresses6) + sum_words(&ip->saddr, 4);
	if (!is_later_fragment(layers)) {
		reason = rewrite_transport(ctx, layers, &rewrite);
		if (reason != FINE)
			return ends(reason, XDP_DROP);
	}
	fill_ip4(ip, layers, ctx);
	return emit_4(ctx, layers, ip, config);
}

/* The host's end of a quoted packet, which went to it: it must have a binding, none is made. */
static __always_inline int find_quoted_host(struct xdp_md *ctx, const struct layers *quoted,
						    const struct config *config, const struct ip6 *host,
						    __be32 *address, struct rewrite *rewrite)
{
	struct inside key = {.host = *host, .slice = slice_of(quoted->protocol)};
	__u32 port = 0;
	int fine;

	*address = config->pool ? mapped_ip4(host) : known_ip4(config, host);
	if (*address)
		return FINE;
	*address = config->pool;
	if (is_later_fragment(quoted) || !config->pool)
		return NO_BINDING;
	key.port = read_port(ctx, quoted, DESTINATION, &fine);
	if (!fine || !find_bound(&key, &port))
		return NO_BINDING;
	rewrite->ported = 1;
	rewrite->port = bpf_htons(port);
	return FINE;
}

static __always_inline int quoted_to_4(struct xdp_md *ctx, struct layers *quoted, struct iphdr *inner,
					       const struct config *config, __u32 offset)
{
	struct rewrite rewrite = {.end = DESTINATION, .quoted = 1};

	if (find_ip6(ctx, offset, quoted) != FOUND_IP || quoted->transport > quoted->end)
		return TRUNCATED;
	struct ipv6hdr *ip = at(ctx, offset, sizeof(*ip));
	if (!ip)
		return TRUNCATED;
	struct ip6 source = *(struct ip6 *)&ip->saddr, destination = *(struct ip6 *)&ip->daddr;
	__u64 addresses6 = sum_words(&ip->saddr, 16);
	inner->tos = bpf_ntohl(*(__be32 *)ip) >> 20;
	inner->ttl = ip->hop_limit;
	inner->saddr = known_ip4(config, &source);
	if (!inner->saddr)
		return NOT_OURS;
	int reason = find_quoted_host(ctx, quoted, config, &destination, &inner->daddr, &rewrite);
	if (reason != FINE)
		return reason;
	rewrite.pseudo6 = addresses6 + sum_of_length(quoted->end - quoted->transport, IPPROTO_ICMPV6);
	rewrite.change = without(addresses6) + sum_words(&inner->saddr, 4);
	if (!is_later_fragment(quoted)) {
		reason = rewrite_transport(ctx, quoted, &rewrite);
		if (reason != FINE)
			return reason;
	}
	fill_ip4(inner, quoted, ctx);
	finish_ip4(inner);
	return FINE;
}

struct error4 {
	struct iphdr outer;
	struct error error;
	struct iphdr inner;
};

__noinline int quoted_part_to_4(struct xdp_md *ctx, struct layers *quoted, struct error4 *new, struct config *config,
				__u32 offset)
{
	return quoted && new && config ? quoted_to_4(ctx, quoted, &new->inner, config, offset) : TRUNCATED;
}

__noinline int error_packet_to_4(struct xdp_md *ctx, struct layers *layers, struct config *config)
{
	struct error4 new = {.outer = {.version = 4, .ihl = 5, .protocol = IPPROTO_ICMP}};
	struct layers quoted = {};
	struct link link;

	if (!layers || !config)
		return XDP_ABORTED;
	__u32 length = layers->end - layers->transport;
	struct ipv6hdr *ip = at(ctx, layers->network, sizeof(*ip));
	if (!ip)
		return ends(TRUNCATED, XDP_DROP);
	new.outer.tos = bpf_ntohl(*(__be32 *)ip) >> 20;
	new.outer.ttl = ip->hop_limit - 1;
	struct ip6 source = *(struct ip6 *)&ip->saddr;
	__u64 addresses6 = sum_words(&ip->saddr, 16);
	if (fold(sum_packet(ctx, layers->transport, length) + addresses6 + sum_of_length(length, IPPROTO_ICMPV6)) != 0xffff)
		return ends(BAD_CHECKSUM, XDP_DROP);
	struct error *old = at(ctx, layers->transport, sizeof(*old));
	if (!old || !keep_link(ctx, layers, &link))
		return ends(TRUNCATED, XDP_DROP);
	new.error = *old;
	int reason = error_to_4(&new.error, config);
	if (reason == FINE)
		reason = quoted_part_to_4(ctx, &quoted, &new, config, layers->transport + ERROR_BYTES);
	if (reason != FINE)
		return ends(reason, XDP_DROP);
	if (quoted.transport > layers->end)
		return ends(TRUNCATED, XDP_DROP);
	/* A router on the way has no IPv4 address: the translator speaks for it (RFC 6791). */
	new.outer.saddr = mapped_ip4(&source) ?: config->pool ?: known_ip4(config, &source);
	if (!new.outer.saddr)
		return ends(NOT_TRANSLATED, XDP_DROP);
	new.outer.daddr = new.inner.saddr;
	__u32 total = layers->end - quoted.transport + sizeof(new);
	new.outer.tot_len = bpf_htons(total);
	new.outer.id = new_id();
	finish_ip4(&new.outer);
	new.error.checksum = 0;
	if (!move_head(ctx, &link, quoted.transport, sizeof(new), &config->side4, bpf_htons(ETH_P_IP)))
		return ends(NO_ROOM, XDP_DROP);
	void *place = at(ctx, link.length, sizeof(new));
	if (!place)
		return ends(TRUNCATED, XDP_DROP);
	__builtin_memcpy(place, &new, sizeof(new));
	__u32 message = link.length + sizeof(new.outer);
	put_checksum(ctx, message + ICMP_CHECKSUM, ~fold(sum_packet(ctx, message, total - sizeof(new.outer))));
	return ends(ERROR_TO_IP4, XDP_PASS);
}

static __always_inline int to_4(struct xdp_md *ctx, struct layers *layers, struct config *config)
{
	struct iphdr ip = {.version = 4, .ihl = 5};
	struct ipv6hdr *old = at(ctx, layers->network, sizeof(*old));
	__u8 *type = at(ctx, layers->transport, 1);

	if (!old)
		return ends(TRUNCATED, XDP_DROP);
	struct ip6 source = *(struct ip6 *)&old->saddr, destination = *(struct ip6 *)&old->daddr;
	__u64 addresses6 = sum_words(&old->saddr, 16);
	ip.tos = bpf_ntohl(*(__be32 *)old) >> 20;
	ip.ttl = old->hop_limit - 1;
	/* Nobody has such an address, and an error to it would go to many (RFC 4443 2.4(e.6)). */
	if (is_zero(&source) || (bpf_ntohl(source.word[0]) >> 24) == 0xff)
		return ends(BAD_HEADER, XDP_DROP);
	ip.daddr = known_ip4(config, &destination);
	if (!ip.daddr)
		return ends(NOT_OURS, XDP_DROP);
	if (layers->segments)
		return ends(SOURCE_ROUTE, XDP_DROP);
	int is_error = layers->protocol == IPPROTO_ICMPV6 && !is_later_fragment(layers) && type && *type < FIRST_QUERY6;
	if (old->hop_limit <= 1)
		return is_error ? ends(NOT_TRANSLATED, XDP_DROP) : SAY_HOP_LIMIT;
	if (layers->end - layers->transport + sizeof(ip) > mtu4(config) && !is_error)
		return SAY_TOO_BIG;
	if (!is_error)
		return packet_to_4(ctx, layers, &ip, config, &source, addresses6);
	return is_fragment(layers) ? ends(FRAGMENT_BAD, XDP_DROP) : IS_ERROR;
}
