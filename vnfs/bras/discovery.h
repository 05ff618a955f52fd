/* PPPoE's discovery (RFC 2516 5): PADI is offered, PADR opens, PADT closes. Nothing is kept before PADR: the AC-Cookie shows
 * that a host got our offer at the address that it says.
 */
#pragma once

#include "frames.h"

#define PADI 0x09
#define PADO 0x07
#define PADR 0x19
#define PADS 0x65
#define PADT 0xa7

#define TAG_END 0x0000
#define TAG_NAME 0x0102
#define TAG_COOKIE 0x0104
#define MOST_PPPOE_TAGS 16
#define NAME_BYTES 6

static __always_inline __u64 turned(__u64 value, int by) { return (value << by) | (value >> (64 - by)); }

static __always_inline void sip_round(__u64 *v)
{
	v[0] += v[1];
	v[1] = turned(v[1], 13) ^ v[0];
	v[0] = turned(v[0], 32);
	v[2] += v[3];
	v[3] = turned(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = turned(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = turned(v[1], 17) ^ v[2];
	v[2] = turned(v[2], 32);
}

/* SipHash-2-4 (Aumasson, Bernstein) of the 8 bytes that a host is: a function that who has not the key cannot guess. */
static __always_inline __u64 cookie_of(const struct config *settings, const struct host *host)
{
	__u64 word = *(const __u64 *)host, last = 8ull << 56;
	__u64 v[4] = {settings->secret[0] ^ 0x736f6d6570736575, settings->secret[1] ^ 0x646f72616e646f6d,
		      settings->secret[0] ^ 0x6c7967656e657261, settings->secret[1] ^ 0x7465646279746573};

	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Reads over all tags; 0: they make no sense. Gives the offset of the cookie's value, if there is one of our length. */
__noinline int read_tags(struct xdp_md *ctx, __u32 offset, __u32 end)
{
	int cookie = 1; /* no place that a tag may have */

	for (__u32 tag = 0; tag < MOST_PPPOE_TAGS; tag++) {
		__be16 words[2];

		if (offset == end)
			return cookie;
		if (offset + 4 > end || bpf_xdp_load_bytes(ctx, offset, words, sizeof(words)))
			return 0;
		if (words[0] == TAG_END)
			return cookie;
		if (words[0] == bpf_htons(TAG_COOKIE) && words[1] == bpf_htons(sizeof(__u64)))
			cookie = offset + 4;
		offset += 4 + bpf_ntohs(words[1]);
		if (offset > end)
			return 0;
	}
	return 0;
}

/* The tags go back as they came, so do Host-Uniq, Relay-Session-Id and the service's name; ours follow. */
static __always_inline int offer(struct xdp_md *ctx, const struct layers *layers, const struct config *settings,
				 const struct host *host, __u32 end)
{
	struct {
		__be16 name, name_bytes;
		__u8 text[NAME_BYTES];
		__be16 cookie, cookie_bytes;
		__u8 value[8];
	} __attribute__((packed)) tags = {
		.name = bpf_htons(TAG_NAME), .name_bytes = bpf_htons(NAME_BYTES), .text = "unibpf",
		.cookie = bpf_htons(TAG_COOKIE), .cookie_bytes = bpf_htons(8),
	};
	__u64 cookie = cookie_of(settings, host);
	__u8 code = PADO;
	__be16 length = bpf_htons(end - layers->network - PPPOE_BYTES + sizeof(tags));

	__builtin_memcpy(tags.value, &cookie, sizeof(cookie));
	if (end + sizeof(tags) > layers->network + MOST_PAYLOAD || !end_at(ctx, end + sizeof(tags)) ||
	    !turn_round(ctx, settings, host))
		return ends(NO_ROOM, XDP_DROP);
	bpf_xdp_store_bytes(ctx, layers->network + 1, &code, sizeof(code));
	bpf_xdp_store_bytes(ctx, layers->network + 4, &length, sizeof(length));
	bpf_xdp_store_bytes(ctx, end, &tags, sizeof(tags));
	return ends(OFFERED, XDP_TX);
}

/* The number of a host's session: the one that it has, else a free one; 0: there is none. */
__noinline int find_number(struct host *host)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 free = 0;

	if (!host)
		return 0;
	__u64 word = *(__u64 *)host * 0x9e3779b97f4a7c15;
	__u32 first = word >> 40;
	for (__u32 try = 0; try < TRIES; try++) {
		__u32 number = (first + try) % (SESSIONS - 1) + 1;
		struct session *session = bpf_map_lookup_elem(&sessions, &number);

		if (!session)
			return 0;
		if (is_alive(session, now)) {
			if (is_same_host(&session->host, host))
				return number;
		} else if (!free) {
			free = number;
		}
	}
	return free;
}

static __always_inline int open(struct xdp_md *ctx, const struct layers *layers, const struct config *settings,
				struct host *host, __u32 end)
{
	__u32 number = find_number(host);
	struct session *session = bpf_map_lookup_elem(&sessions, &number);
	struct {
		__u8 code;
		__be16 number;
	} __attribute__((packed)) head = {.code = PADS, .number = bpf_htons(number)};

	if (!number || !session)
		return ends(NO_SESSIONS_LEFT, XDP_DROP);
	if (!end_at(ctx, end) || !turn_round(ctx, settings, host))
		return ends(NO_ROOM, XDP_DROP);
	__builtin_memset(session, 0, sizeof(*session));
	session->host = *host;
	session->tag_bytes = layers->network - sizeof(struct ethhdr);
	bpf_xdp_load_bytes(ctx, 2 * ETH_ALEN, session->tags, sizeof(session->tags));
	session->state = DISCOVERED;
	session->until = bpf_ktime_get_ns() + SESSION_SECONDS * SECOND;
	bpf_xdp_store_bytes(ctx, layers->network + 1, &head, sizeof(head));
	return ends(OPENED, XDP_TX);
}

static __always_inline int close(const struct host *host, __u32 number)
{
	struct session *session = bpf_map_lookup_elem(&sessions, &number);

	if (!session || !is_alive(session, bpf_ktime_get_ns()) || !is_same_host(&session->host, host))
		return ends(UNKNOWN_SESSION, XDP_DROP);
	session->state = FREE;
	return ends(TERMINATED, XDP_DROP);
}

__noinline int discover(struct xdp_md *ctx, struct layers *layers, struct config *settings)
{
	struct pppoe head = {};
	struct host host = {};
	__u64 shown = 0;

	if (!layers || !settings)
		return XDP_ABORTED;
	if (bpf_xdp_load_bytes(ctx, layers->network, &head, PPPOE_BYTES) || !read_host(ctx, layers, &host))
		return ends(TRUNCATED, XDP_DROP);
	__u32 start = layers->network + PPPOE_BYTES, end = start + bpf_ntohs(head.length);
	if (end > length_of(ctx))
		return ends(TRUNCATED, XDP_DROP);
	int cookie = read_tags(ctx, start, end);
	if (head.kind != 0x11 || !cookie || (host.address[0] & 1))
		return ends(BAD_DISCOVERY, XDP_DROP);
	if (head.code == PADT)
		return close(&host, bpf_ntohs(head.session));
	if (head.session || (head.code != PADI && head.code != PADR))
		return ends(BAD_DISCOVERY, XDP_DROP);
	if (settings->must_be_known && !bpf_map_lookup_elem(&subscribers, &host))
		return ends(NOT_ALLOWED, XDP_DROP);
	if (head.code == PADI)
		return offer(ctx, layers, settings, &host, end);
	if (cookie == 1 || bpf_xdp_load_bytes(ctx, cookie, &shown, sizeof(shown)) || shown != cookie_of(settings, &host))
		return ends(BAD_COOKIE, XDP_DROP);
	return open(ctx, layers, settings, &host, end);
}
