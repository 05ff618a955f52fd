// Steers chosen UDP ports to AF_XDP sockets.
#include "common.h"
struct { __uint(type, BPF_MAP_TYPE_XSKMAP); __uint(max_entries, 64); __type(key, __u32); __type(value, __u32); } socks SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1024); __type(key, __be16); __type(value, __u8); } wanted SEC(".maps");
SEC("xdp") int xsk_steer(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    struct udphdr *udp = (void *)(ip + 1);
    if ((void *)(udp + 1) > end || ip->ihl != 5 || ip->protocol != IPPROTO_UDP) return XDP_PASS;
    __be16 port = udp->dest;
    __u32 queue = ctx->rx_queue_index;
    if (bpf_map_lookup_elem(&wanted, &port) && bpf_map_lookup_elem(&socks, &queue)) return bpf_redirect_map(&socks, queue, XDP_PASS);
    return XDP_PASS;
}
