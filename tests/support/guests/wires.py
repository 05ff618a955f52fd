"""The test's end of a guest's data NIC: QEMU's stream framing (a 4-byte big-endian length, the frame) on a unix socket."""

import socket
import struct
import time
from pathlib import Path

LENGTH = struct.Struct(">I")


class Wire:
    """What came in part stays until the rest of it comes."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._buffer = b""

    @classmethod
    def connect(cls, path: Path) -> "Wire":
        """To a guest that listens."""
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(str(path))
        return cls(stream)

    def duplicate(self) -> socket.socket:
        """The same wire for somebody with time limits of his own."""
        return self._stream.dup()

    def send(self, *frames: bytes) -> None:
        self._stream.settimeout(10)
        self._stream.sendall(b"".join(LENGTH.pack(len(frame)) + frame for frame in frames))

    def receive_one(self, seconds: float = 2.0) -> bytes | None:
        """The next frame, or None when none comes in time."""
        deadline = time.monotonic() + seconds
        while (frame := self._whole_frame()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._stream.settimeout(left)
            try:
                part = self._stream.recv(65536)
            except TimeoutError:
                return None
            if not part:
                raise ConnectionError("the guest closed the wire")
            self._buffer += part
        return frame

    def _whole_frame(self) -> bytes | None:
        if len(self._buffer) < LENGTH.size:
            return None
        end = LENGTH.size + LENGTH.unpack_from(self._buffer)[0]
        if len(self._buffer) < end:
            return None
        frame, self._buffer = self._buffer[LENGTH.size : end], self._buffer[end:]
        return frame

    def receive(self, count: int, *, seconds: float = 10) -> list[bytes]:
        """Return `count` frames, or fewer when no more came in time."""
        frames: list[bytes] = []
        while len(frames) < count and (frame := self.receive_one(seconds)) is not None:
            frames.append(frame)
        return frames

    def drain(self) -> None:
        """Forget what has come."""
        while self.receive_one(0.001):
            pass

    def close(self) -> None:
        self._stream.close()


class Listener:
    """Where a guest that connects by itself finds its wire."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(1)
        self._socket.settimeout(10)

    def accept(self) -> Wire:
        return Wire(self._socket.accept()[0])

    def close(self) -> None:
        self._socket.close()
