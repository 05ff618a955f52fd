// Tunnels: headers put before the packet and taken away.
#include "common.h"

struct gre { __be16 flags, protocol; };
struct vxlan { __be32 flags, vni; };
struct geneve { __u8 options : 6, version : 2, flags; __be16 protocol; __be32 vni; };

INLINE __u16 ip_sum(struct iphdr *ip) {
    __u16 *word = (__u16 *)ip;
    __u32 sum = 0;
#pragma unroll
    for (int i = 0; i < (int)sizeof *ip / 2; i++) sum += word[i];
    return ~((sum & 0xffff) + (sum >> 16));
}

INLINE void fill(struct iphdr *ip, __u8 protocol, __u16 length) {
    ip->version = 4;
    ip->ihl = sizeof *ip / 4;
    ip->tos = 0;
    ip->tot_len = bpf_htons(length);
    ip->id = 0;
    ip->frag_off = 0;
    ip->ttl = 64;
    ip->protocol = protocol;
    ip->check = 0;
    ip->saddr = bpf_htonl(0x0a000001);
    ip->daddr = bpf_htonl(0x0a000002);
    ip->check = ip_sum(ip);
}

REWRITER int ipip_in(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = data + sizeof *eth;
    if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_IPIP || ip->ihl != 5) return XDP_PASS;
    struct ethhdr kept;
    __builtin_memcpy(&kept, eth, sizeof kept);
    if (bpf_xdp_adjust_head(ctx, sizeof *ip)) return XDP_DROP;
    eth = BEGIN(ctx);
    if ((void *)(eth + 1) > END(ctx)) return XDP_DROP;
    __builtin_memcpy(eth, &kept, sizeof kept);
    return XDP_PASS;
}

REWRITER int ipip_out(struct xdp_md *ctx) {
    struct ethhdr *eth = BEGIN(ctx);
    struct iphdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > END(ctx)) return XDP_PASS;
    __u16 length = bpf_ntohs(ip->tot_len);
    if (bpf_xdp_adjust_head(ctx, 0 - (int)sizeof *ip)) return XDP_DROP;
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *to = data, *from = data + sizeof(struct iphdr);
    if ((void *)(from + 1) > end) return XDP_DROP;
    *to = *from;
    ip = (void *)(to + 1);
    if ((void *)(ip + 1) > end) return XDP_DROP;
    fill(ip, IPPROTO_IPIP, length + sizeof *ip);
    return XDP_TX;
}

REWRITER int gre_out(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    int room = sizeof(struct iphdr) + sizeof(struct gre);
    if (data + sizeof(struct ethhdr) > end) return XDP_DROP;
    __u16 size = end - data;
    if (bpf_xdp_adjust_head(ctx, -room) != 0) return XDP_DROP;
    data = BEGIN(ctx);
    end = END(ctx);
    if (data + sizeof(struct ethhdr) + room > end) return XDP_DROP;
    struct ethhdr *eth = data;
    __builtin_memmove(eth, data + room, sizeof *eth);
    eth->h_proto = bpf_htons(ETH_P_IP);
    struct iphdr *ip = (void *)(eth + 1);
    fill(ip, IPPROTO_GRE, size - sizeof *eth + room);
    struct gre *gre = (void *)(ip + 1);
    gre->flags = 0;
    gre->protocol = bpf_htons(ETH_P_IP);
    return XDP_TX;
}

REWRITER int vxlan_out(struct xdp_md *ctx) {
    const int room = sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr) + sizeof(struct vxlan);
    __u32 hash = bpf_get_prandom_u32();
    __u32 length = ctx->data_end - ctx->data;
    if (bpf_xdp_adjust_head(ctx, -room)) return XDP_ABORTED;
    void *end = END(ctx);
    struct ethhdr *eth = BEGIN(ctx);
    struct iphdr *ip = (void *)(eth + 1);
    struct udphdr *udp = (void *)(ip + 1);
    struct vxlan *vxlan = (void *)(udp + 1);
    struct ethhdr *inner = (void *)(vxlan + 1);
    if ((void *)(inner + 1) > end) return XDP_ABORTED;
    *eth = *inner;
    eth->h_proto = bpf_htons(ETH_P_IP);
    fill(ip, IPPROTO_UDP, length + room - sizeof *eth);
    udp->source = bpf_htons(49152 | (hash & 0x3fff));
    udp->dest = bpf_htons(4789);
    udp->len = bpf_htons(length + sizeof *udp + sizeof *vxlan);
    udp->check = 0;
    vxlan->flags = bpf_htonl(0x08000000);
    vxlan->vni = bpf_htonl(42 << 8);
    return XDP_TX;
}

