/* Where the layers of a frame lie: Ethernet with up to two VLAN tags, IPv4 with options, IPv6 with extension headers.
 *
 * `find_layers` says offsets, never pointers: a program may move the packet and ask `at` for its bytes anew. Every reading goes
 * through `at`, whose test is what the verifiers see.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define LAST_OFFSET 4095  /* frames of guests are shorter */
#define MOST_TAGS 2       /* IEEE 802.1ad: one of the service, one of the customer */
#define MOST_EXTENSIONS 8 /* of IPv6, in one packet */

#define VLAN_TAG_BYTES 4
#define IP4_DONT_FRAGMENT 0x4000
#define IP4_MORE_FRAGMENTS 0x2000
#define IP4_FRAGMENT_OFFSET 0x1fff
#define IP6_FRAGMENT_BYTES 8
#define IP6_MORE_FRAGMENTS 1

#define EXTENSION_HOP_BY_HOP 0 /* RFC 8200 4.1 */
#define EXTENSION_ROUTING 43
#define EXTENSION_FRAGMENT 44
#define EXTENSION_AUTHENTICATION 51
#define EXTENSION_DESTINATION 60

enum found {
	FOUND_IP,
	FOUND_OTHER,         /* whole, but another EtherType: see `type` */
	FOUND_SHORT,         /* it ends within a header, or before its own length says */
	FOUND_BAD,           /* a header that contradicts itself */
	FOUND_TOO_MANY,      /* tags or extension headers */
};

struct layers {
	__u16 type;      /* EtherType after the tags, host order */
	__u16 vlan;      /* of the outer tag, 0: none; host order */
	__u16 network;   /* offset of the IP header: length of the link header */
	__u16 transport; /* offset of what follows the IP headers */
	__u16 end;       /* of the IP packet as it says itself: after it there may be padding */
	__u16 fragment;  /* of IPv6: offset of its fragment header, 0: none */
	__u16 offset;    /* of a fragment, in units of 8 bytes */
	__u8 protocol;   /* at `transport` */
	__u8 version;    /* 4 or 6 */
	__u8 more;       /* fragments follow */
	__u8 segments;   /* segments left of a routing header */
};

/* Hides where a value comes from: else the compiler computes with halves of an address, or takes one sum for another. */
#define OPAQUE(value) asm volatile("" : "+r"(value))

static __always_inline __u32 length_of(struct xdp_md *ctx)
{
	__u64 start = ctx->data, end = ctx->data_end;

	OPAQUE(start);
	OPAQUE(end);
	end -= start;
	OPAQUE(end);
	return end;
}

/* `size` bytes at `offset`, or NULL. */
static __always_inline void *at(struct xdp_md *ctx, __u32 offset, __u32 size)
{
	__u64 distance = offset;
	OPAQUE(distance);
	if (distance > LAST_OFFSET)
		return NULL;
	void *place = (void *)(long)ctx->data;
	OPAQUE(place);
	place += distance;
	OPAQUE(place);
	if (place + size > (void *)(long)ctx->data_end)
		return NULL;
	return place;
}

static __always_inline int is_tag(__u16 type)
{
	return type == ETH_P_8021Q || type == ETH_P_8021AD;
}

static __always_inline enum found find_link(struct xdp_md *ctx, struct layers *layers)
{
	struct ethhdr *ethernet = at(ctx, 0, sizeof(*ethernet));

	if (!ethernet)
		return FOUND_SHORT;
	layers->type = bpf_ntohs(ethernet->h_proto);
	layers->network = sizeof(*ethernet);
	layers->vlan = 0;
	for (__u32 tag = 0; tag < MOST_TAGS && is_tag(layers->type); tag++) {
		__be16 *words = at(ctx, layers->network, VLAN_TAG_BYTES);

		if (!words)
			return FOUND_SHORT;
		if (!tag)
			layers->vlan = bpf_ntohs(words[0]) & 0xfff;
		layers->type = bpf_ntohs(words[1]);
		layers->network += VLAN_TAG_BYTES;
	}
	return is_tag(layers->type) ? FOUND_TOO_MANY : FOUND_OTHER;
}

