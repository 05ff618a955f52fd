// Walks a map to find the oldest entry and deletes it.
#include "common.h"
struct entry { __u64 seen; __u32 hits, pad; };
struct found { __u64 oldest; __u32 key, any; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 256); __type(key, __u32); __type(value, struct entry); } flows SEC(".maps");
static long look(struct bpf_map *map, __u32 *key, struct entry *value, struct found *f) {
    if (!f->any || value->seen < f->oldest) { f->oldest = value->seen; f->key = *key; f->any = 1; }
    return 0;
}
SEC("xdp") int for_each_gc(struct xdp_md *ctx) {
    struct found f = {};
    bpf_for_each_map_elem(&flows, look, &f, 0);
    if (f.any) { __u32 key = f.key; bpf_map_delete_elem(&flows, &key); }
    return XDP_PASS;
}
