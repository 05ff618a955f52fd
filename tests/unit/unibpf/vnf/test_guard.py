"""The guard's settings: what is refused, and with which words; how IPv4 prefixes become mapped ones."""

import struct

import pytest

from unibpf.vnf import guard
from unibpf.vnf.settings import SettingsError, Table, read

WRONG = [
    ('[[list]]\nprefix = "10.0.0.0/8"\naction = "drop"', "expected `block`, `allow`"),
    ('[[list]]\nprefix = "10.0.0.0/8"\naction = "block"\n' * 2, "a prefix is twice among the lists"),
    ('[[limit]]\nprefix = "10.0.0.0/8"\nrate = 1', "`burst` is missing"),
    ('[[limit]]\nprefix = "10.0.0.0/8"\nrate = 1\nburst = 0', "expected a number from 1"),
    ('[[limit]]\nprefix = "10.0.0.0/8"\nrate = 1\nburst = 1\nbits = 33', "expected a number from 8 to 32"),
    ('[[limit]]\nprefix = "10.0.0.0/8"\nrate = 1\nburst = 1\nbits = 7', "expected a number from 8 to 32"),
    ('[[server]]\nprefix = "10.0.0.0/8"\nmode = "on"', "expected `never`, `always`, `above-rate`"),
    ('secret = "00"', "16 bytes in hex"),
    ('secret = "no"', "16 bytes in hex"),
    ("[[server]]\nprefix = 10", "expected text"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_wrong_settings_are_refused_with_their_place(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        guard.fill(Table("", read(text.encode())))
    assert said in str(refused.value)


def test_bits_of_ipv4_are_those_of_mapped_addresses() -> None:
    text = b'[[limit]]\nprefix = "10.0.0.0/8"\nrate = 1\nburst = 2\nbits = 24'
    ((key, value),) = guard.fill(Table("", read(text)))["limits"]
    assert key == struct.pack("<I", 104) + bytes(10) + b"\xff\xff\x0a\0\0\0"
    assert struct.unpack("<III", value) == (1, 2, 120)


def test_without_a_secret_the_old_one_stays() -> None:
    assert "config" not in guard.fill(Table("", read(b"")))
