/* Which port of the public address a host has, for how long, and whom it talks to by it. */
#pragma once

#include "state.h"

static __always_inline __u64 lifetime(const struct binding *binding)
{
	if (binding->slice == SLICE_ICMP)
		return ICMP_SECONDS * SECOND;
	if (binding->slice == SLICE_UDP)
		return UDP_SECONDS * SECOND;
	return (binding->open ? TCP_SECONDS : TCP_TRANSITORY_SECONDS) * SECOND;
}

static __always_inline void give_to(struct binding *binding, const struct inside *key, __u64 now)
{
	if (binding->until) {
		struct inside old = {.host = binding->host, .port = binding->port, .slice = binding->slice};

		bpf_map_delete_elem(&bound, &old);
	}
	binding->host = key->host;
	binding->port = key->port;
	binding->slice = key->slice;
	binding->open = 0;
	binding->serial += 1;
	binding->until = now + lifetime(binding);
}

/* Takes a port that is free or whose time is over: its entry of `bindings`, or -1: none of TRIES was. The first looked at has
 * the parity of the host's own (RFC 4787 4.2.2), and those after it too.
 */
__noinline int new_binding(struct inside *key, __u32 seed)
{
	__u64 now = bpf_ktime_get_ns();

	if (!key || key->slice >= SLICES)
		return -1;
	__u32 slice = key->slice, parity = bpf_ntohs(key->port) & 1;
	__u32 first = hash_words(key, sizeof(*key) / 4, seed) / 2;
	for (__u32 try = 0; try < TRIES; try++) {
		__u32 index = slice * PORTS + (first + try) % (PORTS / 2) * 2 + parity;
		struct binding *binding = bpf_map_lookup_elem(&bindings, &index);

		if (!binding || binding->until > now)
			continue;
		give_to(binding, key, now);
		if (bpf_map_update_elem(&bound, key, &index, BPF_ANY)) {
			binding->until = 0;
			return -1;
		}
		count(BOUND);
		return index;
	}
	return -1;
}

/* The entry that a host's port has; -1: none, or none of this time. */
static __always_inline int find_bound(struct inside *key)
{
	__u32 *index = bpf_map_lookup_elem(&bound, key);

	if (!index)
		return -1;
	__u32 at = *index;
	struct binding *binding = bpf_map_lookup_elem(&bindings, &at);
	return binding && binding->until > bpf_ktime_get_ns() ? (int)at : -1;
}

/* The entry of a port of the public address; -1: nobody has it. */
static __always_inline int find_port(__u32 slice, __be16 in_network_order)
{
	__u32 port = bpf_ntohs(in_network_order), index = slice * PORTS + port - FIRST_PORT;

	if (slice >= SLICES || port < FIRST_PORT || port >= FIRST_PORT + PORTS)
		return -1;
	struct binding *binding = bpf_map_lookup_elem(&bindings, &index);
	return binding && binding->until > bpf_ktime_get_ns() ? (int)index : -1;
}

static __always_inline __be16 port_of(__u32 index)
{
	return bpf_htons(FIRST_PORT + index % PORTS);
}

/* TCP: a session opens when it is answered and closes with FIN or RST, so a port whose connections are all closed is free soon,
 * and one closed connection ends no other. 1: it has just closed.
 */
static __always_inline int step(struct binding *binding, __u32 *state, int flags, int inbound)
{
	__u32 before = *state;

	if (flags & (FLAG_FIN | FLAG_RST)) {
		if (before == SESSION_OPEN && binding->open)
			binding->open -= 1;
		*state = SESSION_CLOSED;
		return before == SESSION_OPEN;
	}
	if (inbound && before == SESSION_NEW) {
		*state = SESSION_OPEN;
		binding->open += 1;
	} else if (flags & FLAG_SYN && !inbound && before == SESSION_CLOSED) {
		*state = SESSION_NEW;
	}
	return 0;
}

static __always_inline void name_peer(const struct binding *binding, __u32 index, const struct flow *flow, int inbound,
				      struct peer *key)
{
	key->index = index;
	key->serial = binding->serial;
	key->address = inbound ? flow->source.word[3] : flow->destination.word[3];
	key->port = inbound ? flow->source_port : flow->destination_port;
	if (binding->slice == SLICE_ICMP)
		key->port = 0;
	key->reserved = 0;
}

/* What a packet means for its session and binding; FINE, or why it may not pass. Only what a host sends makes a session, and
 * nobody outside keeps a binding alive (RFC 4787 REQ-6), but for a TCP connection that was answered.
 */
__noinline int see_packet(__u32 index, struct flow *flow, int flags, int inbound, int filtering)
{
	struct binding *binding = bpf_map_lookup_elem(&bindings, &index);
	__u32 fresh = SESSION_NEW;
	struct peer key;
	int closed = 0;

	if (!binding || !flow)
		return NO_BINDING;
	name_peer(binding, index, flow, inbound, &key);
	__u32 *state = bpf_map_lookup_elem(&sessions, &key);
	if (inbound && filtering && !state)
		return FILTERED;
	if (!state && !inbound)
		bpf_map_update_elem(&sessions, &key, &fresh, BPF_ANY);
	if (state && binding->slice == SLICE_TCP)
		closed = step(binding, state, flags, inbound);
	if (!inbound || closed || (state && binding->open))
		binding->until = bpf_ktime_get_ns() + lifetime(binding);
	return FINE;
}
