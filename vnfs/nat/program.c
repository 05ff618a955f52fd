/* NAPT for IPv4: hosts inside share one public address (RFC 3022, 4787, 5382, 5508).
 *
 * A host's port has one public port whatever it talks to. Which way a packet goes is said by its addresses, so it serves with
 * one NIC as well. What is nobody's is dropped; where a stack waits behind the program (Linux), say -DFOREIGN=XDP_PASS.
 */
#include "rewrite.h"

#ifndef FOREIGN
#define FOREIGN XDP_DROP
#endif

struct packet {
	struct layers layers;
	struct flow flow;
	struct rewrite to;
	__u32 from_inside, to_public; /* both: hairpin */
	__u8 link[6];                 /* of the host that it goes to */
	__u16 reason;                 /* as which it is counted when it passes */
};

/* The host's own port becomes one of the public address. */
static __always_inline int outbound(struct xdp_md *ctx, struct packet *packet, const struct config *config, int flags)
{
	struct inside key = {.host = packet->to.source, .port = packet->to.source_port};
	struct ethhdr *ethernet;

	key.slice = slice_of(packet->layers.protocol);
	int index = find_bound(&key);
	if (index < 0)
		index = new_binding(&key, config->seed);
	if (index < 0)
		return NO_PORT;
	__u32 place = index;
	struct binding *binding = bpf_map_lookup_elem(&bindings, &place);
	ethernet = at(ctx, 0, sizeof(*ethernet));
	if (binding && ethernet)
		__builtin_memcpy(binding->link, ethernet->h_source, ETH_ALEN);
	packet->to.source = config->public_address;
	packet->to.source_port = port_of(index);
	return see_packet(index, &packet->flow, flags, 0, 0);
}

/* The public port becomes the host's own. */
static __always_inline int inbound(struct packet *packet, const struct config *config, int flags)
{
	int index = find_port(slice_of(packet->layers.protocol), packet->to.destination_port);

	if (index < 0)
		return NO_BINDING;
	__u32 place = index;
	struct binding *binding = bpf_map_lookup_elem(&bindings, &place);
	if (!binding)
		return NO_BINDING;
	packet->to.destination = binding->host;
	packet->to.destination_port = binding->port;
	__builtin_memcpy(packet->link, binding->link, sizeof(packet->link));
	map_ip4(&packet->flow.source, packet->to.source); /* of a hairpin: as the other host knows it */
	packet->flow.source_port = packet->to.source_port;
	return see_packet(index, &packet->flow, flags, 1, config->filtering);
}

static __always_inline void name_whole(struct xdp_md *ctx, const struct packet *packet, struct whole *key)
{
	struct iphdr *ip = at(ctx, packet->layers.network, sizeof(*ip));

	key->source = packet->flow.source.word[3];
	key->destination = packet->flow.destination.word[3];
	key->id = ip ? ip->id : 0;
	key->protocol = packet->layers.protocol;
}

static __always_inline int later_fragment(struct xdp_md *ctx, struct packet *packet)
{
	struct whole key;

	name_whole(ctx, packet, &key);
	struct part *part = bpf_map_lookup_elem(&fragments, &key);
	if (!part || part->until < bpf_ktime_get_ns())
		return FRAGMENT_EARLY;
	packet->to.source = part->source;
	packet->to.destination = part->destination;
	packet->reason = part->reason;
	__builtin_memcpy(packet->link, part->link, sizeof(packet->link));
	return FINE;
}

static __always_inline void keep_first(const struct packet *packet, const struct whole *key)
{
	struct part part = {.source = packet->to.source, .destination = packet->to.destination};

	__builtin_memcpy(part.link, packet->link, sizeof(part.link));
	part.reason = packet->reason;
	part.until = bpf_ktime_get_ns() + FRAGMENT_SECONDS * SECOND;
	bpf_map_update_elem(&fragments, key, &part, BPF_ANY);
}

/* A request from inside or an answer from outside: other pings are for the translator itself, which has no ear. */
static __always_inline int check_echo(struct xdp_md *ctx, const struct packet *packet)
{
	__u8 *type = at(ctx, packet->layers.transport, 1);

	if (!type)
		return TRUNCATED;
	if (packet->from_inside)
		return *type == ICMP4_REQUEST && !packet->to_public ? FINE : NOT_TRANSLATED;
	return *type == ICMP4_REPLY ? FINE : NO_BINDING;
}

static __always_inline int whole_packet(struct xdp_md *ctx, struct packet *packet, struct config *config)
{
	int flags = 0, reason = FINE;
	struct whole key;

	name_whole(ctx, packet, &key);
	if (packet->layers.protocol == IPPROTO_TCP)
		flags = tcp_flags(ctx, &packet->layers);
	if (flags < 0)
		return TRUNCATED;
	if (packet->layers.protocol == IPPROTO_ICMP)
		reason = check_echo(ctx, packet);
	if (reason == FINE && packet->from_inside)
		reason = outbound(ctx, packet, config, flags);
	if (reason == FINE && packet->to_public)
		reason = inbound(packet, config, flags);
	if (reason == FINE && packet->layers.more)
		keep_first(packet, &key);
	packet->to.ported = 1;
	return reason;
}

