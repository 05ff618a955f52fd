"""The rules of `vnfs/firewall/stateful.c` as its maps have them. Pure."""

import re
import struct
from typing import Final

from unibpf.vnf.settings import LARGEST_PORT, Network, Rows, SettingsError, Table, mapped_prefix, word

RULES: Final = 256  # of a bank, as vnfs/firewall/stateful.h
ACTIONS: Final = ("accept", "deny")
RULE_BYTES: Final = 52
ANYWHERE: Final = (0, bytes(16))


def fill(document: Table) -> Rows:
    """Entries of the maps `rules` and `config`; raises SettingsError."""
    config = document.table("config")
    bank = config.number("bank", 0, most=1)
    policy = config.choice("policy", ACTIONS, "deny") + 1
    loose = config.number("loose", 0, most=1)
    config.done()
    values = [_rule(rule) for rule in document.tables("rule")]
    document.done()
    if len(values) > RULES:
        raise SettingsError(f"got {len(values)} rules, at most {RULES} have room")
    if len(values) < RULES:
        values.append(bytes(RULE_BYTES))  # the list ends
    rows = [(word(bank * RULES + number), value) for number, value in enumerate(values)]
    return {"rules": rows, "config": [(word(0), word(bank) + word(policy) + word(loose))]}


def _rule(rule: Table) -> bytes:
    value = conditions(rule) + word(rule.choice("action", ACTIONS) + 1)
    rule.done()
    return value


def conditions(rule: Table) -> bytes:
    """What a rule says about a packet's ends, as vnfs/include/conditions.h has it."""
    source = rule.network("source") if rule.has("source") else None
    destination = rule.network("destination") if rule.has("destination") else None
    versions = {network.version for network in (source, destination) if network}
    if rule.has("version"):
        versions.add((4, 6)[rule.choice("version", ("4", "6"))])
    if len(versions) > 1:
        raise SettingsError(f"{rule.place}: it is about IPv4 and about IPv6")
    protocol = rule.protocol("protocol", "any")
    ports = [*_ports(rule, "source_ports"), *_ports(rule, "destination_ports")]
    if ports != [0, LARGEST_PORT] * 2 and protocol not in {6, 17}:
        raise SettingsError(f"{rule.place}: ports are of `tcp` and `udp`")
    nic = rule.number("nic", 0)
    (source_bits, source_bytes), (destination_bits, destination_bytes) = map(_prefix, (source, destination))
    ends = source_bytes + destination_bytes + bytes([source_bits, destination_bits])
    return ends + struct.pack("<BB4HI", protocol, versions.pop() if versions else 0, *ports, nic)


def _ports(rule: Table, name: str) -> tuple[int, int]:
    text = rule.text(name, f"0-{LARGEST_PORT}")
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text, re.ASCII)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not first <= last <= LARGEST_PORT:
        raise SettingsError(f"{rule.place}: `{name}` is {text!r:.60}, expected a port, or a range like `1024-65535`")
    return first, last


def _prefix(network: Network | None) -> tuple[int, bytes]:
    return mapped_prefix(network) if network else ANYWHERE
