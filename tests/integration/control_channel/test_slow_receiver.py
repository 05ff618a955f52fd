"""A receiver that takes nothing: packets for it fill its ring and its queue, and nothing else goes without a slot for that."""

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.guests import live_guest
from tests.support.guests.live_guest import PASS, V1, LiveGuest, counting_filter, first_program
from tests.support.guests.wires import LENGTH
from tests.support.signing.signing import Signer

GRAPH = """
control :: Control;
FromDevice(in0) -> fw :: BPFFilter(PROGRAM firewall) -> Queue(512) -> ToDevice(out0);
FromDevice(out0) -> Queue(512) -> ToDevice(in0);
"""
FRAME = bytes(12) + b"\x88\xb5" + bytes(1000)
COUNTED = 118


def flood(stream: socket.socket) -> None:
    """As much as the guest takes, until its end."""
    stream.settimeout(60)
    with stream, contextlib.suppress(OSError):
        while True:
            stream.sendall((LENGTH.pack(len(FRAME)) + FRAME) * 64)


@pytest.fixture(scope="module")
def stalled(signer: Signer, bin_directory: Path) -> Iterator[LiveGuest]:
    """A guest in its default memory, its outside flooded until it takes no more, and then on."""
    graph = {"graph": GRAPH.encode(), "graph_envelope": signer.graph(GRAPH)}
    image = live_guest.boot(signer, programs=[first_program(signer, V1)], **graph)
    with live_guest.running("microvm", bin_directory, image) as live:
        sending = threading.Thread(target=flood, args=(live.inside.duplicate(),), daemon=True)
        sending.start()
        time.sleep(3)
        yield live
    sending.join(60)


def test_no_status_request_goes_without_its_answer(stalled: LiveGuest) -> None:
    started = time.monotonic()
    for _ in range(COUNTED):
        stalled.channel.status()
    # Each that was lost would cost half a second (`Channel.exchange`).
    assert time.monotonic() - started < 12


def test_an_update_takes_no_longer(stalled: LiveGuest, signer: Signer) -> None:
    started = time.monotonic()
    update = signer.update(counting_filter(PASS, filler=3000), sequence=2)
    assert stalled.channel.request("PUT", "/elements/fw/program", update).name == "2.04"
    assert time.monotonic() - started < 4


def test_packets_the_other_way_still_find_slots(stalled: LiveGuest) -> None:
    frames = [bytes(12) + b"\x88\xb5" + secrets.token_bytes(100) for _ in range(20)]
    stalled.outside.send(*frames)
    assert stalled.inside.receive(len(frames)) == frames


def test_a_graph_whose_queues_hold_more_than_there_are_slots_is_refused_with_both_numbers(
    signer: Signer, bin_directory: Path
) -> None:
    text = GRAPH.replace("Queue(512)", "Queue(5000)", 1)
    image = live_guest.boot(signer, graph=text.encode(), graph_envelope=signer.graph(text))
    with (
        pytest.raises(AssertionError, match="queues hold 5512 packets, expected at most 1280"),
        live_guest.running("microvm", bin_directory, image),
    ):
        pass
