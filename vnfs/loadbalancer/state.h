/* What the balancer keeps, and what an operator sets: maps, their values, counters. */
#pragma once

#include <include/counters.h>
#include <include/fragments.h>

#ifndef SERVICES
#define SERVICES 16
#endif
#ifndef BACKENDS
#define BACKENDS 256
#endif
#define SLOTS 1021 /* of a service's table: a prime, about a hundred times its backends */
#ifndef CONNECTIONS
#define CONNECTIONS 16384
#endif
#ifndef IDLE_SECONDS
#define IDLE_SECONDS 3600 /* a connection that is silent for so long is a new one */
#endif
#ifndef FRAGMENT_SECONDS
#define FRAGMENT_SECONDS 2
#endif
#define TRIES 32 /* slots looked at when backends are down */
#define SECOND 1000000000ull

enum reason {
	KNOWN,           /* sent on as before */
	CHOSEN,          /* a new connection */
	MOVED,           /* a connection whose backend is gone, to another one */
	ERROR_SENT,      /* ICMP errors, after what they quote */
	FRAGMENT_SENT,   /* later fragments, after the first one */
	NOT_SERVICE,     /* to no service's address and port */
	NOT_IP,
	TRUNCATED,
	BAD_HEADER,
	NO_BACKEND,      /* none of TRIES slots has one that takes connections */
	FRAGMENT_EARLY,  /* came before the first fragment, which has the ports */
	REASONS
};
COUNTERS(REASONS)

struct service_key {
	struct address address;
	__be16 port;     /* 0: all that have no row of their own; ping has none */
	__u8 protocol;
	__u8 reserved;
};
enum affinity { AFFINITY_CONNECTION, AFFINITY_CLIENT };
struct service {
	__u32 table;
	__u32 affinity; /* AFFINITY_CLIENT: all connections of a client go to one backend */
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SERVICES);
	__type(key, struct service_key);
	__type(value, struct service);
} services SEC(".maps");

/* Maglev's look-up table of each service, from `unibpf vnf fill`: one value, so it changes as a whole. */
struct table {
	__u32 backend[SLOTS];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SERVICES);
	__type(key, __u32);
	__type(value, struct table);
} tables SEC(".maps");

enum health { DOWN, UP, DRAINING }; /* DRAINING: keeps its connections and gets no new ones */
struct backend {
	__u32 health;
	__u32 weight;   /* as its tables were made: the program does not read it */
	__u8 link[6];
	__u8 reserved[2];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BACKENDS);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

struct load {
	__u64 connections, packets, bytes;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BACKENDS);
	__type(key, __u32);
	__type(value, struct load);
} loads SEC(".maps");

struct connection {
	__u64 until; /* ktime, ns */
	__u32 backend;
	__u32 reserved;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CONNECTIONS);
	__type(key, struct flow);
	__type(value, struct connection);
} connections SEC(".maps");

struct config {
	__u32 seed;   /* of the choice: the same for all balancers of a service */
	__u8 ours[6]; /* as which frames leave; all zero: as they came */
	__u8 reserved[2];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

struct part {
	__u64 until;
	__u32 backend;
	__u32 reserved;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct whole);
	__type(value, struct part);
} fragments SEC(".maps");
