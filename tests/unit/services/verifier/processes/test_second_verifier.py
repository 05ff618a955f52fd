"""second_verifier.py: another verifier as a limited process. PREVAIL is in no Debian package: the seam is its command
line, and small scripts stand for it here (0 accepts, anything else refuses)."""

from dataclasses import replace
from pathlib import Path

import pytest

from services.verifier.errors import Broken
from services.verifier.processes.second_verifier import KernelVerifier, Program, SecondVerifier, find
from tests.support.kernel.kernel_oracle import available
from tests.support.programs.bundles import bundle_of
from unibpf.host.fence import Limits
from unibpf.messages.reports import SecondOpinion
from unibpf.push import second_opinion

SAFE = Program(data=b"object", bundle=b"bundle", section="xdp", function="firewall", verdict="safe")
UNSAFE = Program(data=b"object", bundle=b"bundle", section="xdp", function="firewall", verdict="unsafe")


def fake(folder: Path, body: str) -> SecondVerifier:
    path = folder / "prevail"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    limits = Limits(cpu_seconds=1, wall_seconds=3.0, memory_bytes=1 << 30)
    return SecondVerifier(name="prevail", executable=path, limits=limits)


@pytest.mark.parametrize(
    ("program", "status", "accepts", "agrees"),
    [(SAFE, 0, True, True), (SAFE, 1, False, False), (UNSAFE, 0, True, False), (UNSAFE, 1, False, True)],
)
async def test_it_agrees_when_both_accept_or_both_refuse(
    tmp_path: Path, program: Program, status: int, accepts: bool, agrees: bool
) -> None:
    found = await fake(tmp_path, f"exit {status}").judge(program)
    assert found == SecondOpinion(verifier="prevail", accepts=accepts, agrees=agrees)


async def test_it_reads_the_object_itself_and_the_programs_place(tmp_path: Path) -> None:
    found = await fake(tmp_path, 'echo "$(cat "$1") $2 $3 $(env | grep -c UNIBPF)" >&2; exit 1').judge(SAFE)
    assert found.said == "object xdp firewall 0"


@pytest.mark.parametrize("body", ["kill -SEGV $$", "while :; do :; done", "sleep 60", "yes", "yes >&2"])
async def test_one_that_misbehaves_has_no_opinion_and_ends(tmp_path: Path, body: str) -> None:
    found = await fake(tmp_path, body).judge(SAFE)
    assert (found.accepts, found.agrees) == (None, False)


async def test_one_that_went_away_has_no_opinion(tmp_path: Path) -> None:
    other = fake(tmp_path, "exit 0")
    other.executable.unlink()
    assert (await other.judge(SAFE)).accepts is None


def test_an_unknown_or_missing_verifier_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="got second verifier `nobody`, expected one of: prevail, kernel"):
        find("nobody")
    with pytest.raises(Broken, match="neither `prevail` nor `check` is on PATH"):
        find("prevail")
    other = fake(tmp_path, "exit 0")
    assert find("prevail") == SecondVerifier(name="prevail", executable=other.executable)


async def test_of_what_a_loader_changed_who_reads_the_object_has_no_opinion(tmp_path: Path) -> None:
    found = await fake(tmp_path, "exit 0").judge(replace(SAFE, changed=True))
    assert found == second_opinion.none("prevail", second_opinion.WITHOUT_LOADER)


async def test_the_kernel_is_asked_about_the_bundle_in_a_process_of_its_own() -> None:
    assert find("kernel") == KernelVerifier()
    two = bundle_of(bytes.fromhex("b7000000020000009500000000000000"))
    found = await KernelVerifier().judge(replace(SAFE, bundle=two, changed=True))
    assert (found.accepts, found.agrees) == ((True, True) if available() else (None, False))
    found = await KernelVerifier().judge(SAFE)
    assert (found.accepts, found.agrees, found.said[:27]) == (None, False, "not asked: this is no bundl")


def test_another_binary_has_other_opinions(tmp_path: Path) -> None:
    first = fake(tmp_path, "exit 0").revision
    assert fake(tmp_path, "exit 1").revision != first
