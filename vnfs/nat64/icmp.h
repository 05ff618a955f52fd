/* The kinds of ICMP errors and what they become (RFC 7915 4.2 and 5.2). */
#pragma once

#include "headers.h"

struct error {
	__u8 type, code;
	__be16 checksum;
	__be32 rest; /* MTU, pointer or nothing */
};

#define UNREACHABLE4 3
#define EXCEEDED4 11
#define PARAMETER4 12
#define UNREACHABLE6 1
#define TOO_BIG6 2
#define EXCEEDED6 3
#define PARAMETER6 4
#define LEAST_MTU6 1280

static __always_inline __u32 mtu6(const struct config *config) { return config->mtu6 ?: 1500; }
static __always_inline __u32 mtu4(const struct config *config) { return config->mtu4 ?: 1500; }

static __always_inline int pointer_to_6(__u32 pointer)
{
	static const __s8 rows[20] = {0, 1, 4, 4, -1, -1, -1, -1, 7, 6, -1, -1, 8, 8, 8, 8, 24, 24, 24, 24};

	if (pointer >= sizeof(rows))
		return -1;
	OPAQUE(pointer);
	return pointer < sizeof(rows) ? rows[pointer] : -1;
}

static __always_inline int pointer_to_4(__u32 pointer)
{
	if (pointer >= 24)
		return pointer < 40 ? 16 : -1;
	if (pointer >= 8)
		return 12;
	static const __s8 rows[8] = {0, 1, -1, -1, 2, 2, 9, 8};
	return rows[pointer];
}

static __always_inline int unreachable_to_6(struct error *error, const struct config *config)
{
	__u8 code = error->code;
	__u32 mtu = bpf_ntohs(error->rest >> 16);

	error->type = UNREACHABLE6;
	error->rest = 0;
	if (code == 2) { /* protocol: a parameter problem, at the next header */
		error->type = PARAMETER6;
		error->code = 1;
		error->rest = bpf_htonl(6);
	} else if (code == 3) {
		error->code = 4;
	} else if (code == 4) {
		error->type = TOO_BIG6;
		error->code = 0;
		mtu = mtu + 20 < LEAST_MTU6 ? LEAST_MTU6 : mtu + 20; /* older routers say 0 */
		error->rest = bpf_htonl(mtu > mtu6(config) ? mtu6(config) : mtu);
	} else if (code == 9 || code == 10 || code == 13 || code == 15) {
		error->code = 1;
	} else if (code <= 12) {
		error->code = 0;
	} else {
		return NOT_TRANSLATED;
	}
	return FINE;
}

static __always_inline int error_to_6(struct error *error, const struct config *config)
{
	if (error->type == UNREACHABLE4)
		return unreachable_to_6(error, config);
	if (error->type == EXCEEDED4) {
		error->type = EXCEEDED6;
		error->rest = 0;
		return FINE;
	}
	if (error->type != PARAMETER4 || (error->code != 0 && error->code != 2))
		return NOT_TRANSLATED;
	int pointer = pointer_to_6(bpf_ntohl(error->rest) >> 24);
	if (pointer < 0)
		return NOT_TRANSLATED;
	error->type = PARAMETER6;
	error->code = 0;
	error->rest = bpf_htonl(pointer);
	return FINE;
}

static __always_inline int error_to_4(struct error *error, const struct config *config)
{
	__u32 rest = bpf_ntohl(error->rest);

	error->rest = 0;
	if (error->type == UNREACHABLE6 && error->code <= 4) {
		error->code = error->code == 4 ? 3 : error->code == 1 ? 10 : 1;
		error->type = UNREACHABLE4;
		return FINE;
	}
	if (error->type == TOO_BIG6) {
		__u32 mtu = rest > 20 ? rest - 20 : 0;

		error->type = UNREACHABLE4;
		error->code = 4;
		error->rest = bpf_htonl(mtu > mtu4(config) ? mtu4(config) : mtu);
		return FINE;
	}
	if (error->type == EXCEEDED6) {
		error->type = EXCEEDED4;
		return FINE;
	}
	if (error->type != PARAMETER6)
		return NOT_TRANSLATED;
	if (error->code == 1) { /* unknown next header: no such protocol */
		error->type = UNREACHABLE4;
		error->code = 2;
		return FINE;
	}
	int pointer = pointer_to_4(rest);
	if (error->code != 0 || pointer < 0)
		return NOT_TRANSLATED;
	error->type = PARAMETER4;
	error->rest = bpf_htonl((__u32)pointer << 24);
	return FINE;
}
