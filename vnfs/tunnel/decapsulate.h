/* Out of a tunnel: which one it is, what is inside, and whether it was marked on the way. */
#pragma once

#include "state.h"

struct outer {
	struct endpoint endpoint;
	__u32 start;  /* offset of what is inside */
	__be16 type;  /* what it says to be */
	__u8 ethernet;
	__u8 tos;
};

static __always_inline int read_gre(struct xdp_md *ctx, __u32 offset, struct outer *outer)
{
	__be16 words[2];

	if (bpf_xdp_load_bytes(ctx, offset, words, sizeof(words)))
		return TRUNCATED;
	__u16 flags = bpf_ntohs(words[0]);
	if (flags & GRE_OTHER)
		return BAD_HEADER;
	offset += 4 + (flags & GRE_CHECKSUM ? 4 : 0);
	outer->endpoint.kind = words[1] == bpf_htons(TYPE_ETHERNET) ? KIND_TAP : KIND_GRE;
	if (flags & GRE_KEY) {
		__be32 key;

		if (bpf_xdp_load_bytes(ctx, offset, &key, sizeof(key)))
			return TRUNCATED;
		outer->endpoint.key = bpf_ntohl(key);
		offset += 4;
	} else {
		outer->endpoint.kind += NO_KEY;
	}
	outer->start = offset + (flags & GRE_SEQUENCE ? 4 : 0);
	outer->type = words[1];
	outer->ethernet = words[1] == bpf_htons(TYPE_ETHERNET);
	return REASONS;
}

static __always_inline int read_vxlan(struct xdp_md *ctx, __u32 offset, struct outer *outer)
{
	__be32 words[2];

	if (bpf_xdp_load_bytes(ctx, offset + 8, words, sizeof(words)))
		return TRUNCATED;
	if (!(bpf_ntohl(words[0]) & 0x08000000))
		return BAD_HEADER;
	outer->endpoint.kind = KIND_VXLAN;
	outer->endpoint.key = bpf_ntohl(words[1]) >> 8;
	outer->start = offset + 16;
	outer->ethernet = 1;
	return REASONS;
}

/* -1: this is no packet of a tunnel. */
static __always_inline int read_outer(struct xdp_md *ctx, const struct layers *layers, const struct flow *flow,
				      struct outer *outer)
{
	outer->endpoint.local = flow->destination;
	outer->endpoint.remote = flow->source;
	outer->start = layers->transport;
	if (flow->protocol == IPPROTO_IPIP || flow->protocol == IPPROTO_IPV6) {
		outer->endpoint.kind = KIND_IPIP;
		outer->type = flow->protocol == IPPROTO_IPIP ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
		return REASONS;
	}
	if (flow->protocol == IPPROTO_GRE)
		return read_gre(ctx, layers->transport, outer);
	if (flow->protocol == IPPROTO_UDP && flow->destination_port == bpf_htons(VXLAN_PORT))
		return read_vxlan(ctx, layers->transport, outer);
	return -1;
}

static __always_inline struct tunnel *came_through(struct endpoint *endpoint)
{
	__u32 *number = bpf_map_lookup_elem(&endpoints, endpoint);

	if (!number) {
		__builtin_memset(&endpoint->remote, 0, sizeof(endpoint->remote));
		number = bpf_map_lookup_elem(&endpoints, endpoint);
	}
	return number ? tunnel_of(*number) : NULL;
}

/* A mark of the outer header goes into the inner one (RFC 6040 4.2, the table). */
static __always_inline int merge_ecn(struct xdp_md *ctx, __u32 offset, __be16 type, __u8 outer_tos)
{
	__u16 word, marked, checksum;

	if (bpf_xdp_load_bytes(ctx, offset, &word, sizeof(word)))
		return TRUNCATED;
	__u32 shift = type == bpf_htons(ETH_P_IPV6) ? 4 : 0, inner = bpf_ntohs(word);
	if (inner >> 12 != (shift ? 6 : 4))
		return WRONG_INNER;
	if ((outer_tos & ECN_MASK) != ECN_CE)
		return REASONS;
	if (((inner >> shift) & ECN_MASK) == ECN_NOT)
		return BAD_ECN;
	marked = bpf_htons(inner | (ECN_CE << shift));
	bpf_xdp_store_bytes(ctx, offset, &marked, sizeof(marked));
	if (!shift && !bpf_xdp_load_bytes(ctx, offset + 10, &checksum, sizeof(checksum)))
		put_checksum(ctx, offset + 10, changed(checksum, without(word) + marked));
	return REASONS;
}

