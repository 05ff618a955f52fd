"""unibpf/cli/reports/junit.py: one test case a program, in the subset that CI systems agree on."""

from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

from unibpf.cli.reports import junit
from unibpf.cli.reports.text import Verified
from unibpf.messages.reports import Finding

BOUNDS = Finding(
    rule="packet-bounds", message="read of 4 bytes may pass the end", file="fw.c", line=4, source='a < b && "c"'
)
SAFE = Verified(verdict="safe", program="first", function="first", timing={"total_ms": 12.5})
UNSAFE = Verified(verdict="unsafe", program="second", function="second", findings=[BOUNDS], timing={"total_ms": 7.5})
GAVE_UP = Verified(verdict="gave_up", program="", findings=[Finding(rule="limits", message="too long")])


def suites(*programs: Verified, file: str = "fw.o") -> Element:
    return fromstring(junit.document(programs, file=Path(file)))


def test_the_counts_are_those_of_the_cases() -> None:
    root = suites(SAFE, UNSAFE, GAVE_UP)
    for element in (root, root[0]):
        assert (element.get("tests"), element.get("failures"), element.get("errors")) == ("3", "1", "1")
    assert [case.tag for case in root[0]] == ["testcase"] * 3
    assert root.get("time") == "0.020"


def test_a_safe_program_passes() -> None:
    case = suites(SAFE)[0][0]
    assert (case.get("classname"), case.get("name"), case.get("time"), len(case)) == ("fw.o", "first", "0.013", 0)


def test_an_unsafe_program_fails_with_what_a_person_would_have_read() -> None:
    failure = suites(UNSAFE)[0][0][0]
    said = (failure.tag, failure.get("type"), failure.get("message"))
    assert said == ("failure", "packet-bounds", "unsafe second: 1 finding")
    assert failure.text is not None
    assert failure.text.splitlines()[0] == "error[packet-bounds]: read of 4 bytes may pass the end"
    assert 'fw.c:4  `a < b && "c"`' in failure.text


def test_a_program_that_could_not_be_judged_is_an_error_and_no_failure() -> None:
    case = suites(GAVE_UP)[0][0]
    assert (case.get("name"), case[0].tag, case[0].get("type")) == ("fw.o", "error", "limits")


def test_whatever_an_object_puts_into_its_names_stays_xml() -> None:
    hostile = 'a"<>&\n\0\x1b\ufffe'
    finding = Finding(rule="r", message=f"]]>{hostile}", file=hostile, line=1, source=hostile)
    case = suites(Verified(verdict="unsafe", program=hostile, function=hostile, findings=[finding]), file="x\x01.o")[0][
        0
    ]
    assert case.get("name") == 'a"<>&\n\\u0000\\u001b\\ufffe'
    assert case.get("classname") == "x\\u0001.o"
