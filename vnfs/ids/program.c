/* Intrusion detection: tells of packets whose contents and ends meet a rule. Everything passes. */
#include "engine.h"

SEC("xdp") int ids(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct config *settings = bpf_map_lookup_elem(&config, &zero);
	struct finding finding = {};
	struct layers layers = {};
	struct flow flow;

	if (!settings)
		return XDP_ABORTED;
	int reason = read_packet(ctx, &layers, &flow);
	if (reason != CLEAN || !settings->generation)
		return ends(reason, XDP_PASS);
	read_ends(ctx, &flow, &finding.ends);
	return ends(inspect(ctx, &layers, &finding, settings->generation), XDP_PASS);
}

char LICENSE[] SEC("license") = "Apache-2.0";