/* An IP packet comes out: it gets a link header again. */
static __always_inline int unwrap_ip(struct xdp_md *ctx, const struct tunnel *tunnel, const struct outer *outer)
{
	struct ethhdr ethernet;
	__u8 whole[sizeof(struct iphdr)];

	if (outer->type != bpf_htons(ETH_P_IP) && outer->type != bpf_htons(ETH_P_IPV6))
		return ends(WRONG_INNER, XDP_DROP);
	if (bpf_xdp_load_bytes(ctx, outer->start, whole, sizeof(whole)))
		return ends(TRUNCATED, XDP_DROP);
	int reason = merge_ecn(ctx, outer->start, outer->type, outer->tos);
	if (reason != REASONS)
		return ends(reason, XDP_DROP);
	if (bpf_xdp_load_bytes(ctx, 0, &ethernet, sizeof(ethernet)) ||
	    bpf_xdp_adjust_head(ctx, (int)outer->start - (int)sizeof(ethernet)))
		return ends(TRUNCATED, XDP_DROP);
	const __u8 *to = tunnel->inside_gateway;
	if (to[0] | to[1] | to[2] | to[3] | to[4] | to[5]) {
		__builtin_memcpy(ethernet.h_dest, to, ETH_ALEN);
		__builtin_memcpy(ethernet.h_source, tunnel->inside_ours, ETH_ALEN);
	}
	ethernet.h_proto = outer->type;
	bpf_xdp_store_bytes(ctx, 0, &ethernet, sizeof(ethernet));
	return ends(DECAPSULATED, XDP_PASS);
}

static __always_inline int unwrap_frame(struct xdp_md *ctx, const struct tunnel *tunnel, const struct outer *outer)
{
	struct ethhdr ethernet;
	__u32 vlan = tunnel->vlan;

	if (bpf_xdp_load_bytes(ctx, outer->start, &ethernet, sizeof(ethernet)))
		return ends(TRUNCATED, XDP_DROP);
	if (ethernet.h_proto == bpf_htons(ETH_P_IP) || ethernet.h_proto == bpf_htons(ETH_P_IPV6)) {
		int reason = merge_ecn(ctx, outer->start + sizeof(ethernet), ethernet.h_proto, outer->tos);

		if (reason == BAD_ECN)
			return ends(reason, XDP_DROP);
	}
	if (bpf_xdp_adjust_head(ctx, (int)outer->start - (vlan ? VLAN_TAG_BYTES : 0)))
		return ends(TRUNCATED, XDP_DROP);
	if (vlan) {
		__be16 tag[2] = {bpf_htons(ETH_P_8021Q), bpf_htons(vlan & 0xfff)};

		bpf_xdp_store_bytes(ctx, 0, &ethernet, 2 * ETH_ALEN);
		bpf_xdp_store_bytes(ctx, 2 * ETH_ALEN, tag, sizeof(tag));
	}
	return ends(DECAPSULATED, XDP_PASS);
}

#define UNKNOWN -2 /* no verdict: a tunnel's packet, but of none of ours */

/* -1: it did not come through any tunnel. */
__noinline int out_of(struct xdp_md *ctx, struct layers *layers)
{
	struct outer outer = {};
	struct flow flow = {};
	__be16 start;

	if (!layers)
		return XDP_ABORTED;
	if (!read_flow(ctx, layers, &flow) || bpf_xdp_load_bytes(ctx, layers->network, &start, sizeof(start)))
		return ends(TRUNCATED, XDP_DROP);
	int reason = is_later_fragment(layers) ? -1 : read_outer(ctx, layers, &flow, &outer);
	if (reason < 0)
		return -1;
	if (reason != REASONS)
		return ends(reason, XDP_DROP);
	struct tunnel *tunnel = came_through(&outer.endpoint);
	if (!tunnel)
		return UNKNOWN;
	if (is_fragment(layers))
		return ends(FRAGMENT, XDP_DROP);
	if (layers->end < length_of(ctx) && bpf_xdp_adjust_tail(ctx, (int)layers->end - (int)length_of(ctx)))
		return ends(TRUNCATED, XDP_DROP);
	outer.tos = layers->version == 6 ? bpf_ntohs(start) >> 4 : bpf_ntohs(start);
	__u32 inner = length_of(ctx) - outer.start;
	int verdict = outer.ethernet ? unwrap_frame(ctx, tunnel, &outer) : unwrap_ip(ctx, tunnel, &outer);
	if (verdict == XDP_PASS) {
		__sync_fetch_and_add(&tunnel->packets_in, 1);
		__sync_fetch_and_add(&tunnel->bytes_in, inner);
	}
	return verdict;
}