/* What an error quotes, changed back to what its receiver sent or knows. */
static __always_inline int quoted_packet(struct xdp_md *ctx, struct packet *packet, const struct config *config,
					 struct layers *quoted, struct flow *flow)
{
	struct rewrite to = {.ported = 1, .quoted = 1};
	__u32 slice = slice_of(quoted->protocol);

	to.source = flow->source.word[3];
	to.destination = flow->destination.word[3];
	to.source_port = flow->source_port;
	to.destination_port = flow->destination_port;
	if (packet->to_public) {
		int index = to.source == config->public_address ? find_port(slice, to.source_port) : -1;
		__u32 place = index;
		struct binding *binding = index < 0 ? NULL : bpf_map_lookup_elem(&bindings, &place);

		if (!binding)
			return NO_BINDING;
		to.source = packet->to.destination = binding->host;
		to.source_port = binding->port;
		__builtin_memcpy(packet->link, binding->link, sizeof(packet->link));
	}
	if (packet->from_inside) {
		struct inside key = {.host = to.destination, .port = to.destination_port, .slice = slice};
		int index = find_bound(&key);

		if (index < 0)
			return NO_BINDING;
		to.destination = packet->to.source = config->public_address;
		to.destination_port = port_of(index);
	}
	int reason = rewrite_packet(ctx, quoted, &to);
	packet->to.spread = to.spread;
	return reason;
}

static __always_inline int error_packet(struct xdp_md *ctx, struct packet *packet, struct config *config)
{
	struct layers *layers = &packet->layers, quoted = {};
	__u32 place = layers->transport + ICMP_CHECKSUM;
	struct flow flow;

	if (is_fragment(layers))
		return FRAGMENT_BAD;
	if (fold(sum_packet(ctx, layers->transport, layers->end - layers->transport)) != 0xffff)
		return BAD_CHECKSUM;
	enum flow_found found = read_quoted(ctx, layers, &quoted, &flow);
	if (found == FLOW_SHORT)
		return TRUNCATED;
	if (found != FLOW_PORTS)
		return NO_BINDING;
	int reason = quoted_packet(ctx, packet, config, &quoted, &flow);
	__u16 *check = at(ctx, place, sizeof(*check));
	if (reason == FINE && check)
		*check = changed(*check, packet->to.spread);
	packet->reason = packet->to_public ? ERROR_INBOUND : ERROR_OUTBOUND;
	return reason;
}

__noinline int translate(struct xdp_md *ctx, struct packet *packet, struct config *config, int found)
{
	if (!packet || !config)
		return TRUNCATED;
	if (found == FLOW_SHORT)
		return TRUNCATED;
	if (packet->layers.offset)
		return later_fragment(ctx, packet);
	if (found == FLOW_ERROR)
		return error_packet(ctx, packet, config);
	return found == FLOW_PORTS ? whole_packet(ctx, packet, config) : NOT_TRANSLATED;
}

/* FINE: it is to be translated. */
static __always_inline int find_way(struct xdp_md *ctx, struct packet *packet, const struct config *config)
{
	packet->to.source = packet->flow.source.word[3];
	packet->to.destination = packet->flow.destination.word[3];
	packet->to.source_port = packet->flow.source_port;
	packet->to.destination_port = packet->flow.destination_port;
	packet->from_inside = is_inside(packet->to.source);
	packet->to_public = packet->to.destination == config->public_address;
	if (packet->from_inside && config->outside_nic && ctx->ingress_ifindex == config->outside_nic)
		return SPOOFED;
	int to_inside = is_inside(packet->to.destination);
	if (packet->from_inside ? to_inside : !packet->to_public)
		return packet->from_inside || !to_inside ? NOT_OURS : FILTERED;
	packet->reason = !packet->to_public ? OUTBOUND : packet->from_inside ? HAIRPIN : INBOUND;
	return FINE;
}

SEC("xdp") int nat(struct xdp_md *ctx)
{
	struct packet packet = {};
	struct config *config = read_config();
	int found = find_layers(ctx, &packet.layers);

	if (!config)
		return XDP_ABORTED;
	if (found == FOUND_OTHER || (found == FOUND_IP && packet.layers.version == 6))
		return ends(NOT_IP4, FOREIGN);
	if (found != FOUND_IP)
		return ends(found == FOUND_SHORT ? TRUNCATED : BAD_HEADER, XDP_DROP);
	if (!config->public_address)
		return ends(UNCONFIGURED, XDP_DROP);
	enum flow_found kind = read_whole_flow(ctx, &packet.layers, &packet.flow);
	int reason = find_way(ctx, &packet, config);
	if (reason == FINE)
		reason = translate(ctx, &packet, config, kind);
	if (reason == FINE)
		reason = rewrite_packet(ctx, &packet.layers, &packet.to);
	if (reason != FINE)
		return ends(reason, reason == NOT_OURS || (reason == NO_BINDING && !packet.from_inside) ? FOREIGN : XDP_DROP);
	if (packet.to_public)
		address_frame(ctx, packet.link, config->inside);
	else
		address_frame(ctx, config->gateway, config->ours);
	return ends(packet.reason, XDP_PASS);
}

char LICENSE[] SEC("license") = "Apache-2.0";
