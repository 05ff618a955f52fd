// Payloads: DNS names, HTTP methods, SIP and RTP, TLS, QUIC.
#include "common.h"

struct dns { __be16 id, flags, questions, answers, authorities, additions; };

// How many bytes of a name are looked at. The kernel follows each path through the loop: 255 are too many for it.
#ifndef NAME_BYTES
#define NAME_BYTES 24
#endif

// RFC 1035 3.1: labels, each a length and its bytes, read byte by byte.
FILTER int dns_name(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct dns *dns = data + 42;
    if ((void *)(dns + 1) > end) return XDP_PASS;
    if (dns->questions != bpf_htons(1)) return XDP_DROP;
    __u8 *p = (void *)(dns + 1);
    __u32 hash = 5381;
    int left = 0, labels = 0;
    for (int i = 0; i < NAME_BYTES; i++) {
        if ((void *)(p + 1) > end) return XDP_DROP;
        __u8 c = *p++;
        if (left == 0) {
            if (c == 0) break;
            if (c > 63) return XDP_DROP;
            left = c;
            labels++;
        } else {
            if (c >= 'A' && c <= 'Z') c += 32;
            hash = hash * 33 + c;
            left--;
        }
    }
    if ((void *)(p + 4) > end) return XDP_DROP;
    return labels > 8 || hash == 0x1234567 ? XDP_DROP : XDP_PASS;
}

// By labels: the inner loop runs over one.
FILTER int dns_labels(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    __u32 at = 42 + sizeof(struct dns), length = 0;
    for (int label = 0; label < 8; label++) {
        if (at > 300) return XDP_DROP;
        __u8 *p = data + at;
        if ((void *)(p + 1) > end) return XDP_DROP;
        length = *p;
        if (length == 0) return label < 2 ? XDP_DROP : XDP_PASS;
        if (length > 63) return XDP_DROP;
        at += length + 1;
    }
    return XDP_DROP;
}

struct name { char text[64]; };
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 128);
    __type(key, struct name);
    __type(value, __u32);
} blocked SEC(".maps");

// The name copied to the stack, zero-filled, as a key.
FILTER int dns_blocklist(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    char *p = data + 42 + sizeof(struct dns);
    struct name key;
    __builtin_memset(&key, 0, sizeof key);
    for (int i = 0; i < 63; i++) {
        if ((void *)(p + i + 1) > end || p[i] == 0) break;
        key.text[i] = p[i];
    }
    __u32 *hit = bpf_map_lookup_elem(&blocked, &key);
    return hit && *hit ? XDP_DROP : XDP_PASS;
}

INLINE int starts(const char *p, const char *with, int bytes) {
    for (int i = 0; i < bytes; i++) {
        if (p[i] != with[i]) return 0;
    }
    return 1;
}

FILTER int http_method(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + 14;
    if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_TCP) return XDP_PASS;
    __u32 size = ip->ihl * 4;
    struct tcphdr *tcp = (void *)ip + size;
    if ((void *)(tcp + 1) > end) return XDP_PASS;
    char *text = (void *)tcp + tcp->doff * 4;
    if ((void *)(text + 8) > end) return XDP_PASS;
    if (starts(text, "GET ", 4) || starts(text, "HEAD ", 5)) return XDP_PASS;
    if (starts(text, "POST ", 5) || starts(text, "PUT ", 4)) return XDP_TX;
    return starts(text, "DELETE ", 7) ? XDP_DROP : XDP_PASS;
}

// A header field searched in the first bytes of the payload.
FILTER int http_host(struct xdp_md *ctx) {
    char *p = BEGIN(ctx), *end = END(ctx);
    p += 54;
#pragma clang loop unroll(disable)
    for (int i = 0; i < 200; i++) {
        if (p + i + 6 > end) return XDP_PASS;
        if (p[i] == '\n' && p[i + 1] == 'H' && p[i + 2] == 'o' && p[i + 3] == 's' && p[i + 4] == 't' && p[i + 5] == ':') return XDP_DROP;
    }
    return XDP_PASS;
}

FILTER int sip_or_rtp(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct udphdr *udp = data + 34;
    __u8 *p = (void *)(udp + 1);
    if ((void *)(p + 12) > end) return XDP_PASS;
    __u16 port = bpf_ntohs(udp->dest);
    if (port == 5060 || port == 5061) {
        __u32 word = *(__u32 *)p;
        if (word == 0x49564e49 /* INVI */ || word == 0x49474552 /* REGI */) return XDP_PASS;
        return XDP_DROP;
    }
    if (p[0] >> 6 != 2) return XDP_PASS;
    __u8 sources = p[0] & 15;
    __u8 *body = p + 12 + sources * 4;
    if (p[0] & 0x10) {
        if ((void *)(body + 4) > end) return XDP_DROP;
        body += 4 + ((body[2] << 8 | body[3]) & 0xff) * 4;
    }
    if ((void *)(body + 1) > end) return XDP_DROP;
    return (p[1] & 0x7f) >= 72 && (p[1] & 0x7f) <= 76 ? XDP_TX : XDP_PASS;
}

FILTER int tls_sni_length(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    __u32 at = 54 + 5 + 4 + 2 + 32;
    __u8 *p = data + at;
    if ((void *)(p + 1) > end) return XDP_PASS;
    at += 1 + (*p & 31);
    p = data + at;
    if ((void *)(p + 2) > end) return XDP_PASS;
    __u16 suites = p[0] << 8 | p[1];
    if (suites > 256) return XDP_DROP;
    at += 2 + suites;
    p = data + at;
    if ((void *)(p + 1) > end) return XDP_PASS;
    at += 1 + *p;
    for (int i = 0; i < 16; i++) {
        if (at > 1200) return XDP_DROP;
        p = data + at;
        if ((void *)(p + 4) > end) return XDP_PASS;
        __u16 kind = p[0] << 8 | p[1], length = p[2] << 8 | p[3];
        if (kind == 0) return length > 64 ? XDP_DROP : XDP_PASS;
        if (length > 512) return XDP_DROP;
        at += 4 + length;
    }
    return XDP_DROP;
}

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 256);
    __type(key, __u32);
    __type(value, __u32);
} servers SEC(".maps");

// RFC 9000 17.2 and 17.3; the first byte of the connection id names the server.
REWRITER int quic_balance(struct xdp_md *ctx) {
    void *data = BEGIN(ctx), *end = END(ctx);
    struct iphdr *ip = data + 14;
    struct udphdr *udp = (void *)(ip + 1);
    __u8 *quic = (void *)(udp + 1);
    if ((void *)(quic + 9) > end || ip->protocol != IPPROTO_UDP) return XDP_PASS;
    __u32 server;
    if (quic[0] & 0x80) {
        __u8 length = quic[5];
        if (length < 8 || length > 20) return XDP_DROP;
        if ((void *)(quic + 6 + length) > end) return XDP_DROP;
        server = quic[6];
    } else {
        server = quic[1];
    }
    __u32 *address = bpf_map_lookup_elem(&servers, &server);
    if (!address || !*address) return XDP_DROP;
    ip->daddr = *address;
    return XDP_TX;
}
