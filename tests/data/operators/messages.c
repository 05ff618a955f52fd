// Messages whose calls the compiler merges into one with (text, length) pairs, and messages with addresses among their values.
#include "common.h"

FILTER int two_lengths(struct xdp_md *ctx) {
    struct iphdr *ip = BEGIN(ctx) + 14;
    if ((void *)(ip + 1) > END(ctx)) return XDP_PASS;
    if (ip->protocol == IPPROTO_TCP) bpf_printk("a tcp packet is dropped\n");
    else if (ip->protocol == IPPROTO_UDP) bpf_printk("udp\n");
    else return XDP_PASS;
    return XDP_DROP;
}

FILTER int many_lengths(struct xdp_md *ctx) {
    __u8 *at = BEGIN(ctx);
    if ((void *)(at + 24) > END(ctx)) {
        bpf_printk("short");
        return XDP_DROP;
    }
    switch (at[23]) {
        case 1: bpf_printk("icmp arrived"); break;
        case 2: bpf_printk("igmp"); break;
        case 6: bpf_printk("tcp, the usual"); break;
        case 17: bpf_printk("udp, a datagram of it"); break;
        case 41: bpf_printk("ipv6 inside ipv4"); break;
        case 47: bpf_printk("gre"); break;
        case 50: bpf_printk("esp: nothing to see"); break;
        default: bpf_printk("protocol %d", at[23]); break;
    }
    return XDP_PASS;
}

FILTER int messages_with_values(struct xdp_md *ctx) {
    struct iphdr *ip = BEGIN(ctx) + 14;
    if ((void *)(ip + 1) > END(ctx)) return XDP_PASS;
    __u32 length = bpf_ntohs(ip->tot_len);
    if (ip->ttl < 2) bpf_printk("expired, %u bytes", length);
    else if (ip->ihl < 5) bpf_printk("a header of %u words in %u bytes", ip->ihl, length);
    else return XDP_PASS;
    return XDP_DROP;
}

// Addresses among the values: what they point to is printed.
FILTER int messages_with_addresses(struct xdp_md *ctx) {
    struct iphdr *ip = BEGIN(ctx) + 14;
    if ((void *)(ip + 1) > END(ctx)) return XDP_PASS;
    __u32 from = ip->saddr, to = ip->daddr;
    bpf_printk("from %pI4 to %pI4 proto %d ttl %u len %d if %d", &from, &to, ip->protocol, ip->ttl, bpf_ntohs(ip->tot_len), ctx->ingress_ifindex);
    bpf_printk("%s: %pi4 in %u bytes, %s", "packet", &ip->saddr, bpf_ntohs(ip->tot_len), "passed");
    return XDP_PASS;
}

FILTER int texts_of_addresses(struct xdp_md *ctx) {
    struct ipv6hdr *ip = BEGIN(ctx) + 14;
    if ((void *)(ip + 1) > END(ctx)) return XDP_PASS;
    char text[64];
    static const char format[] = "%pI6 to %pI6, %d hops, %s";
    __u64 values[] = {(__u64)&ip->saddr, (__u64)&ip->daddr, ip->hop_limit, (__u64) "seen"};
    long length = bpf_snprintf(text, sizeof text, format, values, sizeof values);
    return length > 40 && text[0] == 'f' ? XDP_DROP : XDP_PASS;
}
