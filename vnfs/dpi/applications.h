/* Which application a payload is of, by how its first packets must begin; ports are no evidence. */
#pragma once

#include "state.h"

#define FOUR(a, b, c, d) (((__u32)(a) << 24) | ((b) << 16) | ((c) << 8) | (d))

static __always_inline __u32 four_at(const struct work *work, __u32 at)
{
	return (two_at(work, at) << 16) | two_at(work, at + 2);
}

static __always_inline int is_http(__u32 start, __u32 next)
{
	switch (start) {
	case FOUR('G', 'E', 'T', ' '):
	case FOUR('P', 'U', 'T', ' '):
		return (next >> 24) == '/' || (next >> 24) == 'h';
	case FOUR('P', 'O', 'S', 'T'):
	case FOUR('H', 'E', 'A', 'D'):
		return (next >> 24) == ' ';
	case FOUR('H', 'T', 'T', 'P'):
		return (next >> 16) == (('/' << 8) | '1');
	case FOUR('D', 'E', 'L', 'E'):
		return next == FOUR('T', 'E', ' ', '/');
	case FOUR('O', 'P', 'T', 'I'):
		return next == FOUR('O', 'N', 'S', ' ');
	case FOUR('P', 'A', 'T', 'C'):
		return (next >> 16) == (('H' << 8) | ' ');
	case FOUR('C', 'O', 'N', 'N'):
		return next == FOUR('E', 'C', 'T', ' ');
	}
	return 0;
}

static __always_inline enum application mail_or_files(const struct work *work, __u32 start, __u32 next)
{
	if (start == FOUR('E', 'H', 'L', 'O') || start == FOUR('H', 'E', 'L', 'O'))
		return SMTP;
	if (start == FOUR('*', ' ', 'O', 'K'))
		return IMAP;
	if ((start >> 8) == (FOUR(0, '+', 'O', 'K')))
		return POP3;
	if (start == FOUR('U', 'S', 'E', 'R') && (next >> 24) == ' ')
		return FTP;
	return UNKNOWN;
}

static __always_inline int is_dns(const struct work *work, __u32 at, __u32 length)
{
	__u32 flags = two_at(work, at + 2), questions = two_at(work, at + 4), answers = two_at(work, at + 6);

	/* RFC 1035 4.1.1: a query or an answer, standard or inverse or status, one question, few records. */
	if (length < at + 17 || ((flags >> 11) & 15) > 2 || (flags & 0x40) || questions != 1)
		return 0;
	if (!(flags & 0x8000) && answers)
		return 0;
	__u32 label = byte_at(work, at + 12);
	return answers < 64 && label < 64 && (!label || byte_at(work, at + 13) > ' ');
}

static __always_inline enum application of_tcp(const struct work *work)
{
	__u32 start = four_at(work, 0), next = four_at(work, 4), length = work->length;

	if ((start >> 16) == 0x1603 && ((start >> 8) & 0xff) <= 4 && (byte_at(work, 5) == 1 || byte_at(work, 5) == 2))
		return TLS;
	if (is_http(start, next))
		return HTTP;
	if (start == FOUR('S', 'S', 'H', '-'))
		return SSH;
	if ((start >> 16) == 0x0300 && byte_at(work, 5) == 0xe0 && two_at(work, 2) <= 512)
		return RDP;
	if (start == FOUR(19, 'B', 'i', 't') && next == FOUR('T', 'o', 'r', 'r'))
		return BITTORRENT;
	if ((start >> 24) == 0x10 && two_at(work, 2) == 4 && next == FOUR('M', 'Q', 'T', 'T'))
		return MQTT;
	if (start == FOUR('S', 'I', 'P', '/') || (start == FOUR('I', 'N', 'V', 'I') && next == FOUR('T', 'E', ' ', 's')))
		return SIP;
	if (length >= 19 && (start >> 16) == length - 2 && is_dns(work, 2, length))
		return DNS;
	return mail_or_files(work, start, next);
}

static __always_inline enum application of_udp(const struct work *work, __u32 whole)
{
	__u32 start = four_at(work, 0), next = four_at(work, 4), length = work->length;

	if (length >= 20 && !(start >> 30) && next == 0x2112a442 && (start & 0xffff) == whole - 20)
		return STUN; /* RFC 8489 5 */
	if (length >= 240 && four_at(work, 236) == 0x63825363 && (start >> 24) - 1 < 2)
		return DHCP; /* RFC 2131 3 */
	if (whole == 148 && start == 0x01000000)
		return WIREGUARD;
	if (whole == 92 && start == 0x02000000)
		return WIREGUARD;
	if (start == FOUR('S', 'I', 'P', '/') || (start == FOUR('I', 'N', 'V', 'I') && next == FOUR('T', 'E', ' ', 's')) ||
	    (start == FOUR('R', 'E', 'G', 'I') && next == FOUR('S', 'T', 'E', 'R')))
		return SIP;
	/* RFC 8999 5.1, RFC 9000 17.2.2: a long header with the fixed bit, version 1 or 2, a destination of 8 to 20 bytes. */
	__u32 version = (start << 8) | (next >> 24), destination = (next >> 16) & 0xff;
	if ((start >> 30) == 3 && whole >= 1200 && (version == 1 || version == 0x6b3343cf) && destination <= 20)
		return QUIC;
	if (is_dns(work, 0, length))
		return DNS;
	__u32 mode = (start >> 24) & 7, ntp = (start >> 27) & 7;
	if (whole >= 48 && whole <= 68 && ntp >= 3 && ntp <= 4 && mode >= 1 && mode <= 5 && ((start >> 16) & 0xff) <= 16)
		return NTP; /* RFC 5905 7.3 */
	return UNKNOWN;
}
