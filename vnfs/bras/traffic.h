/* Packets out of sessions to the core, and from the core into sessions. */
#pragma once

#include "frames.h"

#define MOST_TCP_OPTIONS 8
#define MSS (MOST_PAYLOAD - 40)
#define TCP_SYN 2
#define OPTION_NOTHING 1
#define OPTION_MSS 2

/* The offset of TCP's MSS option among those from `offset` to `end`; 0: there is none. */
__noinline int find_mss(struct xdp_md *ctx, __u32 offset, __u32 end)
{
	__u32 found = 0;

	for (__u32 option = 0; option < MOST_TCP_OPTIONS; option++) {
		__u16 word = 0;

		if (offset + 4 > end || bpf_xdp_load_bytes(ctx, offset, &word, sizeof(word)))
			break;
		__u32 kind = bpf_ntohs(word) >> 8, length = bpf_ntohs(word) & 0xff;
		if (kind == OPTION_MSS && length == 4)
			found = offset;
		if (found || !kind)
			break;
		offset += kind == OPTION_NOTHING ? 1 : length + !length;
	}
	return found;
}

/* Makes TCP's MSS fit, so that hosts with 1,500 bytes do not send what PPPoE cannot carry (RFC 4638 6). */
__noinline int clamp(struct xdp_md *ctx, __u32 ip)
{
	__u8 start[20], head[14];
	__u16 old = 0, checksum = 0, fresh = bpf_htons(MSS);

	if (bpf_xdp_load_bytes(ctx, ip, start, sizeof(start)) || start[9] != IPPROTO_TCP ||
	    (((start[6] << 8) | start[7]) & IP4_FRAGMENT_OFFSET))
		return 0;
	__u32 tcp = ip + (start[0] & 15) * 4;
	if (bpf_xdp_load_bytes(ctx, tcp, head, sizeof(head)) || !(head[13] & TCP_SYN))
		return 0;
	__u32 option = find_mss(ctx, tcp + 20, tcp + (head[12] >> 4) * 4);
	if (!option || bpf_xdp_load_bytes(ctx, option + 2, &old, sizeof(old)) || bpf_ntohs(old) <= MSS ||
	    bpf_xdp_load_bytes(ctx, tcp + 16, &checksum, sizeof(checksum)))
		return 0;
	/* The option may lie at an odd place: then its bytes are in the other halves of words. */
	__u64 change = without(old) + fresh;
	if ((option - tcp) & 1)
		change = (__u64)without(__builtin_bswap16(old)) + __builtin_bswap16(fresh);
	bpf_xdp_store_bytes(ctx, option + 2, &fresh, sizeof(fresh));
	put_checksum(ctx, tcp + 16, changed(checksum, change));
	count(CLAMPED);
	return 0;
}

/* An IPv4 packet of a session: PPPoE goes, the core's link header comes. */
__noinline int go_up(struct xdp_md *ctx, struct layers *layers, struct config *settings, struct session *session,
		     __u32 number)
{
	struct ethhdr ethernet = {.h_proto = bpf_htons(ETH_P_IP)};
	struct layers inner = {};
	__be32 source;

	if (!layers || !settings || !session)
		return XDP_ABORTED;
	__u32 ip = layers->network + PPP_BYTES;
	if (session->state != IP_OPEN)
		return ends(NOT_OPEN, XDP_DROP);
	int found = find_ip4(ctx, ip, &inner);
	if (found != FOUND_IP || inner.end > layers->end || bpf_xdp_load_bytes(ctx, ip + 12, &source, sizeof(source)))
		return ends(found == FOUND_BAD ? BAD_HEADER : TRUNCATED, XDP_DROP);
	if (source != address_of(settings, number))
		return ends(SPOOFED, XDP_DROP);
	__u32 bytes = inner.end - ip;
	clamp(ctx, ip);
	__builtin_memcpy(ethernet.h_dest, settings->gateway, ETH_ALEN);
	__builtin_memcpy(ethernet.h_source, settings->core, ETH_ALEN);
	if (!end_at(ctx, inner.end) || bpf_xdp_adjust_head(ctx, (int)ip - (int)sizeof(ethernet)))
		return ends(NO_ROOM, XDP_DROP);
	bpf_xdp_store_bytes(ctx, 0, &ethernet, sizeof(ethernet));
	session->packets_up++;
	session->bytes_up += bytes;
	return ends(UP, XDP_PASS);
}

/* An IPv4 packet from the core to an address of the pool. */
__noinline int go_down(struct xdp_md *ctx, struct layers *layers, struct config *settings)
{
	__u8 addresses[2 * ETH_ALEN];
	__be32 destination;

	if (!layers || !settings)
		return XDP_ABORTED;
	if (bpf_xdp_load_bytes(ctx, layers->network + 16, &destination, sizeof(destination)))
		return ends(TRUNCATED, XDP_DROP);
	__u32 number = bpf_ntohl(destination) - bpf_ntohl(settings->pool);
	struct session *session = number ? bpf_map_lookup_elem(&sessions, &number) : NULL;
	if (!session || !is_alive(session, bpf_ktime_get_ns()) || session->state != IP_OPEN)
		return ends(NOT_OURS, XDP_DROP);
	__u32 bytes = layers->end - layers->network;
	if (bytes > MOST_PAYLOAD)
		return ends(TOO_BIG, XDP_DROP);
	clamp(ctx, layers->network);
	struct pppoe head = {.kind = 0x11, .session = bpf_htons(number), .length = bpf_htons(bytes + 2)};
	head.protocol = bpf_htons(0x0021);
	__u64 tags = session->tag_bytes;
	OPAQUE(tags);
	__u32 link = sizeof(struct ethhdr) + tags;
	if (tags > sizeof(session->tags) || !end_at(ctx, layers->end) ||
	    bpf_xdp_adjust_head(ctx, (int)layers->network - (int)(link + sizeof(head))))
		return ends(NO_ROOM, XDP_DROP);
	__be16 type = bpf_htons(TYPE_SESSION);
	__builtin_memcpy(addresses, session->host.address, ETH_ALEN);
	__builtin_memcpy(addresses + ETH_ALEN, settings->access, ETH_ALEN);
	bpf_xdp_store_bytes(ctx, 0, addresses, sizeof(addresses));
	bpf_xdp_store_bytes(ctx, sizeof(addresses), session->tags, sizeof(session->tags));
	bpf_xdp_store_bytes(ctx, link - 2, &type, sizeof(type));
	bpf_xdp_store_bytes(ctx, link, &head, sizeof(head));
	session->packets_down++;
	session->bytes_down += bytes;
	return ends(DOWN, XDP_TX);
}
