// Parsers that remember headers in pointers and flags, and test the flags alone.
#include "common.h"

#define OPAQUE(x) asm volatile("" : "+r"(x))

// A pointer and whether it is one; the compiler cannot put the two together again.
FILTER int flag_of_a_pointer(struct xdp_md *ctx) {
    struct ethhdr *ethernet = BEGIN(ctx);
    void *end = END(ctx);
    if ((void *)(ethernet + 1) > end) return XDP_DROP;
    struct iphdr *ip = NULL;
    __u32 has_ip = 0;
    if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
        ip = (void *)(ethernet + 1);
        if ((void *)(ip + 1) > end) return XDP_DROP;
        has_ip = 1;
    }
    OPAQUE(has_ip);
    OPAQUE(ip);
    __u32 random = bpf_get_prandom_u32();
    if (has_ip && ip->ttl < (random & 3)) return XDP_DROP;
    return XDP_PASS;
}

// At an offset that the packet chooses.
FILTER int flag_of_a_moved_pointer(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx), *end = END(ctx);
    if (at + 34 > end) return XDP_DROP;
    struct udphdr *udp = NULL;
    __u32 has_udp = 0;
    if (at[23] == IPPROTO_UDP) {
        udp = (void *)at + 14 + (at[14] & 15) * 4;
        if ((void *)(udp + 1) > (void *)end) return XDP_DROP;
        has_udp = 1;
    }
    OPAQUE(has_udp);
    OPAQUE(udp);
    __u32 random = bpf_get_prandom_u32();
    if (has_udp) return udp->dest == (random & 0xffff) ? XDP_DROP : XDP_PASS;
    return XDP_PASS;
}

struct headers {
    struct ethhdr *ethernet;
    struct vlan_header *vlan;
    struct iphdr *ip;
    struct ipv6hdr *ip6;
    struct tcphdr *tcp;
    struct udphdr *udp;
    __u32 found;
};
enum { HAS_VLAN = 1, HAS_IP = 2, HAS_IP6 = 4, HAS_TCP = 8, HAS_UDP = 16 };

NOINLINE int parse(struct xdp_md *ctx, struct headers *h) {
    void *at = BEGIN(ctx), *end = END(ctx);
    h->ethernet = at;
    at += sizeof *h->ethernet;
    if (at > end) return -1;
    __u16 protocol = h->ethernet->h_proto;
    if (protocol == bpf_htons(ETH_P_8021Q)) {
        h->vlan = at;
        at += sizeof *h->vlan;
        if (at > end) return -1;
        protocol = h->vlan->protocol;
        h->found |= HAS_VLAN;
    }
    __u8 next = 0;
    if (protocol == bpf_htons(ETH_P_IP)) {
        h->ip = at;
        at += sizeof *h->ip;
        if (at > end) return -1;
        next = h->ip->protocol;
        h->found |= HAS_IP;
    } else if (protocol == bpf_htons(ETH_P_IPV6)) {
        h->ip6 = at;
        at += sizeof *h->ip6;
        if (at > end) return -1;
        next = h->ip6->nexthdr;
        h->found |= HAS_IP6;
    }
    if (next == IPPROTO_TCP) {
        h->tcp = at;
        if ((void *)(h->tcp + 1) > end) return -1;
        h->found |= HAS_TCP;
    } else if (next == IPPROTO_UDP) {
        h->udp = at;
        if ((void *)(h->udp + 1) > end) return -1;
        h->found |= HAS_UDP;
    }
    return 0;
}

// Optional headers in a record on the stack, filled by a function, and bits that say which are there.
FILTER int bits_say_which(struct xdp_md *ctx) {
    struct headers h = {};
    if (parse(ctx, &h) < 0) return XDP_DROP;
    __u32 sum = 0;
    if (h.found & HAS_VLAN) sum += h.vlan->tci;
    if (h.found & HAS_IP) sum += h.ip->ttl;
    if (h.found & HAS_IP6) sum += h.ip6->hop_limit;
    if (h.found & HAS_TCP) sum += h.tcp->dest;
    if (h.found & HAS_UDP) sum += h.udp->dest;
    return sum == 80 ? XDP_DROP : XDP_PASS;
}

// The same, by the pointers themselves, over many joins.
FILTER int pointers_say_which(struct xdp_md *ctx) {
    struct headers h = {};
    if (parse(ctx, &h) < 0) return XDP_DROP;
    __u32 sum = bpf_get_prandom_u32();
    if (h.vlan) sum += h.vlan->tci;
    if (h.ip) sum += h.ip->ttl;
    if (sum & 1) sum += bpf_get_smp_processor_id();
    if (h.ip6) sum += h.ip6->hop_limit;
    if (h.tcp) sum += h.tcp->dest;
    if (sum & 2) sum += ctx->ingress_ifindex;
    if (h.udp) sum += h.udp->dest;
    return sum == 80 ? XDP_DROP : XDP_PASS;
}

// A machine of states that remembers where a header began.
FILTER int state_machine(struct xdp_md *ctx) {
    enum { ETHERNET, IPV4, IPV6, UDP, DONE } state = ETHERNET;
    void *at = BEGIN(ctx), *end = END(ctx);
    struct udphdr *udp = NULL;
    for (int i = 0; i < 5 && state != DONE; i++) {
        switch (state) {
            case ETHERNET: {
                struct ethhdr *header = at;
                if ((void *)(header + 1) > end) return XDP_DROP;
                at = header + 1;
                state = header->h_proto == bpf_htons(ETH_P_IP) ? IPV4 : header->h_proto == bpf_htons(ETH_P_IPV6) ? IPV6 : DONE;
                break;
            }
            case IPV4: {
                struct iphdr *header = at;
                if ((void *)(header + 1) > end) return XDP_DROP;
                at = header + 1;
                state = header->protocol == IPPROTO_UDP ? UDP : header->protocol == IPPROTO_IPIP ? IPV4 : DONE;
                break;
            }
            case IPV6: {
                struct ipv6hdr *header = at;
                if ((void *)(header + 1) > end) return XDP_DROP;
                at = header + 1;
                state = header->nexthdr == IPPROTO_UDP ? UDP : DONE;
                break;
            }
            default:
                udp = at;
                if ((void *)(udp + 1) > end) return XDP_DROP;
                state = DONE;
        }
    }
    if (!udp) return XDP_PASS;
    return udp->dest == bpf_htons(4789) ? XDP_DROP : XDP_PASS;
}
