/* The firewall's machinery: match a packet against a table of rules, count the hit, say pass or drop.
 *
 * A program file defines `rules` and includes nothing else. Rule numbers are the keys of the map `rule_hits`, so a later
 * version that adds rules after the old ones keeps their counters: the map's layout does not depend on the table.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_RULES 16
#define DEFAULT_RULE 0 /* no rule matched: pass */

struct rule {
	__u8 protocol;           /* IPPROTO_*, 0 = any */
	__u16 destination_port;  /* host byte order, 0 = any */
	__u32 action;            /* XDP_PASS or XDP_DROP */
};

struct hits {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_RULES);
	__type(key, __u32);
	__type(value, struct hits);
} rule_hits SEC(".maps");

struct flow {
	__u8 protocol;
	__u16 destination_port;
};

/* Reads protocol and destination port; 0 when the packet is not IPv4 with a whole header of ports. */
static __always_inline int read_flow(void *data, void *data_end, struct flow *flow)
{
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);

	if ((void *)(ip + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP))
		return 0;
	__u32 header = ip->ihl * 4;
	if (header < sizeof(*ip))
		return 0;
	struct udphdr *ports = (void *)ip + header; /* TCP has its ports at the same place */
	if ((void *)(ports + 1) > data_end)
		return 0;
	flow->protocol = ip->protocol;
	flow->destination_port = bpf_ntohs(ports->dest);
	return 1;
}

static __always_inline void count_hit(__u32 rule, __u64 bytes)
{
	struct hits *hits = bpf_map_lookup_elem(&rule_hits, &rule);

	if (!hits)
		return;
	hits->packets += 1;
	hits->bytes += bytes;
}

#define FIREWALL(rules)                                                                                         \
	SEC("xdp") int firewall(struct xdp_md *ctx)                                                             \
	{                                                                                                       \
		void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;                  \
		__u64 bytes = data_end - data;                                                                  \
		struct flow flow;                                                                               \
                                                                                                                \
		if (!read_flow(data, data_end, &flow)) {                                                        \
			count_hit(DEFAULT_RULE, bytes);                                                         \
			return XDP_PASS;                                                                        \
		}                                                                                               \
		_Pragma("unroll") for (__u32 i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {                \
			if (rules[i].protocol && rules[i].protocol != flow.protocol)                            \
				continue;                                                                       \
			if (rules[i].destination_port && rules[i].destination_port != flow.destination_port)    \
				continue;                                                                       \
			count_hit(i + 1, bytes);                                                                \
			return rules[i].action;                                                                 \
		}                                                                                               \
		count_hit(DEFAULT_RULE, bytes);                                                                 \
		return XDP_PASS;                                                                                \
	}                                                                                                       \
	char LICENSE[] SEC("license") = "Apache-2.0"
