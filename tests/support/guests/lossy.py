"""A UDP relay that loses, repeats and reorders datagrams, seeded."""

import contextlib
import random
import selectors
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Faults:
    """Shares of datagrams, in each direction."""

    lost: float = 0.0
    repeated: float = 0.0
    delayed: float = 0.0  # until another one has gone


class _Relay:
    def __init__(self, guest: tuple[str, int], faults: Faults, seed: int) -> None:
        self.outer, self._inner = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.outer.bind(("127.0.0.1", 0))
        self._inner.connect(guest)
        self._faults, self._random = faults, random.Random(seed)
        self._client: tuple[str, int] | None = None
        self._held: dict[bool, bytes] = {}
        self.end = threading.Event()

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for one in (self.outer, self._inner):
                selector.register(one, selectors.EVENT_READ)
            while not self.end.is_set():
                for key, _ in selector.select(0.05):
                    self._pass_on(to_guest=key.fileobj is self.outer)
        self.outer.close()
        self._inner.close()

    def _pass_on(self, *, to_guest: bool) -> None:
        with contextlib.suppress(OSError):
            if to_guest:
                data, self._client = self.outer.recvfrom(4096)
            else:
                data = self._inner.recv(4096)
            if self._random.random() < self._faults.lost:
                return
            held = self._held.pop(to_guest, None)
            if held is None and self._random.random() < self._faults.delayed:
                self._held[to_guest] = data
                return
            again = [data] if self._random.random() < self._faults.repeated else []
            for datagram in [data, *again, *([held] if held else [])]:
                self._send(datagram, to_guest=to_guest)

    def _send(self, datagram: bytes, *, to_guest: bool) -> None:
        if to_guest:
            self._inner.send(datagram)
        elif self._client is not None:
            self.outer.sendto(datagram, self._client)


@contextlib.contextmanager
def lossy_relay(guest: tuple[str, int], faults: Faults, *, seed: int = 1) -> Iterator[str]:
    """The address of the relay, as `host:port`."""
    relay = _Relay(guest, faults, seed)
    thread = threading.Thread(target=relay.run, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{relay.outer.getsockname()[1]}"
    finally:
        relay.end.set()
        thread.join(5)
