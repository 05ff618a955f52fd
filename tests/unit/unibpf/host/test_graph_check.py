"""unibpf.host.graph_check: what a specification says is held against what its graph says."""

import pytest

from tests.support.guests.guests import spec
from unibpf.host.graph_check import Element, GraphError, GraphReport, nic_faults, program_faults
from unibpf.messages.guests import Nic

REPORT = GraphReport(
    elements=[
        Element(name="fw", class_name="BPFFilter", line=1, column=1, program="firewall", kind="filter"),
        Element(name="q", class_name="Queue", line=2, column=1),
    ]
)


@pytest.mark.parametrize(
    ("programs", "fault"),
    [
        ({"fw": "firewall"}, {}),
        ({"fw": "other"}, {"fw": "the graph lets it run `firewall` only, got `other`"}),
        ({"fw": "firewall", "fv": "x"}, {"fv": "the graph has no such element; did you mean `fw`?"}),
        ({"fw": "firewall", "out": "x"}, {"out": "the graph has no such element; elements that run programs: fw"}),
        ({"fw": "firewall", "q": "x"}, {"q": "it is a Queue, which runs no program"}),
        ({}, {"fw": '`programs` does not name it: add `fw = "firewall"`'}),
    ],
)
def test_programs_and_graph_agree_or_every_difference_is_named(programs, fault) -> None:
    assert program_faults(spec(programs=programs), REPORT) == fault


def test_nothing_is_said_of_programs_where_the_graph_is_wrong() -> None:
    wrong = GraphReport(errors=[GraphError(line=1, column=2, text="x")])
    assert program_faults(spec(programs={"zz": "x"}), wrong) == {}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "b"], []),
        (["a", "a"], ["`a` is there 2 times"]),
        (["mgmt"], ["management"]),
        ([f"n{i}" for i in range(16)], ["16"]),
    ],
)
def test_nics_are_few_and_named_once(names, words) -> None:
    faults = nic_faults(spec(nics=[Nic(name=name, network="left") for name in names]))
    assert len(faults) == len(words) and all(word in fault for word, fault in zip(words, faults, strict=True))


def test_errors_are_told_in_the_order_of_the_text() -> None:
    errors = [GraphError(line=9, column=1, text="b"), GraphError(line=2, column=5, text="a")]
    assert GraphReport(errors=errors, more=3).faults() == ["graph 2:5: a", "graph 9:1: b", "graph: and 3 more errors"]
