/* What all fragments of a packet have in common (RFC 791 2.3, RFC 8200 4.5). */
#pragma once

#include "flow.h"

struct whole {
	struct address source, destination;
	__be32 id;
	__u32 protocol;
};

/* 0: its header is not there. */
static __always_inline int name_whole(struct xdp_md *ctx, const struct layers *layers, const struct flow *flow, struct whole *key)
{
	key->source = flow->source;
	key->destination = flow->destination;
	key->protocol = layers->version == 4 ? layers->protocol : 0;
	key->id = 0;
	if (layers->version == 4) {
		struct iphdr *ip = at(ctx, layers->network, sizeof(*ip));

		key->id = ip ? ip->id : 0;
		return ip != NULL;
	}
	__be32 *id = at(ctx, layers->fragment + 4, sizeof(*id));
	key->id = id ? *id : 0;
	return id != NULL;
}
