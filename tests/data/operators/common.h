// What the programs of this folder share: Linux' headers, BTF map syntax, and the words operators write around them.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define BEGIN(ctx) ((void *)(long)(ctx)->data)
#define END(ctx) ((void *)(long)(ctx)->data_end)
#define FILTER SEC("xdp")
#define REWRITER SEC("unibpf/rewriter")
#define INLINE static __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))

struct vlan_header {
    __be16 tci;
    __be16 protocol;
};

// RFC 792; <linux/icmp.h> pulls in the C library.
struct icmphdr {
    __u8 type, code;
    __sum16 checksum;
    __be16 unused, mtu;
};
enum { ICMP_ECHOREPLY = 0, ICMP_DEST_UNREACH = 3, ICMP_FRAG_NEEDED = 4, ICMP_ECHO = 8 };

char _license[] SEC("license") = "GPL";
