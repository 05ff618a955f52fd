"""A state folder belongs to one stack: what a second one, a kill and a closed terminal do to it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.guests.guests import is_alive
from tests.support.services.cli import ROOT
from unibpf.stack.lock import holder

UP_SECONDS = 60


@pytest.fixture
def stack(tmp_path):
    """Starts `unibpf up` on one folder as often as asked; ends what is left."""
    started = []

    def up():
        environment = os.environ | {"UNIBPF_STATE": str(tmp_path / "s")}
        process = subprocess.Popen(
            [sys.executable, "-m", "unibpf.cli", "up", "--json"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield up
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=UP_SECONDS)


def ready(process):
    return json.loads(process.stdout.readline())


def wait_until_gone(pids):
    for _ in range(300):
        if not any(is_alive(pid) for pid in pids):
            return
        time.sleep(0.1)
    raise AssertionError(f"still there: {[pid for pid in pids if is_alive(pid)]}")


def test_a_second_stack_is_refused_and_the_first_keeps_its_address(stack, tmp_path):
    first = stack()
    made = ready(first)
    second = stack()
    _, complaint = second.communicate(timeout=UP_SECONDS)
    assert second.returncode == 5 and str(first.pid) in complaint
    assert (tmp_path / "s/run/nats.url").read_text().strip() == made["url"]
    assert all(is_alive(pid) for pid in made["pids"].values())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP], ids=["killed", "terminal_closed"])
def test_nothing_is_left_of_a_stack_and_the_next_one_has_its_address(stack, tmp_path, number):
    first = stack()
    made = ready(first)
    first.send_signal(number)
    first.communicate(timeout=UP_SECONDS)
    wait_until_gone(made["pids"].values())
    assert holder(tmp_path / "s/run/stack.lock") is None
    assert ready(stack())["url"] == made["url"]
