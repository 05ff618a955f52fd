"""The bare image boots, forwards, answers, sleeps and ends on every machine that it is for."""

import re
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.guests.boot import Boot, firewall_boot, mac_text
from tests.support.guests.live_guest import Channel
from tests.support.guests.qemu import MACHINES, Machine, running_vm
from tests.support.guests.wires import Wire
from unibpf.formats import control_mac
from unibpf.formats.control_keys import StatusKey

READY = re.compile(r"^unibpf ready guest=test-1 graph=test elements=(\d+) nics=3 ns=(\d+)$", re.MULTILINE)
LARGEST_IMAGE = 512 * 1024  # with all elements, compiled for speed


@pytest.fixture
def kernel(bin_directory: Path) -> Path:
    return bin_directory / "unibpf-guest.elf"


@pytest.fixture(params=MACHINES, ids=str)
def machine(request: pytest.FixtureRequest) -> Machine:
    return MACHINES[request.param]


def frames(count: int, first_byte: int) -> list[bytes]:
    """Numbered frames of all sizes that Ethernet allows."""
    return [bytes([first_byte]) * 12 + b"\x88\xb5" + i.to_bytes(4) + bytes(i * 37 % 1483) for i in range(count)]


def test_forwards_and_answers_on_every_machine(machine: Machine, kernel: Path, folder: Path) -> None:
    with running_vm(machine=machine, kernel=kernel, image=Boot().image(), folder=folder) as vm:
        assert READY.search(vm.wait_for("unibpf ready"))
        inside, outside = vm.wire("inside"), vm.wire("outside")
        there, back = frames(200, 2), frames(200, 4)
        inside.send(*there)
        assert outside.receive(200) == there
        outside.send(*back)
        assert inside.receive(200) == back
        assert b"</status>" in ask_core(vm.control_port)
        inside.close()
        outside.close()


def test_frames_longer_than_a_packet_are_counted_on_every_machine(machine: Machine, kernel: Path, folder: Path) -> None:
    """They are dropped, and no frame beside them; the guest says how many they were."""
    boot = Boot()
    longer = [bytes([2]) * 12 + b"\x88\xb5" + bytes(length - 14) for length in (1665, 9000, 65_000)]
    with running_vm(machine=machine, kernel=kernel, image=boot.image(), folder=folder) as vm:
        vm.wait_for("unibpf ready")
        inside, outside = vm.wire("inside"), vm.wire("outside")
        around = [bytes([2]) * 12 + b"\x88\xb5" + bytes([number]) * 1650 for number in range(4)]
        inside.send(around[0], longer[0], around[1], longer[1], around[2], longer[2], around[3])
        assert outside.receive(4) == around
        with closing(Channel(("127.0.0.1", vm.control_port), control_mac.derive(boot.guest, boot.seed))) as channel:
            nics = {row[0]: row for row in channel.status()[StatusKey.NICS]}
        assert nics["inside"][9] == len(longer)
        assert nics["outside"][9] == 0
        inside.close()
        outside.close()


def ask_core(port: int) -> bytes:
    """The answer to a confirmable GET /.well-known/core (RFC 7252 3), asked again every 200 ms."""
    request = bytes([0x40, 1, 0x12, 0x34, 0xBB]) + b".well-known" + bytes([0x04]) + b"core"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(0.2)
        for _ in range(50):
            client.send(request)
            try:
                return client.recv(2048)
            except TimeoutError:
                continue
    raise AssertionError("no answer on the management NIC")


@pytest.mark.parametrize("name", [name for name, machine in MACHINES.items() if machine.has_button])
def test_power_button_ends_the_guest(name: str, kernel: Path, folder: Path) -> None:
    with running_vm(machine=MACHINES[name], kernel=kernel, image=Boot().image(), folder=folder) as vm:
        vm.wait_for("unibpf ready")
        vm.command("system_powerdown")
        assert "SHUTDOWN" in vm.events_until_exit()
        assert vm.process.returncode == 0


