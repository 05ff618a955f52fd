"""unibpf.client.current: which releases an element takes that never had one."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.signing.signing import Signer
from unibpf.bus import Entry
from unibpf.client.current import FRESH_SECONDS, MAX_AGE_SECONDS, CurrentReleases
from unibpf.formats.release_list import Current, ReleaseList
from unibpf.host.settings import StatePaths
from unibpf.messages.programs import Signed

NOW = 1_700_000_000
OLD = Signed(
    push_id="UNIBPF_UPLOADS:1", program="fw", audience="edge", kind="filter", element="*", sequence=(NOW - 90_000) * 1000,
    envelope="ab" * 32, bundle="2" * 64, policy="p", identity="ci",
)  # fmt: skip
LIST = ReleaseList(
    audience="edge", version=7, time=NOW - 60,
    releases=(Current(program="fw", element="*", sequence=OLD.sequence, envelope=bytes.fromhex(OLD.envelope)),),
)  # fmt: skip


@dataclass
class FakeBus:
    """A bus with one bucket, of which the adversary is master."""

    values: dict[str, bytes] = field(default_factory=dict)

    async def kv(self, name: str) -> "FakeBus":
        assert name == "unibpf-release-lists"
        return self

    async def get(self, key: str) -> Entry | None:
        return Entry(key=key, value=self.values[key], revision=1) if key in self.values else None


class Host:
    """A host, its signer's key, and what is on the bus."""

    def __init__(self, root: Path) -> None:
        self.bus, self.signer, self.paths = FakeBus(), Signer(), StatePaths(root=root)
        self.paths.create()
        trusted = self.signer.trusted
        row = {"kid": trusted.kid.hex(), "alg": "EdDSA", "key": trusted.key.hex()}
        self.paths.trusted_signers.write_text(json.dumps([row]))
        self.current = CurrentReleases(bus=self.bus, paths=self.paths, clock=lambda: float(NOW))  # type: ignore[arg-type]

    def publish(self, wanted: ReleaseList, *, key: str = "edge", signer: Signer | None = None) -> None:
        self.bus.values[key] = (signer or self.signer).release_list(wanted)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


async def test_an_old_release_is_taken_if_the_list_names_it_as_current(host: Host) -> None:
    assert "there is no signed list" in (await host.current.fault(OLD) or "")
    host.publish(LIST)
    assert await host.current.fault(OLD) is None


async def test_what_was_signed_just_now_needs_no_list(host: Host) -> None:
    assert await host.current.fault(replace(OLD, sequence=(NOW - FRESH_SECONDS + 1) * 1000)) is None
    for seconds in (-FRESH_SECONDS - 1, FRESH_SECONDS + 1, 30 * 86400):
        assert await host.current.fault(replace(OLD, sequence=(NOW + seconds) * 1000)) is not None


@pytest.mark.parametrize("other", [{"envelope": "cd" * 32}, {"program": "nat"}, {"element": "fw"}])
async def test_an_older_genuine_release_that_the_list_does_not_name_is_not_taken(
    host: Host, other: dict[str, str]
) -> None:
    host.publish(LIST)
    assert "names another or none" in (await host.current.fault(replace(OLD, **other)) or "")


@pytest.mark.parametrize("time", [NOW - MAX_AGE_SECONDS - 1, NOW + 601])
async def test_an_old_list_is_none(host: Host, time: int) -> None:
    host.publish(replace(LIST, time=time))
    assert "the signed list is of" in (await host.current.fault(OLD) or "")


async def test_a_list_of_a_lower_version_than_was_seen_is_none_not_even_after_a_restart(host: Host) -> None:
    host.publish(replace(LIST, version=8, releases=()))
    assert await host.current.fault(OLD) is not None
    host.publish(LIST)
    again = CurrentReleases(bus=host.bus, paths=host.paths, clock=lambda: float(NOW))  # type: ignore[arg-type]
    assert "version 7, 8 was seen here" in (await again.fault(OLD) or "")


async def test_a_strangers_list_another_audiences_or_junk_is_none(host: Host) -> None:
    host.publish(LIST, signer=Signer())
    assert "no trusted key" in (await host.current.fault(OLD) or "")
    host.publish(replace(LIST, audience="core"))
    assert "the list is of `core`" in (await host.current.fault(OLD) or "")
    host.bus.values["edge"] = b"junk"
    assert await host.current.fault(OLD) is not None


async def test_without_keys_of_its_own_a_host_believes_no_list(host: Host) -> None:
    host.publish(LIST)
    host.paths.trusted_signers.unlink()
    assert "no trusted key" in (await host.current.fault(OLD) or "")
