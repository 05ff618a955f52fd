"""A server of an operator's own: what compose.yaml's `setup` and `init` run, and services with nothing but their own key."""

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.signer.settings import Settings
from services.signer.token import init_token
from tests.support.services.cli import Cli
from tests.support.services.services import eventually, running
from unibpf import subjects
from unibpf.bus import Bus, BusSettings, PermissionDenied
from unibpf.bus.embedded import answers, executable, free_port
from unibpf.host import identity
from unibpf.subjects import SERVICES


@contextlib.contextmanager
def own_server(folder: Path) -> Iterator[str]:
    """nats-server on what `unibpf bus config` wrote; yields its address."""
    port = free_port()
    config = folder / "nats.json"
    operator = Cli(folder / "operator")
    operator.run("bus", "keys", "--pusher", "ci", "--export", str(folder))
    store = ("--store", str(folder / "jetstream"))
    operator.run("bus", "config", "--listen", f"127.0.0.1:{port}", *store, "--output", str(config))
    with subprocess.Popen([executable(), "--config", config], stderr=subprocess.DEVNULL) as server:
        try:
            while not answers(port):
                assert server.poll() is None, "nats-server does not run on this configuration"
            yield f"nats://127.0.0.1:{port}"
        finally:
            server.terminate()


def environment_of(name: str, folder: Path, url: str) -> dict[str, str]:
    """What the service's container has: a state directory with nothing but the exported keys."""
    state = folder / "state" / name
    state.mkdir(parents=True)
    (folder / name).rename(state / "keys")
    environment = {"UNIBPF_STATE": str(state), "UNIBPF_NATS_URL": url}
    if name == "signer":
        init_token(Settings.from_environment(environment))
    return environment


async def test_services_with_only_their_exported_keys_work_on_an_operators_own_server(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        url = stack.enter_context(own_server(tmp_path))
        done = await asyncio.to_thread(
            Cli(tmp_path / "operator", {"UNIBPF_NATS_URL": url}).run, "bus", "init", "--host", "local", "--json"
        )
        uploads = next(one for one in done.json["done"] if one["step"]["name"] == "UNIBPF_UPLOADS")
        assert uploads["outcome"] == "created"
        for name in SERVICES:
            environment = environment_of(name, tmp_path, url)
            await stack.enter_async_context(running(name, environment=environment, log=tmp_path / f"{name}.log"))
        ci = identity.load(tmp_path / "ci", "ci")
        bus = await stack.enter_async_context(await Bus.connect(BusSettings(url=url, identity=ci)))

        async def everybody() -> bool | None:
            return all([await bus.ping(f"unibpf-{name}", timeout=0.3) for name in SERVICES]) or None

        await eventually(everybody, what="the services")
        with pytest.raises(PermissionDenied):
            await bus.publish(subjects.upload("cli", "fw"), b"\x7fELF")


def test_the_configuration_needs_everybodys_key_and_an_address(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    assert "has no public key of `deployer`; make them with `unibpf bus keys`" in cli.run("bus", "config", ok=False).err
    cli.run("bus", "keys")
    answer = cli.run("bus", "config", "--listen", "here", ok=False)
    assert (answer.code, "got `here`, expected an address and a port" in answer.err) == (2, True)


def test_making_keys_again_keeps_them_and_their_copies_are_the_owners_only(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "state")
    first = cli.run("bus", "keys", "--pusher", "ci", "--json").json
    assert cli.run("bus", "keys", "--pusher", "ci", "--export", str(tmp_path / "out"), "--json").json == first
    everybody = {f"{name}.pub" for name in first}
    for name in ("signer", "ci"):
        files = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out" / name).iterdir()}
        assert set(files) == {f"{name}.nk", *everybody}
        assert files[f"{name}.nk"] == 0o600
    assert all(key.startswith("U") for key in first.values())


def test_a_name_that_is_no_identity_is_refused(tmp_path: Path) -> None:
    answer = Cli(tmp_path).run("bus", "keys", "--pusher", "../ci", ok=False)
    assert (answer.code, "`../ci` is not an identity" in answer.err) == (2, True)
