"""services.deployer.boot: the image, the record and the machine of one boot."""

import json
from pathlib import Path

import msgspec
import pytest

from services.deployer import boot
from services.deployer.boot import Fresh, Host, Materials, SignedProgram
from services.deployer.errors import HostConfigError, SpecError
from services.deployer.host_config import DEFAULT
from services.deployer.machines.hypervisor import mac_of
from tests.support.signing.signing import SIGNED
from unibpf.formats import boot_image
from unibpf.formats.boot_image import SignerKey
from unibpf.host.guest_folder import GuestFolder
from unibpf.messages.graphs import SignedGraph
from unibpf.messages.guests import GuestSpec, Nic

SPEC = GuestSpec(
    guest="g",
    audience="edge",
    graph="c :: Control;",
    nics=[Nic(name="in0", network="left")],
    programs={"fw": "firewall", "empty": "later"},
)
FRESH = Fresh(boot_id="b", seed=bytes(range(32)), control_port=4711, now_us=5)
KEY = SignerKey(kid=bytes(8), alg=-8, key=bytes(32))
MATERIALS = Materials(
    graph=SignedGraph(name="g", audience="edge", sequence=3, envelope="f" * 64, graph="a" * 64, policy="p"),
    graph_envelope=b"graph",
    programs={"fw": SignedProgram(release=SIGNED, envelope=b"envelope", bundle=b"bundle")},
)


def host(sockets="/s", **kinds):
    available = {"microvm": "microvm", "q35": "q35", "process": "process"} | kinds
    return Host(config=DEFAULT, kind_available=available, accel="tcg", kernel=Path("/k"), sockets=Path(sockets))


def machine(**changes):
    return boot.machine_of(host(**changes), SPEC, FRESH, GuestFolder(Path("/guests"), "g"))


def test_the_image_carries_what_was_signed_and_encodes():
    image = boot.image_of(SPEC, MATERIALS, FRESH, [KEY], {"": 2, "fw": 8})
    assert boot_image.decode(boot_image.encode(image)) == image
    assert [(row.element, row.envelope, row.bundle) for row in image.programs] == [("fw", b"envelope", b"bundle")]
    assert (image.graph, image.seed, image.floors) == (b"c :: Control;", FRESH.seed, {"": 2, "fw": 8})
    assert list(image.nics) == ["in0", "mgmt"]


def test_a_guest_gives_a_packet_what_its_specification_says():
    assert boot.image_of(SPEC, MATERIALS, FRESH, [KEY], {}).limits.instruction_budget is None
    spec = msgspec.structs.replace(SPEC, instruction_budget=200_000)
    image = boot_image.decode(boot_image.encode(boot.image_of(spec, MATERIALS, FRESH, [KEY], {})))
    assert image.limits.instruction_budget == 200_000


def test_the_record_names_the_releases_and_where_to_find_the_guest():
    record = boot.record_of(SPEC, MATERIALS, FRESH, machine(), restarts=2)
    assert (record.control, record.restarts, record.graph_sequence) == ("127.0.0.1:4711", 2, 3)
    assert record.programs["fw"].sequence == 9
    assert record.networks == {"in0": "unix:/s/g.in0.sock"}


def test_macs_are_stable_differ_between_guests_and_are_in_qemus_range():
    assert mac_of("g", "in0") == mac_of("g", "in0") != mac_of("h", "in0")
    assert mac_of("g", "in0")[:3] == bytes.fromhex("525400")


def test_a_machine_that_is_missing_here_becomes_a_process_without_accelerator():
    made = machine(microvm="process")
    assert (made.kind, made.accel) == ("process", "none")


def test_a_socket_path_that_is_too_long_is_refused_before_anything_starts():
    with pytest.raises(SpecError) as error:
        machine(sockets="/" + "s" * 120)
    assert error.value.rule == "socket-path" and "UNIBPF_STATE" in error.value.hint


@pytest.mark.parametrize("alg", ["EdDSA", -8], ids=["by_name", "by_number"])
def test_trusted_signers_are_read(alg):
    row = {"kid": "00" * 8, "alg": alg, "key": "11" * 32}
    assert boot.trusted_signers(json.dumps([row]).encode()) == [SignerKey(kid=bytes(8), alg=-8, key=b"\x11" * 32)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'[{"kid": "zz", "alg": "EdDSA", "key": ""}]',
        b'[{"kid": "", "alg": "none", "key": ""}]',
        b" " * 70000,
    ],
    ids=["empty", "no_list", "no_hex", "unknown_algorithm", "too_large"],
)
def test_a_bad_file_of_trusted_signers_is_refused(data):
    with pytest.raises(HostConfigError) as error:
        boot.trusted_signers(data)
    assert error.value.rule == "trusted-signers"


def test_no_seed_shows_in_repr():
    record = boot.record_of(SPEC, MATERIALS, FRESH, machine(), restarts=0)
    for text in (repr(FRESH), repr(record)):
        assert FRESH.seed.hex() not in text and repr(FRESH.seed) not in text
