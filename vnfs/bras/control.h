/* LCP (RFC 1661) and IPCP (RFC 1332).
 *
 * A program answers one packet with one. So the peer's first acceptable Configure-Request is answered by ours; when the peer
 * has acknowledged that, we acknowledge the peer's, which was kept. Each layer is open when both are.
 */
#pragma once

#include "frames.h"

#define PPP_IP4 0x0021
#define PPP_IP6 0x0057
#define PPP_LCP 0xc021
#define PPP_IPCP 0x8021

enum code {
	CONFIGURE_REQUEST = 1,
	CONFIGURE_ACK,
	CONFIGURE_NAK,
	CONFIGURE_REJECT,
	TERMINATE_REQUEST,
	TERMINATE_ACK,
	CODE_REJECT,
	PROTOCOL_REJECT,
	ECHO_REQUEST,
	ECHO_REPLY
};

#define OPTION_MRU 1
#define OPTION_MAGIC 5
#define OPTION_ADDRESS 3 /* of IPCP */
#define MOST_OPTIONS 8

struct message {
	__u8 code, identifier;
	__be16 length;
};

enum found_option { OPTIONS_GOOD, OPTIONS_BROKEN, OPTION_TO_REJECT, ADDRESS_TO_NAK };
struct options {
	__u32 what;
	__u8 rejected[8]; /* type, length and the first bytes of an option that we do not know */
	__u32 rejected_bytes;
};

/* Looks through the peer's options, up to the first that we do not take. */
__noinline int read_options(struct xdp_md *ctx, __u32 offset, __u32 end, struct options *found, __be32 address)
{
	__u32 is_ipcp = address != 0;

	if (!found)
		return 0;
	for (__u32 at = 0; at < MOST_OPTIONS; at++) {
		__u8 bytes[6] = {};

		if (offset == end) {
			found->what = is_ipcp ? ADDRESS_TO_NAK : OPTIONS_GOOD; /* without an address it gets one */
			return 0;
		}
		if (offset + 2 > end || bpf_xdp_load_bytes(ctx, offset, bytes, 2))
			break;
		__u32 kind = bytes[0], length = bytes[1];
		if (length < 2 || offset + length > end)
			break;
		if (length == 6)
			bpf_xdp_load_bytes(ctx, offset, bytes, 6);
		if (is_ipcp && kind == OPTION_ADDRESS && length == 6 && offset + length == end) {
			found->what = *(__u16 *)(bytes + 2) == (__u16)address && *(__u16 *)(bytes + 4) == (__u16)(address >> 16)
					      ? OPTIONS_GOOD
					      : ADDRESS_TO_NAK;
			return 0;
		}
		int known = is_ipcp ? kind == OPTION_ADDRESS && length == 6
				    : (kind == OPTION_MRU && length == 4) || (kind == OPTION_MAGIC && length == 6);
		if (!known) {
			__u64 take = length < sizeof(found->rejected) ? length : 0;
			OPAQUE(take);
			found->what = OPTION_TO_REJECT;
			if (!take || take > sizeof(found->rejected) || bpf_xdp_load_bytes(ctx, offset, found->rejected, take))
				break;
			found->rejected_bytes = take;
			return 0;
		}
		offset += length;
	}
	found->what = OPTIONS_BROKEN;
	return 0;
}

static __always_inline void begin_answer(struct answer *answer, __u32 protocol, __u32 number, __u8 code, __u8 identifier,
					 __u32 length)
{
	answer->head.protocol = bpf_htons(protocol);
	answer->head.session = bpf_htons(number);
	answer->bytes[0] = code;
	answer->bytes[1] = identifier;
	answer->bytes[2] = 0;
	answer->bytes[3] = length;
	answer->length = length;
}

/* Our own request: of LCP the size of packets and a magic number, of IPCP our address. */
static __always_inline void make_request(struct answer *answer, const struct config *settings, struct session *session,
					 __u32 protocol, __u32 number)
{
	__u32 magic = (__u32)settings->secret[0] ^ number;

	session->identifier++;
	session->is_acknowledged = 0;
	if (session->is_plain) {
		begin_answer(answer, protocol, number, CONFIGURE_REQUEST, session->identifier, 4);
	} else if (protocol == PPP_IPCP) {
		begin_answer(answer, protocol, number, CONFIGURE_REQUEST, session->identifier, 10);
		answer->bytes[4] = OPTION_ADDRESS;
		answer->bytes[5] = 6;
		__builtin_memcpy(answer->bytes + 6, &settings->address, 4);
	} else {
		begin_answer(answer, protocol, number, CONFIGURE_REQUEST, session->identifier, 14);
		answer->bytes[4] = OPTION_MRU;
		answer->bytes[5] = 4;
		answer->bytes[6] = MOST_PAYLOAD >> 8;
		answer->bytes[7] = MOST_PAYLOAD & 0xff;
		answer->bytes[8] = OPTION_MAGIC;
		answer->bytes[9] = 6;
		__builtin_memcpy(answer->bytes + 10, &magic, 4);
	}
}

/* The acknowledgement of the request that was kept. */
static __always_inline void acknowledge(struct answer *answer, struct session *session, __u32 protocol, __u32 number)
{
	begin_answer(answer, protocol, number, CONFIGURE_ACK, 0, session->request_bytes);
	__builtin_memcpy(answer->bytes, session->request, MOST_REQUEST);
	answer->bytes[0] = CONFIGURE_ACK;
	session->request_bytes = 0;
	session->is_acknowledged = 0;
	session->is_plain = 0;
	session->state = protocol == PPP_LCP ? LCP_OPEN : IP_OPEN;
}

