/* Reads what packets carry through an automaton that looks for all contents at once (Aho and Corasick, 1975), then asks the rules.
 *
 * A TCP segment that continues the one before it is read on from where that ended, so a content may lie across both.
 */
#pragma once

#include "state.h"

#define CHUNK 64
#define MOST_CHUNKS 64 /* 4 KiB: all of a frame */
#define PASSES 0
#define STOPS 1

struct scan {
	__u8 bytes[CHUNK];
	__u64 contents[CONTENT_WORDS];
	__u32 state;
	__u32 left;
};

static long read_byte(__u64 number, void *given)
{
	struct scan *scan = given;
	__u32 at = number, key = scan->state;
	struct state *state;

	if (at >= scan->left || at >= CHUNK)
		return 1;
	state = bpf_map_lookup_elem(&states, &key);
	if (!state)
		return 1;
	key = state->next[scan->bytes[at]];
	scan->state = key;
	state = bpf_map_lookup_elem(&states, &key);
	if (!state)
		return 1;
	_Pragma("unroll") for (__u32 i = 0; i < CONTENT_WORDS; i++)
		scan->contents[i] |= state->contents[i];
	return 0;
}

struct reading {
	struct xdp_md *ctx;
	struct scan scan;
	__u32 offset, end;
};

static long read_chunk(__u64 number, void *given)
{
	struct reading *reading = given;
	__u64 left = reading->end - reading->offset;

	if (reading->offset >= reading->end)
		return 1;
	if (left > CHUNK)
		left = CHUNK;
	OPAQUE(left);
	if (!left || left > CHUNK || bpf_xdp_load_bytes(reading->ctx, reading->offset, reading->scan.bytes, left))
		return 1;
	reading->scan.left = left;
	reading->offset += left;
	bpf_loop(CHUNK, read_byte, &reading->scan, 0);
	return 0;
}

struct finding {
	struct ends ends;
	__u64 contents[CONTENT_WORDS], before[CONTENT_WORDS];
	__u32 length;
	__u32 told, verdict;
	__u32 met;
	__u32 block, block_seconds, block_id; /* of the first rule that says so */
};

static __always_inline void tell(struct finding *finding, const struct rule *rule)
{
	struct alert *alert = NULL;

	if (finding->told < MOST_TOLD)
		alert = bpf_ringbuf_reserve(&alerts, sizeof(*alert), 0);
	if (!alert) {
		count(ALERT_LOST);
		return;
	}
	finding->told += 1;
	alert->time = bpf_ktime_get_ns();
	alert->flow = finding->ends.flow;
	alert->id = rule->id;
	alert->action = rule->action;
	alert->length = finding->length;
	alert->reserved = 0;
	bpf_ringbuf_submit(alert, 0);
	count(TOLD);
}

/* Whether all its contents are there, and not all of them were before: a stream is told of once. */
static __always_inline int is_new(const struct finding *finding, const struct rule *rule)
{
	__u64 missing = 0, missed = 0, any = 0;

	_Pragma("unroll") for (__u32 i = 0; i < CONTENT_WORDS; i++) {
		missing |= rule->contents[i] & ~finding->contents[i];
		missed |= rule->contents[i] & ~finding->before[i];
		any |= rule->contents[i];
	}
	return !missing && (missed || !any);
}

static long ask_rule(__u64 number, void *given)
{
	struct finding *finding = given;
	__u32 index = number;
	struct rule *rule = bpf_map_lookup_elem(&rules, &index);

	if (!rule || rule->action == NO_RULE)
		return 1;
	if (!is_new(finding, rule) || !meets(&finding->ends, &rule->when))
		return 0;
	__u64 *hit = bpf_map_lookup_elem(&hits, &index);
	if (hit)
		*hit += 1;
	finding->met += 1;
	if (rule->action == DROP)
		finding->verdict = STOPS;
	if (rule->block && !finding->block) {
		finding->block = rule->block;
		finding->block_seconds = rule->block_seconds;
		finding->block_id = rule->id;
	}
	tell(finding, rule);
	return 0;
}

