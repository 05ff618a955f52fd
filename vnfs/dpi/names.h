/* Host names: of TLS from the ClientHello (RFC 8446 4.1.2, RFC 6066 3), of HTTP from the field Host (RFC 9112 3.2). */
#pragma once

#include "state.h"

#define MOST_TLS_EXTENSIONS 32
#define HELLO_SESSION 43 /* offset of the session's length: record 5, message 4, version 2, random 32 */

/* Copies a name: lower case, up to its end, a colon (a port) or a space. */
__noinline int take_name(struct work *work)
{
	if (!work)
		return 0;
	work->taken = 0;
	for (__u32 i = 0; i < NAME_BYTES - 1; i++) {
		__u32 at = work->name_at + i, letter = lower(byte_at(work, at));

		if (i >= work->name_bytes || at >= work->length || letter <= ' ' || letter == ':' || letter >= 127)
			break;
		work->sighting.name[i] = letter;
		work->taken = i + 1;
	}
	return 0;
}

/* Where the name of a server stands; 0: it is not in what we have. */
__noinline int find_server_name(struct work *work)
{
	if (!work)
		return 0;
	__u32 at = HELLO_SESSION + 1 + byte_at(work, HELLO_SESSION);
	at += 2 + two_at(work, at);      /* cipher suites */
	at += 1 + byte_at(work, at) + 2; /* compression, length of all extensions */
	for (__u32 extension = 0; extension < MOST_TLS_EXTENSIONS; extension++) {
		if (at + 9 > work->length || at > WINDOW)
			return 0;
		if (two_at(work, at) == 0) /* server_name: list, one of kind host_name */
			return byte_at(work, at + 6) == 0 ? at + 7 : 0;
		at += 4 + two_at(work, at + 2);
	}
	return 0;
}

/* Where the value of the field Host begins; 0: it is not in what we have. */
__noinline int find_host(struct work *work)
{
	static const char field[] = "\nhost:";
	__u32 matched = 0;

	if (!work)
		return 0;
	for (__u32 at = 0; at < WINDOW; at++) {
		__u32 letter = lower(work->bytes[at]), wanted;

		if (at >= work->length)
			return 0;
		wanted = field[matched < sizeof(field) - 1 ? matched : 0];
		matched = letter == wanted ? matched + 1 : letter == '\n';
		if (matched == sizeof(field) - 1) {
			__u32 next = byte_at(work, at + 1);

			return next == ' ' || next == '\t' ? at + 2 : at + 1;
		}
	}
	return 0;
}

/* The rule of the longest ending of the name; -1: there is none. */
__noinline int rule_of_name(struct work *work)
{
	if (!work)
		return -1;
	for (__u32 i = 0; i < NAME_BYTES; i++) {
		__u32 left = work->taken - i; /* it is at most NAME_BYTES - 1 */
		__u64 from = left - 1;

		OPAQUE(from);
		work->key.text[i] = left == 0 ? '.' : from < NAME_BYTES ? work->sighting.name[from] : 0;
	}
	work->key.bits = NAME_BYTES * 8;
	struct name_rule *rule = bpf_map_lookup_elem(&names, &work->key);
	if (!rule)
		return -1;
	__sync_fetch_and_add(&rule->hits, 1);
	return rule->action;
}
