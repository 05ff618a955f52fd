/* Sessions of an access concentrator, what an operator sets, counters. */
#pragma once

#include <include/checksum.h>
#include <include/counters.h>

#ifndef SESSIONS
#define SESSIONS 4096 /* numbers 1 to SESSIONS - 1; session n has the address `pool` + n */
#endif
#ifndef TRIES
#define TRIES 16
#endif
#ifndef SESSION_SECONDS
#define SESSION_SECONDS 180 /* of silence, after which a session's number may be given away */
#endif
#define SECOND 1000000000ull

#define TYPE_DISCOVERY 0x8863
#define TYPE_SESSION 0x8864
#define PPPOE_BYTES 6
#define PPP_BYTES 8       /* PPPoE and the PPP protocol */
#define MOST_PAYLOAD 1492 /* RFC 2516 7 */
#define MOST_REQUEST 32   /* of the peer's options that wait for their acknowledgement */

enum reason {
	OFFERED,          /* PADO */
	OPENED,           /* PADS */
	TERMINATED,       /* PADT, or by LCP */
	CONTROL,          /* messages of LCP and IPCP that were answered */
	UP,               /* packets out of sessions */
	DOWN,             /* packets into sessions */
	NO_SESSIONS_LEFT, /* none of TRIES numbers was free: PADR unanswered */
	NOT_ALLOWED,      /* a host that `subscribers` does not have, where it has to */
	BAD_COOKIE,       /* PADR that no PADO of ours came before */
	BAD_DISCOVERY,    /* tags or codes that make no sense */
	BAD_CONTROL,
	UNKNOWN_SESSION,
	NOT_OPEN,         /* IP before IPCP was through */
	SPOOFED,          /* a source that is not the session's address */
	PROTOCOL_REJECTED,
	TOO_BIG,          /* for the 1,492 bytes of PPPoE */
	CLAMPED,          /* TCP's MSS made smaller */
	NOT_OURS,
	TRUNCATED,
	BAD_HEADER,
	NO_ROOM,
	REASONS
};
COUNTERS(REASONS)

struct config {
	__u8 access[6];    /* link address towards the hosts; all zero: nobody is served */
	__u8 core[6];      /* link address towards the core, */
	__u8 gateway[6];   /* and where packets go there */
	__u16 must_be_known; /* only hosts that `subscribers` has */
	__be32 address;    /* of the concentrator, for IPCP */
	__be32 pool;       /* session n has pool + n */
	__u64 secret[2];     /* of AC-Cookies: random numbers */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

struct host {
	__u8 address[6];
	__u16 vlan;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SESSIONS);
	__type(key, struct host);
	__type(value, __u32); /* unused: who is there may come */
} subscribers SEC(".maps");

enum state { FREE, DISCOVERED, LCP_OPEN, IP_OPEN };

struct session {
	struct host host;
	__u8 tags[8];       /* VLAN tags as they came */
	__u8 tag_bytes;
	__u8 state;
	__u8 identifier;    /* of our last Configure-Request */
	__u8 is_plain;      /* it has no options: the peer did not like them */
	__u8 is_acknowledged; /* ours was, of the layer that is being opened */
	__u8 request_bytes; /* of the peer's request, which we acknowledge when it has acknowledged ours; 0: none */
	__u8 request[MOST_REQUEST];
	__u8 reserved[2];
	__u64 until;
	__u64 packets_up, bytes_up, packets_down, bytes_down;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SESSIONS);
	__type(key, __u32);
	__type(value, struct session);
} sessions SEC(".maps");

static __always_inline int is_same_host(const struct host *one, const struct host *other)
{
	return *(const __u64 *)one == *(const __u64 *)other;
}

static __always_inline int is_alive(const struct session *session, __u64 now)
{
	return session->state != FREE && session->until > now;
}

static __always_inline __be32 address_of(const struct config *settings, __u32 number)
{
	return bpf_htonl(bpf_ntohl(settings->pool) + number);
}
