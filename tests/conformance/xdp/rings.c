// Ring buffers: records of all sizes until the ring is full, submitted, discarded and written whole.
#include "common.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 16);
} events SEC(".maps");

struct event {
    __u32 number;
    __u8 bytes[12];
};

__u32 number;

SEC("unibpf/filter")
int rings(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    ++number;
    if (data[0] % 4 == 0) {
        struct event *event = bpf_ringbuf_reserve(&events, sizeof *event, data[1] % 16 == 0);
        if (!event) return XDP_DROP;
        event->number = number;
        __builtin_memcpy(event->bytes, data, 12);
        if (data[2] % 2) bpf_ringbuf_submit(event, 0);
        else bpf_ringbuf_discard(event, 0);
        return XDP_PASS;
    }
    __u32 size = (data[3] & 7) + 1;
    __u8 copy[8];
    __builtin_memcpy(copy, data, 8);
    long done = bpf_ringbuf_output(&events, copy, size, data[4] % 8);
    long state = bpf_ringbuf_query(&events, data[5] % 5);
    return (done + state + 256) % 4 + 1;
}

char _license[] SEC("license") = "GPL";
