/* Stands in for libbpf's header of this name when a program is compiled for the host: maps are arrays, helpers are inline.
 *
 * A map keeps its storage in its own struct, so that the declarations of BTF maps stay as they are. Arrays are indexed, hash
 * maps (32-bit keys only) probed linearly. Nothing is freed, nothing is shared: the bare cost of the work, the limit that
 * engines are compared with.
 */
#pragma once

#include <string.h>
#include <time.h>

#include <linux/bpf.h>
#include <linux/types.h>

#define NATIVE_SLOTS 8192 /* a power of two above what any benchmark's map holds */
#define NATIVE_NONE 0xFFFFFFFFu

#define SEC(name)
#define __uint(name, number)    \
	int (*name)[number];    \
	__u8 name##_slots[NATIVE_SLOTS]
#define __type(name, of)         \
	typeof(of) *name;        \
	typeof(of) name##_slots[NATIVE_SLOTS]

#define NATIVE_NUMBER(field) (sizeof(*(field)) / sizeof(int))

/* The slot of a key in an open-addressed table; with `insert` a free one when it is not there. */
static inline __u32 native_probe(const __u32 *keys, const __u8 *used, __u32 key, int insert)
{
	__u32 slot = (key * 2654435761u) & (NATIVE_SLOTS - 1);

	while (used[slot] && keys[slot] != key)
		slot = (slot + 1) & (NATIVE_SLOTS - 1);
	return used[slot] || insert ? slot : NATIVE_NONE;
}

#define native_slot(map, key, insert)                                                                        \
	(NATIVE_NUMBER((map)->type) == BPF_MAP_TYPE_HASH                                                     \
		 ? native_probe((map)->key_slots, (map)->max_entries_slots, *(const __u32 *)(key), insert)   \
		 : *(const __u32 *)(key) < NATIVE_NUMBER((map)->max_entries) ? *(const __u32 *)(key) : NATIVE_NONE)

#define bpf_map_lookup_elem(map, key)                                                        \
	({                                                                                   \
		__u32 slot_ = native_slot(map, key, 0);                                      \
		slot_ == NATIVE_NONE ? (void *)0 : (void *)&(map)->value_slots[slot_];       \
	})

#define bpf_map_update_elem(map, key, from, flags)                                           \
	({                                                                                   \
		__u32 slot_ = native_slot(map, key, 1);                                      \
		if (slot_ != NATIVE_NONE) {                                                  \
			(map)->key_slots[slot_] = *(const __u32 *)(key);                     \
			(map)->max_entries_slots[slot_] = 1;                                 \
			memcpy(&(map)->value_slots[slot_], from, sizeof(*(map)->value));     \
		}                                                                            \
		slot_ == NATIVE_NONE ? -1L : 0L;                                             \
	})

static inline __u64 bpf_ktime_get_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}
