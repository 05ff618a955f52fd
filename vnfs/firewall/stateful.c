/* A stateful firewall for IPv4 and IPv6: rules say who may begin a flow, what belongs to one passes.
 *
 * A flow is an attempt until it is answered, then a connection: each in a table of its own, so that a flood of attempts drives out
 * no connection.
 */
#include "matching.h"

#define BEGINNER 1
#define OTHER 2

/* The flow with the lower end first; 1: it was turned round. */
static __always_inline __u32 in_order(const struct flow *flow, struct flow *key)
{
	_Pragma("unroll") for (__u32 i = 0; i < 4; i++) {
		if (flow->source.word[i] < flow->destination.word[i]) {
			*key = *flow;
			return 0;
		}
		if (flow->source.word[i] > flow->destination.word[i]) {
			turn_round(flow, key);
			return 1;
		}
	}
	if (flow->source_port <= flow->destination_port) {
		*key = *flow;
		return 0;
	}
	turn_round(flow, key);
	return 1;
}

static __always_inline __u64 lifetime(__u8 protocol, const struct connection *connection)
{
	if (protocol == IPPROTO_TCP)
		return (connection->finished == (BEGINNER | OTHER) ? TCP_CLOSED_SECONDS : TCP_SECONDS) * SECOND;
	return (protocol == IPPROTO_UDP ? UDP_SECONDS : OTHER_SECONDS) * SECOND;
}

static __always_inline void see_packet(const struct flow *key, struct connection *connection, __u32 turned, int flags, __u64 now)
{
	__u32 who = turned == connection->turned ? BEGINNER : OTHER;

	if (who == BEGINNER)
		connection->packets[0] += 1;
	else
		connection->packets[1] += 1;
	if (key->protocol == IPPROTO_TCP && flags & FLAG_RST)
		connection->finished = BEGINNER | OTHER;
	else if (key->protocol == IPPROTO_TCP && flags & FLAG_FIN)
		connection->finished |= who;
	connection->until = now + lifetime(key->protocol, connection);
}

/* An attempt: from its beginner once more, or answered. TCP is answered by a SYN with ACK (RFC 9293 3.5); an RST ends it. */
static __always_inline int see_attempt(struct flow *key, struct connection *attempt, __u32 turned, int flags, __u64 now)
{
	if (turned == attempt->turned) {
		attempt->packets[0] += 1;
		attempt->until = now + ATTEMPT_SECONDS * SECOND;
		return ATTEMPT;
	}
	if (key->protocol == IPPROTO_TCP && flags & FLAG_RST) {
		bpf_map_delete_elem(&attempts, key);
		return ATTEMPT;
	}
	if (key->protocol == IPPROTO_TCP && !(flags & FLAG_ACK))
		return NOT_BEGUN;
	struct connection answered = *attempt;
	see_packet(key, &answered, turned, flags, now);
	bpf_map_update_elem(&connections, key, &answered, BPF_ANY);
	bpf_map_delete_elem(&attempts, key);
	return ATTEMPT;
}

static __always_inline int is_begin(int flags)
{
	return (flags & (FLAG_SYN | FLAG_ACK | FLAG_RST | FLAG_FIN)) == FLAG_SYN;
}

/* The reason to pass, or REASONS: no flow is known. A closed connection's ports may begin a new one. */
static __always_inline int known_flow(struct flow *key, __u32 turned, int flags, __u64 now)
{
	struct connection *connection = bpf_map_lookup_elem(&connections, key);

	if (connection && connection->until > now) {
		int again = key->protocol == IPPROTO_TCP && connection->finished == (BEGINNER | OTHER) && is_begin(flags);

		if (!again) {
			see_packet(key, connection, turned, flags, now);
			return ESTABLISHED;
		}
		bpf_map_delete_elem(&connections, key);
	}
	struct connection *attempt = bpf_map_lookup_elem(&attempts, key);
	if (attempt && attempt->until > now)
		return see_attempt(key, attempt, turned, flags, now);
	return REASONS;
}

/* SYN with FIN or RST, or nothing at all: scans send these. */
static __always_inline int are_bad(int flags)
{
	int control = flags & (FLAG_SYN | FLAG_FIN | FLAG_RST | FLAG_ACK);

	return !control || control == FLAG_FIN || (flags & FLAG_SYN && flags & (FLAG_FIN | FLAG_RST));
}

