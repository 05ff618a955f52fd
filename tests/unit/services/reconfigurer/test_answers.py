"""services.reconfigurer.answers: the guest's CBOR as messages, and wrong shapes named."""

import msgspec
import pytest

from services.reconfigurer import answers, updater
from services.reconfigurer.errors import GuestUnreachable

STAGED = {
    0: 1,
    1: "fw",
    2: "firewall",
    3: 9,
    4: bytes(32),
    5: [["parse", 1, 2]],
    6: [["hits", 0, 5], ["new", 1, 0]],
    7: "jit",
}
STATUS = {
    0: "g1",
    1: bytes(16),
    2: 5,
    3: "edge",
    4: [
        {0: "c", 1: "Counter", 7: 3, 8: [], 13: [["count", "3"]]},
        {
            0: "fw",
            1: "BPFFilter",
            2: 1,
            3: "firewall",
            4: 9,
            5: bytes(32),
            6: "interpreter",
            7: 10,
            8: [["no-program", 2]],
            9: [["hits", 2, 4, 8, 16, 16]],
            10: [10, bytes(32)],
            11: [8, bytes(32)],
            12: 9,
            14: "pku",
        },
    ],
    5: [["in0", b"\x52\x54\0\0\0\1", 1, 2, 3, 4, 5, 6]],
    6: [8, 4, 5],
    7: ["g", 3, bytes(32)],
    8: 77,
    9: [["nics", 0, 5]],
    10: "0.1",
    11: "pvh",
}


def test_a_staged_answer_has_no_swap():
    outcome = answers.outcome(STAGED)
    assert (outcome.already, outcome.sequence, outcome.steps, outcome.swap_ns) == (True, 9, [("parse", 1, 2)], 0)
    assert [(row.name, row.decision) for row in outcome.maps] == [("hits", "kept"), ("new", "new")]


def test_what_is_slower_than_before_is_said():
    swapped = STAGED | {7: "interpreter", 9: 5, 10: 6, 11: 7, 12: 0, 13: "jit"}
    outcome = answers.outcome(swapped)
    assert (outcome.engine_before, outcome.engine) == ("jit", "interpreter")
    assert "interpreted" in (updater.slower(outcome) or "")
    assert updater.slower(answers.before_swap(outcome)) is None
    assert updater.slower(answers.outcome(swapped | {7: "jit", 13: "interpreter"})) is None
    assert updater.slower(answers.outcome(STAGED)) is None


@pytest.mark.parametrize(("newer", "expected"), [([], (0, 0)), ([7, 8], (7, 8))], ids=["older guest", "this one"])
def test_a_guest_may_be_older_than_the_counters_of_its_nics(newer: list[int], expected: tuple[int, int]):
    nic = ["in0", b"\x52\x54\0\0\0\1", 1, 2, 3, 4, 5, 6, *newer]
    found = answers.status(STATUS | {5: [nic]}).nics[0]
    assert (found.rx_no_slot, found.rx_too_long) == expected


def test_a_dump_of_a_ring_has_a_position_and_tells_what_was_lost():
    page = {0: "events", 1: 27, 2: 0, 3: 0, 4: [[b"", b"\x01"]], 5: 1, 6: 0}
    assert (answers.dump_page(page).position, answers.dump_page(page).lost) == (None, 0)
    ring = answers.dump_page(page | {7: 1 << 60, 8: 3})
    assert (ring.entries, ring.next, ring.position, ring.lost) == ([("", "01")], 0, 1 << 60, 3)


def test_a_map_change_tells_how_far_it_came():
    changed, steps = answers.map_changed({0: "hits", 1: 3, 2: 9, 3: [["apply", 1, 2]], 4: 7})
    assert (changed.name, changed.applied, changed.entries, changed.errno) == ("hits", 3, 9, 7)
    assert steps == [("apply", 1, 2)]
    assert answers.map_changed({0: "hits", 1: 3, 2: 9, 3: []})[0].errno is None
    with pytest.raises(GuestUnreachable, match="map change is not as in"):
        answers.map_changed({0: "hits"})


def test_an_activated_answer_has_the_swap_and_the_losses():
    outcome = answers.outcome(STAGED | {9: 1, 10: 2, 11: 3, 12: 4})
    assert (outcome.swap_ns, outcome.longest_gap_ns, outcome.packets_during, outcome.packets_lost) == (1, 2, 3, 4)


