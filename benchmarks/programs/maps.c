/* OPERATION on one map of type TYPE, TIMES times a run, on keys in turn: what a map operation costs when the loop around it is native
 * code too. Array-like types know no deletion. A prefix is of 32 bits, so that every key is an entry of its own.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#ifndef OPERATION /* as the corpus compiles it */
#define OPERATION 0
#define TYPE BPF_MAP_TYPE_HASH
#define FLAGS 0
#endif

#define TIMES 64
#define ENTRIES 1024

struct key {
#ifdef PREFIX
	__u32 bits;
#endif
	__u32 number;
};

struct {
	__uint(type, TYPE);
	__uint(max_entries, ENTRIES);
	__uint(map_flags, FLAGS);
	__type(key, struct key);
	__type(value, __u64);
} table SEC(".maps");

/* The run before left every key that a look-up or an update wants. */
static __always_inline __u64 operate(struct key *key, __u64 *value)
{
	__u64 *found;

	switch (OPERATION) {
	case 0:
		found = bpf_map_lookup_elem(&table, key);
		return found ? *found : 1000;
	case 1:
		return bpf_map_update_elem(&table, key, value, BPF_ANY);
	default:
		bpf_map_delete_elem(&table, key);
		return bpf_map_update_elem(&table, key, value, BPF_ANY);
	}
}

SEC("xdp") int maps(struct xdp_md *ctx)
{
	struct key key = {0};
	__u64 value = 1, sum = 0;

	(void)ctx;
#ifdef PREFIX
	key.bits = 32;
#endif
	if (!bpf_map_lookup_elem(&table, &key)) {
		for (int i = 0; i < TIMES; i++) {
			key.number = i;
			bpf_map_update_elem(&table, &key, &value, BPF_ANY);
		}
	}
	for (int i = 0; i < TIMES; i++) {
		key.number = i;
		sum += operate(&key, &value);
	}
	return sum < 1000 * TIMES ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "Apache-2.0";