static __always_inline int new_flow(struct xdp_md *ctx, struct flow *flow, struct flow *key, __u32 turned, int flags, __u64 now,
				    const struct config *config)
{
	struct connection attempt = {.until = now + ATTEMPT_SECONDS * SECOND, .packets = {1, 0}, .turned = turned};
	int is_tcp = flow->protocol == IPPROTO_TCP;

	if (is_tcp && !is_begin(flags) && !config->loose)
		return NOT_BEGUN;
	if (judge(ctx, flow, config) != ACCEPT)
		return DENIED;
	if (is_tcp && !is_begin(flags))
		bpf_map_update_elem(&connections, key, &attempt, BPF_ANY);
	else
		bpf_map_update_elem(&attempts, key, &attempt, BPF_ANY);
	return ACCEPTED;
}

__noinline int see_flow(struct xdp_md *ctx, struct flow *flow, int flags, struct config *config)
{
	__u64 now = bpf_ktime_get_ns();
	struct flow key;

	if (!flow || !config)
		return BAD_HEADER;
	__u32 turned = in_order(flow, &key);
	int reason = known_flow(&key, turned, flags, now);
	return reason == REASONS ? new_flow(ctx, flow, &key, turned, flags, now, config) : reason;
}

/* An error belongs to the flow that it quotes, whichever end sent that. */
static __always_inline int error_packet(struct xdp_md *ctx, struct layers *layers)
{
	struct layers quoted = {};
	struct flow flow, key;
	__u64 now = bpf_ktime_get_ns();
	enum flow_found found = read_quoted(ctx, layers, &quoted, &flow);

	if (found == FLOW_SHORT)
		return TRUNCATED;
	if (found == FLOW_ERROR)
		return UNRELATED;
	in_order(&flow, &key);
	struct connection *connection = bpf_map_lookup_elem(&connections, &key);
	if (!connection || connection->until <= now)
		connection = bpf_map_lookup_elem(&attempts, &key);
	return connection && connection->until > now ? RELATED : UNRELATED;
}

static __always_inline int later_fragment(struct xdp_md *ctx, const struct layers *layers, const struct flow *flow)
{
	struct whole key;

	if (!name_whole(ctx, layers, flow, &key))
		return TRUNCATED;
	__u64 *until = bpf_map_lookup_elem(&fragments, &key);
	return until && *until > bpf_ktime_get_ns() ? FRAGMENT : FRAGMENT_EARLY;
}

static __always_inline void keep_first(struct xdp_md *ctx, const struct layers *layers, const struct flow *flow)
{
	__u64 until = bpf_ktime_get_ns() + FRAGMENT_SECONDS * SECOND;
	struct whole key;

	if (name_whole(ctx, layers, flow, &key))
		bpf_map_update_elem(&fragments, &key, &until, BPF_ANY);
}

/* Router and neighbour discovery come from the same link only. */
static __always_inline int is_neighbour(struct xdp_md *ctx, const struct layers *layers)
{
	struct ipv6hdr *ip = at(ctx, layers->network, sizeof(*ip));
	__u8 *type = at(ctx, layers->transport, 1);

	return layers->version == 6 && layers->protocol == IPPROTO_ICMPV6 && !is_fragment(layers) && ip && type &&
	       ip->hop_limit == 255 && *type >= 133 && *type <= 137;
}

static __always_inline int packet_reason(struct xdp_md *ctx, struct layers *layers, struct config *config)
{
	struct flow flow;
	enum flow_found found = read_whole_flow(ctx, layers, &flow);
	int flags = 0;

	if (found == FLOW_SHORT)
		return TRUNCATED;
	if (layers->offset)
		return later_fragment(ctx, layers, &flow);
	if (found == FLOW_ERROR)
		return error_packet(ctx, layers);
	if (is_neighbour(ctx, layers))
		return NEIGHBOUR;
	if (flow.protocol == IPPROTO_TCP) {
		flags = tcp_flags(ctx, layers);
		if (flags < 0 || are_bad(flags))
			return flags < 0 ? TRUNCATED : BAD_FLAGS;
	}
	int reason = see_flow(ctx, &flow, flags, config);
	if (reason <= ACCEPTED && layers->more)
		keep_first(ctx, layers, &flow);
	return reason;
}

SEC("xdp") int firewall(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct config *settings = bpf_map_lookup_elem(&config, &zero);
	struct layers layers = {};
	int found = find_layers(ctx, &layers);

	if (!settings)
		return XDP_ABORTED;
	if (found == FOUND_OTHER)
		return ends(NOT_IP, XDP_PASS);
	if (found != FOUND_IP)
		return ends(found == FOUND_SHORT ? TRUNCATED : BAD_HEADER, XDP_DROP);
	int reason = packet_reason(ctx, &layers, settings);
	return ends(reason, reason <= FRAGMENT ? XDP_PASS : XDP_DROP);
}

char LICENSE[] SEC("license") = "Apache-2.0";
