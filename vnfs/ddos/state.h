/* What the guard keeps, and what an operator sets: maps, their values, counters. */
#pragma once

#include <include/checksum.h>
#include <include/counters.h>
#include <include/flow.h>

#ifndef PREFIXES
#define PREFIXES 8192 /* of the lists */
#endif
#ifndef BUCKETS
#define BUCKETS 16384 /* sources that are limited */
#endif
#ifndef CONNECTIONS
#define CONNECTIONS 16384 /* that a cookie began */
#endif
#ifndef IDLE_SECONDS
#define IDLE_SECONDS 7440
#endif
#ifndef CLOSED_SECONDS
#define CLOSED_SECONDS 120
#endif
#ifndef COOKIE_SECONDS
#define COOKIE_SECONDS 64 /* a cookie is good for one to two of these */
#endif
#define SECOND 1000000000ull

enum reason {
	PASSED,
	ALLOWED,        /* by the list, past limits and cookies */
	BLOCKED,        /* by the list */
	LIMITED,        /* above its source's rate */
	COOKIE_SENT,    /* a SYN, answered by the guard */
	COOKIE_GOOD,    /* an ACK that proves its sender: the server gets a SYN */
	COOKIE_BAD,     /* an ACK of no connection and no cookie, where all connections begin by one */
	HANDSHAKE_DONE, /* the server's answer, acknowledged by the guard */
	EARLY,          /* before the handshake with the server is done: a client's packet becomes the SYN again, and comes again */
	TO_SERVER,      /* of a connection that a cookie began */
	TO_CLIENT,
	TCP_FRAGMENT,   /* to a server: TCP needs none, nor source routes */
	NOT_IP,         /* passes */
	TRUNCATED,
	BAD_HEADER,
	BAD_FLAGS,
	REASONS
};
COUNTERS(REASONS)

struct prefix {
	__u32 bits; /* of IPv4: 96 more, its addresses are mapped */
	struct address address;
};

/* Sources. The longest prefix decides. */
enum list { LIST_NONE, LIST_BLOCK, LIST_ALLOW };
struct listed {
	__u64 packets;
	__u32 list;
	__u32 reserved;
};
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, struct listed);
} lists SEC(".maps");

/* How much the sources of a prefix may send, in packets. */
struct limit {
	__u32 rate, burst; /* packets a second; in one go, from 1 to 1,000,000 */
	__u32 bits;        /* sources whose first bits are the same share a bucket: 128: each its own; of IPv4 96 more */
};
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, struct limit);
} limits SEC(".maps");

struct bucket {
	__u64 tokens;   /* packets times 1e9, so that refilling needs no division */
	__u64 refilled; /* ktime, ns */
	__u64 dropped;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BUCKETS);
	__type(key, struct prefix);
	__type(value, struct bucket);
} buckets SEC(".maps");

/* Servers: destinations whose TCP connections begin by a cookie. */
enum mode { NEVER, ALWAYS, ABOVE_RATE };
struct protection {
	__u64 window; /* ktime of the second that is counted */
	__u32 seen;   /* SYNs in it */
	__u32 last;   /* and in the one before */
	__u32 rate;   /* ABOVE_RATE: cookies from so many SYNs a second on */
	__u32 mode;
};
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, struct protection);
} servers SEC(".maps");

struct config {
	__u64 secret[2]; /* of cookies: random, known to nobody; it may change: connections that are open stay */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

/* Connections that a cookie began: the server has chosen another sequence number than the cookie. */
enum state { WAITING, OPEN, CLOSED };
struct connection {
	__u64 until;  /* ktime, ns */
	__u32 cookie;
	__u32 delta;  /* cookie less the server's own */
	__u32 number; /* the client's first */
	__u16 mss;
	__u16 state;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CONNECTIONS);
	__type(key, struct flow); /* from client to server */
	__type(value, struct connection);
} connections SEC(".maps");
