"""services.deployer.host_config: good files, bad files named by their defect, and what a guest may ask for."""

import pytest

from services.deployer.errors import HostConfigError, SpecError
from services.deployer.host_config import DEFAULT, Network, load, machine_memory_mib, parse
from unibpf.messages.guests import GuestSpec, Nic

GOOD = """
[limits]
memory_mib = 16
[networks.left]
kind = "stream"
[networks.wire]
kind = "udp"
local = "127.0.0.1:7001"
remote = "127.0.0.1:7002"
[networks.lan]
kind = "bridge"
device = "br0"
"""


def test_a_file_names_networks_and_limits():
    config = parse(GOOD)
    assert (config.limits.memory_mib, config.limits.guests) == (16, 16)
    assert config.networks["wire"] == Network(kind="udp", local="127.0.0.1:7001", remote="127.0.0.1:7002")


def test_a_host_without_a_file_has_two_stream_networks(tmp_path):
    assert load(tmp_path / "none.toml") == DEFAULT
    assert sorted(DEFAULT.networks) == ["left", "right"]


BAD = {
    "not_toml": "networks",
    "unknown_table": "[disks]\n",
    "unknown_kind": '[networks.a]\nkind = "carrier-pigeon"\n',
    "unknown_field": '[networks.a]\nkind = "stream"\ncommand = "sh"\n',
    "stream_with_a_device": '[networks.a]\nkind = "stream"\ndevice = "tap0"\n',
    "tap_without_a_device": '[networks.a]\nkind = "tap"\n',
    "udp_with_one_end": '[networks.a]\nkind = "udp"\nlocal = "127.0.0.1:1"\n',
    "device_with_a_slash": '[networks.a]\nkind = "tap"\ndevice = "../x"\n',
    "device_too_long": '[networks.a]\nkind = "bridge"\ndevice = "abcdefghijklmnop"\n',
    "address_without_a_port": '[networks.a]\nkind = "udp"\nlocal = "127.0.0.1"\nremote = "127.0.0.1:1"\n',
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_bad_file_is_refused(text):
    with pytest.raises(HostConfigError):
        parse(text)


def spec(**changes):
    return GuestSpec(**({"guest": "g", "audience": "edge", "graph": "a"} | changes))


def test_what_the_host_has_passes():
    parse(GOOD).check(spec(nics=[Nic(name="in0", network="left"), Nic(name="out0", network="wire")]))


def test_a_full_host_takes_no_other_guest():
    parse(GOOD).check(spec(), others=[spec()] * 15)
    with pytest.raises(SpecError) as error:
        parse(GOOD).check(spec(), others=[spec()] * 16)
    assert error.value.rule == "guests"


def test_guests_together_get_no_more_memory_than_the_host_gives():
    host = parse("[limits]\nall_memory_mib = 64\nguests = 1000")
    host.check(spec(memory_mib=32), others=[spec(memory_mib=8)] * 4)
    with pytest.raises(SpecError, match="got 72 MiB with all other guests, expected at most 64") as error:
        host.check(spec(memory_mib=40), others=[spec(memory_mib=8)] * 4)
    assert error.value.rule == "memory"


def test_where_the_file_says_nothing_they_get_no_more_than_the_machine_has():
    host = parse("[limits]\nguests = 100000000")
    with pytest.raises(SpecError, match="MiB with all other guests"):
        host.check(spec(), others=[spec(memory_mib=1024)] * (machine_memory_mib() // 1024 + 1))


ASKED = {
    "too_much_memory": ({"memory_mib": 17}, "memory"),
    "more_nics": ({"nics": [Nic(name=f"n{n}", network="left") for n in range(17)]}, "nics"),
    "more_programs": ({"programs": {f"e{n}": "p" for n in range(65)}}, "programs"),
    "unknown_network": ({"nics": [Nic(name="in0", network="right")]}, "network"),
    "nic_called_mgmt": ({"nics": [Nic(name="mgmt", network="left")]}, "nics"),
    "two_nics_of_one_name": ({"nics": [Nic(name="a", network="left"), Nic(name="a", network="lan")]}, "nics"),
}


@pytest.mark.parametrize(("changes", "rule"), ASKED.values(), ids=ASKED)
def test_what_the_host_does_not_have_is_refused_by_its_rule(changes, rule):
    with pytest.raises(SpecError) as error:
        parse(GOOD).check(spec(**changes))
    assert error.value.rule == rule
