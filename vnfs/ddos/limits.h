/* Lists and rates, by source. */
#pragma once

#include "state.h"

#define ALL_BITS 128
#define MOST_BURST 1000000

static __always_inline struct listed *find_listed(const struct address *source)
{
	struct prefix key = {.bits = ALL_BITS, .address = *source};

	return bpf_map_lookup_elem(&lists, &key);
}

static __always_inline struct protection *find_server(const struct address *destination)
{
	struct prefix key = {.bits = ALL_BITS, .address = *destination};

	return bpf_map_lookup_elem(&servers, &key);
}

static __always_inline void gather(const struct address *source, __u32 bits, struct prefix *key)
{
	key->bits = bits;
	_Pragma("unroll") for (__u32 i = 0; i < 4; i++) {
		__u32 here = bits >= 32 * (i + 1) ? 32 : bits > 32 * i ? bits - 32 * i : 0;

		key->address.word[i] = source->word[i] & (here ? bpf_htonl(~0u << (32 - here)) : 0);
	}
}

static __always_inline void refill(struct bucket *bucket, const struct limit *limit, __u64 full, __u64 now)
{
	__u64 passed = now - bucket->refilled, rate = limit->rate;

	/* After a minute of nothing it is full anyway, or as good as; and the product below cannot overflow. */
	if (passed > 60 * SECOND)
		passed = 60 * SECOND;
	bucket->tokens += rate < MOST_BURST * 256 ? passed * rate : full;
	if (bucket->tokens > full)
		bucket->tokens = full;
	bucket->refilled = now;
}

/* 1: the source is above its rate. */
__noinline int is_above_rate(struct flow *flow)
{
	__u64 now = bpf_ktime_get_ns();
	struct prefix key = {.bits = ALL_BITS};

	if (!flow)
		return 0;
	key.address = flow->source;
	struct limit *limit = bpf_map_lookup_elem(&limits, &key);
	if (!limit)
		return 0;
	__u64 burst = limit->burst < MOST_BURST ? limit->burst : MOST_BURST, full = (burst ?: 1) * SECOND;
	gather(&flow->source, limit->bits, &key);
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &key);
	if (!bucket) {
		struct bucket fresh = {.tokens = full - SECOND, .refilled = now};

		bpf_map_update_elem(&buckets, &key, &fresh, BPF_ANY);
		return 0;
	}
	refill(bucket, limit, full, now);
	if (bucket->tokens < SECOND) {
		bucket->dropped += 1;
		return 1;
	}
	bucket->tokens -= SECOND;
	return 0;
}

/* Whether a SYN to this server is answered by a cookie; it counts them. */
static __always_inline int wants_cookie(struct protection *server)
{
	__u64 now = bpf_ktime_get_ns(), passed = now - server->window;

	if (passed >= SECOND) {
		server->last = passed < 2 * SECOND ? server->seen : 0;
		server->seen = 0;
		server->window = now;
	}
	server->seen += 1;
	if (server->mode == ABOVE_RATE)
		return server->seen > server->rate || server->last > server->rate;
	return server->mode == ALWAYS;
}
