/* Who talks to whom and how much: flows as RFC 7011 and 7012 describe them, told when they end; the largest talkers; totals.
 *
 * Flows live in a table of buckets with WAYS places. A flow that finds its bucket full takes the place of the one that was
 * silent for longest, which is told first: nothing is ever counted and not told. At each packet one place is looked at, round
 * and round, so that silent flows are told too, as long as anything comes by. Everything passes.
 */
#include <include/counters.h>
#include <include/flow.h>

#ifndef BUCKETS
#define BUCKETS 2048
#endif
#ifndef TOP_BUCKETS
#define TOP_BUCKETS 64
#endif
#define WAYS 4
#define SECOND 1000000000ull
#define ACTIVE_SECONDS 60 /* after which a flow that goes on is told, too */
#define IDLE_SECONDS 15
#define TCP_FLAGS 13
#define TCP_FIN 1
#define TCP_RST 4

enum reason {
	SEEN,
	NOT_IP,
	TRUNCATED,
	BAD_HEADER,
	NOT_SAMPLED,
	TOLD,
	UNTOLD, /* records that the ring had no room for: their flows' counts are lost to who reads it */
	REASONS
};
COUNTERS(REASONS)

struct config {
	__u32 active_seconds, idle_seconds; /* 0: 60 and 15 */
	__u32 sampling;                     /* one packet of so many is looked at; 0: all */
	__u32 is_off;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} config SEC(".maps");

/* Why a record is told: flowEndReason (RFC 5102 5.11.3). */
enum end { END_NONE, END_IDLE, END_ACTIVE, END_SEEN, END_FORCED, END_NO_ROOM };

struct record {
	struct flow flow;
	__u64 start, last; /* ktime, ns */
	__u64 packets, bytes; /* of IP, since the last record of this flow */
	__u8 flags;           /* all of TCP together */
	__u8 tos;             /* of the first packet */
	__u8 end;
	__u8 used;
	__u32 reserved;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BUCKETS * WAYS);
	__type(key, __u32);
	__type(value, struct record);
} flows SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} records SEC(".maps");

/* The largest talkers: who is not in a full bucket takes the smallest one's place and count, which is how much it may be
 * counted too high (Metwally, Agrawal, El Abbadi: Space-Saving).
 */
struct talker {
	struct address source;
	__u64 bytes, packets, too_high;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TOP_BUCKETS * WAYS);
	__type(key, __u32);
	__type(value, struct talker);
} talkers SEC(".maps");

struct total {
	__u64 packets, bytes;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct total);
} protocols SEC(".maps");

/* The place that is looked at next; packets until the next sample. */
struct hand {
	__u32 place, until_sample;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hand);
} hands SEC(".maps");

static __always_inline int is_same(const struct flow *one, const struct flow *other)
{
	const __u64 *ours = (const __u64 *)one, *theirs = (const __u64 *)other;
	__u64 differs = 0;

	_Pragma("unroll") for (__u32 i = 0; i < sizeof(*one) / 8; i++)
		differs |= ours[i] ^ theirs[i];
	return !differs;
}

/* Tells what was counted, and begins to count anew. */
static __always_inline void tell(struct record *record, enum end end)
{
	record->end = end;
	count(bpf_ringbuf_output(&records, record, sizeof(*record), 0) ? UNTOLD : TOLD);
	record->packets = record->bytes = 0;
	record->used = 0;
}

static __always_inline __u64 idle_time(const struct config *config)
{
	return (config->idle_seconds ?: IDLE_SECONDS) * SECOND;
}

static __always_inline void look_round(struct hand *hand, const struct config *config, __u64 now)
{
	__u32 place = hand->place % (BUCKETS * WAYS);
	struct record *record = bpf_map_lookup_elem(&flows, &place);

	hand->place = place + 1;
	if (record && record->used && now - record->last > idle_time(config))
		tell(record, END_IDLE);
}

/* The flow's place; if it had none, that of who was silent for longest. */
__noinline int find_place(struct flow *flow)
{
	__u32 oldest = 0;
	__u64 since = ~0ull;

	if (!flow)
		return 0;
	__u32 first = hash_of(flow, 1) % BUCKETS * WAYS;
	for (__u32 way = 0; way < WAYS; way++) {
		__u32 place = first + way;
		struct record *record = bpf_map_lookup_elem(&flows, &place);

		if (!record)
			return 0;
		if (record->used && is_same(&record->flow, flow))
			return place;
		__u64 last = record->used ? record->last : 0;
		if (last < since) {
			since = last;
			oldest = place;
		}
	}
	return oldest;
}