def test_a_status_names_everything_the_schema_has():
    status = answers.status(STATUS)
    plain, bpf = status.elements
    assert (plain.handlers, plain.program, plain.kind, plain.isolation) == ({"count": "3"}, None, None, None)
    assert bpf.isolation == "pku"
    assert (bpf.kind, bpf.program, bpf.floor, bpf.staged.sequence, bpf.previous.sequence) == (
        "classifier",
        "firewall",
        9,
        10,
        8,
    )
    assert (bpf.maps[0].max_entries, bpf.drops) == (16, {"no-program": 2})
    assert (status.nics[0].mac, status.nics[0].tx_dropped) == ("52:54:00:00:00:01", 6)
    assert (status.memory_total, status.graph_sequence, status.platform, status.boot) == (8, 3, "pvh", [("nics", 0, 5)])


def test_a_page_of_a_map_is_hex():
    page = answers.dump_page({0: "hits", 1: 2, 2: 4, 3: 8, 4: [[b"\1", b"\2"]], 5: 9, 6: 1})
    assert (page.entries, page.next, page.position) == ([("01", "02")], 1, None)


def test_records_of_a_ring_have_a_position() -> None:
    item = {0: "log", 1: 27, 2: 0, 3: 0, 4: [[b"", b"\1\2"]], 5: 1, 6: 0, 7: 1 << 60, 8: 3}
    page = answers.dump_page(item)
    assert (page.entries, page.next, page.position, page.lost) == ([("", "0102")], 0, 1 << 60, 3)


@pytest.mark.parametrize(
    ("read", "item"),
    [
        (answers.outcome, {}),
        (answers.outcome, STAGED | {6: [["hits", 9, 5]]}),
        (answers.outcome, []),
        (answers.status, STATUS | {6: [1]}),
        (answers.status, STATUS | {4: [{}]}),
        (answers.dump_page, {0: "hits"}),
    ],
    ids=["empty", "unknown_decision", "no_map", "short_memory", "empty_element", "half_a_page"],
)
def test_another_shape_is_named_and_nothing_is_believed(read, item):
    with pytest.raises(GuestUnreachable) as error:
        read(item)
    assert error.value.rule == "answer"


CHANGED = {0: "hits", 1: 3, 2: 9, 3: [["apply", 1, 2]], 4: 7}
RING = {0: "events", 1: 27, 2: 0, 3: 0, 4: [[b"", b"\x01"]], 5: 1, 6: 0, 7: 1 << 60, 8: 3}
FOREIGN = (
    "text",
    b"bytes",
    -1,
    1 << 63,
    (1 << 64) - 1,
    [],
    [[]],
    {},
    {0: 0},
    "\x1b[2J",
    "x" * 5000,
    [["x", 1, 1]] * 5000,
)


def spoilt(item):
    """The item with each part in turn replaced by what does not belong there."""
    yield from FOREIGN
    if isinstance(item, dict | list):
        for key, part in item.items() if isinstance(item, dict) else enumerate(item):
            for other in spoilt(part):
                copy = item.copy()
                copy[key] = other
                yield copy


@pytest.mark.parametrize(
    ("read", "item"),
    [
        (answers.outcome, STAGED | {9: 1, 10: 2, 11: 3, 12: 4, 13: "jit"}),
        (answers.status, STATUS),
        (answers.dump_page, RING),
        (lambda item: answers.map_changed(item)[0], CHANGED),
    ],
    ids=["outcome", "status", "dump", "change"],
)
def test_whatever_stands_anywhere_is_a_message_that_everybody_can_read_or_is_refused(read, item):
    believed = 0
    for other in spoilt(item):
        try:
            found = read(other)
        except GuestUnreachable as error:
            assert error.rule == "answer"
            assert len(str(error)) < 1000
            continue
        believed += 1
        said = msgspec.json.encode(found)
        assert msgspec.json.decode(said, type=type(found)) == found
        assert len(said) < 4 * len(msgspec.json.encode(read(item))) + 5000
        assert b"\\u001b" not in said.replace(b"\\\\u001b", b"")  # the escape itself, as JSON has it
    assert believed  # names may be others


@pytest.mark.parametrize(
    "change", [{5: [["s", 0, 1]] * 65}, {6: [["m", 0, 1]] * 65}, {0: 2}, {3: "9"}, {2: "Not A Name"}, {1: "a b"}]
)
def test_more_than_an_honest_guest_can_say_is_refused(change):
    with pytest.raises(GuestUnreachable) as error:
        answers.outcome(STAGED | change)
    assert error.value.rule == "answer"
