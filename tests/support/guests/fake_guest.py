"""The guest's control channel on aiocoap, for tests of the reconfigurer that need a guest to misbehave.

It keeps to schemas/control.cddl and checks MACs, counters and digests; signatures and bundles it takes as they come. The
real guest is used wherever a test does not need one of the knobs below.
"""

import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiocoap
from aiocoap import resource

from unibpf.formats import cbor, control_mac
from unibpf.formats import envelope as envelopes
from unibpf.formats.control_mac import MacError
from unibpf.host.guest_folder import Boot, GuestFolder
from unibpf.messages.guests import GuestSpec

MAX = 2 << 20
SEED = bytes(range(32))


class Refusal(Exception):  # noqa: N818  as the protocol calls it
    def __init__(self, code: int, rule: str, highest: int | None = None) -> None:
        super().__init__(rule)
        self.code, self.rule, self.highest = code, rule, highest


class FakeGuest(resource.Resource):
    """One guest with one BPF element, `fw`. The knobs: `busy` and `unsealed` answers to come, a `refuse_with` rule.

    `lies` replace fields of what it answers to updates, `claims` those of its status: it was taken over, and its MAC is right.
    """

    def __init__(self, *, guest: str, port: int, seed: bytes = SEED) -> None:
        super().__init__()
        self.guest, self.port = guest, port
        self.keys = control_mac.derive(guest, seed)
        self.counter = self.floor = 0
        self.history: list[tuple[int, bytes, str]] = []
        self.requests: list[tuple[str, str]] = []
        self.traces: list[bytes] = []
        self.busy = self.unsealed = 0
        self.refuse_with: str | None = None
        self.lies: dict[int, object] = {}
        self.claims: dict[int, object] = {}
        self.entries = {bytes([n, 0, 0, 0]): bytes([n] * 8) for n in range(5)}

    @property
    def active(self) -> tuple[int, bytes, str]:
        return self.history[-1]

    async def needs_blockwise_assembly(self, request):
        return True

    async def render(self, request):
        method = {2: "POST", 3: "PUT", 5: "FETCH"}[int(request.code)]
        path = "/" + "/".join(request.opt.uri_path)
        self.requests.append((method, path))
        self.traces += [bytes(option.value) for option in request.opt.get_option(65000)]
        try:
            opened = control_mac.open_request(self.keys, request.payload, method=method, path=path)
        except MacError:
            return aiocoap.Message(code=aiocoap.UNAUTHORIZED, payload=problem(Refusal(129, "mac")))
        if self.unsealed:
            self.unsealed -= 1
            return aiocoap.Message(code=aiocoap.FORBIDDEN, payload=problem(Refusal(131, "audience")))
        try:
            code, body = self._handle(method, path, opened)
        except Refusal as refusal:
            code, body = refusal.code, problem(refusal)
        answer = control_mac.seal_answer(self.keys, opened, code=code, body=body)
        return aiocoap.Message(code=aiocoap.numbers.Code(code), payload=answer.message)

    def _handle(self, method, path, opened):
        if opened.claims.counter <= self.counter:
            raise Refusal(0x89, "counter", self.counter)
        self.counter = opened.claims.counter
        if self.busy:
            self.busy -= 1
            raise Refusal(0xA3, "busy")
        match method, path.split("/")[1:]:
            case "FETCH", ["status"]:
                return 69, cbor.encode(self._status())
            case "PUT", ["elements", "fw", "program"]:
                return 68, cbor.encode(self._install(opened.body))
            case "POST", ["elements", "fw", "rollback"]:
                return 68, cbor.encode(self._roll_back())
            case "FETCH", ["elements", "fw", "maps", "hits"]:
                return 69, cbor.encode(self._dump(cbor.decode(opened.body, max_bytes=MAX)))
            case "POST", ["elements", "fw", "maps", "hits"]:
                return 68, cbor.encode(self._change(cbor.decode(opened.body, max_bytes=MAX)))
        raise Refusal(0x84, "path")

    def _install(self, body):
        envelope, _bundle = cbor.decode(body, max_bytes=MAX)
        release = envelopes.parse(envelope).release
        digest = hashlib.sha256(envelope).digest()
        if self.refuse_with:
            raise Refusal(0x83, self.refuse_with)
        if self.history and self.active[1] == digest:
            return self._result(1, self.active) | {9: 0, 10: 0, 11: 0, 12: 0}
        if self.history and release.sequence <= self.active[0]:
            raise Refusal(0x89, "sequence", self.active[0])
        self.history.append((release.sequence, digest, release.program))
        self.floor = release.sequence
        return self._result(0, self.active, ["swap", 400_000, 1200]) | {9: 1200, 10: 90_000, 11: 77, 12: 0}

    def _roll_back(self):
        if len(self.history) < 2:
            raise Refusal(0x89, "nothing-previous")
        self.history.pop()
        return self._result(0, self.active) | {9: 1, 10: 2, 11: 3, 12: 0}

    def _result(self, already, placed, *more_steps):
        steps = [["parse", 1000, 2000], ["signature", 3000, 300_000], *more_steps]
        answer = {
            0: already,
            1: "fw",
            2: placed[2],
            3: placed[0],
            4: placed[1],
            5: steps,
            6: [["hits", 0, 5]],
            7: "jit",
        }
        return answer | self.lies

    def _status(self):
        element = {0: "fw", 1: "BPFFilter", 7: 10, 8: [["no-program", 1]]}
        if self.history:
            element |= {2: 0, 3: self.active[2], 4: self.active[0], 5: self.active[1], 6: "jit", 12: self.floor}
        nic = ["in0", bytes(6), 1, 2, 3, 4, 5, 6]
        rest = {6: [8, 4, 5], 7: ["g", 1, bytes(32)], 8: 9, 9: [["boot", 0, 1]], 10: "0.1", 11: "linux"}
        return {0: self.guest, 1: self.keys.nonce, 2: 1, 3: "edge", 4: [element], 5: [nic]} | rest | self.claims

    def _change(self, ask):
        if self.refuse_with:
            raise Refusal(0x89, self.refuse_with)
        for applied, (key, *value) in enumerate(ask[0]):
            if not value and key not in self.entries:
                return {0: "hits", 1: applied, 2: len(self.entries), 3: [["apply", 10, 20]], 4: 2}
            self.entries.pop(key, None)
            self.entries |= {key: value[0]} if value else {}
        return {0: "hits", 1: len(ask[0]), 2: len(self.entries), 3: [["apply", 10, 20]]}

    def _dump(self, ask):
        if 2 in ask:
            rows = [(key, value) for key, value in self.entries.items() if key == ask[2]]
            return {0: "hits", 1: 1, 2: 4, 3: 8, 4: [list(row) for row in rows], 5: len(self.entries), 6: 0}
        rows = sorted(self.entries.items())[ask[0] : ask[0] + 2]
        following = ask[0] + 2 if ask[0] + 2 < len(self.entries) else 0
        return {0: "hits", 1: 1, 2: 4, 3: 8, 4: [list(row) for row in rows], 5: len(self.entries), 6: following}


def problem(refusal):
    ours = {0: refusal.rule} | ({1: refusal.highest} if refusal.highest is not None else {})
    return cbor.encode({-1: "refused", -2: "got a, expected b", -4: refusal.code, "urn:unibpf:v1": ours})


@contextlib.asynccontextmanager
async def serving(guests: Path, name: str, *, audience: str = "edge") -> AsyncIterator[FakeGuest]:
    """A fake guest that listens, with the private folder that its deployer would have written."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    spec = GuestSpec(guest=name, audience=audience, graph="g", programs={"fw": "firewall"})
    boot = Boot(
        boot_id="b-1", spec=spec, seed=SEED, machine="process", accel="none", control=f"127.0.0.1:{port}", started_us=1
    )
    GuestFolder(guests, name).write_boot(boot, b"image")
    fake = FakeGuest(guest=name, port=port)
    context = await aiocoap.Context.create_server_context(fake, bind=("127.0.0.1", port))
    try:
        yield fake
    finally:
        await context.shutdown()
