// Numbers at the ends of their ranges: offsets, lengths and deltas that are zero, negative or huge, and what a refusal leaves behind.
#include "common.h"

__u64 digest;

static __always_inline __s64 extreme(__u8 which, __u8 fine) {
    switch (which % 16) {
        case 0: return 0;
        case 1: return -1;
        case 2: return 1 << 16;
        case 3: return (1 << 16) - 1;
        case 4: return 0x7fffffff;
        case 5: return -0x80000000LL;
        case 6: return 0x80000000LL;
        case 7: return 0xffffffffLL;
        case 8: return 1LL << 32;
        case 9: return 0x7fffffffffffffffLL;
        case 10: return 5000 + fine;
        case 11: return -5000 - fine;
        default: return fine % 32;
    }
}

#define NOTE(value) digest = digest * 31 + (__u64)(value)

SEC("unibpf/rewriter")
int extremes(struct xdp_md *ctx) {
    __u8 *data = BEGIN(ctx);
    if ((void *)(data + 40) > END(ctx)) return XDP_PASS;
    __u8 what = data[0], which = data[1], fine = data[2], size = data[3] % 16 + 1, second = data[4];
    __u64 buffer[2] = {0x1111111111111111, 0x2222222222222222};
    __u64 more[2] = {second, fine};
    __s64 number = extreme(which, fine);
    switch (what % 7) {
        case 0: NOTE(bpf_xdp_load_bytes(ctx, number, buffer, size)); break;
        case 1: NOTE(bpf_xdp_store_bytes(ctx, number, buffer, size)); break;
        case 2: NOTE(bpf_xdp_adjust_meta(ctx, number)); break;
        case 3: NOTE(bpf_csum_diff((void *)buffer, (second & 3) * 4, (void *)more, (fine & 3) * 4, number)); break;
        case 4: NOTE(bpf_xdp_adjust_head(ctx, number % 8 ? number : -8)); break;
        case 5: NOTE(bpf_xdp_adjust_tail(ctx, number)); break;
        case 6: NOTE(bpf_redirect(second % 4, number)); break;
    }
    NOTE(buffer[0]);
    NOTE(buffer[1]);
    NOTE(ctx->data_end - ctx->data);
    NOTE(bpf_xdp_get_buff_len(ctx));
    return digest % 2 ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "GPL";
