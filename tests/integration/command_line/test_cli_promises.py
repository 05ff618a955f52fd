"""Whatever is wrong with a call, every command says it in one way: an exit code, a sentence, and with `--json` one object."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import typer

from tests.support.services.cli import Cli
from tests.support.services.promises import LOCAL, PROGRAM, ROOT, leaves, promise
from unibpf.bus.topology import GUESTS, GUESTS_OBSERVED
from unibpf.cli import app, ending
from unibpf.cli.output import Exit
from unibpf.host import identity

LEAVES = leaves(typer.main.get_command(app.app))
ON_THE_BUS = [leaf for leaf in LEAVES if leaf.path not in LOCAL]
IDS = [leaf.path for leaf in LEAVES]


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """One call in this process, on a state folder of its own."""
    monkeypatch.setenv("UNIBPF_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("UNIBPF_NATS_URL", raising=False)
    monkeypatch.delenv("UNIBPF_NKEY_FILE", raising=False)
    before = signal.getsignal(signal.SIGTERM)

    def run(*words):
        code = ending.end(lambda: app.run(list(words)), words)
        said = capsys.readouterr()
        return code, said.out, said.err

    yield run
    signal.signal(signal.SIGTERM, before)


def calls(cli, leaves, *, arguments=lambda leaf: leaf.arguments()):
    """One process a command, some at a time."""
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda leaf: cli.run(*arguments(leaf), ok=False), leaves)
        return dict(zip([leaf.path for leaf in leaves], answers, strict=True))


def test_the_tree_of_commands_is_the_one_that_users_see():
    assert {"up", "push", "verify", "run", "status", "guest apply", "map set", "bus init"} <= set(IDS)
    assert len(set(IDS) & LOCAL) >= 8


@pytest.mark.parametrize("leaf", LEAVES, ids=IDS)
def test_every_command_takes_json(leaf):
    assert leaf.path == "verify" or "--json" in [name for one in leaf.command.params for name in one.opts]


@pytest.mark.parametrize("leaf", LEAVES, ids=IDS)
def test_an_unknown_option_is_named_with_the_nearest(leaf, call):
    said = promise(*call(*leaf.words, "--jsno", "--json"))
    assert (said["exit_code"], said["rule"]) == (Exit.USAGE, "usage")
    if "ignore_unknown_options" not in (leaf.command.context_settings or {}):
        assert "--jsno" in said["error"] and "--json" in said["error"]


@pytest.mark.parametrize("leaf", LEAVES, ids=IDS)
def test_arguments_that_are_missing_or_too_many(leaf, call):
    if any(one.param_type_name == "argument" and one.required for one in leaf.command.params):
        assert promise(*call(*leaf.words, "--json"))["exit_code"] == Exit.USAGE
    if leaf.path != "map delete":
        assert promise(*call(*leaf.arguments()[:-1], *["more"] * 3, "--json"))["exit_code"] == Exit.USAGE


@pytest.mark.parametrize("kind", ["missing", "folder", "noise", "empty"])
@pytest.mark.parametrize(
    "leaf", [leaf for leaf in LEAVES if leaf.files() or leaf.path == "verify"], ids=lambda leaf: leaf.path
)
def test_a_file_that_cannot_be_used(leaf, kind, call, tmp_path):
    file = tmp_path / "file"
    if kind == "folder":
        file.mkdir()
    elif kind != "missing":
        file.write_bytes(os.urandom(64) if kind == "noise" else b"")
    needs_bus = leaf.path in {"push", "map set"} and kind in {"noise", "empty"}  # then nobody here can tell
    for parameter in leaf.files() or [None]:
        arguments = leaf.arguments(but=parameter or object(), value=str(file))
        said = promise(*call(*arguments))
        assert said["exit_code"] in ({Exit.UNREACHABLE} if needs_bus else {Exit.USAGE, Exit.UNSUPPORTED}), said


def test_a_misspelt_command_gets_the_nearest(call):
    assert "status" in promise(*call("statsu", "--json"))["error"]
    assert "delete" in promise(*call("guest", "delte", "x", "--json"))["error"]
    assert promise(*call("guest", "--json"))["exit_code"] == Exit.USAGE


@pytest.mark.parametrize("leaf", ON_THE_BUS, ids=lambda leaf: leaf.path)
@pytest.mark.parametrize("kind", ["no_folder", "a_file", "empty_key", "cut_key", "noise", "open_key", "address_noise"])
def test_a_state_folder_that_cannot_be_used(leaf, kind, call, tmp_path):
    state = tmp_path / "state"
    if kind == "a_file":
        state.write_text("not a folder")
    elif kind != "no_folder":
        for name in ("cli", "operator"):
            identity.create(state / "keys", name)
            spoil(state, state / f"keys/{name}.nk", kind)
    assert promise(*call(*leaf.arguments()))["exit_code"] in {Exit.USAGE, Exit.UNREACHABLE}


def spoil(state, key, kind):
    match kind:
        case "empty_key":
            key.write_bytes(b"")
        case "cut_key":
            key.write_bytes(key.read_bytes()[:20])
        case "noise":
            key.write_bytes(os.urandom(60))
        case "open_key":
            key.chmod(0o644)
        case "address_noise":
            (state / "run").mkdir(exist_ok=True)
            (state / "run/nats.url").write_bytes(b"\xff\xfe\x00")


def test_without_a_server_each_command_says_so_once(tmp_path):
    for name in ("cli", "operator"):
        identity.create(tmp_path / "keys", name)
    # A port that is free now may be another test's server in a moment; nobody listens on the first one.
    answers = calls(Cli(tmp_path, {"UNIBPF_NATS_URL": "nats://127.0.0.1:1"}), ON_THE_BUS)
    for path, answer in answers.items():
        said = promise(answer.code, answer.out, answer.err)
        assert said["exit_code"] == Exit.UNREACHABLE, path
        assert answer.err.count("Connect call failed") <= 1, path


def test_a_key_that_the_server_does_not_know(nats, tmp_path):
    for name in ("cli", "operator"):
        identity.create(tmp_path / "keys", name)
    for path, answer in calls(Cli(tmp_path, {"UNIBPF_NATS_URL": nats.server.url}), ON_THE_BUS).items():
        said = promise(answer.code, answer.out, answer.err)
        assert said["exit_code"] == Exit.UNREACHABLE and "does not know the key" in said["error"], path


def test_a_server_without_streams(bare_nats):
    may = {"bus init", "bus check"}
    answers = calls(
        Cli(bare_nats.paths.root, bare_nats.environment()), [leaf for leaf in ON_THE_BUS if leaf.path not in may]
    )
    for path, answer in answers.items():
        said = promise(answer.code, answer.out, answer.err)
        assert said["exit_code"] in {Exit.UNREACHABLE, Exit.USAGE}, (path, said)
        assert path == "trace" or "unibpf bus init" in said["error"], (path, said)


def test_a_check_that_finds_something_says_what(bare_nats):
    answer = Cli(bare_nats.paths.root, bare_nats.environment()).run("bus", "check", "--json", ok=False)
    said = promise(answer.code, answer.out, answer.err)
    assert (said["exit_code"], said["rule"]) == (Exit.REFUSED, "bus-differs")
    assert "UNIBPF_UPLOADS: missing" in said["error"]


async def test_what_is_stored_and_cannot_be_read(nats):
    """A newer version may have written it, or the disk."""
    async with nats.buses("operator") as (bus,):
        for name in (GUESTS, GUESTS_OBSERVED):
            await (await bus.kv(name)).create("fw-1", b"\xff noise")
    cli = Cli(nats.paths.root, nats.environment())
    there = {"push", "guest list", "bus init", "bus check", "bus adopt", "trace", "guest delete"}
    answers = await asyncio.to_thread(calls, cli, [leaf for leaf in ON_THE_BUS if leaf.path not in there])
    for path, answer in answers.items():
        if path == "guest apply" and answer.code == 0:
            continue  # what was asked for replaces it
        said = promise(answer.code, answer.out, answer.err)
        assert (said["exit_code"], said["rule"]) == (Exit.USAGE, "unreadable"), (path, said)
    assert (await asyncio.to_thread(cli.run, "guest", "list", "--json")).json == []


@pytest.mark.parametrize(
    "url", ["", "::::", "http://127.0.0.1:1", "nats://", "nats://127.0.0.1:99999", "nats://no such host", "\x01"]
)
def test_an_address_that_is_none(url, tmp_path):
    identity.create(tmp_path / "keys", "cli")
    answer = Cli(tmp_path).run("--url", url, "guest", "list", "--json", ok=False)
    assert promise(answer.code, answer.out, answer.err)["exit_code"] in {Exit.UNREACHABLE, Exit.USAGE}


def test_a_server_of_another_kind(tmp_path):
    identity.create(tmp_path / "keys", "cli")
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer_once():
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"SSH-2.0-x\r\n" * 9)

        threading.Thread(target=answer_once, daemon=True).start()
        url = f"nats://127.0.0.1:{other.getsockname()[1]}"
        answer = Cli(tmp_path, {"UNIBPF_NATS_URL": url}).run("guest", "list", "--json", ok=False)
    assert promise(answer.code, answer.out, answer.err)["exit_code"] == Exit.UNREACHABLE


@pytest.mark.parametrize("key", ["missing", "folder", "noise"])
def test_a_key_file_that_is_none(key, tmp_path):
    file = tmp_path / "ci.nk"
    if key == "folder":
        file.mkdir(mode=0o700)
    elif key == "noise":
        file.write_bytes(os.urandom(40))
        file.chmod(0o600)
    answer = Cli(tmp_path, {"UNIBPF_NKEY_FILE": str(file)}).run("guest", "list", "--json", ok=False)
    assert promise(answer.code, answer.out, answer.err)["exit_code"] in {Exit.UNREACHABLE, Exit.USAGE}


def test_an_answer_that_cannot_be_written(tmp_path):
    cli = Cli(tmp_path)
    for words in (["status", "--json"], ["bus", "keys", "--json"], ["guest", "list"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                cli.command(*words), check=False, stdout=full, stderr=subprocess.PIPE, text=True, env=cli.environ()
            )
        assert done.returncode != 0 and "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
        reader = subprocess.Popen(
            cli.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=cli.environ()
        )
        reader.stdout.close()
        _, said = reader.communicate()
        assert b"Traceback" not in said and b"Exception ignored" not in said


def test_an_identity_that_may_not(nats):
    """A pusher asks for what only people may."""
    cli = Cli(nats.paths.root, nats.environment() | {"UNIBPF_NKEY_FILE": str(nats.paths.keys / "ci.nk")})
    may = {"push", "trace", "guest list"}
    for path, answer in calls(cli, [leaf for leaf in ON_THE_BUS if leaf.path not in may]).items():
        said = promise(answer.code, answer.out, answer.err)
        assert (said["exit_code"], said["rule"]) in {(2, "permission"), (2, "not-found")}, (path, said)


def test_names_that_are_not_there(nats):
    cli = Cli(nats.paths.root, nats.environment())
    there = {"push", "guest apply", "guest list", "bus init", "bus check", "bus adopt"}
    for path, answer in calls(cli, [leaf for leaf in ON_THE_BUS if leaf.path not in there]).items():
        said = promise(answer.code, answer.out, answer.err)
        assert (said["exit_code"], said["rule"]) == (Exit.USAGE, "not-found"), (path, said)


@pytest.mark.parametrize("words", [["push"], ["guest", "apply"]], ids=["push", "guest_apply"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl_c", "terminated"])
def test_who_waits_and_is_interrupted_says_what_it_waited_for(words, number, nats):
    leaf = next(one for one in LEAVES if one.words == words)
    cli = Cli(nats.paths.root, nats.environment())
    process = cli.start(*leaf.arguments(), "--wait")
    threading.Timer(3.0, lambda: process.send_signal(number)).start()
    answer = cli.finish(process, ok=False)
    said = promise(answer.code, answer.out, answer.err)
    assert (said["exit_code"], said["rule"]) == (Exit.TIMEOUT, "interrupted")
    if words == ["push"]:
        assert said["push_id"].startswith("UNIBPF_UPLOADS:") and said["stage"] == "published"


def test_a_wait_that_is_over_says_how_far_it_came(nats):
    leaf = next(one for one in LEAVES if one.path == "push")
    started = time.monotonic()
    answer = Cli(nats.paths.root, nats.environment()).run(*leaf.arguments(), "--wait", "--timeout", "0.5", ok=False)
    said = promise(answer.code, answer.out, answer.err)
    assert (said["exit_code"], said["rule"], said["stage"]) == (Exit.TIMEOUT, "timeout", "published")
    assert said["push_id"] in answer.err and said["trace_id"] in answer.err and time.monotonic() - started < 20


def test_the_version_and_the_completion_of_shells(tmp_path):
    cli = Cli(tmp_path)
    assert cli.run("--version").out == cli.run("-V").out != ""
    completed = Cli(tmp_path, {"_UNIBPF_COMPLETE": "complete_bash", "COMP_WORDS": "unibpf gu", "COMP_CWORD": "1"})
    assert completed.run().out.split() == ["guest"]
    assert "--install-completion" in cli.run("--help").out


def test_what_is_not_built_is_said(tmp_path):
    for words in (["verify"], ["run"]):
        leaf = next(one for one in LEAVES if one.words == words)
        answer = Cli(tmp_path, {"UNIBPF_BIN": str(tmp_path)}).run(*leaf.arguments(), ok=False)
        said = promise(answer.code, answer.out, answer.err)
        assert said["rule"] == "not-installed" and "make build" in said["hint"]


def test_a_wheel_has_no_native_code_and_says_so(tmp_path):
    """What `pip install .` gives: the packages alone, away from the repository."""
    for name in ("unibpf", "services"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("UNIBPF_", "PYTHON"))}
    for words in (["verify", str(PROGRAM)], ["run", str(PROGRAM)], ["up"]):
        command = [sys.executable, "-m", "unibpf.cli", *words, "--json"]
        done = subprocess.run(
            command,
            check=False,
            cwd=tmp_path,
            env=environment | {"HOME": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        said = promise(done.returncode, done.stdout, done.stderr)
        assert said["rule"] == "not-installed" and "make build" in said["hint"] and "UNIBPF_BIN" in said["hint"]


def test_an_answer_is_one_object_also_for_what_is_refused(tmp_path):
    answer = Cli(tmp_path).run("verify", "vnfs/firewall/unsafe.c", "--json", ok=False)
    said = promise(answer.code, answer.out, answer.err)
    assert said["rule"] == "packet-bounds" and said["verdict"] == "unsafe" and json.loads(answer.out) == said
