"""A state folder belongs to one stack: what a second one, a kill and a closed terminal do to it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.support.guests.guests import is_alive
from tests.support.services.cli import ROOT, Cli
from tests.support.services.promises import promise
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


def test_a_stack_of_its_own_runs_on_the_port_that_was_asked_for_until_it_is_ended(tmp_path):
    cli = Cli(tmp_path / "s")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = cli.run("up", "--detach", "--json", "--port", str(port)).json
    try:
        assert made["url"] == f"nats://127.0.0.1:{port}" and all(is_alive(pid) for pid in made["pids"].values())
        assert cli.run("status", "--json").json["pids"] == made["pids"]
        state = {file: file.stat().st_mtime_ns for file in (tmp_path / "s").glob("*/*") if file.is_file()}
        for words in (["up"], ["up", "--detach"]):
            refused = cli.run(*words, "--json", ok=False)
            assert promise(refused.code, refused.out, refused.err)["exit_code"] == 5
            assert str(made["supervisor"]) in refused.err
        unchanged = {file: at for file, at in state.items() if file.name != "nats-server.log"}
        assert {file: file.stat().st_mtime_ns for file in unchanged} == unchanged
    finally:
        ended = cli.run("down", "--json").json
    assert ended["stopped"] and ended["supervisor"] == made["supervisor"]
    wait_until_gone([made["supervisor"], *made["pids"].values()])
    assert not cli.run("down", "--json").json["stopped"]
    with socket.create_server(("127.0.0.1", port)):
        taken = cli.run("up", "--json", "--port", str(port), ok=False)
        assert f"port {port} is taken" in promise(taken.code, taken.out, taken.err)["error"]


def test_a_pid_that_is_somebody_elses_now_is_not_taken_for_ours(stack, tmp_path):
    made = ready(stack())
    file = tmp_path / "s/run/stack.json"
    state = json.loads(file.read_text())
    state["pids"]["signer"] = os.getpid()
    file.write_text(json.dumps(state))
    assert set(Cli(tmp_path / "s").run("status", "--json").json["pids"]) == set(made["pids"]) - {"signer"}


@pytest.mark.parametrize("name", ["run/stack.json", "run/stack.lock", "run/nats.url", "nats/nats.json"])
def test_files_of_a_stack_that_are_damaged_do_not_keep_the_next_one_from_starting(stack, tmp_path, name):
    file = tmp_path / "s" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xff\xfe{ noise")
    status = Cli(tmp_path / "s").run("status", "--json", ok=False)
    promise(status.code, status.out, status.err)
    assert ready(stack())["url"].startswith("nats://")
