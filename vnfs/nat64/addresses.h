/* Which IPv4 address an IPv6 address has, and the other way round; which port of the pool a host has. */
#pragma once

#include "state.h"

static __always_inline void prefix_of(const struct config *config, struct ip6 *prefix)
{
	*prefix = config->prefix;
	if (is_zero(prefix))
		prefix->word[0] = bpf_htonl(0x0064ff9b); /* RFC 6052 2.1 */
}

static __always_inline void with_prefix(const struct config *config, __be32 address, struct ip6 *out)
{
	prefix_of(config, out);
	out->word[3] = address;
}

static __always_inline __be32 mapped_ip4(const struct ip6 *address)
{
	__be32 *mapped = bpf_map_lookup_elem(&hosts6, address);

	return mapped ? *mapped : 0;
}

/* The address of a host that has one of its own, or that the prefix embeds; 0: neither. */
static __always_inline __be32 known_ip4(const struct config *config, const struct ip6 *address)
{
	__be32 mapped = mapped_ip4(address);
	struct ip6 prefix;

	if (mapped)
		return mapped;
	prefix_of(config, &prefix);
	if (prefix.word[0] == address->word[0] && prefix.word[1] == address->word[1] && prefix.word[2] == address->word[2])
		return address->word[3];
	return 0;
}

static __always_inline void known_ip6(const struct config *config, __be32 address, struct ip6 *out)
{
	struct ip6 *mapped = bpf_map_lookup_elem(&hosts4, &address);

	if (mapped)
		*out = *mapped;
	else
		with_prefix(config, address, out);
}

static __always_inline __u32 mixed(const struct inside *key, __u32 seed)
{
	const __u32 *words = (const __u32 *)key;
	__u32 hash = seed + 0x9e3779b9;

	_Pragma("unroll") for (__u32 i = 0; i < sizeof(*key) / 4; i++) {
		hash = (hash ^ words[i]) * 0x85ebca6b;
		hash ^= hash >> 15;
	}
	return hash;
}

static __always_inline __u64 lifetime(const struct binding *binding)
{
	if (binding->slice == SLICE_ICMP)
		return ICMP_SECONDS * SECOND;
	if (binding->slice == SLICE_UDP)
		return UDP_SECONDS * SECOND;
	return (binding->opened && !binding->closing ? TCP_SECONDS : TCP_TRANSITORY_SECONDS) * SECOND;
}

/* Takes a port that is free or whose time is over: its entry of `bindings`, or -1: none of TRIES was. */
__noinline int new_binding(struct inside *key, __u32 seed)
{
	__u64 now = bpf_ktime_get_ns();

	if (!key || key->slice >= SLICES)
		return -1;
	__u32 first = mixed(key, seed), slice = key->slice;
	for (__u32 try = 0; try < TRIES; try++) {
		__u32 index = slice * PORTS + (first + try) % PORTS;
		struct binding *binding = bpf_map_lookup_elem(&bindings, &index);

		if (!binding || binding->until > now)
			continue;
		if (binding->until) {
			struct inside old = {.host = binding->host, .port = binding->port, .slice = binding->slice};

			bpf_map_delete_elem(&bound, &old);
		}
		if (bpf_map_update_elem(&bound, key, &index, BPF_ANY))
			return -1;
		binding->host = key->host;
		binding->port = key->port;
		binding->slice = slice;
		binding->opened = binding->closing = 0;
		binding->until = now + lifetime(binding);
		count(BOUND);
		return index;
	}
	return -1;
}

/* The binding of a host's port, which its own packets keep alive; NULL: none, or none of this time. */
static __always_inline struct binding *find_bound(struct inside *key, __u32 *port)
{
	__u32 *index = bpf_map_lookup_elem(&bound, key);

	if (!index)
		return NULL;
	__u32 at = *index;
	struct binding *binding = bpf_map_lookup_elem(&bindings, &at);
	if (!binding || binding->until <= bpf_ktime_get_ns())
		return NULL;
	*port = FIRST_PORT + at - key->slice * PORTS;
	return binding;
}

/* Who has this port of the pool. */
static __always_inline struct binding *find_binding(__u32 slice, __u32 port)
{
	__u32 index = slice * PORTS + port - FIRST_PORT;

	if (port < FIRST_PORT || port >= FIRST_PORT + PORTS)
		return NULL;
	struct binding *binding = bpf_map_lookup_elem(&bindings, &index);
	if (!binding || binding->until <= bpf_ktime_get_ns())
		return NULL;
	return binding;
}

/* SLICES: a protocol without ports. */
static __always_inline __u32 slice_of(__u8 protocol)
{
	if (protocol == IPPROTO_TCP)
		return SLICE_TCP;
	if (protocol == IPPROTO_UDP)
		return SLICE_UDP;
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 ? SLICE_ICMP : SLICES;
}
