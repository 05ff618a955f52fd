/* Frames to and from hosts: what is in front of PPPoE, and answers, which go back where the question came from. */
#pragma once

#include "state.h"

#include <include/link.h>

struct pppoe {
	__u8 kind; /* version and type: 0x11 */
	__u8 code;
	__be16 session;
	__be16 length;
	__be16 protocol; /* of PPP, in sessions */
};

/* An answer that is made aside: all of it from the PPPoE header on. */
#define MOST_ANSWER 64
struct answer {
	struct pppoe head;
	__u8 bytes[MOST_ANSWER];
	__u32 length; /* of `bytes` */
};

static __always_inline int read_host(struct xdp_md *ctx, const struct layers *layers, struct host *host)
{
	host->vlan = layers->vlan;
	return !bpf_xdp_load_bytes(ctx, ETH_ALEN, host->address, ETH_ALEN);
}

/* Turns the frame round: from us to the host. */
static __always_inline int turn_round(struct xdp_md *ctx, const struct config *settings, const struct host *host)
{
	__u8 addresses[2 * ETH_ALEN];

	__builtin_memcpy(addresses, host->address, ETH_ALEN);
	__builtin_memcpy(addresses + ETH_ALEN, settings->access, ETH_ALEN);
	return !bpf_xdp_store_bytes(ctx, 0, addresses, sizeof(addresses));
}

/* Makes the frame end at `end`. */
static __always_inline int end_at(struct xdp_md *ctx, __u32 end)
{
	__u32 now = length_of(ctx);

	return now == end || !bpf_xdp_adjust_tail(ctx, (int)end - (int)now);
}

static __always_inline int send_answer(struct xdp_md *ctx, const struct layers *layers, const struct config *settings,
				       const struct host *host, struct answer *answer)
{
	__u64 length = answer->length;

	OPAQUE(length);
	if (!length || length > MOST_ANSWER)
		return ends(BAD_CONTROL, XDP_DROP);
	answer->head.kind = 0x11;
	answer->head.code = 0;
	answer->head.length = bpf_htons(length + 2);
	if (!end_at(ctx, layers->network + sizeof(answer->head) + length) || !turn_round(ctx, settings, host))
		return ends(NO_ROOM, XDP_DROP);
	bpf_xdp_store_bytes(ctx, layers->network, &answer->head, sizeof(answer->head));
	bpf_xdp_store_bytes(ctx, layers->network + sizeof(answer->head), answer->bytes, length);
	return ends(CONTROL, XDP_TX);
}
