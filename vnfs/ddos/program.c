/* Guard against floods: block lists, rates by source, and SYN cookies with a whole handshake, for IPv4 and IPv6.
 *
 * The guard answers a SYN by a cookie and keeps nothing. Whoever acknowledges it is real: then the server gets a SYN of the guard,
 * whose answer the guard acknowledges, and from then on only the server's sequence numbers differ from those that the client knows.
 * One packet in makes at most one out, so what a client sends before the server has answered is dropped and comes once more.
 */
#include "limits.h"
#include "segment.h"

struct packet {
	struct layers layers;
	struct flow flow;
	__u32 sequence, acknowledgement; /* host order */
	__u32 flags;
};

static __always_inline int is_begin(__u32 flags)
{
	return (flags & (FLAG_SYN | FLAG_ACK | FLAG_RST | FLAG_FIN)) == FLAG_SYN;
}

static __always_inline void live(struct connection *connection)
{
	__u64 seconds = connection->state == OPEN ? IDLE_SECONDS : CLOSED_SECONDS;

	connection->until = bpf_ktime_get_ns() + seconds * SECOND;
}

static __always_inline int answer_by_cookie(struct xdp_md *ctx, struct packet *packet, struct config *config)
{
	struct segment segment = {.flags = FLAG_SYN | FLAG_ACK, .back = 1};
	__u32 index = index_of(read_size(ctx, &packet->layers));

	segment.sequence = cookie_of(&packet->flow, packet->sequence, this_period() << 3 | index, config);
	segment.acknowledgement = packet->sequence + 1;
	segment.mss = packet->layers.version == 4 ? 1460 : 1440;
	if (!write_segment(ctx, &packet->layers, &packet->flow, &segment))
		return ends(TRUNCATED, XDP_DROP);
	return ends(COOKIE_SENT, XDP_TX);
}

/* The client's packet becomes the SYN that the server should have had. */
static __always_inline int begin_at_server(struct xdp_md *ctx, struct packet *packet, const struct connection *connection, int reason)
{
	struct segment segment = {.flags = FLAG_SYN, .mss = connection->mss};

	segment.sequence = connection->number;
	if (!write_segment(ctx, &packet->layers, &packet->flow, &segment))
		return ends(TRUNCATED, XDP_DROP);
	return ends(reason, XDP_PASS);
}

static __always_inline int new_connection(struct xdp_md *ctx, struct packet *packet, const struct protection *server,
					  struct config *config)
{
	struct connection fresh = {.cookie = packet->acknowledgement - 1, .number = packet->sequence - 1};
	int is_answer = (packet->flags & (FLAG_SYN | FLAG_ACK | FLAG_RST)) == FLAG_ACK;

	if (is_answer)
		fresh.mss = check_cookie(&packet->flow, fresh.number, fresh.cookie, config);
	if (!fresh.mss)
		return server->mode == ALWAYS ? ends(COOKIE_BAD, XDP_DROP) : ends(PASSED, XDP_PASS);
	live(&fresh);
	bpf_map_update_elem(&connections, &packet->flow, &fresh, BPF_ANY);
	return begin_at_server(ctx, packet, &fresh, COOKIE_GOOD);
}

static __always_inline void see_end(struct connection *connection, __u32 flags)
{
	if (flags & (FLAG_FIN | FLAG_RST))
		connection->state = CLOSED;
	live(connection);
}

__noinline int to_server(struct xdp_md *ctx, struct packet *packet, struct config *config)
{
	if (!packet || !config)
		return XDP_ABORTED;
	struct protection *server = find_server(&packet->flow.destination);
	if (!server)
		return XDP_ABORTED;
	struct connection *connection = bpf_map_lookup_elem(&connections, &packet->flow);
	/* An open one is asked for by the server itself: it answers a SYN, whoever sent that (RFC 5961 4). */
	int again = connection && connection->state != OPEN && is_begin(packet->flags);
	if (connection && (again || connection->until <= bpf_ktime_get_ns())) {
		bpf_map_delete_elem(&connections, &packet->flow);
		connection = NULL;
	}
	if (!connection) {
		if (!is_begin(packet->flags))
			return new_connection(ctx, packet, server, config);
		return wants_cookie(server) ? answer_by_cookie(ctx, packet, config) : ends(PASSED, XDP_PASS);
	}
	if (connection->state == WAITING) {
		if (packet->flags & FLAG_RST)
			bpf_map_delete_elem(&connections, &packet->flow);
		return begin_at_server(ctx, packet, connection, EARLY);
	}
	see_end(connection, packet->flags);
	if (packet->flags & FLAG_ACK &&
	    !put_number(ctx, &packet->layers, ACKNOWLEDGEMENT_OFFSET, packet->acknowledgement - connection->delta))
		return ends(TRUNCATED, XDP_DROP);
	return ends(TO_SERVER, XDP_PASS);
}

