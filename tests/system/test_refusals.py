"""What the guest refuses, shown with raw CoAP to the real VM, past all services; the running program stays."""

import asyncio
import hashlib
import socket
from pathlib import Path

import pytest

from tests.support.services.cli import StackProcess
from tests.system import firewall
from unibpf.client.session import open_bus
from unibpf.demo.attacks import stage_raw, tampered
from unibpf.formats import cbor

GUEST = "hostile-1"
OTHER = "hostile-2"


@pytest.fixture(scope="module")
def control(stack: StackProcess) -> str:
    firewall.push(stack.cli, 9)
    firewall.apply(stack.cli, OTHER)
    return str(firewall.apply(stack.cli, GUEST)["control"])


@pytest.fixture(autouse=True)
def _state(stack: StackProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIBPF_STATE", str(stack.cli.state))


@pytest.fixture
def unchanged(stack: StackProcess, control: str):
    """The active release and the floor of both guests are the same before and after the test."""

    def running() -> list[object]:
        return [
            firewall.element(stack.cli, name)[key]
            for name in (GUEST, OTHER)
            for key in ("envelope", "sequence", "floor")
        ]

    before = running()
    yield
    assert running() == before


async def _signed_bytes(signed: dict[str, str]) -> tuple[bytes, bytes]:
    async with open_bus() as bus:
        return await bus.get_object(signed["envelope"]), await bus.get_object(signed["bundle"])


def release(stack: StackProcess, port: int, **options: str) -> tuple[bytes, bytes]:
    """A genuine release (envelope, bundle), made by the pipeline for another audience unless `options` say else."""
    options = {"audience": "lab", **options}
    signed = firewall.push(stack.cli, port, **options).json["signed"]
    return asyncio.run(_signed_bytes(signed))


def stage(control: str, envelope: bytes, bundle: bytes, element: str = "fw") -> str:
    return asyncio.run(stage_raw(control, element, envelope, bundle))


@pytest.mark.usefixtures("unchanged")
def test_a_release_for_another_audience_is_refused(stack: StackProcess, control: str) -> None:
    assert stage(control, *release(stack, 3000)) == "audience"


@pytest.mark.usefixtures("unchanged")
def test_an_envelope_with_one_bit_changed_anywhere_is_refused(stack: StackProcess, control: str) -> None:
    envelope, bundle = release(stack, 3001)
    for position in range(0, len(envelope), max(1, len(envelope) // 24)):
        assert stage(control, tampered(envelope, position), bundle) in {"shape", "signature", "key"}


@pytest.mark.usefixtures("unchanged")
def test_an_element_that_does_not_exist_is_refused(stack: StackProcess, control: str) -> None:
    active = firewall.element(stack.cli, GUEST)
    envelope, bundle = asyncio.run(_signed_bytes({"envelope": active["envelope"], "bundle": _bundle_of(stack, active)}))
    assert stage(control, envelope, bundle, element="nobody") == "element"


def _bundle_of(stack: StackProcess, active: dict) -> str:
    async def find() -> str:
        from unibpf.bus.topology import RELEASES
        from unibpf.messages.programs import Signed

        async with open_bus() as bus:
            entry = await (await bus.kv(RELEASES)).get("edge.firewall")
            assert entry is not None
            return entry.decode(Signed).bundle

    return asyncio.run(find())


@pytest.mark.usefixtures("unchanged")
def test_a_bundle_that_is_not_the_signed_one_is_refused(stack: StackProcess, control: str) -> None:
    newest = firewall.push(stack.cli, 9, ok=True).json  # the same digest again: the same release
    envelope, bundle = asyncio.run(_signed_bytes(newest["signed"]))
    _, other = release(stack, 3002)
    assert hashlib.sha256(other).digest() != hashlib.sha256(bundle).digest()
    assert stage(control, envelope, other) in {"bundle-digest", "bundle-length"}


@pytest.mark.usefixtures("unchanged")
def test_garbage_on_the_control_port_changes_nothing(stack: StackProcess, control: str) -> None:
    host, port = control.rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for seed in range(300):
            block = hashlib.sha512(seed.to_bytes(4, "big")).digest()
            sender.sendto(block[: 1 + seed % 64] * (1 + seed % 20), (host, int(port)))


@pytest.mark.usefixtures("unchanged")
def test_cbor_nested_too_deep_is_refused(stack: StackProcess, control: str) -> None:
    async def put(payload: bytes) -> str:
        import aiocoap

        from unibpf.demo.attacks import problem_rule

        context = await aiocoap.Context.create_client_context()
        try:
            request = aiocoap.Message(code=aiocoap.PUT, uri=f"coap://{control}/elements/fw/staged", payload=payload)
            answer = await context.request(request).response
        finally:
            await context.shutdown()
        assert not answer.code.is_successful()
        return problem_rule(answer.payload)

    assert asyncio.run(put(b"\x81" * 500 + b"\x00")) == "shape"
    assert asyncio.run(put(cbor.encode([b"", b""]))) == "shape"


def test_the_update_of_one_guest_reaches_the_other_of_its_class_too(
    stack: StackProcess, control: str, tmp_path: Path
) -> None:
    answer = firewall.push(stack.cli, 3100)
    assert {event["guest"] for event in answer.json["elements"]} >= {GUEST, OTHER}
