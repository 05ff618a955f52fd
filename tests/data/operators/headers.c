// Header chains of variable length: VLAN stacks, MPLS, IPv4 options, IPv6 extension headers.
#include "common.h"

FILTER int vlan_stack(struct xdp_md *ctx) {
    void *end = END(ctx);
    struct ethhdr *eth = BEGIN(ctx);
    if ((void *)(eth + 1) > end) return XDP_DROP;
    __be16 protocol = eth->h_proto;
    struct vlan_header *tag = (void *)(eth + 1);
    int depth = 0;
    while (protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD)) {
        if (depth++ == 4 || (void *)(tag + 1) > end) return XDP_DROP;
        protocol = tag->protocol;
        tag++;
    }
    struct iphdr *ip = (void *)tag;
    if (protocol != bpf_htons(ETH_P_IP)) return XDP_PASS;
    if ((void *)(ip + 1) > end) return XDP_DROP;
    return ip->ttl < 2 ? XDP_DROP : XDP_PASS;
}

FILTER int mpls_stack(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    if (data + sizeof *eth > end) return XDP_ABORTED;
    if (eth->h_proto != bpf_htons(ETH_P_MPLS_UC)) return XDP_PASS;
    __u32 *label = data + sizeof *eth;
    for (int i = 0; i < 8; i++, label++) {
        if ((void *)(label + 1) > end) return XDP_DROP;
        if (bpf_ntohl(*label) & 0x100) {
            struct iphdr *ip = (void *)(label + 1);
            if ((void *)(ip + 1) > end) return XDP_DROP;
            return ip->version == 4 ? XDP_PASS : XDP_DROP;
        }
    }
    return XDP_DROP;
}

// How many options are looked at; 40 are too many for the kernel, which follows each path through the loop.
#ifndef OPTIONS
#define OPTIONS 6
#endif

// RFC 791 3.1, options: one byte, or kind, length, data.
FILTER int ipv4_options(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + sizeof(struct ethhdr);
    if ((void *)(ip + 1) > end) return XDP_PASS;
    __u32 bytes = ip->ihl * 4;
    if (bytes < sizeof *ip || (void *)ip + bytes > end) return XDP_DROP;
    __u8 *option = (void *)(ip + 1), *stop = (void *)ip + bytes;
    for (int i = 0; i < OPTIONS && option < stop; i++) {
        if ((void *)(option + 2) > end) break;
        if (option[0] == 0) break;
        if (option[0] == 1) { option++; continue; }
        if (option[0] == 131 || option[0] == 137) return XDP_DROP;
        __u8 length = option[1];
        if (length < 2) return XDP_DROP;
        option += length;
    }
    return XDP_PASS;
}

struct extension { __u8 next, length; };

INLINE int is_extension(__u8 next) { return next == 0 || next == 43 || next == 60 || next == 135; }

FILTER int ipv6_extensions(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    if ((void *)(eth + 1) > end) return XDP_DROP;
    if (eth->h_proto != bpf_htons(ETH_P_IPV6)) return XDP_PASS;
    struct ipv6hdr *ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > end) return XDP_DROP;
    __u8 next = ip->nexthdr;
    void *at = ip + 1;
#pragma unroll
    for (int i = 0; i < 6; i++) {
        struct extension *header = at;
        if (!is_extension(next)) break;
        if ((void *)(header + 1) > end) return XDP_DROP;
        next = header->next;
        at += (header->length + 1) * 8;
    }
    if (next != IPPROTO_TCP) return XDP_PASS;
    struct tcphdr *tcp = at;
    if ((void *)(tcp + 1) > end) return XDP_DROP;
    return tcp->syn && tcp->fin ? XDP_DROP : XDP_PASS;
}

// The same by a loop that is not unrolled, fragments and authentication headers told apart.
FILTER int ipv6_chain(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ipv6hdr *ip = data + sizeof(struct ethhdr);
    if ((void *)(ip + 1) > end) return XDP_DROP;
    __u32 offset = sizeof(struct ethhdr) + sizeof *ip;
    __u8 next = ip->nexthdr;
#pragma clang loop unroll(disable)
    for (int i = 0; i < 10; i++) {
        __u32 length;
        if (offset > 1400) return XDP_DROP;
        struct extension *header = data + offset;
        switch (next) {
        case 0: case 43: case 60:
            if ((void *)(header + 1) > end) return XDP_DROP;
            length = (header->length + 1) << 3;
            break;
        case 44:
            if ((void *)header + 8 > end) return XDP_DROP;
            length = 8;
            break;
        case 51:
            if ((void *)(header + 1) > end) return XDP_DROP;
            length = (header->length + 2) << 2;
            break;
        case IPPROTO_UDP: {
            struct udphdr *udp = data + offset;
            if ((void *)(udp + 1) > end) return XDP_DROP;
            return udp->dest == bpf_htons(53) ? XDP_TX : XDP_PASS;
        }
        default:
            return XDP_PASS;
        }
        next = header->next;
        offset += length;
    }
    return XDP_DROP;
}

FILTER int ipv4_or_ipv6(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    __u64 offset = sizeof *eth;
    if (data + offset > end) return XDP_DROP;
    __u8 protocol;
    switch (bpf_ntohs(eth->h_proto)) {
    case ETH_P_IP: {
        struct iphdr *ip = data + offset;
        if (data + offset + sizeof *ip > end) return XDP_DROP;
        protocol = ip->protocol;
        offset += ip->ihl * 4;
        break;
    }
    case ETH_P_IPV6: {
        struct ipv6hdr *ip = data + offset;
        if (data + offset + sizeof *ip > end) return XDP_DROP;
        protocol = ip->nexthdr;
        offset += sizeof *ip;
        break;
    }
    case ETH_P_ARP: return XDP_PASS;
    default: return XDP_DROP;
    }
    if (protocol == IPPROTO_ICMP) return XDP_PASS;
    if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) return XDP_DROP;
    __be16 *ports = data + offset;
    if (data + offset + 4 > end) return XDP_DROP;
    return ports[0] == 0 || ports[1] == 0 ? XDP_DROP : XDP_PASS;
}
