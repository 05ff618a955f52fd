// Copies headers out with bpf_xdp_load_bytes and patches one byte back.
#include "common.h"
SEC("xdp") int load_bytes(struct xdp_md *ctx) {
    struct { struct ethhdr eth; struct iphdr ip; } __attribute__((packed)) head;
    if (bpf_xdp_load_bytes(ctx, 0, &head, sizeof(head))) return XDP_PASS;
    if (head.eth.h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
    __u8 ttl = head.ip.ttl - 1;
    if (bpf_xdp_store_bytes(ctx, offsetof(typeof(head), ip.ttl), &ttl, 1)) return XDP_ABORTED;
    return XDP_PASS;
}
