/* What a packet belongs to, where flows are only told apart and counted: ICMP has its type and code as destination port. */
#pragma once

#include "flow.h"

/* 0: the ports are cut off. */
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

static __always_inline __u32 mix(__u32 hash, __u32 word)
{
	hash = (hash ^ word) * 0x85ebca6b;
	return hash ^ (hash >> 15);
}

static __always_inline __u32 hash_of(const struct flow *flow, __u32 seed)
{
	const __u32 *words = (const __u32 *)flow;
	__u32 hash = seed;

	_Pragma("unroll") for (__u32 i = 0; i < sizeof(*flow) / 4; i++)
		hash = mix(hash, words[i]);
	return hash;
}