static __always_inline enum found find_ip4(struct xdp_md *ctx, __u32 offset, struct layers *layers)
{
	struct iphdr *ip = at(ctx, offset, sizeof(*ip));

	if (!ip)
		return FOUND_SHORT;
	__u32 header = ip->ihl * 4, total = bpf_ntohs(ip->tot_len), fragment = bpf_ntohs(ip->frag_off);
	if (ip->version != 4 || header < sizeof(*ip) || total < header)
		return FOUND_BAD;
	layers->version = 4;
	layers->network = offset;
	layers->protocol = ip->protocol;
	layers->transport = offset + header;
	layers->end = offset + total;
	layers->fragment = 0;
	layers->segments = 0;
	layers->offset = fragment & IP4_FRAGMENT_OFFSET;
	layers->more = !!(fragment & IP4_MORE_FRAGMENTS);
	return FOUND_IP;
}

/* One extension header at `transport`; 0: that is no extension header. */
static __always_inline int pass_extension(struct xdp_md *ctx, struct layers *layers, enum found *found)
{
	__u8 kind = layers->protocol;

	if (kind != EXTENSION_HOP_BY_HOP && kind != EXTENSION_ROUTING && kind != EXTENSION_FRAGMENT &&
	    kind != EXTENSION_DESTINATION && kind != EXTENSION_AUTHENTICATION)
		return 0;
	__u8 *header = at(ctx, layers->transport, IP6_FRAGMENT_BYTES); /* none is shorter */
	if (!header) {
		*found = FOUND_SHORT;
		return 0;
	}
	__u32 bytes = (header[1] + 1) * 8;
	if (kind == EXTENSION_AUTHENTICATION)
		bytes = (header[1] + 2) * 4; /* RFC 4302 2.2 */
	if (kind == EXTENSION_ROUTING)
		layers->segments = header[3];
	if (kind == EXTENSION_FRAGMENT) {
		__u32 fragment = (header[2] << 8) | header[3];

		bytes = IP6_FRAGMENT_BYTES;
		layers->fragment = layers->transport;
		layers->offset = fragment >> 3;
		layers->more = fragment & IP6_MORE_FRAGMENTS;
	}
	layers->protocol = header[0];
	layers->transport += bytes;
	return 1;
}

__noinline int find_ip6(struct xdp_md *ctx, __u32 offset, struct layers *layers)
{
	struct ipv6hdr *ip = at(ctx, offset, sizeof(*ip));
	enum found found = FOUND_IP;

	if (!ip || !layers)
		return FOUND_SHORT;
	if (ip->version != 6)
		return FOUND_BAD;
	layers->version = 6;
	layers->network = offset;
	layers->protocol = ip->nexthdr;
	layers->transport = offset + sizeof(*ip);
	layers->end = layers->transport + bpf_ntohs(ip->payload_len);
	layers->fragment = 0;
	layers->offset = 0;
	layers->more = layers->segments = 0;
	for (__u32 passed = 0; passed < MOST_EXTENSIONS; passed++) {
		if (!pass_extension(ctx, layers, &found))
			return found;
		if (layers->offset) /* what follows is the middle of something */
			return FOUND_IP;
	}
	return FOUND_TOO_MANY;
}

/* Finds every layer up to what IP carries. A function apart, so that Linux's verifier looks at it once. */
__noinline int find_layers(struct xdp_md *ctx, struct layers *layers)
{
	enum found found = FOUND_BAD;

	if (!layers)
		return found;
	found = find_link(ctx, layers);
	if (found != FOUND_OTHER)
		return found;
	if (layers->type == ETH_P_IP)
		found = find_ip4(ctx, layers->network, layers);
	else if (layers->type == ETH_P_IPV6)
		found = find_ip6(ctx, layers->network, layers);
	else
		return FOUND_OTHER;
	if (found != FOUND_IP)
		return found;
	if (layers->end > length_of(ctx))
		return FOUND_SHORT;
	return layers->transport > layers->end ? FOUND_BAD : FOUND_IP;
}

/* A fragment other than the first has no ports. */
static __always_inline int is_later_fragment(const struct layers *layers)
{
	return layers->offset != 0;
}

static __always_inline int is_fragment(const struct layers *layers)
{
	return layers->offset || layers->more;
}
