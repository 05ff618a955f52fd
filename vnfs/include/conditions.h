/* What a rule says about a packet's ends. */
#pragma once

#include "flow.h"

struct conditions {
	struct address source, destination; /* of IPv4 mapped, and bits 96 more */
	__u8 source_bits, destination_bits;
	__u8 protocol;                      /* 0: any */
	__u8 version;                       /* 4, 6, 0: any */
	__u16 source_first, source_last;    /* ports in host order; 0 to 65535: any, also without ports */
	__u16 destination_first, destination_last;
	__u32 nic;                          /* by which it comes in; 0: any */
};

struct ends {
	struct flow flow;
	__u32 nic;
	__u16 source_port, destination_port; /* host order; of what has none, 0 */
};

static __always_inline void read_ends(struct xdp_md *ctx, const struct flow *flow, struct ends *ends)
{
	int is_echo = flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6; /* whose identifier is no port */

	ends->flow = *flow;
	ends->nic = ctx->ingress_ifindex;
	ends->source_port = is_echo ? 0 : bpf_ntohs(flow->source_port);
	ends->destination_port = is_echo ? 0 : bpf_ntohs(flow->destination_port);
}

static __always_inline int within(const struct address *address, const struct address *network, __u32 bits)
{
	_Pragma("unroll") for (__u32 i = 0; i < 4; i++) {
		__u32 here = bits >= 32 * (i + 1) ? 32 : bits > 32 * i ? bits - 32 * i : 0;
		__be32 mask = here ? bpf_htonl(~0u << (32 - here)) : 0;

		if ((address->word[i] ^ network->word[i]) & mask)
			return 0;
	}
	return 1;
}

static __always_inline int meets(const struct ends *ends, const struct conditions *wanted)
{
	const struct flow *flow = &ends->flow;

	if (wanted->protocol && wanted->protocol != flow->protocol)
		return 0;
	if ((wanted->version && wanted->version != flow->version) || (wanted->nic && wanted->nic != ends->nic))
		return 0;
	if (ends->source_port < wanted->source_first || ends->source_port > wanted->source_last)
		return 0;
	if (ends->destination_port < wanted->destination_first || ends->destination_port > wanted->destination_last)
		return 0;
	return within(&flow->source, &wanted->source, wanted->source_bits) &&
	       within(&flow->destination, &wanted->destination, wanted->destination_bits);
}
