"""Readiness of services on a real server: they start without what they need, say so, wait, and tell when it is there."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.support.services.nats import NatsFixture
from tests.support.services.services import running
from tests.support.signing.hsm import make_token
from unibpf import VERSION, subjects
from unibpf.bus import Bus
from unibpf.client.status import readiness
from unibpf.host.settings import binary_directory
from unibpf.messages.operations import Readiness

PATIENCE = 30.0


async def asked(bus: Bus, service: str) -> Readiness | None:
    found = readiness(await bus.survey(f"unibpf-{service}", timeout=0.3))
    return found[0] if found else None


async def until(bus: Bus, service: str, *, ready: bool, says: str = "") -> Readiness:
    found = None
    try:
        async with asyncio.timeout(PATIENCE):
            while found is None or found.is_ready != ready or says not in " ".join(found.why):
                found = await asked(bus, service)
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{service}: {found}") from None
    return found


async def told(bus: Bus, service: str) -> list[str]:
    events = bus.history(subjects.EVENTS, subjects.service_state("*", service))
    return [event.subject.split(".")[3] async for event in events]


async def test_a_signer_starts_without_its_token_says_so_and_works_when_it_is_there(
    nats: NatsFixture, tmp_path: Path
) -> None:
    tokens = make_token(nats.paths.root).settings.paths.hsm / "tokens"
    away = tokens.rename(tokens.with_name("away"))
    async with (
        running("signer", environment=nats.environment(), log=tmp_path / "signer.log") as signer,
        await nats.connect("cli") as cli,
    ):
        lacking = await until(cli, "signer", ready=False, says="token")
        assert (lacking.version, lacking.service) == (VERSION, "unibpf-signer")
        assert signer.is_up()
        away.rename(tokens)
        assert (await until(cli, "signer", ready=True)).since_us > lacking.since_us
        tokens.rename(away)
        await until(cli, "signer", ready=False, says="token")
        away.rename(tokens)
        await until(cli, "signer", ready=True)
        assert await told(cli, "signer") == ["unready", "ready", "unready", "ready"]


async def test_a_verifier_starts_without_its_analyser_and_works_when_it_is_there(
    nats: NatsFixture, tmp_path: Path
) -> None:
    binaries = binary_directory(os.environ)
    mine = tmp_path / "bin"
    mine.mkdir()
    variables = nats.environment() | {"UNIBPF_BIN": str(mine)}
    async with (
        running("verifier", environment=variables, log=tmp_path / "verifier.log"),
        await nats.connect("cli") as cli,
    ):
        await until(cli, "verifier", ready=False, says="there is no analyser")
        for one in binaries.iterdir():
            (mine / one.name).symlink_to(one)
        await until(cli, "verifier", ready=True)


@pytest.mark.parametrize(("lost", "said"), [("UNIBPF_AUDIT", "stream UNIBPF_AUDIT"), ("UNIBPF_EVENTS", "consumer")])
async def test_a_lost_stream_ends_readiness(nats: NatsFixture, tmp_path: Path, lost: str, said: str) -> None:
    make_token(nats.paths.root)
    async with (
        running("signer", environment=nats.environment(), log=tmp_path / "signer.log"),
        await nats.connect("operator") as operator,
    ):
        await until(operator, "signer", ready=True)
        await operator.jetstream.delete_stream(lost)
        await until(operator, "signer", ready=False, says=said)
