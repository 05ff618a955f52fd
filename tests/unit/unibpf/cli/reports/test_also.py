"""unibpf/cli/reports/also.py: what other verifiers said, beside the verdicts of one file."""

import json
from pathlib import Path

import pytest

from unibpf.cli.reports import also
from unibpf.cli.reports.text import Verified
from unibpf.messages.reports import SecondOpinion


def opinion(accepts: bool | None, *, agrees: bool, said: str = "", program: str = "fw") -> also.Opinion:
    return also.Opinion(verifier="kernel", accepts=accepts, agrees=agrees, said=said, program=program)


@pytest.mark.parametrize(
    ("accepts", "agrees", "sentence"),
    [
        (True, True, "kernel accepts `fw`, as this verifier does"),
        (True, False, "kernel accepts `fw`, unlike this verifier"),
        (False, True, "kernel refuses `fw`, as this verifier does: R1 !read_ok"),
        (False, False, "kernel refuses `fw`, unlike this verifier: R1 !read_ok"),
        (None, False, "kernel cannot say of `fw`: R1 !read_ok"),
    ],
)
def test_agreeing_refusing_and_not_knowing_read_differently(accepts: bool | None, agrees: bool, sentence: str) -> None:
    assert opinion(accepts, agrees=agrees, said="R1 !read_ok").sentence() == sentence


def test_what_another_verifier_says_cannot_write_on_a_terminal() -> None:
    assert "\x1b" not in opinion(False, agrees=False, said="\x1b[2J", program="\x1b]0;").sentence()


def test_opinions_stand_in_the_json_beside_the_report() -> None:
    one = Verified(verdict="safe", program="fw", also=[SecondOpinion(verifier="kernel", accepts=True, agrees=True)])
    two = Verified(
        verdict="safe", program="", also=[SecondOpinion(verifier="kernel", accepts=None, agrees=False, said="no")]
    )
    found = json.loads(also.with_opinions(b'{"verdict":"safe"}', also.opinions([one, two], Path("fw.o"))))
    assert found["verdict"] == "safe"
    assert found["also"] == [
        {"verifier": "kernel", "program": "fw", "accepts": True, "agrees": True, "said": ""},
        {"verifier": "kernel", "program": "fw.o", "accepts": None, "agrees": False, "said": "no"},
    ]
    assert also.with_opinions(b'{"verdict":"safe"}', []) == '{"verdict":"safe"}'
