/* Which rule decides about a new flow: the first of the list that matches. */
#pragma once

#include "stateful.h"

struct question {
	struct flow flow;
	__u32 nic, first; /* of the bank */
	__u32 rule, action;
	__u16 source_port, destination_port; /* host order */
};

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

static __always_inline int matches(const struct rule *rule, const struct question *question)
{
	const struct flow *flow = &question->flow;

	if (rule->protocol && rule->protocol != flow->protocol)
		return 0;
	if ((rule->version && rule->version != flow->version) || (rule->nic && rule->nic != question->nic))
		return 0;
	if (question->source_port < rule->source_first || question->source_port > rule->source_last)
		return 0;
	if (question->destination_port < rule->destination_first || question->destination_port > rule->destination_last)
		return 0;
	return within(&flow->source, &rule->source, rule->source_bits) &&
	       within(&flow->destination, &rule->destination, rule->destination_bits);
}

static long ask_rule(__u64 number, void *given)
{
	struct question *question = given;
	__u32 index = question->first + number;
	struct rule *rule = bpf_map_lookup_elem(&rules, &index);

	if (!rule || rule->action == NO_RULE)
		return 1;
	if (!matches(rule, question))
		return 0;
	question->rule = index;
	question->action = rule->action;
	return 1;
}

/* ACCEPT or DENY. */
static __always_inline __u32 judge(struct xdp_md *ctx, const struct flow *flow, const struct config *config)
{
	struct question question = {.flow = *flow, .nic = ctx->ingress_ifindex, .first = config->bank == 1 ? RULES : 0};
	int is_echo = flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6; /* whose identifier is no port */

	question.source_port = is_echo ? 0 : bpf_ntohs(flow->source_port);
	question.destination_port = is_echo ? 0 : bpf_ntohs(flow->destination_port);
	bpf_loop(RULES, ask_rule, &question, 0);
	if (question.action == NO_RULE)
		return config->policy == ACCEPT ? ACCEPT : DENY;
	__u32 rule = question.rule;
	struct hits *hit = bpf_map_lookup_elem(&hits, &rule);
	if (hit) {
		hit->packets += 1;
		hit->bytes += length_of(ctx);
	}
	return question.action == ACCEPT ? ACCEPT : DENY;
}