static __always_inline void begin(struct record *record, const struct flow *flow, __u8 tos, __u64 now)
{
	record->flow = *flow;
	record->start = now;
	record->packets = record->bytes = 0;
	record->flags = 0;
	record->tos = tos;
	record->used = 1;
}

static __always_inline void add(struct record *record, const struct config *config, __u32 bytes, __u8 flags, __u64 now)
{
	record->packets++;
	record->bytes += bytes;
	record->flags |= flags;
	record->last = now;
	if (flags & (TCP_FIN | TCP_RST))
		tell(record, END_SEEN);
	else if (now - record->start > (config->active_seconds ?: ACTIVE_SECONDS) * SECOND)
		tell(record, END_ACTIVE);
}

__noinline int add_talker(struct flow *flow, __u32 bytes)
{
	__u32 smallest = 0, hash = 2;
	__u64 least = ~0ull;

	if (!flow)
		return 0;
	_Pragma("unroll") for (int i = 0; i < 4; i++)
		hash = mix(hash, flow->source.word[i]);
	__u32 first = hash % TOP_BUCKETS * WAYS;
	for (__u32 way = 0; way < WAYS; way++) {
		__u32 place = first + way;
		struct talker *talker = bpf_map_lookup_elem(&talkers, &place);

		if (!talker)
			return 0;
		if (talker->packets && !__builtin_memcmp(&talker->source, &flow->source, sizeof(talker->source))) {
			talker->bytes += bytes;
			talker->packets++;
			return 0;
		}
		if (talker->bytes < least) {
			least = talker->bytes;
			smallest = place;
		}
	}
	struct talker *talker = bpf_map_lookup_elem(&talkers, &smallest);
	if (!talker)
		return 0;
	talker->source = flow->source;
	talker->too_high = talker->bytes;
	talker->bytes += bytes;
	talker->packets = 1;
	return 0;
}

static __always_inline int is_sampled(struct hand *hand, const struct config *config)
{
	if (hand->until_sample) {
		hand->until_sample--;
		return 0;
	}
	hand->until_sample = config->sampling ? config->sampling - 1 : 0;
	return 1;
}

static __always_inline void add_protocol(__u32 protocol, __u32 bytes)
{
	struct total *total = bpf_map_lookup_elem(&protocols, &protocol);

	if (!total)
		return;
	__sync_fetch_and_add(&total->packets, 1);
	__sync_fetch_and_add(&total->bytes, bytes);
}

SEC("xdp") int monitoring(struct xdp_md *ctx)
{
	struct layers layers = {};
	struct flow flow = {};
	__u32 zero = 0;
	struct config *settings = bpf_map_lookup_elem(&config, &zero);
	struct hand *hand = bpf_map_lookup_elem(&hands, &zero);

	if (!settings || !hand || settings->is_off)
		return XDP_PASS;
	__u64 now = bpf_ktime_get_ns();
	look_round(hand, settings, now);
	if (!is_sampled(hand, settings))
		return ends(NOT_SAMPLED, XDP_PASS);
	int found = find_layers(ctx, &layers);
	if (found == FOUND_OTHER)
		return ends(NOT_IP, XDP_PASS);
	if (found != FOUND_IP)
		return ends(found == FOUND_SHORT ? TRUNCATED : BAD_HEADER, XDP_PASS);
	__u8 flags = 0, head[2];
	if (!read_flow(ctx, &layers, &flow) || bpf_xdp_load_bytes(ctx, layers.network, head, sizeof(head)))
		return ends(TRUNCATED, XDP_PASS);
	if (layers.protocol == IPPROTO_TCP && !layers.offset &&
	    bpf_xdp_load_bytes(ctx, layers.transport + TCP_FLAGS, &flags, sizeof(flags)))
		return ends(TRUNCATED, XDP_PASS);
	__u32 bytes = layers.end - layers.network, place = find_place(&flow);
	struct record *record = bpf_map_lookup_elem(&flows, &place);
	if (!record)
		return XDP_PASS;
	if (record->used && !is_same(&record->flow, &flow))
		tell(record, now - record->last > idle_time(settings) ? END_IDLE : END_NO_ROOM);
	if (!record->used)
		begin(record, &flow, layers.version == 6 ? (head[0] << 4) | (head[1] >> 4) : head[1], now);
	add(record, settings, bytes, flags, now);
	add_talker(&flow, bytes);
	add_protocol(layers.protocol, bytes);
	return ends(SEEN, XDP_PASS);
}

char LICENSE[] SEC("license") = "Apache-2.0";
