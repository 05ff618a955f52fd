"""The checker of certificates against the analyser's real ones: whole, of other programs, and spoilt in every way."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.verifier.errors import Rejection
from services.verifier.frontend import frontend
from tests.support.programs.analyser_cases import Case, all_cases
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from tests.support.programs.certificates import Tools
from tests.support.signing.golden import blocks
from unibpf.formats import cbor
from unibpf.formats.bundle import BundleError
from unibpf.host.settings import REPOSITORY
from unibpf.push import compile

CASES = [case for case in all_cases() if case.platform == "guest"]
SAFE = [case for case in CASES if case.verdict == "safe"]
MUTANTS = [pytest.param(case, at, id=f"{case.name}-{at}") for case in SAFE for at in case.checks()]
OPERATORS = sorted((REPOSITORY / "tests/data/operators").glob("*.c"))
SOURCES = sorted(
    [
        *(REPOSITORY / "tests/data/programs").glob("*.c"),
        *OPERATORS,
        *(REPOSITORY / "benchmarks/programs").glob("*.c"),
        *(REPOSITORY / "vnfs").glob("*/*.c"),
    ]
)


@pytest.fixture(scope="session")
def tools(bin_directory: Path) -> Tools:
    return Tools(folder=bin_directory)


@pytest.fixture(scope="session")
def assembler(bin_directory: Path) -> Assembler:
    return Assembler(bin_directory / "unibpf-run")


@pytest.mark.parametrize("case", SAFE, ids=lambda case: case.name)
def test_what_is_safe_for_guests_is_certified_within_the_analysers_bound(
    case: Case, tools: Tools, assembler: Assembler
) -> None:
    bundle = case.bundle(assembler)
    report, certificate = tools.analyse(bundle)
    assert certificate is not None
    answer = tools.check(bundle, certificate)
    assert answer["verdict"] == "accepted", answer
    assert answer["instruction_bound"] <= answer["cost_bound"] <= report["instruction_bound"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_program_in_c_that_is_safe_for_guests_is_certified(source: Path, tools: Tools) -> None:
    """As a filter and as a rewriter; an object whose programs are all refused counts as well."""
    data = compile.compile_c(source)
    for bundle in {bundle for kind in ("filter", "rewriter") for bundle in bundles(data, kind)}:
        _, certificate = tools.analyse(bundle)
        if certificate is not None:
            answer = tools.check(bundle, certificate)
            assert answer["verdict"] == "accepted", answer


OTHERWISE = [
    *(pytest.param(source, "-O1", "-mcpu=v1", id=f"{source.stem}-plain") for source in OPERATORS),
    *(
        pytest.param(source, "-O2", "-mcpu=v4", id=f"{source.stem}-v4")
        for source in sorted((REPOSITORY / "tests/conformance/xdp").glob("*.c"))
    ),
]


@pytest.mark.parametrize(("source", "effort", "instructions"), OTHERWISE)
def test_how_a_program_was_compiled_does_not_matter_to_the_checker(
    source: Path, effort: str, instructions: str, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without 32-bit instructions and optimised less, or with all instructions: other shapes of the same programs."""
    monkeypatch.setattr(compile, "FLAGS", (effort, "-g", "-target", "bpf", instructions))
    for bundle in bundles(compile.compile_c(source), "rewriter"):
        _, certificate = tools.analyse(bundle)
        if certificate is not None:
            answer = tools.check(bundle, certificate)
            assert answer["verdict"] == "accepted", answer


def bundles(data: bytes, kind: Any) -> Iterator[bytes]:
    for choice in frontend.choices(data, frontend.Options(kind=kind)):
        try:
            yield frontend.translate(data, choice).bundle
        except (Rejection, BundleError):  # refused programs lie among them
            continue


@pytest.mark.parametrize("case", [case for case in CASES if case.verdict == "unsafe"], ids=lambda case: case.name)
def test_the_analyser_certifies_nothing_that_it_refuses(case: Case, tools: Tools, assembler: Assembler) -> None:
    _, certificate = tools.analyse(case.bundle(assembler))
    assert certificate is None


@pytest.mark.parametrize(("case", "line"), MUTANTS)
def test_a_program_without_its_check_does_not_pass_by_the_certificate_of_the_whole_one(
    case: Case, line: int, tools: Tools, assembler: Assembler
) -> None:
    _, certificate = tools.analyse(case.bundle(assembler))
    assert certificate is not None
    assert tools.check(case.bundle(assembler, without=line), certificate)["verdict"] == "refused"


PACKET = """
ldxw r2, [r1+0]
ldxw r3, [r1+4]
mov64 r4, r2
add64 r4, 14
jgt64 r4, r3, out
ldxb r0, [r2+{at}]
exit
out:
mov64 r0, 1
exit
"""
LOOP = """
mov64 r1, 0
mov64 r0, 0
again:
add64 r0, r1
add64 r1, {step}
jlt64 r1, 1000, again
exit
"""
# As many bytes as the first one says, tested once, against what is left of the packet.
REST = """
ldxw r2, [r1+0]
ldxw r3, [r1+4]
mov64 r4, r2
add64 r4, 1
jgt64 r4, r3, out
ldxb r5, [r2+0]
sub64 r3, r4
jeq64 r5, 0, out
jgt64 r5, r3, out
again:
ldxb r0, [r4+{at}]
add64 r4, 1
add64 r5, -1
jne64 r5, 0, again
mov64 r0, 2
exit
out:
mov64 r0, 1
exit
"""
PROVED = {"packet": PACKET.format(at=13), "loop": LOOP.format(step=1), "rest": REST.format(at=0)}
# What the proofs above must never be bent to prove: a byte past the checked ones, and no end.
UNSAFE = {"packet": PACKET.format(at=14), "loop": LOOP.format(step=0), "rest": REST.format(at=1)}


