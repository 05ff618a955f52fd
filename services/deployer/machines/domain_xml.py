"""The libvirt domain of a Machine, as an element tree. Pure.

Nothing here is formatted into XML text: values become attributes and text nodes, so no name can add an element. The two
things libvirt 9 can't say go through `qemu:commandline` as single arguments: NICs on unix streams, and the management NIC
with its forwarded UDP port. Values of these arguments are names, numbers and paths made by the deployer; a comma in a path
is doubled, as QEMU's option syntax has it.

The domain is transient: it lives as long as its VM. `on_reboot=destroy`: a reset is a new boot with a new seed (design 5).
microvm without <acpi/> boots qboot, and QEMU appends the virtio-mmio devices to the kernel's command line.
"""

from typing import Final
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from services.deployer.machines.hypervisor import (
    COAP_PORT,
    GUEST_ADDRESS,
    MANAGEMENT,
    NAME_PREFIX,
    Machine,
    MachineNic,
    mac_text,
)

QEMU_NS: Final = "http://libvirt.org/schemas/domain/qemu/1.0"
register_namespace("qemu", QEMU_NS)

# QEMU's emulation keeps what it translated, each update's code too, up to a quarter of the host's memory by default.
TRANSLATIONS_MIB: Final = 32

# A VM without a video card, a network boot ROM or guessed devices starts in a third of the time.
_NIC_DEVICE: Final = {"microvm": "virtio-net-device", "q35": "virtio-net-pci"}
_NIC_OPTIONS: Final = {"microvm": "", "q35": ",disable-legacy=on,romfile="}


def domain_xml(machine: Machine) -> str:
    """The document for `virDomainCreateXML`."""
    return tostring(domain(machine), encoding="unicode")


def domain(machine: Machine) -> Element:
    """The tree of the domain."""
    root = Element("domain", {"type": "kvm" if machine.accel == "kvm" else "qemu"})
    _text(root, "name", NAME_PREFIX + machine.guest)
    _text(root, "uuid", machine.boot_id)
    _text(root, "memory", str(machine.memory_mib)).set("unit", "MiB")
    _text(root, "vcpu", "1")
    _boot(root, machine)
    SubElement(root, "cpu", {"mode": "host-passthrough" if machine.accel == "kvm" else "maximum"})
    for event in ("on_poweroff", "on_reboot", "on_crash"):
        _text(root, event, "destroy")
    _devices(root, machine)
    _commandline(root, machine)
    return root


def _boot(root: Element, machine: Machine) -> None:
    os = SubElement(root, "os")
    _text(os, "type", "hvm").attrib.update(arch="x86_64", machine=machine.kind)
    _text(os, "kernel", str(machine.kernel))
    _text(os, "initrd", str(machine.image))
    features = SubElement(root, "features")
    if machine.kind == "q35":
        SubElement(features, "acpi")
    if machine.accel == "tcg":
        _text(SubElement(features, "tcg"), "tb-cache", str(TRANSLATIONS_MIB)).set("unit", "MiB")


def _devices(root: Element, machine: Machine) -> None:
    devices = SubElement(root, "devices")
    _text(devices, "emulator", "/usr/bin/qemu-system-x86_64")
    serial = SubElement(devices, "serial", {"type": "file"})
    SubElement(serial, "source", {"path": str(machine.console), "append": "on"})  # it may be emptied (console_file.py)
    SubElement(devices, "controller", {"type": "usb", "model": "none"})
    SubElement(devices, "memballoon", {"model": "none"})
    SubElement(devices, "panic", {"model": "isa"})
    for nic in machine.nics:
        if nic.network.kind != "stream":
            _interface(devices, machine, nic)


def _interface(devices: Element, machine: Machine, nic: MachineNic) -> None:
    network = nic.network
    types = {"udp": "udp", "tap": "ethernet", "bridge": "bridge", "user": "user"}
    interface = SubElement(devices, "interface", {"type": types[network.kind]})
    SubElement(interface, "mac", {"address": mac_text(nic.mac)})
    if network.kind == "udp" and network.remote and network.local:
        source = SubElement(interface, "source", _endpoint(network.remote))
        SubElement(source, "local", _endpoint(network.local))
    if network.kind == "tap" and network.device:
        SubElement(interface, "target", {"dev": network.device, "managed": "no"})
    if network.kind == "bridge" and network.device:
        SubElement(interface, "source", {"bridge": network.device})
    SubElement(interface, "model", {"type": "virtio"})
    if machine.kind == "microvm":
        SubElement(interface, "address", {"type": "virtio-mmio"})
    else:
        SubElement(interface, "rom", {"enabled": "no"})


def _commandline(root: Element, machine: Machine) -> None:
    forward = f"hostfwd=udp:127.0.0.1:{machine.control_port}-{GUEST_ADDRESS}:{COAP_PORT}"
    arguments = _nic_arguments(machine, MANAGEMENT, f"user,ipv6=off,{forward}", machine.management_mac)
    for nic in machine.nics:
        if nic.network.kind == "stream":
            backend = f"stream,server=on,addr.type=unix,addr.path={_option(str(nic.socket))}"
            arguments += _nic_arguments(machine, nic.name, backend, nic.mac)
    commandline = SubElement(root, f"{{{QEMU_NS}}}commandline")
    for value in arguments:
        SubElement(commandline, f"{{{QEMU_NS}}}arg", {"value": value})


def _nic_arguments(machine: Machine, name: str, backend: str, mac: bytes) -> list[str]:
    kind, _, options = backend.partition(",")
    device = f"{_NIC_DEVICE[machine.kind]},netdev=net-{name},mac={mac_text(mac)}{_NIC_OPTIONS[machine.kind]}"
    return ["-netdev", f"{kind},id=net-{name},{options}", "-device", device]


def _option(value: str) -> str:
    return value.replace(",", ",,")


def _endpoint(text: str) -> dict[str, str]:
    address, _, port = text.rpartition(":")
    return {"address": address, "port": port}


def _text(parent: Element, tag: str, text: str) -> Element:
    child = SubElement(parent, tag)
    child.text = text
    return child
