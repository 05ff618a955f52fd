/* Random early detection (Floyd, Jacobson 1993), with their second way of choosing: marks are spread evenly. */
#pragma once

#include "queues.h"

#define TYPICAL_BYTES 1000
#define CERTAIN 65536

/* Marsaglia's xorshift: the same numbers here and in Linux, which a test can compare. */
static __always_inline __u32 random_of(struct queue *queue)
{
	__u32 value = queue->random ?: 2463534242u;

	value ^= value << 13;
	value ^= value >> 17;
	value ^= value << 5;
	queue->random = value;
	return value;
}

/* While the queue was empty the mean goes down as if small packets had come and gone (section 11). */
static __always_inline void age_mean(struct queue *queue, const struct config *config, __u64 idle_ns)
{
	__u64 packets = idle_ns > MOST_NS ? ~0u : idle_ns * (config->rate / TYPICAL_BYTES + 1) / SECOND;
	__u64 halvings = (packets >> (config->weight & 15)) * 10 / 7; /* (1 - w)^m halves each 0.7 / w */

	queue->mean = halvings > 40 ? 0 : queue->mean >> halvings;
}

static __always_inline void move_mean(struct queue *queue, const struct config *config)
{
	__u64 now = queue->backlog << 8;
	__u32 weight = config->weight & 15;

	if (now > queue->mean)
		queue->mean += (now - queue->mean) >> weight;
	else
		queue->mean -= (queue->mean - now) >> weight;
}

/* Of 65,536. */
static __always_inline __u32 chance_of(const struct queue *queue, const struct config *config)
{
	__u64 mean = queue->mean >> 8, least = config->least, most = config->most;

	if (mean < least || most <= least)
		return mean >= most && most ? CERTAIN : 0;
	if (mean < most)
		return config->chance * (mean - least) / (most - least);
	if (mean >= 2 * most || config->chance >= CERTAIN)
		return CERTAIN;
	return config->chance + (CERTAIN - config->chance) * (mean - most) / most;
}

static __always_inline int red_says(struct queue *queue, const struct config *config)
{
	__u32 chance = chance_of(queue, config);

	if (!chance) {
		queue->since = 0;
		return 0;
	}
	__u64 spread = (__u64)queue->since * chance;
	queue->since++;
	/* p / (1 - count * p): the later, the surer. */
	__u32 surely = chance >= CERTAIN || spread + chance >= CERTAIN;
	__u32 left = CERTAIN - (spread < CERTAIN ? spread : CERTAIN - 1);
	if (!surely && (random_of(queue) & 0xffff) >= (__u64)chance * CERTAIN / left)
		return 0;
	queue->since = 0;
	return 1;
}
