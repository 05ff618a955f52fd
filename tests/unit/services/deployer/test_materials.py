"""services.deployer.materials: a signer that cannot sign now is no verdict on a graph."""

import pytest
from msgspec import json, structs

from services.deployer.errors import BootError
from services.deployer.materials import Sources, _chosen, fetch
from tests.support.guests.guests import spec
from tests.support.signing.signing import SIGNED, release_of
from tests.support.signing.signing import Signer as Signer_
from unibpf.bus import BusNotReady, Entry, RequestFailed
from unibpf.formats.envelope import digest
from unibpf.host.outcomes import Outcome, OutcomeFile
from unibpf.messages.programs import Signed


class Signer:
    """A bus whose signer answers one error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def request(self, *_arguments, **_options):
        raise self.error


@pytest.mark.parametrize(
    ("error", "is_passing"),
    [
        (RequestFailed("403", "audience: not for this identity"), False),
        (RequestFailed("503", "hsm: the token is not there"), True),
        (BusNotReady("no service listens"), True),
    ],
)
async def test_only_a_refusal_is_held_against_the_specification(error, is_passing) -> None:
    with pytest.raises(BootError) as caught:
        await fetch(Sources(bus=Signer(error), current=None, outcomes=None, floors={}), spec())
    assert caught.value.is_passing is is_passing


class Listed:
    """What the signed list says of any release."""

    def __init__(self, fault: str | None) -> None:
        self.fault_ = fault

    async def fault(self, _release: Signed) -> str | None:
        return self.fault_


class Newest:
    """A bus that calls one genuine release the newest, and has its bytes."""

    def __init__(self, sequence: int) -> None:
        self.envelope = Signer_().sign(release_of(b"bundle", sequence=sequence))
        self.release = structs.replace(
            SIGNED, sequence=sequence, envelope=digest(self.envelope), bundle=digest(b"bundle")
        )

    async def kv(self, _name: str) -> "Newest":
        return self

    async def get(self, key: str) -> Entry | None:
        return Entry(key=key, value=json.encode(self.release), revision=1) if key == "edge.firewall" else None

    async def get_object(self, name: str) -> bytes:
        return self.envelope if name == self.release.envelope else b"bundle"


@pytest.mark.parametrize(
    ("floors", "listed", "why"),
    [
        ({}, None, None),
        ({}, "not listed", "not listed"),
        ({"fw": 100}, "not listed", None),
        ({"fw": 99}, "not listed", None),
        ({"fw": 101}, None, "older than what ran here"),
        ({"other": 1}, "not listed", "not listed"),
    ],
)
async def test_what_is_below_the_floor_and_never_ran_here_is_not_booted(tmp_path, floors, listed, why) -> None:
    bus = Newest(100)
    sources = Sources(bus=bus, current=Listed(listed), outcomes=OutcomeFile(tmp_path), floors=floors)
    found = await _chosen(sources, spec(), "fw", "firewall")
    assert (found.program is None, why in (found.why or "") if why else True) == (why is not None, True)


async def test_what_ran_well_here_is_booted_whatever_floor_and_list_say(tmp_path) -> None:
    bus = Newest(100)
    outcomes = OutcomeFile(tmp_path)
    outcomes.note("fw", Outcome(release=bus.release, state="active"))
    sources = Sources(bus=bus, current=Listed("not listed"), outcomes=outcomes, floors={"fw": 500})
    assert (await _chosen(sources, spec(), "fw", "firewall")).program is not None


async def test_what_is_told_otherwise_than_it_is_signed_is_not_booted(tmp_path) -> None:
    bus = Newest(100)
    bus.release = structs.replace(bus.release, sequence=1 << 60)
    sources = Sources(bus=bus, current=Listed(None), outcomes=OutcomeFile(tmp_path), floors={})
    assert "not what it is said to be" in ((await _chosen(sources, spec(), "fw", "firewall")).why or "")
