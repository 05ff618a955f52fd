"""A firewall of many rules, as C: each rule compares a few fields of the headers with constants of its own.

`python -m benchmarks.firewall [RULES]` prints it. The rules are in functions of fifty each: a compiler would take minutes for
all of them in one. They are random, so that no rule can be derived from another, and always the same.
"""

import random
import sys
from collections.abc import Iterator
from typing import Final

RULES: Final = 10_000
_PER_FUNCTION: Final = 50
_HEAD: Final = """#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct packet {
	__u32 source, destination;
	__u16 source_port, destination_port;
	__u8 protocol;
};
"""
_MAIN: Final = """
SEC("xdp") int firewall(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct udphdr *ports = (void *)(ip + 1);

	if ((void *)(ports + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return XDP_PASS;
	struct packet packet = {ip->saddr, ip->daddr, ports->source, ports->dest, ip->protocol};
	int action;

"""


def firewall(rules: int = RULES) -> str:
    """Return the whole program."""
    rng = random.Random(rules)
    groups = [range(start, min(start + _PER_FUNCTION, rules)) for start in range(0, rules, _PER_FUNCTION)]
    functions = "".join(_function(number, len(group), rng) for number, group in enumerate(groups))
    calls = "".join(_call(number) for number in range(len(groups)))
    licence = 'char _license[] SEC("license") = "GPL";\n'
    return f"{_HEAD}{functions}{_MAIN}{calls}\treturn XDP_PASS;\n}}\n\n{licence}"


def _function(number: int, rules: int, rng: random.Random) -> str:
    lines = "".join(_rule(rng) for _ in range(rules))
    return f"\nstatic __noinline int rules{number}(const struct packet *p)\n{{\n{lines}\treturn -1;\n}}\n"


def _rule(rng: random.Random) -> str:
    action = rng.choice(("XDP_DROP", "XDP_DROP", "XDP_PASS", "XDP_TX"))
    return f"\tif ({' && '.join(_conditions(rng))}) return {action};\n"


def _conditions(rng: random.Random) -> Iterator[str]:
    yield f"p->source == {rng.getrandbits(32):#x}"
    if rng.random() < 0.5:
        yield f"p->destination == {rng.getrandbits(32):#x}"
    if rng.random() < 0.5:
        yield f"p->destination_port == bpf_htons({rng.randrange(1, 1 << 16)})"
    if rng.random() < 0.3:
        yield f"p->protocol == {rng.choice((6, 17))}"


def _call(number: int) -> str:
    return f"\tif ((action = rules{number}(&packet)) >= 0) return action;\n"


if __name__ == "__main__":
    print(firewall(int(sys.argv[1]) if len(sys.argv) > 1 else RULES), end="")