def test_panic_is_seen_by_the_host(machine: Machine, kernel: Path, folder: Path) -> None:
    with running_vm(machine=machine, kernel=kernel, image=None, folder=folder) as vm:
        vm.wait_for("unibpf panic: boot: no boot image")
        assert "GUEST_PANICKED" in vm.events_until_exit()


@pytest.mark.parametrize(
    ("defect", "message"),
    [
        ("truncated", "the boot image is refused by rule"),
        ("one bit of the graph", "the graph is refused by rule `bundle-digest`"),
        ("unknown element", "the graph has errors"),
        ("NIC that is not there", "the graph has errors"),
    ],
)
def test_bad_boot_image_is_refused_by_name(defect: str, message: str, kernel: Path, folder: Path) -> None:
    boot = Boot()
    if defect == "unknown element":
        boot.graph = "FromDevice(inside) -> Teleport -> Discard;"
    if defect == "NIC that is not there":
        boot.nics["third"] = bytes.fromhex("020000000099")
        boot.graph = "FromDevice(third) -> Discard;"
    image = boot.image()
    if defect == "truncated":
        image = image[:-3]
    if defect == "one bit of the graph":
        image = image.replace(b"Queue(512)", b"Queue(513)")
    with running_vm(machine=MACHINES["microvm-legacy"], kernel=kernel, image=image, folder=folder) as vm:
        said = vm.wait_for("unibpf panic: ")
        assert message in said
        assert "unibpf ready" not in said


def test_idle_guest_leaves_the_cpu_alone(machine: Machine, kernel: Path, folder: Path) -> None:
    with running_vm(machine=machine, kernel=kernel, image=firewall_boot().image(), folder=folder) as vm:
        vm.wait_for("unibpf ready")
        time.sleep(0.3)
        before = vm.cpu_seconds()
        time.sleep(1)
        assert vm.cpu_seconds() - before < 0.15


def test_control_work_is_sliced_while_packets_pass(kernel: Path, folder: Path) -> None:
    """CoAP requests and frames at once: every frame arrives, in order."""
    with running_vm(machine=MACHINES["microvm-legacy"], kernel=kernel, image=Boot().image(), folder=folder) as vm:
        vm.wait_for("unibpf ready")
        inside, outside = vm.wire("inside"), vm.wire("outside")
        for _ in range(20):
            sent = frames(30, 2)
            inside.send(*sent)
            ask_core(vm.control_port)
            assert outside.receive(30) == sent
        inside.close()
        outside.close()


def test_process_guest_forwards_as_the_image_does(bin_directory: Path, folder: Path) -> None:
    (folder / "image").write_bytes(Boot().image())
    command = [bin_directory / "unibpf-guest", folder / "image", "--nic", f"mgmt={mac_text(1)}:udp-control:0"]
    for name, number in (("inside", 2), ("outside", 3)):
        command += ["--nic", f"{name}={mac_text(number)}:stream:{folder}/{name},server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as guest:
        assert guest.stdout
        assert READY.match(guest.stdout.readline())
        inside, outside = Wire.connect(folder / "inside"), Wire.connect(folder / "outside")
        sent = frames(200, 2)
        inside.send(*sent)
        assert outside.receive(200) == sent
        inside.close()
        outside.close()
        guest.terminate()
        assert guest.wait(5) == 0


@pytest.mark.parametrize("kind", ["tap", "packet"])
def test_process_guest_forwards_between_kernel_interfaces(kind: str, bin_directory: Path, folder: Path) -> None:
    (folder / "image").write_bytes(Boot().image())
    script = Path(__file__).parents[1] / "support/kernel/kernel_wires.py"
    inside = [
        "unshare",
        "--map-root-user",
        "--net",
        sys.executable,
        script,
    ]  # a network of its own, no privilege needed
    command = [*inside, bin_directory / "unibpf-guest", folder / "image", kind, "50"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.strip() == "50", done.stderr


def test_image_is_small(kernel: Path) -> None:
    assert kernel.stat().st_size <= LARGEST_IMAGE
