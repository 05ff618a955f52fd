"""services.deployer.machines.domain_xml: what of a machine becomes which element, and that no name can become markup."""

from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from services.deployer.host_config import Network
from services.deployer.machines.domain_xml import QEMU_NS, domain_xml
from services.deployer.machines.hypervisor import Machine, MachineNic

MAC = bytes.fromhex("525400010203")


def nic(kind, **fields):
    network = Network(kind=kind, **fields)
    return MachineNic(name="in0", mac=MAC, network=network, socket=Path("/s/g.in0.sock"))


def tree(**changes):
    base = {
        "guest": "g",
        "boot_id": "6b1f9f1e-0000-4000-8000-000000000000",
        "kind": "microvm",
        "accel": "tcg",
        "memory_mib": 8,
        "kernel": Path("/k"),
        "image": Path("/i"),
        "console": Path("/c"),
        "nics": [],
        "control_port": 4711,
    }
    return fromstring(domain_xml(Machine(**(base | changes))))


def arguments(root):
    return [arg.get("value") for arg in root.iter(f"{{{QEMU_NS}}}arg")]


def test_a_domain_is_bound_to_its_boot_and_never_reboots():
    root = tree()
    assert (root.findtext("name"), root.findtext("uuid")) == ("unibpf-g", "6b1f9f1e-0000-4000-8000-000000000000")
    assert {root.findtext(event) for event in ("on_reboot", "on_poweroff", "on_crash")} == {"destroy"}
    assert (root.findtext("os/kernel"), root.findtext("os/initrd")) == ("/k", "/i")


@pytest.mark.parametrize(
    ("accel", "kind", "mode"), [("kvm", "kvm", "host-passthrough"), ("tcg", "qemu", "maximum")], ids=["kvm", "tcg"]
)
def test_the_accelerator_chooses_type_and_processor(accel, kind, mode):
    root = tree(accel=accel)
    assert root.get("type") == kind
    assert root.find("cpu").get("mode") == mode


@pytest.mark.parametrize("kind", ["microvm", "q35"])
def test_what_the_emulator_keeps_of_translated_code_is_bounded(kind):
    cache = tree(kind=kind).find("features/tcg/tb-cache")
    assert (cache.text, cache.get("unit")) == ("32", "MiB")
    assert tree(kind=kind, accel="kvm").find("features/tcg") is None


def test_the_management_nic_is_reached_by_one_loopback_port():
    netdev, device = arguments(tree())[1], arguments(tree())[3]
    assert netdev == "user,id=net-mgmt,ipv6=off,hostfwd=udp:127.0.0.1:4711-10.0.2.15:5683"
    assert device.startswith("virtio-net-device,netdev=net-mgmt,mac=52:54:00:")


def test_a_stream_network_is_a_listening_socket():
    values = arguments(tree(nics=[nic("stream")]))
    assert "stream,id=net-in0,server=on,addr.type=unix,addr.path=/s/g.in0.sock" in values
    assert "virtio-net-device,netdev=net-in0,mac=52:54:00:01:02:03" in values


def test_a_comma_in_a_path_stays_in_the_path():
    odd = MachineNic(name="in0", mac=MAC, network=Network(kind="stream"), socket=Path("/s,server=off/x"))
    assert any("addr.path=/s,,server=off/x" in value for value in arguments(tree(nics=[odd])))


def test_q35_has_acpi_and_modern_pci_nics_without_boot_roms():
    root = tree(kind="q35", nics=[nic("stream"), nic("tap", device="tap0")])
    assert root.find("features/acpi") is not None
    assert all(",disable-legacy=on,romfile=" in value for value in arguments(root) if value.startswith("virtio-net"))
    assert root.find("devices/interface/rom").get("enabled") == "no"


def test_microvm_has_no_acpi_and_mmio_nics():
    root = tree(nics=[nic("tap", device="tap0")])
    assert root.find("features/acpi") is None
    assert root.find("devices/interface/address").get("type") == "virtio-mmio"


NETWORKS = {
    "udp": (
        {"local": "127.0.0.1:1", "remote": "127.0.0.2:2"},
        ("udp", "source/local", {"address": "127.0.0.1", "port": "1"}),
    ),
    "tap": ({"device": "tap0"}, ("ethernet", "target", {"dev": "tap0", "managed": "no"})),
    "bridge": ({"device": "br0"}, ("bridge", "source", {"bridge": "br0"})),
    "user": ({}, ("user", "model", {"type": "virtio"})),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_each_kind_of_network_is_said_in_libvirts_words(kind):
    fields, (name, path, attributes) = NETWORKS[kind]
    interface = tree(nics=[nic(kind, **fields)]).find("devices/interface")
    assert interface.get("type") == name
    assert interface.find(path).attrib == attributes
    assert interface.find("mac").get("address") == "52:54:00:01:02:03"


def test_text_never_becomes_markup():
    evil = "</name><os><kernel>/etc/shadow</kernel></os><name>"
    root = tree(guest=evil, console=Path(f"/{evil}"))
    assert root.findtext("name") == f"unibpf-{evil}"
    assert len(root.findall("os")) == 1
