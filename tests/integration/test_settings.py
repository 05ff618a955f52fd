"""One object under several settings, through verifier and signer, a real server and token: each is its own release."""

from pathlib import Path

from services.signer.token import read_trusted
from tests.support.programs.programs import compiled
from tests.support.services.nats import PUSHER, NatsFixture
from tests.support.services.services import eventually, running
from tests.support.signing.hsm import HsmFixture
from unibpf import subjects
from unibpf.bus import Bus
from unibpf.client.push import Push, publish
from unibpf.formats import bundle, envelope
from unibpf.messages.programs import Signed, Verdict
from unibpf.push.loading import Constant, Loading
from unibpf.subjects import EVENTS

PROGRAM = "decide"


async def released(bus: Bus, *words: str) -> tuple[Verdict, Signed]:
    """What came of one push under these constants."""
    loading = Loading(constants=tuple(map(Constant.parse, words)))
    push_id = await publish(bus, Push(program=PROGRAM, data=compiled("settings_decide"), loading=loading))

    async def verdict() -> Verdict | None:
        async for event in bus.history(EVENTS, subjects.verified(PROGRAM)):
            if (found := event.decode(Verdict)).push_id == push_id:
                return found
        return None

    async def signed() -> Signed | None:
        async for event in bus.history(EVENTS, subjects.signed(PROGRAM)):
            if (found := event.decode(Signed)).push_id == push_id:
                return found
        return None

    return await eventually(verdict, what="the verdict"), await eventually(signed, what="the signature")


async def test_the_same_object_with_other_constants_is_another_release(
    nats: NatsFixture, hsm_token: HsmFixture, bin_directory: Path, tmp_path: Path
) -> None:
    environment = nats.environment() | {"UNIBPF_BIN": str(bin_directory)}
    async with (
        running("verifier", environment=environment, log=tmp_path / "verifier.log"),
        running("signer", environment=environment, log=tmp_path / "signer.log"),
        await nats.connect(PUSHER) as bus,
    ):
        first = await released(bus, "cfg.verdict=2")
        again = await released(bus, "cfg.verdict=2")
        said = await released(bus)  # it is what the object has
        other = await released(bus, "cfg.verdict=1")
        back = await released(bus, "cfg.verdict=2")
        trusted = read_trusted(hsm_token.settings.paths.trusted_signers)
        for verdict, signed in (first, other, back):
            release = envelope.verify(await bus.get_object(signed.envelope), trusted)
            assert release.bundle.hex() == verdict.bundle == signed.bundle
            assert release.verifier.options.hex() == verdict.options_digest
            assert release.verifier.verdict.hex() == verdict.verdict_digest
        stored = bundle.decode(await bus.get_object(other[1].bundle))
    assert len({verdict.object for verdict, _ in (first, again, said, other, back)}) == 1
    assert first[1].envelope == again[1].envelope == said[1].envelope, "the newest release asked for again"
    assert first[1].bundle == back[1].bundle != other[1].bundle
    assert first[1].sequence < other[1].sequence < back[1].sequence
    assert next(entry.data for entry in stored.maps if entry.name == ".rodata").count(1) == 2  # verdict and checked
