// Encapsulates into VXLAN towards a peer of a map.
#include "common.h"
struct vxlan { __be32 flags, vni; };
struct peer { __be32 local, remote; __u8 mac[6]; __u16 vni; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1024); __type(key, __be32); __type(value, struct peer); } peers SEC(".maps");
SEC("xdp") int vxlan_encap(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
    __be32 dst = ip->daddr;
    struct peer *peer = bpf_map_lookup_elem(&peers, &dst);
    if (!peer) return XDP_PASS;
    const int add = sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr) + sizeof(struct vxlan);
    __u32 inner = end - data;
    struct ethhdr copy = *eth;
    if (bpf_xdp_adjust_head(ctx, -add)) return XDP_DROP;
    data = BEGIN(ctx); end = END(ctx);
    eth = data; ip = (void *)(eth + 1);
    struct udphdr *udp = (void *)(ip + 1);
    struct vxlan *vx = (void *)(udp + 1);
    if ((void *)(vx + 1) > end) return XDP_DROP;
    __builtin_memcpy(eth->h_dest, peer->mac, 6);
    __builtin_memcpy(eth->h_source, copy.h_dest, 6);
    eth->h_proto = bpf_htons(ETH_P_IP);
    ip->version = 4; ip->ihl = 5; ip->tos = 0; ip->id = 0; ip->frag_off = 0; ip->ttl = 64; ip->protocol = IPPROTO_UDP;
    ip->tot_len = bpf_htons(inner + add - sizeof(*eth)); ip->saddr = peer->local; ip->daddr = peer->remote; ip->check = 0;
    __u32 sum = bpf_csum_diff(0, 0, (__be32 *)ip, sizeof(*ip), 0);
    sum = (sum & 0xffff) + (sum >> 16);
    ip->check = ~(sum + (sum >> 16));
    udp->source = bpf_htons(49152); udp->dest = bpf_htons(4789); udp->len = bpf_htons(inner + sizeof(*udp) + sizeof(*vx)); udp->check = 0;
    vx->flags = bpf_htonl(0x08000000); vx->vni = bpf_htonl(peer->vni << 8);
    return XDP_TX;
}
