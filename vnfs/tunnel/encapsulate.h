/* Into a tunnel: the outer headers are made aside, then the head moves, then they are stored. */
#pragma once

#include "state.h"

struct shim {
	__be16 word[8]; /* GRE, or UDP and VXLAN */
	__u32 bytes;
};

/* The header between outer IP and what is inside. */
static __always_inline void make_shim(struct shim *shim, const struct tunnel *tunnel, __be16 type, __u32 hash,
				      __u32 inner)
{
	if (tunnel->kind == KIND_VXLAN) {
		shim->word[0] = bpf_htons(49152 | (hash & 0x3fff)); /* RFC 7348 5: by the inner flow */
		shim->word[1] = bpf_htons(VXLAN_PORT);
		shim->word[2] = bpf_htons(inner + 16);
		shim->word[4] = bpf_htons(0x0800); /* the VNI is valid */
		shim->word[6] = bpf_htons(tunnel->key >> 8);
		shim->word[7] = bpf_htons((tunnel->key & 0xff) << 8);
		shim->bytes = 16;
	} else if (tunnel->kind != KIND_IPIP) {
		shim->word[0] = bpf_htons(tunnel->keyed ? GRE_KEY : 0);
		shim->word[1] = tunnel->kind == KIND_TAP ? bpf_htons(TYPE_ETHERNET) : type;
		shim->word[2] = bpf_htons(tunnel->key >> 16);
		shim->word[3] = bpf_htons(tunnel->key);
		shim->bytes = tunnel->keyed ? 8 : 4;
	}
}

static __always_inline __u8 outer_protocol(const struct tunnel *tunnel, __be16 type)
{
	if (tunnel->kind == KIND_VXLAN)
		return IPPROTO_UDP;
	if (tunnel->kind != KIND_IPIP)
		return IPPROTO_GRE;
	return type == bpf_htons(ETH_P_IP) ? IPPROTO_IPIP : IPPROTO_IPV6;
}

static __always_inline int store_outer4(struct xdp_md *ctx, const struct tunnel *tunnel, __u8 protocol, __u8 tos,
					__u32 total)
{
	struct iphdr ip = {.version = 4, .ihl = 5, .tos = tos, .frag_off = bpf_htons(IP4_DONT_FRAGMENT)};

	ip.tot_len = bpf_htons(total);
	ip.ttl = tunnel->hop_limit ?: 64;
	ip.protocol = protocol;
	ip.saddr = tunnel->local.word[3];
	ip.daddr = tunnel->remote.word[3];
	ip.check = ~fold(sum_words(&ip, sizeof(ip) / 2));
	return bpf_xdp_store_bytes(ctx, sizeof(struct ethhdr), &ip, sizeof(ip));
}

static __always_inline int store_outer6(struct xdp_md *ctx, const struct tunnel *tunnel, __u8 protocol, __u8 tos,
					__u32 total)
{
	struct ipv6hdr ip = {.nexthdr = protocol};

	*(__be32 *)&ip = bpf_htonl(0x60000000 | (tos << 20));
	ip.payload_len = bpf_htons(total - sizeof(ip));
	ip.hop_limit = tunnel->hop_limit ?: 64;
	__builtin_memcpy(&ip.saddr, &tunnel->local, sizeof(ip.saddr));
	__builtin_memcpy(&ip.daddr, &tunnel->remote, sizeof(ip.daddr));
	return bpf_xdp_store_bytes(ctx, sizeof(struct ethhdr), &ip, sizeof(ip));
}

struct wrapping {
	__be16 type;  /* of what is inside */
	__u8 tos;     /* its traffic class */
	__u8 unused;
	__u32 hash;
	__u32 start;  /* offset of what goes in */
};

/* Puts the outer headers before what lies at `start`. */
__noinline int wrap(struct xdp_md *ctx, struct tunnel *tunnel, struct wrapping *what)
{
	struct ethhdr ethernet;
	struct shim shim = {};

	if (!tunnel || !what)
		return XDP_ABORTED;
	/* RFC 6040 4.1: the outer header has the inner one's ECN, so that a mark on the way is told inside. */
	__u8 tos = tunnel->dscp == 255 ? what->tos : (tunnel->dscp << 2) | (what->tos & ECN_MASK);
	if (what->start > length_of(ctx))
		return ends(TRUNCATED, XDP_DROP);
	__u32 inner = length_of(ctx) - what->start, ip = tunnel->version == 6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	make_shim(&shim, tunnel, what->type, what->hash, inner);
	__u32 total = inner + ip + shim.bytes, most = tunnel->mtu ?: 1500 - ip - shim.bytes;
	if (inner > most + (tunnel->kind >= KIND_TAP ? sizeof(ethernet) : 0))
		return ends(TOO_BIG, XDP_DROP);
	if (bpf_xdp_load_bytes(ctx, 0, &ethernet, sizeof(ethernet)))
		return ends(TRUNCATED, XDP_DROP);
	if (bpf_xdp_adjust_head(ctx, (int)what->start - (int)(ip + shim.bytes + sizeof(ethernet))))
		return ends(NO_ROOM, XDP_DROP);
	if (tunnel->gateway[0] | tunnel->gateway[1] | tunnel->gateway[2] | tunnel->gateway[3] | tunnel->gateway[4] |
	    tunnel->gateway[5]) {
		__builtin_memcpy(ethernet.h_dest, tunnel->gateway, ETH_ALEN);
		__builtin_memcpy(ethernet.h_source, tunnel->ours, ETH_ALEN);
	}
	ethernet.h_proto = tunnel->version == 6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	__u8 protocol = outer_protocol(tunnel, what->type);
	long failed = bpf_xdp_store_bytes(ctx, 0, &ethernet, sizeof(ethernet));
	failed |= tunnel->version == 6 ? store_outer6(ctx, tunnel, protocol, tos, total)
				       : store_outer4(ctx, tunnel, protocol, tos, total);
	__u64 bytes = shim.bytes;
	OPAQUE(bytes);
	if (bytes && bytes <= sizeof(shim.word))
		failed |= bpf_xdp_store_bytes(ctx, sizeof(ethernet) + ip, &shim, bytes);
	if (failed)
		return ends(TRUNCATED, XDP_DROP);
	__sync_fetch_and_add(&tunnel->packets_out, 1);
	__sync_fetch_and_add(&tunnel->bytes_out, inner);
	return ends(ENCAPSULATED, XDP_TX);
}

