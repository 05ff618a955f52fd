/* An access concentrator: PPPoE (RFC 2516) with LCP and IPCP in front of an IPv4 core.
 *
 * What comes out of a session passes; what a host is to get, answers and packets from the core, is sent, XDP_TX.
 */
#include "control.h"
#include "discovery.h"
#include "traffic.h"

#ifndef FOREIGN
#define FOREIGN XDP_DROP
#endif

static __always_inline int in_session(struct xdp_md *ctx, struct layers *layers, struct config *settings)
{
	struct pppoe head = {};
	struct host host = {};

	if (bpf_xdp_load_bytes(ctx, layers->network, &head, sizeof(head)) || !read_host(ctx, layers, &host))
		return ends(TRUNCATED, XDP_DROP);
	__u32 number = bpf_ntohs(head.session), protocol = bpf_ntohs(head.protocol), length = bpf_ntohs(head.length);
	layers->end = layers->network + PPPOE_BYTES + length;
	if (head.kind != 0x11 || head.code || length < 2)
		return ends(BAD_HEADER, XDP_DROP);
	if (layers->end > length_of(ctx) || length > MOST_PAYLOAD + 2)
		return ends(TRUNCATED, XDP_DROP);
	struct session *session = number ? bpf_map_lookup_elem(&sessions, &number) : NULL;
	__u64 now = bpf_ktime_get_ns();
	if (!session || !is_alive(session, now) || !is_same_host(&session->host, &host))
		return ends(UNKNOWN_SESSION, XDP_DROP);
	session->until = now + SESSION_SECONDS * SECOND;
	if (protocol == PPP_IP4)
		return go_up(ctx, layers, settings, session, number);
	if (protocol == PPP_LCP || protocol == PPP_IPCP)
		return control(ctx, layers, settings, session, (protocol << 16) | number);
	return session->state < LCP_OPEN ? ends(NOT_OPEN, XDP_DROP)
					 : reject_protocol(ctx, layers, settings, session, (protocol << 16) | number);
}

SEC("xdp") int bras(struct xdp_md *ctx)
{
	struct layers layers = {};
	__u32 zero = 0;
	struct config *settings = bpf_map_lookup_elem(&config, &zero);
	int found = find_link(ctx, &layers);

	if (!settings)
		return XDP_ABORTED;
	if (found == FOUND_OTHER && (layers.type == TYPE_DISCOVERY || layers.type == TYPE_SESSION)) {
		if (!(settings->access[0] | settings->access[1] | settings->access[2] | settings->access[3] |
		      settings->access[4] | settings->access[5]))
			return ends(NOT_OURS, FOREIGN);
		if (layers.type == TYPE_DISCOVERY)
			return discover(ctx, &layers, settings);
		return in_session(ctx, &layers, settings);
	}
	if (found == FOUND_OTHER && layers.type == ETH_P_IP) {
		found = find_ip4(ctx, layers.network, &layers);
		if (found == FOUND_IP && layers.end <= length_of(ctx))
			return go_down(ctx, &layers, settings);
		return ends(found == FOUND_BAD ? BAD_HEADER : TRUNCATED, XDP_DROP);
	}
	if (found == FOUND_OTHER)
		return ends(NOT_OURS, FOREIGN);
	return ends(found == FOUND_SHORT ? TRUNCATED : BAD_HEADER, XDP_DROP);
}

char LICENSE[] SEC("license") = "Apache-2.0";