/* 1: `answer` is to be sent. */
static __always_inline int on_request(struct xdp_md *ctx, const struct message *message, struct answer *answer,
				      const struct config *settings, struct session *session, __u32 protocol, __u32 number,
				      __u32 offset)
{
	__be32 address = protocol == PPP_IPCP ? address_of(settings, number) : 0;
	__u64 length = bpf_ntohs(message->length);
	struct options options = {};

	read_options(ctx, offset + 4, offset + length, &options, address);
	if (options.what == OPTIONS_BROKEN)
		return 0;
	if (options.what == OPTION_TO_REJECT) {
		begin_answer(answer, protocol, number, CONFIGURE_REJECT, message->identifier, 4 + options.rejected_bytes);
		__builtin_memcpy(answer->bytes + 4, options.rejected, sizeof(options.rejected));
		return 1;
	}
	if (options.what == ADDRESS_TO_NAK) {
		begin_answer(answer, protocol, number, CONFIGURE_NAK, message->identifier, 10);
		answer->bytes[4] = OPTION_ADDRESS;
		answer->bytes[5] = 6;
		__builtin_memcpy(answer->bytes + 6, &address, 4);
		return 1;
	}
	OPAQUE(length);
	if (length < 4 || length > MOST_REQUEST || bpf_xdp_load_bytes(ctx, offset, session->request, length))
		return 0;
	session->request_bytes = length;
	if (protocol == PPP_LCP && session->state != DISCOVERED) { /* it begins anew (RFC 1661 4.3) */
		session->state = DISCOVERED;
		session->is_acknowledged = 0;
	}
	if (session->is_acknowledged)
		acknowledge(answer, session, protocol, number);
	else
		make_request(answer, settings, session, protocol, number);
	return 1;
}

static __always_inline int on_ack(const struct message *message, struct answer *answer, struct session *session,
				  __u32 protocol, __u32 number)
{
	if (message->identifier != session->identifier)
		return 0;
	session->is_acknowledged = 1;
	if (!session->request_bytes)
		return 0;
	acknowledge(answer, session, protocol, number);
	return 1;
}

/* Answers in place: the same packet with another code. */
static __always_inline int send_back(struct xdp_md *ctx, const struct layers *layers, const struct config *settings,
				     const struct session *session, __u8 code, __u32 end)
{
	if (!end_at(ctx, end) || !turn_round(ctx, settings, &session->host))
		return ends(NO_ROOM, XDP_DROP);
	bpf_xdp_store_bytes(ctx, layers->network + PPP_BYTES, &code, sizeof(code));
	return ends(CONTROL, XDP_TX);
}

__noinline int control(struct xdp_md *ctx, struct layers *layers, struct config *settings, struct session *session,
		       __u32 words)
{
	__u32 number = words & 0xffff, protocol = words >> 16;
	struct message message = {};
	struct answer answer = {};

	if (!layers || !settings || !session)
		return XDP_ABORTED;
	__u32 offset = layers->network + PPP_BYTES;
	if (bpf_xdp_load_bytes(ctx, offset, &message, sizeof(message)))
		return ends(TRUNCATED, XDP_DROP);
	__u32 length = bpf_ntohs(message.length), end = offset + length;
	if (length < sizeof(message) || end > layers->end)
		return ends(BAD_CONTROL, XDP_DROP);
	if (protocol == PPP_IPCP && session->state < LCP_OPEN)
		return ends(NOT_OPEN, XDP_DROP);
	int answers = 0;
	if (message.code == CONFIGURE_REQUEST)
		answers = on_request(ctx, &message, &answer, settings, session, protocol, number, offset);
	else if (message.code == CONFIGURE_ACK)
		answers = on_ack(&message, &answer, session, protocol, number);
	else if ((message.code == CONFIGURE_NAK || message.code == CONFIGURE_REJECT) &&
		 message.identifier == session->identifier) {
		session->is_plain = answers = 1;
		make_request(&answer, settings, session, protocol, number);
	} else if (message.code == TERMINATE_REQUEST) {
		session->state = protocol == PPP_LCP ? FREE : LCP_OPEN;
		count(TERMINATED);
		return send_back(ctx, layers, settings, session, TERMINATE_ACK, end);
	} else if (message.code == ECHO_REQUEST && protocol == PPP_LCP && session->state >= LCP_OPEN && length >= 8) {
		__u32 magic = (__u32)settings->secret[0] ^ number;

		bpf_xdp_store_bytes(ctx, offset + 4, &magic, sizeof(magic));
		return send_back(ctx, layers, settings, session, ECHO_REPLY, end);
	} else {
		return ends(message.code <= ECHO_REPLY + 1 ? CONTROL : BAD_CONTROL, XDP_DROP);
	}
	if (!answers)
		return ends(message.code == CONFIGURE_ACK ? CONTROL : BAD_CONTROL, XDP_DROP);
	return send_answer(ctx, layers, settings, &session->host, &answer);
}

/* A protocol that we do not talk (RFC 1661 5.7); its packet's first bytes go along. */
__noinline int reject_protocol(struct xdp_md *ctx, struct layers *layers, struct config *settings, struct session *session,
			       __u32 words)
{
	__u32 number = words & 0xffff, protocol = words >> 16;
	struct answer answer = {};

	if (!layers || !settings || !session)
		return XDP_ABORTED;
	begin_answer(&answer, PPP_LCP, number, PROTOCOL_REJECT, ++session->identifier, 10);
	answer.bytes[4] = protocol >> 8;
	answer.bytes[5] = protocol;
	bpf_xdp_load_bytes(ctx, layers->network + PPP_BYTES, answer.bytes + 6, 4);
	count(PROTOCOL_REJECTED);
	return send_answer(ctx, layers, settings, &session->host, &answer);
}
