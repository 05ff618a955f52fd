"""unibpf.client.wires: frames over a socket that listens, and what is said of one that does not behave."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import folders
from unibpf.client import wires


@pytest.fixture
def folder() -> Iterator[Path]:
    with folders.short_folder() as made:
        yield made


def peer(path: Path, answer: bytes | None = None) -> threading.Thread:
    """Sends back what comes, or `answer` and the end."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)

    def serve() -> None:
        stream, _ = listener.accept()
        with stream, listener:
            if answer is not None:
                stream.sendall(answer)
                return
            while part := stream.recv(1000):
                stream.sendall(part)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def test_what_a_peer_sends_back_comes_whole_and_in_order(folder: Path) -> None:
    thread = peer(folder / "s")
    frames = [bytes([number % 256]) * (1 + number * 37 % 1600) for number in range(2000)]
    assert wires.exchange({folder / "s": frames}, quiet=0.2) == {folder / "s": frames}
    thread.join(5)


def test_it_ends_in_time_when_more_is_to_be_sent_than_the_rate_allows(folder: Path) -> None:
    peer(folder / "s")
    found = wires.exchange({folder / "s": [b"x"] * 1000}, seconds=0.5, rate=20)
    assert 1 <= len(found[folder / "s"]) <= 20


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"\xff\xff\xff\xff", "a frame of 4294967295 bytes"), (b"", "was closed after")],
)
def test_a_peer_that_does_not_behave_is_named(folder: Path, answer: bytes, reason: str) -> None:
    peer(folder / "s", answer)
    with pytest.raises(wires.WireError, match=reason):
        wires.exchange({folder / "s": []})


def test_a_socket_that_nobody_listens_on_and_a_nic_that_nobody_has(folder: Path) -> None:
    with pytest.raises(wires.WireError, match="nobody listens"):
        wires.exchange({folder / "s": []})
    with pytest.raises(wires.WireError, match="no guest of this host has a NIC `fw/in`; there are: none"):
        wires.socket_of(folder / "guests", "fw/in")
