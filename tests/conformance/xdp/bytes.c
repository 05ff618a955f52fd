// A bounded loop over the packet, 64-bit arithmetic with signed division, shifts and swaps; the result goes into the packet.
#include "common.h"

static __attribute__((noinline)) __u64 mix(__u64 state, __u64 byte) {
    __s64 quotient = (__s64)state / (__s64)(byte | 1);
    return (state ^ byte) * 0x100000001b3ULL + quotient + (state >> (byte & 63));
}

SEC("unibpf/rewriter")
int bytes(struct xdp_md *ctx) {
    unsigned char *data = BEGIN(ctx);
    __u64 state = 0xcbf29ce484222325ULL;
    __s32 small = -7;
    if ((void *)(data + 24) > END(ctx)) return XDP_PASS;
    for (int i = 0; i < 96; i++) {
        if ((void *)(data + i + 1) > END(ctx)) break;
        state = mix(state, data[i]);
        small = small * 13 % (__s32)(data[i] + 3) - (signed char)data[i];
    }
    *(__u64 *)(data + 14) = __builtin_bswap64(state);
    *(__s16 *)(data + 22) = small >> 1;
    return (state ^ small) % 7;
}

char _license[] SEC("license") = "GPL";
