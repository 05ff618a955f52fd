/* A kernel hook and no network program. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("struct_ops/init") int hook(void *ctx)
{
	return 0;
}
