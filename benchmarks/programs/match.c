/* Parse Ethernet, IPv4 and ports, then try 16 rules one after the other; the benchmark's packet matches the last. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct rule {
	__u32 network; /* host byte order */
	__u32 mask;
	__u16 port;
	__u8 protocol;
	__u8 action;
};

/* Not const: a rule table is read at run time, or clang would fold the rules into the code. */
struct rule rules[16] = {
	{0x0A010000, 0xFFFF0000, 22, 6, XDP_DROP},   {0x0A020000, 0xFFFF0000, 23, 6, XDP_DROP},
	{0x0A030000, 0xFFFF0000, 25, 6, XDP_DROP},   {0x0A040000, 0xFFFF0000, 53, 17, XDP_DROP},
	{0x0A050000, 0xFFFF0000, 69, 17, XDP_DROP},  {0x0A060000, 0xFFFF0000, 80, 6, XDP_DROP},
	{0x0A070000, 0xFFFF0000, 110, 6, XDP_DROP},  {0x0A080000, 0xFFFF0000, 123, 17, XDP_DROP},
	{0x0A090000, 0xFFFF0000, 137, 17, XDP_DROP}, {0x0A0A0000, 0xFFFF0000, 143, 6, XDP_DROP},
	{0x0A0B0000, 0xFFFF0000, 161, 17, XDP_DROP}, {0x0A0C0000, 0xFFFF0000, 389, 6, XDP_DROP},
	{0x0A0D0000, 0xFFFF0000, 443, 6, XDP_DROP},  {0x0A0E0000, 0xFFFF0000, 514, 17, XDP_DROP},
	{0x0A0F0000, 0xFFFF0000, 587, 6, XDP_DROP},  {0x0A000000, 0xFF000000, 5353, 17, XDP_TX},
};

SEC("xdp") int match(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct udphdr *ports = (void *)(ip + 1);

	if ((void *)(ports + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return XDP_PASS;
	__u32 source = bpf_ntohl(ip->saddr);
	__u16 port = bpf_ntohs(ports->dest);
	for (int i = 0; i < 16; i++) {
		if (rules[i].port == port && rules[i].protocol == ip->protocol && (source & rules[i].mask) == rules[i].network)
			return rules[i].action;
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Apache-2.0";
