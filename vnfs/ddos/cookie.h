/* SYN cookies (RFC 4987 3.6): a sequence number that proves that its receiver is where it says it is.
 *
 * 24 bits are a keyed hash (SipHash-2-4: Aumasson and Bernstein, 2012) of the flow, the client's number and what the other 8 bits
 * say: in which period it was made, and the client's maximum segment size, roughly.
 */
#pragma once

#include "state.h"

#define PERIODS 32
#define SIZES 8

static __always_inline __u64 rotate(__u64 word, __u32 by)
{
	return word << by | word >> (64 - by);
}

static __always_inline void round_of(__u64 *v)
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

#define MESSAGE_WORDS (sizeof(struct flow) / 8 + 1)

struct message {
	__u64 word[MESSAGE_WORDS];
};

static __always_inline __u64 siphash(const struct message *message, const __u64 *secret)
{
	__u64 v[4] = {secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d, secret[0] ^ 0x6c7967656e657261,
		      secret[1] ^ 0x7465646279746573};

	_Pragma("unroll") for (__u32 i = 0; i < MESSAGE_WORDS; i++) {
		v[3] ^= message->word[i];
		round_of(v);
		round_of(v);
		v[0] ^= message->word[i];
	}
	__u64 last = (__u64)sizeof(*message) << 56;
	v[3] ^= last;
	round_of(v);
	round_of(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	_Pragma("unroll") for (__u32 i = 0; i < 4; i++)
		round_of(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* `low`: the 8 bits. */
__noinline __u32 cookie_of(struct flow *flow, __u32 number, __u32 low, struct config *config)
{
	struct message message;

	if (!flow || !config)
		return 0;
	__builtin_memcpy(&message, flow, sizeof(*flow));
	message.word[MESSAGE_WORDS - 1] = (__u64)number << 32 | (low & 0xff);
	return (__u32)(siphash(&message, config->secret) & 0xffffff) << 8 | (low & 0xff);
}

static __always_inline __u32 this_period(void)
{
	return bpf_ktime_get_ns() / (COOKIE_SECONDS * SECOND) % PERIODS;
}

static __always_inline __u16 size_of(__u32 index)
{
	switch (index % SIZES) {
	case 0: return 536;
	case 1: return 1024;
	case 2: return 1220; /* the least of IPv6 */
	case 3: return 1360;
	case 4: return 1400;
	case 5: return 1440;
	case 6: return 1460;
	default: return 8960;
	}
}

/* The largest that is not above it. */
static __always_inline __u32 index_of(__u32 mss)
{
	__u32 found = 0;

	_Pragma("unroll") for (__u32 i = 1; i < SIZES; i++)
		if (mss >= size_of(i))
			found = i;
	return found;
}

/* The maximum segment size that a good cookie says; 0: it is none. */
static __always_inline __u16 check_cookie(struct flow *flow, __u32 number, __u32 cookie, struct config *config)
{
	__u32 age = (this_period() - (cookie >> 3)) % PERIODS;

	if (age > 1 || cookie_of(flow, number, cookie, config) != cookie)
		return 0;
	return size_of(cookie);
}
