/* What hosts and routers say: IGMPv1 to v3 (RFC 1112, 2236, 3376), MLDv1 and v2 (RFC 2710, 3810), as RFC 4541 reads it. */
#pragma once

#include "state.h"

#define MOST_RECORDS 16 /* of one report that are read */

#define IGMP_QUERY 0x11
#define IGMP_REPORT1 0x12
#define IGMP_REPORT2 0x16
#define IGMP_LEAVE 0x17
#define IGMP_REPORT3 0x22
#define MLD_QUERY 130
#define MLD_REPORT1 131
#define MLD_DONE 132
#define MLD_REPORT2 143

enum record {
	RECORD_IS_INCLUDE = 1,
	RECORD_IS_EXCLUDE,
	RECORD_TO_INCLUDE,
	RECORD_TO_EXCLUDE,
	RECORD_ALLOW,
	RECORD_BLOCK
};

/* Who says something, and when. */
struct speaker {
	__u32 port, vlan;
	__u64 now;
};

static __always_inline int is_group(const struct address *address)
{
	if (address->word[2] == bpf_htonl(0xffff) && !address->word[0] && !address->word[1])
		return (bpf_ntohl(address->word[3]) >> 28) == 14;
	return (bpf_ntohl(address->word[0]) >> 24) == 0xff;
}

/* Groups that nobody has to ask for: 224.0.0.0/24, and ff02::/16 but for what is asked for like others (RFC 4541 2.1.2, 3). */
static __always_inline int is_local(const struct address *address)
{
	if (address->word[2] == bpf_htonl(0xffff) && !address->word[0])
		return (bpf_ntohl(address->word[3]) >> 8) == 0xe00000;
	__u32 first = bpf_ntohl(address->word[0]) >> 16;
	return first == 0xff01 || first == 0xff02;
}

static __always_inline void join(const struct member_key *key, const struct speaker *who, const struct config *settings)
{
	struct until *until = bpf_map_lookup_elem(&groups, key), fresh = {};
	__u64 time = who->now + (settings->member_seconds ?: MEMBER_SECONDS) * SECOND;

	if (!until) {
		bpf_map_update_elem(&groups, key, &fresh, BPF_NOEXIST);
		until = bpf_map_lookup_elem(&groups, key);
	}
	if (until)
		extend(until, who->port, time);
	count(until ? JOINED : TABLE_FULL);
}

static __always_inline void leave(const struct member_key *key, const struct speaker *who, const struct config *settings)
{
	struct until *until = bpf_map_lookup_elem(&groups, key);
	__u64 last = settings->fast_leave ? 0 : who->now + (settings->leave_seconds ?: LEAVE_SECONDS) * SECOND;

	if (!until || !(ports_of(until, who->now) >> (who->port & 31) & 1))
		return;
	_Pragma("unroll") for (__u32 port = 0; port < PORTS; port++)
		if (port == who->port && until->port[port] > last)
			until->port[port] = last;
	count(LEFT);
	if (!ports_of(until, who->now))
		bpf_map_delete_elem(&groups, key);
}

/* One group, wanted or not any more. */
__noinline int change_group(struct member_key *key, struct speaker *who, __u32 wanted)
{
	__u32 zero = 0;
	struct config *settings = bpf_map_lookup_elem(&config, &zero);

	if (!key || !who || !settings)
		return 0;
	if (!is_group(&key->group)) {
		count(BAD_REPORT);
		return 0;
	}
	if (is_local(&key->group))
		return 0;
	if (wanted)
		join(key, who, settings);
	else
		leave(key, who, settings);
	return 0;
}

/* Reads the group at `offset`; 0: it is cut off. */
static __always_inline int read_group(struct xdp_md *ctx, __u32 offset, __u32 version, struct member_key *key)
{
	if (version == 6)
		return !bpf_xdp_load_bytes(ctx, offset, &key->group, sizeof(key->group));
	map_ip4(&key->group, 0);
	return !bpf_xdp_load_bytes(ctx, offset, &key->group.word[3], sizeof(__be32));
}

/* The records of a report of IGMPv3 or MLDv2. Sources are not kept: who wants some of a group gets the group. */
__noinline int read_records(struct xdp_md *ctx, struct layers *layers, struct speaker *who)
{
	struct member_key key = {};
	__be16 many;

	if (!layers || !who || bpf_xdp_load_bytes(ctx, layers->transport + 6, &many, sizeof(many)))
		return BAD_REPORT;
	key.vlan = who->vlan;
	__u32 offset = layers->transport + 8, address = layers->version == 6 ? 16 : 4;
	for (__u32 record = 0; record < MOST_RECORDS; record++) {
		__u8 head[4];

		if (record >= bpf_ntohs(many))
			return REASONS;
		if (offset + 4 + address > layers->end || bpf_xdp_load_bytes(ctx, offset, head, sizeof(head)) ||
		    !read_group(ctx, offset + 4, layers->version, &key))
			return BAD_REPORT;
		__u32 sources = (head[2] << 8) | head[3], kind = head[0];
		if (kind == RECORD_IS_EXCLUDE || kind == RECORD_TO_EXCLUDE)
			change_group(&key, who, 1);
		else if (kind == RECORD_IS_INCLUDE || kind == RECORD_TO_INCLUDE)
			change_group(&key, who, sources != 0);
		else if (kind == RECORD_ALLOW && sources)
			change_group(&key, who, 1);
		offset += 4 + address + sources * address + head[1] * 4;
	}
	return REASONS;
}

static __always_inline int read_single(struct xdp_md *ctx, const struct layers *layers, struct speaker *who, __u32 wanted)
{
	struct member_key key = {.vlan = who->vlan};

	if (!read_group(ctx, layers->transport + (layers->version == 6 ? 8 : 4), layers->version, &key))
		return BAD_REPORT;
	change_group(&key, who, wanted);
	return REASONS;
}

/* A query shows where a router is, if it has an address (RFC 4541 2.1.1). */
static __always_inline void see_router(const struct flow *flow, const struct speaker *who)
{
	__u32 zero = 0, vlan = who->vlan;
	struct config *settings = bpf_map_lookup_elem(&config, &zero);
	struct until *until = bpf_map_lookup_elem(&routers, &vlan), fresh = {};
	__u32 seconds = settings && settings->router_seconds ? settings->router_seconds : ROUTER_SECONDS;

	count(QUERIES);
	if (!flow->source.word[3])
		return;
	if (!until) {
		bpf_map_update_elem(&routers, &vlan, &fresh, BPF_NOEXIST);
		until = bpf_map_lookup_elem(&routers, &vlan);
	}
	if (until)
		extend(until, who->port, who->now + seconds * SECOND);
}

/* What a message of a kind means; *out gets the ports that are to hear of it: all after a query, else the routers. */
__noinline int hear(struct xdp_md *ctx, struct layers *layers, struct flow *flow, struct speaker *who, __u32 kind)
{
	if (!layers || !flow || !who)
		return BAD_REPORT;
	switch (kind) {
	case IGMP_QUERY:
	case MLD_QUERY:
		see_router(flow, who);
		return REASONS;
	case IGMP_REPORT1:
	case IGMP_REPORT2:
	case MLD_REPORT1:
		return read_single(ctx, layers, who, 1);
	case IGMP_LEAVE:
	case MLD_DONE:
		return read_single(ctx, layers, who, 0);
	case IGMP_REPORT3:
	case MLD_REPORT2:
		return read_records(ctx, layers, who);
	}
	return REASONS;
}
