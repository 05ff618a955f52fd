/* What the detection keeps, and what an operator sets: maps, their values, counters. */
#pragma once

#include <include/conditions.h>
#include <include/counters.h>

#ifndef STATES
#define STATES 4096 /* of the automaton */
#endif
#define RULES 256
#define CONTENTS 256
#define CONTENT_WORDS (CONTENTS / 64)
#ifndef STREAMS
#define STREAMS 8192
#endif
#ifndef ALERT_BYTES
#define ALERT_BYTES 65536
#endif
#define MOST_TOLD 4 /* alerts of one packet */

enum reason {
	CLEAN,       /* nothing was found */
	SUSPECT,     /* at least one rule */
	TOLD,        /* alerts written */
	ALERT_LOST,  /* the ring was full, or one packet had more than MOST_TOLD */
	CONTINUED,   /* TCP segments that were read as the continuation of the one before */
	NOT_IP,
	TRUNCATED,
	BAD_HEADER,
	STOPPED,     /* prevention: packets that a rule dropped */
	BLOCKED,     /* prevention: packets of who is blocked */
	BANNED,      /* prevention: who was */
	REASONS
};
COUNTERS(REASONS)

/* The automaton, from `unibpf vnf fill`: where each byte leads, and which contents end there. State 0 is the start. */
struct state {
	__u64 contents[CONTENT_WORDS];
	__u16 next[256];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STATES);
	__type(key, __u32);
	__type(value, struct state);
} states SEC(".maps");

enum action { NO_RULE, ALERT, DROP };
enum who { NOBODY, SOURCE, DESTINATION };
struct rule {
	__u64 contents[CONTENT_WORDS]; /* all of these */
	struct conditions when;
	__u32 action;        /* NO_RULE: the list ends before */
	__u32 id;
	__u32 block_seconds; /* prevention: for how long */
	__u32 block;         /* and whom */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RULES);
	__type(key, __u32);
	__type(value, struct rule);
} rules SEC(".maps");

struct config {
	__u32 generation; /* of the automaton: streams of another one begin anew; 0: nothing is looked for */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

/* Where a TCP stream's reading stands. */
struct stream {
	__u64 contents[CONTENT_WORDS];
	__u32 next;       /* sequence number */
	__u32 state;
	__u32 generation;
	__u32 reserved;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, STREAMS);
	__type(key, struct flow);
	__type(value, struct stream);
} streams SEC(".maps");

struct alert {
	__u64 time; /* ktime, ns */
	struct flow flow;
	__u32 id;   /* of the rule */
	__u32 action;
	__u32 length; /* of the frame */
	__u32 reserved;
};
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, ALERT_BYTES);
} alerts SEC(".maps");


/* How often each rule was met. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RULES);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");
