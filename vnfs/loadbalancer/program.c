/* Layer 4 load balancer: Maglev hashing (Eisenbud et al., NSDI 2016), IPv4 and IPv6, by direct server return.
 *
 * A backend has the service's address itself and answers clients directly: only the frame's destination changes, so nothing else
 * of a packet does, checksums included. A new connection goes where its hash says, so that several balancers agree; known ones
 * go where they went before, whatever the table says now.
 */
#include "state.h"

#ifndef FOREIGN
#define FOREIGN XDP_DROP
#endif
#define NOBODY 0xffffffff
#define FINE REASONS

static __always_inline struct service *find_service(const struct flow *flow)
{
	struct service_key key = {.address = flow->destination, .port = flow->destination_port, .protocol = flow->protocol};

	if (flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6)
		key.port = 0;
	struct service *service = bpf_map_lookup_elem(&services, &key);
	if (service || !key.port)
		return service;
	key.port = 0;
	return bpf_map_lookup_elem(&services, &key);
}

static __always_inline __u32 health_of(__u32 number)
{
	struct backend *backend = bpf_map_lookup_elem(&backends, &number);

	return backend ? backend->health : DOWN;
}

/* The backend that the table says, or the next in it that takes connections. */
static __always_inline __u32 choose(const struct service *service, const struct flow *flow, __u32 seed)
{
	__u32 number = service->table;
	struct table *table = bpf_map_lookup_elem(&tables, &number);
	__u32 words = service->affinity == AFFINITY_CLIENT ? sizeof(flow->source) / 4 : sizeof(*flow) / 4;
	__u32 hash = words == sizeof(*flow) / 4 ? hash_words(flow, sizeof(*flow) / 4, seed)
						: hash_words(flow, sizeof(flow->source) / 4, seed);

	if (!table)
		return NOBODY;
	for (__u32 try = 0; try < TRIES; try++) {
		__u32 slot = (hash + try) % SLOTS;

		OPAQUE(slot);
		if (slot >= SLOTS)
			return NOBODY;
		__u32 backend = table->backend[slot];
		if (health_of(backend) == UP)
			return backend;
	}
	return NOBODY;
}

/* The backend of a flow to a service; `reason` says how it was found. */
__noinline int balance(struct flow *flow, __u32 seed, __u32 *reason, __u32 is_new)
{
	__u64 now = bpf_ktime_get_ns();

	if (!flow || !reason)
		return -1;
	struct service *service = find_service(flow);
	if (!service) {
		*reason = NOT_SERVICE;
		return -1;
	}
	struct connection *known = bpf_map_lookup_elem(&connections, flow);
	int lives = known && known->until > now && !is_new;
	*reason = lives ? KNOWN : CHOSEN;
	if (lives && health_of(known->backend) != DOWN) {
		known->until = now + IDLE_SECONDS * SECOND;
		return known->backend;
	}
	__u32 backend = choose(service, flow, seed);
	if (backend == NOBODY) {
		*reason = NO_BACKEND;
		return -1;
	}
	*reason = lives ? MOVED : CHOSEN;
	struct connection connection = {.until = now + IDLE_SECONDS * SECOND, .backend = backend};
	bpf_map_update_elem(&connections, flow, &connection, BPF_ANY);
	struct load *load = bpf_map_lookup_elem(&loads, &backend);
	if (load)
		load->connections += 1;
	return backend;
}

/* A TCP connection that begins: a SYN that is no repetition finds no entry, but ports are used again. */
static __always_inline int is_first(struct xdp_md *ctx, const struct layers *layers, struct flow *flow)
{
	struct connection *known;
	int flags = tcp_flags(ctx, layers);

	if (flags < 0 || (flags & (FLAG_SYN | FLAG_ACK)) != FLAG_SYN)
		return 0;
	known = bpf_map_lookup_elem(&connections, flow);
	return known && health_of(known->backend) != UP;
}

static __always_inline int later_fragment(struct xdp_md *ctx, const struct layers *layers, const struct flow *flow, __u32 *reason)
{
	struct whole key;
	struct part *part = NULL;

	if (name_whole(ctx, layers, flow, &key))
		part = bpf_map_lookup_elem(&fragments, &key);
	*reason = FRAGMENT_EARLY;
	if (!part || part->until < bpf_ktime_get_ns())
		return -1;
	*reason = FRAGMENT_SENT;
	return part->backend;
}

