"""The firewall's rules: what is refused, and with which words."""

import pytest

from unibpf.vnf import rules
from unibpf.vnf.settings import SettingsError, Table, read

WRONG = [
    ("[[rule]]\n", "rule[0]: `action` is missing"),
    ('[[rule]]\naction = "reject"', "expected `accept`, `deny`"),
    ('[[rule]]\naction = "deny"\nsource = "10.0.0.1/8"', "has host bits set"),
    ('[[rule]]\naction = "deny"\nsource = "10.0.0.0/8"\ndestination = "::/0"', "about IPv4 and about IPv6"),
    ('[[rule]]\naction = "deny"\nsource = "10.0.0.0/8"\nversion = "6"', "about IPv4 and about IPv6"),
    ('[[rule]]\naction = "deny"\ndestination_ports = "80"', "ports are of `tcp` and `udp`"),
    ('[[rule]]\naction = "deny"\nprotocol = "tcp"\ndestination_ports = "90-80"', "expected a port, or a range"),
    ('[[rule]]\naction = "deny"\nprotocol = "tcp"\ndestination_ports = "65536"', "expected a port, or a range"),
    ('[[rule]]\naction = "deny"\nprotocol = "tcp"\ndestination_ports = 80', "expected text"),
    ('[[rule]]\naction = "deny"\nport = 80', "`port` is not known"),
    ("[config]\nbank = 2", "config: `bank` is '2', expected a number from 0 to 1"),
    ("config = 1", "config: got int, expected a table"),
    ('[[rule]]\naction = "deny"\n' * 257, "at most 256 have room"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_wrong_rules_are_refused_with_their_place(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        rules.fill(Table("", read(text.encode())))
    assert said in str(refused.value)


def test_a_list_ends_with_an_empty_rule_unless_it_is_full() -> None:
    one = rules.fill(Table("", read(b'[[rule]]\naction = "deny"')))["rules"]
    assert [any(value) for _, value in one] == [True, False]
    assert len(rules.fill(Table("", read(b'[[rule]]\naction = "deny"\n' * 256)))["rules"]) == 256
