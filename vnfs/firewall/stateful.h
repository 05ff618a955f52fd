/* What the stateful firewall keeps, and what an operator sets: maps, their values, counters. */
#pragma once

#include <include/conditions.h>
#include <include/counters.h>
#include <include/fragments.h>

#ifndef RULES
#define RULES 256 /* of a bank */
#endif
#ifndef CONNECTIONS
#define CONNECTIONS 16384
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 8192 /* flows that nobody answered yet: a flood of them drives out no connection */
#endif
/* In seconds; TCP's after RFC 5382 5. */
#ifndef TCP_SECONDS
#define TCP_SECONDS 7440
#endif
#ifndef TCP_CLOSED_SECONDS
#define TCP_CLOSED_SECONDS 30
#endif
#ifndef UDP_SECONDS
#define UDP_SECONDS 180
#endif
#ifndef OTHER_SECONDS
#define OTHER_SECONDS 600
#endif
#ifndef ATTEMPT_SECONDS
#define ATTEMPT_SECONDS 60
#endif
#ifndef FRAGMENT_SECONDS
#define FRAGMENT_SECONDS 2
#endif
#define SECOND 1000000000ull

enum reason {
	ESTABLISHED,    /* of a connection that was answered */
	ATTEMPT,        /* once more of one that was not, or the answer */
	ACCEPTED,       /* new, by a rule or the policy */
	RELATED,        /* an ICMP error about a connection */
	NEIGHBOUR,      /* IPv6 neighbour discovery, hop limit 255 (RFC 4861 7.1) */
	FRAGMENT,       /* a later one, whose first one passed */
	NOT_IP,         /* ARP and others pass */
	DENIED,         /* new, by a rule or the policy */
	UNRELATED,      /* an ICMP error about nothing that is known */
	NOT_BEGUN,      /* TCP that begins without a SYN */
	BAD_FLAGS,      /* TCP flags that no connection has */
	FRAGMENT_EARLY, /* before the first fragment, which has the ports */
	TRUNCATED,
	BAD_HEADER,
	REASONS
};
COUNTERS(REASONS)

enum action { NO_RULE, ACCEPT, DENY };
struct rule {
	struct conditions when;
	__u32 action; /* NO_RULE: the list ends before */
};
/* Two banks, so that a list changes as a whole: fill the other one, then say so in `config`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * RULES);
	__type(key, __u32);
	__type(value, struct rule);
} rules SEC(".maps");

struct config {
	__u32 bank;   /* 0 or 1 */
	__u32 policy; /* of what no rule matches: ACCEPT, all else denies */
	__u32 loose;  /* 1: TCP may begin without a SYN, after a restart */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

/* New flows that each rule decided, and their bytes. */
struct hits {
	__u64 packets, bytes;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * RULES);
	__type(key, __u32);
	__type(value, struct hits);
} hits SEC(".maps");

struct connection {
	__u64 until;      /* ktime, ns */
	__u64 packets[2]; /* of who began it, of the other */
	__u32 turned;     /* whether who began it is the second of the key's ends */
	__u32 finished;   /* bit 0: who began it sent FIN; bit 1: the other; both or RST: it is closed */
};
/* Keys have the lower end first, so both directions find the same entry. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CONNECTIONS);
	__type(key, struct flow);
	__type(value, struct connection);
} connections SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ATTEMPTS);
	__type(key, struct flow);
	__type(value, struct connection);
} attempts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct whole);
	__type(value, __u64); /* until */
} fragments SEC(".maps");
