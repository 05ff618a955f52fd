/* Per-source rate limiter: a token bucket for each IPv4 source address, kept in a hash map.
 *
 * Time is in nanoseconds, tokens are packets times 1e9, so that refilling needs no division: a source earns RATE tokens
 * a nanosecond. A source that finds the table full is let through and counted under `table_full`: the limiter protects,
 * it must not be the outage.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#ifndef RATE
#define RATE 1000 /* packets a second for each source */
#endif
#ifndef BURST
#define BURST 100 /* packets */
#endif
#ifndef SOURCES
#define SOURCES 4096
#endif

#define PACKET_COST 1000000000ull

struct bucket {
	__u64 tokens;
	__u64 refilled; /* ktime, ns */
	__u64 passed;
	__u64 dropped;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SOURCES);
	__type(key, __u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} table_full SEC(".maps");

static __always_inline int new_source(__u32 source, __u64 now)
{
	struct bucket fresh = {.tokens = (BURST - 1) * PACKET_COST, .refilled = now, .passed = 1};
	__u32 zero = 0;

	if (bpf_map_update_elem(&buckets, &source, &fresh, BPF_NOEXIST) == 0)
		return XDP_PASS;
	__u64 *count = bpf_map_lookup_elem(&table_full, &zero);
	if (count)
		*count += 1;
	return XDP_PASS;
}

static __always_inline void refill(struct bucket *bucket, __u64 now)
{
	__u64 passed_ns = now - bucket->refilled;

	/* Beyond this time the bucket is full anyway, and the product below cannot overflow. */
	if (passed_ns > BURST * PACKET_COST / RATE)
		bucket->tokens = BURST * PACKET_COST;
	else
		bucket->tokens += passed_ns * RATE;
	if (bucket->tokens > BURST * PACKET_COST)
		bucket->tokens = BURST * PACKET_COST;
	bucket->refilled = now;
}

SEC("xdp") int ratelimit(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);

	if ((void *)(ip + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	__u32 source = ip->saddr;
	__u64 now = bpf_ktime_get_ns();
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &source);
	if (!bucket)
		return new_source(source, now);
	refill(bucket, now);
	if (bucket->tokens < PACKET_COST) {
		bucket->dropped += 1;
		return XDP_DROP;
	}
	bucket->tokens -= PACKET_COST;
	bucket->passed += 1;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Apache-2.0";
