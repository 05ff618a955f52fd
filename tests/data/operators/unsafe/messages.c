// Neighbours of ../messages.c: a text with the length of the other, and one that is too long for its section.
#include "../common.h"

static const char longer[] = "a tcp packet is dropped\n", shorter[] = "udp\n";

FILTER int lengths_exchanged(struct xdp_md *ctx) {
    const char *text = ctx->rx_queue_index & 1 ? longer : shorter;
    __u32 bytes = ctx->rx_queue_index & 1 ? sizeof shorter : 64;
    asm volatile("" : "+r"(text), "+r"(bytes));
    bpf_trace_printk(text, bytes);
    return XDP_PASS;
}

FILTER int length_of_the_other(struct xdp_md *ctx) {
    const char *text = shorter;
    __u32 bytes = sizeof shorter, queue = ctx->rx_queue_index;
    if (queue == 1) text = longer, bytes = sizeof longer;
    if (queue == 2) bytes = sizeof longer + sizeof shorter + 1;
    asm volatile("" : "+r"(text), "+r"(bytes));
    bpf_trace_printk(text, bytes);
    return XDP_PASS;
}
