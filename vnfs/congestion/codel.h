/* Controlled delay (RFC 8289), on the delay that the virtual queue would have. One packet is told at a time: there is no loop
 * over packets that wait, because none does.
 */
#pragma once

#include "queues.h"

#define TARGET_US 5000
#define INTERVAL_US 100000
#define LEAST_BACKLOG 1514 /* 5.3: a queue of one packet is none */

static __always_inline __u64 interval_ns(const struct config *config)
{
	return (config->interval_us ?: INTERVAL_US) * 1000ull;
}

/* interval / sqrt(count), in 1/256: Newton's steps from above, each at least halves the way. No branches, for Linux's verifier. */
static __always_inline __u64 spacing(const struct config *config, __u32 count)
{
	__u64 square = (__u64)(count ?: 1) << 16, root = 1 << 24;

	for (int step = 0; step < 28; step++)
		root = (root + square / root) / 2;
	return interval_ns(config) * 256 / root;
}

static __always_inline int is_long(struct queue *queue, const struct config *config, __u64 now)
{
	__u64 target = (config->target_us ?: TARGET_US) * 1000ull;

	if (delay_of(queue, config) < target || queue->backlog < LEAST_BACKLOG) {
		queue->above = 0;
		return 0;
	}
	if (!queue->above) {
		queue->above = now + interval_ns(config);
		return 0;
	}
	return now >= queue->above;
}

static __always_inline int codel_says(struct queue *queue, const struct config *config, __u64 now)
{
	int is_due = is_long(queue, config, now);

	if (queue->is_marking) {
		if (!is_due) {
			queue->is_marking = 0;
			return 0;
		}
		if (now < queue->next)
			return 0;
		queue->count++;
		queue->next += spacing(config, queue->count);
		return 1;
	}
	if (!is_due)
		return 0;
	/* 5.4: soon after the last time, it goes on at about the rate that it had. */
	__u32 delta = queue->count - queue->last_count;
	queue->is_marking = 1;
	queue->count = delta > 1 && now - queue->next < 16 * interval_ns(config) ? delta : 1;
	queue->last_count = queue->count;
	queue->next = now + spacing(config, queue->count);
	return 1;
}
