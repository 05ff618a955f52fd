// What the operators' programs share. <linux/icmp.h> wants more of the C library than there is for BPF.
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
struct icmphdr { __u8 type, code; __u16 checksum; union { __be32 gateway; } un; };
#define BEGIN(ctx) ((void *)(long)(ctx)->data)
#define END(ctx) ((void *)(long)(ctx)->data_end)
char _license[] SEC("license") = "GPL";
