/* What changes behind the IP headers: a port or echo identifier, the kind of an ICMP query, and checksums. */
#pragma once

#include "addresses.h"

#define TCP_CHECKSUM 16
#define UDP_CHECKSUM 6
#define ICMP_CHECKSUM 2
#define ICMP_IDENTIFIER 4
#define FINE REASONS

#define ECHO_REQUEST4 8
#define ECHO_REPLY4 0
#define ECHO_REQUEST6 128
#define ECHO_REPLY6 129
#define FIRST_QUERY6 128 /* below are errors (RFC 4443 2.1) */

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_FLAGS 13

enum end { SOURCE = 0, DESTINATION = 2 }; /* where its port is */

struct rewrite {
	enum end end;
	__u32 quoted;  /* in an error: it may be cut short */
	__u32 ported;  /* whether the port changes */
	__be16 port;
	__u64 change;  /* of the pseudo header's addresses */
	__u64 pseudo6; /* the whole pseudo header of IPv6, which ICMPv4 has none of; 0: unknown, leave the checksum */
	__u32 to6;
};

/* The port, or the identifier of an echo; 0 and `*fine` = 0: there is none. */
static __always_inline __be16 read_port(struct xdp_md *ctx, const struct layers *layers, enum end end, int *fine)
{
	__u32 slice = slice_of(layers->protocol);
	__u8 *bytes = at(ctx, layers->transport, 8);

	*fine = bytes && slice < SLICES;
	if (!*fine)
		return 0;
	if (slice == SLICE_ICMP)
		return *(__be16 *)(bytes + ICMP_IDENTIFIER);
	return *(__be16 *)(bytes + end);
}

/* The first 8 bytes of what IP carries: ports, or an ICMP header. */
struct start {
	__u16 word[4];
};

static __always_inline int put_start(struct xdp_md *ctx, const struct layers *layers, struct start *start)
{
	return bpf_xdp_store_bytes(ctx, layers->transport, start, sizeof(*start)) ? TRUNCATED : FINE;
}

static __always_inline int rewrite_echo(struct start *start, const struct rewrite *rewrite)
{
	__u32 type = bpf_ntohs(start->word[0]) >> 8, to;
	__u64 change = without(start->word[0]) + without(start->word[2]);

	if (rewrite->to6) {
		if (type != ECHO_REQUEST4 && type != ECHO_REPLY4)
			return NOT_TRANSLATED;
		to = type == ECHO_REQUEST4 ? ECHO_REQUEST6 : ECHO_REPLY6;
		change += rewrite->pseudo6;
	} else {
		if (type != ECHO_REQUEST6 && type != ECHO_REPLY6)
			return NOT_TRANSLATED;
		to = type == ECHO_REQUEST6 ? ECHO_REQUEST4 : ECHO_REPLY4;
		change += without(rewrite->pseudo6);
	}
	start->word[0] = bpf_htons(to << 8);
	if (rewrite->ported)
		start->word[2] = rewrite->port;
	start->word[1] = changed(start->word[1], change + start->word[0] + start->word[2]);
	return FINE;
}

static __always_inline __u64 rewrite_port(struct start *start, const struct rewrite *rewrite)
{
	__u32 word = rewrite->end == SOURCE ? 0 : 1;
	__u64 change = without(start->word[word]) + rewrite->port;

	if (!rewrite->ported)
		return 0;
	start->word[word] = rewrite->port;
	return change;
}

static __always_inline int rewrite_tcp(struct xdp_md *ctx, const struct layers *layers, const struct rewrite *rewrite,
				       __u64 change)
{
	__u16 checksum;

	if (bpf_xdp_load_bytes(ctx, layers->transport + TCP_CHECKSUM, &checksum, sizeof(checksum)))
		return rewrite->quoted ? FINE : TRUNCATED;
	put_checksum(ctx, layers->transport + TCP_CHECKSUM, changed(checksum, change));
	return FINE;
}

static __always_inline int rewrite_transport(struct xdp_md *ctx, const struct layers *layers,
					     const struct rewrite *rewrite)
{
	__u32 slice = slice_of(layers->protocol);

	if (slice == SLICES)
		return FINE; /* no checksum that is known: it goes as it is (RFC 7915 4.5) */
	struct start start;
	if (bpf_xdp_load_bytes(ctx, layers->transport, &start, sizeof(start)))
		return rewrite->quoted ? FINE : TRUNCATED;
	if (slice == SLICE_ICMP) {
		int reason = rewrite_echo(&start, rewrite);

		return reason == FINE ? put_start(ctx, layers, &start) : reason;
	}
	__u64 change = rewrite->change + rewrite_port(&start, rewrite);
	if (slice == SLICE_UDP && start.word[3])
		start.word[3] = changed(start.word[3], change) ?: 0xffff;
	if (slice == SLICE_TCP) {
		int reason = rewrite_tcp(ctx, layers, rewrite, change);

		if (reason != FINE)
			return reason;
	}
	return put_start(ctx, layers, &start);
}

/* UDP may come without a checksum from IPv4, and has to have one in IPv6 (RFC 7915 4.5). */
static __always_inline int complete_udp(struct xdp_md *ctx, const struct layers *layers, __u64 addresses)
{
	__u16 *checksum = at(ctx, layers->transport + UDP_CHECKSUM, 2);
	__u32 length = layers->end - layers->transport;

	if (!checksum)
		return TRUNCATED;
	if (*checksum)
		return FINE;
	if (is_fragment(layers))
		return FRAGMENT_BAD;
	__u16 sum = ~fold(sum_packet(ctx, layers->transport, length) + addresses + sum_of_length(length, IPPROTO_UDP));
	checksum = at(ctx, layers->transport + UDP_CHECKSUM, 2);
	if (checksum)
		*checksum = sum ?: 0xffff;
	return FINE;
}

/* A connection lives as long as RFC 6146 3.5.2 says, roughly: short until it is answered and after it is closed. */
static __always_inline void see_packet(struct xdp_md *ctx, const struct layers *layers, struct binding *binding, int inbound)
{
	__u8 *flags = at(ctx, layers->transport + TCP_FLAGS, 1);

	if (binding->slice == SLICE_TCP && flags) {
		if (*flags & (TCP_FIN | TCP_RST))
			binding->closing = 1;
		else if (*flags & TCP_SYN)
			binding->closing = 0;
		if (inbound)
			binding->opened = 1;
	}
	/* Nobody outside keeps a binding alive (RFC 6146 3.5.1), but a connection that was answered lives on. */
	if (!inbound || binding->slice == SLICE_TCP)
		binding->until = bpf_ktime_get_ns() + lifetime(binding);
}