/* Where what is to be read begins; 0: the packet ends before. */
static __always_inline __u32 find_payload(struct xdp_md *ctx, const struct layers *layers, __u32 *sequence)
{
	__u32 offset = layers->transport;

	if (layers->offset)
		return offset;
	if (layers->protocol == IPPROTO_UDP || layers->protocol == IPPROTO_ICMP || layers->protocol == IPPROTO_ICMPV6)
		return offset + ICMP_HEADER_BYTES <= layers->end ? offset + ICMP_HEADER_BYTES : 0;
	if (layers->protocol != IPPROTO_TCP)
		return offset;
	__u8 *tcp = at(ctx, offset, TCP_HEADER_BYTES);
	if (!tcp || offset + TCP_HEADER_BYTES > layers->end)
		return 0;
	__u32 length = (tcp[12] >> 4) * 4;
	*sequence = bpf_ntohl(*(__be32 *)(tcp + 4)) + !!(tcp[TCP_FLAGS_OFFSET] & FLAG_SYN);
	return length >= TCP_HEADER_BYTES && offset + length <= layers->end ? offset + length : 0;
}

static __always_inline void take_up(const struct flow *flow, __u32 sequence, __u32 generation, struct scan *scan)
{
	struct stream *stream = bpf_map_lookup_elem(&streams, flow);

	if (!stream || stream->next != sequence || stream->generation != generation)
		return;
	scan->state = stream->state;
	_Pragma("unroll") for (__u32 i = 0; i < CONTENT_WORDS; i++)
		scan->contents[i] = stream->contents[i];
	count(CONTINUED);
}

static __always_inline void put_down(const struct flow *flow, __u32 sequence, __u32 generation, const struct scan *scan)
{
	struct stream stream = {.next = sequence, .state = scan->state, .generation = generation};

	_Pragma("unroll") for (__u32 i = 0; i < CONTENT_WORDS; i++)
		stream.contents[i] = scan->contents[i];
	bpf_map_update_elem(&streams, flow, &stream, BPF_ANY);
}

/* Reads the packet and asks the rules; the finding says what they said. */
__noinline int inspect(struct xdp_md *ctx, struct layers *layers, struct finding *finding, __u32 generation)
{
	__u32 sequence = 0;
	struct reading reading = {.ctx = ctx};
	struct scan *scan = &reading.scan;

	if (!layers || !finding)
		return TRUNCATED;
	struct flow flow = finding->ends.flow;
	__u32 offset = find_payload(ctx, layers, &sequence);
	if (!offset)
		return TRUNCATED;
	int is_stream = flow.protocol == IPPROTO_TCP && !is_fragment(layers) && offset < layers->end;
	if (is_stream)
		take_up(&flow, sequence, generation, scan);
	_Pragma("unroll") for (__u32 i = 0; i < CONTENT_WORDS; i++)
		finding->before[i] = scan->contents[i];
	reading.offset = offset;
	reading.end = layers->end;
	bpf_loop(MOST_CHUNKS, read_chunk, &reading, 0);
	if (is_stream)
		put_down(&flow, sequence + layers->end - offset, generation, scan);
	_Pragma("unroll") for (__u32 i = 0; i < CONTENT_WORDS; i++)
		finding->contents[i] = scan->contents[i];
	finding->length = length_of(ctx);
	bpf_loop(RULES, ask_rule, finding, 0);
	return finding->met ? SUSPECT : CLEAN;
}

/* The reason: CLEAN or SUSPECT when it was read. */
static __always_inline int read_packet(struct xdp_md *ctx, struct layers *layers, struct flow *flow)
{
	int found = find_layers(ctx, layers);

	if (found == FOUND_OTHER)
		return NOT_IP;
	if (found != FOUND_IP)
		return found == FOUND_SHORT ? TRUNCATED : BAD_HEADER;
	return read_whole_flow(ctx, layers, flow) == FLOW_SHORT ? TRUNCATED : CLEAN;
}