/* A router's part: the hop limit goes down by one before the packet goes in (RFC 2003 3.1). */
static __always_inline int pass_hop(struct xdp_md *ctx, const struct layers *layers, __u8 *tos)
{
	__u8 start[12];

	if (bpf_xdp_load_bytes(ctx, layers->network, start, sizeof(start)))
		return TRUNCATED;
	if (layers->version == 6) {
		*tos = (start[0] << 4) | (start[1] >> 4);
		if (start[7] <= 1)
			return HOP_LIMIT;
		start[7]--;
		bpf_xdp_store_bytes(ctx, layers->network + 7, start + 7, 1);
		return REASONS;
	}
	__u16 *words = (__u16 *)start, old = words[4], checksum = 0;
	*tos = start[1];
	if (start[8] <= 1)
		return HOP_LIMIT;
	start[8]--;
	bpf_xdp_load_bytes(ctx, layers->network + 10, &checksum, sizeof(checksum));
	bpf_xdp_store_bytes(ctx, layers->network + 8, &words[4], sizeof(words[4]));
	put_checksum(ctx, layers->network + 10, changed(checksum, without(old) + words[4]));
	return REASONS;
}

static __always_inline struct tunnel *routed(const struct flow *flow)
{
	__u32 *number;

	if (flow->version == 4) {
		struct route4 key = {.bits = 32, .address = flow->destination.word[3]};

		number = bpf_map_lookup_elem(&routes4, &key);
	} else {
		struct route6 key = {.bits = 128, .address = flow->destination};

		number = bpf_map_lookup_elem(&routes6, &key);
	}
	return number ? tunnel_of(*number) : NULL;
}

static __always_inline int is_usable(const struct tunnel *tunnel, int ethernet)
{
	if (tunnel->version != 4 && tunnel->version != 6)
		return 0;
	return ethernet ? tunnel->kind == KIND_TAP || tunnel->kind == KIND_VXLAN
			: tunnel->kind == KIND_IPIP || tunnel->kind == KIND_GRE;
}

__noinline int route_into(struct xdp_md *ctx, struct layers *layers)
{
	struct flow flow = {};
	struct wrapping what = {};

	if (!layers)
		return XDP_ABORTED;
	if (!read_flow(ctx, layers, &flow))
		return ends(TRUNCATED, XDP_DROP);
	struct tunnel *tunnel = routed(&flow);
	if (!tunnel)
		return -1;
	if (!is_usable(tunnel, 0))
		return ends(BAD_TUNNEL, XDP_DROP);
	if (layers->end < length_of(ctx) && bpf_xdp_adjust_tail(ctx, (int)layers->end - (int)length_of(ctx)))
		return ends(TRUNCATED, XDP_DROP);
	int reason = pass_hop(ctx, layers, &what.tos);
	if (reason != REASONS)
		return ends(reason, XDP_DROP);
	what.type = bpf_htons(layers->type);
	what.start = layers->network;
	return wrap(ctx, tunnel, &what);
}

/* Whole frames, by their VLAN, whose tag stays outside (RFC 7348 6.1). */
__noinline int bridge_into(struct xdp_md *ctx, struct layers *layers, int is_ip)
{
	struct wrapping what = {};
	struct flow flow = {};
	__u8 addresses[2 * ETH_ALEN];

	if (!layers)
		return XDP_ABORTED;
	__u32 vlan = layers->vlan & (VLANS - 1), *number = bpf_map_lookup_elem(&bridged, &vlan);
	if (!number || !*number)
		return -1;
	struct tunnel *tunnel = tunnel_of(*number - 1);
	if (!tunnel || !is_usable(tunnel, 1))
		return ends(BAD_TUNNEL, XDP_DROP);
	if (bpf_xdp_load_bytes(ctx, 0, addresses, sizeof(addresses)))
		return ends(TRUNCATED, XDP_DROP);
	const __u32 *words = (const __u32 *)addresses;
	what.hash = mix(mix(mix(0, words[0]), words[1]), words[2]);
	if (is_ip && read_flow(ctx, layers, &flow)) {
		what.hash = hash_of(&flow, what.hash);
		__u16 start;
		if (!bpf_xdp_load_bytes(ctx, layers->network, &start, sizeof(start)))
			what.tos = layers->version == 6 ? bpf_ntohs(start) >> 4 : bpf_ntohs(start);
	}
	if (vlan) {
		bpf_xdp_store_bytes(ctx, VLAN_TAG_BYTES, addresses, sizeof(addresses));
		what.start = VLAN_TAG_BYTES;
	}
	return wrap(ctx, tunnel, &what);
}
