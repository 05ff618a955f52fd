"""unibpf.formats.envelope against its golden vectors, and against every single changed bit."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.signing.golden import blocks
from unibpf.formats import cbor, envelope
from unibpf.formats.envelope import EnvelopeError, MapPolicy, TrustedKey
from unibpf.host.settings import REPOSITORY
from unibpf.messages.programs import Probation

GOLDEN = REPOSITORY / "schemas" / "golden"
VECTORS = blocks("envelope")
GOOD = {name: case for name, case in VECTORS.items() if "rule" not in case}
BAD = {name: case for name, case in VECTORS.items() if "rule" in case}


def load_generator(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = load_generator(GOLDEN / "generate_envelope.py")


def key_of(case: dict[str, str]) -> TrustedKey:
    return TrustedKey(alg=int(case["alg"]), key=bytes.fromhex(case["key"]))


KEYS = [key_of(GOOD["small"]), key_of(GOOD["es256"])]


def test_the_vectors_are_what_the_committed_script_makes() -> None:
    assert (GOLDEN / "envelope.txt").read_text() == GENERATOR.render()


@pytest.mark.parametrize("name", GOOD)
def test_a_golden_envelope_verifies_and_shows_its_fields(name: str) -> None:
    case = GOOD[name]
    data = bytes.fromhex(case["envelope"])
    release = envelope.verify(data, KEYS)
    assert envelope.KINDS.index(release.kind) == int(case["kind"])
    assert (release.program, release.element, release.audience) == (case["program"], case["element"], case["audience"])
    assert (release.sequence, release.length) == (int(case["sequence"]), int(case["bundle_length"]))
    assert release.bundle.hex() == case["bundle_digest"]
    assert envelope.digest(data) == case["digest"]


@pytest.mark.parametrize("name", GOOD)
def test_a_parsed_envelope_assembles_to_the_same_bytes(name: str) -> None:
    data = bytes.fromhex(GOOD[name]["envelope"])
    parsed = envelope.parse(data)
    protected = envelope.protected_header(parsed.alg, parsed.kid)
    payload = envelope.encode_release(parsed.release)
    assert envelope.to_be_signed(protected, payload).hex() == GOOD[name]["to_be_signed"]
    assert envelope.assemble(protected, payload, parsed.signature) == data


@pytest.mark.parametrize("name", BAD)
def test_a_golden_defect_is_refused_with_its_rule(name: str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        envelope.verify(bytes.fromhex(BAD[name]["envelope"]), KEYS)
    assert caught.value.rule == BAD[name]["rule"]


@pytest.mark.parametrize("name", ["small", "full", "es256"])
def test_no_single_changed_bit_is_accepted(name: str) -> None:
    data = bytes.fromhex(GOOD[name]["envelope"])
    for position in range(len(data) * 8):
        changed = bytearray(data)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(EnvelopeError):
            envelope.verify(bytes(changed), KEYS)


@given(st.sampled_from(list(VECTORS)), st.integers(0, 400), st.integers(0, 8), st.binary(max_size=8))
def test_spliced_bytes_are_refused_or_are_the_one_encoding(name: str, start: int, cut: int, put: bytes) -> None:
    good = bytes.fromhex(VECTORS[name]["envelope"])
    data = good[:start] + put + good[start + cut :]
    try:
        parsed = envelope.parse(data)
    except EnvelopeError:
        return
    protected = envelope.protected_header(parsed.alg, parsed.kid)
    assert envelope.assemble(protected, envelope.encode_release(parsed.release), parsed.signature) == data


def test_a_key_without_its_algorithm_verifies_nothing() -> None:
    wrong = TrustedKey(alg=envelope.ES256, key=KEYS[0].key)
    with pytest.raises(EnvelopeError, match="no trusted key"):
        envelope.verify(bytes.fromhex(GOOD["small"]["envelope"]), [wrong])


def test_an_envelope_above_the_cap_is_not_even_parsed() -> None:
    with pytest.raises(EnvelopeError) as caught:
        envelope.parse(b"\xd2" * (envelope.MAX_ENVELOPE_BYTES + 1))
    assert caught.value.rule == "size"


@pytest.mark.parametrize(
    "change",
    [
        {"program": "Firewall"},
        {"program": "x" * 49},
        {"element": "e" * 64},
        {"sequence": 0},
        {"audience": ""},
        {"bundle": bytes(31)},
        {"length": envelope.MAX_BUNDLE_BYTES + 1},
        {"maps": (MapPolicy(map="b"), MapPolicy(map="a"))},
        {"maps": (MapPolicy(map="a"), MapPolicy(map="a"))},
        {"precursor": b""},
        {"probation": Probation(time_ms=0)},
        {"probation": Probation(packets=1_000_001)},
        {"probation": Probation(share=0)},
    ],
)
def test_a_release_that_a_guest_would_refuse_is_not_encoded(change: dict[str, object]) -> None:
    with pytest.raises(EnvelopeError, match=next(iter(change))):
        envelope.encode_release(replace(GENERATOR.SMALL, **change))


@pytest.mark.parametrize(
    "item", [[0, 1, 1, 0], [1, 1, 1, 2], [1, 1, 1], [1, 1, 1, 0, 0], "x", [1, 1, 3_600_001_000, 0]]
)
def test_a_probation_of_another_form_is_not_read(item: object) -> None:
    payload = cbor.decode(envelope.encode_release(GENERATOR.SMALL), max_bytes=4096)
    assert isinstance(payload, dict)
    with pytest.raises(EnvelopeError):
        envelope.decode_release(cbor.encode({**payload, 13: item}))
