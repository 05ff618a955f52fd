/* Counters by reason: an array map `counters` whose keys are a program's own names for them. */
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define COUNTERS(how_many)                                                         \
	struct {                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                  \
		__uint(max_entries, how_many);                                     \
		__type(key, __u32);                                                \
		__type(value, __u64);                                              \
	} counters SEC(".maps");                                                   \
                                                                                   \
	static __always_inline void count(__u32 reason)                            \
	{                                                                          \
		__u64 *value = bpf_map_lookup_elem(&counters, &reason);            \
                                                                                   \
		if (value)                                                         \
			__sync_fetch_and_add(value, 1);                            \
	}                                                                          \
                                                                                   \
	/* Counts and gives the verdict. */                                        \
	static __always_inline int ends(__u32 reason, int verdict)                 \
	{                                                                          \
		count(reason);                                                     \
		return verdict;                                                    \
	}