REWRITER int vxlan_in(struct xdp_md *ctx) {
    struct ethhdr *eth = BEGIN(ctx);
    struct iphdr *ip = (void *)(eth + 1);
    struct udphdr *udp = (void *)(ip + 1);
    struct vxlan *vxlan = (void *)(udp + 1);
    if ((void *)(vxlan + 1) > END(ctx)) return XDP_PASS;
    if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP || udp->dest != bpf_htons(4789)) return XDP_PASS;
    if (bpf_ntohl(vxlan->vni) >> 8 != 42) return XDP_DROP;
    return bpf_xdp_adjust_head(ctx, (void *)(vxlan + 1) - (void *)eth) ? XDP_DROP : XDP_PASS;
}

// RFC 8926 3.4: options of a length that the header tells.
REWRITER int geneve_in(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct udphdr *udp = data + 34;
    struct geneve *geneve = (void *)(udp + 1);
    if ((void *)(geneve + 1) > end || udp->dest != bpf_htons(6081)) return XDP_PASS;
    __u32 options = geneve->options * 4;
    struct ethhdr *inner = (void *)(geneve + 1) + options;
    if ((void *)(inner + 1) > end) return XDP_DROP;
    __u32 *option = (void *)(geneve + 1);
    if (options >= 8) {
        if ((void *)(option + 2) > end) return XDP_DROP;
        if (option[0] == bpf_htonl(0x01020380)) return XDP_DROP;
    }
    if (inner->h_proto == 0) return XDP_DROP;
    return bpf_xdp_adjust_head(ctx, 34 + sizeof *udp + sizeof *geneve + options) ? XDP_ABORTED : XDP_PASS;
}

// RFC 2890: fields that flags announce.
FILTER int gre_keys(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct gre *gre = data + 34;
    if ((void *)(gre + 1) > end) return XDP_PASS;
    __u16 flags = bpf_ntohs(gre->flags);
    void *at = gre + 1;
    if (flags & 0x8000) at += 4;
    __u32 key = 0;
    if (flags & 0x2000) {
        if (at + 4 > end) return XDP_DROP;
        key = *(__u32 *)at;
        at += 4;
    }
    if (flags & 0x1000) at += 4;
    struct iphdr *inner = at;
    if ((void *)(inner + 1) > end) return XDP_DROP;
    return inner->version != 4 || key == 7 ? XDP_DROP : XDP_PASS;
}

REWRITER int vlan_push(struct xdp_md *ctx) {
    if (bpf_xdp_adjust_head(ctx, 0 - (int)sizeof(struct vlan_header))) return XDP_DROP;
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct vlan_header *tag = data + sizeof *eth;
    if ((void *)(tag + 1) > end) return XDP_DROP;
    __builtin_memmove(data, data + sizeof *tag, 2 * ETH_ALEN + 2);
    tag->protocol = eth->h_proto;
    tag->tci = bpf_htons(100);
    eth->h_proto = bpf_htons(ETH_P_8021Q);
    return XDP_PASS;
}

REWRITER int vlan_pop(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct vlan_header *tag = (void *)(eth + 1);
    if ((void *)(tag + 1) > end || eth->h_proto != bpf_htons(ETH_P_8021Q)) return XDP_PASS;
    struct ethhdr copy = *eth;
    copy.h_proto = tag->protocol;
    if (bpf_xdp_adjust_head(ctx, sizeof *tag)) return XDP_DROP;
    data = BEGIN(ctx);
    end = END(ctx);
    if (data + sizeof copy > end) return XDP_DROP;
    *(struct ethhdr *)data = copy;
    return XDP_PASS;
}
