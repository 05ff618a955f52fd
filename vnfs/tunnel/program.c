/* Tunnels of IP in IP, GRE and VXLAN, over IPv4 and IPv6: what comes through one comes out, what a route leads into one goes in.
 *
 * What comes out passes, what goes in is sent (XDP_TX). All else is dropped; for Linux, where a stack waits behind the
 * program, say -DFOREIGN=XDP_PASS.
 */
#include "decapsulate.h"
#include "encapsulate.h"

#ifndef FOREIGN
#define FOREIGN XDP_DROP
#endif

SEC("xdp") int tunnel(struct xdp_md *ctx)
{
	struct layers layers = {};
	int found = find_layers(ctx, &layers), verdict = -1, unknown;

	if (found == FOUND_IP)
		verdict = out_of(ctx, &layers);
	unknown = verdict == UNKNOWN;
	if (verdict < 0) /* a broken IP packet may well be bridged: it is none of a bridge's business */
		verdict = bridge_into(ctx, &layers, found == FOUND_IP);
	if (verdict < 0 && found == FOUND_IP)
		verdict = route_into(ctx, &layers);
	if (verdict >= 0)
		return verdict;
	if (found == FOUND_IP || found == FOUND_OTHER)
		return ends(unknown ? UNKNOWN_TUNNEL : NOT_OURS, FOREIGN);
	return ends(found == FOUND_SHORT ? TRUNCATED : BAD_HEADER, XDP_DROP);
}

char LICENSE[] SEC("license") = "Apache-2.0";
