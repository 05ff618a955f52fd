/* Flows and what they are, names and what becomes of them, counters. */
#pragma once

#include <include/counters.h>
#include <include/flow.h>

#ifndef FLOWS
#define FLOWS 8192
#endif
#ifndef NAMES
#define NAMES 1024
#endif
#ifndef MOST_TRIES
#define MOST_TRIES 8 /* packets with payload of one flow that are looked at */
#endif
#define WINDOW 512     /* bytes of a payload that are looked at: a power of two */
#define NAME_BYTES 64  /* of a name that are kept */

enum reason {
	LOOKED_AT,
	IDENTIFIED,
	GIVEN_UP,    /* MOST_TRIES packets told nothing */
	NAMED,       /* flows with a host name */
	DROPPED,     /* by protocol or name */
	REDIRECTED,
	NOT_IP,
	TRUNCATED,
	BAD_HEADER,
	FRAGMENTS,   /* later fragments: no payload begins there */
	UNSEEN,      /* records that the ring had no room for */
	REASONS
};
COUNTERS(REASONS)

enum application {
	UNKNOWN,
	TLS,
	HTTP,
	SSH,
	SMTP,
	IMAP,
	POP3,
	FTP,
	DNS,
	QUIC,
	NTP,
	DHCP,
	STUN,
	SIP,
	MQTT,
	RDP,
	BITTORRENT,
	WIREGUARD,
	APPLICATIONS
};

/* What becomes of a protocol: 0 pass, 1 drop, else the output port (Linux: the device) to which it is redirected. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, APPLICATIONS);
	__type(key, __u32);
	__type(value, __u32);
} policy SEC(".maps");

/* What becomes of a name and of all below it, before `policy`. The key is the name backwards and a dot (names.py). */
struct name_key {
	__u32 bits;
	__u8 text[NAME_BYTES];
};
struct name_rule {
	__u32 action;
	__u32 hits;
};
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, NAMES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct name_key);
	__type(value, struct name_rule);
} names SEC(".maps");

/* Both directions of a flow are one entry, whose source is the smaller end. */
struct known {
	__u32 application;
	__u32 action;
	__u32 tries;
	__u32 packets;
	__u64 bytes;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FLOWS);
	__type(key, struct flow);
	__type(value, struct known);
} flows SEC(".maps");

/* By application. */
struct total {
	__u64 flows, packets, bytes;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, APPLICATIONS);
	__type(key, __u32);
	__type(value, struct total);
} totals SEC(".maps");

/* Told once for each flow that was identified. */
struct sighting {
	struct flow flow; /* as the packet that told it went */
	__u32 application;
	__u32 action;
	__u8 name[NAME_BYTES]; /* lower case, zeros after it; cut at NAME_BYTES - 1 */
};
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} sightings SEC(".maps");

/* Too large for the stack: the payload's first bytes, the name that was found. */
struct work {
	__u8 bytes[WINDOW];
	struct sighting sighting;
	struct name_key key;
	__u32 length; /* of `bytes` that are the packet's */
	/* Of the name; here and not on the stack, because Linux's verifier follows each value there apart. */
	__u32 name_at, name_bytes, taken;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct work);
} scratch SEC(".maps");

static __always_inline __u32 byte_at(const struct work *work, __u32 at)
{
	__u64 place = at;

	OPAQUE(place);
	return place < WINDOW ? work->bytes[place] : 0;
}

static __always_inline __u32 two_at(const struct work *work, __u32 at)
{
	return (byte_at(work, at) << 8) | byte_at(work, at + 1);
}

static __always_inline __u32 lower(__u32 letter)
{
	return letter >= 'A' && letter <= 'Z' ? letter + 32 : letter;
}
