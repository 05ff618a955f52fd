/* Source NAT: the public address and port of a binding go into the packet, both checksums are corrected (RFC 1624).
 *
 * Run again on its own output it does the same work: the binding is found by the destination, which stays as it is.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct binding {
	__u32 address; /* network byte order */
	__u16 port;
	__u16 reserved;
	__u64 packets;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct binding);
} bindings SEC(".maps");

/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m') */
static __always_inline __u16 corrected(__u16 checksum, __u32 sum)
{
	sum += (__u16)~checksum;
	sum = (sum & 0xFFFF) + (sum >> 16);
	sum = (sum & 0xFFFF) + (sum >> 16);
	return ~sum;
}

static __always_inline __u32 change(__u16 before, __u16 after)
{
	return (__u16)~before + after;
}

SEC("unibpf/rewriter") int nat(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->protocol != 17)
		return XDP_PASS;
	__u32 index = bpf_ntohl(ip->daddr) & 255;
	struct binding *binding = bpf_map_lookup_elem(&bindings, &index);
	if (!binding)
		return XDP_DROP;
	__u32 old = ip->saddr, new = binding->address;
	__u32 sum = change(old, new) + change(old >> 16, new >> 16);
	ip->check = corrected(ip->check, sum);
	if (udp->check)
		udp->check = corrected(udp->check, sum + change(udp->source, binding->port));
	ip->saddr = new;
	udp->source = binding->port;
	binding->packets += 1;
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Apache-2.0";
