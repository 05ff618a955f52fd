/* Intrusion prevention: the detection of vnfs/ids, whose rules may also drop what they are about and block who sent it. */
#include <ids/engine.h>

#ifndef BANNED_HOSTS
#define BANNED_HOSTS 8192
#endif
#define SECOND 1000000000ull

struct ban {
	__u64 until; /* ktime, ns; an operator's own: all ones, for ever */
	__u64 packets;
	__u32 id;    /* of the rule; 0: an operator's own */
	__u32 reserved;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BANNED_HOSTS);
	__type(key, struct address);
	__type(value, struct ban);
} blocked SEC(".maps");

/* Who is never blocked: own servers, resolvers, gateways. Not by prefixes: every look-up of a program costs as its dearest. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct address);
	__type(value, __u32); /* 1 */
} exempt SEC(".maps");

static __always_inline int is_blocked(const struct address *source)
{
	struct ban *ban = bpf_map_lookup_elem(&blocked, source);

	if (!ban || ban->until <= bpf_ktime_get_ns())
		return 0;
	ban->packets += 1;
	return 1;
}

static __noinline int block(struct finding *finding)
{
	struct address who;

	if (!finding)
		return 0;
	struct ban ban = {.until = bpf_ktime_get_ns() + finding->block_seconds * SECOND, .id = finding->block_id};
	who = finding->block == SOURCE ? finding->ends.flow.source : finding->ends.flow.destination;
	__u32 *never = bpf_map_lookup_elem(&exempt, &who);
	if (never && *never)
		return 0;
	bpf_map_update_elem(&blocked, &who, &ban, BPF_ANY);
	count(BANNED);
	return 1;
}

SEC("xdp") int ips(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct config *settings = bpf_map_lookup_elem(&config, &zero);
	struct finding finding = {};
	struct layers layers = {};
	struct flow flow;

	if (!settings)
		return XDP_ABORTED;
	int reason = read_packet(ctx, &layers, &flow);
	if (reason == NOT_IP)
		return ends(NOT_IP, XDP_PASS);
	if (reason != CLEAN)
		return ends(reason, XDP_DROP);
	if (is_blocked(&flow.source))
		return ends(BLOCKED, XDP_DROP);
	if (!settings->generation)
		return ends(CLEAN, XDP_PASS);
	read_ends(ctx, &flow, &finding.ends);
	reason = inspect(ctx, &layers, &finding, settings->generation);
	if (reason == TRUNCATED)
		return ends(reason, XDP_DROP);
	if (finding.block)
		block(&finding);
	if (finding.verdict == STOPS)
		return ends(STOPPED, XDP_DROP);
	return ends(reason, XDP_PASS);
}

char LICENSE[] SEC("license") = "Apache-2.0";
