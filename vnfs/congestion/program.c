/* Congestion control before a queue: RED or CoDel on virtual queues, which tell by ECN (RFC 3168) who understands it and drop
 * the packets of who does not.
 */
#include "codel.h"
#include "red.h"

#define ECN_MASK 3
#define ECN_NOT 0
#define ECN_CE 3

/* The first 16 bits of the IP header, in which IPv4 and IPv6 have their traffic class. */
static __always_inline __u32 shift_of(const struct layers *layers)
{
	return layers->version == 6 ? 4 : 0;
}

static __always_inline int mark(struct xdp_md *ctx, const struct layers *layers, __u16 word)
{
	__u16 marked = word | bpf_htons(ECN_CE << shift_of(layers)), checksum = 0;

	bpf_xdp_store_bytes(ctx, layers->network, &marked, sizeof(marked));
	if (layers->version == 4 && !bpf_xdp_load_bytes(ctx, layers->network + 10, &checksum, sizeof(checksum)))
		put_checksum(ctx, layers->network + 10, changed(checksum, without(word) + marked));
	return ends(MARKED, XDP_PASS);
}

/* Whether this packet has to be told of congestion. */
__noinline int says(struct queue *queue, struct config *settings, __u32 bytes)
{
	__u64 now = bpf_ktime_get_ns();

	if (!queue || !settings || !settings->rate)
		return 0;
	__u64 idle = queue->backlog || !queue->drained ? 0 : now - queue->drained;
	drain(queue, settings, now);
	if (settings->limit && queue->backlog + bytes > settings->limit)
		return DROPPED_FULL;
	int told = 0;
	if (settings->mode == MODE_RED) {
		if (idle)
			age_mean(queue, settings, idle);
		move_mean(queue, settings);
		told = red_says(queue, settings);
	} else if (settings->mode == MODE_CODEL) {
		told = codel_says(queue, settings, now);
	}
	queue->backlog += bytes;
	return told ? MARKED : PASSED;
}

static __always_inline int drop(struct queue *queue, __u32 bytes, enum reason reason)
{
	__sync_fetch_and_add(&queue->dropped, 1);
	if (reason == DROPPED_EARLY && queue->backlog >= bytes)
		queue->backlog -= bytes; /* it never comes to the queue */
	return ends(reason, XDP_DROP);
}

SEC("xdp") int congestion(struct xdp_md *ctx)
{
	struct layers layers = {};
	int found = find_layers(ctx, &layers);
	__u32 bytes = length_of(ctx), number = 0, class = 0;
	__u16 word = 0;

	if (found == FOUND_IP && !bpf_xdp_load_bytes(ctx, layers.network, &word, sizeof(word))) {
		class = (bpf_ntohs(word) >> (shift_of(&layers) + 2)) & 63;
		__u32 *chosen = bpf_map_lookup_elem(&classes, &class);
		number = chosen ? *chosen : 0;
	}
	struct queue *queue = bpf_map_lookup_elem(&queues, &number);
	struct config *settings = bpf_map_lookup_elem(&config, &number);
	if (!queue || !settings)
		return ends(PASSED, XDP_PASS);
	int said = says(queue, settings, bytes);
	if (said == DROPPED_FULL)
		return drop(queue, bytes, DROPPED_FULL);
	if (found != FOUND_IP)
		return ends(found == FOUND_OTHER ? NOT_IP : found == FOUND_SHORT ? TRUNCATED : BAD_HEADER, XDP_PASS);
	__u32 ecn = (bpf_ntohs(word) >> shift_of(&layers)) & ECN_MASK;
	if (said == MARKED && ecn != ECN_CE && (ecn == ECN_NOT || settings->no_ecn))
		return drop(queue, bytes, DROPPED_EARLY);
	__sync_fetch_and_add(&queue->passed, 1);
	if (said != MARKED)
		return ends(PASSED, XDP_PASS);
	if (ecn == ECN_CE)
		return ends(MARKED_BEFORE, XDP_PASS);
	__sync_fetch_and_add(&queue->marked, 1);
	return mark(ctx, &layers, word);
}

char LICENSE[] SEC("license") = "Apache-2.0";
