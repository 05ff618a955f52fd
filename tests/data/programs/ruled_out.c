/* What constants rule out, as a loader leaves them, exists on Linux only: a helper, a map, a kernel function, a kernel's type. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum mode { FRAMES, SOCKETS };

const volatile bool route;
const volatile bool kernel_function;
const volatile bool other;
const volatile enum mode mode = FRAMES;

struct device___of_old {
	int mtu;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

extern int of_the_kernel(struct xdp_md *ctx) __ksym __weak;

SEC("xdp") int ruled_out(struct xdp_md *ctx)
{
	struct bpf_fib_lookup params = {};

	if (route && bpf_fib_lookup(ctx, &params, sizeof(params), 0) == 0)
		return bpf_redirect(params.ifindex, 0);
	if (kernel_function)
		return of_the_kernel(ctx);
	if (other)
		return ((struct device___of_old *)(long)ctx->data)->mtu;
	return mode == SOCKETS ? bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS) : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