static __always_inline void keep_first(struct xdp_md *ctx, const struct layers *layers, const struct flow *flow, int backend)
{
	struct part part = {.until = bpf_ktime_get_ns() + FRAGMENT_SECONDS * SECOND, .backend = backend};
	struct whole key;

	if (name_whole(ctx, layers, flow, &key))
		bpf_map_update_elem(&fragments, &key, &part, BPF_ANY);
}

/* An error about what a backend sent goes to that backend (RFC 1191: else its path MTU is never found). */
static __always_inline int error_packet(struct xdp_md *ctx, struct layers *layers, __u32 seed, __u32 *reason)
{
	struct layers quoted = {};
	struct flow sent, flow;

	*reason = NOT_SERVICE;
	enum flow_found found = read_quoted(ctx, layers, &quoted, &sent);
	if (found == FLOW_SHORT)
		*reason = TRUNCATED;
	if (found != FLOW_PORTS)
		return -1;
	turn_round(&sent, &flow);
	struct service *service = find_service(&flow);
	if (!service)
		return -1;
	*reason = ERROR_SENT;
	struct connection *known = bpf_map_lookup_elem(&connections, &flow);
	if (known && known->until > bpf_ktime_get_ns())
		return known->backend;
	__u32 backend = choose(service, &flow, seed);
	if (backend == NOBODY)
		*reason = NO_BACKEND;
	return backend == NOBODY ? -1 : (int)backend;
}

static __always_inline int find_backend(struct xdp_md *ctx, struct layers *layers, __u32 seed, __u32 *reason)
{
	struct flow flow;
	enum flow_found found = read_whole_flow(ctx, layers, &flow);

	*reason = TRUNCATED;
	if (found == FLOW_SHORT)
		return -1;
	if (found == FLOW_ERROR)
		return error_packet(ctx, layers, seed, reason);
	if (layers->offset)
		return later_fragment(ctx, layers, &flow, reason);
	__u32 is_new = flow.protocol == IPPROTO_TCP ? is_first(ctx, layers, &flow) : 0;
	int backend = balance(&flow, seed, reason, is_new);
	if (backend >= 0 && layers->more)
		keep_first(ctx, layers, &flow, backend);
	return backend;
}

static __always_inline int send_to(struct xdp_md *ctx, __u32 number, const struct config *config)
{
	struct backend *backend = bpf_map_lookup_elem(&backends, &number);
	struct load *load = bpf_map_lookup_elem(&loads, &number);
	struct ethhdr *ethernet = at(ctx, 0, sizeof(*ethernet));
	const __u8 *ours = config->ours;

	if (!backend || !load || !ethernet)
		return 0;
	load->packets += 1;
	load->bytes += length_of(ctx);
	__builtin_memcpy(ethernet->h_dest, backend->link, ETH_ALEN);
	if (ours[0] | ours[1] | ours[2] | ours[3] | ours[4] | ours[5])
		__builtin_memcpy(ethernet->h_source, ours, ETH_ALEN);
	return 1;
}

SEC("xdp") int loadbalancer(struct xdp_md *ctx)
{
	__u32 zero = 0, reason = NOT_IP;
	struct config *settings = bpf_map_lookup_elem(&config, &zero);
	struct layers layers = {};
	int found = find_layers(ctx, &layers);

	if (!settings)
		return XDP_ABORTED;
	if (found == FOUND_OTHER)
		return ends(NOT_IP, FOREIGN);
	if (found != FOUND_IP)
		return ends(found == FOUND_SHORT ? TRUNCATED : BAD_HEADER, XDP_DROP);
	int backend = find_backend(ctx, &layers, settings->seed, &reason);
	if (backend < 0)
		return ends(reason, reason == NOT_SERVICE ? FOREIGN : XDP_DROP);
	return ends(reason, send_to(ctx, backend, settings) ? XDP_PASS : XDP_DROP);
}

char LICENSE[] SEC("license") = "Apache-2.0";
