/* What a program asks its loader about the kernel (CO-RE), and what is the program's own. Each answer has a bit. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct hints { __u64 stamp; __u32 flow, length; };
struct sk_buff___any { __u32 len; };
enum own { OWN = 7 };
enum wide { WIDE = 0x500000000 };
enum kind___any { KIND = 3 };

#define ASK(bit, question) ((__u32)!!(question) << (bit))

SEC("xdp") int asked(struct xdp_md *ctx)
{
	return ASK(0, bpf_core_type_id_local(struct hints)) | ASK(1, bpf_core_type_exists(struct sk_buff___any)) |
	       ASK(2, bpf_core_type_exists(struct xdp_md)) | ASK(3, bpf_core_type_size(struct xdp_md) == 24) |
	       ASK(4, bpf_core_type_size(struct hints)) | ASK(5, bpf_core_field_exists(struct xdp_md, data_end)) |
	       ASK(6, bpf_core_field_exists(struct sk_buff___any, len)) |
	       ASK(7, bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_ktime_get_ns)) |
	       ASK(8, bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_fib_lookup)) |
	       ASK(9, bpf_core_enum_value_exists(enum bpf_map_type, BPF_MAP_TYPE_HASH)) |
	       ASK(10, bpf_core_enum_value_exists(enum bpf_map_type, BPF_MAP_TYPE_XSKMAP)) |
	       ASK(11, bpf_core_enum_value(enum own, OWN) == 7) | ASK(12, bpf_core_enum_value(enum wide, WIDE) >> 32 == 5) |
	       ASK(13, bpf_core_enum_value_exists(enum kind___any, KIND)) |
	       ASK(14, bpf_core_enum_value_exists(enum xdp_action, XDP_PASS)) |
	       ASK(15, bpf_core_field_offset(struct hints, length) == 12) | ASK(16, bpf_core_field_size(struct hints, flow) == 4);
}

char LICENSE[] SEC("license") = "GPL";
