/* Three ports by packet length; built with PORTS, its section says how many there are. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifdef PORTS
#define SECTION "unibpf/classifier/" PORTS
#else
#define SECTION "unibpf/classifier"
#endif

SEC(SECTION) int classifier(struct xdp_md *ctx)
{
	long length = (void *)(long)ctx->data_end - (void *)(long)ctx->data;

	if (length < 64)
		return 0;
	return length < 512 ? 1 : 2;
}
