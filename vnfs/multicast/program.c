/* A switch that listens to IGMP and MLD: multicast goes where it is wanted, and where routers are.
 *
 * The answer is XDP_REDIRECT to output FIRST_OUTPUT + set of ports; the graph copies the packet to each of the set. On Linux
 * the program runs and answers the same, but a device for each set has to be there.
 */
#include "reports.h"

static __always_inline int to_ports(__u32 set, __u32 own, enum reason reason)
{
	set &= ALL_PORTS & ~(1u << (own & 31));
	if (!set)
		return ends(NOBODY, XDP_DROP);
	count(reason);
	return bpf_redirect(FIRST_OUTPUT + set, 0);
}

/* 0: none. */
static __always_inline __u32 port_of(struct xdp_md *ctx)
{
	__u32 interface = ctx->ingress_ifindex, *port = bpf_map_lookup_elem(&ports, &interface);

	if (!port)
		return 0;
	__u32 number = *port ?: interface;
	return number < PORTS ? number : 0;
}

static __always_inline void learn(const __u8 *source, const struct speaker *who)
{
	struct station_key key = {.vlan = who->vlan};
	struct station fresh = {.until = who->now + STATION_SECONDS * SECOND, .port = who->port};

	if (source[0] & 1)
		return;
	__builtin_memcpy(key.address, source, ETH_ALEN);
	struct station *station = bpf_map_lookup_elem(&stations, &key);
	if (station)
		*station = fresh;
	else
		bpf_map_update_elem(&stations, &key, &fresh, BPF_ANY);
}

static __always_inline int to_station(const __u8 *destination, const struct speaker *who)
{
	struct station_key key = {.vlan = who->vlan};

	__builtin_memcpy(key.address, destination, ETH_ALEN);
	struct station *station = bpf_map_lookup_elem(&stations, &key);
	if (!station || station->until <= who->now)
		return to_ports(ALL_PORTS, who->port, FLOODED);
	return to_ports(1u << (station->port & 31), who->port, FORWARDED);
}

static __always_inline int is_whole_report(struct xdp_md *ctx, const struct layers *layers, const struct flow *flow)
{
	__u32 length = layers->end - layers->transport;
	__u64 sum = sum_packet(ctx, layers->transport, length);

	if (layers->version == 6)
		sum += sum_words(&flow->source, 16) + sum_of_length(length, IPPROTO_ICMPV6);
	return fold(sum) == 0xffff;
}

/* 0: it is none. */
static __always_inline __u32 kind_of_report(struct xdp_md *ctx, const struct layers *layers)
{
	__u8 kind = 0;

	if (layers->protocol != IPPROTO_IGMP && layers->protocol != IPPROTO_ICMPV6)
		return 0;
	if (layers->offset || layers->more || bpf_xdp_load_bytes(ctx, layers->transport, &kind, sizeof(kind)))
		return 0;
	if (layers->protocol == IPPROTO_IGMP)
		return layers->version == 4 && kind < MLD_QUERY ? kind : 0;
	return (kind >= MLD_QUERY && kind <= MLD_DONE) || kind == MLD_REPORT2 ? kind : 0;
}

__noinline int switch_report(struct xdp_md *ctx, struct layers *layers, struct flow *flow, struct speaker *who, __u32 kind)
{
	if (!layers || !flow || !who)
		return XDP_ABORTED;
	if (layers->end < layers->transport + 8)
		return ends(BAD_REPORT, XDP_DROP);
	if (!is_whole_report(ctx, layers, flow))
		return ends(BAD_CHECKSUM, XDP_DROP);
	if (hear(ctx, layers, flow, who, kind) != REASONS)
		return ends(BAD_REPORT, XDP_DROP);
	if (kind == IGMP_QUERY || kind == MLD_QUERY)
		return to_ports(ALL_PORTS, who->port, FLOODED);
	return to_ports(router_ports(who->vlan, who->now), who->port, FORWARDED);
}

static __always_inline int switch_group(struct flow *flow, const struct speaker *who)
{
	struct member_key key = {.group = flow->destination, .vlan = who->vlan};
	__u32 zero = 0, wanted = router_ports(who->vlan, who->now);
	struct config *settings = bpf_map_lookup_elem(&config, &zero);
	struct until *until = bpf_map_lookup_elem(&groups, &key);
	__u32 members = until ? ports_of(until, who->now) : 0;

	if (is_local(&flow->destination))
		return to_ports(ALL_PORTS, who->port, FLOODED);
	if (!members) {
		count(UNKNOWN_GROUP);
		if (settings && settings->flood_unknown)
			return to_ports(ALL_PORTS, who->port, FLOODED);
	}
	return to_ports(members | wanted, who->port, FORWARDED);
}

SEC("xdp") int multicast(struct xdp_md *ctx)
{
	struct speaker who = {.port = port_of(ctx), .now = bpf_ktime_get_ns()};
	struct layers layers = {};
	struct flow flow = {};
	__u8 addresses[2 * ETH_ALEN];
	int found = find_layers(ctx, &layers);

	if (!who.port)
		return ends(NO_PORT, XDP_DROP);
	if (bpf_xdp_load_bytes(ctx, 0, addresses, sizeof(addresses)))
		return ends(TRUNCATED, XDP_DROP);
	who.vlan = layers.vlan;
	learn(addresses + ETH_ALEN, &who);
	if (!(addresses[0] & 1))
		return to_station(addresses, &who);
	if (found == FOUND_OTHER)
		return to_ports(ALL_PORTS, who.port, FLOODED);
	if (found != FOUND_IP)
		return ends(found == FOUND_SHORT ? TRUNCATED : BAD_HEADER, XDP_DROP);
	if (!read_flow(ctx, &layers, &flow))
		return ends(TRUNCATED, XDP_DROP);
	if (!is_group(&flow.destination))
		return to_ports(ALL_PORTS, who.port, FLOODED);
	__u32 kind = kind_of_report(ctx, &layers);
	if (kind)
		return switch_report(ctx, &layers, &flow, &who, kind);
	return switch_group(&flow, &who);
}

char LICENSE[] SEC("license") = "Apache-2.0";
