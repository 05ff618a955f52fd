// Parsers around a cursor that walks over the packet, header by header.
#include "common.h"

struct cursor {
    void *at;
    void *end;
};

INLINE void *take(struct cursor *c, __u32 bytes) {
    void *start = c->at;
    if (c->at + bytes > c->end) return 0;
    c->at += bytes;
    return start;
}

INLINE int parse_ethernet(struct cursor *c, struct ethhdr **out) {
    struct ethhdr *eth = take(c, sizeof *eth);
    if (!eth) return -1;
    *out = eth;
    __be16 protocol = eth->h_proto;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD)) break;
        struct vlan_header *tag = take(c, sizeof *tag);
        if (!tag) return -1;
        protocol = tag->protocol;
    }
    return protocol;
}

INLINE int parse_ipv4(struct cursor *c, struct iphdr **out) {
    struct iphdr *ip = c->at;
    if ((void *)(ip + 1) > c->end) return -1;
    int bytes = ip->ihl * 4;
    if (bytes < (int)sizeof *ip) return -1;
    if (c->at + bytes > c->end) return -1;
    c->at += bytes;
    *out = ip;
    return ip->protocol;
}

INLINE int parse_tcp(struct cursor *c, struct tcphdr **out) {
    struct tcphdr *tcp = c->at;
    if ((void *)(tcp + 1) > c->end) return -1;
    int bytes = tcp->doff * 4;
    if ((unsigned)bytes < sizeof *tcp) return -1;
    if (c->at + bytes > c->end) return -1;
    c->at += bytes;
    *out = tcp;
    return bytes;
}

INLINE int parse_udp(struct cursor *c, struct udphdr **out) {
    struct udphdr *udp = c->at;
    if ((void *)(udp + 1) > c->end) return -1;
    c->at = udp + 1;
    *out = udp;
    int payload = bpf_ntohs(udp->len) - sizeof *udp;
    return payload < 0 ? -1 : payload;
}

FILTER int cursor_ports(struct xdp_md *ctx) {
    struct cursor c = {BEGIN(ctx), END(ctx)};
    struct ethhdr *eth;
    struct iphdr *ip;
    int action = XDP_PASS;
    if (parse_ethernet(&c, &eth) != bpf_htons(ETH_P_IP)) goto out;
    int protocol = parse_ipv4(&c, &ip);
    if (protocol == IPPROTO_TCP) {
        struct tcphdr *tcp;
        if (parse_tcp(&c, &tcp) < 0) { action = XDP_ABORTED; goto out; }
        if (tcp->dest == bpf_htons(22)) action = XDP_DROP;
        if (c.at + 1 <= c.end && *(char *)c.at == 'G') action = XDP_TX;
    } else if (protocol == IPPROTO_UDP) {
        struct udphdr *udp;
        if (parse_udp(&c, &udp) < 4) { action = XDP_ABORTED; goto out; }
        if (udp->source == udp->dest) action = XDP_DROP;
    }
out:
    return action;
}

// The cursor lives on the stack of the caller: functions of their own take its address.
NOINLINE int skip(struct cursor *c, __u32 bytes) {
    if (bytes > 60) return -1;
    if (c->at + bytes > c->end) return -1;
    c->at += bytes;
    return 0;
}

FILTER int cursor_in_functions(struct xdp_md *ctx) {
    struct cursor c = {BEGIN(ctx), END(ctx)};
    struct ethhdr *eth = c.at;
    if (skip(&c, sizeof *eth)) return XDP_DROP;
    struct iphdr *ip = c.at;
    if (c.at + sizeof *ip > c.end) return XDP_DROP;
    if (ip->ihl < 5 || skip(&c, ip->ihl * 4)) return XDP_DROP;
    __be16 *ports = c.at;
    if ((void *)(ports + 2) > c.end) return XDP_PASS;
    return ports[1] == bpf_htons(53) ? XDP_TX : XDP_PASS;
}

// Offsets instead of pointers, kept in 32 bits.
INLINE __u32 ipv4_end(void *data, void *end, __u32 offset) {
    struct iphdr *ip = data + offset;
    if ((void *)(ip + 1) > end) return 0;
    return offset + (ip->ihl << 2);
}

FILTER int cursor_of_offsets(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    __u32 offset = sizeof(struct ethhdr);
    if (data + offset > end) return XDP_DROP;
    struct ethhdr *eth = data;
    __u16 protocol = bpf_ntohs(eth->h_proto);
    if (protocol == ETH_P_8021Q) {
        struct vlan_header *tag = data + offset;
        offset += sizeof *tag;
        if (data + offset > end) return XDP_DROP;
        protocol = bpf_ntohs(tag->protocol);
    }
    if (protocol != ETH_P_IP) return XDP_PASS;
    offset = ipv4_end(data, end, offset);
    if (!offset) return XDP_DROP;
    struct udphdr *udp = data + offset;
    if (data + offset + sizeof *udp > end) return XDP_DROP;
    return bpf_ntohs(udp->len) > 512 ? XDP_DROP : XDP_PASS;
}
