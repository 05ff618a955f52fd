/* Internet checksums (RFC 1071), changed as RFC 1624 says: a checksum is the complement of a sum of 16-bit words, so a change
 * adds new words and the complements of old ones. Sums are of words as they lie in memory, so no byte order matters.
 */
#pragma once

#include "layers.h"

#define CHUNK_BYTES 64
#define MOST_CHUNKS 64 /* 4 KiB: all of a frame */

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return sum;
}

/* `count` 16-bit words; `count` is known to the compiler. */
static __always_inline __u64 sum_words(const void *start, __u32 count)
{
	const __u16 *words = start;
	__u64 sum = 0;

	_Pragma("unroll") for (__u32 i = 0; i < count; i++)
		sum += words[i];
	return sum;
}

/* What takes words out of a sum. */
static __always_inline __u64 without(__u64 sum)
{
	return (__u16)~fold(sum);
}

/* The checksum after `change` was added to what it covers. */
static __always_inline __u16 changed(__u16 checksum, __u64 change)
{
	return ~fold((__u64)(__u16)~checksum + change);
}

/* The sum of `length` bytes of the packet; a last odd byte is followed by a zero. What is not there counts nothing. */
__noinline __u64 sum_packet(struct xdp_md *ctx, __u32 offset, __u32 length)
{
	__u64 sum = 0;
	__u8 rest[CHUNK_BYTES] = {};

	for (__u32 chunk = 0; chunk < MOST_CHUNKS && length >= CHUNK_BYTES; chunk++) {
		void *bytes = at(ctx, offset, CHUNK_BYTES);

		if (!bytes)
			return sum;
		sum += (__u32)bpf_csum_diff(NULL, 0, bytes, CHUNK_BYTES, 0);
		offset += CHUNK_BYTES;
		length -= CHUNK_BYTES;
	}
	__u64 left = length;
	OPAQUE(left);
	if (left && left < CHUNK_BYTES && !bpf_xdp_load_bytes(ctx, offset, rest, left))
		sum += (__u32)bpf_csum_diff(NULL, 0, (void *)rest, CHUNK_BYTES, 0);
	return sum;
}

/* Writes a checksum into the packet; where it is not, nothing. */
static __always_inline void put_checksum(struct xdp_md *ctx, __u32 offset, __u16 checksum)
{
	bpf_xdp_store_bytes(ctx, offset, &checksum, sizeof(checksum));
}

/* The part of a pseudo header that is no address (RFC 8200 8.1; the same numbers as IPv4's, RFC 793 3.1). */
static __always_inline __u64 sum_of_length(__u32 length, __u8 protocol)
{
	return (__u64)bpf_htonl(length) + bpf_htons(protocol);
}
