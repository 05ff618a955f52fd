// Answers SYNs with cookies of the kernel (raw variant).
#include "common.h"
SEC("xdp") int syn_cookie(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    struct tcphdr *tcp = (void *)(ip + 1);
    if ((void *)(tcp + 1) > end || ip->ihl != 5 || ip->protocol != IPPROTO_TCP) return XDP_PASS;
    if (tcp->syn && !tcp->ack) {
        if (tcp->doff != 5) return XDP_DROP;
        __s64 cookie = bpf_tcp_raw_gen_syncookie_ipv4(ip, tcp, sizeof(*tcp));
        if (cookie < 0) return XDP_DROP;
        __be16 port = tcp->source;
        tcp->source = tcp->dest; tcp->dest = port;
        tcp->ack_seq = bpf_htonl(bpf_ntohl(tcp->seq) + 1);
        tcp->seq = bpf_htonl((__u32)cookie);
        tcp->ack = 1;
        return XDP_TX;
    }
    if (tcp->ack && bpf_tcp_raw_check_syncookie_ipv4(ip, tcp)) return XDP_DROP;
    return XDP_PASS;
}
