"""unibpf.formats.boot_image against its golden vectors and against bad images, each named by its defect."""

import importlib.util
from pathlib import Path

import pytest
from msgspec.structs import replace

from unibpf.formats import boot_image, cbor
from unibpf.formats.boot_image import BootImageError

GOLDEN = Path(__file__).parents[4] / "schemas" / "golden"
_spec = importlib.util.spec_from_file_location("generate_control", GOLDEN / "generate_control.py")
assert _spec and _spec.loader
golden = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(golden)


def items():
    return cbor.decode(boot_image.encode(golden.FULL), max_bytes=boot_image.MAX_BYTES)


def test_the_golden_files_are_what_their_script_writes():
    assert {name: (GOLDEN / name).read_text() for name in golden.files()} == golden.files()


@pytest.mark.parametrize("image", [golden.SMALL, golden.FULL], ids=["small", "full"])
def test_an_image_survives_encoding(image):
    assert boot_image.decode(boot_image.encode(image)) == image


def test_the_seed_never_shows_in_repr():
    assert golden.SEED.hex() not in repr(golden.SMALL)
    assert repr(golden.SEED) not in repr(golden.SMALL)


BAD = {
    "version_2": (0, 2, "version"),
    "guest_in_capitals": (1, "FW", "guest"),
    "guest_too_long": (1, "a" * 49, "guest"),
    "audience_is_a_number": (2, 7, "audience"),
    "short_seed": (3, bytes(31), "seed"),
    "no_signer": (4, [], "signers"),
    "unknown_algorithm": (4, [[bytes(8), -6, bytes(32)]], "signers"),
    "p256_key_of_ed25519_size": (4, [[bytes(8), -7, bytes(32)]], "signers"),
    "short_kid": (4, [[bytes(7), -8, bytes(32)]], "signers"),
    "graph_without_text": (5, [b"envelope"], "graph"),
    "program_without_bundle": (6, [["fw", b"envelope"]], "programs"),
    "negative_floor": (7, [["fw", -1]], "floors"),
    "floor_twice": (7, [["fw", 1], ["fw", 2]], "floors"),
    "prefix_33": (8, [bytes(4), 33, 5683], "management"),
    "port_0": (8, [bytes(4), 24, 0], "management"),
    "gateway_of_6_bytes": (8, [bytes(4), 24, 5683, bytes(6)], "management"),
    "mac_of_5_bytes": (9, [["mgmt", bytes(5)]], "nics"),
    "one_mac_twice": (9, [["a", bytes(6)], ["b", bytes(6)]], "nics"),
    "unknown_limit": (11, {3: 1}, "limits"),
}


@pytest.mark.parametrize(("key", "value", "rule"), BAD.values(), ids=BAD)
def test_a_bad_field_is_refused_by_its_rule(key, value, rule):
    with pytest.raises(BootImageError) as error:
        boot_image.decode(cbor.encode(items() | {key: value}))
    assert error.value.rule == rule


def test_a_missing_or_additional_key_is_refused():
    fields = items()
    with pytest.raises(BootImageError, match="keys 0 to 11"):
        boot_image.decode(cbor.encode({key: value for key, value in fields.items() if key != 11}))
    with pytest.raises(BootImageError, match="keys 0 to 11"):
        boot_image.decode(cbor.encode(fields | {12: 0}))


def test_bytes_behind_the_image_are_refused():
    with pytest.raises(BootImageError) as error:
        boot_image.decode(boot_image.encode(golden.SMALL) + b"\0")
    assert error.value.rule == "cbor"


def test_an_image_above_the_cap_is_refused_before_it_is_read():
    with pytest.raises(BootImageError) as error:
        boot_image.decode(bytes(boot_image.MAX_BYTES + 1))
    assert error.value.rule == "size"


def test_encode_refuses_what_decode_would_refuse():
    with pytest.raises(BootImageError) as error:
        boot_image.encode(replace(golden.SMALL, seed=bytes(16)))
    assert error.value.rule == "seed"
