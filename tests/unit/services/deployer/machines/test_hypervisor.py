"""services.deployer.machines.hypervisor: what the last words of a boot say of its control port."""

import socket
import subprocess

import pytest

from services.deployer.machines.hypervisor import is_port_taken
from services.deployer.machines.kvm_probe import QEMU


@pytest.fixture
def taken_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def last_words(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, timeout=30, check=False, text=True)
    assert done.returncode != 0
    return done.stdout + done.stderr


def test_qemu_says_that_the_port_is_taken(taken_port):
    forward = f"user,id=n,hostfwd=udp:127.0.0.1:{taken_port}-10.0.2.15:5683"
    assert is_port_taken(last_words(QEMU, "-M", "microvm", "-display", "none", "-netdev", forward))


def test_a_process_guest_says_that_the_port_is_taken(taken_port, tmp_path, bin_directory):
    image = tmp_path / "image"
    image.write_bytes(b"any")
    nic = f"mgmt=52:54:00:00:00:01:udp-control:{taken_port}"
    assert is_port_taken(last_words(str(bin_directory / "unibpf-guest"), str(image), "--nic", nic))


def test_other_words_are_about_something_else():
    assert not is_port_taken("unibpf fatal: bad boot image")
