// Text and numbers: strtol, strtoul, strncmp and snprintf on what packets spell.
#include "common.h"

__u64 digest;
char line[64];

static __always_inline void add(__u64 value) { digest = digest * 0x100000001b3ULL + value; }

SEC("unibpf/filter")
int text(struct xdp_md *ctx) {
    static const char letters[] = "0123456789abcdefxX-+ \t 00 7fffffffffffffff-8000\n0123456700ffgz";
    __u8 *data = BEGIN(ctx);
    if ((void *)(data + 14) > END(ctx)) return XDP_ABORTED;
    char word[24] = {};
    for (int i = 0; i < 12; i++) word[i] = letters[data[i] & 63];
    if (data[0] % 2) __builtin_memcpy(word, "0x7fffffffff", 12);
    if (data[1] % 8 == 0) __builtin_memcpy(word, " -9223372036", 12);
    for (int i = 12; i < 20; i++) word[i] = '0' + data[i - 12] % 10;
    long signed_result = 0;
    unsigned long unsigned_result = 0;
    __u64 base = data[2] % 4 == 0 ? 10 : data[2] % 4 == 1 ? 16 : data[2] % 4 == 2 ? 0 : data[3];
    __u32 size = (data[4] & 15) + 1;
    add(bpf_strtol(word, size, base, &signed_result));
    add(bpf_strtoul(word, size, base, &unsigned_result));
    add(signed_result);
    add(unsigned_result);
    add(bpf_strncmp(word, sizeof word, "0x7"));
    add(bpf_strncmp(word, 2, "0x7"));
    __u64 values[] = {data[5], signed_result, unsigned_result, (__u64)data[6] << 33 | data[7], data[8] % 64 + 32, data[9]};
    char wide[64] = {};
    __u32 room = data[10] & 63;
    add(bpf_snprintf(wide, room, "%d %ld|%lu %llx|%c %5d", values, sizeof values));
    for (int i = 0; i < 64; i++) line[i] = wide[i];
    __builtin_memset(wide, 0, sizeof wide);  // a guest zeroes after the text what Linux leaves as it was
    add(bpf_snprintf(wide, sizeof wide, "%-6x!%08X %+d %% %i %u %x", values, sizeof values));
    for (int i = 0; i < 64; i++) add(wide[i]);
    add(bpf_snprintf(wide, sizeof wide, "none", 0, 0));
    for (int i = 0; i < 5; i++) add(wide[i]);
    return digest % 4 + 1;
}

char _license[] SEC("license") = "GPL";
