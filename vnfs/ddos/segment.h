/* TCP segments of the guard's own, made from the packet at hand, and sequence numbers changed in place. */
#pragma once

#include "cookie.h"

#include <linux/tcp.h>

#define SIZE_OPTION_BYTES 4
#define HOPS 64
#define WINDOW 16384 /* not scaled: scaling is what the guard does not offer */
#define SEQUENCE_OFFSET 4
#define ACKNOWLEDGEMENT_OFFSET 8
#define CHECKSUM_OFFSET 16

struct segment {
	__u32 sequence, acknowledgement; /* host order */
	__u16 mss;                       /* 0: no option */
	__u8 flags;
	__u8 back;                       /* to the packet's sender */
};

struct header {
	__be16 source, destination;
	__be32 sequence, acknowledgement;
	__u8 length, flags; /* length in words, in the high half */
	__be16 window;
	__u16 checksum;
	__u16 urgent;
	__u8 option[SIZE_OPTION_BYTES];
};

static __always_inline int swap_links(struct xdp_md *ctx)
{
	__u8 *frame = at(ctx, 0, 2 * ETH_ALEN), was[ETH_ALEN];

	if (!frame)
		return 0;
	__builtin_memcpy(was, frame, ETH_ALEN);
	__builtin_memcpy(frame, frame + ETH_ALEN, ETH_ALEN);
	__builtin_memcpy(frame + ETH_ALEN, was, ETH_ALEN);
	return 1;
}

/* Length, hops, and addresses the other way round; what its addresses sum up to, or 0: it is not there. */
static __always_inline __u64 write_ip(struct xdp_md *ctx, const struct layers *layers, const struct flow *flow, __u32 end, int back)
{
	const struct address *source = back ? &flow->destination : &flow->source;
	const struct address *destination = back ? &flow->source : &flow->destination;

	if (layers->version == 4) {
		struct iphdr *ip = at(ctx, layers->network, sizeof(*ip));

		if (!ip)
			return 0;
		__u16 *hops = (__u16 *)&ip->ttl;
		__u64 change = without((__u64)ip->tot_len + *hops);
		ip->tot_len = bpf_htons(end - layers->network);
		ip->ttl = HOPS;
		change += (__u64)ip->tot_len + *hops;
		ip->saddr = source->word[3];
		ip->daddr = destination->word[3];
		ip->check = changed(ip->check, change);
		return sum_words(&ip->saddr, 4);
	}
	struct ipv6hdr *ip = at(ctx, layers->network, sizeof(*ip));
	if (!ip)
		return 0;
	ip->payload_len = bpf_htons(end - layers->network - sizeof(*ip));
	ip->hop_limit = HOPS;
	__builtin_memcpy(&ip->saddr, source, sizeof(*source));
	__builtin_memcpy(&ip->daddr, destination, sizeof(*destination));
	return sum_words(&ip->saddr, 16);
}

/* The packet becomes this segment; 0: it cannot. Where there is no room for the option it goes without. */
__noinline int write_segment(struct xdp_md *ctx, struct layers *layers, struct flow *flow, struct segment *segment)
{
	if (!layers || !flow || !segment)
		return 0;
	__u32 bytes = segment->mss ? sizeof(struct header) : TCP_HEADER_BYTES;
	int more = (int)(layers->transport + bytes) - (int)length_of(ctx);
	if (more && bpf_xdp_adjust_tail(ctx, more)) {
		bytes = TCP_HEADER_BYTES;
		more = (int)(layers->transport + bytes) - (int)length_of(ctx);
		if (more && bpf_xdp_adjust_tail(ctx, more))
			return 0;
	}
	int back = segment->back;
	struct header header = {
		.source = back ? flow->destination_port : flow->source_port,
		.destination = back ? flow->source_port : flow->destination_port,
		.sequence = bpf_htonl(segment->sequence),
		.acknowledgement = bpf_htonl(segment->acknowledgement),
		.length = bytes / 4 << 4,
		.flags = segment->flags,
		.window = bpf_htons(WINDOW),
		.option = {2, SIZE_OPTION_BYTES, segment->mss >> 8, segment->mss & 0xff},
	};
	__u64 sum = write_ip(ctx, layers, flow, layers->transport + bytes, back);
	if (!sum || (back && !swap_links(ctx)))
		return 0;
	sum += sum_of_length(bytes, IPPROTO_TCP) + sum_words(&header, TCP_HEADER_BYTES / 2);
	if (bytes == TCP_HEADER_BYTES) {
		header.checksum = ~fold(sum);
		return !bpf_xdp_store_bytes(ctx, layers->transport, &header, TCP_HEADER_BYTES);
	}
	header.checksum = ~fold(sum + sum_words(header.option, SIZE_OPTION_BYTES / 2));
	return !bpf_xdp_store_bytes(ctx, layers->transport, &header, sizeof(header));
}

/* A number of 32 bits in the TCP header, and the checksum with it. */
static __always_inline int put_number(struct xdp_md *ctx, const struct layers *layers, __u32 offset, __u32 number)
{
	__be32 *place = at(ctx, layers->transport + offset, sizeof(*place)), new = bpf_htonl(number);
	__u16 *checksum = at(ctx, layers->transport + CHECKSUM_OFFSET, sizeof(*checksum));

	if (!place || !checksum)
		return 0;
	__u64 change = without((__u64)*place) + new;
	*place = new;
	*checksum = changed(*checksum, change);
	return 1;
}

/* The size that a SYN's options say (RFC 9293 3.7.1), or the least. */
static __always_inline __u32 read_size(struct xdp_md *ctx, const struct layers *layers)
{
	__u8 *tcp = at(ctx, layers->transport, TCP_HEADER_BYTES);

	if (!tcp)
		return 0;
	__u32 end = layers->transport + (tcp[12] >> 4) * 4, place = layers->transport + TCP_HEADER_BYTES;
	for (__u32 i = 0; i < 10 && place < end; i++) {
		__u8 *option = at(ctx, place, SIZE_OPTION_BYTES);

		if (!option || *option == 0)
			break;
		if (*option == 2 && option[1] == SIZE_OPTION_BYTES)
			return option[2] << 8 | option[3];
		place += *option == 1 ? 1 : option[1] < 2 ? 2 : option[1];
	}
	return 0;
}
