/* Virtual queues: how long a queue would be that is filled by these packets and drained at a rate.
 *
 * A program has no queue to look at. A virtual one that drains a little slower than the real one behind it is full earlier, so
 * senders are told before packets wait (Gibbens, Kelly; Kunniyur, Srikant: AVQ).
 */
#pragma once

#include <include/checksum.h>
#include <include/counters.h>

#define QUEUES 16
#define SECOND 1000000000ull
#define MOST_NS (2 * SECOND)          /* that are drained at once */
#define MOST_RATE (~0ull / MOST_NS)  /* 9.2 Gbyte/s: a product of both fits 64 bits */

enum reason {
	PASSED,
	MARKED,         /* with CE */
	MARKED_BEFORE,  /* came with CE: counts as told */
	DROPPED_EARLY,  /* as MARKED, but its sender does not do ECN */
	DROPPED_FULL,   /* the virtual queue was at its limit */
	NOT_IP,         /* passes, fills the queue */
	TRUNCATED,
	BAD_HEADER,
	REASONS
};
COUNTERS(REASONS)

enum mode { MODE_OFF, MODE_RED, MODE_CODEL };

struct config {
	__u64 rate;       /* bytes a second; 0: the queue is off */
	__u64 limit;      /* bytes; 0: no end */
	__u32 mode;
	__u32 no_ecn;     /* drop all, mark none */
	/* RED (Floyd, Jacobson 1993) */
	__u32 least, most; /* bytes: below `least` of the mean none is marked, at `most` as many as `chance` says */
	__u32 chance;      /* of 65,536, at `most`; from there to twice `most` it grows to all ("gentle") */
	__u32 weight;      /* the mean moves by 1/2^weight */
	/* CoDel (RFC 8289) */
	__u32 target_us, interval_us; /* 0: 5,000 and 100,000 */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, QUEUES);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

/* Which queue a DSCP has. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} classes SEC(".maps");

struct queue {
	__u64 backlog;   /* bytes */
	__u64 drained;   /* ktime, ns: until when it was */
	__u64 mean;      /* of the backlog, in 1/256 bytes */
	__u64 passed, marked, dropped;
	__u32 since;     /* RED: packets since the last mark */
	__u32 random;
	/* CoDel */
	__u64 above;     /* when the delay will have been too long for an interval; 0: it is not */
	__u64 next;      /* when the next is due */
	__u32 count, last_count;
	__u32 is_marking;
	__u32 reserved;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, QUEUES);
	__type(key, __u32);
	__type(value, struct queue);
} queues SEC(".maps");

/* Takes out what was sent since the last packet, whole bytes only: the rest of the time counts for the next one. */
static __always_inline void drain(struct queue *queue, const struct config *config, __u64 now)
{
	__u64 passed = now > queue->drained ? now - queue->drained : 0, rate = config->rate;

	if (!queue->drained || rate > MOST_RATE) {
		queue->backlog = 0;
		queue->drained = now;
		return;
	}
	if (passed > MOST_NS) {
		passed = MOST_NS;
		queue->drained = now - MOST_NS;
	}
	__u64 bytes = passed * rate / SECOND;
	if (bytes >= queue->backlog) {
		queue->backlog = 0;
		queue->drained = now;
	} else {
		queue->backlog -= bytes;
		queue->drained += bytes * SECOND / rate;
	}
}

/* How long a packet would wait. */
static __always_inline __u64 delay_of(const struct queue *queue, const struct config *config)
{
	if (queue->backlog > ~0ull / SECOND)
		return ~0ull;
	return queue->backlog * SECOND / config->rate;
}
