/* Which rule decides about a new flow: the first of the list that matches. */
#pragma once

#include "stateful.h"

struct question {
	struct ends ends;
	__u32 first; /* of the bank */
	__u32 rule, action;
};

static long ask_rule(__u64 number, void *given)
{
	struct question *question = given;
	__u32 index = question->first + number;
	struct rule *rule = bpf_map_lookup_elem(&rules, &index);

	if (!rule || rule->action == NO_RULE)
		return 1;
	if (!meets(&question->ends, &rule->when))
		return 0;
	question->rule = index;
	question->action = rule->action;
	return 1;
}

/* ACCEPT or DENY. */
static __always_inline __u32 judge(struct xdp_md *ctx, const struct flow *flow, const struct config *config)
{
	struct question question = {.first = config->bank == 1 ? RULES : 0};

	read_ends(ctx, flow, &question.ends);
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
