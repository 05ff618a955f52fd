"""Killing things: any service during a push, and QEMU under traffic. The end is the same as without."""

import os
import signal
import time

import pytest

from tests.support.services.cli import StackProcess, eventually
from tests.system import firewall

GUEST = "fault-1"
SERVICES = ("verifier", "signer", "reconfigurer", "deployer", "nats")


@pytest.fixture(scope="module")
def guest(stack: StackProcess) -> str:
    firewall.push(stack.cli, 9)
    firewall.apply(stack.cli, GUEST)
    return GUEST


@pytest.mark.parametrize("service", SERVICES)
def test_a_push_ends_as_ever_when_a_service_is_killed_meanwhile(stack: StackProcess, guest: str, service: str) -> None:
    port = 2000 + SERVICES.index(service)
    killed = stack.kill(service)
    process = stack.cli.start(*firewall.push_words(port, wait=service != "nats"))
    answer = stack.cli.finish(process, ok=False)
    if service == "nats":
        answer = firewall.push(stack.cli, port)
    assert answer.code == 0, answer.err
    envelope = answer.json["signed"]["envelope"]
    active = eventually(
        lambda: (seen := firewall.element(stack.cli, guest))["envelope"] == envelope and seen, what="the new release"
    )
    assert active["program"] == "firewall"
    assert eventually(lambda: stack.pids().get(service, killed) != killed, what=f"a new {service}")


@pytest.mark.parametrize("service", ["verifier", "signer", "reconfigurer"])
def test_a_service_killed_while_it_holds_the_push_is_followed_by_one_that_ends_it(
    stack: StackProcess, guest: str, service: str
) -> None:
    """Stopped first, so that the push is surely in its hands (or next in its queue) when it dies."""
    pid = stack.pids()[service]
    os.kill(pid, signal.SIGSTOP)
    process = stack.cli.start(*firewall.push_words(2050 + SERVICES.index(service)))
    time.sleep(2.5)
    assert process.poll() is None, "the push did not need the stopped service"
    os.kill(pid, signal.SIGKILL)
    answer = stack.cli.finish(process)
    assert [event["state"] for event in answer.json["elements"]] == ["active"]
    assert firewall.element(stack.cli, guest)["envelope"] == answer.json["signed"]["envelope"]


def test_killing_qemu_stops_the_traffic_and_the_guest_comes_back_with_the_newest_release(
    stack: StackProcess, guest: str
) -> None:
    newest = firewall.push(stack.cli, 2100).json["signed"]
    observed = firewall.show(stack.cli, guest)["observed"]
    generator = firewall.traffic(observed, [firewall.OPEN_PORT], seconds=20)
    time.sleep(1)
    os.kill(observed["pid"], signal.SIGKILL)
    _, complaint = generator.communicate(timeout=30)
    assert generator.returncode == 3
    assert "closed the connection" in complaint

    def restarted() -> dict | None:
        seen = firewall.show(stack.cli, guest)["observed"]
        return seen if seen["state"] == "running" and seen["pid"] != observed["pid"] else None

    again = eventually(restarted, what="a new QEMU")
    assert firewall.element(stack.cli, guest)["sequence"] >= newest["sequence"]
    passed = firewall.counts(firewall.traffic(again, [firewall.OPEN_PORT, 2100]))
    assert passed[firewall.OPEN_PORT]["lost"] == 0
    assert passed[2100]["received"] == 0


def test_a_guest_that_was_running_is_adopted_by_the_next_deployer(stack: StackProcess, guest: str) -> None:
    before = firewall.show(stack.cli, guest)["observed"]
    killed = stack.kill("deployer")
    eventually(lambda: stack.pids().get("deployer", killed) != killed, what="a new deployer")
    time.sleep(2)
    after = firewall.show(stack.cli, guest)["observed"]
    assert (after["state"], after["pid"]) == ("running", before["pid"])
