/* Names of sections that libbpf knows, and one that it does not. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp.frags") int frags(struct xdp_md *ctx) { return XDP_PASS; }
SEC("?xdp") int not_loaded(struct xdp_md *ctx) { return XDP_DROP; }
SEC("xdp.frags/devmap") int of_devmap(struct xdp_md *ctx) { return ctx->egress_ifindex ? XDP_PASS : XDP_DROP; }
SEC("xdp_cpumap/out") int of_cpumap(struct xdp_md *ctx) { return XDP_PASS; }
SEC("classifier") int of_tc(void *ctx) { return 1; }
int in_text(void *ctx) { return 2; }
