/* Three maps, one of them static; `unused` is defined but never named by the code. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct inner {
	__u8 mac[6];
	__u16 port;
};

typedef struct {
	__u64 packets;
	struct inner from;
	union {
		__u32 word;
		_Bool flag;
	} last;
	__u32 low : 3, high : 5;
	enum { RED, GREEN } colour;
	char *name;
} __attribute__((packed)) entry_t;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, entry_t);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__uint(key_size, 4);
	__uint(value_size, 64);
} opaque SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} unused SEC(".maps");

static struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __s16[3]);
} hidden SEC(".maps");

SEC("xdp") int maps(struct xdp_md *ctx)
{
	__u32 key = 1;
	entry_t *flow = bpf_map_lookup_elem(&flows, &key);
	__u64 *value = bpf_map_lookup_elem(&opaque, &key);
	__s16 *triple = bpf_map_lookup_elem(&hidden, &key);

	if (!flow || !value || !triple)
		return XDP_ABORTED;
	flow->packets++;
	*value += triple[1];
	return XDP_PASS;
}
