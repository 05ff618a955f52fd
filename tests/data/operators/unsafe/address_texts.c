// Neighbours of ../messages.c: a text that the program gets has an address in it, or bytes that it may not read.
#include "../common.h"

// The text would have the address itself.
FILTER int address_as_a_number(struct xdp_md *ctx) {
    char text[64] = {};
    static const char format[] = "%lx";
    __u64 here = 0;
    __u64 values[] = {(__u64)&here};
    bpf_snprintf(text, sizeof text, format, values, sizeof values);
    return text[0] == 'f' ? XDP_DROP : XDP_PASS;
}

FILTER int address_after_a_percent_sign(struct xdp_md *ctx) {
    char text[64] = {};
    static const char format[] = "%% %d %s";
    __u32 zero = 0;
    const char *name = "name";
    asm volatile("" : "+r"(name));
    __u64 values[] = {(__u64)name, 7};
    bpf_snprintf(text, sizeof text, format, values, sizeof values);
    return text[0] == 'f' ? XDP_DROP : XDP_PASS;
}

FILTER int address_of_too_few_bytes(struct xdp_md *ctx) {
    struct iphdr *ip = BEGIN(ctx) + 14;
    if ((void *)(ip + 1) > END(ctx)) return XDP_PASS;
    char text[64] = {};
    static const char format[] = "%pI6";
    __u64 values[] = {(__u64)&ip->daddr};
    bpf_snprintf(text, sizeof text, format, values, sizeof values);
    return text[0] == 'f' ? XDP_DROP : XDP_PASS;
}
