"""The stream networks of a guest of this host: frames in, frames out.

A stream network is a unix socket on which the guest's NIC listens, for one peer. A frame goes as its length (32 bits, big
endian; QEMU's `-netdev stream`) and its bytes.
"""

import selectors
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from unibpf.host.guest_folder import all_boots

MAX_FRAME: Final = 1 << 16  # more is no frame, but a peer that speaks another language
_HEAD: Final = 4
_READ: Final = 1 << 16
_UNIX: Final = "unix:"


class WireError(Exception):
    """A network that cannot be reached or does not behave; `hint` is what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def socket_of(guests: Path, word: str) -> Path:
    """The socket of `GUEST/NIC`, of a NIC that only one guest of this host has, or a socket's own path; raises WireError."""
    boots = all_boots(guests)
    named = {f"{guest}/{nic}": where for guest, boot in boots.items() for nic, where in boot.networks.items()}
    fits = [where for name, where in named.items() if word in (name, name.partition("/")[2])]
    if not fits and Path(word).is_socket():
        return Path(word)
    if len(fits) != 1:
        there = ", ".join(sorted(named)) or "none"
        how = "more than one guest has a NIC" if fits else "no guest of this host has a NIC"
        raise WireError(f"{how} `{word}`; there are: {there}", "name it `GUEST/NIC`, or give the path of its socket")
    scheme, path = fits[0][: len(_UNIX)], fits[0][len(_UNIX) :]
    if scheme != _UNIX:
        raise WireError(
            f"NIC `{word}` is on `{fits[0]}`, not on a stream network",
            'only `network = "stream"` NICs have a socket; on others, use the tools of the host (tcpdump, tcpreplay)',
        )
    return Path(path)


class Stream:
    """One end of a stream network, never waiting: what is to go out, and the whole frames that came in."""

    def __init__(self, path: Path, frames: Sequence[bytes]) -> None:
        """Connect; raises WireError."""
        self.path = path
        self.received: list[bytes] = []
        self.sent = 0
        self._frames = frames
        self._out = b""
        self._in = bytearray()
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(str(path))
        except OSError as error:
            self.socket.close()
            raise WireError(
                f"nobody listens on `{path}`: {error.strerror}", "`unibpf guest list` shows whether its guest runs"
            ) from error
        self.socket.setblocking(False)

    @property
    def has_more(self) -> bool:
        """Whether there is something to send."""
        return bool(self._out) or self.sent < len(self._frames)

    def write(self, due: int) -> None:
        """Send what fits, up to frame number `due`."""
        while self._out or self.sent < min(due, len(self._frames)):
            if not self._out:
                frame = self._frames[self.sent]
                self._out = len(frame).to_bytes(_HEAD, "big") + frame
                self.sent += 1
            try:
                self._out = self._out[self.socket.send(self._out) :]
            except BlockingIOError:
                return
            except OSError as error:
                raise self._lost() from error

    def read(self) -> int:
        """Take what has come; the number of whole frames in it."""
        try:
            part = self.socket.recv(_READ)
        except OSError as error:
            raise self._lost() from error
        if not part:
            raise self._lost()
        self._in += part
        before = len(self.received)
        while len(self._in) >= _HEAD:
            length = int.from_bytes(self._in[:_HEAD], "big")
            if length > MAX_FRAME:
                raise WireError(
                    f"`{self.path}` sent a frame of {length} bytes", "nothing but a guest's NIC may listen there"
                )
            if len(self._in) < _HEAD + length:
                break
            self.received.append(bytes(self._in[_HEAD : _HEAD + length]))
            del self._in[: _HEAD + length]
        return len(self.received) - before

    def _lost(self) -> WireError:
        return WireError(
            f"`{self.path}` was closed after {self.sent} frames were sent and {len(self.received)} received",
            "the guest ended, or somebody else is connected to this NIC: it has one peer",
        )


def exchange(
    frames: Mapping[Path, Sequence[bytes]],
    *,
    quiet: float = 0.5,
    seconds: float = 60.0,
    rate: float | None = None,
) -> dict[Path, list[bytes]]:
    """Send to each socket its frames, in their order, and return what came out of each; raises WireError.

    It ends when all is sent and nothing came for `quiet` seconds, or after `seconds`. `rate`: frames a second and socket.
    """
    started = time.monotonic()
    streams: list[Stream] = []
    with selectors.DefaultSelector() as selector:
        try:
            for path, ours in frames.items():
                streams.append(Stream(path, ours))
                selector.register(streams[-1].socket, selectors.EVENT_READ, streams[-1])
            last = time.monotonic()
            while (now := time.monotonic()) - started < seconds:
                due = (
                    len(max(frames.values(), key=len, default=())) if rate is None else int((now - started) * rate) + 1
                )
                for stream in streams:
                    stream.write(due)
                has_more = any(stream.has_more for stream in streams)
                if not has_more and now - last > quiet:
                    break
                for key, _ in selector.select(0.001 if has_more else quiet):
                    last = time.monotonic() if key.data.read() else last
                last = time.monotonic() if has_more else last
        finally:
            for stream in streams:
                stream.socket.close()
    return {stream.path: stream.received for stream in streams}
