/* IPv6 hosts reach IPv4, and the other way round: stateless for mapped hosts (SIIT), by bindings for all others (NAT64).
 *
 * RFC 7915 says how headers change, RFC 6052 how an IPv6 address embeds an IPv4 address, RFC 6146 what a binding is. What goes
 * to neither prefix nor pool is dropped; for Linux, where a stack waits behind the program, say -DFOREIGN=XDP_PASS.
 */
#include "to4.h"
#include "to6.h"

#ifndef FOREIGN
#define FOREIGN XDP_DROP
#endif

__noinline int four(struct xdp_md *ctx, struct layers *layers, struct config *config)
{
	return layers && config ? to_6(ctx, layers, config) : XDP_ABORTED;
}

__noinline int six(struct xdp_md *ctx, struct layers *layers, struct config *config)
{
	return layers && config ? to_4(ctx, layers, config) : XDP_ABORTED;
}

SEC("xdp") int nat64(struct xdp_md *ctx)
{
	struct config *config = read_config();
	struct layers layers = {};
	int found = find_layers(ctx, &layers);

	if (!config)
		return XDP_ABORTED;
	if (found == FOUND_OTHER)
		return ends(NOT_IP, FOREIGN);
	if (found != FOUND_IP)
		return ends(found == FOUND_SHORT ? TRUNCATED : BAD_HEADER, XDP_DROP);
	if (layers.end < length_of(ctx) && bpf_xdp_adjust_tail(ctx, (int)layers.end - (int)length_of(ctx)))
		return ends(TRUNCATED, XDP_DROP);
	int is6 = layers.version == 6;
	int verdict = is6 ? six(ctx, &layers, config) : four(ctx, &layers, config);
	if (verdict >= 0)
		return verdict;
	if (verdict != IS_ERROR)
		return is6 ? say_to_6(ctx, &layers, config, verdict) : say_to_4(ctx, &layers, config, verdict);
	return is6 ? error_packet_to_4(ctx, &layers, config) : error_packet_to_6(ctx, &layers, config);
}

char LICENSE[] SEC("license") = "Apache-2.0";
