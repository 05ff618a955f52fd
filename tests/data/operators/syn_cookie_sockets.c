// Checks cookies of listening sockets.
#include "common.h"
SEC("xdp") int syn_cookie_sockets(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    struct tcphdr *tcp = (void *)(ip + 1);
    if ((void *)(tcp + 1) > end || ip->ihl != 5 || ip->protocol != IPPROTO_TCP) return XDP_PASS;
    struct bpf_sock_tuple tuple = {.ipv4 = {ip->saddr, ip->daddr, tcp->source, tcp->dest}};
    struct bpf_sock *sk = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), -1, 0);
    if (!sk) return XDP_DROP;
    int action = XDP_PASS;
    if (sk->state == 10 && tcp->ack) action = bpf_tcp_check_syncookie(sk, ip, sizeof(*ip), tcp, sizeof(*tcp)) ? XDP_DROP : XDP_PASS;
    bpf_sk_release(sk);
    return action;
}
