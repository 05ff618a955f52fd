"""Handlers over the control channel of a real guest, by raw CoAP: any element's, read and written while packets flow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.guests import live_guest
from tests.support.guests.live_guest import LiveGuest, Machine
from tests.support.signing.signing import Signer
from unibpf.formats import cbor

GRAPH = """
control :: Control;
FromDevice(in0) -> in :: { input -> seen :: Counter -> output } -> Print(packet, ACTIVE false)
  -> q :: Queue(512) -> ToDevice(out0);
FromDevice(out0) -> s :: Discard;
t :: InfiniteSource(DATA "\\<00ff41>", LIMIT 0, ACTIVE false) -> Discard;
"""


@pytest.fixture
def guest(machine: Machine, bin_directory: Path, signer: Signer) -> Iterator[LiveGuest]:
    image = live_guest.boot(signer, graph=GRAPH.encode(), graph_envelope=signer.graph(GRAPH))
    with live_guest.running(machine, bin_directory, image) as live:
        yield live


def call(guest: LiveGuest, method: str, *words: str) -> live_guest.Answer:
    answer = guest.channel.request(method, "/handlers", cbor.encode(dict(enumerate(words))))
    assert answer.authenticated
    return answer


def read(guest: LiveGuest, element: str, handler: str) -> Any:
    answer = call(guest, "FETCH", element, handler)
    assert answer.name == "2.05", answer
    return answer.body[2]


def test_handlers_of_any_element_are_read_and_written(guest: LiveGuest) -> None:
    assert guest.passes() and guest.passes()
    assert read(guest, "in/seen", "count") == "2"
    assert read(guest, "q", "capacity") == "512"
    assert read(guest, "t", "data") == "..A"

    assert call(guest, "POST", "in/seen", "reset_counts").name == "2.04"
    assert read(guest, "in/seen", "count") == "0"
    printer = "Print@4"
    assert call(guest, "POST", printer, "active", "true").body == {2: ""}
    assert read(guest, printer, "active") == "true"
    assert guest.passes()
    assert "packet: " in guest.console_text()


def test_what_cannot_be_called_is_refused_by_name_and_nothing_changes(guest: LiveGuest) -> None:
    refusals = [
        ("FETCH", ("nobody", "count"), "4.04", "handler"),
        ("FETCH", ("q", "nothing"), "4.04", "handler"),
        ("FETCH", ("q", "reset_counts"), "4.04", "handler"),
        ("POST", ("q", "capacity", "1"), "4.04", "handler"),
        ("POST", ("Print@4", "active", "perhaps"), "4.22", "handler"),
        ("FETCH", ("q", "length", "x"), "4.22", "handler"),
        ("POST", ("t", "data", "x" * 4200), "4.00", "shape"),
        ("FETCH", ("q",), "4.00", "shape"),
        ("FETCH", ("q", "length", "x", "y"), "4.00", "shape"),
    ]
    for method, words, name, rule in refusals:
        answer = call(guest, method, *words)
        assert (answer.name, answer.rule) == (name, rule), (words, answer)
    bare = guest.channel.request("POST", "/handlers", cbor.encode({0: "t", 1: "active", 2: "true"}), mac=False)
    assert bare.rule == "mac"
    assert read(guest, "t", "active") == "false"
    assert read(guest, "t", "data") == "..A"