/* The server's answer to the guard's SYN. */
static __always_inline int finish_handshake(struct xdp_md *ctx, struct packet *packet, struct connection *connection)
{
	struct segment segment = {.flags = FLAG_ACK, .back = 1};

	connection->delta = connection->cookie - packet->sequence;
	if (connection->state == WAITING)
		connection->state = OPEN;
	live(connection);
	segment.sequence = connection->number + 1;
	segment.acknowledgement = packet->sequence + 1;
	if (!write_segment(ctx, &packet->layers, &packet->flow, &segment))
		return ends(TRUNCATED, XDP_DROP);
	return ends(HANDSHAKE_DONE, XDP_TX);
}

/* From a server: of a connection that a cookie began, or -1. */
__noinline int to_client(struct xdp_md *ctx, struct packet *packet)
{
	struct flow key;

	if (!packet)
		return XDP_ABORTED;
	turn_round(&packet->flow, &key);
	struct connection *connection = bpf_map_lookup_elem(&connections, &key);
	if (!connection || connection->until <= bpf_ktime_get_ns())
		return -1;
	__u32 both = packet->flags & (FLAG_SYN | FLAG_ACK);
	if (both == (FLAG_SYN | FLAG_ACK) && packet->acknowledgement == connection->number + 1)
		return finish_handshake(ctx, packet, connection);
	/* A server that refuses has no sequence number of its own (RFC 9293 3.10.7.1). */
	__u32 sequence = packet->sequence + connection->delta;
	if (connection->state == WAITING) {
		if (!(packet->flags & FLAG_RST))
			return ends(EARLY, XDP_DROP);
		sequence = connection->cookie + 1;
	}
	see_end(connection, packet->flags);
	if (!put_number(ctx, &packet->layers, SEQUENCE_OFFSET, sequence))
		return ends(TRUNCATED, XDP_DROP);
	return ends(TO_CLIENT, XDP_PASS);
}

/* The TCP header's numbers; -1, or why not. */
static __always_inline int read_tcp(struct xdp_md *ctx, struct packet *packet)
{
	__u8 *tcp = at(ctx, packet->layers.transport, TCP_HEADER_BYTES);
	int flags = tcp_flags(ctx, &packet->layers);

	if (!tcp || flags < 0)
		return TRUNCATED;
	__u32 length = (tcp[12] >> 4) * 4;
	if (length < TCP_HEADER_BYTES || packet->layers.transport + length > packet->layers.end)
		return BAD_HEADER;
	packet->flags = flags;
	packet->sequence = bpf_ntohl(*(__be32 *)(tcp + SEQUENCE_OFFSET));
	packet->acknowledgement = bpf_ntohl(*(__be32 *)(tcp + ACKNOWLEDGEMENT_OFFSET));
	if (flags & FLAG_SYN && flags & (FLAG_FIN | FLAG_RST))
		return BAD_FLAGS;
	return -1;
}

static __always_inline int tcp_packet(struct xdp_md *ctx, struct packet *packet, struct config *config)
{
	struct protection *server = find_server(&packet->flow.destination);
	int guarded = server && server->mode != NEVER;

	if (is_fragment(&packet->layers) || packet->layers.segments)
		return guarded ? ends(TCP_FRAGMENT, XDP_DROP) : ends(PASSED, XDP_PASS);
	int fault = read_tcp(ctx, packet);
	if (fault >= 0)
		return ends(fault, XDP_DROP);
	if (guarded)
		return to_server(ctx, packet, config);
	int verdict = to_client(ctx, packet);
	return verdict >= 0 ? verdict : ends(PASSED, XDP_PASS);
}

/* The verdict of lists and rates, or -1: go on. What servers send to others is looked at by neither. */
__noinline int judge_source(struct flow *flow)
{
	if (!flow)
		return XDP_ABORTED;
	if (find_server(&flow->source) && !find_server(&flow->destination))
		return -1;
	struct listed *listed = find_listed(&flow->source);
	if (listed)
		listed->packets += 1;
	if (listed && listed->list == LIST_BLOCK)
		return ends(BLOCKED, XDP_DROP);
	if (listed && listed->list == LIST_ALLOW)
		return ends(ALLOWED, XDP_PASS);
	return is_above_rate(flow) ? ends(LIMITED, XDP_DROP) : -1;
}

SEC("xdp") int ddos(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct config *settings = bpf_map_lookup_elem(&config, &zero);
	struct packet packet = {};
	int found = find_layers(ctx, &packet.layers);

	if (!settings)
		return XDP_ABORTED;
	if (found == FOUND_OTHER)
		return ends(NOT_IP, XDP_PASS);
	if (found != FOUND_IP)
		return ends(found == FOUND_SHORT ? TRUNCATED : BAD_HEADER, XDP_DROP);
	enum flow_found kind = read_whole_flow(ctx, &packet.layers, &packet.flow);
	if (kind == FLOW_SHORT)
		return ends(TRUNCATED, XDP_DROP);
	int verdict = judge_source(&packet.flow);
	if (verdict >= 0)
		return verdict;
	if (packet.flow.protocol != IPPROTO_TCP)
		return ends(PASSED, XDP_PASS);
	return tcp_packet(ctx, &packet, settings);
}

char LICENSE[] SEC("license") = "Apache-2.0";
