"""What the kernel does to a process guest with isolated programs: signals, other processes, and slices of control work."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from tests.support.guests.boot import Boot, firewall_boot, firewall_bundle
from tests.support.guests.isolation import OVER_RETURN_ADDRESSES, PASS, Order, ProcessGuests, frames, wild_write
from tests.support.guests.linux_vm import LinuxVm
from tests.support.guests.live_guest import Channel
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from tests.support.programs.checksums import with_checksums
from tests.support.programs.vnf import ipv4
from tests.support.signing.signing import signed_bundle
from unibpf.formats import control_mac

# Many milliseconds a packet; the first process of the VM (tests/image/init.cpp) runs every ten.
SLOW = f"mov64 r1, 300000\nagain:\nadd64 r1, -1\njne64 r1, 0, again\n{PASS}"
EXIT_GROUP = 231  # asm/unistd_64.h
SYSTEM_CALL = 0x050F050F050F050F  # its bytes, again and again
CLOSED = 9  # vnfs/firewall/program.c


def isolated_firewall(*, engine: str, **fields: dict[str, bytes]) -> Boot:
    plain = replace(firewall_boot(), **fields)  # type: ignore[arg-type]
    option = "PROGRAM firewall"
    assert option in plain.graph
    return replace(plain, graph=plain.graph.replace(option, f"{option}, ENGINE {engine}, ISOLATION pku"))


def test_a_run_that_is_interrupted_goes_on(linux_vm: LinuxVm, assembler: Assembler) -> None:
    bundle = bundle_of(assembler.assemble(SLOW)[0], kind="filter")
    with ProcessGuests(linux_vm).running(Order(bundles=(bundle,), engine="interpreter")) as running:
        sent = frames(20)
        running.inside.send(*sent)
        assert running.outside.receive(20) == sent
        assert running.state(20)["fault"] == "0"


def test_a_request_to_end_that_comes_during_a_run_is_heard(linux_vm: LinuxVm, assembler: Assembler) -> None:
    slow = bundle_of(assembler.assemble(SLOW)[0], kind="filter", name="firewall")
    linux_vm.start("unibpf-guest", isolated_firewall(engine="interpreter", programs={"fw": slow}).image())
    linux_vm.wait_for("unibpf ready")
    sent = frames(20)
    linux_vm.wires["inside"].send(*sent)
    time.sleep(0.05)
    linux_vm.terminate()
    assert "init: ended with status 0" in linux_vm.wait_for("init: ended")


# Jumps to the address in the packet, if there is one: the bytes of a system call in a constant of its own.
HIDDEN_CALL = f"""
    ldxw r7, [r1+0]
    ldxdw r1, [r7+14]
    lddw r5, {SYSTEM_CALL:#x}
    jeq64 r1, 0, pass
    xor64 r1, r5
{OVER_RETURN_ADDRESSES}    mov64 r0, {EXIT_GROUP}
    exit
pass:
{PASS}"""


def test_a_system_call_hidden_in_native_code_ends_only_its_run(linux_vm: LinuxVm, assembler: Assembler) -> None:
    guests = ProcessGuests(linux_vm)
    bundle = bundle_of(assembler.assemble(HIDDEN_CALL)[0], kind="filter")
    with guests.running(Order(bundles=(bundle,), engine="jit")) as running:
        target = guests.address("system-call") ^ SYSTEM_CALL
        good, bad = (bytes(12) + b"\x88\xb5" + value.to_bytes(8, "little") + bytes(40) for value in (0, target))
        running.inside.send(*[good, bad] * 10)
        assert running.outside.receive(10) == [good] * 10
        assert running.state(20)["fault"] == "10"


@pytest.mark.parametrize("engine", ["interpreter", "jit"])
def test_a_fault_outside_isolated_runs_ends_the_process(linux_vm: LinuxVm, assembler: Assembler, engine: str) -> None:
    """Another element of the graph is isolated, so that its handlers are there."""
    broken = bundle_of(assembler.assemble(wild_write(0))[0], kind="filter")
    other = "BPFFilter(PROGRAM other, ISOLATION pku)"
    order = Order(bundles=(broken,), engine=engine, isolated=False, other=other)
    with ProcessGuests(linux_vm).running(order) as running:
        running.inside.send(*frames(1))
        assert "init: ended by signal 11" in running.wait_for("init: ended")


def test_a_guest_filters_under_isolation_and_takes_an_update_meanwhile(linux_vm: LinuxVm) -> None:
    """Control work takes longer than its time slices, so the timer's signal interrupts it again and again."""
    boot = isolated_firewall(engine="jit")
    linux_vm.start("unibpf-guest", boot.image())
    linux_vm.wait_for("unibpf ready")
    channel = Channel(("127.0.0.1", linux_vm.control_port), control_mac.derive(boot.guest, boot.seed))
    bundle = firewall_bundle()
    body = signed_bundle(boot.sign(bundle), bundle)
    with closing(channel), ThreadPoolExecutor(1) as aside:
        update = aside.submit(channel.request, "PUT", "/elements/fw/program", body)
        rounds = 0
        while rounds < 30 or not update.done():
            check_that_the_firewall_filters(linux_vm, rounds)
            rounds += 1
    assert (update.result().name, update.result().authenticated) == ("2.04", True)


def check_that_the_firewall_filters(vm: LinuxVm, number: int) -> None:
    ports = range(CLOSED - 5, CLOSED + 5)
    sent = [with_checksums(ipv4(protocol=17, port=port, payload=number % 100)) for port in ports]
    vm.wires["inside"].send(*sent)
    expected = [frame for port, frame in zip(ports, sent, strict=True) if port != CLOSED]
    assert vm.wires["outside"].receive(len(expected)) == expected
