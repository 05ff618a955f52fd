/* The link header, kept while the packet's head moves. */
#pragma once

#include "layers.h"

#define ADDRESSES_BYTES (2 * ETH_ALEN)

struct link {
	__u8 addresses[ADDRESSES_BYTES]; /* destination, source */
	__u8 tags[MOST_TAGS * VLAN_TAG_BYTES];
	__u32 length;
};

/* 0: the frame is shorter than a link header with two tags and anything. */
static __always_inline int keep_link(struct xdp_md *ctx, const struct layers *layers, struct link *link)
{
	__u8 *frame = at(ctx, 0, sizeof(link->addresses) + sizeof(link->tags));

	if (!frame)
		return 0;
	__builtin_memcpy(link->addresses, frame, sizeof(link->addresses));
	__builtin_memcpy(link->tags, frame + sizeof(link->addresses), sizeof(link->tags));
	link->length = layers->type == ETH_P_IP || layers->type == ETH_P_IPV6 ? layers->network : sizeof(struct ethhdr);
	return 1;
}

/* Writes it at the head, before `bytes` more; `type` in network order. */
static __always_inline int write_link(struct xdp_md *ctx, const struct link *link, __be16 type, __u32 bytes)
{
	__u8 *frame = at(ctx, 0, sizeof(link->addresses) + sizeof(link->tags) + 2);

	if (!frame || !at(ctx, link->length, bytes))
		return 0;
	__builtin_memcpy(frame, link->addresses, sizeof(link->addresses));
	if (link->length == sizeof(struct ethhdr)) {
		*(__be16 *)(frame + 12) = type;
	} else if (link->length == sizeof(struct ethhdr) + VLAN_TAG_BYTES) {
		__builtin_memcpy(frame + 12, link->tags, 4);
		*(__be16 *)(frame + 16) = type;
	} else {
		__builtin_memcpy(frame + 12, link->tags, 8);
		*(__be16 *)(frame + 20) = type;
	}
	return 1;
}

static __always_inline void swap_addresses(struct link *link)
{
	__u8 destination[ETH_ALEN];

	__builtin_memcpy(destination, link->addresses, ETH_ALEN);
	__builtin_memcpy(link->addresses, link->addresses + ETH_ALEN, ETH_ALEN);
	__builtin_memcpy(link->addresses + ETH_ALEN, destination, ETH_ALEN);
}