def spoilt(certificate: bytes) -> Iterator[bytes]:
    """Every byte changed in several ways, and cut at every place."""
    rng = random.Random(7)
    for at in range(len(certificate)):
        yield certificate[:at]
        for value in {certificate[at] ^ 1, certificate[at] ^ 0x80, 0, 0xFF, 0xF6, rng.randrange(256)} - {
            certificate[at]
        }:
            yield certificate[:at] + bytes([value]) + certificate[at + 1 :]


def bent(item: Any) -> Iterator[Any]:
    """One item anywhere in a tree dropped, doubled, swapped, made the least or the most that it can be."""
    if isinstance(item, int) and not isinstance(item, bool):
        yield from {0, 1, item - 1, item + 1, item + 65535, (1 << 63) - 1, -(1 << 63)} - {item}
    if isinstance(item, list):
        for at, child in enumerate(item):
            yield item[:at] + item[at + 1 :]
            yield [*item[:at], child, *item[at:]]
            if at:
                yield [*item[: at - 1], child, item[at - 1], *item[at + 1 :]]
            for other in bent(child):
                yield [*item[:at], other, *item[at + 1 :]]
    if isinstance(item, dict):
        for key, child in item.items():
            yield {other: value for other, value in item.items() if other != key}
            for other in bent(child):
                yield item | {key: other}


@pytest.mark.parametrize("name", sorted(PROVED))
def test_no_spoilt_certificate_makes_an_unsafe_program_pass(name: str, tools: Tools, assembler: Assembler) -> None:
    bundle, unsafe = (bundle_of(assembler.assemble(text[name])[0]) for text in (PROVED, UNSAFE))
    _, certificate = tools.analyse(bundle)
    assert certificate is not None
    assert tools.check(bundle, certificate)["verdict"] == "accepted"
    tree = decoded(certificate)
    trees = [data for data in map(encoded, bent(tree)) if data is not None]
    assert len(trees) > 50
    tried = 0
    for changed in [certificate, *spoilt(certificate), *random.Random(3).sample(trees, min(len(trees), 400))]:
        tried += 1
        assert tools.check(unsafe, changed)["verdict"] == "refused", changed.hex()
    assert tried > len(certificate)


def definitions(tree: Any) -> Iterator[list[Any]]:
    """What the states of a certificate say of how numbers came to be."""
    for node in tree[3]:
        yield from node.get(2, {}).get(9, [])


def test_a_definition_that_nothing_computed_is_refused(tools: Tools, assembler: Assembler) -> None:
    bundle = bundle_of(assembler.assemble(PROVED["rest"])[0])
    whole = tools.certified(bundle)
    fields = [(at, field) for at in range(len(list(definitions(decoded(whole))))) for field in (1, 2, 3, 4, 5)]
    assert fields
    for at, field in fields:
        tree = decoded(whole)
        list(definitions(tree))[at][field] += 1
        assert tools.check(bundle, cbor.encode(tree))["verdict"] == "refused", (at, field)


def decoded(certificate: bytes) -> Any:
    return cbor.decode(certificate, max_bytes=1 << 20, max_depth=16)


def encoded(tree: Any) -> bytes | None:
    """None where a bent tree has no encoding."""
    try:
        return cbor.encode(tree)
    except (ValueError, TypeError, OverflowError, struct.error):
        return None


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\xff", bytes(64), b"\x84\x01\x80\x80\x80", b"\x9b" + b"\xff" * 8], ids=bytes.hex
)
def test_what_is_no_certificate_is_refused_as_malformed(data: bytes, tools: Tools, assembler: Assembler) -> None:
    bundle = bundle_of(assembler.assemble(PROVED["packet"])[0])
    answer = tools.check(bundle, data)
    assert (answer["verdict"], answer["rule"]) == ("refused", "certificate-malformed")


def test_a_certificate_of_another_program_is_refused(tools: Tools, assembler: Assembler) -> None:
    codes = {name: bundle_of(assembler.assemble(text)[0]) for name, text in PROVED.items()}
    for one, other in (("packet", "loop"), ("loop", "packet")):
        _, certificate = tools.analyse(codes[one])
        assert certificate is not None
        assert tools.check(codes[other], certificate)["verdict"] == "refused"


@pytest.mark.parametrize("name", sorted(blocks("certificate")))
def test_the_golden_certificates_are_accepted(name: str, tools: Tools) -> None:
    block = blocks("certificate")[name]
    answer = tools.check(bytes.fromhex(block["bundle"]), bytes.fromhex(block["certificate"]))
    assert answer["verdict"] == "accepted", answer
