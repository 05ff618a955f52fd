/* What applications talk, by what they say: protocol by payload, host name of TLS and HTTP; passed, dropped or sent elsewhere.
 *
 * A flow is looked at until it is known, at most MOST_TRIES packets with payload. What was decided holds for both directions,
 * for the packet that told it as well.
 */
#include "applications.h"
#include "names.h"

#define TCP_FLAGS 13
#define TCP_SYN 2
#define TCP_ACK 16

/* So that both directions are one flow. */
static __always_inline void order_ends(struct flow *flow)
{
	int swap = 0, same = 1;

	_Pragma("unroll") for (int i = 0; i < 4; i++) {
		__u32 one = bpf_ntohl(flow->source.word[i]), other = bpf_ntohl(flow->destination.word[i]);

		swap = same ? one > other : swap;
		same = same && one == other;
	}
	if (same)
		swap = bpf_ntohs(flow->source_port) > bpf_ntohs(flow->destination_port);
	if (!swap)
		return;
	struct address address = flow->source;
	__be16 port = flow->source_port;
	flow->source = flow->destination;
	flow->destination = address;
	flow->source_port = flow->destination_port;
	flow->destination_port = port;
}

/* Where the payload begins, 0: there is none. `fresh`: a connection begins. */
static __always_inline __u32 payload_of(struct xdp_md *ctx, const struct layers *layers, int *fresh)
{
	__u8 part[2];

	*fresh = 0;
	if (layers->protocol == IPPROTO_UDP)
		return layers->transport + 8;
	if (layers->protocol != IPPROTO_TCP || bpf_xdp_load_bytes(ctx, layers->transport + TCP_FLAGS - 1, part, 2))
		return 0;
	*fresh = (part[1] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	return layers->transport + (part[0] >> 4) * 4;
}

__noinline int identify(struct xdp_md *ctx, struct work *work, __u32 start, __u32 whole, __u32 protocol)
{
	if (!work)
		return UNKNOWN;
	__u64 length = whole < WINDOW ? whole : WINDOW;
	OPAQUE(length);
	if (!length || length > WINDOW)
		return UNKNOWN;
	/* What the packet before left is not ours. */
	_Pragma("unroll") for (int i = 0; i < WINDOW / 8; i++)
		((volatile __u64 *)work->bytes)[i] = 0;
	if (bpf_xdp_load_bytes(ctx, start, work->bytes, length))
		return UNKNOWN;
	work->length = length;
	count(LOOKED_AT);
	return protocol == IPPROTO_TCP ? of_tcp(work) : of_udp(work, whole);
}

/* What its name says of a flow; -1: it has none, or no rule is about it. */
__noinline int decide_name(struct work *work, int application)
{
	if (!work)
		return -1;
	__builtin_memset(work->sighting.name, 0, NAME_BYTES);
	work->name_at = 0;
	work->name_bytes = WINDOW;
	if (application == TLS && byte_at(work, 5) == 1) {
		__u32 at = find_server_name(work);

		work->name_bytes = two_at(work, at);
		work->name_at = at ? at + 2 : 0;
	} else if (application == HTTP) {
		work->name_at = find_host(work);
	}
	if (!work->name_at)
		return -1;
	take_name(work);
	if (!work->taken)
		return -1;
	count(NAMED);
	return rule_of_name(work);
}

static __always_inline void tell(struct work *work)
{
	if (bpf_ringbuf_output(&sightings, &work->sighting, sizeof(work->sighting), 0))
		count(UNSEEN);
}

__noinline int learn(struct work *work, struct known *known, int application)
{
	__u32 key = application;

	if (!work || !known)
		return 0;
	int action = decide_name(work, application);
	__u32 *rule = bpf_map_lookup_elem(&policy, &key);
	known->application = application;
	known->action = action >= 0 ? action : rule ? *rule : 0;
	work->sighting.application = application;
	work->sighting.action = known->action;
	count(IDENTIFIED);
	tell(work);
	struct total *total = bpf_map_lookup_elem(&totals, &key);
	if (total)
		__sync_fetch_and_add(&total->flows, 1);
	return 0;
}

static __always_inline struct known *known_flow(struct flow *flow, int fresh)
{
	struct known *known = bpf_map_lookup_elem(&flows, flow);
	struct known nothing = {};

	if (known && !fresh)
		return known;
	bpf_map_update_elem(&flows, flow, &nothing, BPF_ANY);
	return bpf_map_lookup_elem(&flows, flow);
}

static __always_inline int act(__u32 action)
{
	if (action == 0)
		return XDP_PASS;
	if (action == 1)
		return ends(DROPPED, XDP_DROP);
	count(REDIRECTED);
	return bpf_redirect(action, 0);
}

static __always_inline void add_up(struct known *known, __u32 bytes)
{
	__u32 key = known->application;
	struct total *total = bpf_map_lookup_elem(&totals, &key);

	__sync_fetch_and_add(&known->packets, 1);
	__sync_fetch_and_add(&known->bytes, bytes);
	if (total) {
		__sync_fetch_and_add(&total->packets, 1);
		__sync_fetch_and_add(&total->bytes, bytes);
	}
}

SEC("xdp") int dpi(struct xdp_md *ctx)
{
	struct layers layers = {};
	__u32 zero = 0;
	int found = find_layers(ctx, &layers), fresh;
	struct work *work = bpf_map_lookup_elem(&scratch, &zero);

	if (!work)
		return XDP_ABORTED;
	if (found == FOUND_OTHER)
		return ends(NOT_IP, XDP_PASS);
	if (found != FOUND_IP)
		return ends(found == FOUND_SHORT ? TRUNCATED : BAD_HEADER, XDP_PASS);
	if (is_later_fragment(&layers))
		return ends(FRAGMENTS, XDP_PASS);
	struct flow flow = {};
	if (!read_flow(ctx, &layers, &flow))
		return ends(TRUNCATED, XDP_PASS);
	__u32 start = payload_of(ctx, &layers, &fresh);
	work->sighting.flow = flow;
	order_ends(&flow);
	struct known *known = known_flow(&flow, fresh);
	if (!known)
		return XDP_PASS;
	if (!known->application && start && start < layers.end && known->tries < MOST_TRIES) {
		int application = identify(ctx, work, start, layers.end - start, layers.protocol);

		known->tries++;
		if (application)
			learn(work, known, application);
		else if (known->tries == MOST_TRIES)
			count(GIVEN_UP);
	}
	add_up(known, layers.end - layers.network);
	return act(known->action);
}

char LICENSE[] SEC("license") = "Apache-2.0";
