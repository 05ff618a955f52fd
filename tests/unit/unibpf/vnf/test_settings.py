"""Settings files: kinds, ranges, what nobody asked for; how addresses are mapped."""

from ipaddress import ip_address, ip_network

import pytest

from unibpf.vnf.filling import fill
from unibpf.vnf.settings import MOST_BYTES, SettingsError, Table, mapped, mapped_prefix, read


def test_a_value_nobody_asked_for_is_a_fault() -> None:
    table = Table("", read(b"a = 1\nb = 2"))
    assert table.number("a") == 1
    with pytest.raises(SettingsError, match="the file: `b` is not known"):
        table.done()


@pytest.mark.parametrize("text", ["a = true", 'a = "1"', "a = -1", "a = 4294967296", "a = 1.0"])
def test_a_number_is_a_number_in_its_range(text: str) -> None:
    with pytest.raises(SettingsError, match="expected a number from 0 to 4294967295"):
        Table("", read(text.encode())).number("a")


@pytest.mark.parametrize("data", [b"\xff", b"a = ", b"a = 1\na = 2", bytes(MOST_BYTES + 1)])
def test_what_is_no_settings_file_is_refused(data: bytes) -> None:
    with pytest.raises(SettingsError):
        read(data)


def test_ipv4_is_mapped() -> None:
    assert mapped(ip_address("10.0.0.1")) == bytes(10) + b"\xff\xff\x0a\0\0\1"
    assert mapped_prefix(ip_network("10.0.0.0/8")) == (104, bytes(10) + b"\xff\xff\x0a\0\0\0")
    assert mapped_prefix(ip_network("2001:db8::/32"))[0] == 32


def test_a_function_without_settings_says_so() -> None:
    with pytest.raises(SettingsError, match="`nat` is filled by hand"):
        fill("nat", b"")
